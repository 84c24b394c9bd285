//! Feeds and queries: what one group holds for a network, said to those who wait under a token.

use super::row::Verdict;
use crate::export::To;
use crate::import::TableKey;
use crate::slice::decide::Best;
use crate::slice::table::{Env, Table};

impl<K: TableKey> Table<K> {
    /// Says to those who wait under a token what one group holds for a network.
    pub(crate) fn tell_token(
        &mut self,
        net: u32,
        group: usize,
        token: u32,
        withdraw_absent: bool,
        env: &mut Env<'_>,
    ) {
        let best = self.best_pair(net);
        let to = self.settle_out(net, group, best, env).unwrap_or(To::Token(token));
        let key = self.nets[net].key;
        let result = self.held_by(net, group, best);
        self.count_fed(group, best, result, to == To::Token(token));
        let needed = result.filter(|result| {
            self.exports.groups[group].as_ref().is_some_and(|slot| slot.last != Some(*result))
        });
        let route = needed.map(|best| self.out_route(best, env));
        let Some(slot) = &mut self.exports.groups[group] else { return };
        match result {
            Some(best) => slot.announce(key, best, to, route),
            None if to != To::Token(token) => slot.withdraw(key, To::All),
            None if withdraw_absent => slot.withdraw(key, to),
            None => {}
        }
    }

    /// Counts a route that a feed has come by, unless all members hear of it as of a change.
    fn count_fed(
        &mut self,
        group: usize,
        best: Option<Best>,
        result: Option<Best>,
        for_token: bool,
    ) {
        let verdict = self.exports.row.verdict(group);
        let fed = &mut self.exports.fed;
        if best.is_none() || !for_token {
            return;
        }
        fed.updates_received += 1;
        match (result, verdict) {
            (Some(_), _) => fed.updates_accepted += 1,
            (None, Some(Verdict::Filtered)) => fed.updates_filtered += 1,
            (None, Some(Verdict::Refused)) => fed.updates_rejected += 1,
            // Beyond the limit, which has counted it.
            (None, _) => {}
        }
    }

    /// As [`tell_token`](Self::tell_token), of a network that is not there.
    pub(crate) fn tell_absent(&mut self, group: usize, key: K, token: u32) {
        if let Some(slot) = &mut self.exports.groups[group] {
            slot.withdraw(key, To::Token(token));
        }
    }

    /// Brings Adj-RIB-Out of a network up to date for a group that may not have been fed. Says if
    /// members who are not asking must hear of it too: the group has been fed or holds something else,
    /// so it has a new policy, and the job that decides every network again has not come here.
    fn settle_out(
        &mut self,
        net: u32,
        group: usize,
        best: Option<Best>,
        env: &mut Env<'_>,
    ) -> Option<To> {
        self.load_row(net, best, env);
        let verdict = self.exports.row.verdict(group);
        let result = best.and_then(|best| verdict?.result(best));
        let held = self.held_by(net, group, best);
        if held == result {
            return None;
        }
        let slot = self.exports.groups.get_mut(group)?.as_mut()?;
        let result = result.filter(|_| held.is_some() || slot.admit());
        if held.is_some() && result.is_none() {
            slot.dismiss();
        }
        let all = if slot.resyncs > 0 { To::AllWithdrawSource } else { To::All };
        let to = (slot.fed || held.is_some()).then_some(all);
        match (to.is_some(), result, held) {
            (false, ..) => slot.tally.holds(held, result),
            (true, Some(new), _) => {
                slot.delta.updates_received += 1;
                slot.delta.updates_accepted += 1;
                slot.tally.announced(held, new);
            }
            (true, None, Some(old)) => {
                slot.delta.withdraws_accepted += 1;
                slot.tally.withdrawn(old);
            }
            (true, None, None) => {}
        }
        self.load_old(net, best);
        let mut results = core::mem::take(&mut self.exports.old);
        if let Some(place) = results.get_mut(group) {
            *place = result;
        }
        self.store_out(net, best, &results, env);
        self.exports.old = results;
        to
    }
}
