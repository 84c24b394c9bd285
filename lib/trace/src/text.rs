//! Records as text, for `show trace` and for reading a dead process's file.

use std::fmt::{Result, Write};

use crate::listing::Listing;
use crate::record::{Record, Site, class_name, move_of, worker_number};
use crate::snapshot::{Cause, Snapshot};

/// The heading and the records that are wanted, a line each.
pub fn write_records(out: &mut dyn Write, listing: &mut Listing) -> Result {
    write_heading(out, listing.snapshot())?;
    listing.all(|listing, record| {
        write_record(out, listing.snapshot(), record)?;
        out.write_char('\n')
    })
}

/// Whose records these are, and of what program: two lines, or one if nothing is known of it.
pub fn write_heading(out: &mut dyn Write, snapshot: &Snapshot) -> Result {
    let state = if snapshot.running { "running" } else { "ended" };
    let made = snapshot.rings().fold(0_u64, |sum, (_, made)| sum.saturating_add(made));
    writeln!(
        out,
        "Flight recorder of process {} ({state}): {} of {made} records of {} workers",
        snapshot.process,
        snapshot.len(),
        snapshot.rings().count()
    )?;
    write_program(out, snapshot)
}

fn write_program(out: &mut dyn Write, snapshot: &Snapshot) -> Result {
    out.write_str(&snapshot.facts)?;
    match snapshot.configuration {
        None if snapshot.facts.is_empty() => return Ok(()),
        None => {}
        Some(hash) if snapshot.facts.is_empty() => write!(out, "Configuration {hash:016x}")?,
        Some(hash) => write!(out, ", configuration {hash:016x}")?,
    }
    out.write_char('\n')
}

/// One record in one line without its end.
pub fn write_record(out: &mut dyn Write, snapshot: &Snapshot, record: &Record) -> Result {
    write_time(out, snapshot.wall(record))?;
    write!(out, " w{} #{} ", worker_number(record.ring), record.index)?;
    write_what(out, snapshot, record)?;
    write!(out, " {}", class_name(record.class))?;
    out.write_str(" waited ")?;
    write_span(out, record.delay)?;
    match record.duration {
        None => out.write_str(", not ended")?,
        Some(duration) => {
            out.write_str(", took ")?;
            write_span(out, duration)?;
        }
    }
    write_argument(out, record)?;
    if let Some(place) = snapshot.place(record) {
        write!(out, ", asked at {place}")?;
    }
    match snapshot.cause(record) {
        Cause::None => Ok(()),
        Cause::Gone(ring, index) => write!(out, ", after w{} #{index}", worker_number(ring)),
        Cause::Known(cause) => {
            write!(out, ", after w{} #{} ", worker_number(cause.ring), cause.index)?;
            write_what(out, snapshot, &cause)
        }
    }
}

/// The argument, as far as it says anything.
fn write_argument(out: &mut dyn Write, record: &Record) -> Result {
    let way = match record.site {
        Site::LEAVE => "to",
        Site::ARRIVE => "from",
        // The argument is the worker whose record it is.
        Site::SPAWN => return Ok(()),
        _ if record.argument == 0 => return Ok(()),
        _ => return write!(out, ", argument {}", record.argument),
    };
    let (worker, reason) = move_of(record.argument);
    match worker {
        u16::MAX => write!(out, ", {way} another")?,
        worker => write!(out, ", {way} w{}", worker_number(worker))?,
    }
    reason.map_or(Ok(()), |reason| write!(out, ", {reason}"))
}

/// The site and the loop: "timer bgp1 [17]".
pub(crate) fn write_what(out: &mut dyn Write, snapshot: &Snapshot, record: &Record) -> Result {
    match snapshot.site_name(record.site) {
        Some(name) => out.write_str(&name)?,
        None => write!(out, "site {}", record.site.0)?,
    }
    match (record.loop_id, snapshot.loop_name(record.loop_id)) {
        (0, None) => Ok(()),
        (id, None) => write!(out, " [{id}]"),
        (id, Some(name)) => write!(out, " {name} [{id}]"),
    }
}

/// A span in the unit in which it reads best.
pub(crate) fn write_span(out: &mut dyn Write, nanoseconds: u64) -> Result {
    match nanoseconds {
        0..1_000 => write!(out, "{nanoseconds} ns"),
        1_000..1_000_000 => write_thousandths(out, nanoseconds, "us"),
        1_000_000..1_000_000_000 => write_thousandths(out, nanoseconds / 1_000, "ms"),
        _ => write_thousandths(out, nanoseconds / 1_000_000, "s"),
    }
}

fn write_thousandths(out: &mut dyn Write, thousandths: u64, unit: &str) -> Result {
    write!(out, "{}.{:03} {unit}", thousandths / 1000, thousandths % 1000)
}

/// A wall time, given in nanoseconds since 1970, as UTC: `2026-11-22 15:45:11.000000123`.
pub fn write_time(out: &mut dyn Write, nanoseconds: u64) -> Result {
    let (seconds, fraction) = (nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute) = (second / 3600, second / 60 % 60);
    write!(out, "{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{:02}.{fraction:09}", second % 60)
}

/// The date of a day since 1970-01-01 in the Gregorian calendar, by eras of 400 years that begin in March.
pub(crate) const fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + next, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(seconds: u64) -> String {
        let mut text = String::new();
        write_time(&mut text, seconds * 1_000_000_000 + 7).unwrap();
        text
    }

    #[test]
    fn dates_are_right_around_leap_days() {
        assert_eq!(time(0), "1970-01-01 00:00:00.000000007");
        assert_eq!(time(951_782_400), "2000-02-29 00:00:00.000000007");
        assert_eq!(time(951_868_799), "2000-02-29 23:59:59.000000007");
        assert_eq!(time(1_709_251_200), "2024-03-01 00:00:00.000000007");
        assert_eq!(time(4_107_542_400), "2100-03-01 00:00:00.000000007");
        assert_eq!(time(1_798_761_599), "2026-12-31 23:59:59.000000007");
    }

    #[test]
    fn moves_say_where_and_why() {
        let argument = |site, argument| {
            let record = Record {
                ring: 0,
                index: 0,
                at: 0,
                site,
                class: 1,
                loop_id: 1,
                delay: 0,
                duration: Some(0),
                cause: None,
                argument,
                place: 0,
            };
            let mut text = String::new();
            write_argument(&mut text, &record).unwrap();
            text
        };
        assert_eq!(argument(Site::LEAVE, 3 << 16 | 2), ", to w3, relief");
        assert_eq!(argument(Site::ARRIVE, 1 << 16), ", from w1, gathered");
        assert_eq!(argument(Site::ARRIVE, 15 << 16 | 1), ", from w2");
        assert_eq!(argument(Site::LEAVE, 1 << 16 | 0xffff), ", to another, gathered");
        assert_eq!(argument(Site::SPAWN, 3), "");
        assert_eq!(argument(Site::OVERRUN, 120), ", argument 120");
        assert_eq!(argument(Site::MESSAGE, 0), "");
    }

    #[test]
    fn spans_have_three_decimals() {
        let span = |ns| {
            let mut text = String::new();
            write_span(&mut text, ns).unwrap();
            text
        };
        assert_eq!(span(999), "999 ns");
        assert_eq!(span(1_050), "1.050 us");
        assert_eq!(span(12_345_678), "12.345 ms");
        assert_eq!(span(61_000_000_000), "61.000 s");
    }
}
