//! What an instance says about itself to `show protocols all`.

use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};

use dunlin_rib::counters::{ExportDelta, ImportDelta};

use super::ChannelKind;

/// Takes one answer, from whichever loop gives it. Whoever asked is also told if it is dropped
/// without an answer, as when the asked one stops: nobody waits for ever.
pub struct Reply<T>(Option<Box<dyn FnOnce(Option<T>) + Send>>);

impl<T> Reply<T> {
    /// A reply that does this with the answer; it must not block (it sends a message).
    pub fn new(answer: impl FnOnce(T) + Send + 'static) -> Self {
        Self::or_lost(move |value| {
            if let Some(value) = value {
                answer(value);
            }
        })
    }

    /// As [`Reply::new`]; nothing is given if the reply was dropped without an answer.
    pub fn or_lost(answer: impl FnOnce(Option<T>) + Send + 'static) -> Self {
        Self(Some(Box::new(answer)))
    }

    /// Answers.
    pub fn send(mut self, value: T) {
        if let Some(answer) = self.0.take() {
            answer(Some(value));
        }
    }
}

impl<T> Drop for Reply<T> {
    fn drop(&mut self) {
        if let Some(answer) = self.0.take() {
            answer(None);
        }
    }
}

impl<T> fmt::Debug for Reply<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reply")
    }
}

/// An instance's answer.
#[derive(Clone, Debug, Default)]
pub struct Description {
    /// The protocol's own lines, between the common ones and the channels, with their indentation
    /// (`  BGP state:          Established`).
    pub lines: Vec<String>,
    /// Its channels.
    pub channels: Vec<ChannelDescription>,
}

/// A channel as it runs.
#[derive(Clone, Debug)]
pub struct ChannelDescription {
    /// Which one.
    pub kind: ChannelKind,
    /// Its state.
    pub state: ChannelState,
    /// State of its import.
    pub import: ImportState,
    /// State of its export.
    pub export: ExportState,
    /// Its figures, while it runs.
    pub statistics: Option<ChannelStatistics>,
    /// The protocol's lines above the statistics, with indentation (`    Neighbor GR:`).
    pub above: Vec<String>,
    /// The protocol's lines below them (`    BGP Next hop:   10.9.0.1`).
    pub below: Vec<String>,
}

impl ChannelDescription {
    /// A channel that does not run.
    pub fn down(kind: ChannelKind) -> Self {
        Self {
            kind,
            state: ChannelState::Down,
            import: ImportState::Down,
            export: ExportState::Down,
            statistics: None,
            above: Vec::new(),
            below: Vec::new(),
        }
    }
}

/// A line of the table of route changes: a name, then columns of ten characters.
pub fn statistics_line<const N: usize>(indent: usize, name: &str, cells: [String; N]) -> String {
    let width = indent + 21;
    let mut line = format!("{:indent$}{name}", "");
    line = format!("{line:<width$}");
    for cell in cells {
        line.push_str(&format!(" {cell:>10}"));
    }
    line
}

/// A channel's figures.
#[derive(Clone, Copy, Debug, Default)]
pub struct ChannelStatistics {
    /// Import counters.
    pub import: ImportDelta,
    /// Export counters.
    pub export: ExportDelta,
    /// Routes accepted now.
    pub imported: u64,
    /// Routes rejected and kept now.
    pub filtered: u64,
    /// Routes exported now.
    pub exported: u64,
    /// Imported routes that are their network's best now.
    pub preferred: u64,
    /// The receive limit is hit.
    pub receive_hit: bool,
    /// The import limit is hit.
    pub import_hit: bool,
    /// The export limit is hit.
    pub export_hit: bool,
}

impl ChannelStatistics {
    /// Takes the import side from a source.
    pub fn of_source(source: &dunlin_rib::Source) -> Self {
        let load = |gauge: &AtomicU64| gauge.load(Ordering::Relaxed);
        let imported = load(&source.gauges.accepted);
        let received = load(&source.gauges.received);
        Self {
            import: source.counters.read(),
            imported,
            filtered: received.saturating_sub(imported),
            preferred: load(&source.gauges.preferred),
            receive_hit: source.limits.receive.is_hit(),
            import_hit: source.limits.import.is_hit(),
            ..Self::default()
        }
    }
}

macro_rules! states {
    ($(#[$meta:meta])* $name:ident { $($(#[$case_meta:meta])* $case:ident = $text:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
        pub enum $name {
            $($(#[$case_meta])* $case,)*
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(match self { $(Self::$case => $text,)* })
            }
        }
    };
}

states! {
    /// State of a channel.
    ChannelState {
        /// Not running.
        #[default]
        Down = "DOWN",
        /// Coming up.
        Start = "START",
        /// Running.
        Up = "UP",
        /// Its routes are leaving.
        Stop = "STOP",
    }
}

states! {
    /// State of a channel's import.
    ImportState {
        /// Not running.
        #[default]
        Down = "DOWN",
        /// Running.
        Up = "UP",
        /// Its routes are leaving.
        Flushing = "FLUSHING",
    }
}

states! {
    /// State of a channel's export.
    ExportState {
        /// Not running.
        #[default]
        Down = "DOWN",
        /// The first routes are on their way.
        Feeding = "FEEDING",
        /// All routes are out.
        Ready = "READY",
    }
}
