//! The lists that routes are in: their network's, best first, and that of their accepted set.

use super::attrs::NIL;
use super::table::{BEST, Env, Route, Table};
use crate::counters::ImportGauges;
use crate::import::TableKey;

impl<K: TableKey> Table<K> {
    /// Puts a new route into its network, behind the first one, and into its set's list. The
    /// references to its sets are the caller's to give.
    pub(crate) fn insert_route(&mut self, route: Route) -> u32 {
        let (net, accepted) = (route.net, route.accepted);
        let handle = self.routes.insert(route);
        let first = self.nets[net].first;
        if first == NIL {
            self.nets[net].first = handle;
            self.routes[handle].next = NIL;
        } else {
            self.routes[handle].next = core::mem::replace(&mut self.routes[first].next, handle);
        }
        self.link_set(handle, accepted);
        handle
    }

    /// Takes a route out of everything, releases its sets and counts it out. The network must have
    /// been touched.
    pub(crate) fn remove_route(&mut self, handle: u32, env: &mut Env<'_>) {
        let route = self.routes[handle];
        self.best_left |= route.flags & BEST != 0;
        self.unlink_route(handle);
        self.unlink_set(handle);
        self.release(route.received, env);
        self.release(route.accepted, env);
        self.routes.remove(handle);
        if let Some(pipe) = self.pipes.inward(route.via) {
            ImportGauges::shift(&pipe.gauges.accepted, -1);
            return;
        }
        let local = env.sources.at_mut(route.source);
        local.dismiss_received();
        if route.accepted != NIL {
            local.dismiss_accepted();
        }
    }

    fn unlink_route(&mut self, handle: u32) {
        let Route { net, next, .. } = self.routes[handle];
        let first = self.nets[net].first;
        if first == handle {
            self.nets[net].first = next;
            return;
        }
        let mut at = first;
        while at != NIL {
            let following = self.routes[at].next;
            if following == handle {
                self.routes[at].next = next;
                return;
            }
            at = following;
        }
    }

    /// Makes a route its network's first.
    pub(crate) fn move_to_front(&mut self, handle: u32) {
        let net = self.routes[handle].net;
        if self.nets[net].first != handle {
            self.unlink_route(handle);
            self.routes[handle].next = core::mem::replace(&mut self.nets[net].first, handle);
        }
    }

    pub(crate) fn link_set(&mut self, handle: u32, set: u32) {
        if set == NIL {
            return;
        }
        let head = core::mem::replace(&mut self.sets.entry_mut(set).first_route, handle);
        let route = &mut self.routes[handle];
        (route.set_next, route.set_previous) = (head, NIL);
        if head != NIL {
            self.routes[head].set_previous = handle;
        }
    }

    pub(crate) fn unlink_set(&mut self, handle: u32) {
        let Route { accepted, set_next, set_previous, flags, .. } = self.routes[handle];
        if accepted == NIL {
            return;
        }
        // If it comes back in this turn it does so in front, where a feed may have passed.
        self.best_left |= flags & BEST != 0 && !self.cursors.is_empty();
        for cursor in &mut self.cursors {
            if cursor.route == handle {
                cursor.route = set_next;
            }
        }
        if set_next != NIL {
            self.routes[set_next].set_previous = set_previous;
        }
        if set_previous != NIL {
            self.routes[set_previous].set_next = set_next;
        } else {
            self.sets.entry_mut(accepted).first_route = set_next;
        }
    }
}
