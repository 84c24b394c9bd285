//! Records for Perfetto in its own format, which is smaller than JSON and opens faster: protocol buffers, of which
//! only the few messages that are needed are written here. Numbers of fields are those of Perfetto's
//! `trace_packet.proto`, `track_descriptor.proto` and `track_event.proto`.

use std::collections::HashMap;
use std::io::{self, Write};

use crate::listing::Listing;
use crate::record::{Record, class_name, worker_number};
use crate::snapshot::{Cause, Snapshot};
use crate::text::write_what;

/// Field numbers, by message.
mod field {
    pub(super) const TRACE_PACKET: u32 = 1;

    pub(super) const PACKET_TIMESTAMP: u32 = 8;
    pub(super) const PACKET_SEQUENCE: u32 = 10;
    pub(super) const PACKET_EVENT: u32 = 11;
    pub(super) const PACKET_FLAGS: u32 = 13;
    pub(super) const PACKET_TRACK: u32 = 60;

    pub(super) const TRACK_UUID: u32 = 1;
    pub(super) const TRACK_PROCESS: u32 = 3;
    pub(super) const TRACK_THREAD: u32 = 4;
    pub(super) const TRACK_PARENT: u32 = 5;

    pub(super) const PROCESS_PID: u32 = 1;
    pub(super) const PROCESS_NAME: u32 = 6;
    pub(super) const THREAD_PID: u32 = 1;
    pub(super) const THREAD_TID: u32 = 2;
    pub(super) const THREAD_NAME: u32 = 5;

    pub(super) const EVENT_ANNOTATION: u32 = 4;
    pub(super) const EVENT_TYPE: u32 = 9;
    pub(super) const EVENT_TRACK: u32 = 11;
    pub(super) const EVENT_CATEGORY: u32 = 22;
    pub(super) const EVENT_NAME: u32 = 23;
    pub(super) const EVENT_FLOW: u32 = 47;
    pub(super) const EVENT_LAST_FLOW: u32 = 48;

    pub(super) const ANNOTATION_NAME: u32 = 10;
    pub(super) const ANNOTATION_UINT: u32 = 3;
    pub(super) const ANNOTATION_TEXT: u32 = 6;
}

const BEGIN: u64 = 1;
const END: u64 = 2;
const INSTANT: u64 = 3;

/// Nothing that came before is needed to read what follows.
const CLEARED: u64 = 1;

/// The track of the process; those of the workers come behind.
const PROCESS_TRACK: u64 = 1;

/// A message that is being put together.
#[derive(Debug, Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn number(mut self, field: u32, value: u64) -> Self {
        self.varint(u64::from(field) << 3);
        self.varint(value);
        self
    }

    fn fixed(mut self, field: u32, value: u64) -> Self {
        self.varint(u64::from(field) << 3 | 1);
        self.0.extend(value.to_le_bytes());
        self
    }

    fn bytes(mut self, field: u32, bytes: &[u8]) -> Self {
        self.varint(u64::from(field) << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
        self
    }

    fn text(self, field: u32, text: &str) -> Self {
        self.bytes(field, text.as_bytes())
    }

    fn inner(self, field: u32, message: &Self) -> Self {
        self.bytes(field, &message.0)
    }
}

/// The records that are wanted as a trace that Perfetto opens: a thread for each worker, a slice for each handler,
/// an arrow from cause to effect.
pub fn write_perfetto(out: &mut dyn Write, listing: &mut Listing) -> io::Result<()> {
    let snapshot = listing.snapshot();
    write_packet(out, Message::default().number(field::PACKET_FLAGS, CLEARED))?;
    write_track(out, &process_track(snapshot))?;
    for (ring, _) in snapshot.rings() {
        write_track(out, &worker_track(snapshot, ring))?;
    }
    let flows = flows(listing);
    listing.again();
    listing.all(|listing, record| write_slice(out, listing.snapshot(), &flows, record))
}

/// The arrows: one for each effect, by the ring and number of either end.
#[derive(Debug, Default)]
struct Flows {
    from: HashMap<(u16, u64), Vec<u64>>,
    to: HashMap<(u16, u64), u64>,
}

fn flows(listing: &mut Listing) -> Flows {
    let mut flows = Flows::default();
    let mut number = 0;
    // It cannot fail: nothing is written.
    let _ = listing.all(|listing, record| {
        if let Cause::Known(cause) = listing.snapshot().cause(record)
            && listing.shows(&cause)
        {
            number += 1;
            flows.from.entry((cause.ring, cause.index)).or_default().push(number);
            flows.to.insert((record.ring, record.index), number);
        }
        Ok::<_, io::Error>(())
    });
    flows
}

fn process_track(snapshot: &Snapshot) -> Message {
    let process = Message::default()
        .number(field::PROCESS_PID, snapshot.process.into())
        .text(field::PROCESS_NAME, "dunlin");
    Message::default()
        .number(field::TRACK_UUID, PROCESS_TRACK)
        .inner(field::TRACK_PROCESS, &process)
}

fn worker_track(snapshot: &Snapshot, ring: u16) -> Message {
    // Number 0 is no thread to Perfetto.
    let thread = Message::default()
        .number(field::THREAD_PID, snapshot.process.into())
        .number(field::THREAD_TID, u64::from(ring) + 1)
        .text(field::THREAD_NAME, &format!("worker {}", worker_number(ring)));
    Message::default()
        .number(field::TRACK_UUID, track(ring))
        .number(field::TRACK_PARENT, PROCESS_TRACK)
        .inner(field::TRACK_THREAD, &thread)
}

fn track(ring: u16) -> u64 {
    PROCESS_TRACK + 1 + u64::from(ring)
}

fn write_slice(
    out: &mut dyn Write,
    snapshot: &Snapshot,
    flows: &Flows,
    record: &Record,
) -> io::Result<()> {
    let mut name = String::new();
    // Writing to a string cannot fail.
    let _ = write_what(&mut name, snapshot, record);
    let lasts = record.duration != Some(0) || record.site.is_handler();
    let mut event = Message::default()
        .number(field::EVENT_TYPE, if lasts { BEGIN } else { INSTANT })
        .number(field::EVENT_TRACK, track(record.ring))
        .text(field::EVENT_CATEGORY, class_name(record.class))
        .text(field::EVENT_NAME, &name);
    let numbers = [
        ("record", record.index),
        ("waited_ns", record.delay),
        ("loop", record.loop_id.into()),
        ("argument", record.argument.into()),
    ];
    for (name, value) in numbers {
        let annotation = Message::default()
            .number(field::ANNOTATION_UINT, value)
            .text(field::ANNOTATION_NAME, name);
        event = event.inner(field::EVENT_ANNOTATION, &annotation);
    }
    if let Some(place) = snapshot.place(record) {
        let annotation = Message::default()
            .text(field::ANNOTATION_TEXT, &place)
            .text(field::ANNOTATION_NAME, "asked_at");
        event = event.inner(field::EVENT_ANNOTATION, &annotation);
    }
    let key = (record.ring, record.index);
    for flow in flows.from.get(&key).into_iter().flatten() {
        event = event.fixed(field::EVENT_FLOW, *flow);
    }
    if let Some(flow) = flows.to.get(&key) {
        event = event.fixed(field::EVENT_LAST_FLOW, *flow);
    }
    write_event(out, record.at, &event)?;
    let Some(duration) = record.duration.filter(|_| lasts) else { return Ok(()) };
    let end = Message::default()
        .number(field::EVENT_TYPE, END)
        .number(field::EVENT_TRACK, track(record.ring));
    write_event(out, record.at.saturating_add(duration), &end)
}

fn write_event(out: &mut dyn Write, at: u64, event: &Message) -> io::Result<()> {
    let packet = Message::default().number(field::PACKET_TIMESTAMP, at);
    write_packet(out, packet.inner(field::PACKET_EVENT, event))
}

fn write_track(out: &mut dyn Write, track: &Message) -> io::Result<()> {
    write_packet(out, Message::default().inner(field::PACKET_TRACK, track))
}

fn write_packet(out: &mut dyn Write, packet: Message) -> io::Result<()> {
    let packet = packet.number(field::PACKET_SEQUENCE, 1);
    out.write_all(&Message::default().inner(field::TRACE_PACKET, &packet).0)
}
