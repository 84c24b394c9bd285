//! The recorder of a process: its memory, rings and names.

use std::fmt::{self, Write as _};
use std::io;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dunlin_os::clock::{self, Scale};
use dunlin_os::map::{self, MappedRegion};
use dunlin_os::process;
use dunlin_sync::words;

use crate::layout::{self, Geometry, Header};
use crate::record::{PLACES, Site};
use crate::ring::Ring;
use crate::short::Short;
use crate::snapshot::Snapshot;
use crate::taking::Taking;

/// How a recorder is made.
#[derive(Debug, Clone)]
pub struct Options {
    /// The file, best on a file system in memory; see [`Options::path_for`]. `None`: memory that dies with the
    /// process.
    pub path: Option<PathBuf>,
    /// How many rings there can be: the greatest number of workers. Rings that nobody owned take no memory.
    pub rings: u16,
    /// Records in a ring, 32 bytes each; rounded up to a power of two.
    pub records: u32,
    /// How many loops can have a name, 64 bytes each.
    pub loops: u32,
    /// What a reader shall know of the program: versions; the first 1536 bytes are kept.
    pub facts: String,
    /// How many files of dead processes are kept: `PATH.1`, the youngest, to `PATH.keep`.
    pub keep: u32,
    /// The clock of a simulation; `None`: the processor's.
    pub scale: Option<Scale>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            path: None,
            rings: 64,
            records: 1 << 15,
            loops: 8192,
            facts: String::new(),
            keep: 3,
            scale: None,
        }
    }
}

impl Options {
    /// The usual place for the recorder of a daemon of this name.
    pub fn path_for(name: &str) -> PathBuf {
        map::directory().join(format!("{name}.trace"))
    }
}

/// The flight recorder of a process. Cloning gives another handle to the same.
#[derive(Debug, Clone)]
pub struct Recorder {
    shared: Arc<Shared>,
}

/// What handles and rings share.
pub(crate) struct Shared {
    pub(crate) region: MappedRegion,
    pub(crate) header: Header,
    /// Whether ticks are those of the processor.
    pub(crate) real: bool,
    path: Option<PathBuf>,
    problem: Option<io::Error>,
}

impl Recorder {
    /// Makes a recorder. If its file cannot be, it uses memory that dies with the process, and
    /// [`Recorder::problem`] tells why.
    pub fn new(options: &Options) -> io::Result<Self> {
        let (rings, records, loops) = (options.rings, options.records, options.loops);
        let geometry = Geometry::new(rings.into(), records as usize, loops as usize);
        let bytes = geometry.words() * 8;
        let mut problem = None;
        let file = options.path.as_deref().and_then(|path| {
            let retire = |path: &Path| map::rotate(path, options.keep);
            MappedRegion::create(path, bytes, geometry.before_rings() * 8, retire)
                .map_err(|error| problem = Some(error))
                .ok()
        });
        let path = file.is_some().then(|| options.path.clone()).flatten();
        let region = match file {
            Some(region) => region,
            None => MappedRegion::anonymous(bytes)?,
        };
        let real = options.scale.is_none();
        let scale = options.scale.unwrap_or_else(|| *clock::scale());
        let header = Header {
            geometry,
            process: process::id(),
            start_wall: if real { start_wall(&scale) } else { 0 },
            scale,
        };
        write_facts(&region, &options.facts);
        write_header(&region, &header);
        Ok(Self { shared: Arc::new(Shared { region, header, real, path, problem }) })
    }

    /// The ring of this number, for the calling thread to own or give to its owner. An error if it has an owner
    /// already, if there is no such ring, or if there is no memory for it; [`Ring::disabled`] then serves.
    pub fn ring(&self, number: u16) -> io::Result<Ring> {
        let geometry = self.shared.header.geometry;
        let invalid = |text| io::Error::new(io::ErrorKind::InvalidInput, text);
        if usize::from(number) >= geometry.rings {
            return Err(invalid("no such trace ring"));
        }
        let (first, bytes) = (geometry.ring(number.into()).start(), geometry.stride() * 8);
        self.shared.region.reserve(first, bytes)?;
        Ring::claim(Arc::clone(&self.shared), number)
            .ok_or_else(|| invalid("trace ring has an owner"))
    }

    /// Sets the name of a loop; the first 56 bytes are kept.
    pub fn name_loop(&self, loop_id: u32, name: &str) {
        self.header().geometry.loop_names().set(self.shared.region.words(), loop_id, name);
    }

    /// A loop is gone: its name stays until the place is needed.
    pub fn end_loop(&self, loop_id: u32) {
        self.header().geometry.loop_names().end_of(self.shared.region.words(), loop_id);
    }

    /// Sets the name of a site from [`Site::FIRST_FREE`] on.
    pub fn name_site(&self, site: Site, name: &str) {
        self.header().geometry.sites().set(self.shared.region.words(), site.0.into(), name);
    }

    /// Says where in the program the place of this number is: `nest/core/src/x.rs:12`, of which the last 56 bytes
    /// are kept. Allocates nothing.
    pub fn name_place(&self, number: u16, location: &Location<'_>) {
        if usize::from(number) < PLACES {
            let table = self.header().geometry.places();
            let mut name = Short::new();
            // It takes what fits, and does not fail.
            let _ = write!(name, ":{}", location.line());
            name.put_before(location.file());
            table.set(self.shared.region.words(), number.into(), name.text());
        }
    }

    /// The configuration that is in force from now on, by its hash.
    pub fn set_configuration(&self, hash: u64) {
        if let Some(word) = self.words().get(layout::CONFIGURATION) {
            // Read by whoever shows it; publishes nothing else.
            word.store(hash, Ordering::Relaxed);
        }
    }

    /// What the rings hold now. The workers go on meanwhile. Takes milliseconds where much is recorded; who may not
    /// take so long uses [`Recorder::take`].
    pub fn snapshot(&self) -> Snapshot {
        let mut taking = self.take(usize::MAX);
        loop {
            if let Some(snapshot) = taking.step() {
                return snapshot;
            }
        }
    }

    /// Begins to copy what the rings hold, at most so many records of each and some more for causes.
    pub fn take(&self, records: usize) -> Taking {
        Taking::new(self.clone(), records)
    }

    /// The file, if there is one.
    pub fn path(&self) -> Option<&Path> {
        self.shared.path.as_deref()
    }

    /// Why there is no file though one was asked for.
    pub fn problem(&self) -> Option<&io::Error> {
        self.shared.problem.as_ref()
    }

    /// Removes the file, at the regular end of the process.
    pub fn remove_file(&self) -> io::Result<()> {
        self.path().map_or(Ok(()), std::fs::remove_file)
    }

    /// Nanoseconds since it was made. Async-signal-safe.
    pub(crate) fn age(&self) -> u64 {
        clock::monotonic().saturating_sub(self.header().scale.origin())
    }

    pub(crate) fn header(&self) -> &Header {
        &self.shared.header
    }

    pub(crate) fn is_real(&self) -> bool {
        self.shared.real
    }

    pub(crate) fn words(&self) -> &[AtomicU64] {
        self.shared.region.words()
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { header, path, problem, .. } = self;
        f.debug_struct("Shared")
            .field("header", header)
            .field("path", path)
            .field("problem", problem)
            .finish_non_exhaustive()
    }
}

/// The wall clock at the scale's origin.
fn start_wall(scale: &Scale) -> u64 {
    let (wall, now) = (clock::wall().as_nanos() as u64, clock::monotonic());
    wall.saturating_sub(now.saturating_sub(scale.origin()))
}

/// What is said of the program; whole characters only.
fn write_facts(region: &MappedRegion, facts: &str) {
    let room = layout::FACTS_WORDS * 8;
    let end = (0..=room.min(facts.len())).rev().find(|end| facts.is_char_boundary(*end));
    let bytes = facts.as_bytes().get(..end.unwrap_or(0)).unwrap_or_default();
    for (word, chunk) in region.words().iter().skip(layout::FACTS).zip(bytes.chunks(8)) {
        let mut padded = [0; 8];
        padded[..chunk.len()].copy_from_slice(chunk);
        word.store(u64::from_ne_bytes(padded), Ordering::Relaxed);
    }
    if let Some(length) = region.words().get(layout::FACTS_LENGTH) {
        length.store(bytes.len() as u64, Ordering::Relaxed);
    }
}

/// The magic comes last: a file without it is not one yet.
fn write_header(region: &MappedRegion, header: &Header) {
    words::publish(region.words(), &header.words());
}
