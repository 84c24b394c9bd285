//! Records for other tools: the JSON that Perfetto and Chrome's tracing page open.

use std::fmt::{Result, Write};

use crate::record::{Record, class_name};
use crate::snapshot::Snapshot;
use crate::text::write_what;

/// The whole snapshot in Chrome's trace event format: a thread per worker, a slice per record, an arrow from
/// cause to effect.
pub fn write_chrome_json(out: &mut dyn Write, snapshot: &Snapshot) -> Result {
    out.write_str("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[")?;
    let process = snapshot.process;
    write!(
        out,
        "\n{{\"ph\":\"M\",\"name\":\"process_name\",\"pid\":{process},\"args\":{{\"name\":\"dunlin\"}}}}"
    )?;
    for (ring, _) in &snapshot.rings {
        write!(
            out,
            ",\n{{\"ph\":\"M\",\"name\":\"thread_name\",\"pid\":{process},\"tid\":{ring},"
        )?;
        write!(out, "\"args\":{{\"name\":\"worker {ring}\"}}}}")?;
    }
    for (number, record) in snapshot.records.iter().enumerate() {
        write_slice(out, snapshot, record)?;
        let cause = record.cause.and_then(|(ring, index)| snapshot.find(ring, index));
        if let Some(cause) = cause {
            write_arrow(out, process, number, cause, record)?;
        }
    }
    out.write_str("\n]}\n")
}

fn write_slice(out: &mut dyn Write, snapshot: &Snapshot, record: &Record) -> Result {
    out.write_str(",\n{\"name\":\"")?;
    write_what(&mut Escaped(out), snapshot, record)?;
    let phase = if record.duration.is_some() { "X" } else { "B" };
    write!(out, "\",\"cat\":\"{}\",\"ph\":\"{phase}\",", class_name(record.class))?;
    write!(out, "\"pid\":{},\"tid\":{},\"ts\":", snapshot.process, record.ring)?;
    write_microseconds(out, record.at)?;
    if let Some(duration) = record.duration {
        out.write_str(",\"dur\":")?;
        write_microseconds(out, duration)?;
    }
    write!(out, ",\"args\":{{\"record\":{},\"waited_ns\":{}", record.index, record.delay)?;
    write!(out, ",\"argument\":{}}}}}", record.argument)
}

fn write_arrow(
    out: &mut dyn Write,
    process: u32,
    number: usize,
    cause: &Record,
    effect: &Record,
) -> Result {
    for (record, phase) in [(cause, "\"s\""), (effect, "\"f\",\"bp\":\"e\"")] {
        write!(out, ",\n{{\"name\":\"cause\",\"cat\":\"cause\",\"ph\":{phase},\"id\":{number},")?;
        write!(out, "\"pid\":{process},\"tid\":{},\"ts\":", record.ring)?;
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
