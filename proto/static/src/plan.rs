//! What a new list of routes changes.

use std::sync::Arc;
use std::vec::IntoIter;

use dunlin_attr::Attrs;
use dunlin_net::Network;
use dunlin_net::hash::{IntoValues, Map};

use crate::route::StaticRoute;

/// A route and what is announced of it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The route.
    pub route: StaticRoute,
    /// Tells routes of one network apart.
    pub path_id: u32,
    /// What was announced last; none while nothing is.
    pub announced: Option<Arc<Attrs>>,
    /// What was announced may have been dropped by a limit that is another now.
    pub again: bool,
    /// The preference that it keeps until it changes itself: that of the channel was changed softly.
    pub preference: Option<u32>,
}

/// Fits a new list of routes onto the old one, piece by piece: a list may have as many routes as there are ROAs.
///
/// A route that is in both stays as it is; one that takes the place of another of its network takes over what was
/// announced, so that the network does not go away in between.
#[derive(Debug, Default)]
pub struct Merge {
    stage: Stage,
    /// The next route of the new list.
    at: usize,
    old: IntoIter<Entry>,
    by_net: Map<Network, Vec<Entry>>,
    /// What was found for each route of the new list.
    fitted: Vec<Option<Entry>>,
    /// Path ids in use, by network.
    taken: Map<Network, Vec<u32>>,
    /// How many path ids are in use, if the old list was empty.
    count: Map<Network, u32>,
    gone: Option<IntoValues<Network, Vec<Entry>>>,
    entries: Vec<Entry>,
    withdraw: Vec<(Network, u32)>,
}

/// What a merge is at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// The old routes are put under their networks.
    #[default]
    Sorting,
    /// New routes are found that are as before. That comes first: else a route could take its
    /// neighbour's place.
    Same,
    /// The others get the places of old ones of their network.
    Places,
    /// The new list is made.
    Making,
    /// What is left of the old one is noted.
    Leaving,
    Done,
}

/// What comes of fitting.
#[derive(Debug, Default)]
pub struct Merged {
    /// The new list.
    pub entries: Vec<Entry>,
    /// Network and path id of old routes that are announced and in the new list no more.
    pub withdraw: Vec<(Network, u32)>,
}

impl Merge {
    /// A new list of so many routes is to take the place of this one.
    pub fn new(old: Vec<Entry>, count: usize) -> Self {
        let mut new = Self::default();
        new.entries.reserve(count);
        if old.is_empty() {
            new.stage = Stage::Making;
            new.count.reserve(count);
        } else {
            new.fitted.reserve(count);
            new.by_net.reserve(old.len());
            new.taken.reserve(count);
        }
        Self { old: old.into_iter(), ..new }
    }

    /// Looks at so many routes at most, of the lists together; gives the result if that was all. The new list is the
    /// same in each call.
    pub fn step(&mut self, new: &[StaticRoute], most: usize) -> Option<Merged> {
        for _ in 0..most {
            let more = match self.stage {
                Stage::Sorting => self.sort(),
                Stage::Same => self.next(new, Self::find_same),
                Stage::Places => self.next(new, Self::find_place),
                Stage::Making => self.next(new, Self::make),
                Stage::Leaving => self.leave(),
                Stage::Done => break,
            };
            if !more {
                self.stage = self.behind();
                self.at = 0;
            }
        }
        (self.stage == Stage::Done).then(|| Merged {
            entries: core::mem::take(&mut self.entries),
            withdraw: core::mem::take(&mut self.withdraw),
        })
    }

    /// All that is left to do at once.
    pub fn finish(mut self, new: &[StaticRoute]) -> Merged {
        loop {
            if let Some(merged) = self.step(new, usize::MAX) {
                return merged;
            }
        }
    }

    /// The stage behind this one.
    fn behind(&mut self) -> Stage {
        match self.stage {
            Stage::Sorting => Stage::Same,
            Stage::Same => Stage::Places,
            Stage::Places => Stage::Making,
            Stage::Making => {
                self.gone = Some(core::mem::take(&mut self.by_net).into_values());
                Stage::Leaving
            }
            Stage::Leaving | Stage::Done => Stage::Done,
        }
    }

    fn sort(&mut self) -> bool {
        let Some(entry) = self.old.next() else { return false };
        self.by_net.entry(entry.route.net).or_default().push(entry);
        true
    }

    /// Does something with the next route of the new list.
    fn next(&mut self, new: &[StaticRoute], what: fn(&mut Self, usize, &StaticRoute)) -> bool {
        let Some(route) = new.get(self.at) else { return false };
        what(self, self.at, route);
        self.at += 1;
        true
    }

    fn find_same(&mut self, _: usize, route: &StaticRoute) {
        let same = self.by_net.get_mut(&route.net).and_then(|candidates| {
            let same = candidates.iter().position(|entry| entry.route == *route)?;
            Some(candidates.remove(same))
        });
        self.fitted.push(same);
    }

    fn find_place(&mut self, at: usize, route: &StaticRoute) {
        let Some(fitted) = self.fitted.get_mut(at) else { return };
        if fitted.is_none()
            && let Some(candidates) = self.by_net.get_mut(&route.net)
            && !candidates.is_empty()
        {
            let old = candidates.remove(0);
            *fitted = Some(Entry { route: route.clone(), preference: None, ..old });
        }
        if let Some(entry) = fitted {
            self.taken.entry(route.net).or_default().push(entry.path_id);
        }
    }

    fn make(&mut self, at: usize, route: &StaticRoute) {
        let entry = match self.fitted.get_mut(at) {
            Some(fitted) => fitted
                .take()
                .unwrap_or_else(|| fresh(route, free_id(self.taken.entry(route.net).or_default()))),
            // The first list: routes of one network are numbered in its order.
            None => {
                let next = self.count.entry(route.net).or_default();
                let path_id = *next;
                *next += 1;
                fresh(route, path_id)
            }
        };
        self.entries.push(entry);
    }

    fn leave(&mut self) -> bool {
        let Some(gone) = self.gone.as_mut().and_then(Iterator::next) else { return false };
        let announced = gone.into_iter().filter(|entry| entry.announced.is_some());
        self.withdraw.extend(announced.map(|entry| (entry.route.net, entry.path_id)));
        true
    }
}

/// A route of which nothing is announced.
fn fresh(route: &StaticRoute, path_id: u32) -> Entry {
    Entry { route: route.clone(), path_id, announced: None, again: false, preference: None }
}

/// The lowest number that is not taken; takes it.
fn free_id(taken: &mut Vec<u32>) -> u32 {
    let id = (0..).find(|id| !taken.contains(id)).unwrap_or(0);
    taken.push(id);
    id
}

#[cfg(test)]
mod tests {
    use super::{Entry, Merge, Merged};
    use crate::route::{Destination, StaticRoute};
    use dunlin_attr::{AttrsBuilder, Dest, Rts};
    use dunlin_net::Prefix;

    fn route(net: &str, dest: Dest) -> StaticRoute {
        let net = net.parse::<Prefix>().unwrap().into();
        StaticRoute { net, destination: Destination::Sink(dest), statements: None }
    }

    /// In one step and in steps of one route, which come to the same.
    fn merge(old: Vec<Entry>, new: &[StaticRoute]) -> Merged {
        let whole = Merge::new(old.clone(), new.len()).finish(new);
        let most = 3 * (old.len() + new.len()) + 10;
        let mut merge = Merge::new(old, new.len());
        let pieces = (0..most).find_map(|_| merge.step(new, 1)).unwrap();
        assert_eq!(ids(&pieces.entries), ids(&whole.entries));
        let sorted = |mut list: Vec<_>| {
            list.sort();
            list
        };
        assert_eq!(sorted(pieces.withdraw), sorted(whole.withdraw.clone()));
        whole
    }

    fn announced(mut entries: Vec<Entry>) -> Vec<Entry> {
        for entry in &mut entries {
            entry.announced = Some(AttrsBuilder::new(Rts::Static).finish());
        }
        entries
    }

    fn ids(entries: &[Entry]) -> Vec<(String, u32, bool)> {
        let row =
            |entry: &Entry| (entry.route.net.to_string(), entry.path_id, entry.announced.is_some());
        entries.iter().map(row).collect()
    }

    #[test]
    fn routes_of_one_network_have_different_ids() {
        let list = [
            route("10.0.0.0/8", Dest::Blackhole),
            route("10.1.0.0/16", Dest::Blackhole),
            route("10.0.0.0/8", Dest::Unreachable),
        ];
        let Merged { entries, withdraw } = merge(Vec::new(), &list);
        let expected = [("10.0.0.0/8", 0), ("10.1.0.0/16", 0), ("10.0.0.0/8", 1)];
        assert_eq!(ids(&entries), expected.map(|(net, id)| (net.to_owned(), id, false)));
        assert!(withdraw.is_empty());
    }

    #[test]
    fn what_stays_stays_what_goes_is_withdrawn() {
        let first = [
            route("10.0.0.0/8", Dest::Blackhole),
            route("10.0.0.0/8", Dest::Unreachable),
            route("10.2.0.0/16", Dest::Prohibit),
        ];
        let entries = merge(Vec::new(), &first).entries;
        let second = [
            route("10.3.0.0/16", Dest::Blackhole),
            route("10.0.0.0/8", Dest::Unreachable),
            route("10.0.0.0/8", Dest::Prohibit),
        ];
        let Merged { entries, withdraw } = merge(announced(entries), &second);
        let expected =
            [("10.3.0.0/16", 0, false), ("10.0.0.0/8", 1, true), ("10.0.0.0/8", 0, true)];
        assert_eq!(ids(&entries), expected.map(|(net, id, on)| (net.to_owned(), id, on)));
        assert_eq!(withdraw, [("10.2.0.0/16".parse::<Prefix>().unwrap().into(), 0)]);
        assert_eq!(entries[2].route, second[2], "the new route in the old one's place");
    }

    #[test]
    fn what_was_never_announced_needs_no_withdrawal() {
        let entries = merge(Vec::new(), &[route("10.0.0.0/8", Dest::Blackhole)]).entries;
        assert!(merge(entries, &[]).withdraw.is_empty());
    }
}
