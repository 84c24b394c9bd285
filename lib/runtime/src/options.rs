//! Options of the runtime, of listeners and of connections.

use core::{fmt, net::SocketAddr, time::Duration};
use std::sync::Arc;

use dunlin_sync::Class;
use dunlin_trace::Recorder;

use crate::{
    clocks::{ClockSource, SystemClocks},
    groups::{GroupId, GroupOptions, Groups, Threads},
    ids::LoopId,
    panic::contain,
};

/// How to start a [`crate::Runtime`].
#[derive(Clone)]
pub struct RuntimeOptions {
    /// Number of workers of the default group, at least 1, unless `groups` says otherwise.
    pub threads: usize,
    /// Most workers that a group may have, and all groups together.
    pub max_threads: usize,
    /// The thread groups, the first of them the default. None means the built-in ones.
    pub groups: Vec<GroupOptions>,
    /// Where flight records go. Without one nothing is recorded.
    pub recorder: Option<Recorder>,
    /// Where it is looked for jumps of the wall clock and for suspends of the system. Timers do not
    /// depend on it.
    pub clocks: Arc<dyn ClockSource>,
    /// Where the runtime says what it has to say, which is seldom.
    pub log: Arc<dyn LogSink>,
    /// How long a turn of each class may last before another loop gets the worker.
    pub budgets: Budgets,
    /// What is reported of handlers and workers.
    pub watch: Watch,
}

/// The groups of a runtime that begins: those asked for, or the built-in ones. Their numbers are
/// their places.
pub(crate) fn first_groups(asked: &[GroupOptions], threads: usize) -> Groups {
    let mut groups = asked.to_vec();
    if groups.is_empty() {
        let threads = Threads::Fixed(threads);
        groups.push(GroupOptions { threads, ..GroupOptions::new(GroupOptions::WORKER) });
        groups.push(GroupOptions::new(GroupOptions::EXPRESS));
    }
    let numbered = groups.into_iter().zip(0..).map(|(options, id)| (GroupId(id), options));
    Groups::new(numbered.collect(), GroupId(0))
}

impl Default for RuntimeOptions {
    fn default() -> Self {
        Self {
            threads: 1,
            max_threads: 64,
            groups: Vec::new(),
            recorder: None,
            clocks: Arc::new(SystemClocks),
            log: Arc::new(Silent),
            budgets: Budgets::default(),
            watch: Watch::default(),
        }
    }
}

impl fmt::Debug for RuntimeOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RuntimeOptions")
            .field("threads", &self.threads)
            .field("max_threads", &self.max_threads)
            .finish_non_exhaustive()
    }
}

/// How long a turn of each class may last in a group whose [`GroupOptions::max_time`] is a
/// millisecond; in others it is longer or shorter in proportion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budgets {
    /// In the order of [`crate::Class::ALL`].
    pub turn: [Duration; 4],
}

impl Default for Budgets {
    fn default() -> Self {
        Self {
            turn: [
                Duration::from_micros(500),
                Duration::from_micros(1000),
                Duration::from_micros(1000),
                Duration::from_micros(500),
            ],
        }
    }
}

/// When handlers and workers are reported. Each limit can be changed while the runtime runs
/// ([`crate::RuntimeHandle::watch`]); `None` is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watch {
    /// A handler that runs for longer is named, while it still does. In the order of
    /// [`crate::Class::ALL`].
    pub overrun: [Option<Duration>; Class::ALL.len()],
    /// A handler that begins later than it should is reported, with who kept it waiting.
    pub late: [Option<Duration>; Class::ALL.len()],
    /// A worker that has something to do and does nothing for longer is reported.
    pub stall: Option<Duration>,
    /// A handler that runs for longer ends the process ([`LogLevel::Fatal`]).
    pub abort: Option<Duration>,
}

impl Watch {
    /// Nothing is reported.
    pub const OFF: Self = Self {
        overrun: [None; Class::ALL.len()],
        late: [None; Class::ALL.len()],
        stall: None,
        abort: None,
    };
}

impl Default for Watch {
    fn default() -> Self {
        let mut watch = Self {
            overrun: [Some(Duration::from_millis(100)); Class::ALL.len()],
            stall: Some(Duration::from_millis(200)),
            ..Self::OFF
        };
        watch.overrun[Class::Liveness.index()] = Some(Duration::from_millis(50));
        watch.late[Class::Liveness.index()] = Some(Duration::from_millis(100));
        watch
    }
}

/// How bad a thing the runtime reports is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// For information.
    Info,
    /// Something is degraded.
    Warning,
    /// Something has failed.
    Error,
    /// An essential loop has failed ([`crate::Loop::is_essential`]): the process has to end.
    Fatal,
}

/// Something the runtime reports.
#[derive(Clone, Debug)]
pub struct LogRecord {
    /// How bad it is.
    pub level: LogLevel,
    /// The loop it is about, if one.
    pub loop_id: Option<LoopId>,
    /// The loop's name, if one.
    pub loop_name: Option<Arc<str>>,
    /// What has happened.
    pub text: String,
}

/// Takes what the runtime reports; called on workers, so it must not block. What it is told is lost if it panics.
pub trait LogSink: Send + Sync + 'static {
    /// Takes one record.
    fn log(&self, record: &LogRecord);
}

impl<F: Fn(&LogRecord) + Send + Sync + 'static> LogSink for F {
    fn log(&self, record: &LogRecord) {
        self(record);
    }
}

/// Reports something. A sink that panics loses what it was told, and stops nobody.
pub(crate) fn log(sink: &dyn LogSink, record: &LogRecord) {
    let _ = contain("", || sink.log(record));
}

struct Silent;

impl LogSink for Silent {
    fn log(&self, _: &LogRecord) {}
}

/// How to listen.
#[derive(Clone, Debug)]
pub struct ListenOptions {
    /// Connections the system may hold until accepted.
    pub backlog: u16,
    /// Bind only to this interface (VRF).
    pub device: Option<String>,
    /// Time to live of accepted connections' packets; 255 for GTSM.
    pub ttl: Option<u8>,
    /// Least time to live accepted from peers (GTSM).
    pub min_ttl: Option<u8>,
    /// Bind to an address the machine does not have (yet).
    pub free_bind: bool,
}

impl Default for ListenOptions {
    fn default() -> Self {
        Self { backlog: 1024, device: None, ttl: None, min_ttl: None, free_bind: false }
    }
}

/// How to connect.
#[derive(Clone, Debug, Default)]
pub struct ConnectOptions {
    /// Address (and port, if not 0) to connect from.
    pub local: Option<SocketAddr>,
    /// TCP MD5 signature key (RFC 2385).
    pub md5: Option<Vec<u8>>,
    /// Time to live of packets sent.
    pub ttl: Option<u8>,
    /// Least time to live accepted from the peer (GTSM).
    pub min_ttl: Option<u8>,
    /// Bind to this interface (VRF).
    pub device: Option<String>,
    /// Bind to an address the machine does not have (yet).
    pub free_bind: bool,
}
