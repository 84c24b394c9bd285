//! The verdicts of all groups on one route, each distinct policy asked once; and policies that differ only
//! in constants as often as those make a difference.

use super::Exports;
use crate::export::{ExportVerdict, RouteView};
use crate::import::TableKey;
use crate::slice::attrs::NIL;
use crate::slice::decide::Best;
use crate::slice::hops;
use crate::slice::read::time_of;
use crate::slice::table::{Env, Table};
use crate::slice::verdicts::{Key, Known};

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
    /// As it is remembered.
    fn known(self) -> Known {
        match self {
            Self::Refused => Known { kind: 0, set: NIL },
            Self::Filtered => Known { kind: 1, set: NIL },
            Self::AsIs => Known { kind: 2, set: NIL },
            Self::Changed(set) => Known { kind: 3, set },
        }
    }

    fn of(known: Known) -> Self {
        match known.kind {
            0 => Self::Refused,
            1 => Self::Filtered,
            2 => Self::AsIs,
            _ => Self::Changed(known.set),
        }
    }

    /// What is sent of a route.
    pub(super) fn result(self, best: Best) -> Option<Best> {
        match self {
            Self::AsIs => Some(best),
            Self::Changed(set) => Some(Best { set, source: best.source }),
            Self::Refused | Self::Filtered => None,
        }
    }
}

/// What a policy said, and of what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    pub(super) verdict: Verdict,
    /// It holds for every network with a route of this set and source, in this turn.
    pub(super) any_net: bool,
    /// It does so until the policy changes.
    pub(super) is_lasting: bool,
}

/// The verdicts of all groups on one route.
#[derive(Debug, Default)]
pub(super) struct Row {
    /// Its set is held.
    route: Option<Best>,
    /// One per group, held if they are sets.
    told: Vec<Told>,
    /// Those of another network with the same route, while they are looked through.
    former: Vec<Told>,
    /// All of them hold for every network.
    reusable: bool,
    pub(super) all_as_is: bool,
    pub(super) all_none: bool,
}

impl Row {
    pub(super) fn is_empty(&self) -> bool {
        self.route.is_none() && self.told.is_empty()
    }

    /// What the policy of a group said.
    pub(super) fn verdict(&self, group: usize) -> Option<Verdict> {
        self.told.get(group).map(|told| told.verdict)
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
        self.exports.know_families();
        let mut former = core::mem::take(&mut self.exports.row.former);
        core::mem::swap(&mut former, &mut self.exports.row.told);
        for index in 0..self.exports.groups.len() {
            let holds = former.get(index).filter(|former| former.any_net).copied();
            let told = self.told(index, net, best, holds, env);
            self.exports.row.told.push(told);
        }
        for told in former.drain(..) {
            self.release_verdict(told.verdict, env);
        }
        self.exports.row.former = former;
        self.exports.finish_row();
    }

    /// One group's verdict, with a reference of its own.
    fn told(
        &mut self,
        index: usize,
        net: u32,
        best: Best,
        former: Option<Told>,
        env: &mut Env<'_>,
    ) -> Told {
        let exports = &mut self.exports;
        let Some(slot) = &mut exports.groups[index] else {
            return Told { verdict: Verdict::Refused, any_net: true, is_lasting: false };
        };
        let earlier = exports.row.told.get(slot.same_as).copied();
        let key = slot.is_remembered.then(|| Key {
            filter: slot.number,
            source: env.sources.at(best.source).number,
            set: best.set,
        });
        let known = former.or(earlier).or_else(|| {
            let verdict = Verdict::of(exports.verdicts.get(&self.sets, key?)?);
            Some(Told { verdict, any_net: true, is_lasting: true })
        });
        let Some(told) = known.or_else(|| exports.families.agreed(index)) else {
            slot.evaluations += 1;
            let told = self.evaluate(index, net, best, env);
            self.remember(key, told);
            return told;
        };
        exports.remembered += 1;
        if let Verdict::Changed(set) = told.verdict {
            self.sets.hold(set);
        }
        if known.is_none() {
            self.remember(key, told);
        }
        told
    }

    fn remember(&mut self, key: Option<Key>, told: Told) {
        if let Some(key) = key.filter(|_| told.is_lasting) {
            self.exports.verdicts.put(&self.sets, key, told.verdict.known());
        }
    }

    /// Forgets the remembered verdicts.
    pub(crate) fn clear_row(&mut self, env: &mut Env<'_>) {
        if let Some(best) = self.exports.row.route.take() {
            self.release(best.set, env);
        }
        let mut told = core::mem::take(&mut self.exports.row.told);
        for told in told.drain(..) {
            self.release_verdict(told.verdict, env);
        }
        self.exports.row.told = told;
        self.exports.row.reusable = false;
    }

    fn release_verdict(&mut self, verdict: Verdict, env: &mut Env<'_>) {
        if let Verdict::Changed(set) = verdict {
            self.release(set, env);
        }
    }

    /// Asks a policy, and with it those of its family.
    fn evaluate(&mut self, group: usize, net: u32, best: Best, env: &mut Env<'_>) -> Told {
        let refused = Told { verdict: Verdict::Refused, any_net: false, is_lasting: false };
        let Some(slot) = &self.exports.groups[group] else { return refused };
        let mut family = self.exports.families.take(group);
        let source = &env.sources.at(best.source).source;
        let next_hop = self.hop_state(best.set);
        let view = RouteView {
            net: self.nets[net].key.network(),
            attrs: self.sets.set(best.set),
            source,
            next_hop: &next_hop,
            changed: time_of(self.best(net).map_or(0, |route| self.routes[route].changed)),
            validation: &**env.validated,
        };
        let policy = &slot.exporter.policy;
        env.scratch.look_away();
        let verdict = match &mut family {
            Some(family) => policy.evaluate_for(&mut family.cohort, env.scratch, view),
            None => policy.evaluate(env.scratch, view),
        };
        let is_lasting = slot.is_remembered && env.scratch.seen().is_lasting();
        let any_net = slot.ignores_net || is_lasting;
        let verdict = match verdict {
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
        };
        let told = Told { verdict, any_net, is_lasting };
        if let Some(family) = family {
            self.exports.families.put_back(family, told);
        }
        told
    }
}

impl<K> Exports<K> {
    /// Knows which policies to ask at once, if that is not known.
    fn know_families(&mut self) {
        if !self.families.are_known() {
            let first = self.groups.iter().enumerate().filter_map(|(index, slot)| {
                let slot = slot.as_ref().filter(|slot| slot.same_as == index)?;
                Some((index, &slot.exporter.policy))
            });
            self.families.find(self.groups.len(), first);
        }
        self.families.begin();
    }

    fn finish_row(&mut self) {
        let row = &mut self.row;
        let live = || {
            let told = row.told.iter().zip(&self.groups).filter(|(_, slot)| slot.is_some());
            told.map(|(told, _)| told.verdict)
        };
        let all_as_is = live().all(|verdict| verdict == Verdict::AsIs);
        let all_none =
            live().all(|verdict| matches!(verdict, Verdict::Refused | Verdict::Filtered));
        (row.all_as_is, row.all_none) = (all_as_is, all_none);
        row.reusable = row.told.iter().all(|told| told.any_net);
    }
}
