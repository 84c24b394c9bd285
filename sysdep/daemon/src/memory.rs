//! The allocator and what it knows.

use dunlin_core::manager::MemoryReport;

#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// What the allocator knows of the daemon's memory.
#[cfg(feature = "jemalloc")]
pub(crate) fn report() -> MemoryReport {
    use tikv_jemalloc_ctl::{epoch, stats};
    // Statistics are as old as the last epoch.
    let _ = epoch::advance();
    let read = |value: Result<usize, _>| value.unwrap_or(0) as u64;
    MemoryReport {
        allocated: read(stats::allocated::read()),
        active: read(stats::active::read()),
        resident: read(stats::resident::read()),
        retained: read(stats::retained::read()),
    }
}

/// The system's allocator says nothing; what is resident counts as allocated.
#[cfg(not(feature = "jemalloc"))]
pub(crate) fn report() -> MemoryReport {
    let resident = dunlin_os::process::resident_memory().unwrap_or(0);
    MemoryReport { allocated: resident, active: resident, resident, retained: 0 }
}
