//! `show trace`: records of the running process as lines, a few at a time.

use std::fmt::{Result, Write};

use crate::export::{write_json_heading, write_json_record};
use crate::listing::{Filter, Listing, Progress};
use crate::record::Record;
use crate::recorder::Recorder;
use crate::snapshot::Snapshot;
use crate::taking::Taking;
use crate::text::{write_heading, write_record};

/// Records that one step shows at most.
pub(crate) const SHOWN: usize = 128;

/// Records that one step looks at, at most, when not all are wanted.
pub(crate) const SEEN: usize = 4096;

/// Lines of text or JSON of what a recorder holds, for a client that takes them when it can. Each step is short: it
/// copies some, looks at some or shows some.
#[derive(Debug)]
pub struct Lines {
    json: bool,
    filter: Filter,
    state: State,
}

#[derive(Debug)]
enum State {
    Taking(Box<Taking>),
    Listing(Box<Listing>),
}

impl Lines {
    /// The records that `filter` wants, as text or as JSON.
    pub fn new(recorder: &Recorder, filter: Filter, json: bool) -> Self {
        // Of those that a filter leaves out it is not known how many there are.
        let all = Filter { last: None, ..filter.clone() } != Filter::default();
        let most = if all { usize::MAX } else { filter.last.unwrap_or(usize::MAX) };
        Self { json, filter, state: State::Taking(Box::new(recorder.take(most))) }
    }

    /// Does a little; gives `each` what lines come of it.
    pub fn step(&mut self, mut each: impl FnMut(&str)) -> Progress {
        let json = self.json;
        match &mut self.state {
            State::Taking(taking) => {
                if let Some(snapshot) = taking.step() {
                    heading(&snapshot, json).lines().for_each(&mut each);
                    let listing = Listing::new(snapshot, self.filter.clone());
                    self.state = State::Listing(Box::new(listing));
                }
                Progress::More
            }
            State::Listing(listing) => {
                let (mut shown, mut seen) = (0, 0);
                while shown < SHOWN && seen < SEEN {
                    let some = SHOWN - shown;
                    let progress = listing.step(some, |listing, record| {
                        shown += 1;
                        each(&line(listing.snapshot(), record, json));
                    });
                    if progress == Progress::Done {
                        return Progress::Done;
                    }
                    seen += some;
                }
                Progress::More
            }
        }
    }
}

fn heading(snapshot: &Snapshot, json: bool) -> String {
    text(|out| if json { write_json_heading(out, snapshot) } else { write_heading(out, snapshot) })
}

fn line(snapshot: &Snapshot, record: &Record, json: bool) -> String {
    let write = if json { write_json_record } else { write_record };
    text(|out| write(out, snapshot, record))
}

fn text(write: impl FnOnce(&mut dyn Write) -> Result) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut text);
    text
}
