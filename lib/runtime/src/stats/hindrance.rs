//! What holds a worker up, as long as it does: the watcher says so, and whoever looks at the runtime sees it.

use core::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::time::Time;

/// Why a worker does not get on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hindrance {
    /// It calculates.
    Busy,
    /// It wants to run, but the system gives the processor to others.
    Starved,
    /// It waits in the kernel: a system call that blocks, or a page that has to be read.
    Blocked,
    /// A debugger or a signal has stopped it.
    Stopped,
    /// Its thread has ended, and not because it was told to.
    Dead,
    /// The kernel does not tell.
    Unknown,
}

impl Hindrance {
    const ALL: [Self; 6] =
        [Self::Busy, Self::Starved, Self::Blocked, Self::Stopped, Self::Dead, Self::Unknown];

    /// A word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Starved => "starved",
            Self::Blocked => "blocked",
            Self::Stopped => "stopped",
            Self::Dead => "dead",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Hindrance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Busy => "busy",
            Self::Starved => "starved: the system runs other threads",
            Self::Blocked => "blocked in the kernel",
            Self::Stopped => "stopped from outside",
            Self::Dead => "its thread has ended",
            Self::Unknown => "for reasons the kernel does not tell",
        })
    }
}

/// What a worker is held up by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hindered {
    /// What it is.
    pub by: Hindrance,
    /// When the handler began that runs, or since when it has had something to do and done nothing.
    pub since: Time,
}

/// The same for others to see. Written by the watcher, read by anyone; relaxed, as it is a word that says all.
#[derive(Debug, Default)]
pub(crate) struct HinderedWord(AtomicU64);

impl HinderedWord {
    pub(crate) fn set(&self, hindered: Option<Hindered>) {
        let word =
            hindered.map_or(0, |Hindered { by, since }| since.as_nanos() << BITS | (by as u64 + 1));
        self.0.store(word, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> Option<Hindered> {
        let word = self.0.load(Ordering::Relaxed);
        let tag = word & ((1 << BITS) - 1);
        let by = *Hindrance::ALL.get(usize::try_from(tag.checked_sub(1)?).ok()?)?;
        Some(Hindered { by, since: Time::from_nanos(word >> BITS) })
    }
}

/// Bits for what it is; 70 years of nanoseconds are left.
const BITS: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_comes_back_as_it_was_said() {
        let word = HinderedWord::default();
        assert_eq!(word.get(), None);
        for by in Hindrance::ALL {
            for since in [0, 1, 1_700_000_000_000_000_000] {
                let hindered = Some(Hindered { by, since: Time::from_nanos(since) });
                word.set(hindered);
                assert_eq!(word.get(), hindered);
            }
        }
        word.set(None);
        assert_eq!(word.get(), None);
    }
}
