//! Lines of channels and tables that are traced.

use core::fmt;
use std::sync::{Arc, Mutex};

use dunlin_filter::{ChannelFilter, RouteInput, Scratch};
use dunlin_runtime::Class;

use super::world::{TABLE, World};
use crate::Resolve;
use crate::slice::SliceMessage;
use crate::testing::{Kind, Look, address, filter, net};
use crate::trace::{FILTERS, ROUTES, RouteTrace, TraceSink};

const LOOK: Look = Look { local_pref: 100, hops: 2, med: 0 };
const BETTER: Look = Look { local_pref: 200, hops: 2, med: 0 };

/// Keeps lines.
#[derive(Default)]
struct Lines(Mutex<Vec<String>>);

impl TraceSink for Lines {
    fn line(&self, name: &str, text: fmt::Arguments<'_>) {
        self.0.lock().unwrap().push(format!("{name} {text}"));
    }

    fn decided(&self, _: &ChannelFilter, _: &mut Scratch, _: &RouteInput<'_>) -> Option<String> {
        Some("here".to_owned())
    }
}

/// A world of one slice, with the lines of all in it.
struct Traced {
    world: World,
    lines: Arc<Lines>,
}

impl Traced {
    fn new() -> Self {
        Self { world: World::new(1, 1, 4_000_000), lines: Arc::default() }
    }

    fn trace(&self, name: &str, flags: u32) -> Arc<RouteTrace> {
        let sink = Arc::clone(&self.lines) as Arc<dyn TraceSink>;
        Arc::new(RouteTrace::new(name.into(), flags, sink))
    }

    /// A peer that is traced.
    fn peer(&mut self, kind: Kind, name: &str, flags: u32) -> (usize, Arc<RouteTrace>) {
        let trace = self.trace(name, flags);
        let place = Arc::clone(&trace);
        let own = address(100 + self.world.next_id);
        let peer = self.world.add_peer_with(kind, own, None, |source| source.trace = Some(place));
        self.world.settle();
        (peer, trace)
    }

    fn announce(&mut self, peer: usize, n: usize, look: Look) {
        self.world.announce(peer, net(n), 0, look);
        self.world.flush(peer);
        self.world.settle();
    }

    fn withdraw(&mut self, peer: usize, n: usize) {
        self.world.withdraw(peer, net(n), 0);
        self.world.flush(peer);
        self.world.settle();
    }

    /// The lines since they were taken last.
    fn take(&self) -> Vec<String> {
        core::mem::take(&mut *self.lines.0.lock().unwrap())
    }

    fn sorted(&self) -> Vec<String> {
        let mut lines = self.take();
        lines.sort_unstable();
        lines
    }

    /// Of several groups, which nothing puts in order.
    #[track_caller]
    fn expect_sorted(&self, lines: &[&str]) {
        assert_eq!(self.sorted(), lines);
    }

    #[track_caller]
    fn expect(&self, lines: &[&str]) {
        assert_eq!(self.take(), lines);
    }
}

#[test]
fn what_comes_in_is_said_with_what_became_of_it() {
    let mut traced = Traced::new();
    let (one, _) = traced.peer(Kind::RejectNets(1), "one", ROUTES);
    let (two, _) = traced.peer(Kind::RejectNets(1), "two", 0);
    traced.announce(one, 1, LOOK);
    traced.expect(&["one > added [best] 0.1.0.0/24 unicast"]);
    traced.announce(one, 1, LOOK);
    traced.expect(&["one > ignored [best] 0.1.0.0/24 unicast"]);
    traced.announce(two, 1, BETTER);
    traced.expect(&[]);
    traced.announce(one, 1, Look { med: 1, ..LOOK });
    traced.expect(&["one > updated 0.1.0.0/24 unicast"]);
    traced.withdraw(one, 1);
    traced.expect(&["one > removed 0.1.0.0/24 unicast"]);
    traced.withdraw(one, 1);
    traced.expect(&["one > ignored withdrawal of 0.1.0.0/24 unicast"]);
}

#[test]
fn a_route_that_the_filter_rejects_is_said_with_the_place() {
    let mut traced = Traced::new();
    let (one, trace) = traced.peer(Kind::RejectNets(1), "one", FILTERS);
    traced.announce(one, 1, LOOK);
    traced.expect(&[]);
    traced.world.set_filter(one, &filter("filter { if bgp_med > 5 then reject; accept; }"));
    traced.world.settle();
    traced.expect(&[]);
    traced.announce(one, 1, Look { med: 9, ..LOOK });
    traced.expect(&["one > filtered out 0.1.0.0/24 unicast at here"]);
    trace.set_flags(ROUTES | FILTERS);
    // Routes that were there, evaluated again.
    traced.world.set_filter(one, &filter("all"));
    traced.world.settle();
    traced.expect(&["one > added [best] 0.1.0.0/24 unicast"]);
    traced.world.set_filter(one, &ChannelFilter::Reject);
    traced.world.settle();
    traced.expect(&[
        "one > removed [best] 0.1.0.0/24 unicast",
        "one > filtered out 0.1.0.0/24 unicast at here",
    ]);
}

#[test]
fn routes_of_a_source_that_dies_are_said_to_go() {
    let mut traced = Traced::new();
    let (one, _) = traced.peer(Kind::RejectNets(1), "one", ROUTES);
    traced.announce(one, 1, LOOK);
    traced.take();
    traced.world.kill(one);
    traced.world.settle();
    traced.expect(&["one > removed [best] 0.1.0.0/24 unicast"]);
}

#[test]
fn what_goes_out_is_said_to_each_member_that_is_traced() {
    let mut traced = Traced::new();
    let feeder = traced.world.add_peer(Kind::AcceptAll);
    for name in ["one", "two"] {
        join(&mut traced, Kind::AcceptAll, name, ROUTES | FILTERS);
    }
    traced.announce(feeder, 3, LOOK);
    traced.expect(&["one < added 0.3.0.0/24 unicast", "two < added 0.3.0.0/24 unicast"]);
    traced.announce(feeder, 3, BETTER);
    traced.expect(&["one < replaced 0.3.0.0/24 unicast", "two < replaced 0.3.0.0/24 unicast"]);
    traced.withdraw(feeder, 3);
    traced.expect(&["one < removed 0.3.0.0/24 unicast", "two < removed 0.3.0.0/24 unicast"]);
}

/// A peer whose exports are traced.
fn join(traced: &mut Traced, kind: Kind, name: &str, flags: u32) -> (usize, Arc<RouteTrace>) {
    let trace = traced.trace(name, flags);
    traced.world.next_trace = Some(Arc::clone(&trace));
    let peer = traced.world.add_peer(kind);
    traced.world.settle();
    (peer, trace)
}

#[test]
fn a_route_whose_next_hop_leads_nowhere_is_said_to_be_unreachable() {
    let mut traced = Traced::new();
    let feeder = traced.world.add_peer_with(Kind::AcceptAll, address(1), None, |source| {
        source.resolve = Resolve::Recursive { table: TABLE };
    });
    join(&mut traced, Kind::AcceptAll, "one", ROUTES);
    traced.announce(feeder, 3, LOOK);
    assert_eq!(traced.take().last().unwrap(), "one < added 0.3.0.0/24 unreachable");
}

#[test]
fn what_is_not_exported_is_said_with_the_reason() {
    let mut traced = Traced::new();
    let feeder = traced.world.add_peer(Kind::AcceptAll);
    join(&mut traced, Kind::RejectMed(5), "filtered", ROUTES | FILTERS);
    join(&mut traced, Kind::RefuseHops(3), "refused", ROUTES | FILTERS);
    traced.announce(feeder, 1, Look { med: 5, ..LOOK });
    traced.expect_sorted(&[
        "filtered < filtered out 0.1.0.0/24 unicast (a policy of tests)",
        "refused < added 0.1.0.0/24 unicast",
    ]);
    traced.announce(feeder, 1, Look { hops: 3, ..LOOK });
    traced.expect_sorted(&[
        "filtered < added 0.1.0.0/24 unicast",
        "refused < rejected by protocol 0.1.0.0/24 unicast (a policy of tests)",
        "refused < removed 0.1.0.0/24 unicast",
    ]);
}

#[test]
fn the_present_routes_are_said_to_who_joins_and_its_own_are_not_sent_back() {
    let mut traced = Traced::new();
    let feeder = traced.world.add_peer(Kind::AcceptAll);
    traced.announce(feeder, 3, LOOK);
    traced.announce(feeder, 4, Look { med: 5, ..LOOK });
    // A member that is there already hears nothing of another's feed.
    join(&mut traced, Kind::RejectMed(5), "one", ROUTES | FILTERS);
    let fed = |name: &str| {
        [
            format!("{name} < added 0.3.0.0/24 unicast"),
            format!("{name} < filtered out 0.4.0.0/24 unicast (a policy of tests)"),
        ]
    };
    assert_eq!(traced.sorted(), fed("one"));
    let (two, _) = join(&mut traced, Kind::RejectMed(5), "two", ROUTES | FILTERS);
    assert_eq!(traced.sorted(), fed("two"));
    traced.announce(two, 7, LOOK);
    traced.expect_sorted(&[
        "one < added 0.7.0.0/24 unicast",
        "two < rejected by protocol 0.7.0.0/24 unicast",
    ]);
}

#[test]
fn flags_change_at_once_and_nothing_is_said_without() {
    let mut traced = Traced::new();
    let feeder = traced.world.add_peer(Kind::AcceptAll);
    let (_, trace) = join(&mut traced, Kind::AcceptAll, "one", 0);
    traced.announce(feeder, 1, LOOK);
    traced.expect(&[]);
    trace.set_flags(ROUTES);
    traced.announce(feeder, 2, LOOK);
    traced.expect(&["one < added 0.2.0.0/24 unicast"]);
    trace.set_flags(FILTERS);
    traced.announce(feeder, 3, LOOK);
    traced.expect(&[]);
    trace.set_flags(0);
    traced.announce(feeder, 4, LOOK);
    traced.announce(feeder, 5, LOOK);
    traced.expect(&[]);
    // The slices have stopped to tell of it.
    let sharing = traced.world.peers.last().unwrap().seen.lock().unwrap().sharing.clone().unwrap();
    assert_eq!(sharing.traced.load(core::sync::atomic::Ordering::Relaxed), 0);
    trace.set_flags(ROUTES);
    traced.announce(feeder, 6, LOOK);
    traced.expect(&["one < added 0.6.0.0/24 unicast"]);
}

#[test]
fn a_table_says_its_best_routes() {
    let mut traced = Traced::new();
    let trace = traced.trace("master4:", ROUTES);
    traced.world.slices.send_all(Class::Routing, || SliceMessage::TableTrace {
        id: TABLE,
        trace: Arc::clone(&trace),
    });
    let one = traced.world.add_peer(Kind::AcceptAll);
    let two = traced.world.add_peer(Kind::AcceptAll);
    let name = |traced: &Traced, peer: usize| traced.world.peers[peer].source.protocol.clone();
    let names = [name(&traced, one), name(&traced, two)];
    traced.announce(one, 1, LOOK);
    traced.expect(&[&format!("master4: best 0.1.0.0/24 unicast from {}", names[0])]);
    traced.announce(two, 1, BETTER);
    traced.expect(&[&format!("master4: best 0.1.0.0/24 unicast from {}", names[1])]);
    traced.announce(one, 1, Look { med: 3, ..LOOK });
    traced.expect(&[]);
    traced.withdraw(two, 1);
    traced.withdraw(one, 1);
    traced.expect(&[
        &format!("master4: best 0.1.0.0/24 unicast from {}", names[0]),
        "master4: no route 0.1.0.0/24",
    ]);
    trace.set_flags(0);
    traced.announce(one, 1, LOOK);
    traced.expect(&[]);
}
