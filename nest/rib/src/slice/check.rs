//! Whether a table's lists, counts and indices agree. For tests.

use std::collections::HashMap;

use super::attrs::NIL;
use super::table::{BEST, DIRTY, Table};
use crate::import::TableKey;

impl<K: TableKey> Table<K> {
    /// Panics if anything in the table contradicts anything else. Between turns only.
    pub(crate) fn check(&self) {
        assert!(self.dirty.is_empty() && self.piped.is_empty() && self.watched_changes.is_empty());
        let mut refs: HashMap<u32, u32> = HashMap::new();
        let mut hold = |set: u32| {
            if set != NIL {
                *refs.entry(set).or_default() += 1;
            }
        };
        let mut accepted: HashMap<u32, usize> = HashMap::new();
        let (mut nets, mut routes) = (0, 0);
        for net in 1..self.nets.end() {
            let record = self.nets[net];
            assert_eq!(record.out & DIRTY, 0, "{:?} is dirty between turns", record.key);
            if record.first == NIL && record.out == 0 {
                continue;
            }
            nets += 1;
            assert_eq!(self.find_net(record.key), Some(net), "index of {:?}", record.key);
            let mut at = record.first;
            while at != NIL {
                let route = &self.routes[at];
                routes += 1;
                assert_eq!(route.net, net);
                assert!(route.flags & BEST == 0 || (at == record.first && route.accepted != NIL));
                hold(route.received);
                hold(route.accepted);
                *accepted.entry(route.accepted).or_default() += 1;
                at = route.next;
            }
        }
        assert_eq!((nets, routes), (self.nets.len(), self.routes.len()), "networks, routes");
        assert_eq!(self.index.len(), nets);
        self.cursors.iter().for_each(|cursor| hold(cursor.set));
        self.check_adj_out(&mut hold);
        self.sets.check(&refs);
        for (set, routes) in accepted.iter().filter(|(set, _)| **set != NIL) {
            let (mut count, mut previous) = (0, NIL);
            let mut at = self.sets.entry(*set).first_route;
            while at != NIL {
                let route = &self.routes[at];
                assert_eq!((route.accepted, route.set_previous), (*set, previous));
                count += 1;
                (previous, at) = (at, route.set_next);
            }
            assert_eq!(count, *routes, "routes of set {set}");
        }
        self.check_hops();
    }

    /// Panics if anything is left.
    pub(crate) fn check_empty(&self) {
        self.check();
        let left = (self.nets.len(), self.routes.len(), self.sets.len(), self.hops.len());
        assert_eq!(left, (0, 0, 0, 0), "networks, routes, sets, hops");
    }

    fn check_hops(&self) {
        let mut sets = 0;
        for key in self.hops.keys() {
            let hop = self.hops.find(&key).unwrap();
            let mut at = self.hops.entry(hop).first_set;
            assert_ne!(at, NIL, "an unused next hop stays");
            while at != NIL {
                assert_eq!(self.sets.entry(at).hop, hop);
                sets += 1;
                at = self.sets.next_of_hop(at);
            }
        }
        assert_eq!(self.sets.with_hops(), sets, "sets with next hops");
    }
}
