//! Who a route came from.

use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};
use std::net::IpAddr;
use std::sync::Arc;

use dunlin_attr::Rts;
use dunlin_filter::ChannelFilter;

use crate::counters::{ImportCounters, ImportGauges};
use crate::limits::{ImportLimits, LimitKind, TooMany};
use crate::trace::RouteTrace;
use crate::{SourceId, TableId};

/// The neighbour behind a source, as best-route selection and filters see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its address.
    pub address: IpAddr,
    /// The interface it is on, if directly connected.
    pub interface: Option<u32>,
    /// Its BGP identifier.
    pub router_id: u32,
    /// Its AS.
    pub asn: u32,
    /// Our AS on the session.
    pub local_asn: u32,
    /// Same AS on both sides.
    pub internal: bool,
    /// The cluster that it is in, if it is a client of ours as a route reflector (RFC 4456).
    pub cluster: Option<u32>,
    /// It is a client of ours as a route server (RFC 7947).
    pub rs_client: bool,
}

/// How a BGP next hop of this source is resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resolve {
    /// Not at all: the route brings its own hops.
    Never,
    /// It must be on a connected network, on `interface` if given.
    Direct {
        /// Interface index to look at.
        interface: Option<u32>,
    },
    /// Through the best route of a table.
    Recursive {
        /// The IGP table.
        table: TableId,
    },
}

/// Options of best-route selection that a source brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// Compare AS path lengths.
    pub path_metric: bool,
    /// Compare MEDs across neighbour ASes.
    pub med_metric: bool,
    /// Compare IGP metrics.
    pub igp_metric: bool,
    /// Compare MEDs among the routes of one neighbour AS before anything else.
    pub deterministic_med: bool,
    /// Prefer the route that is already there.
    pub prefer_older: bool,
    /// Local preference where the attribute is absent.
    pub default_local_pref: u32,
    /// MED where the attribute is absent.
    pub default_med: u32,
}

impl Default for Order {
    fn default() -> Self {
        Self {
            path_metric: true,
            med_metric: false,
            igp_metric: true,
            deterministic_med: false,
            prefer_older: false,
            default_local_pref: 100,
            default_med: 0,
        }
    }
}

/// Told by slices what a protocol must act on. Calls come from slice loops: send a message, return.
pub trait ChannelEvents: Send + Sync {
    /// A limit was exceeded; called once until the limit is renewed.
    fn limit_hit(&self, source: SourceId, kind: LimitKind);
    /// There is no room for the source: its routes are dropped. Called once for a source. Who does
    /// nothing else about it has it logged as an error.
    fn refused(&self, source: SourceId, why: TooMany) {
        self.filter_error(source, &format!("Channel refused: {why}"));
    }
    /// A filter failed at run time and the route was rejected.
    fn filter_error(&self, source: SourceId, message: &str);
    /// A filter printed something.
    fn filter_print(&self, source: SourceId, text: &str);
    /// Whether what filters print is wanted now.
    fn wants_prints(&self) -> bool {
        true
    }
}

/// One incarnation of an import channel. Its id is its epoch: when the session goes down the source
/// is [killed](Self::kill) and whatever it still has under way is dropped.
pub struct Source {
    /// Unique while any route of it remains.
    pub id: SourceId,
    /// The table it feeds.
    pub table: TableId,
    /// Name of the protocol instance.
    pub protocol: Arc<str>,
    /// Kind of the routes.
    pub kind: Rts,
    /// The neighbour, if there is one.
    pub peer: Option<Peer>,
    /// How next hops are resolved.
    pub resolve: Resolve,
    /// Best-route options.
    pub order: Order,
    /// Rejected routes are shown by `show route filtered`.
    pub keep_filtered: bool,
    /// The import filter at the start; later ones come by message.
    pub import: ChannelFilter,
    /// Preference set before the import filter.
    pub preference: u32,
    /// Limits.
    pub limits: ImportLimits,
    /// Counters, kept over incarnations.
    pub counters: Arc<ImportCounters>,
    /// Route counts of this incarnation.
    pub gauges: Arc<ImportGauges>,
    /// Whom to tell of limits and filter errors.
    pub events: Arc<dyn ChannelEvents>,
    /// What is traced of its routes.
    pub trace: Option<Arc<RouteTrace>>,
    /// Its filter runs again when ROA or ASPA tables change that it asks. Written by the protocol, read by
    /// slices (`Relaxed`: publishes nothing but itself).
    rpki_reload: AtomicBool,
    /// False once the session is gone. Written once by the session's loop, read by slices (`Relaxed`:
    /// publishes nothing but itself).
    alive: AtomicBool,
    /// It was told that there is no room for it. Set by the first slice that has none (`Relaxed`:
    /// publishes nothing but itself).
    refused: AtomicBool,
}

/// What [`Source::new`] needs.
#[derive(Clone)]
pub struct SourceSpec {
    /// See [`Source::id`].
    pub id: SourceId,
    /// See [`Source::table`].
    pub table: TableId,
    /// See [`Source::protocol`].
    pub protocol: Arc<str>,
    /// See [`Source::kind`].
    pub kind: Rts,
    /// See [`Source::events`].
    pub events: Arc<dyn ChannelEvents>,
}

impl fmt::Debug for SourceSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceSpec")
            .field("id", &self.id)
            .field("protocol", &self.protocol)
            .finish_non_exhaustive()
    }
}

impl Source {
    /// A living source that accepts everything, with no neighbour and no limits; callers set the
    /// public fields they need before sharing it.
    pub fn new(spec: SourceSpec) -> Self {
        Self {
            id: spec.id,
            table: spec.table,
            protocol: spec.protocol,
            kind: spec.kind,
            peer: None,
            resolve: Resolve::Never,
            order: Order::default(),
            keep_filtered: false,
            import: ChannelFilter::Accept,
            preference: 0,
            limits: ImportLimits::default(),
            counters: Arc::default(),
            gauges: Arc::default(),
            events: spec.events,
            trace: None,
            rpki_reload: AtomicBool::new(true),
            alive: AtomicBool::new(true),
            refused: AtomicBool::new(false),
        }
    }

    /// The session is gone: slices ignore what this source sent and has.
    pub fn kill(&self) {
        self.alive.store(false, Ordering::Relaxed);
    }

    /// Tells the protocol that there is no room for the source, unless it has been told.
    pub(crate) fn refuse(&self, why: TooMany) {
        if !self.refused.swap(true, Ordering::Relaxed) {
            self.events.refused(self.id, why);
        }
    }

    /// Whether its filter runs again when ROA or ASPA tables change that it asks: at first it does.
    pub fn set_rpki_reload(&self, on: bool) {
        self.rpki_reload.store(on, Ordering::Relaxed);
    }

    /// See [`set_rpki_reload`](Self::set_rpki_reload).
    pub(crate) fn rpki_reload(&self) -> bool {
        self.rpki_reload.load(Ordering::Relaxed)
    }

    /// Whether the session lives.
    pub fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("id", &self.id)
            .field("protocol", &self.protocol)
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}
