//! The verdicts of all groups on one route, each distinct policy asked once.

use super::Exports;
use crate::export::{ExportVerdict, RouteView};
use crate::import::TableKey;
use crate::slice::decide::Best;
use crate::slice::hops;
use crate::slice::read::time_of;
use crate::slice::table::{Env, Table};

/// What a policy said of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Refused,
    Filtered,
    AsIs,
    /// A held set.
    Changed(u32),
}

impl Verdict {
    /// What is sent of a route.
    pub(super) fn result(self, best: Best) -> Option<Best> {
        match self {
            Self::AsIs => Some(best),
            Self::Changed(set) => Some(Best { set, source: best.source }),
            Self::Refused | Self::Filtered => None,
        }
    }
}

/// The verdicts of all groups on one route.
#[derive(Debug, Default)]
pub(super) struct Row {
    /// Its set is held.
    route: Option<Best>,
    /// One per group, held if they are sets.
    pub(super) verdicts: Vec<Verdict>,
    /// All of them hold for every network.
    reusable: bool,
    pub(super) all_as_is: bool,
    pub(super) all_none: bool,
}

impl Row {
    pub(super) fn is_empty(&self) -> bool {
        self.route.is_none() && self.verdicts.is_empty()
    }
}

impl<K: TableKey> Table<K> {
    /// Gets the verdicts of all groups on a network's best route, from the last time where that
    /// serves.
    pub(super) fn load_row(&mut self, net: u32, best: Option<Best>, env: &mut Env<'_>) {
        let Some(best) = best else {
            self.clear_row(env);
            self.exports.row.all_none = true;
            self.exports.row.all_as_is = false;
            return;
        };
        let same = self.exports.row.route == Some(best);
        if same && self.exports.row.reusable {
            self.exports.remembered += self.exports.live;
            return;
        }
        if !same {
            self.clear_row(env);
            self.sets.hold(best.set);
            self.exports.row.route = Some(best);
        }
        let mut former = core::mem::take(&mut self.exports.row.verdicts);
        let mut verdicts = Vec::with_capacity(self.exports.groups.len());
        for index in 0..self.exports.groups.len() {
            let verdict = self.verdict_of(index, net, best, former.get(index), &verdicts, env);
            verdicts.push(verdict);
        }
        for verdict in former.drain(..) {
            self.release_verdict(verdict, env);
        }
        self.exports.finish_row(verdicts);
    }

    /// One group's verdict, with a reference of its own.
    fn verdict_of(
        &mut self,
        index: usize,
        net: u32,
        best: Best,
        former: Option<&Verdict>,
        earlier: &[Verdict],
        env: &mut Env<'_>,
    ) -> Verdict {
        let Some(slot) = &mut self.exports.groups[index] else { return Verdict::Refused };
        let known = match former {
            Some(former) if slot.ignores_net => Some(*former),
            _ => earlier.get(slot.same_as).copied(),
        };
        let Some(known) = known else {
            slot.evaluations += 1;
            return self.evaluate(index, net, best, env);
        };
        self.exports.remembered += 1;
        if let Verdict::Changed(set) = known {
            self.sets.hold(set);
        }
        known
    }

    /// Forgets the remembered verdicts.
    pub(crate) fn clear_row(&mut self, env: &mut Env<'_>) {
        if let Some(best) = self.exports.row.route.take() {
            self.release(best.set, env);
        }
        let mut verdicts = core::mem::take(&mut self.exports.row.verdicts);
        for verdict in verdicts.drain(..) {
            self.release_verdict(verdict, env);
        }
        self.exports.row.verdicts = verdicts;
        self.exports.row.reusable = false;
    }

    fn release_verdict(&mut self, verdict: Verdict, env: &mut Env<'_>) {
        if let Verdict::Changed(set) = verdict {
            self.release(set, env);
        }
    }

    fn evaluate(&mut self, group: usize, net: u32, best: Best, env: &mut Env<'_>) -> Verdict {
        let Some(slot) = &self.exports.groups[group] else { return Verdict::Refused };
        let source = &env.sources.at(best.source).source;
        let next_hop = self.hop_state(best.set);
        let view = RouteView {
            net: self.nets[net].key.prefix(),
            attrs: self.sets.set(best.set),
            source,
            next_hop: &next_hop,
            changed: time_of(self.best(net).map_or(0, |route| self.routes[route].changed)),
        };
        match slot.exporter.policy.evaluate(env.scratch, view) {
            ExportVerdict::Refused => Verdict::Refused,
            ExportVerdict::Filtered => Verdict::Filtered,
            ExportVerdict::AsIs => Verdict::AsIs,
            ExportVerdict::Changed(set) => {
                // The changed set leads where the route's own does, unless the policy gave it
                // another next hop; that one needs no resolution to be sent.
                let resolve = source.resolve;
                let own = hops::wanted(self.sets.set(best.set), resolve);
                let kept = own.is_some() && hops::wanted(&set, resolve) == own;
                let resolve = if kept { resolve } else { crate::Resolve::Never };
                Verdict::Changed(self.intern(&set, resolve, env))
            }
        }
    }
}

impl<K> Exports<K> {
    fn finish_row(&mut self, verdicts: Vec<Verdict>) {
        let live = || verdicts.iter().zip(&self.groups).filter(|(_, slot)| slot.is_some());
        let refuses = |verdict: &Verdict| matches!(verdict, Verdict::Refused | Verdict::Filtered);
        self.row.all_as_is = live().all(|(verdict, _)| *verdict == Verdict::AsIs);
        self.row.all_none = live().all(|(verdict, _)| refuses(verdict));
        self.row.reusable = self.groups.iter().flatten().all(|slot| slot.ignores_net);
        self.row.verdicts = verdicts;
    }
}
