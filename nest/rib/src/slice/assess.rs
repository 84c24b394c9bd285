//! Putting routes to filters that are not in force, to see what would change.

use std::sync::Arc;

use dunlin_attr::Attrs;
use dunlin_filter::{ChannelFilter, RouteInput, Scratch, Silent, Verdict, apply};
use dunlin_net::hash::Map;
use dunlin_runtime::kit::walk::{Below, Walk};

use super::attrs::NIL;
use super::pipes::NO_PIPE;
use super::policy::{hop_for_filters, import_input};
use super::read::time_of;
use super::table::{Env, GENERATION_SHIFT, Table};
use crate::assess::{Answer, Ask, AssessReply, Changes};
use crate::export::{ExportPolicy, ExportVerdict, RouteView};
use crate::import::TableKey;

/// Filters run for one answer, about: what a fresh update may have to wait for.
const RUNS: usize = 512;

/// Who of those asked about has brought a source's routes, by the source's index here.
#[derive(Default)]
struct Owners(Map<u16, Vec<Owner>>);

#[derive(Clone, Copy)]
enum Owner {
    /// The import filter at this place is about them.
    Import(usize),
    /// What is asked at this place is exported to him, who is at that place there.
    Receiver(usize, usize),
}

impl Owners {
    fn of(&mut self, index: u16, protocol: &str, asks: &[Ask]) -> &[Owner] {
        self.0.entry(index).or_insert_with(|| {
            let mut owners = Vec::new();
            for (place, ask) in asks.iter().enumerate() {
                if matches!(ask, Ask::Import { protocol: own, .. } if **own == *protocol) {
                    owners.push(Owner::Import(place));
                }
                let receivers = ask.receivers().iter().enumerate();
                let own = receivers.filter(|(_, name)| ***name == *protocol);
                owners.extend(own.map(|(receiver, _)| Owner::Receiver(place, receiver)));
            }
            owners
        })
    }
}

impl<K: TableKey> Table<K> {
    /// Answers for the networks from `cursor` on, as many as fit into one piece.
    pub(crate) fn assess(&self, cursor: u32, asks: &[Ask], env: &mut Env<'_>) -> AssessReply {
        let mut reply = AssessReply::none(asks);
        let mut owners = Owners::default();
        let records = Below(self.nets.end());
        let mut walk = Walk::starting_at(cursor.max(1));
        let mut left = RUNS;
        while let Some(at) = walk.advance(&records) {
            let spent = self.assess_net(at, asks, &mut owners, &mut reply.answers, env);
            left = left.saturating_sub(spent.max(1));
            if left == 0 {
                reply.next = walk.advance(&records);
                break;
            }
        }
        reply
    }

    /// Returns how many filters have run.
    fn assess_net(
        &self,
        net: u32,
        asks: &[Ask],
        owners: &mut Owners,
        answers: &mut [Answer],
        env: &mut Env<'_>,
    ) -> usize {
        let mut spent = 0;
        let mut at = self.nets[net].first;
        while at != NIL {
            let route = self.routes[at];
            if !env.sources.is_dead(route.source) {
                spent += self.assess_imported(at, asks, owners, answers, env);
                spent += self.assess_piped(at, asks, answers, env);
            }
            at = route.next;
        }
        if let Some(best) = self.best(net) {
            spent += self.assess_best(best, asks, owners, answers, env);
        }
        spent
    }

    /// A route, and the import filter of whoever brought it.
    fn assess_imported(
        &self,
        at: u32,
        asks: &[Ask],
        owners: &mut Owners,
        answers: &mut [Answer],
        env: &mut Env<'_>,
    ) -> usize {
        let route = self.routes[at];
        if route.via != NO_PIPE {
            return 0;
        }
        let source = Arc::clone(&env.sources.at(route.source).source);
        let own = owners.of(route.source, &source.protocol, asks).iter();
        let place = own.copied().find_map(|owner| match owner {
            Owner::Import(place) => Some(place),
            Owner::Receiver(..) => None,
        });
        let Some((place, Ask::Import { filter, preference, .. })) =
            place.and_then(|place| Some((place, asks.get(place)?)))
        else {
            return 0;
        };
        let received = preferred(self.sets.set(route.received), *preference);
        let hop = self.hop_of(route.received);
        let net = self.nets[route.net].key.network();
        let input = import_input(&source, net, &received, hop_for_filters(hop), &**env.validated);
        let then = imported(filter, env.scratch, &input);
        let now = (route.accepted != NIL).then(|| self.sets.set(route.accepted));
        if let Some(answer) = answers.get_mut(place) {
            count(&mut answer.all, now, then.as_ref(), false);
        }
        1
    }

    /// A route, and the pipes that it may go into.
    fn assess_piped(
        &self,
        at: u32,
        asks: &[Ask],
        answers: &mut [Answer],
        env: &mut Env<'_>,
    ) -> usize {
        let route = self.routes[at];
        let mut spent = 0;
        for (ask, answer) in asks.iter().zip(answers) {
            let Ask::Pipe { now, then, instance, max_generation } = ask else { continue };
            let came = self.pipes.inward(route.via);
            let back = came.is_some_and(|came| came.instance == *instance);
            let generation = (route.flags >> GENERATION_SHIFT) as u8;
            if route.accepted == NIL || back || generation >= *max_generation {
                continue;
            }
            self.compare(at, (now, then), [false; 2], env, &mut answer.all);
            spent += 2;
        }
        spent
    }

    /// A network's best route, and all that it is exported to.
    fn assess_best(
        &self,
        at: u32,
        asks: &[Ask],
        owners: &mut Owners,
        answers: &mut [Answer],
        env: &mut Env<'_>,
    ) -> usize {
        let index = self.routes[at].source;
        let source = Arc::clone(&env.sources.at(index).source);
        let own = owners.of(index, &source.protocol, asks);
        let mut spent = 0;
        for (place, (ask, answer)) in asks.iter().zip(answers).enumerate() {
            let Ask::Best { now, then, sent_anew, .. } = ask else { continue };
            let mut changes = Changes::default();
            self.compare(at, (now, then), *sent_anew, env, &mut changes);
            answer.all = answer.all.plus(&changes);
            for owner in own {
                if let Owner::Receiver(asked, receiver) = *owner
                    && asked == place
                    && let Some(own) = answer.own.get_mut(receiver)
                {
                    *own = own.plus(&changes);
                }
            }
            spent += 2;
        }
        spent
    }

    /// Puts an accepted route to two policies.
    fn compare(
        &self,
        at: u32,
        (now, then): (&Arc<dyn ExportPolicy>, &Arc<dyn ExportPolicy>),
        sent_anew: [bool; 2],
        env: &mut Env<'_>,
        changes: &mut Changes,
    ) {
        let route = self.routes[at];
        let source = &env.sources.at(route.source).source;
        let (attrs, next_hop) = (self.sets.set(route.accepted), self.hop_state(route.accepted));
        let net = self.nets[route.net].key.network();
        let changed = time_of(route.changed);
        let validation = &**env.validated;
        let view = RouteView { net, attrs, source, next_hop: &next_hop, changed, validation };
        let internal = source.peer.as_ref().is_some_and(|peer| peer.internal);
        let anew = sent_anew[usize::from(internal)];
        let mut ask = |policy: &Arc<dyn ExportPolicy>| match policy.evaluate(env.scratch, view) {
            ExportVerdict::Refused | ExportVerdict::Filtered => None,
            ExportVerdict::AsIs => Some(Arc::clone(attrs)),
            ExportVerdict::Changed(changed) => Some(changed),
        };
        let (now, then) = (ask(now), ask(then));
        count(changes, now.as_ref(), then.as_ref(), anew);
    }
}

/// What an import filter makes of a set.
fn imported(
    filter: &ChannelFilter,
    scratch: &mut Scratch,
    input: &RouteInput<'_>,
) -> Option<Arc<Attrs>> {
    match apply(filter, scratch, input, &mut Silent) {
        Verdict::Accept(None) => Some(Arc::clone(input.attrs)),
        Verdict::Accept(Some(changed)) => Some(changed),
        Verdict::Reject | Verdict::Error(_) => None,
    }
}

/// A set with this preference.
fn preferred(set: &Arc<Attrs>, preference: u32) -> Arc<Attrs> {
    if set.preference() == preference {
        return Arc::clone(set);
    }
    let mut builder = set.edit();
    builder.set_preference(preference);
    builder.finish()
}

/// Counts a route by what becomes of it. `anew`: it is sent in another form even if it is the same.
fn count(changes: &mut Changes, now: Option<&Arc<Attrs>>, then: Option<&Arc<Attrs>>, anew: bool) {
    changes.routes += 1;
    match (now, then) {
        (None, Some(_)) => changes.gained += 1,
        (Some(_), None) => changes.lost += 1,
        (Some(now), Some(then)) if anew || !(Arc::ptr_eq(now, then) || now == then) => {
            changes.altered += 1;
        }
        _ => {}
    }
}
