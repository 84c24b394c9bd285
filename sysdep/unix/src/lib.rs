//! Where the daemon meets a Unix system: the log, control sockets, signals, the process.
//!
//! * [`log`]: messages of all workers go through a bounded queue to one thread, so no worker ever
//!   waits for a disk, a terminal or syslog.
//! * [`control`]: listens on control sockets; each client is a loop around a
//!   [`dunlin_core::command::Session`].
//! * [`system`]: what the manager and the commands see of all this.
//! * [`supervisor`]: what the main thread waits for: signals and the manager's milestones.
//! * [`pid_file`]: says which process the daemon is.

pub mod control;
pub mod log;
pub mod pid_file;
pub mod supervisor;
pub mod system;
