//! What a change of best route means to groups and followers.

use std::sync::Arc;

use super::held::Out;
use super::row::Verdict;
use super::{Exports, Slot};
use crate::ExporterId;
use crate::export::{OutRoute, To};
use crate::import::TableKey;
use crate::slice::decide::{Best, Change};
use crate::slice::table::{Env, Table};

impl<K: TableKey> Table<K> {
    /// Tells all followers, or one, of a network's best route.
    pub(crate) fn tell_followers(
        &mut self,
        net: u32,
        best: Option<Best>,
        only: Option<ExporterId>,
        env: &Env<'_>,
    ) {
        if self.exports.followers.is_empty() {
            return;
        }
        let key = self.nets[net].key;
        let route = best.map(|best| (best, self.out_route(best, env)));
        for slot in &mut self.exports.followers {
            if only.is_some_and(|only| only != slot.exporter.id) {
                continue;
            }
            match &route {
                Some((best, route)) => slot.announce(key, *best, To::All, Some(route.clone())),
                None => slot.withdraw(key, To::All),
            }
        }
    }

    /// The values behind a route.
    pub(super) fn out_route(&self, best: Best, env: &Env<'_>) -> OutRoute {
        OutRoute {
            attrs: Arc::clone(self.sets.set(best.set)),
            source: Arc::clone(&env.sources.at(best.source).source),
            next_hop: self.hop_state(best.set),
        }
    }

    /// Finds what groups must hear of a network whose best route may have changed.
    pub(crate) fn export_change(&mut self, net: u32, change: Change, env: &mut Env<'_>) {
        let out = self.out(net);
        if self.exports.live == 0 {
            if out != Out::Nobody {
                self.set_out(net, Out::Nobody, env);
            }
            return;
        }
        self.load_row(net, change.new, env);
        let row = &self.exports.row;
        if row.all_none && out == Out::Nobody && !self.exports.resyncing {
            if change.is_news() {
                self.exports.count_refusals(change);
            }
            return;
        }
        // As when each group holds something else: those that keep theirs are looked at by themselves.
        let list = matches!(out, Out::List(_)) || self.exports.rechecking;
        match change.new {
            Some(best) if row.all_as_is && !self.exports.limited && !list => {
                self.export_best(net, change, best, env);
            }
            _ => self.export_each(net, change, env),
        }
    }

    /// The common case: everybody gets the best route as it is.
    fn export_best(&mut self, net: u32, change: Change, best: Best, env: &mut Env<'_>) {
        let held = match self.out(net) {
            Out::AsBest(generation) => Some(generation),
            _ => None,
        };
        let same = change.old == Some(best) && !change.forced;
        let all_hold_it = same && held.is_some_and(|generation| generation >= self.exports.newest);
        if all_hold_it && !(change.moved && self.exports.is_feeding()) {
            return;
        }
        let moved = change.old.is_some_and(|old| old.source != best.source);
        let key = self.nets[net].key;
        let route = self.fresh_route(best, env);
        for slot in self.exports.groups.iter_mut().flatten() {
            let had = held.is_some_and(|generation| slot.added <= generation);
            if had && same && !(slot.feeding && change.moved) {
                continue;
            }
            slot.delta.updates_received += u64::from(!(had && same));
            slot.delta.updates_accepted += 1;
            slot.exported += i64::from(!had);
            slot.tally.announced(change.old.filter(|_| had), best);
            let other = (had && moved) || slot.resyncs > 0;
            let to = if other { To::AllWithdrawSource } else { To::All };
            slot.announce(key, best, to, route.clone());
        }
        self.set_out(net, Out::AsBest(self.exports.generation), env);
    }

    /// The values behind a route, unless every group has them at hand already.
    fn fresh_route(&self, best: Best, env: &Env<'_>) -> Option<OutRoute> {
        let known = self.exports.groups.iter().flatten().all(|slot| slot.last == Some(best));
        (!known).then(|| self.out_route(best, env))
    }

    /// The general case: each group for itself.
    fn export_each(&mut self, net: u32, change: Change, env: &mut Env<'_>) {
        self.load_old(net, change.old);
        let mut results = core::mem::take(&mut self.exports.new);
        results.clear();
        for index in 0..self.exports.groups.len() {
            results.push(self.export_to(index, net, change, env));
        }
        self.store_out(net, change.new, &results, env);
        self.exports.new = results;
    }

    /// Queues what one group must hear; returns what it holds from now on.
    fn export_to(&mut self, group: usize, net: u32, change: Change, env: &Env<'_>) -> Option<Best> {
        let key = self.nets[net].key;
        let old = self.exports.old.get(group).copied().flatten();
        let slot = self.exports.groups[group].as_ref()?;
        if slot.keeps && !change.is_news() && !(slot.feeding && change.moved) {
            return old;
        }
        let verdict = self.exports.row.verdict(group).unwrap_or(Verdict::Refused);
        let result = change.new.and_then(|best| verdict.result(best));
        let slot = self.exports.groups[group].as_mut()?;
        if change.is_news() || result != old {
            slot.count_change(change, verdict);
        }
        let result = result.filter(|_| old.is_some() || slot.admit());
        let last = slot.last;
        let again = change.forced || (slot.feeding && change.moved);
        let resync = slot.resyncs > 0;
        match result {
            Some(best) if old == Some(best) && !again => {}
            Some(best) => {
                let route = (last != Some(best)).then(|| self.out_route(best, env));
                let slot = self.exports.groups[group].as_mut()?;
                slot.delta.updates_accepted += 1;
                slot.tally.announced(old, best);
                let moved = old.is_some_and(|old| old.source != best.source);
                let to = if moved || resync { To::AllWithdrawSource } else { To::All };
                slot.announce(key, best, to, route);
            }
            None => {
                if let Some(old) = old {
                    slot.delta.withdraws_accepted += 1;
                    slot.tally.withdrawn(old);
                    slot.dismiss();
                }
                // If not, somebody may hold another group's route.
                if old.is_some() || (resync && change.moved) {
                    slot.withdraw(key, To::All);
                }
            }
        }
        result
    }
}

impl<K> Slot<K> {
    fn count_change(&mut self, change: Change, verdict: Verdict) {
        let delta = &mut self.delta;
        if change.new.is_none() {
            delta.withdraws_received += 1;
            return;
        }
        delta.updates_received += 1;
        match verdict {
            Verdict::Refused => delta.updates_rejected += 1,
            Verdict::Filtered => delta.updates_filtered += 1,
            Verdict::AsIs | Verdict::Changed(_) => {}
        }
    }
}

impl<K> Exports<K> {
    /// Nobody held the network and nobody takes it.
    fn count_refusals(&mut self, change: Change) {
        for (index, slot) in self.groups.iter_mut().enumerate() {
            if let Some(slot) = slot {
                let verdict = self.row.verdict(index);
                slot.count_change(change, verdict.unwrap_or(Verdict::Refused));
            }
        }
    }
}
