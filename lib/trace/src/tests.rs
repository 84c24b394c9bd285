use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use dunlin_os::clock::{self, Scale};
use dunlin_os::map;

use crate::{
    Entry, Filter, Listing, Options, Record, RecordId, Recorder, Ring, Site, Snapshot, TraceError,
    write_records,
};

fn simulated(rings: u16, records: u32) -> Recorder {
    let scale = Some(Scale::IDENTITY);
    Recorder::new(&Options { rings, records, scale, ..Options::default() }).unwrap()
}

fn entry(at: u64) -> Entry {
    Entry {
        at,
        since: at,
        site: Site::MESSAGE,
        class: 2,
        loop_id: 1,
        cause: RecordId::NONE,
        argument: 0,
        place: 0,
    }
}

fn indices(snapshot: &Snapshot) -> Vec<u64> {
    snapshot.records().iter().map(|record| record.index).collect()
}

fn file(name: &str) -> PathBuf {
    map::directory().join(format!("dunlin-trace-{name}-{}", std::process::id()))
}

#[test]
fn records_come_back_as_they_were_made() {
    let recorder = simulated(2, 64);
    let mut ring = recorder.ring(1).unwrap();
    let cause = ring.record(&Entry { since: 800, ..entry(1600) });
    ring.begin(&Entry {
        cause,
        class: 0,
        site: Site::TIMER,
        loop_id: 9,
        argument: 77,
        place: 3,
        ..entry(3200)
    });
    let snapshot = recorder.snapshot();
    let first = Record {
        ring: 1,
        index: 0,
        at: 1600,
        site: Site::MESSAGE,
        class: 2,
        loop_id: 1,
        delay: 800,
        duration: Some(0),
        cause: None,
        argument: 0,
        place: 0,
    };
    let second = Record {
        index: 1,
        at: 3200,
        site: Site::TIMER,
        class: 0,
        loop_id: 9,
        delay: 0,
        duration: None,
        cause: Some((1, 0)),
        argument: 77,
        place: 3,
        ..first
    };
    assert_eq!(snapshot.records(), [first, second]);
    assert_eq!(snapshot.find(1, 1), Some(second));
    assert_eq!(snapshot.find(0, 1), None);
}

#[test]
fn the_oldest_are_overwritten() {
    let recorder = simulated(1, 16);
    let mut ring = recorder.ring(0).unwrap();
    (0..40).for_each(|at| _ = ring.record(&entry(at)));
    // One less than the ring holds: the writer may be busy with the next.
    assert_eq!(indices(&recorder.snapshot()), (25..40).collect::<Vec<_>>());
    assert_eq!(recorder.snapshot().rings().collect::<Vec<_>>(), [(0, 40)]);
}

#[test]
fn an_end_completes_its_record_and_no_other() {
    let recorder = simulated(2, 16);
    let mut ring = recorder.ring(0).unwrap();
    let old = ring.begin(&entry(0));
    let id = ring.begin(&Entry { since: 160, ..entry(320) });
    ring.end(id, 480);
    ring.end(RecordId::NONE, 1);
    ring.end(RecordId::new(1, 0), 1);
    let spans = |recorder: &Recorder| -> Vec<_> {
        recorder.snapshot().records().iter().map(|r| (r.delay, r.duration)).collect()
    };
    assert_eq!(spans(&recorder), [(0, None), (160, Some(160))]);
    (0..20).for_each(|_| _ = ring.begin(&entry(1000)));
    ring.end(old, 2000);
    assert!(spans(&recorder).iter().all(|(_, duration)| duration.is_none()));
}

#[test]
fn rings_are_merged_by_time() {
    let recorder = simulated(3, 64);
    let mut rings: Vec<Ring> = (0..3).map(|n| recorder.ring(n).unwrap()).collect();
    for at in 0..30 {
        rings[at % 3].record(&entry(at as u64 * 100));
    }
    let times: Vec<u64> = recorder.snapshot().records().iter().map(|record| record.at).collect();
    assert_eq!(times, (0..30).map(|at| at * 100).collect::<Vec<_>>());
}

#[test]
fn a_ring_has_one_owner_at_a_time() {
    let recorder = simulated(1, 16);
    let mut ring = recorder.ring(0).unwrap();
    ring.record(&entry(1));
    assert!(recorder.ring(0).is_err());
    assert!(recorder.ring(1).is_err());
    drop(ring);
    recorder.ring(0).unwrap().record(&entry(2));
    assert_eq!(indices(&recorder.snapshot()), [0, 1]);
}

#[test]
fn a_disabled_ring_forgets() {
    let mut ring = Ring::disabled();
    assert!(ring.begin(&entry(1)).is_none() && !ring.is_enabled());
    ring.end(RecordId::new(0, 0), 5);
}

/// Every field follows from the number, so a mixture of two records is noticed.
fn woven(index: u64) -> Entry {
    Entry {
        at: index * 16,
        since: index * 16,
        site: Site(index as u16 & 0xfff),
        class: index as u8 & 0xf,
        loop_id: index as u32,
        cause: RecordId::new(0, index),
        argument: index as u32 & 0xf_ffff,
        place: index as u16,
    }
}

fn check_woven(record: &Record) {
    let index = record.index;
    let expected = woven(index);
    assert_eq!(record.at, expected.at);
    assert_eq!(record.site, expected.site);
    assert_eq!((record.class, record.loop_id), (expected.class, expected.loop_id));
    assert_eq!((record.argument, record.place), (expected.argument, expected.place));
    assert_eq!(record.cause, Some((0, index)));
    assert!(record.duration.is_none_or(|span| span == 32), "{record:?}");
}

#[test]
fn a_reader_never_sees_half_a_record() {
    // So large that a copy is about as fast as the writer comes round.
    let recorder = simulated(1, 4096);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let mut ring = recorder.ring(0).unwrap();
        let stop = &stop;
        scope.spawn(move || {
            let mut index = 0;
            while !stop.load(Ordering::Relaxed) {
                let id = ring.begin(&woven(index));
                ring.end(id, index * 16 + 32);
                index += 1;
            }
        });
        // Also when an assertion fails, or the scope would wait for ever.
        let _stop = StopOnDrop(stop);
        let end = clock::monotonic() + 300_000_000;
        let (mut seen, mut lost) = (0, 0);
        while clock::monotonic() < end || seen == 0 || lost == 0 {
            let snapshot = recorder.snapshot();
            let records = snapshot.records();
            records.iter().for_each(check_woven);
            assert!(records.windows(2).all(|pair| pair[0].index + 1 == pair[1].index));
            seen += records.len();
            lost += 4095_usize.saturating_sub(records.len());
        }
    });
}

struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_file_is_read_while_its_process_runs() {
    let path = file("running");
    let options = Options { path: Some(path.clone()), records: 1024, ..Options::default() };
    let recorder = Recorder::new(&options).unwrap();
    assert!(recorder.problem().is_none(), "{:?}", recorder.problem());
    recorder.name_loop(1, "bgp upstream");
    recorder.name_site(Site::FIRST_FREE, "decode");
    let mut ring = recorder.ring(0).unwrap();
    let before = clock::wall().as_nanos() as u64;
    let at = clock::ticks();
    let cause = ring.record(&entry(at));
    ring.begin(&Entry { site: Site::FIRST_FREE, cause, ..entry(at + 1) });
    let snapshot = Snapshot::open(&path).unwrap();
    recorder.remove_file().unwrap();
    assert!(snapshot.running);
    assert_eq!(snapshot.process, std::process::id());
    assert_eq!(snapshot.records(), recorder.snapshot().records());
    let wall = snapshot.wall(&snapshot.records()[0]);
    assert!(wall.abs_diff(before) < 20_000_000, "{wall} {before}");
    let mut text = String::new();
    write_records(&mut text, &mut Listing::new(snapshot, Filter::default())).unwrap();
    assert!(text.contains("(running): 2 of 2 records of 1 workers\n"), "{text}");
    assert!(
        text.contains(" w1 #0 message bgp upstream [1] routing waited 0 ns, took 0 ns\n"),
        "{text}"
    );
    let end = " w1 #1 decode bgp upstream [1] routing waited 0 ns, not ended, \
               after w1 #0 message bgp upstream [1]\n";
    assert!(text.ends_with(end), "{text}");
}

#[test]
fn without_a_file_the_memory_is_private_and_the_reason_known() {
    let path = Some(PathBuf::from("/no/such/directory/trace"));
    let recorder = Recorder::new(&Options { path, ..Options::default() }).unwrap();
    assert!(recorder.problem().is_some() && recorder.path().is_none());
    recorder.ring(63).unwrap().record(&entry(clock::ticks()));
    assert_eq!(recorder.snapshot().len(), 1);
}

#[test]
fn what_is_no_trace_is_refused() {
    let path = file("refused");
    let open = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        Snapshot::open(&path)
    };
    assert!(matches!(open(b""), Err(TraceError::NotATrace)));
    assert!(matches!(open(&[0x55; 10_000]), Err(TraceError::NotATrace)));
    let trace = Options { path: Some(file("short")), rings: 1, ..Options::default() };
    let recorder = Recorder::new(&trace).unwrap();
    let mut bytes = std::fs::read(file("short")).unwrap();
    recorder.remove_file().unwrap();
    assert!(open(&bytes).is_ok());
    assert!(matches!(open(&bytes[..bytes.len() - 8]), Err(TraceError::NotATrace)));
    // Sizes that would reach beyond the file, or overflow.
    for word in [2, 3, 4] {
        let mut bad = bytes.clone();
        bad[word * 8..word * 8 + 8].copy_from_slice(&u64::MAX.to_ne_bytes());
        assert!(matches!(open(&bad), Err(TraceError::NotATrace)));
    }
    bytes[8..16].copy_from_slice(&(99u64 << 32).to_ne_bytes());
    let error = open(&bytes).unwrap_err();
    assert_eq!(error.to_string(), "flight recorder file of version 99, this is 3");
    std::fs::remove_file(path).unwrap();
}

mod broken;
mod causes;
mod exports;
mod pieces;
