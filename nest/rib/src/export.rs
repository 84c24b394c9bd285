//! The way out of the tables: policies, and the typed deltas that slices send.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use dunlin_attr::Attrs;
use dunlin_filter::{ChannelFilter, Cohort, Program, RouteInput, Scratch, Validation};
use dunlin_net::{Aspa, Network, Prefix, Prefix4, Prefix6, Roa4, Roa6};
use dunlin_runtime::Time;

use crate::counters::{ExportCounters, ExportDelta};
use crate::import::Burst;
use crate::limits::Limit;
use crate::nexthop::NextHopState;
use crate::trace::Told;
use crate::{ExporterId, SliceId, Source, TableId};

/// A route as export policies and commands see it.
#[derive(Clone, Copy, Debug)]
pub struct RouteView<'a> {
    /// The network.
    pub net: Network,
    /// Attributes after the import filter.
    pub attrs: &'a Arc<Attrs>,
    /// Where it came from.
    pub source: &'a Arc<Source>,
    /// Where its next hop leads.
    pub next_hop: &'a NextHopState,
    /// When the route last changed, rounded down to [`Self::PRECISION`].
    pub changed: Time,
    /// What ROA and ASPA tables say.
    pub validation: &'a dyn Validation,
}

impl<'a> RouteView<'a> {
    /// The route as a filter sees it, with its next hop.
    pub fn input(self, hop: dunlin_filter::ResolvedHop) -> RouteInput<'a> {
        RouteInput {
            net: self.net,
            attrs: self.attrs,
            protocol: &self.source.protocol,
            from: self.source.peer.as_ref().map(|peer| peer.address),
            hop,
            interfaces: self.validation.interfaces(),
            validation: Some(self.validation),
        }
    }
}

impl RouteView<'_> {
    /// How exactly [`Self::changed`] is known.
    pub const PRECISION: Duration = Duration::from_nanos(crate::slice::TICK);
}

/// What a policy says of a route.
#[derive(Clone, Debug)]
pub enum ExportVerdict {
    /// Refused by the protocol's own rules, before the filter.
    Refused,
    /// Rejected by the filter.
    Filtered,
    /// Sent as it is.
    AsIs,
    /// Sent with other attributes.
    Changed(Arc<Attrs>),
}

/// What decides over a route, for commands that tell why.
#[derive(Clone, Copy, Debug)]
pub enum Deciding<'a> {
    /// The protocol's own rules: it is refused, for this reason.
    Rules(&'static str),
    /// A filter, which sees the route like this.
    Filter(&'a ChannelFilter, RouteInput<'a>),
}

/// Decides what is exported: a protocol's own rules, then the channel's filter.
pub trait ExportPolicy: Send + Sync {
    /// Policies with equal keys give equal verdicts; they are evaluated once.
    fn key(&self) -> u64;
    /// The verdict does not depend on the network, so it may be remembered by attribute set and
    /// source.
    fn ignores_net(&self) -> bool;
    /// The verdict.
    fn evaluate(&self, scratch: &mut Scratch, route: RouteView<'_>) -> ExportVerdict;
    /// Whatever the policy asks itself depends on the route's set and source alone, so that only what its
    /// filter looks at, which the scratch knows, decides for what a verdict holds; and a verdict
    /// is worth remembering.
    fn is_remembered(&self) -> bool {
        false
    }
    /// The verdict depends on what this ROA or ASPA table says, and is asked for again when that changes.
    fn rechecks(&self, _table: &str) -> bool {
        false
    }
    /// The filter, if all that the policy does besides is what other policies with the same number do.
    fn filter(&self) -> Option<(u64, &Arc<Program>)> {
        None
    }
    /// As [`evaluate`](Self::evaluate), for a cohort of which the policy's filter is the one that runs.
    fn evaluate_for(
        &self,
        cohort: &mut Cohort,
        scratch: &mut Scratch,
        route: RouteView<'_>,
    ) -> ExportVerdict {
        cohort.part();
        self.evaluate(scratch, route)
    }
    /// What [`evaluate`](Self::evaluate) goes by.
    fn deciding<'a>(&'a self, route: RouteView<'a>) -> Deciding<'a>;
}

/// How an exporter wants its deltas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExporterKind {
    /// Every change of a best route; the policy is not asked and nothing is remembered. Each slice
    /// tells all there is at the start, then marks that with a [`FeedReply`] of token zero.
    Follow,
    /// What changes between the policy's old and new verdicts.
    Group,
}

/// Receives a slice's deltas. Called from slice loops: send a message, return.
pub trait DeltaSink: Send + Sync {
    /// Takes a batch.
    fn deliver(&self, batch: Box<DeltaBatch>);
}

/// Somebody who gets a table's changes.
#[derive(Clone)]
pub struct Exporter {
    /// Unique over the daemon.
    pub id: ExporterId,
    /// The table.
    pub table: TableId,
    /// How deltas are wanted.
    pub kind: ExporterKind,
    /// What is exported.
    pub policy: Arc<dyn ExportPolicy>,
    /// Where deltas go.
    pub sink: Arc<dyn DeltaSink>,
    /// Counters of the group.
    pub counters: Arc<ExportCounters>,
    /// Evaluations and remembered verdicts.
    pub sharing: Arc<SharingCounters>,
    /// Export limit, with whom to tell when it is exceeded.
    pub limit: Option<ExportLimit>,
}

/// An export limit. Its group has one member, whose policy refuses that member's own routes.
#[derive(Clone)]
pub struct ExportLimit {
    /// The limit.
    pub limit: Arc<Limit>,
    /// Named in the event.
    pub source: crate::SourceId,
    /// Whom to tell.
    pub events: Arc<dyn crate::source::ChannelEvents>,
}

impl fmt::Debug for ExportLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExportLimit")
            .field("limit", &self.limit)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Exporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exporter")
            .field("id", &self.id)
            .field("table", &self.table)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// How often work was done once for many. Written by slices and egress (`Relaxed` counts), read by
/// commands and tests.
#[derive(Debug, Default)]
pub struct SharingCounters {
    /// Members now. Written by the egress loop.
    pub members: core::sync::atomic::AtomicU64,
    /// What is traced of some member's routes, at least; see [`crate::trace`]. Set by who changes the
    /// flags of a member and by the egress loop, which also takes back what nobody wants any more; read by
    /// slices once a batch (`Relaxed`: the members' flags order that).
    pub traced: core::sync::atomic::AtomicU32,
    /// Policies evaluated, each counted for the group whose policy it was.
    pub evaluations: core::sync::atomic::AtomicU64,
    /// Verdicts used again instead: remembered of the same set and source, those of an equal policy, or
    /// of one that differs in constants which made no difference. Of all groups of a table, counted for
    /// the first.
    pub remembered: core::sync::atomic::AtomicU64,
    /// UPDATE messages encoded.
    pub updates_encoded: core::sync::atomic::AtomicU64,
    /// Bytes encoded.
    pub bytes_encoded: core::sync::atomic::AtomicU64,
    /// Bytes handed to members.
    pub bytes_delivered: core::sync::atomic::AtomicU64,
    /// Feeds begun.
    pub feeds: core::sync::atomic::AtomicU64,
    /// Members that left the log because they were slow.
    pub members_left_log: core::sync::atomic::AtomicU64,
    /// How often one of them was up to date again and came back to the log.
    pub members_back: core::sync::atomic::AtomicU64,
}

/// One distinct route of a batch.
#[derive(Clone, Debug)]
pub struct OutRoute {
    /// Attributes after the export filter.
    pub attrs: Arc<Attrs>,
    /// Where it came from.
    pub source: Arc<Source>,
    /// Where its next hop leads.
    pub next_hop: NextHopState,
}

/// For whom a delta is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// Everybody but the route's own source; a withdrawal goes to everybody.
    All,
    /// As `All`, and the route's own source gets a withdrawal because it had another's route.
    AllWithdrawSource,
    /// Only those who wait under this token.
    Token(u32),
}

/// A change of what is exported for one network.
#[derive(Clone, Copy, Debug)]
pub struct Delta<K> {
    /// The network.
    pub key: K,
    /// Path identifier (RFC 7911), zero without.
    pub path_id: u32,
    /// Index into the batch's routes, or [`crate::import::NONE`] for a withdrawal.
    pub route: u32,
    /// For whom.
    pub to: To,
}

/// Deltas of one net type.
#[derive(Debug)]
pub enum Deltas {
    /// IPv4.
    V4(Vec<Delta<Prefix4>>),
    /// IPv6.
    V6(Vec<Delta<Prefix6>>),
    /// Origins of IPv4 prefixes.
    Roa4(Vec<Delta<Roa4>>),
    /// Origins of IPv6 prefixes.
    Roa6(Vec<Delta<Roa6>>),
    /// Providers of ASes.
    Aspa(Vec<Delta<Aspa>>),
}

impl Deltas {
    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Self::V4(deltas) => deltas.len(),
            Self::V6(deltas) => deltas.len(),
            Self::Roa4(deltas) => deltas.len(),
            Self::Roa6(deltas) => deltas.len(),
            Self::Aspa(deltas) => deltas.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What a slice sends to an exporter, in the order in which things happened.
#[derive(Debug)]
pub struct DeltaBatch {
    /// The slice.
    pub slice: SliceId,
    /// The exporter.
    pub exporter: ExporterId,
    /// The read burst that this completes a part of.
    pub burst: Option<Burst>,
    /// No news: routes that were there already, evaluated again. News goes first.
    pub again: bool,
    /// Distinct routes.
    pub routes: Vec<OutRoute>,
    /// The changes.
    pub deltas: Deltas,
    /// Set if this answers a feed request, or ends a follower's start.
    pub feed: Option<FeedReply>,
    /// Set if this answers a query.
    pub query: Option<u32>,
    /// What became of networks, if the exporter is traced.
    pub told: Vec<Told>,
}

/// Progress of a feed in one slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedReply {
    /// The request's token.
    pub token: u32,
    /// Band that was asked for.
    pub band: u16,
    /// First band not covered by this reply; [`BANDS`] when all are.
    pub next: u16,
    /// What became of the routes that were gone through.
    pub figures: ExportDelta,
}

/// Attribute sets are fed in this many bands of their content hash.
pub const BANDS: u16 = 256;

/// Asks a slice for what an exporter holds.
#[derive(Clone, Copy, Debug)]
pub struct FeedRequest {
    /// The exporter.
    pub exporter: ExporterId,
    /// Marks the deltas.
    pub token: u32,
    /// First band.
    pub band: u16,
    /// Bands wanted in one reply at most.
    pub bands: u16,
    /// Also say what is *not* exported, for members that may hold older routes.
    pub withdraw_absent: bool,
}

/// Asks a slice for the present state of some networks.
#[derive(Clone, Debug)]
pub struct QueryRequest {
    /// The exporter.
    pub exporter: ExporterId,
    /// Marks the deltas.
    pub token: u32,
    /// The networks, all of this slice.
    pub nets: Vec<Prefix>,
}
