//! For each loop: what it did last, who asked for that, and who asked for that.

use std::collections::BTreeMap;
use std::fmt::{Result, Write};

use crate::listing::Listing;
use crate::record::{Record, worker_number};
use crate::snapshot::{Cause, Snapshot};
use crate::text::{write_heading, write_record};

/// So many links of a chain are followed: in a damaged file a chain may have no end.
const LONGEST: usize = 64;

/// Why a chain of causes ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The last of them was asked for by nobody: a socket, a start, or what came from outside the loops.
    Outside,
    /// The record of the next one has been overwritten: this ring and number.
    Gone(u16, u64),
    /// It is longer than is followed.
    Long,
}

impl Snapshot {
    /// Who asked for a record, who asked for that, and so on, across loops and workers; and why there is no more.
    pub fn chain(&self, record: &Record) -> (Vec<Record>, Origin) {
        let mut links = Vec::new();
        let mut at = *record;
        while links.len() < LONGEST {
            match self.cause(&at) {
                Cause::None => return (links, Origin::Outside),
                Cause::Gone(ring, index) => return (links, Origin::Gone(ring, index)),
                Cause::Known(cause) => {
                    links.push(cause);
                    at = cause;
                }
            }
        }
        (links, Origin::Long)
    }
}

/// The heading, then for each loop with a record that is wanted: the last of them and its chain of causes.
pub fn write_chains(out: &mut dyn Write, listing: &mut Listing) -> Result {
    write_heading(out, listing.snapshot())?;
    let mut last: BTreeMap<u32, (Record, u64)> = BTreeMap::new();
    listing.all(|_, record| {
        let count = last.get(&record.loop_id).map_or(0, |(_, count)| *count);
        // What a worker notes of a loop says less than what the loop did itself.
        let kept = last.get(&record.loop_id).map(|(kept, _)| *kept);
        let shown = kept.filter(|kept| kept.site.is_handler() && !record.site.is_handler());
        last.insert(record.loop_id, (shown.unwrap_or(*record), count + 1));
        Ok(())
    })?;
    let snapshot = listing.snapshot();
    for (loop_id, (record, count)) in &last {
        match (loop_id, snapshot.loop_name(*loop_id)) {
            (0, None) => out.write_str("\nThe workers")?,
            (id, None) => write!(out, "\nLoop [{id}]")?,
            (id, Some(name)) => write!(out, "\nLoop {name} [{id}]")?,
        }
        writeln!(out, ", {count} records, the last:")?;
        write_chain(out, snapshot, record)?;
    }
    Ok(())
}

fn write_chain(out: &mut dyn Write, snapshot: &Snapshot, record: &Record) -> Result {
    out.write_str("  ")?;
    write_record(out, snapshot, record)?;
    out.write_char('\n')?;
    let (links, origin) = snapshot.chain(record);
    for link in &links {
        out.write_str("    asked for by ")?;
        write_record(out, snapshot, link)?;
        out.write_char('\n')?;
    }
    match origin {
        Origin::Outside => Ok(()),
        Origin::Gone(ring, index) => {
            let worker = worker_number(ring);
            writeln!(out, "    asked for by w{worker} #{index}, which has been overwritten")
        }
        Origin::Long => out.write_str("    and so on\n"),
    }
}
