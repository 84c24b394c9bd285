//! Records of all rings in the order of time, those that are wanted only, a few at a time.

use std::collections::BTreeSet;

use crate::record::Record;
use crate::snapshot::{Part, Snapshot};

/// Which records are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this loop.
    pub of: Option<LoopChoice>,
    /// Of this priority class; see [`class_name`](crate::class_name).
    pub class: Option<u8>,
    /// Of this worker, by its ring: one less than the [number](crate::worker_number) that is shown.
    pub worker: Option<u16>,
    /// Of those the last so many; `None`: all.
    pub last: Option<usize>,
}

/// A loop, or some of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoopChoice {
    /// By its number.
    Number(u32),
    /// By its name; `*` and `?` stand for any characters and one.
    Name(String),
}

impl LoopChoice {
    /// A number or a name, as people write it.
    pub fn new(text: &str) -> Self {
        text.parse().map_or_else(|_| Self::Name(text.to_owned()), Self::Number)
    }
}

/// Whether a pattern fits a text.
fn fits(pattern: &str, text: &str) -> bool {
    let (mut pattern_at, mut text_at) = (pattern.chars(), text.chars());
    // Where to go on when what follows the last star does not fit: one character further.
    let mut star = None;
    loop {
        let rest = text_at.clone();
        match (pattern_at.next(), text_at.next()) {
            (None, None) => return true,
            (Some('*'), _) => {
                text_at = rest;
                star = Some((pattern_at.clone(), text_at.clone()));
            }
            (Some('?'), Some(_)) => {}
            (Some(wanted), Some(found)) if wanted == found => {}
            _ => {
                let Some((pattern_after, from)) = &mut star else { return false };
                if from.next().is_none() {
                    return false;
                }
                (pattern_at, text_at) = (pattern_after.clone(), from.clone());
            }
        }
    }
}

/// A place in all rings: the position of the next record of each.
#[derive(Debug, Clone)]
struct Cursor(Vec<usize>);

impl Cursor {
    /// The ring whose next record is the oldest of all that are left.
    fn earliest(&self, parts: &[Part]) -> Option<usize> {
        let next = |(at, part): (usize, &Part)| Some((part.ticks(*self.0.get(at)?)?, at));
        parts.iter().enumerate().filter_map(next).min().map(|(_, at)| at)
    }

    /// The ring whose record before this place is the youngest.
    fn latest(&self, parts: &[Part]) -> Option<usize> {
        let before =
            |(at, part): (usize, &Part)| Some((part.ticks(self.0.get(at)?.checked_sub(1)?)?, at));
        parts.iter().enumerate().filter_map(before).max().map(|(_, at)| at)
    }
}

/// A walk over the records of a snapshot that are wanted: in the order of time, though never against the order
/// of a ring. It stops after each few and goes on when called again.
#[derive(Debug)]
pub struct Listing {
    snapshot: Snapshot,
    filter: Filter,
    /// The loops that are wanted; `None`: all.
    chosen: Option<BTreeSet<u32>>,
    /// Where the first record that is wanted is, once that is known.
    start: Cursor,
    /// How many are still to be found on the way back there.
    missing: usize,
    at: Option<Cursor>,
}

/// Whether a walk is at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// There may be more.
    More,
    /// That was all.
    Done,
}

impl Listing {
    /// The records of `snapshot` that `filter` wants.
    pub fn new(snapshot: Snapshot, filter: Filter) -> Self {
        let ends = snapshot.parts().iter().map(Part::len).collect();
        let missing = filter.last.unwrap_or(usize::MAX);
        let chosen = filter.of.as_ref().map(|of| match of {
            LoopChoice::Number(number) => BTreeSet::from([*number]),
            LoopChoice::Name(pattern) => snapshot.loops_where(|name| fits(pattern, name)),
        });
        Self { snapshot, filter, chosen, start: Cursor(ends), missing, at: None }
    }

    /// What is walked over.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Gives `each` the next records, having looked at no more than `most`.
    pub fn step(&mut self, most: usize, mut each: impl FnMut(&Self, &Record)) -> Progress {
        for _ in 0..most {
            match &mut self.at {
                None => self.back(),
                Some(at) => {
                    let Some(ring) = at.earliest(self.snapshot.parts()) else {
                        return Progress::Done;
                    };
                    let position = next(at, ring);
                    if let Some(record) = self.record(ring, position)
                        && self.is_wanted(&record)
                    {
                        each(self, &record);
                    }
                }
            }
        }
        Progress::More
    }

    /// Gives `each` all records.
    pub fn all<E>(
        &mut self,
        mut each: impl FnMut(&Self, &Record) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut result = Ok(());
        while result.is_ok() {
            let progress = self.step(1, |listing, record| result = each(listing, record));
            if progress == Progress::Done {
                break;
            }
        }
        result
    }

    /// Goes back to the first record that is wanted.
    pub fn again(&mut self) {
        if self.at.is_some() {
            self.at = Some(self.start.clone());
        }
    }

    /// Whether a record is one of those that this walk shows.
    pub fn shows(&self, record: &Record) -> bool {
        let mut parts = self.snapshot.parts().iter().enumerate();
        let Some((at, part)) = parts.find(|(_, part)| part.number == record.ring) else {
            return false;
        };
        let start = self.start.0.get(at).map_or(0, |start| part.first + *start as u64);
        record.index >= start && self.is_wanted(record)
    }

    /// One step back towards the first record that is wanted.
    fn back(&mut self) {
        let all = self.filter == Filter::default();
        let latest = self.start.latest(self.snapshot.parts()).filter(|_| self.missing > 0 && !all);
        let Some(ring) = latest else {
            if all {
                self.start.0.fill(0);
            }
            self.at = Some(self.start.clone());
            return;
        };
        let Some(position) = self.start.0.get_mut(ring) else { return };
        *position -= 1;
        let position = *position;
        if self.record(ring, position).is_some_and(|record| self.is_wanted(&record)) {
            self.missing -= 1;
        }
    }

    fn record(&self, ring: usize, position: usize) -> Option<Record> {
        self.snapshot.decode(self.snapshot.parts().get(ring)?, position)
    }

    fn is_wanted(&self, record: &Record) -> bool {
        let Filter { class, worker, .. } = &self.filter;
        class.is_none_or(|class| class == record.class)
            && worker.is_none_or(|worker| worker == record.ring)
            && self.chosen.as_ref().is_none_or(|chosen| chosen.contains(&record.loop_id))
    }
}

/// The position of the next record of a ring; the one behind it comes after that.
fn next(cursor: &mut Cursor, ring: usize) -> usize {
    cursor.0.get_mut(ring).map_or(0, |position| {
        *position += 1;
        *position - 1
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_as_file_names_do() {
        for (pattern, text) in [
            ("", ""),
            ("*", ""),
            ("a*", "abc"),
            ("*c", "abcc"),
            ("a?c*", "abcd"),
            ("*b*d", "abcbd"),
        ] {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("", "a"), ("a", ""), ("?", ""), ("a*b", "abc"), ("*b?", "ab")] {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
    }
}
