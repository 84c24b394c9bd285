//! Statements outside protocols.

use std::sync::Arc;

use dunlin_conf::InterfacePattern;
use dunlin_net::NetType;
use dunlin_rib::validation::validator::Settle;
use dunlin_runtime::Threads;

use super::{CliConfig, DebugFlags, LogConfig, ThreadGroups, Watchdog};
use crate::protocol::ChannelKind;
use crate::timeformat::TimeFormats;

/// How the router id is found.
#[derive(Clone, Debug, PartialEq)]
pub enum RouterId {
    /// `router id N`
    Fixed(u32),
    /// `router id from PATTERN`
    From(InterfacePattern),
}

/// A routing table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableConfig {
    /// Its name.
    pub name: Arc<str>,
    /// What it holds.
    pub net_type: NetType,
    /// Its routes are to be in order; what some options need and others exclude.
    pub sorted: bool,
    /// It is to have a trie, which some options need.
    pub trie: bool,
    /// Trace flags, if it has its own.
    pub debug: Option<DebugFlags>,
    /// How long changes of a ROA or ASPA table wait until filters see them.
    pub settle: Settle,
    /// How long they wait until routes are judged again.
    pub digest: Settle,
}

impl TableConfig {
    /// A table without options.
    pub const fn new(name: Arc<str>, net_type: NetType) -> Self {
        let (settle, digest) = (Settle::EXPORT, Settle::DIGEST);
        Self { name, net_type, sorted: false, trie: false, debug: None, settle, digest }
    }

    /// Whether filters can ask it.
    pub const fn is_asked(&self) -> bool {
        matches!(self.net_type, NetType::Roa4 | NetType::Roa6 | NetType::Aspa)
    }

    /// Whether something can be in it: other types are read, and nothing fills them yet.
    pub fn is_built(&self) -> bool {
        ChannelKind::of(self.net_type).is_some()
    }

    /// Whether the other one is the table of this name that is always there.
    pub(super) fn is_default_like(&self, other: &Self) -> bool {
        let mut names = ChannelKind::DEFAULT_TABLES.iter().map(|(_, name)| *name);
        names.any(|name| name == &*self.name)
            && self.name == other.name
            && self.net_type == other.net_type
    }
}

/// Where tables run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TablesGroup {
    /// The name of the thread group.
    pub group: Arc<str>,
    /// The table that names it.
    pub table: Arc<str>,
}

/// Trace flags of what has no flags of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct DebugDefaults {
    /// Protocols.
    pub protocols: DebugFlags,
    /// Channels.
    pub channels: DebugFlags,
    /// Tables.
    pub tables: DebugFlags,
    /// 1 logs connections to the control socket, 2 commands too.
    pub commands: u32,
}

/// What a configuration says outside protocols.
#[derive(Clone, Debug, Default)]
pub struct Globals {
    /// The router id, if given.
    pub router_id: Option<RouterId>,
    /// The host name, if given.
    pub hostname: Option<Arc<str>>,
    /// Where the log goes; nowhere said means the default of the daemon.
    pub logs: Vec<LogConfig>,
    /// How times are shown.
    pub time_formats: TimeFormats,
    /// Workers, if given; from 1 to [`Globals::MAX_THREADS`], where no thread group is written.
    pub threads: Option<Threads>,
    /// Thread groups, if some are written.
    pub thread_groups: ThreadGroups,
    /// Slices, if given; only used when the daemon starts.
    pub slices: Option<u32>,
    /// What is reported of handlers that take too long or run too late.
    pub watchdog: Watchdog,
    /// Default trace flags.
    pub debug: DebugDefaults,
    /// Extra control sockets.
    pub cli: Vec<CliConfig>,
    /// Tables, `master4` and `master6` first.
    pub tables: Vec<TableConfig>,
    /// The thread group of the slices, which hold all tables; the default group if none is named.
    pub tables_group: Option<TablesGroup>,
}

impl Globals {
    /// The most workers that a daemon can have, whoever asks: the command line, `threads` in a
    /// configuration, or the command.
    pub const MAX_THREADS: u32 = 128;

    /// What is traced of a table.
    pub fn table_flags(&self, table: &TableConfig) -> DebugFlags {
        table.debug.unwrap_or(self.debug.tables)
    }

    /// The table of a name.
    pub fn table(&self, name: &str) -> Option<&TableConfig> {
        self.tables.iter().find(|table| &*table.name == name)
    }
}
