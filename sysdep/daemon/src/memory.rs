//! The allocator: what it knows, and when it gives memory back.

use core::time::Duration;

use dunlin_core::manager::MemoryReport;
use dunlin_os::process;

#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// What the allocator knows of the daemon's memory: nothing of files.
#[cfg(feature = "jemalloc")]
pub(crate) fn report() -> MemoryReport {
    use tikv_jemalloc_ctl::{Access as _, AsName as _, epoch, stats};
    // Statistics are as old as the last epoch.
    let _ = epoch::advance();
    let read = |value: Result<usize, _>| value.unwrap_or(0) as u64;
    // The numbers of all arenas together; the names end with the zero that the interface wants.
    let pages = |name: &str| read(name.as_bytes().name().read());
    let free = pages("stats.arenas.4096.pdirty\0") + pages("stats.arenas.4096.pmuzzy\0");
    MemoryReport {
        allocated: read(stats::allocated::read()),
        active: read(stats::active::read()),
        resident: read(stats::resident::read()),
        files: 0,
        kept: free * pages("arenas.page\0"),
        retained: read(stats::retained::read()),
    }
}

/// The system's allocator says nothing; what is resident and of no file counts as allocated.
#[cfg(not(feature = "jemalloc"))]
pub(crate) fn report() -> MemoryReport {
    let process::Residence { total, files } = process::residence().unwrap_or_default();
    let allocated = total - files;
    MemoryReport { allocated, active: allocated, resident: total, files, kept: 0, retained: 0 }
}

/// Gives free pages back to the system when the daemon has become quiet. While it is busy they
/// are kept, because it would soon want them again; when it is idle the allocator, which looks
/// only when it is used, would keep them for ever.
#[derive(Debug)]
pub(crate) struct Relief {
    /// Processor time when last looked.
    used: Duration,
    /// Work has been done since pages were last given back.
    worked: bool,
}

/// How often to look while there may be something to give back.
const SOON: Duration = Duration::from_millis(100);
/// How often to look while nothing happens.
const LATER: Duration = Duration::from_secs(1);

impl Relief {
    /// For a daemon that has done nothing yet.
    pub(crate) fn new() -> Self {
        Self { used: process::cpu_time(), worked: true }
    }

    /// When to look again.
    pub(crate) fn interval(&self) -> Duration {
        if self.worked { SOON } else { LATER }
    }

    /// Looks how busy the daemon was for the last interval.
    pub(crate) fn look(&mut self) {
        let quiet = self.interval() / 20;
        let used = process::cpu_time();
        let busy = used.saturating_sub(core::mem::replace(&mut self.used, used));
        if busy > quiet {
            self.worked = true;
        } else if core::mem::take(&mut self.worked) {
            give_back();
        }
    }
}

/// Gives free pages of all arenas back.
#[cfg(feature = "jemalloc")]
fn give_back() {
    use tikv_jemalloc_ctl::{Access as _, AsName as _, arenas};
    let count: u32 = arenas::narenas::read().unwrap_or(0);
    for arena in 0..count {
        // Each name ends with the zero that the interface wants.
        let name = format!("arena.{arena}.dirty_decay_ms\0");
        let name = name.as_bytes().name();
        // A time of zero gives everything back at once; then what was goes on. An arena that is
        // not in use yet has nothing.
        let before: Result<isize, _> = name.read();
        if let Ok(before) = before
            && name.write(0_isize).is_ok()
        {
            let _ = name.write(before);
        }
    }
}

#[cfg(not(feature = "jemalloc"))]
fn give_back() {}

#[cfg(all(test, feature = "jemalloc"))]
mod tests {
    use super::{give_back, report};

    #[test]
    fn free_pages_go_back() {
        let blocks: Vec<Vec<u8>> = (0..2000).map(|_| vec![1; 32 << 10]).collect();
        let full = report();
        drop(blocks);
        let free = report();
        give_back();
        let given = report();
        assert!(full.allocated > 60 << 20);
        assert!(given.resident + (30 << 20) < full.resident, "{full:?} {free:?} {given:?}");
    }
}
