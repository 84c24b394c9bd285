//! Files that are damaged, cut off, or were left in the middle of a record.

use dunlin_sync::ring::{RECORD, RING_HEADER, STAMP_AT};
use proptest::prelude::*;

use super::{entry, file};
use crate::layout::Geometry;
use crate::{
    Filter, Listing, LoopChoice, Options, Recorder, Snapshot, write_chains, write_chrome_json,
    write_json, write_records,
};

const SIZES: (u16, u32, u32) = (3, 32, 16);

/// A small file with two rings, one of them wrapped, and what was to be in it.
fn good(name: &str) -> Vec<u8> {
    let (rings, records, loops) = SIZES;
    let path = file(name);
    let options = Options { path: Some(path.clone()), rings, records, loops, ..Options::default() };
    let recorder = Recorder::new(&options).unwrap();
    recorder.name_loop(1, "bgp upstream");
    recorder.set_configuration(7);
    let mut rings = [recorder.ring(0).unwrap(), recorder.ring(2).unwrap()];
    for at in 0..40 {
        let cause = rings[0].begin(&entry(at));
        rings[0].end(cause, at + 5);
        if at % 4 == 0 {
            rings[1].begin(&crate::Entry { cause, ..entry(at + 1) });
        }
    }
    let bytes = std::fs::read(&path).unwrap();
    recorder.remove_file().unwrap();
    bytes
}

/// Whatever is in it, it is read or refused, and everything can be written of it.
fn read(bytes: &[u8]) {
    let Ok(snapshot) = Snapshot::from_bytes(bytes) else { return };
    let filters = [
        Filter::default(),
        Filter { last: Some(7), class: Some(2), ..Filter::default() },
        Filter { of: Some(LoopChoice::new("b*")), worker: Some(0), ..Filter::default() },
    ];
    for filter in filters {
        let listing = || Listing::new(snapshot.clone(), filter.clone());
        let mut text = String::new();
        write_records(&mut text, &mut listing()).unwrap();
        write_json(&mut text, &mut listing()).unwrap();
        write_chrome_json(&mut text, &mut listing()).unwrap();
        write_chains(&mut text, &mut listing()).unwrap();
        crate::write_perfetto(&mut std::io::sink(), &mut listing()).unwrap();
    }
}

#[test]
fn damage_anywhere_is_met_without_panic() {
    let good = good("damaged");
    proptest!(ProptestConfig::with_cases(300), |(
        // The header's magic and version stay, so that the damage is met deeper.
        damage in prop::collection::vec((16..good.len(), any::<u8>()), 1..200),
    )| {
        let mut bad = good.clone();
        damage.into_iter().for_each(|(at, byte)| bad[at] = byte);
        read(&bad);
    });
}

#[test]
fn extreme_words_are_met_without_panic() {
    let good = good("extreme");
    let geometry = Geometry::new(SIZES.0.into(), SIZES.1 as usize, SIZES.2 as usize);
    // The header's numbers, a ring's header, and its first records.
    let start = geometry.ring(0).start();
    let places = (0..80).chain(start..start + RING_HEADER + 12);
    for at in places {
        for word in [u64::MAX, u64::MAX - 1, 1 << 63, 1 << 32, 0] {
            let mut bad = good.clone();
            bad[at * 8..at * 8 + 8].copy_from_slice(&word.to_ne_bytes());
            read(&bad);
        }
    }
}

#[test]
fn a_file_cut_off_anywhere_is_refused() {
    let good = good("cut");
    assert!(Snapshot::from_bytes(&good).is_ok());
    proptest!(ProptestConfig::with_cases(200), |(length in 0..good.len())| {
        assert!(Snapshot::from_bytes(&good[..length]).is_err());
    });
}

#[test]
fn random_bytes_are_no_trace() {
    proptest!(|(bytes in prop::collection::vec(any::<u8>(), 0..5000))| {
        assert!(Snapshot::from_bytes(&bytes).is_err());
    });
}

#[test]
fn a_record_that_was_being_written_at_death_is_not_shown_and_hurts_no_other() {
    let good = good("torn");
    let before = Snapshot::from_bytes(&good).unwrap().records();
    let geometry = Geometry::new(SIZES.0.into(), SIZES.1 as usize, SIZES.2 as usize);
    let head = 40;
    let slot = geometry.ring(0).start() + RING_HEADER + (head & (geometry.records - 1)) * RECORD;
    // Some of its words are there, its number is not counted yet.
    for written in 1..=RECORD {
        let mut torn = good.clone();
        for word in 0..written {
            let at = (slot + word) * 8;
            torn[at..at + 8].copy_from_slice(&0xdead_beef_dead_beef_u64.to_ne_bytes());
        }
        assert_eq!(Snapshot::from_bytes(&torn).unwrap().records(), before);
    }
    assert_eq!(before.iter().filter(|record| record.ring == 0).count(), 31);
}

#[test]
fn clocks_that_were_being_compared_at_death_are_not_used() {
    let good = good("clocks");
    let geometry = Geometry::new(SIZES.0.into(), SIZES.1 as usize, SIZES.2 as usize);
    let sync = (geometry.ring(0).start() + STAMP_AT) * 8;
    let mut torn = good.clone();
    torn[sync] |= 1;
    torn[sync + 8..sync + 16].copy_from_slice(&u64::MAX.to_ne_bytes());
    let (good, torn) = (Snapshot::from_bytes(&good).unwrap(), Snapshot::from_bytes(&torn).unwrap());
    let (first, second) = (good.records()[0], torn.records()[0]);
    assert!(good.wall(&first).abs_diff(torn.wall(&second)) < 1_000_000_000);
}
