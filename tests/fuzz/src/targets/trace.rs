//! Files of the flight recorder.

use dunlin_trace::{
    Entry, Filter, Listing, LoopChoice, Options, RecordId, Recorder, Site, Snapshot, write_chains,
    write_chrome_json, write_json, write_perfetto, write_records,
};

/// Files that a recorder has left: one with two rings, of which one has wrapped, and an empty one.
pub fn good() -> Vec<Vec<u8>> {
    [("full", 40), ("empty", 0)].map(|(name, records)| file(name, records)).to_vec()
}

fn file(name: &str, records: u64) -> Vec<u8> {
    let path = std::env::temp_dir().join(format!("dunlin-fuzz-{name}-{}", std::process::id()));
    let facts = String::from("Dunlin");
    let (path, scale) = (Some(path), None);
    let options = Options { path, rings: 3, records: 32, loops: 16, facts, keep: 0, scale };
    let recorder = Recorder::new(&options).unwrap();
    recorder.name_loop(1, "bgp upstream");
    recorder.name_site(Site::FIRST_FREE, "decode");
    recorder.set_configuration(7);
    let mut rings = [recorder.ring(0).unwrap(), recorder.ring(2).unwrap()];
    for at in 0..records {
        let (site, loop_id, argument) = (Site(at as u16 % 20), at as u32 % 3, at as u32);
        let cause = RecordId::NONE;
        let entry = Entry {
            at,
            since: at / 2,
            site,
            class: at as u8 % 6,
            loop_id,
            cause,
            argument,
            place: 0,
        };
        let cause = rings[0].begin(&entry);
        rings[0].end(cause, at + 5);
        if at % 3 == 0 {
            rings[1].begin(&Entry { cause, site: Site::FIRST_FREE, ..entry });
        }
    }
    let bytes = std::fs::read(recorder.path().unwrap()).unwrap();
    recorder.remove_file().unwrap();
    bytes
}

/// Any bytes: they are read or refused, and what was read can be written in every form. Every record that is
/// found is whole and of a ring that is there.
pub fn feed(bytes: &[u8]) {
    let Ok(snapshot) = Snapshot::from_bytes(bytes) else { return };
    let records = snapshot.records();
    assert_eq!(records.len(), snapshot.len());
    for record in &records {
        assert_eq!(snapshot.find(record.ring, record.index), Some(*record));
    }
    for filter in [
        Filter::default(),
        Filter { last: Some(5), class: Some(2), ..Filter::default() },
        Filter { of: Some(LoopChoice::new("b?p*")), worker: Some(0), ..Filter::default() },
    ] {
        let listing = || Listing::new(snapshot.clone(), filter.clone());
        let mut text = String::new();
        write_records(&mut text, &mut listing()).unwrap();
        write_json(&mut text, &mut listing()).unwrap();
        write_chrome_json(&mut text, &mut listing()).unwrap();
        write_chains(&mut text, &mut listing()).unwrap();
        write_perfetto(&mut std::io::sink(), &mut listing()).unwrap();
    }
}
