//! Reading a table: walks, lookups, watches.

use std::collections::BTreeSet;
use std::net::IpAddr;

use dunlin_attr::{AttrId, Value};
use dunlin_net::Prefix;
use dunlin_runtime::Time;
use dunlin_runtime::kit::budget::{Budget, Pieces};
use dunlin_runtime::kit::walk::{Below, Walk as Steps};

use super::attrs::NIL;
use super::pipes::NO_PIPE;
use super::policy::hop_for_filters;
use super::table::{Env, Table};
use crate::import::TableKey;
use crate::resolver::{WatchMatch, WatchReport};
use crate::walk::{NetRows, Received, RouteRow, Shown, Walk, WalkReply};

/// Nanoseconds in a unit of [`Route::changed`](super::table::Route).
pub(crate) const TICK: u64 = 10_000_000;

/// The time that a number of [`TICK`]s stands for.
pub(crate) fn time_of(ticks: u32) -> Time {
    Time::from_nanos(u64::from(ticks) * TICK)
}

/// Network records looked at for one reply, so that a walk that finds nothing stays short.
const RECORDS_PER_REPLY: u32 = 8192;

impl<K: TableKey> Table<K> {
    /// Answers a walk.
    pub(crate) fn walk(&self, walk: Walk, max_nets: u32, shown: Shown, env: &Env<'_>) -> WalkReply {
        let one = |net: Option<u32>| WalkReply {
            nets: net.and_then(|net| self.rows(net, shown, env)).into_iter().collect(),
            next: None,
        };
        match walk {
            Walk::All { cursor } => self.walk_from(None, cursor, max_nets, shown, env),
            Walk::In { prefix, cursor } => {
                self.walk_from(Some(prefix), cursor, max_nets, shown, env)
            }
            Walk::Exact(prefix) => one(K::from_prefix(prefix).and_then(|key| self.find_net(key))),
            Walk::For(address) => one(self.longest(Prefix::host(address), shown, env)),
            Walk::ForNet(prefix) => one(self.longest(prefix, shown, env)),
        }
    }

    fn walk_from(
        &self,
        inside: Option<Prefix>,
        cursor: u32,
        max_nets: u32,
        shown: Shown,
        env: &Env<'_>,
    ) -> WalkReply {
        let records = Below(self.nets.end());
        let mut reply = WalkReply::default();
        let mut walk = Steps::starting_at(cursor.max(1));
        let mut budget = Pieces(RECORDS_PER_REPLY);
        while let Some(at) = walk.advance(&records) {
            let wanted = inside.is_none_or(|prefix| prefix.contains(self.nets[at].key.prefix()));
            if wanted {
                reply.nets.extend(self.rows(at, shown, env));
            }
            if budget.is_spent() || reply.nets.len() >= max_nets as usize {
                reply.next = walk.advance(&records);
                break;
            }
        }
        reply
    }

    fn rows(&self, net: u32, shown: Shown, env: &Env<'_>) -> Option<NetRows> {
        let record = self.nets[net];
        let mut rows = Vec::new();
        let mut at = record.first;
        while at != NIL {
            let route = &self.routes[at];
            let local = env.sources.at(route.source);
            let rejected = route.accepted == NIL;
            let wanted = match shown {
                Shown::Accepted => !rejected,
                Shown::Rejected => rejected && local.source.keep_filtered,
                Shown::Received => true,
            };
            if wanted && !env.sources.is_dead(route.source) {
                let as_received = rejected || shown == Shown::Received;
                let set = if as_received { route.received } else { route.accepted };
                rows.push(RouteRow {
                    attrs: self.sets.set(set).clone(),
                    source: local.source.clone(),
                    path_id: route.path_id,
                    best: route.flags & super::table::BEST != 0,
                    rejected,
                    changed: time_of(route.changed),
                    next_hop: self.hop_state(set),
                    received: (shown == Shown::Received).then(|| {
                        Box::new(Received {
                            filter: local.filter.clone(),
                            hop: hop_for_filters(self.hop_of(set)),
                            piped: route.via != NO_PIPE,
                        })
                    }),
                });
            }
            at = route.next;
        }
        (!rows.is_empty()).then(|| NetRows { net: record.key.prefix(), rows })
    }

    /// The longest network that contains a prefix and has something to show.
    fn longest(&self, prefix: Prefix, shown: Shown, env: &Env<'_>) -> Option<u32> {
        (0..=prefix.len()).rev().find_map(|len| {
            let key = K::from_prefix(Prefix::new(prefix.addr(), len)?)?;
            let net = self.find_net(key)?;
            self.rows(net, shown, env).is_some().then_some(net)
        })
    }

    /// Tells the resolver of the longest match of an address.
    pub(crate) fn report(&self, address: IpAddr, env: &mut Env<'_>) {
        let host = Prefix::host(address);
        let found = (0..=host.len()).rev().find_map(|len| {
            let key = K::from_prefix(Prefix::new(address, len)?)?;
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

/// The metric that a route has inside the IGP, for those that are resolved through it.
fn igp_metric(attrs: &dunlin_attr::Attrs) -> u32 {
    match attrs.extra_value(&AttrId::IgpMetric) {
        Some(Value::Int(metric)) => *metric,
        _ => 0,
    }
}
