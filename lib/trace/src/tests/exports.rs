//! What other tools read, read back with readers that know nothing of this crate.

use std::panic::Location;

use prost::Message;
use serde_json::Value;

use super::{entry, simulated};
use crate::{
    Entry, Filter, Listing, Recorder, Ring, Site, write_chrome_json, write_json, write_perfetto,
};

/// Two workers: a handler on the first asks for two on the second, of which the last still runs.
fn example() -> (Recorder, Vec<Ring>) {
    let recorder = simulated(2, 64);
    recorder.name_loop(5, "a \"quoted\\name\"\n");
    recorder.name_loop(6, "slice0");
    recorder.name_place(3, Location::caller());
    let mut rings: Vec<Ring> = (0..2).map(|number| recorder.ring(number).unwrap()).collect();
    let cause = rings[0].begin(&Entry { site: Site::READY, loop_id: 5, ..entry(1600) });
    rings[0].end(cause, 3200);
    rings[0].record(&Entry { site: Site::OVERRUN, loop_id: 5, ..entry(3300) });
    let first = Entry { loop_id: 6, cause, since: 1600, place: 3, ..entry(3200) };
    let first = rings[1].begin(&first);
    rings[1].end(first, 4800);
    rings[1].begin(&Entry { loop_id: 6, cause, argument: 9, ..entry(4800) });
    (recorder, rings)
}

fn listing(recorder: &Recorder, filter: Filter) -> Listing {
    Listing::new(recorder.snapshot(), filter)
}

fn chrome(recorder: &Recorder, filter: Filter) -> Vec<Value> {
    let mut text = String::new();
    write_chrome_json(&mut text, &mut listing(recorder, filter)).unwrap();
    let whole: Value = serde_json::from_str(&text).expect(&text);
    whole["traceEvents"].as_array().unwrap().clone()
}

#[test]
fn chromes_json_has_named_threads_slices_and_arrows() {
    let (recorder, _rings) = example();
    let events = chrome(&recorder, Filter::default());
    let of = |phase: &str| -> Vec<&Value> {
        events.iter().filter(|event| event["ph"] == phase).collect()
    };
    let threads: Vec<_> = of("M").iter().map(|event| event["args"]["name"].clone()).collect();
    assert_eq!(threads, ["dunlin", "worker 1", "worker 2"]);
    let whole = of("X");
    assert_eq!(whole[0]["name"], "ready a \"quoted\\name\"\n [5]");
    assert_eq!((whole[0]["ts"].as_f64(), whole[0]["dur"].as_f64()), (Some(1.6), Some(1.6)));
    assert_eq!(whole[1]["args"]["waited_ns"], 1600);
    let place = whole[1]["args"]["asked_at"].as_str().unwrap();
    assert!(place.starts_with("lib/trace/src/tests/exports.rs:"), "{place}");
    assert_eq!(whole[0]["args"].get("asked_at"), None);
    assert_eq!(of("i")[0]["name"], "overrun a \"quoted\\name\"\n [5]");
    let running = of("B");
    assert_eq!((running.len(), &running[0]["args"]["argument"]), (1, &Value::from(9)));
    let (starts, ends) = (of("s"), of("f"));
    assert_eq!((starts.len(), ends.len()), (2, 2));
    for (start, end) in starts.iter().zip(&ends) {
        assert_eq!(start["id"], end["id"]);
        assert_eq!((&start["tid"], &start["ts"]), (&whole[0]["tid"], &whole[0]["ts"]));
        assert_eq!(end["tid"], running[0]["tid"]);
    }
    // Every event is of this process and of a thread that was named.
    let named: Vec<&Value> = of("M").iter().skip(1).map(|event| &event["tid"]).collect();
    let others = events.iter().filter(|event| event["ph"] != "M");
    assert!(others.clone().all(|event| named.contains(&&event["tid"])));
    assert!(events.iter().all(|event| event["pid"] == std::process::id()));
}

#[test]
fn no_arrow_begins_at_what_is_left_out() {
    let (recorder, _rings) = example();
    let events = chrome(&recorder, Filter { worker: Some(1), ..Filter::default() });
    assert!(events.iter().all(|event| event["ph"] != "s" && event["ph"] != "f"));
    assert_eq!(events.iter().filter(|event| event["ph"] == "X").count(), 1);
    let events = chrome(&recorder, Filter { last: Some(3), ..Filter::default() });
    assert!(events.iter().all(|event| event["ph"] != "s"), "the cause is the fourth last");
}

#[test]
fn json_has_a_line_for_each_record() {
    let (recorder, _rings) = example();
    recorder.set_configuration(0xabc);
    let mut text = String::new();
    write_json(&mut text, &mut listing(&recorder, Filter::default())).unwrap();
    let lines: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let [head, ready, asked, overrun, running] = &lines[..] else { panic!("{text}") };
    assert_eq!((&head["workers"], &head["records"]), (&Value::from(2), &Value::from(4)));
    assert_eq!(head["configuration"], "0000000000000abc");
    assert_eq!(ready["name"], "a \"quoted\\name\"\n");
    assert_eq!((&ready["site"], &ready["took_ns"]), (&Value::from("ready"), &Value::from(1600)));
    assert_eq!((ready.get("cause"), ready.get("asked_at")), (None, None));
    let place = asked["asked_at"].as_str().unwrap();
    assert!(place.starts_with("lib/trace/src/tests/exports.rs:"), "{place}");
    assert_eq!(overrun["site"], "overrun");
    assert_eq!(running["took_ns"], Value::Null);
    let cause = &running["cause"];
    assert_eq!((&cause["worker"], &cause["record"]), (&Value::from(1), &Value::from(0)));
    assert_eq!(cause["kept"], true);
}

/// The messages of Perfetto's format that are written, declared after its own files.
mod format {
    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Trace {
        #[prost(message, repeated, tag = "1")]
        pub(super) packet: Vec<Packet>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Packet {
        #[prost(uint64, optional, tag = "8")]
        pub(super) timestamp: Option<u64>,
        #[prost(uint32, tag = "10")]
        pub(super) sequence: u32,
        #[prost(message, optional, tag = "11")]
        pub(super) event: Option<Event>,
        #[prost(uint32, optional, tag = "13")]
        pub(super) flags: Option<u32>,
        #[prost(message, optional, tag = "60")]
        pub(super) track: Option<Track>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Track {
        #[prost(uint64, tag = "1")]
        pub(super) uuid: u64,
        #[prost(message, optional, tag = "3")]
        pub(super) process: Option<Process>,
        #[prost(message, optional, tag = "4")]
        pub(super) thread: Option<Thread>,
        #[prost(uint64, optional, tag = "5")]
        pub(super) parent: Option<u64>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Process {
        #[prost(int32, tag = "1")]
        pub(super) pid: i32,
        #[prost(string, tag = "6")]
        pub(super) name: String,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Thread {
        #[prost(int32, tag = "1")]
        pub(super) pid: i32,
        #[prost(int32, tag = "2")]
        pub(super) tid: i32,
        #[prost(string, tag = "5")]
        pub(super) name: String,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Event {
        #[prost(message, repeated, tag = "4")]
        pub(super) annotations: Vec<Annotation>,
        #[prost(int32, tag = "9")]
        pub(super) kind: i32,
        #[prost(uint64, tag = "11")]
        pub(super) track: u64,
        #[prost(string, repeated, tag = "22")]
        pub(super) categories: Vec<String>,
        #[prost(string, tag = "23")]
        pub(super) name: String,
        #[prost(fixed64, repeated, packed = "false", tag = "47")]
        pub(super) flows: Vec<u64>,
        #[prost(fixed64, repeated, packed = "false", tag = "48")]
        pub(super) last_flows: Vec<u64>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Annotation {
        #[prost(uint64, tag = "3")]
        pub(super) number: u64,
        #[prost(string, tag = "6")]
        pub(super) text: String,
        #[prost(string, tag = "10")]
        pub(super) name: String,
    }
}

#[test]
fn perfettos_own_format_has_named_threads_slices_and_arrows() {
    let (recorder, _rings) = example();
    let mut bytes = Vec::new();
    write_perfetto(&mut bytes, &mut listing(&recorder, Filter::default())).unwrap();
    let trace = format::Trace::decode(&*bytes).unwrap();
    assert!(trace.packet.iter().all(|packet| packet.sequence == 1));
    assert_eq!(trace.packet[0].flags, Some(1));
    let tracks: Vec<_> = trace.packet.iter().filter_map(|packet| packet.track.clone()).collect();
    let pid = std::process::id() as i32;
    let process = tracks[0].process.clone().unwrap();
    assert_eq!((process.pid, process.name.as_str()), (pid, "dunlin"));
    let threads: Vec<_> = tracks.iter().filter_map(|track| track.thread.clone()).collect();
    assert_eq!(threads.iter().map(|one| &one.name).collect::<Vec<_>>(), ["worker 1", "worker 2"]);
    assert!(threads.iter().all(|one| one.pid == pid && one.tid != 0));
    assert!(tracks[1..].iter().all(|track| track.parent == Some(tracks[0].uuid)));
    let events: Vec<_> = trace
        .packet
        .iter()
        .filter_map(|packet| Some((packet.timestamp?, packet.event.clone()?)))
        .collect();
    let shape: Vec<_> = events.iter().map(|(at, event)| (*at, event.kind, event.track)).collect();
    let (one, two) = (tracks[1].uuid, tracks[2].uuid);
    let expected = [
        (1600, 1, one),
        (3200, 2, one),
        (3200, 1, two),
        (4800, 2, two),
        (3300, 3, one),
        (4800, 1, two),
    ];
    assert_eq!(shape, expected);
    let begins: Vec<_> = events.iter().filter(|(_, event)| event.kind == 1).collect();
    assert_eq!(begins[0].1.flows, [1, 2]);
    assert_eq!((&begins[1].1.last_flows[..], &begins[2].1.last_flows[..]), (&[1][..], &[2][..]));
    assert_eq!(begins[1].1.name, "message slice0 [6]");
    assert_eq!(begins[1].1.categories, ["routing"]);
    let place = begins[1].1.annotations.iter().find(|one| one.name == "asked_at").unwrap();
    assert!(place.text.starts_with("lib/trace/src/tests/exports.rs:"), "{place:?}");
    let argument = begins[2].1.annotations.iter().find(|one| one.name == "argument");
    assert_eq!(argument.unwrap().number, 9);
}

#[test]
fn an_empty_recorder_gives_empty_traces() {
    let recorder = simulated(1, 16);
    assert_eq!(chrome(&recorder, Filter::default()).len(), 1);
    let mut bytes = Vec::new();
    write_perfetto(&mut bytes, &mut listing(&recorder, Filter::default())).unwrap();
    assert_eq!(format::Trace::decode(&*bytes).unwrap().packet.len(), 2);
}
