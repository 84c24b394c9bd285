//! What the daemon says to its log. Where that goes is `sysdep`'s business.

use core::fmt;
use std::sync::Arc;

use dunlin_filter::ErrorLog;

/// How a message is classified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum LogClass {
    /// For the developers.
    Debug = 0,
    /// Traces asked for with `debug`.
    Trace = 1,
    /// For information.
    Info = 2,
    /// A neighbour's mistake.
    Remote = 3,
    /// Something is odd.
    Warning = 4,
    /// Something has failed.
    Error = 5,
    /// Somebody failed to prove who he is.
    Auth = 6,
    /// The daemon cannot go on.
    Fatal = 7,
    /// The daemon is wrong.
    Bug = 8,
}

impl LogClass {
    /// All classes.
    pub const ALL: [Self; 9] = [
        Self::Debug,
        Self::Trace,
        Self::Info,
        Self::Remote,
        Self::Warning,
        Self::Error,
        Self::Auth,
        Self::Fatal,
        Self::Bug,
    ];

    /// The word in `log … { … }`.
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Trace => "trace",
            Self::Info => "info",
            Self::Remote => "remote",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Auth => "auth",
            Self::Fatal => "fatal",
            Self::Bug => "bug",
        }
    }

    /// The mark in a log line.
    pub const fn mark(self) -> &'static str {
        match self {
            Self::Debug => "DBG",
            Self::Trace => "TRACE",
            Self::Info => "INFO",
            Self::Remote => "RMT",
            Self::Warning => "WARN",
            Self::Error => "ERR",
            Self::Auth => "AUTH",
            Self::Fatal => "FATAL",
            Self::Bug => "BUG",
        }
    }

    /// A set with this class only.
    pub const fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// A set of classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogClasses(pub u16);

impl LogClasses {
    /// Every class.
    pub const ALL: Self = Self((1 << LogClass::ALL.len()) - 1);
    /// No class.
    pub const NONE: Self = Self(0);

    /// Whether the class is in the set.
    pub const fn contains(self, class: LogClass) -> bool {
        self.0 & class.bit() != 0
    }

    /// The set with one more class.
    #[must_use]
    pub const fn with(self, class: LogClass) -> Self {
        Self(self.0 | class.bit())
    }
}

/// Takes messages. Called on workers, so it must not block: it hands them on.
pub trait LogTarget: Send + Sync + 'static {
    /// Whether anybody wants messages of this class; if not, they are not even formatted.
    fn wants(&self, class: LogClass) -> bool;
    /// Takes one message, without a newline.
    fn write(&self, class: LogClass, text: String);
}

/// The log. Cheap to clone.
#[derive(Clone)]
pub struct Log {
    target: Arc<dyn LogTarget>,
}

impl Log {
    /// A log that goes there.
    pub fn new(target: Arc<dyn LogTarget>) -> Self {
        Self { target }
    }

    /// A log that goes nowhere.
    pub fn silent() -> Self {
        Self::new(Arc::new(Nowhere))
    }

    /// Whether anybody wants messages of this class.
    pub fn wants(&self, class: LogClass) -> bool {
        self.target.wants(class)
    }

    /// Logs a message.
    pub fn write(&self, class: LogClass, text: fmt::Arguments<'_>) {
        if self.target.wants(class) {
            self.target.write(class, text.to_string());
        }
    }
}

/// Errors of filters.
impl ErrorLog for Log {
    fn error(&self, text: &str) {
        self.write(LogClass::Error, format_args!("{text}"));
    }

    fn keep(&self) -> Box<dyn ErrorLog + Send> {
        Box::new(self.clone())
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Log")
    }
}

struct Nowhere;

impl LogTarget for Nowhere {
    fn wants(&self, _: LogClass) -> bool {
        false
    }
    fn write(&self, _: LogClass, _: String) {}
}
