//! What was asked, as values.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use dunlin_filter::ChannelFilter;
use dunlin_net::{NetType, Network, Prefix};
use dunlin_runtime::Threads;
use dunlin_trace::Filter;

use super::runtime::{Listed, Which};
use crate::config::DebugFlags;
use crate::manager::{Action, ConfigureCommand, Selection};
use crate::protocol::{ChannelKind, Direction};
use crate::timeformat::TimeFormat;

/// A command.
#[derive(Debug)]
pub(super) enum Command {
    ShowStatus,
    ShowMemory,
    ShowExport,
    ShowProtocols {
        all: bool,
        selection: Selection,
    },
    ShowRoute(Box<RouteQuery>),
    ExplainRoute(Box<RouteQuery>, Explain),
    /// `filter counters on|off`
    CountFilters(bool),
    ShowFilterCounters {
        query: FilterQuery,
        json: bool,
    },
    ShowSymbols(SymbolQuery),
    ShowInterfaces {
        summary: bool,
    },
    ShowStatic(Selection),
    ShowThreads {
        all: bool,
        json: bool,
    },
    /// A listing of loops or of what they own.
    ShowLoops {
        listed: Listed,
        which: Which,
        json: bool,
    },
    /// How long handlers of loops took and waited.
    ShowLoopTimings {
        which: Which,
        json: bool,
    },
    ShowEvents {
        all: bool,
        json: bool,
    },
    /// Where in the program something was asked for.
    ShowPlaces {
        json: bool,
    },
    ClearStatistics {
        json: bool,
    },
    ShowTrace(TraceQuery),
    /// A command of a protocol that does not run here.
    NotRunning(&'static str),
    Threads {
        /// None: the default one.
        group: Option<Arc<str>>,
        threads: Threads,
    },
    Eval(String),
    Configure(ConfigureCommand),
    /// `configure check impact`
    Impact {
        /// Another file than the one that the daemon was started with.
        file: Option<PathBuf>,
        json: bool,
    },
    Control {
        action: Action,
        selection: Selection,
        message: Option<Arc<str>>,
    },
    Debug {
        flags: DebugFlags,
        /// Only this one's.
        channel: Option<ChannelKind>,
        selection: Selection,
    },
    Down,
    Restrict,
    TimeFormat(TimeFormat),
}

impl Command {
    /// Whether a restricted session may not use it.
    pub(super) fn changes(&self) -> bool {
        match self {
            Self::Configure(command) => !matches!(command, ConfigureCommand::Status),
            Self::Impact { .. }
            | Self::Threads { .. }
            | Self::ClearStatistics { .. }
            | Self::CountFilters(_)
            | Self::Control { .. }
            | Self::Debug { .. }
            | Self::Down => true,
            _ => false,
        }
    }
}

/// Which symbols.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SymbolQuery {
    All,
    /// Of this kind, as `show symbols` names it.
    Kind(&'static str),
    Name(Arc<str>),
}

/// `show trace …`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TraceQuery {
    /// Which records.
    pub(super) filter: Filter,
    /// Each as a JSON object.
    pub(super) json: bool,
}

impl Default for TraceQuery {
    fn default() -> Self {
        Self { filter: Filter { last: Some(100), ..Filter::default() }, json: false }
    }
}

/// `show route …`
#[derive(Clone, Debug, Default)]
pub(super) struct RouteQuery {
    pub(super) what: Wanted,
    pub(super) tables: Vec<Arc<str>>,
    pub(super) all_tables: bool,
    pub(super) filter: Option<ChannelFilter>,
    pub(super) details: bool,
    pub(super) primary: bool,
    pub(super) filtered: bool,
    pub(super) export: Option<Export>,
    pub(super) protocol: Option<Arc<str>>,
    pub(super) stats: Stats,
    /// Why a filter decides as it does, instead of the routes.
    pub(super) explain: Option<Explain>,
}

impl RouteQuery {
    /// Whether nothing is to be known but how many, which slices can count by themselves.
    pub(super) fn only_counts(&self) -> bool {
        let is_plain = self.filter.is_none() && self.export.is_none();
        self.stats == Stats::Only && is_plain && !self.what.is_lookup()
    }

    /// Whether it says which tables.
    pub(super) fn tables_are_named(&self) -> bool {
        !self.tables.is_empty()
    }
}

/// `show route ... explain ...`
#[derive(Clone, Debug, Default)]
pub(super) struct Explain {
    /// Into or out of which protocol; none: the import of every route that is there.
    pub(super) way: Option<Way>,
    pub(super) json: bool,
}

/// Which filters and functions.
#[derive(Clone, Debug)]
pub(super) enum FilterQuery {
    /// All that have a name or that a channel runs.
    All,
    /// The filter or function of a name.
    Named(Arc<str>),
    /// That of a protocol's channels, also if it has no name.
    Of(Way),
}

/// A direction of a protocol's channels.
#[derive(Clone, Debug)]
pub(super) struct Way {
    pub(super) direction: Direction,
    pub(super) protocol: Arc<str>,
    pub(super) channel: Option<ChannelKind>,
}

/// Which networks.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Wanted {
    #[default]
    All,
    Exact(Network),
    ForNet(Prefix),
    For(IpAddr),
    In(Prefix),
}

impl Wanted {
    /// What the networks are; nothing if any will do.
    pub(super) fn net_type(&self) -> Option<NetType> {
        match self {
            Self::All => None,
            Self::Exact(net) => Some(net.net_type()),
            Self::ForNet(net) | Self::In(net) => Some(net.net_type()),
            Self::For(address) => Some(Prefix::host(*address).net_type()),
        }
    }

    /// The prefix that the networks are inside of, if any.
    pub(super) fn inside(&self) -> Option<Prefix> {
        match self {
            Self::In(prefix) => Some(*prefix),
            _ => None,
        }
    }

    /// Whether finding nothing is an error.
    pub(super) fn is_lookup(&self) -> bool {
        matches!(self, Self::Exact(_) | Self::For(_) | Self::ForNet(_))
    }
}

/// Export to a protocol, and which part of its routes.
#[derive(Clone, Debug)]
pub(super) struct Export {
    pub(super) kind: ExportKind,
    pub(super) protocol: Arc<str>,
    pub(super) channel: Option<ChannelKind>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ExportKind {
    /// What passes the export filter now.
    Export,
    /// What the export filter rejects now.
    NoExport,
    /// What is put before the export filter.
    PreExport,
    /// What was sent.
    Exported,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stats {
    #[default]
    Off,
    /// Routes, then counts.
    Also,
    /// Counts only.
    Only,
}
