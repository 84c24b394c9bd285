//! Reading the rings: of this process while it runs, or a file.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io;
use std::path::Path;

use dunlin_os::clock::Scale;
use dunlin_os::map;

use crate::layout::{Header, RECORD, RING_HEADER, ring};
use crate::record::{Record, RecordId, Site, unpack};
use crate::source::Source;

/// What the rings held at one moment, merged in the order of time.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The process.
    pub process: u32,
    /// Whether the process runs; of a file, as its lock says.
    pub running: bool,
    /// The records of all rings, oldest first.
    pub records: Vec<Record>,
    /// The rings that were ever used: number and how many records were made, most of them gone.
    pub rings: Vec<(u16, u64)>,
    /// Positions in `records` in the order of ring and number.
    by_number: Vec<u32>,
    loops: BTreeMap<u32, String>,
    sites: BTreeMap<u16, String>,
    clock: Clock,
}

/// How record times become wall times.
#[derive(Debug, Clone, Copy)]
struct Clock {
    scale: Scale,
    monotonic: u64,
    wall: u64,
}

impl Snapshot {
    /// Reads the file of a process, dead or running.
    pub fn open(path: &Path) -> Result<Self, TraceError> {
        let file = File::open(path)?;
        let header = Header::read(&file).map_err(|version| match version {
            None => TraceError::NotATrace,
            Some(version) => TraceError::Version(version),
        })?;
        let words = file.metadata()?.len() / 8;
        if words < header.geometry.words() as u64 {
            return Err(TraceError::NotATrace);
        }
        let running = map::is_mapped(path)?;
        Ok(Self { running, ..Self::take(&file, &header) })
    }

    /// Nanoseconds since 1970 at which a record began; 0-based in a simulation.
    pub fn wall(&self, record: &Record) -> u64 {
        let Clock { monotonic, wall, .. } = self.clock;
        wall.saturating_add(record.at).saturating_sub(monotonic)
    }

    /// The name of a loop.
    pub fn loop_name(&self, loop_id: u32) -> Option<&str> {
        self.loops.get(&loop_id).map(String::as_str)
    }

    /// The name of a site.
    pub fn site_name(&self, site: Site) -> Option<&str> {
        site.name().or_else(|| self.sites.get(&site.0).map(String::as_str))
    }

    /// A record by ring and number, if it is still there.
    pub fn find(&self, ring: u16, index: u64) -> Option<&Record> {
        let record = |position: &u32| self.records.get(*position as usize);
        let number = |position: &u32| record(position).map(|record| (record.ring, record.index));
        let found = self.by_number.binary_search_by_key(&Some((ring, index)), number).ok()?;
        self.by_number.get(found).and_then(record)
    }

    /// The last `count` records.
    pub fn last(&self, count: usize) -> &[Record] {
        self.records.get(self.records.len().saturating_sub(count)..).unwrap_or_default()
    }

    pub(crate) fn take(source: &(impl Source + ?Sized), header: &Header) -> Self {
        let geometry = header.geometry;
        let clock = Clock::read(source, header);
        let heads: Vec<u64> =
            (0..geometry.rings).map(|n| source.word(geometry.ring(n) + ring::HEAD)).collect();
        let mut records = Vec::new();
        let mut rings = Vec::new();
        for (number, head) in heads.iter().enumerate().filter(|(_, head)| **head > 0) {
            rings.push((number as u16, *head));
            let start = geometry.ring(number);
            read_ring(source, start, geometry.records, *head, |index, words| {
                records.push(decode(number as u16, index, words, &clock.scale, &heads));
            });
        }
        records.sort_by_key(|record: &Record| (record.at, record.ring, record.index));
        let mut by_number: Vec<u32> = (0..records.len() as u32).collect();
        by_number.sort_by_key(|position| {
            records.get(*position as usize).map(|record| (record.ring, record.index))
        });
        let mut snapshot = Self {
            by_number,
            process: header.process,
            running: true,
            records,
            rings,
            loops: BTreeMap::new(),
            sites: BTreeMap::new(),
            clock,
        };
        snapshot.read_names(source, header);
        snapshot
    }

    fn read_names(&mut self, source: &(impl Source + ?Sized), header: &Header) {
        let (loops, sites) = (header.geometry.loop_names(), header.geometry.sites());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        for record in &self.records {
            self.loops.entry(record.loop_id).or_insert_with(|| {
                loops.find(source, record.loop_id).map_or_else(String::new, |n| text(n.bytes()))
            });
            if record.site.name().is_none() {
                self.sites.entry(record.site.0).or_insert_with(|| {
                    let name = sites.find(source, record.site.0.into());
                    name.map_or_else(String::new, |n| text(n.bytes()))
                });
            }
        }
        self.loops.retain(|_, name| !name.is_empty());
        self.sites.retain(|_, name| !name.is_empty());
    }
}

impl Clock {
    /// From the latest pair any ring noted, else from the start.
    fn read(source: &(impl Source + ?Sized), header: &Header) -> Self {
        let (scale, geometry) = (header.scale, header.geometry);
        let mut clock = Self { scale, monotonic: scale.origin(), wall: header.start_wall };
        for number in 0..geometry.rings {
            let Some([ticks, monotonic, wall]) = read_sync(source, geometry.ring(number)) else {
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
                write!(
                    f,
                    "flight recorder file of version {version}, this is {}",
                    crate::layout::VERSION
                )
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

/// Gives `each` the records of a ring that were whole while they were copied, oldest first.
fn read_ring(
    source: &(impl Source + ?Sized),
    start: usize,
    capacity: usize,
    head: u64,
    mut each: impl FnMut(u64, [u64; RECORD]),
) {
    let mut words = vec![0; capacity * RECORD];
    if !source.read(start + RING_HEADER, &mut words) {
        return;
    }
    // Read after the words: what may have been overwritten by now, even in part, is dropped.
    let now = source.word(start + ring::HEAD);
    let (slots, _) = words.as_chunks::<RECORD>();
    for index in first_whole(now.max(head), capacity)..head {
        if let Some(words) = slots.get(index as usize & (capacity - 1)) {
            each(index, *words);
        }
    }
}

/// The oldest record that the writer, which may be busy with record `head`, has not touched again.
pub(crate) const fn first_whole(head: u64, capacity: usize) -> u64 {
    (head + 1).saturating_sub(capacity as u64)
}

fn read_sync(source: &(impl Source + ?Sized), start: usize) -> Option<[u64; 3]> {
    let mut sync = [0; ring::SYNC_END - ring::SYNC];
    for _ in 0..4 {
        source.read(start + ring::SYNC, &mut sync).then_some(())?;
        let [number, ticks, monotonic, wall] = sync;
        if number == 0 {
            return None;
        }
        if number & 1 == 0 && source.word(start + ring::SYNC) == number {
            return Some([ticks, monotonic, wall]);
        }
    }
    None
}

fn decode(ring: u16, index: u64, words: [u64; RECORD], scale: &Scale, heads: &[u64]) -> Record {
    let raw = unpack(words);
    Record {
        ring,
        index,
        at: scale.monotonic(raw.at),
        site: raw.site,
        class: raw.class,
        loop_id: raw.loop_id,
        delay: scale.nanoseconds(raw.delay),
        duration: raw.duration.map(|ticks| scale.nanoseconds(ticks)),
        cause: whole_index(raw.cause, heads),
        argument: raw.argument,
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
