//! The flight recorder: what every worker did last, and who asked for it.
//!
//! A [`Recorder`] is a block of memory shared with a file in memory (or private memory where there is none):
//! a ring of 32-byte records per worker and the names of loops and sites. The owner of a [`Ring`] writes its
//! records without waiting for anybody; readers ([`Recorder::snapshot`] while running, [`Snapshot::open`] for
//! the file of a process running or dead, [`install_crash_dump`] in a signal handler) copy and drop what may
//! have been overwritten meanwhile. The file survives panic, abort and `SIGKILL`; only the machine's death
//! takes it along.
//!
//! How a ring is written while others read it, and names are set while others look them up, is in
//! [`dunlin_sync::ring`] and [`dunlin_sync::names`], which the model checker knows. Here is what the words mean.
//! Recording allocates nothing, calls nothing and never fails.
//!
//! Deliberately absent: levels and filters. What is worth a record is always recorded. The feature `off` is for
//! measuring what that costs: rings then keep nothing.

mod chains;
mod crash;
mod dump;
mod export;
mod file;
mod layout;
mod lines;
mod listing;
mod perfetto;
mod record;
mod recorder;
mod ring;
mod short;
mod snapshot;
mod taking;
mod text;

#[cfg(test)]
mod tests;

pub use chains::{Origin, write_chains};
pub use crash::{CrashReport, install_crash_report, set_crash_reason};
pub use export::{write_chrome_json, write_json, write_json_heading, write_json_record};
pub use lines::Lines;
pub use listing::{Filter, Listing, LoopChoice, Progress};
pub use perfetto::write_perfetto;
pub use record::{
    CLASSES, Entry, PLACES, Record, RecordId, Site, class_name, move_of, worker_number,
};
pub use recorder::{Options, Recorder};
pub use ring::Ring;
pub use snapshot::{Cause, Snapshot, TraceError};
pub use taking::Taking;
pub use text::{write_heading, write_record, write_records, write_time};
