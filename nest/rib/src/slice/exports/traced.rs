//! What export groups hear that are traced: what became of each network, with the route and who decided.

use core::sync::atomic::Ordering;
use std::sync::Arc;

use super::row::Verdict;
use super::{Exports, Slot};
use crate::export::OutRoute;
use crate::import::TableKey;
use crate::slice::decide::{Best, Change};
use crate::slice::table::{Env, Table};
use crate::trace::{Became, Policy, Told, flags_of};

impl<K> Slot<K> {
    fn is_traced(&self) -> bool {
        self.exporter.sharing.traced.load(Ordering::Relaxed) != 0
    }
}

impl<K: TableKey> Exports<K> {
    /// Whether some group is traced.
    pub(crate) fn is_traced(&self) -> bool {
        self.groups.iter().flatten().any(Slot::is_traced)
    }

    /// Whether this one is.
    pub(crate) fn is_group_traced(&self, group: usize) -> bool {
        self.groups.get(group).and_then(Option::as_ref).is_some_and(Slot::is_traced)
    }
}

/// What groups held of a network, with the routes: what is withdrawn may be gone afterwards.
pub(crate) struct Former {
    held: Vec<Option<Best>>,
    routes: Vec<Option<OutRoute>>,
}

impl<K: TableKey> Table<K> {
    /// Whether the table is traced, or some group that it is exported to.
    pub(crate) fn is_traced(&self) -> bool {
        flags_of(self.trace.as_ref()) != 0 || self.exports.is_traced()
    }

    /// Before a change is exported. It stays beside [`export_change`](Self::export_change), which is for all.
    #[cold]
    pub(crate) fn former(&mut self, net: u32, change: Change, env: &Env<'_>) -> Former {
        self.load_old(net, change.old);
        let held = self.exports.old.clone();
        let route_of = |best: &Option<Best>| best.map(|best| self.out_route(best, env));
        Former { routes: held.iter().map(route_of).collect(), held }
    }

    /// Says that the network has another best route, and notes what has become of it at groups that are traced.
    #[cold]
    pub(crate) fn note_change(&mut self, net: u32, change: Change, former: Former, env: &Env<'_>) {
        self.say_best(net, change, env);
        self.load_old(net, change.new);
        let after = self.exports.old.clone();
        let Former { held, routes } = former;
        for (group, (old, former)) in held.into_iter().zip(routes).enumerate() {
            let new = after.get(group).copied().flatten();
            let became = match (old, new) {
                (None, Some(_)) => Some(Became::Added),
                (Some(old), Some(new)) => (old != new || change.forced).then_some(Became::Replaced),
                (Some(_), None) => Some(Became::Removed),
                (None, None) => None,
            };
            let route = match became {
                Some(Became::Removed) => former,
                _ => new.map(|best| self.out_route(best, env)),
            };
            self.note_told(net, group, became, route, 0, env);
            let is_news = change.is_news() || old.is_some();
            if new.is_none() && change.new.is_some() && is_news {
                let route = change.new.map(|best| self.out_route(best, env));
                self.note_told(net, group, self.rejection(group), route, 0, env);
            }
        }
    }

    /// Notes what a feed has said of a network.
    #[cold]
    pub(crate) fn note_fed(&mut self, net: u32, group: usize, token: u32, env: &Env<'_>) {
        let best = self.best_pair(net);
        let held = self.held_by(net, group, best);
        let became = if held.is_some() { Some(Became::Added) } else { self.rejection(group) };
        let route = held.or(best).map(|best| self.out_route(best, env));
        self.note_told(net, group, became, route, token, env);
    }

    /// Why a group does not get the best route.
    fn rejection(&self, group: usize) -> Option<Became> {
        Some(match self.exports.row.verdict(group)? {
            Verdict::Refused => Became::Refused,
            Verdict::Filtered => Became::Filtered,
            Verdict::AsIs | Verdict::Changed(_) => Became::Limited,
        })
    }

    fn note_told(
        &mut self,
        net: u32,
        group: usize,
        became: Option<Became>,
        route: Option<OutRoute>,
        token: u32,
        env: &Env<'_>,
    ) {
        let changed = self.best_changed(net);
        let net = self.nets[net].key.network();
        let (Some(became), Some(route)) = (became, route) else { return };
        let Some(Some(slot)) = self.exports.groups.get_mut(group) else { return };
        if slot.is_traced() {
            let by_policy = matches!(became, Became::Refused | Became::Filtered);
            let policy = by_policy.then(|| Policy {
                policy: Arc::clone(&slot.exporter.policy),
                validated: Arc::clone(env.validated),
            });
            slot.told.push(Told { net, became, route, changed, token, policy });
        }
    }
}
