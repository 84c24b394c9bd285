//! What the rings held at one moment, of this process while it runs or in a file.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::io;
use std::path::Path;

use dunlin_os::clock::Scale;
use dunlin_os::map;
use dunlin_sync::names::{Name, NameTable};
use dunlin_sync::ring::RECORD;
use dunlin_sync::words::Words;

use crate::file::FileWords;
use crate::layout::{self, Header};
use crate::listing::{Filter, Listing, Progress};
use crate::record::{Record, RecordId, Site, unpack};
use crate::taking::Copying;

/// What the rings held at one moment. Records are decoded when they are asked for.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The process.
    pub process: u32,
    /// Whether the process runs; of a file, as its lock says.
    pub running: bool,
    /// What is known of the program: its versions.
    pub facts: String,
    /// The hash of the configuration in force, if one was.
    pub configuration: Option<u64>,
    /// The rings that were ever used, in the order of their numbers.
    parts: Vec<Part>,
    /// What all rings had recorded.
    heads: Vec<u64>,
    /// The words before the rings, in which names are looked up.
    words: Vec<u64>,
    loops: NameTable,
    sites: NameTable,
    places: NameTable,
    clock: Clock,
}

/// What was left of a ring.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) number: u16,
    /// How many records were made, most of them gone.
    pub(crate) made: u64,
    /// The number of the first record that is here.
    pub(crate) first: u64,
    /// The records, oldest first.
    pub(crate) words: Vec<u64>,
}

impl Part {
    pub(crate) fn len(&self) -> usize {
        self.words.len() / RECORD
    }

    /// The record at a position.
    pub(crate) fn at(&self, position: usize) -> Option<&[u64; RECORD]> {
        self.words.as_chunks().0.get(position)
    }

    /// When the record at a position began, in ticks.
    pub(crate) fn ticks(&self, position: usize) -> Option<u64> {
        self.at(position).map(|[at, ..]| *at)
    }
}

/// How record times become wall times.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    scale: Scale,
    monotonic: u64,
    wall: u64,
}

/// What is known of who asked for a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Nobody, or somebody who has no records.
    None,
    /// The handler of this record.
    Known(Record),
    /// A handler whose record is gone: this ring and number.
    Gone(u16, u64),
}

impl Snapshot {
    /// Reads the file of a process, dead or running.
    pub fn open(path: &Path) -> Result<Self, TraceError> {
        let file = File::open(path)?;
        let words = file.metadata()?.len() / 8;
        let file = FileWords(file);
        let header = check(&file, words)?;
        let running = map::is_mapped(path)?;
        Ok(Copying::new(header, usize::MAX).whole(&file, running))
    }

    /// Reads what was in such a file; of a process that is not asked whether it runs.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TraceError> {
        let header = check(bytes, bytes.len() as u64 / 8)?;
        Ok(Copying::new(header, usize::MAX).whole(bytes, false))
    }

    pub(crate) fn new(
        header: &Header,
        running: bool,
        clock: Clock,
        heads: Vec<u64>,
        parts: Vec<Part>,
        words: Vec<u64>,
    ) -> Self {
        let source = words.as_slice();
        let configuration = source.word(layout::CONFIGURATION);
        Self {
            process: header.process,
            running,
            facts: facts(source),
            configuration: (configuration != 0).then_some(configuration),
            parts,
            heads,
            words,
            loops: header.geometry.loop_names(),
            sites: header.geometry.sites(),
            places: header.geometry.places(),
            clock,
        }
    }

    /// The rings that were ever used: number and how many records were made, most of them gone.
    pub fn rings(&self) -> impl Iterator<Item = (u16, u64)> {
        self.parts.iter().map(|part| (part.number, part.made))
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.parts.iter().map(Part::len).sum()
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All records in the order of time. Where there may be many, a [`Listing`] takes less memory.
    pub fn records(&self) -> Vec<Record> {
        let mut records = Vec::with_capacity(self.len());
        let mut listing = Listing::new(self.clone(), Filter::default());
        while listing.step(usize::MAX, |_, record| records.push(*record)) == Progress::More {}
        records
    }

    /// Nanoseconds since 1970 at which a record began; 0-based in a simulation.
    pub fn wall(&self, record: &Record) -> u64 {
        let Clock { monotonic, wall, .. } = self.clock;
        wall.saturating_add(record.at).saturating_sub(monotonic)
    }

    /// The name of a loop.
    pub fn loop_name(&self, loop_id: u32) -> Option<String> {
        self.loops.find(self.words.as_slice(), loop_id).map(text).filter(|name| !name.is_empty())
    }

    /// The loops whose names `fits` says yes to; some of them may have no records any more.
    pub(crate) fn loops_where(&self, fits: impl Fn(&str) -> bool) -> BTreeSet<u32> {
        let mut found = BTreeSet::new();
        self.loops.each(self.words.as_slice(), |number, name| {
            if fits(&String::from_utf8_lossy(name.bytes())) {
                found.insert(number);
            }
        });
        found
    }

    /// The name of a site.
    pub fn site_name(&self, site: Site) -> Option<Cow<'static, str>> {
        let own = || self.sites.find(self.words.as_slice(), site.0.into()).map(text);
        let known = site.name().map(Cow::Borrowed);
        known.or_else(|| own().map(Cow::Owned)).filter(|name| !name.is_empty())
    }

    /// Where in the program a record was asked for, as `nest/core/src/x.rs:12`.
    pub fn place(&self, record: &Record) -> Option<String> {
        let name = || self.places.find(self.words.as_slice(), record.place.into()).map(text);
        (record.place != 0).then(name).flatten().filter(|name| !name.is_empty())
    }

    /// A record by ring and number, if it is still there.
    pub fn find(&self, ring: u16, index: u64) -> Option<Record> {
        let part = self.parts.iter().find(|part| part.number == ring)?;
        let position = usize::try_from(index.checked_sub(part.first)?).ok()?;
        self.decode(part, position)
    }

    /// The record that this names, if it is still there.
    pub fn named(&self, id: RecordId) -> Option<Record> {
        let (ring, index) = whole_index(id, &self.heads)?;
        self.find(ring, index)
    }

    /// Who asked for a record. A number whose low half was used again meanwhile is not taken for the old
    /// one: causes come before what they cause.
    pub fn cause(&self, record: &Record) -> Cause {
        let Some((ring, index)) = record.cause else { return Cause::None };
        match self.find(ring, index) {
            Some(cause) if cause.at <= record.at.saturating_add(SKEW) => Cause::Known(cause),
            _ => Cause::Gone(ring, index),
        }
    }

    pub(crate) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The record of a part at a position.
    pub(crate) fn decode(&self, part: &Part, position: usize) -> Option<Record> {
        let raw = unpack(*part.at(position)?);
        let scale = &self.clock.scale;
        Some(Record {
            ring: part.number,
            index: part.first + position as u64,
            at: scale.monotonic(raw.at),
            site: raw.site,
            class: raw.class,
            loop_id: raw.loop_id,
            delay: scale.nanoseconds(raw.delay),
            duration: raw.duration.map(|ticks| scale.nanoseconds(ticks)),
            cause: whole_index(raw.cause, &self.heads),
            argument: raw.argument,
            place: raw.place,
        })
    }
}

/// A cause may seem to have begun so much later, in nanoseconds: counters of two processors differ by a
/// little, and a worker that the system stopped after it had read the clock finds in its inbox what was sent
/// since. To use a number's low half again takes a ring far longer: 2^32 records.
const SKEW: u64 = 10_000_000_000;

/// Reads and checks the header of a file of so many words.
fn check(source: &(impl Words + ?Sized), words: u64) -> Result<Header, TraceError> {
    let header = Header::read(source).map_err(|version| match version {
        None => TraceError::NotATrace,
        Some(version) => TraceError::Version(version),
    })?;
    let whole = words >= header.geometry.words() as u64;
    whole.then_some(header).ok_or(TraceError::NotATrace)
}

fn text(name: Name) -> String {
    String::from_utf8_lossy(name.bytes()).into_owned()
}

fn facts(source: &(impl Words + ?Sized)) -> String {
    let mut words = [0; layout::FACTS_WORDS];
    source.read(layout::FACTS, &mut words);
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
    let length = usize::try_from(source.word(layout::FACTS_LENGTH)).unwrap_or(usize::MAX);
    let said = bytes.get(..length.min(bytes.len())).unwrap_or_default();
    String::from_utf8_lossy(said).into_owned()
}

impl Clock {
    /// From the latest pair any ring noted, else from the start.
    pub(crate) fn read(source: &(impl Words + ?Sized), header: &Header) -> Self {
        let (scale, geometry) = (header.scale, header.geometry);
        let mut clock = Self { scale, monotonic: scale.origin(), wall: header.start_wall };
        for number in 0..geometry.rings {
            let Some([ticks, monotonic, wall]) = geometry.ring(number).stamp(source) else {
                continue;
            };
            if monotonic < clock.monotonic {
                continue;
            }
            (clock.monotonic, clock.wall) = (monotonic, wall);
            let (span, time) =
                (ticks.saturating_sub(scale.origin_ticks()), monotonic - scale.origin());
            // Over less than this the rate measured at the start is as good.
            if time > 100_000_000 && span > 0 {
                let rate = (u128::from(time) << 32) / u128::from(span);
                let rate = u64::try_from(rate).unwrap_or(scale.rate());
                clock.scale = Scale::new(scale.origin_ticks(), scale.origin(), rate);
            }
        }
        clock
    }
}

/// Why a file is not read.
#[derive(Debug)]
#[non_exhaustive]
pub enum TraceError {
    /// The system did not let us.
    Io(io::Error),
    /// It is no flight recorder's file, or a damaged one.
    NotATrace,
    /// It was written by a version with another layout.
    Version(u32),
}

impl fmt::Display for TraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "{error}"),
            Self::NotATrace => f.write_str("not a flight recorder file"),
            Self::Version(version) => {
                let own = layout::VERSION;
                write!(f, "flight recorder file of version {version}, this is {own}")
            }
        }
    }
}

impl std::error::Error for TraceError {}

impl From<io::Error> for TraceError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// The full number of a record of which the low half is known: the last one before the ring's head.
fn whole_index(id: RecordId, heads: &[u64]) -> Option<(u16, u64)> {
    if id.is_none() {
        return None;
    }
    let head = *heads.get(usize::from(id.ring()))?;
    let back = (head as u32).wrapping_sub(id.index());
    // A cause younger than the heads that were read has no number below them.
    let index = if back > u32::MAX / 2 {
        head.checked_add(u64::from(back.wrapping_neg()))
    } else {
        head.checked_sub(u64::from(back))
    };
    Some((id.ring(), index?))
}
