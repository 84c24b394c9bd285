//! Who asked for what: across loops and workers, and when the record of it is gone.

use super::{entry, simulated};
use crate::{Cause, Entry, Filter, Listing, LoopChoice, Origin, RecordId, Site, write_chains};

/// A loop's handler on a ring.
fn handler(at: u64, loop_id: u32, cause: RecordId) -> Entry {
    Entry { loop_id, cause, ..entry(at) }
}

#[test]
fn a_chain_goes_across_loops_and_workers_even_when_a_loop_has_moved() {
    let recorder = simulated(3, 64);
    let mut rings: Vec<_> = (0..3).map(|number| recorder.ring(number).unwrap()).collect();
    let ready = rings[0].record(&Entry { site: Site::READY, ..handler(100, 5, RecordId::NONE) });
    let first = rings[1].record(&handler(200, 6, ready));
    // Loop 6 goes on on another worker, and does there what it was asked for before.
    rings[1].record(&Entry { site: Site::LEAVE, argument: 2, ..handler(250, 6, RecordId::NONE) });
    rings[2].record(&Entry { site: Site::ARRIVE, argument: 1, ..handler(300, 6, RecordId::NONE) });
    let second = rings[2].record(&handler(400, 6, first));
    let last = rings[0].record(&handler(500, 7, second));
    let snapshot = recorder.snapshot();
    let last = snapshot.find(0, last.index().into()).unwrap();
    let (chain, origin) = snapshot.chain(&last);
    let loops: Vec<_> = chain.iter().map(|record| (record.ring, record.loop_id)).collect();
    assert_eq!(loops, [(2, 6), (1, 6), (0, 5)]);
    assert_eq!(origin, Origin::Outside);
}

#[test]
fn a_cause_that_was_overwritten_is_named_but_not_taken_for_another() {
    let recorder = simulated(2, 16);
    let (mut first, mut second) = (recorder.ring(0).unwrap(), recorder.ring(1).unwrap());
    let cause = first.record(&handler(100, 1, RecordId::NONE));
    let effect = second.record(&handler(200, 2, cause));
    let known = recorder.snapshot();
    let effect = known.find(1, effect.index().into()).unwrap();
    assert!(matches!(known.cause(&effect), Cause::Known(record) if record.loop_id == 1));
    (0..40).for_each(|at| _ = first.record(&handler(300 + at, 1, RecordId::NONE)));
    let gone = recorder.snapshot();
    assert_eq!(gone.cause(&effect), Cause::Gone(0, 0));
    assert_eq!(gone.chain(&effect), (vec![], Origin::Gone(0, 0)));
}

/// The worker had read the clock, and was stopped before it looked into its inbox.
#[test]
fn a_cause_that_seems_a_little_later_is_one() {
    let recorder = simulated(2, 16);
    let (mut first, mut second) = (recorder.ring(0).unwrap(), recorder.ring(1).unwrap());
    let cause = first.record(&handler(20_000_100, 1, RecordId::NONE));
    let effect = second.record(&handler(100, 2, cause));
    let snapshot = recorder.snapshot();
    let effect = snapshot.find(1, effect.index().into()).unwrap();
    assert!(matches!(snapshot.cause(&effect), Cause::Known(record) if record.loop_id == 1));
}

#[test]
fn what_came_later_is_no_cause() {
    let recorder = simulated(1, 16);
    let mut ring = recorder.ring(0).unwrap();
    // Four thousand million records ago this number was used by another.
    ring.record(&handler(100, 1, RecordId::new(0, 1)));
    ring.record(&handler(60_000_000_000, 2, RecordId::NONE));
    let snapshot = recorder.snapshot();
    let effect = snapshot.find(0, 0).unwrap();
    assert_eq!(snapshot.cause(&effect), Cause::Gone(0, 1));
}

#[test]
fn a_chain_without_end_is_cut() {
    let recorder = simulated(1, 16);
    let mut ring = recorder.ring(0).unwrap();
    ring.record(&handler(100, 1, RecordId::new(0, 0)));
    let snapshot = recorder.snapshot();
    let (chain, origin) = snapshot.chain(&snapshot.find(0, 0).unwrap());
    assert_eq!((chain.len(), origin), (64, Origin::Long));
}

#[test]
fn each_loop_is_shown_with_its_chain() {
    let recorder = simulated(2, 64);
    recorder.name_loop(5, "bgp upstream");
    recorder.name_loop(6, "slice0");
    let (mut first, mut second) = (recorder.ring(0).unwrap(), recorder.ring(1).unwrap());
    let ready = first.record(&Entry { site: Site::READY, ..handler(160, 5, RecordId::NONE) });
    second.record(&handler(320, 6, ready));
    second.begin(&handler(480, 6, ready));
    second.record(&Entry { site: Site::OVERRUN, ..handler(640, 6, RecordId::NONE) });
    let chains = |of: Option<&str>| {
        let filter = Filter { of: of.map(LoopChoice::new), ..Filter::default() };
        let mut text = String::new();
        write_chains(&mut text, &mut Listing::new(recorder.snapshot(), filter)).unwrap();
        text
    };
    let text = chains(None);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[2], "Loop bgp upstream [5], 1 records, the last:", "{text}");
    assert!(lines[3].contains("w1 #0 ready bgp upstream [5]"), "{text}");
    assert_eq!(lines[5], "Loop slice0 [6], 3 records, the last:", "{text}");
    assert!(lines[6].contains("w2 #1 message slice0 [6]"), "not the note: {text}");
    assert!(lines[6].contains("not ended, after w1 #0 ready"), "{text}");
    let asked = "asked for by 1970-01-01 00:00:00.000000160 w1 #0 ready bgp upstream [5]";
    assert!(lines[7].trim().starts_with(asked), "{text}");
    assert_eq!(lines.len(), 8, "{text}");
    let text = chains(Some("6"));
    assert!(!text.contains("Loop bgp") && text.contains("Loop slice0 [6]"), "{text}");
}
