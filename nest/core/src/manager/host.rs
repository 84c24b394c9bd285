//! The daemon's surroundings, as the manager and commands need them.

use std::path::Path;
use std::sync::Arc;

use dunlin_runtime::Context;
use dunlin_trace::Recorder;

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
    /// Of that, pages of files: the program itself, its libraries, the flight recorder.
    pub files: u64,
    /// Pages that hold nothing and that the allocator keeps resident for later.
    pub kept: u64,
    /// Kept by the allocator for later, not resident.
    pub retained: u64,
}

/// What the manager does with the operating system. Belongs to the manager alone.
pub trait System: Send + 'static {
    /// Reads and checks a configuration, away from the workers; the reply may come at once.
    fn load(&mut self, path: &Path, reply: Reply<Loaded>);

    /// Puts into force what a configuration says about the log, control sockets and workers.
    ///
    /// # Errors
    /// If something of it is impossible; everything else is in force then.
    fn apply(&mut self, cx: &mut Context<'_>, config: &Arc<Config>) -> Result<(), String>;

    /// All instances of the first configuration have been started.
    fn started(&mut self, config: &Config);

    /// The daemon has to end: shut down in order, or could not start.
    fn finished(&mut self, code: i32);
}

/// What everybody may ask of the operating system.
pub trait Host: Send + Sync + 'static {
    /// The name of the machine.
    fn hostname(&self) -> Arc<str>;

    /// The wall clock. For display only.
    fn now(&self) -> WallTime;

    /// Seconds east of UTC at that time.
    fn zone(&self, time: WallTime) -> i32;

    /// What memory is used for.
    fn memory(&self) -> MemoryReport;

    /// The flight recorder, unless it is off.
    fn recorder(&self) -> Option<Recorder> {
        None
    }
}
