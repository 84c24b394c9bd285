//! Where things are in the file: a page of header with what is known of the program, the table of site names, that of places in the program,
//! that of loop names, then the rings. All in 64-bit words of the machine's own order.

use dunlin_os::clock::Scale;
use dunlin_sync::names::NameTable;
use dunlin_sync::ring::RingPlace;
use dunlin_sync::words::Words;

use crate::record::PLACES;

/// "DUNLINTR" as the machine stores it, so a file of another byte order is not taken for one of ours.
pub(crate) const MAGIC: u64 = u64::from_ne_bytes(*b"DUNLINTR");
/// Changed whenever a reader of the old layout would misread the new one.
pub(crate) const VERSION: u32 = 3;

const HEADER: usize = 512;
const SITES: usize = 256;
const PAGE: usize = 512;

/// Word offsets in the header.
mod at {
    pub(super) const MAGIC: usize = 0;
    pub(super) const VERSION_AND_PROCESS: usize = 1;
    pub(super) const RINGS: usize = 2;
    pub(super) const RECORDS: usize = 3;
    pub(super) const LOOPS: usize = 4;
    pub(super) const START_WALL: usize = 5;
    pub(super) const TICKS: usize = 6;
    pub(super) const MONOTONIC: usize = 7;
    pub(super) const RATE: usize = 8;
    pub(super) const END: usize = 9;
}

/// The hash of the configuration in force, 0 if it has none. Stored by whoever puts it into force.
pub(crate) const CONFIGURATION: usize = 16;
/// The length in bytes of what is said of the program, and where it is.
pub(crate) const FACTS_LENGTH: usize = 63;
pub(crate) const FACTS: usize = 64;
/// Words for it.
pub(crate) const FACTS_WORDS: usize = 192;

/// The sizes everything else follows from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Geometry {
    /// How many rings there are.
    pub(crate) rings: usize,
    /// Records in a ring; a power of two.
    pub(crate) records: usize,
    /// Entries in the table of loop names.
    pub(crate) loops: usize,
}

impl Geometry {
    /// Sizes within what a file may have; anything else is cut to it.
    pub(crate) fn new(rings: usize, records: usize, loops: usize) -> Self {
        Self {
            rings: rings.clamp(1, 4095),
            records: records.clamp(16, 1 << 24).next_power_of_two(),
            loops: loops.clamp(16, 1 << 20),
        }
    }

    pub(crate) const fn sites(&self) -> NameTable {
        NameTable::new(HEADER, SITES)
    }

    /// As many entries as numbers, a power of two: no two numbers want the same.
    pub(crate) const fn places(&self) -> NameTable {
        NameTable::new(self.sites().end(), PLACES)
    }

    pub(crate) const fn loop_names(&self) -> NameTable {
        NameTable::new(self.places().end(), self.loops)
    }

    /// Words before the first ring, a whole number of pages.
    pub(crate) const fn before_rings(&self) -> usize {
        self.loop_names().end().next_multiple_of(PAGE)
    }

    /// Words from one ring to the next: with its header, a whole number of pages.
    pub(crate) const fn stride(&self) -> usize {
        RingPlace::new(0, self.records).end().next_multiple_of(PAGE)
    }

    /// A ring.
    pub(crate) const fn ring(&self, ring: usize) -> RingPlace {
        RingPlace::new(self.before_rings() + ring * self.stride(), self.records)
    }

    pub(crate) const fn words(&self) -> usize {
        self.before_rings() + self.rings * self.stride()
    }
}

/// What the header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) geometry: Geometry,
    pub(crate) process: u32,
    /// Nanoseconds since 1970 at `scale.origin()`.
    pub(crate) start_wall: u64,
    pub(crate) scale: Scale,
}

impl Header {
    /// The header's words in file order; the magic is to be stored last.
    pub(crate) fn words(&self) -> [u64; at::END] {
        let mut words = [0; at::END];
        words[at::MAGIC] = MAGIC;
        words[at::VERSION_AND_PROCESS] = u64::from(VERSION) << 32 | u64::from(self.process);
        words[at::RINGS] = self.geometry.rings as u64;
        words[at::RECORDS] = self.geometry.records as u64;
        words[at::LOOPS] = self.geometry.loops as u64;
        words[at::START_WALL] = self.start_wall;
        words[at::TICKS] = self.scale.origin_ticks();
        words[at::MONOTONIC] = self.scale.origin();
        words[at::RATE] = self.scale.rate();
        words
    }

    /// Reads and checks a header; the error is the version found, or `None` if it is no trace at all.
    pub(crate) fn read(source: &(impl Words + ?Sized)) -> Result<Self, Option<u32>> {
        let mut words = [0; at::END];
        if !source.read(0, &mut words) || words[at::MAGIC] != MAGIC {
            return Err(None);
        }
        let version = (words[at::VERSION_AND_PROCESS] >> 32) as u32;
        if version != VERSION {
            return Err(Some(version));
        }
        let size = |word: u64| usize::try_from(word).unwrap_or(usize::MAX);
        let said = [size(words[at::RINGS]), size(words[at::RECORDS]), size(words[at::LOOPS])];
        let geometry = Geometry::new(said[0], said[1].min(1 << 24), said[2]);
        if [geometry.rings, geometry.records, geometry.loops] != said {
            return Err(None);
        }
        Ok(Self {
            geometry,
            process: words[at::VERSION_AND_PROCESS] as u32,
            start_wall: words[at::START_WALL],
            scale: Scale::new(words[at::TICKS], words[at::MONOTONIC], words[at::RATE]),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_overlap() {
        let geometry = Geometry::new(3, 1000, 100);
        assert_eq!(geometry.records, 1024);
        const { assert!(at::END <= CONFIGURATION && FACTS + FACTS_WORDS <= HEADER) };
        assert!(geometry.sites().end() == HEADER + SITES * 8);
        assert!(geometry.places().end() == geometry.sites().end() + PLACES * 8);
        assert!(geometry.loop_names().end() <= geometry.ring(0).start());
        assert!(geometry.ring(0).end() <= geometry.ring(1).start());
        assert_eq!(geometry.words(), geometry.ring(3).start());
    }
}
