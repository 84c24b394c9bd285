//! The daemon's surroundings, as the manager and commands need them.

use std::path::Path;
use std::sync::Arc;

use dunlin_runtime::Context;

use crate::config::{Config, Loaded};
use crate::protocol::Reply;
use crate::timeformat::WallTime;

/// What the daemon's memory is used for, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryReport {
    /// Asked for by the program and not given back.
    pub allocated: u64,
    /// In pages that hold some of it.
    pub active: u64,
    /// What the system counts as resident.
    pub resident: u64,
    /// Kept by the allocator for later.
    pub retained: u64,
}

/// The operating system. Implemented by `sysdep`, and by tests.
pub trait Host: Send + Sync + 'static {
    /// Reads and checks a configuration, away from the workers; the reply may come at once.
    fn load(&self, path: &Path, reply: Reply<Loaded>);

    /// Puts into force what a configuration says about the log, control sockets and workers.
    ///
    /// # Errors
    /// If something of it is impossible; everything else is in force then.
    fn apply(&self, cx: &mut Context<'_>, config: &Config) -> Result<(), String>;

    /// All instances have been started.
    fn started(&self, config: &Config);

    /// The daemon has to end: shut down in order, or could not start.
    fn finished(&self, code: i32);

    /// The name of the machine.
    fn hostname(&self) -> Arc<str>;

    /// The wall clock. For display only.
    fn now(&self) -> WallTime;

    /// Seconds east of UTC at that time.
    fn zone(&self, time: WallTime) -> i32;

    /// What memory is used for.
    fn memory(&self) -> MemoryReport;

    /// The last records of the flight recorder, newest last.
    fn trace(&self, limit: usize) -> Vec<String>;
}
