//! The ring of records under the model checker: readers in a snapshot or a crash, against the worker that writes.
#![cfg(loom)]

use dunlin_sync::prim::{Arc, AtomicU64, thread};
use dunlin_sync::ring::{AMENDED, RECORD, RingCopy, RingPlace, RingWriter, STAMP};

/// As few records as there can be: one that is whole, and one that the writer may be busy with.
const PLACE: RingPlace = RingPlace::new(0, 2);

type Memory = Arc<Vec<AtomicU64>>;

/// A ring with so many records; every word of a record is its number.
fn ring(records: u64) -> (Memory, RingWriter) {
    let memory = Memory::new((0..PLACE.end()).map(|_| AtomicU64::new(0)).collect());
    let mut writer = PLACE.claim(&memory, 1).unwrap();
    (0..records).for_each(|at| _ = writer.push(&memory, [at; RECORD]));
    (memory, writer)
}

/// A record is whole if all its words are its own; one may have been amended.
fn assert_whole(index: u64, record: &[u64]) {
    for (at, word) in record.iter().enumerate() {
        let amended = at == AMENDED && *word == index + 100;
        assert!(amended || *word == index, "{record:?} as {index}");
    }
}

/// Reads what is there while `write` goes on writing.
fn read_while(
    records: u64,
    read: fn(&[AtomicU64]),
    write: impl FnOnce(&[AtomicU64], &mut RingWriter),
) {
    let (memory, mut writer) = ring(records);
    let reader = {
        let memory = memory.clone();
        thread::spawn(move || read(&memory))
    };
    write(&memory, &mut writer);
    reader.join().unwrap();
    assert_eq!(PLACE.head(memory.as_slice()), writer.next());
    let last = writer.next() - 1;
    assert_whole(last, &PLACE.read(memory.as_slice(), last).unwrap());
}

/// As a report of a crash does: record by record, from the last.
fn report(memory: &[AtomicU64]) {
    let head = PLACE.head(memory);
    for index in (PLACE.first_whole(head)..head).rev() {
        if let Some(record) = PLACE.read(memory, index) {
            assert_whole(index, &record);
        }
    }
}

/// As a snapshot does: all at once.
fn copy(memory: &[AtomicU64]) {
    let mut copy = RingCopy::new(PLACE, 0, PLACE.head(memory));
    while copy.step(memory, 100) > 0 {}
    let (first, words) = copy.finish(memory);
    for (index, record) in (first..).zip(words.chunks(RECORD)) {
        assert_whole(index, record);
    }
}

/// Comes around the ring and writes over what was there.
fn come_around(memory: &[AtomicU64], writer: &mut RingWriter) {
    for at in 2..4 {
        assert_eq!(writer.push(memory, [at; RECORD]), Some(at));
    }
}

#[test]
fn a_crash_report_never_has_half_a_record() {
    loom::model(|| read_while(2, report, come_around));
}

#[test]
fn a_snapshot_never_has_half_a_record() {
    loom::model(|| read_while(2, copy, come_around));
}

#[test]
fn a_record_is_there_once_the_head_says_so() {
    loom::model(|| {
        read_while(0, report, |memory, writer| {
            assert_eq!(writer.push(memory, [0; RECORD]), Some(0));
            assert_eq!(writer.push(memory, [1; RECORD]), Some(1));
        });
    });
}

#[test]
fn an_end_completes_its_record_and_no_later_one() {
    loom::model(|| {
        read_while(2, report, |memory, writer| {
            assert_eq!(writer.push(memory, [2; RECORD]), Some(2));
            assert_eq!(writer.push(memory, [3; RECORD]), Some(3));
            writer.amend(memory, 1, |_, _| 101);
            writer.amend(memory, 3, |first, _| first + 100);
        });
    });
}

/// What has ended of a record that is still read is there, or not, and nothing else.
#[test]
fn an_end_is_seen_whole() {
    loom::model(|| {
        read_while(3, copy, |memory, writer| {
            writer.amend(memory, 2, |first, _| first + 100);
            assert_eq!(writer.push(memory, [3; RECORD]), Some(3));
            writer.amend(memory, 3, |first, _| first + 100);
        });
    });
}

#[test]
fn the_next_owner_goes_on_where_the_last_one_stopped() {
    loom::model(|| {
        let (memory, mut writer) = ring(1);
        let claimers = [2, 3].map(|owner| {
            let memory = memory.clone();
            thread::spawn(move || {
                let Some(mut writer) = PLACE.claim(&memory, owner) else { return 0 };
                let index = writer.push(&memory, [writer.next(); RECORD]).unwrap();
                assert!(index >= 2, "behind those of the owner before");
                writer.release(&memory);
                1
            })
        });
        writer.push(&memory, [1; RECORD]).unwrap();
        writer.release(&memory);
        let more: u64 = claimers.into_iter().map(|claimer| claimer.join().unwrap()).sum();
        let writer = PLACE.claim(&memory, 4).unwrap();
        assert_eq!(writer.next(), 2 + more, "nobody wrote over another's");
        assert_eq!(PLACE.owner(memory.as_slice()), 4);
    });
}

#[test]
fn a_stamp_is_read_whole() {
    loom::model(|| {
        let (memory, writer) = ring(0);
        writer.stamp(&memory, [1; STAMP]);
        let reader = {
            let memory = memory.clone();
            thread::spawn(move || PLACE.stamp(memory.as_slice()))
        };
        writer.stamp(&memory, [2; STAMP]);
        let seen = reader.join().unwrap();
        assert!(seen.is_none_or(|stamp| [[1; STAMP], [2; STAMP]].contains(&stamp)), "{seen:?}");
        assert_eq!(PLACE.stamp(memory.as_slice()), Some([2; STAMP]));
    });
}
