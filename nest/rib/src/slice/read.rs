//! Reading a table: walks, lookups, watches.

use std::collections::BTreeSet;
use std::net::IpAddr;

use dunlin_attr::{AttrId, Value};
use dunlin_net::Prefix;
use dunlin_runtime::Time;
use dunlin_runtime::kit::budget::{Budget, Pieces};
use dunlin_runtime::kit::walk::{Below, Walk as Steps};

use super::attrs::NIL;
use super::policy::hop_for_filters;
use super::table::{Env, Route, Table};
use crate::import::TableKey;
use crate::resolver::{WatchMatch, WatchReport};
use crate::walk::{NetRows, Received, RouteRow, Shown, Walk, WalkCounts, WalkReply, WalkRequest};

/// Nanoseconds in a unit of [`Route::changed`](super::table::Route).
pub(crate) const TICK: u64 = 10_000_000;

/// The time that a number of [`TICK`]s stands for.
pub(crate) fn time_of(ticks: u32) -> Time {
    Time::from_nanos(u64::from(ticks) * TICK)
}

/// Network records looked at for one reply, so that a walk that finds nothing stays short.
const RECORDS_PER_REPLY: u32 = 8192;
/// Routes in one reply, or those of one network.
const ROUTES_PER_REPLY: usize = 1024;
/// Network records counted in one piece.
const RECORDS_PER_COUNT: u32 = 2048;

/// What a piece has done, from which follows what it cost.
#[derive(Default)]
struct Effort {
    /// Records looked at.
    records: u32,
    /// Routes that were put into the answer.
    rows: u32,
}

impl Effort {
    /// In units of what it takes to import a route, about.
    fn units(&self) -> u32 {
        ANSWER + self.records / 32 + self.rows / 4
    }
}

/// What it takes to answer at all, in units.
const ANSWER: u32 = 8;

impl<K: TableKey> Table<K> {
    /// Answers a walk; with the units of reading that it took.
    pub(crate) fn walk(
        &self,
        walk: &Walk,
        max_nets: u32,
        shown: Shown,
        env: &Env<'_>,
    ) -> (WalkReply, u32) {
        let one = |net: Option<u32>| WalkReply {
            nets: net.and_then(|net| self.rows(net, shown, env)).into_iter().collect(),
            ..WalkReply::default()
        };
        let mut effort = Effort::default();
        let reply = match walk {
            Walk::All { cursor } => {
                self.walk_from(None, *cursor, max_nets, shown, &mut effort, env)
            }
            Walk::In { prefix, cursor } => {
                self.walk_from(Some(*prefix), *cursor, max_nets, shown, &mut effort, env)
            }
            Walk::Exact(net) => one(K::from_network(*net).and_then(|key| self.find_net(key))),
            Walk::For(address) => one(self.longest(Prefix::host(*address), shown, env)),
            Walk::ForNet(prefix) => one(self.longest(*prefix, shown, env)),
            // Counts are kept by who does the pieces.
            Walk::Count { .. } => WalkReply::default(),
        };
        (reply, effort.units())
    }

    fn walk_from(
        &self,
        inside: Option<Prefix>,
        cursor: u32,
        max_nets: u32,
        shown: Shown,
        effort: &mut Effort,
        env: &Env<'_>,
    ) -> WalkReply {
        let records = Below(self.nets.end());
        let mut reply = WalkReply::default();
        let mut walk = Steps::starting_at(cursor.max(1));
        let mut budget = Pieces(RECORDS_PER_REPLY);
        let mut rows = 0;
        while let Some(at) = walk.advance(&records) {
            effort.records += 1;
            let wanted = is_inside(self.nets[at].key, inside);
            if wanted && let Some(net) = self.rows(at, shown, env) {
                rows += net.rows.len();
                reply.nets.push(net);
            }
            let is_full = reply.nets.len() >= max_nets as usize || rows >= ROUTES_PER_REPLY;
            if budget.is_spent() || is_full {
                reply.next = walk.advance(&records);
                break;
            }
        }
        effort.rows = u32::try_from(rows).unwrap_or(u32::MAX);
        reply
    }

    /// Counts a piece, from record `at` on; where to go on, and the units of reading that it took.
    pub(crate) fn count(
        &self,
        request: &WalkRequest,
        at: u32,
        counts: &mut WalkCounts,
        env: &Env<'_>,
    ) -> (Option<u32>, u32) {
        let Walk::Count { inside, protocol } = &request.walk else { return (None, 0) };
        let records = Below(self.nets.end());
        let mut walk = Steps::starting_at(at.max(1));
        let mut budget = Pieces(RECORDS_PER_COUNT);
        let mut effort = Effort::default();
        let before = counts.routes;
        let mut next = None;
        while let Some(at) = walk.advance(&records) {
            effort.records += 1;
            let net = &self.nets[at];
            if is_inside(net.key, *inside) {
                self.count_net(net.first, request.shown, protocol.as_deref(), counts, env);
            }
            if budget.is_spent() {
                next = walk.advance(&records);
                break;
            }
        }
        let routes = u32::try_from(counts.routes - before).unwrap_or(u32::MAX);
        effort.records = effort.records.saturating_add(routes);
        (next, effort.units())
    }

    fn count_net(
        &self,
        first: u32,
        shown: Shown,
        protocol: Option<&str>,
        counts: &mut WalkCounts,
        env: &Env<'_>,
    ) {
        let mut is_first = true;
        let mut at = first;
        while at != NIL {
            let route = &self.routes[at];
            if self.is_shown(route, shown, env) {
                let source = || &env.sources.at(route.source).source;
                let matches = protocol.is_none_or(|name| *source().protocol == *name);
                counts.routes += 1;
                counts.networks += u64::from(is_first);
                counts.matching += u64::from(matches);
                counts.primary += u64::from(matches && is_first);
                is_first = false;
            }
            at = route.next;
        }
    }

    /// Whether a route is one of those wanted.
    fn is_shown(&self, route: &Route, shown: Shown, env: &Env<'_>) -> bool {
        let rejected = route.accepted == NIL;
        let wanted = match shown {
            Shown::Accepted => !rejected,
            Shown::Rejected => rejected && env.sources.at(route.source).source.keep_filtered,
            Shown::Received => true,
        };
        wanted && !env.sources.is_dead(route.source)
    }

    fn rows(&self, net: u32, shown: Shown, env: &Env<'_>) -> Option<NetRows> {
        let record = self.nets[net];
        let mut rows = Vec::new();
        let mut at = record.first;
        while at != NIL {
            let route = &self.routes[at];
            if self.is_shown(route, shown, env) {
                rows.push(self.row(route, shown, env));
            }
            at = route.next;
        }
        (!rows.is_empty()).then(|| NetRows { net: record.key.network(), rows })
    }

    fn row(&self, route: &Route, shown: Shown, env: &Env<'_>) -> RouteRow {
        let local = env.sources.at(route.source);
        let rejected = route.accepted == NIL;
        let as_received = rejected || shown == Shown::Received;
        let set = if as_received { route.received } else { route.accepted };
        RouteRow {
            attrs: self.sets.set(set).clone(),
            source: local.source.clone(),
            path_id: route.path_id,
            best: route.flags & super::table::BEST != 0,
            rejected,
            changed: time_of(route.changed),
            next_hop: self.hop_state(set),
            pipe: self.pipes.inward(route.via).map(|pipe| pipe.instance),
            received: (shown == Shown::Received).then(|| {
                Box::new(Received {
                    filter: local.filter.clone(),
                    hop: hop_for_filters(self.hop_of(set)),
                })
            }),
        }
    }

    /// The longest network that contains a prefix and has something to show.
    fn longest(&self, prefix: Prefix, shown: Shown, env: &Env<'_>) -> Option<u32> {
        (0..=prefix.len()).rev().find_map(|len| {
            let key = K::from_network(Prefix::new(prefix.addr(), len)?.into())?;
            let net = self.find_net(key)?;
            self.rows(net, shown, env).is_some().then_some(net)
        })
    }

    /// Tells the resolver of the longest match of an address.
    pub(crate) fn report(&self, address: IpAddr, env: &mut Env<'_>) {
        let host = Prefix::host(address);
        let found = (0..=host.len()).rev().find_map(|len| {
            let key = K::from_network(Prefix::new(address, len)?.into())?;
            let route = self.best(self.find_net(key)?)?;
            let set = self.routes[route].accepted;
            // A route that is itself recursive does not resolve others.
            let recursive = self.sets.entry(set).hop != NIL
                && matches!(
                    env.sources.at(self.routes[route].source).source.resolve,
                    crate::Resolve::Recursive { .. }
                );
            (!recursive).then(|| WatchMatch {
                prefix: key.prefix(),
                metric: igp_metric(self.sets.set(set)),
                dest: self.sets.set(set).dest(),
                state: self.hop_state(set),
            })
        });
        env.reports.push(WatchReport { slice: env.slice, table: self.id, address, found });
    }

    /// Reports the watched addresses inside networks whose best routes have changed, once all are
    /// decided.
    pub(crate) fn report_watches(&mut self, env: &mut Env<'_>) {
        if self.watched_changes.is_empty() {
            return;
        }
        let mut addresses = BTreeSet::new();
        for key in core::mem::take(&mut self.watched_changes) {
            let prefix = key.prefix();
            let watched = self.watches.range(prefix.addr()..);
            addresses.extend(watched.take_while(|address| prefix.contains_addr(**address)));
        }
        for address in addresses {
            self.report(address, env);
        }
    }
}

/// Whether a network is inside a prefix, if there is one.
fn is_inside<K: TableKey>(key: K, outer: Option<Prefix>) -> bool {
    outer.is_none_or(|outer| key.network().prefix().is_some_and(|prefix| outer.contains(prefix)))
}

/// The metric that a route has inside the IGP, for those that are resolved through it.
fn igp_metric(attrs: &dunlin_attr::Attrs) -> u32 {
    match attrs.extra_value(&AttrId::IgpMetric) {
        Some(Value::Int(metric)) => *metric,
        _ => 0,
    }
}
