//! Records for other tools: JSON, a line for each record; and the JSON that Perfetto and Chrome's tracing page
//! open.

use std::fmt::{Result, Write};

use crate::listing::Listing;
use crate::record::{Record, class_name, worker_number};
use crate::snapshot::{Cause, Snapshot};
use crate::text::{write_time, write_what};

/// An object for the whole, then one for each record that is wanted, a line each.
pub fn write_json(out: &mut dyn Write, listing: &mut Listing) -> Result {
    write_json_heading(out, listing.snapshot())?;
    out.write_char('\n')?;
    listing.all(|listing, record| {
        write_json_record(out, listing.snapshot(), record)?;
        out.write_char('\n')
    })
}

/// Whose records these are, as an object in one line without its end.
pub fn write_json_heading(out: &mut dyn Write, snapshot: &Snapshot) -> Result {
    let made = snapshot.rings().fold(0_u64, |sum, (_, made)| sum.saturating_add(made));
    write!(out, "{{\"process\":{},\"running\":{}", snapshot.process, snapshot.running)?;
    write!(out, ",\"workers\":{},\"records\":{}", snapshot.rings().count(), snapshot.len())?;
    write!(out, ",\"made\":{made},\"program\":")?;
    write_text(out, &snapshot.facts)?;
    if let Some(hash) = snapshot.configuration {
        write!(out, ",\"configuration\":\"{hash:016x}\"")?;
    }
    out.write_char('}')
}

/// One record as an object in one line without its end. Spans are in nanoseconds; `took_ns` is null while it has
/// not ended.
pub fn write_json_record(out: &mut dyn Write, snapshot: &Snapshot, record: &Record) -> Result {
    out.write_str("{\"time\":\"")?;
    write_time(out, snapshot.wall(record))?;
    let Record { ring, index, loop_id, delay, argument, .. } = record;
    let worker = worker_number(*ring);
    write!(out, "\",\"worker\":{worker},\"record\":{index},\"site\":")?;
    let site = snapshot.site_name(record.site);
    write_text(out, &site.unwrap_or_else(|| format!("site {}", record.site.0).into()))?;
    write!(out, ",\"loop\":{loop_id}")?;
    if let Some(name) = snapshot.loop_name(*loop_id) {
        out.write_str(",\"name\":")?;
        write_text(out, &name)?;
    }
    write!(out, ",\"class\":\"{}\",\"waited_ns\":{delay}", class_name(record.class))?;
    match record.duration {
        Some(duration) => write!(out, ",\"took_ns\":{duration}")?,
        None => out.write_str(",\"took_ns\":null")?,
    }
    write!(out, ",\"argument\":{argument}")?;
    if let Some(place) = snapshot.place(record) {
        out.write_str(",\"asked_at\":")?;
        write_text(out, &place)?;
    }
    let (ring, index, kept) = match snapshot.cause(record) {
        Cause::None => return out.write_char('}'),
        Cause::Known(cause) => (cause.ring, cause.index, true),
        Cause::Gone(ring, index) => (ring, index, false),
    };
    let worker = worker_number(ring);
    write!(out, ",\"cause\":{{\"worker\":{worker},\"record\":{index},\"kept\":{kept}}}}}")
}

/// Text as a JSON string.
fn write_text(out: &mut dyn Write, text: &str) -> Result {
    out.write_char('"')?;
    Escaped(out).write_str(text)?;
    out.write_char('"')
}

/// The records that are wanted in Chrome's trace event format: a thread per worker, a slice per record, an arrow
/// from cause to effect.
pub fn write_chrome_json(out: &mut dyn Write, listing: &mut Listing) -> Result {
    out.write_str("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[")?;
    let process = listing.snapshot().process;
    write!(
        out,
        "\n{{\"ph\":\"M\",\"name\":\"process_name\",\"pid\":{process},\"args\":{{\"name\":\"dunlin\"}}}}"
    )?;
    for (ring, _) in listing.snapshot().rings() {
        write!(
            out,
            ",\n{{\"ph\":\"M\",\"name\":\"thread_name\",\"pid\":{process},\"tid\":{},",
            thread(ring)
        )?;
        write!(out, "\"args\":{{\"name\":\"worker {}\"}}}}", worker_number(ring))?;
    }
    let mut number = 0_u64;
    listing.all(|listing, record| {
        let snapshot = listing.snapshot();
        write_slice(out, snapshot, record)?;
        if let Cause::Known(cause) = snapshot.cause(record)
            && listing.shows(&cause)
        {
            number += 1;
            write_arrow(out, process, number, &cause, record)?;
        }
        Ok(())
    })?;
    out.write_str("\n]}\n")
}

/// The thread that stands for a worker: 0 is none to some readers.
fn thread(ring: u16) -> u32 {
    worker_number(ring)
}

fn write_slice(out: &mut dyn Write, snapshot: &Snapshot, record: &Record) -> Result {
    out.write_str(",\n{\"name\":\"")?;
    write_what(&mut Escaped(out), snapshot, record)?;
    let phase = match record.duration {
        None => "B",
        Some(0) if !record.site.is_handler() => "i\",\"s\":\"t",
        Some(_) => "X",
    };
    write!(out, "\",\"cat\":\"{}\",\"ph\":\"{phase}\",", class_name(record.class))?;
    write!(out, "\"pid\":{},\"tid\":{},\"ts\":", snapshot.process, thread(record.ring))?;
    write_microseconds(out, record.at)?;
    if let Some(duration) = record.duration.filter(|_| phase == "X") {
        out.write_str(",\"dur\":")?;
        write_microseconds(out, duration)?;
    }
    write!(out, ",\"args\":{{\"record\":{},\"waited_ns\":{}", record.index, record.delay)?;
    write!(out, ",\"loop\":{},\"argument\":{}", record.loop_id, record.argument)?;
    if let Some(place) = snapshot.place(record) {
        out.write_str(",\"asked_at\":")?;
        write_text(out, &place)?;
    }
    out.write_str("}}")
}

fn write_arrow(
    out: &mut dyn Write,
    process: u32,
    number: u64,
    cause: &Record,
    effect: &Record,
) -> Result {
    for (record, phase) in [(cause, "\"s\""), (effect, "\"f\",\"bp\":\"e\"")] {
        write!(out, ",\n{{\"name\":\"cause\",\"cat\":\"cause\",\"ph\":{phase},\"id\":{number},")?;
        write!(out, "\"pid\":{process},\"tid\":{},\"ts\":", thread(record.ring))?;
        write_microseconds(out, record.at)?;
        out.write_char('}')?;
    }
    Ok(())
}

fn write_microseconds(out: &mut dyn Write, nanoseconds: u64) -> Result {
    write!(out, "{}.{:03}", nanoseconds / 1000, nanoseconds % 1000)
}

/// Text inside a JSON string.
struct Escaped<'a>(&'a mut dyn Write);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> Result {
        text.chars().try_for_each(|character| match character {
            '"' | '\\' => write!(self.0, "\\{character}"),
            '\0'..' ' => write!(self.0, "\\u{:04x}", u32::from(character)),
            _ => self.0.write_char(character),
        })
    }
}
