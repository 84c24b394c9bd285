//! What a slice is told.

use core::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use dunlin_filter::{ChannelFilter, Counters, PrefixSet};
use dunlin_net::NetType;
use dunlin_runtime::Address;
use dunlin_sync::Snapshot;

use crate::assess::AssessRequest;
use crate::barrier::Barrier;
use crate::counters::OwnRoutes;
use crate::export::{ExportPolicy, Exporter, FeedRequest, QueryRequest};
use crate::import::{ImportBatch, Slices};
use crate::nexthop::{NextHopKey, NextHopState};
use crate::resolver::ResolverMessage;
use crate::trace::RouteTrace;
use crate::validation::{Recheck, Validated};
use crate::walk::WalkRequest;
use crate::{ExporterId, PipeId, SourceId, TableId};

/// A message to a slice. Those that change what is exported travel in the routing class, so their
/// order is kept.
pub enum SliceMessage {
    /// Where the others are; the first message of all.
    Start {
        /// All slices.
        slices: Slices,
        /// Answers for next hops.
        resolver: Address<ResolverMessage>,
        /// What ROA and ASPA tables say.
        validated: Snapshot<Validated>,
    },
    /// Announcements and withdrawals.
    Import(Box<ImportBatch>),
    /// A source is dead ([`crate::Source::kill`] has been called): remove its routes.
    SourceDown {
        /// Which.
        source: SourceId,
        /// Arrived at when the last route has gone.
        done: Option<Arc<Barrier>>,
    },
    /// A new import filter: kept routes are evaluated again.
    Program {
        /// Which source.
        source: SourceId,
        /// The filter.
        filter: ChannelFilter,
        /// The preference before the filter.
        preference: u32,
        /// Arrived at when all routes have been evaluated.
        done: Option<Arc<Barrier>>,
    },
    /// A new import filter for what comes from now on: routes that are there stay as they are.
    Filter {
        /// Which source.
        source: SourceId,
        /// The filter.
        filter: ChannelFilter,
        /// The preference before the filter.
        preference: u32,
    },
    /// Arrived at at once: everything sent before has been processed.
    Barrier(Arc<Barrier>),
    /// A new table.
    TableAdd {
        /// Its id, free before.
        id: TableId,
        /// What it holds.
        net_type: NetType,
    },
    /// What is traced of a table.
    TableTrace {
        /// Which.
        id: TableId,
        /// Its flags and where the lines go.
        trace: Arc<RouteTrace>,
    },
    /// A table goes with all its routes.
    TableRemove(TableId),
    /// Somebody new to send deltas to. Followers are told of all best routes at once.
    ExporterAdd(Box<Exporter>),
    /// Somebody less.
    ExporterRemove(ExporterId),
    /// A new policy: what differs is sent.
    ExporterPolicy {
        /// Which exporter.
        id: ExporterId,
        /// The policy.
        policy: Arc<dyn ExportPolicy>,
    },
    /// A member that may hold another group's routes joins a group; or it holds the group's by now,
    /// or has gone. In between the group is told of all that it does *not* hold, too.
    ExporterResync {
        /// The group.
        id: ExporterId,
        /// It joins.
        begins: bool,
    },
    /// What a group's figures have of the routes of one source.
    OwnRoutes {
        /// The group.
        exporter: ExporterId,
        /// The source.
        source: SourceId,
        /// Takes the answer. Called from the slice's loop: send a message, return.
        reply: Box<dyn FnOnce(OwnRoutes) + Send>,
    },
    /// A piece of a feed.
    Feed(FeedRequest),
    /// The present state of some networks.
    Query(Box<QueryRequest>),
    /// A new pipe, or one with new filters.
    PipeAdd(Box<Pipe>),
    /// A new policy of a pipe for what changes from now on: routes that have passed stay.
    PipePolicy {
        /// Which pipe.
        id: PipeId,
        /// The policy.
        policy: Arc<dyn ExportPolicy>,
    },
    /// A pipe goes with the routes that came through it.
    PipeRemove(PipeId),
    /// A ROA or ASPA table has changed: filters that have asked it run again.
    Recheck {
        /// What has changed.
        recheck: Arc<Recheck>,
        /// Told when all routes concerned have been judged.
        done: Arc<Barrier>,
    },
    /// The import filters of a protocol's channels run again over some networks.
    Partial {
        /// Name of the protocol instance.
        protocol: Arc<str>,
        /// The networks.
        nets: Arc<PrefixSet>,
    },
    /// Answers of the resolver.
    Resolved(Vec<(NextHopKey, NextHopState)>),
    /// Tell the resolver of the longest match of an address, now and when it changes.
    Watch {
        /// The table.
        table: TableId,
        /// The address.
        address: IpAddr,
    },
    /// No more of that.
    Unwatch {
        /// The table.
        table: TableId,
        /// The address.
        address: IpAddr,
    },
    /// Read routes.
    Walk(Box<WalkRequest>),
    /// Counting what filters do.
    FilterCounters(FilterCounting),
    /// See what other filters would make of routes, changing nothing.
    Assess(Box<AssessRequest>),
    /// Sizes and counts.
    Statistics(Box<dyn FnOnce(SliceStatistics) + Send>),
}

impl SliceMessage {
    /// Whether routes may take another time from now on.
    pub(crate) fn changes_filters(&self) -> bool {
        matches!(
            self,
            Self::Program { .. }
                | Self::Filter { .. }
                | Self::ExporterAdd(_)
                | Self::ExporterPolicy { .. }
                | Self::PipeAdd(_)
                | Self::PipePolicy { .. }
        )
    }

    /// Operations of a batch; anything else counts as one.
    pub(crate) fn operations(&self) -> u32 {
        match self {
            Self::Import(batch) => u32::try_from(batch.ops.len()).unwrap_or(u32::MAX),
            _ => 1,
        }
    }

    /// Whether it changes nothing, so that it may be done before what came before it.
    pub(crate) fn only_reads(&self) -> bool {
        matches!(
            self,
            Self::Walk(_) | Self::Assess(_) | Self::Statistics(_) | Self::FilterCounters(_)
        )
    }
}

impl fmt::Debug for SliceMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Start { .. } => "Start",
            Self::Import(_) => "Import",
            Self::SourceDown { .. } => "SourceDown",
            Self::Program { .. } => "Program",
            Self::Filter { .. } => "Filter",
            Self::Barrier(_) => "Barrier",
            Self::TableAdd { .. } => "TableAdd",
            Self::TableTrace { .. } => "TableTrace",
            Self::TableRemove(_) => "TableRemove",
            Self::ExporterAdd(_) => "ExporterAdd",
            Self::ExporterRemove(_) => "ExporterRemove",
            Self::ExporterPolicy { .. } => "ExporterPolicy",
            Self::ExporterResync { .. } => "ExporterResync",
            Self::Feed(_) => "Feed",
            Self::Query(_) => "Query",
            Self::PipeAdd(_) => "PipeAdd",
            Self::PipePolicy { .. } => "PipePolicy",
            Self::OwnRoutes { .. } => "OwnRoutes",
            Self::PipeRemove(_) => "PipeRemove",
            Self::Recheck { .. } => "Recheck",
            Self::Partial { .. } => "Partial",
            Self::Resolved(_) => "Resolved",
            Self::Watch { .. } => "Watch",
            Self::Unwatch { .. } => "Unwatch",
            Self::Walk(_) => "Walk",
            Self::FilterCounters(_) => "FilterCounters",
            Self::Assess(_) => "Assess",
            Self::Statistics(_) => "Statistics",
        })
    }
}

/// What a slice does about counting what filters do.
pub enum FilterCounting {
    /// Begins, from nothing, or stops and forgets.
    Switch(bool),
    /// Tells what it has counted; nothing if it does not count. Called from the slice's loop: send a
    /// message, return.
    Read(Box<dyn FnOnce(Option<Counters>) + Send>),
}

impl fmt::Debug for FilterCounting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Switch(on) => f.debug_tuple("Switch").field(on).finish(),
            Self::Read(_) => f.write_str("Read"),
        }
    }
}

/// One direction of a pipe between two tables. It stays inside the slice.
#[derive(Clone)]
pub struct Pipe {
    /// Unique over the daemon; the two directions of one pipe have different ids.
    pub id: PipeId,
    /// The protocol instance: routes of one direction never come back through the other.
    pub instance: u32,
    /// Where routes are taken from.
    pub from: TableId,
    /// Where they are put.
    pub to: TableId,
    /// What passes.
    pub policy: Arc<dyn ExportPolicy>,
    /// Counted as an import into `to`.
    pub counters: Arc<crate::counters::ImportCounters>,
    /// Routes in `to` that came through.
    pub gauges: Arc<crate::counters::ImportGauges>,
    /// Pipes that a route may pass at most.
    pub max_generation: u8,
    /// Routes that may be in `to`, over all slices.
    pub limit: Arc<crate::limits::Limit>,
    /// Told that the limit is exceeded, once until it is renewed.
    pub exceeded: Arc<dyn Fn() + Send + Sync>,
    /// What is traced of what passes.
    pub trace: Option<PipeTrace>,
}

/// What is traced of one direction of a pipe.
#[derive(Clone, Debug)]
pub struct PipeTrace {
    /// The pipe's flags and where the lines go.
    pub trace: Arc<RouteTrace>,
    /// It is the direction that the pipe calls export.
    pub exports: bool,
}

impl fmt::Debug for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipe")
            .field("id", &self.id)
            .field("from", &self.from)
            .field("to", &self.to)
            .finish_non_exhaustive()
    }
}

/// Sizes and counts of one slice.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct SliceStatistics {
    /// Per table: id, networks, routes.
    pub tables: Vec<TableStatistics>,
    /// Bytes of networks, routes, indices and Adj-RIB-Out.
    pub table_bytes: usize,
    /// Bytes of attribute handles, next hops.
    pub attribute_bytes: usize,
}

/// Counts of one table in one slice.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct TableStatistics {
    /// The table.
    pub id: u16,
    /// Networks.
    pub networks: usize,
    /// Routes, rejected ones included.
    pub routes: usize,
    /// Attribute sets.
    pub attribute_sets: usize,
}
