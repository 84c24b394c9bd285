//! What a new list of routes changes.

use std::sync::Arc;

use dunlin_attr::Attrs;
use dunlin_net::Network;
use dunlin_net::hash::Map;

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

/// Old routes that a new list has no use for.
#[derive(Clone, Debug, Default)]
pub struct Leftover {
    /// Network and path id of those that are announced.
    pub withdraw: Vec<(Network, u32)>,
}

/// Fits a new list of routes onto the old one: a route that is in both stays as it is; one that takes
/// the place of another of its network takes over what was announced, so that the network does not
/// go away in between.
pub fn merge(old: Vec<Entry>, new: &[StaticRoute]) -> (Vec<Entry>, Leftover) {
    if old.is_empty() {
        return (first(new), Leftover::default());
    }
    let mut by_net: Map<Network, Vec<Entry>> = Map::default();
    for entry in old {
        by_net.entry(entry.route.net).or_default().push(entry);
    }
    // First the same routes, then the same networks: else a route could take its neighbour's place.
    let mut entries: Vec<Option<Entry>> = new
        .iter()
        .map(|route| {
            let candidates = by_net.get_mut(&route.net)?;
            let same = candidates.iter().position(|entry| entry.route == *route)?;
            Some(candidates.remove(same))
        })
        .collect();
    let mut taken: Map<Network, Vec<u32>> = Map::default();
    for (entry, route) in entries.iter_mut().zip(new) {
        if entry.is_none()
            && let Some(candidates) = by_net.get_mut(&route.net)
            && !candidates.is_empty()
        {
            let old = candidates.remove(0);
            *entry = Some(Entry { route: route.clone(), preference: None, ..old });
        }
        if let Some(entry) = entry {
            taken.entry(route.net).or_default().push(entry.path_id);
        }
    }
    let entries = entries.into_iter().zip(new).map(|(entry, route)| {
        entry.unwrap_or_else(|| fresh(route, free_id(taken.entry(route.net).or_default())))
    });
    let entries = entries.collect();
    let gone = by_net.into_values().flatten().filter(|entry| entry.announced.is_some());
    let withdraw = gone.map(|entry| (entry.route.net, entry.path_id)).collect();
    (entries, Leftover { withdraw })
}

/// The first list: routes of one network are numbered in its order.
fn first(routes: &[StaticRoute]) -> Vec<Entry> {
    let mut taken: Map<Network, u32> = Map::default();
    taken.reserve(routes.len());
    let entries = routes.iter().map(|route| {
        let next = taken.entry(route.net).or_default();
        let path_id = *next;
        *next += 1;
        fresh(route, path_id)
    });
    entries.collect()
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
    use super::{Entry, merge};
    use crate::route::{Destination, StaticRoute};
    use dunlin_attr::{AttrsBuilder, Dest, Rts};
    use dunlin_net::Prefix;

    fn route(net: &str, dest: Dest) -> StaticRoute {
        let net = net.parse::<Prefix>().unwrap().into();
        StaticRoute { net, destination: Destination::Sink(dest), statements: None }
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
        let (entries, leftover) = merge(Vec::new(), &list);
        let expected = [("10.0.0.0/8", 0), ("10.1.0.0/16", 0), ("10.0.0.0/8", 1)];
        assert_eq!(ids(&entries), expected.map(|(net, id)| (net.to_owned(), id, false)));
        assert!(leftover.withdraw.is_empty());
    }

    #[test]
    fn what_stays_stays_what_goes_is_withdrawn() {
        let first = [
            route("10.0.0.0/8", Dest::Blackhole),
            route("10.0.0.0/8", Dest::Unreachable),
            route("10.2.0.0/16", Dest::Prohibit),
        ];
        let (entries, _) = merge(Vec::new(), &first);
        let second = [
            route("10.3.0.0/16", Dest::Blackhole),
            route("10.0.0.0/8", Dest::Unreachable),
            route("10.0.0.0/8", Dest::Prohibit),
        ];
        let (entries, leftover) = merge(announced(entries), &second);
        let expected =
            [("10.3.0.0/16", 0, false), ("10.0.0.0/8", 1, true), ("10.0.0.0/8", 0, true)];
        assert_eq!(ids(&entries), expected.map(|(net, id, on)| (net.to_owned(), id, on)));
        assert_eq!(leftover.withdraw, [("10.2.0.0/16".parse::<Prefix>().unwrap().into(), 0)]);
        assert_eq!(entries[2].route, second[2], "the new route in the old one's place");
    }

    #[test]
    fn what_was_never_announced_needs_no_withdrawal() {
        let (entries, _) = merge(Vec::new(), &[route("10.0.0.0/8", Dest::Blackhole)]);
        assert!(merge(entries, &[]).1.withdraw.is_empty());
    }
}
