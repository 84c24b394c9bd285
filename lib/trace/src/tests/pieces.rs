//! Snapshots and listings that are made a little at a time.

use super::{entry, indices, simulated};
use crate::lines::{SEEN, SHOWN};
use crate::listing::Progress;
use crate::taking::{Copying, PIECE};
use crate::{Entry, Filter, Lines, Listing, LoopChoice, Options, Record, Recorder, Ring};
use dunlin_os::clock::Scale;
use dunlin_sync::words::Words;

/// Rings of the usual size that are all full, with ten loops of two classes.
fn full(rings: u16) -> (Recorder, Vec<Ring>) {
    let records = Options::default().records;
    let scale = Some(Scale::IDENTITY);
    let recorder = Recorder::new(&Options { rings, records, scale, ..Options::default() }).unwrap();
    (1..=10).for_each(|number| recorder.name_loop(number, &format!("loop{number}")));
    let mut owned: Vec<Ring> = (0..rings).map(|number| recorder.ring(number).unwrap()).collect();
    for at in 0..u64::from(records) {
        for ring in &mut owned {
            let class = if at % 8 == 0 { 1 } else { 2 };
            let loop_id = 1 + at as u32 % 10;
            ring.record(&Entry { class, loop_id, ..entry(at * 100 + u64::from(ring.number())) });
        }
    }
    (recorder, owned)
}

fn listed(recorder: &Recorder, filter: Filter) -> Vec<Record> {
    all(Listing::new(recorder.snapshot(), filter))
}

fn all(mut listing: Listing) -> Vec<Record> {
    let mut records = Vec::new();
    while listing.step(usize::MAX, |_, record| records.push(*record)) == Progress::More {}
    records
}

#[test]
fn no_step_does_more_than_its_piece() {
    let rings = 4;
    let (recorder, _rings) = full(rings);
    let all = usize::from(rings) * (Options::default().records as usize - 1);
    for (filter, shown) in [
        (Filter::default(), all),
        (Filter { last: Some(100), ..Filter::default() }, 100),
        (Filter { last: Some(usize::MAX), class: Some(1), ..Filter::default() }, all / 8),
        (Filter { of: Some(LoopChoice::new("loop7")), ..Filter::default() }, all / 10),
    ] {
        let mut lines = Lines::new(&recorder, filter.clone(), false);
        let (mut steps, mut seen) = (0, 0);
        loop {
            let before = seen;
            let progress = lines.step(|_| seen += 1);
            steps += 1;
            assert!(seen - before <= SHOWN, "{filter:?}");
            if progress == Progress::Done {
                break;
            }
        }
        // One line is the heading.
        assert!((seen - 1).abs_diff(shown) <= usize::from(rings), "{filter:?}: {seen}");
        assert!(steps <= 16 + shown / SHOWN + 2 * all / (SEEN / 2), "{filter:?}: {steps}");
    }
}

#[test]
fn a_snapshot_is_copied_a_piece_at_a_time() {
    let (recorder, _rings) = full(4);
    let mut taking = recorder.take(usize::MAX);
    let mut steps = 1;
    let snapshot = loop {
        if let Some(snapshot) = taking.step() {
            break snapshot;
        }
        steps += 1;
    };
    // Each step copies at most its piece: that many are needed, and one more for what did not fit.
    let words = snapshot.len() * 4;
    assert!((words / PIECE..=words / PIECE + 3).contains(&steps), "{steps}");
}

#[test]
fn few_records_are_copied_where_few_are_wanted() {
    let (recorder, _rings) = full(4);
    let mut taking = recorder.take(100);
    let snapshot = loop {
        if let Some(snapshot) = taking.step() {
            break snapshot;
        }
    };
    assert_eq!(snapshot.len(), 4 * (4096 + 400));
    let last = Filter { last: Some(100), ..Filter::default() };
    let shown = all(Listing::new(snapshot, last.clone()));
    assert_eq!(shown, listed(&recorder, last));
    assert_eq!(shown.len(), 100);
}

#[test]
fn what_is_written_meanwhile_takes_only_what_it_overwrites() {
    let recorder = simulated(1, 64);
    let mut ring = recorder.ring(0).unwrap();
    (0..100).for_each(|at| _ = ring.record(&entry(at)));
    let mut lines = Lines::new(&recorder, Filter::default(), false);
    // The copy is complete, and a client that reads slowly sees all of it.
    let mut shown = Vec::new();
    lines.step(|line| shown.push(line.to_owned()));
    (100..500).for_each(|at| _ = ring.record(&entry(at)));
    while lines.step(|line| shown.push(line.to_owned())) == Progress::More {}
    assert_eq!(shown.len(), 1 + 63);
    assert!(shown[1].contains(" w1 #37 ") && shown[63].contains(" w1 #99 "), "{shown:?}");
}

/// The memory of a recorder in which a loop gets another name while it is read: after so many words.
struct Renaming<'a>(&'a Recorder, usize);

impl Words for Renaming<'_> {
    fn read(&self, at: usize, out: &mut [u64]) -> bool {
        let (before, after) = out.split_at_mut(self.1.saturating_sub(at).min(out.len()));
        let read = self.0.words().read(at, before);
        if !before.is_empty() && !after.is_empty() {
            self.0.name_loop(1, &"b".repeat(56));
        }
        read && self.0.words().read(at + before.len(), after)
    }

    fn word(&self, at: usize) -> u64 {
        self.0.words().word(at)
    }
}

#[test]
fn a_name_that_changes_while_it_is_copied_is_whole_or_missing() {
    let options = Options { rings: 1, records: 16, loops: 16, ..Options::default() };
    let options = Options { scale: Some(Scale::IDENTITY), ..options };
    let geometry = Recorder::new(&options).unwrap().header().geometry;
    let (start, end) = (geometry.places().end(), geometry.loop_names().end());
    let mut renamed = 0;
    // All the places where the copy may be while the name changes.
    for at in start..=end {
        let recorder = Recorder::new(&options).unwrap();
        recorder.name_loop(1, &"a".repeat(56));
        let copying = Copying::new(*recorder.header(), usize::MAX);
        let snapshot = copying.whole(&Renaming(&recorder, at), true);
        match snapshot.loop_name(1) {
            Some(name) if name == "b".repeat(56) => renamed += 1,
            name => assert!(name.is_none_or(|name| name == "a".repeat(56)), "after {at} words"),
        }
    }
    assert!(renamed > 0);
}

#[test]
fn a_filter_chooses_by_loop_class_and_worker_and_the_last_of_those() {
    let recorder = simulated(2, 64);
    recorder.name_loop(1, "bgp one");
    recorder.name_loop(2, "bgp two");
    recorder.name_loop(3, "slice");
    let mut rings = [recorder.ring(0).unwrap(), recorder.ring(1).unwrap()];
    for at in 0..30 {
        let loop_id = 1 + at as u32 % 3;
        let class = u8::from(at >= 20);
        rings[at as usize % 2].record(&Entry { loop_id, class, ..entry(at * 16) });
    }
    let times = |filter| -> Vec<u64> {
        listed(&recorder, filter).iter().map(|record| record.at / 16).collect()
    };
    let of = |text: &str| Some(LoopChoice::new(text));
    let filter = Filter::default;
    assert_eq!(times(Filter { last: Some(3), ..filter() }), [27, 28, 29]);
    assert!(times(Filter { last: Some(0), ..filter() }).is_empty());
    assert_eq!(times(Filter { of: of("3"), last: Some(2), ..filter() }), [26, 29]);
    assert_eq!(times(Filter { of: of("bgp*"), last: Some(3), ..filter() }), [25, 27, 28]);
    assert_eq!(times(Filter { of: of("bgp two"), class: Some(1), ..filter() }), [22, 25, 28]);
    assert_eq!(times(Filter { worker: Some(1), last: Some(2), ..filter() }), [27, 29]);
    assert!(times(Filter { of: of("nobody"), ..filter() }).is_empty());
}

#[test]
fn the_order_of_a_ring_stands_even_if_its_clock_went_back() {
    let recorder = simulated(2, 16);
    let mut rings = [recorder.ring(0).unwrap(), recorder.ring(1).unwrap()];
    [100, 90, 300].iter().for_each(|at| _ = rings[0].record(&entry(*at)));
    [95, 200].iter().for_each(|at| _ = rings[1].record(&entry(*at)));
    let order: Vec<_> =
        recorder.snapshot().records().iter().map(|one| (one.ring, one.index)).collect();
    assert_eq!(order, [(1, 0), (0, 0), (0, 1), (1, 1), (0, 2)]);
    assert_eq!(indices(&recorder.snapshot()).len(), 5);
}
