//! The world: two nodes, their clocks, and what is under way between them.

use core::cmp::Reverse;
use core::time::Duration;
use std::collections::BinaryHeap;

use dunlin_runtime::Time;
use smallvec::smallvec;

use super::super::*;
use crate::wire::capability::Capabilities;
use crate::wire::{Family, Notification};

pub(super) const S: Duration = Duration::from_secs(1);
const LATENCY: Duration = Duration::from_millis(10);

/// What arrives at a node. The number is the connection's generation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Arrival {
    Syn,
    Connected,
    Refused,
    Message(Side, usize),
    Closed(Side),
}

/// When, in which order, at which node, of which generation.
type Entry = (Time, u64, usize, u32, Arrival);

pub(super) struct World {
    pub(super) now: Time,
    pub(super) nodes: [Fsm; 2],
    pub(super) log: Vec<String>,
    /// Nothing gets through.
    pub(super) partition: bool,
    /// Bytes reach the node's socket but the node doesn't read them.
    pub(super) deaf: [bool; 2],
    pub(super) unread: [Option<Time>; 2],
    pub(super) listening: [bool; 2],
    /// Generation of the connection that each node opened last, and whether its ends are open.
    opened: [u32; 2],
    ends: [[bool; 2]; 2],
    messages: Vec<Message>,
    queue: BinaryHeap<Reverse<Entry>>,
    sequence: u64,
    random: u64,
}

pub(super) fn settings(asn: u32, neighbor: u32, router_id: u32) -> Settings {
    Settings {
        local_as: asn,
        neighbor: Neighbor::As(neighbor),
        router_id,
        passive: false,
        timers: Timers { hold: 90 * S, connect_retry: 10 * S, ..Timers::default() },
        capabilities: Capabilities {
            present: true,
            families: smallvec![Family::IPV4],
            as4: Some(asn),
            route_refresh: true,
            ..Capabilities::default()
        },
        capability_fallback: true,
        required: Required::default(),
        role: None,
        disable_after_error: false,
        disable_after_cease: CeaseMask::default(),
    }
}

impl World {
    pub(super) fn new(a: Settings, b: Settings, seed: u64) -> Self {
        Self {
            now: Time::from_nanos(1_000_000_000),
            nodes: [Fsm::new(a), Fsm::new(b)],
            log: Vec::new(),
            partition: false,
            deaf: [false; 2],
            unread: [None; 2],
            listening: [true; 2],
            opened: [0; 2],
            ends: [[false; 2]; 2],
            messages: Vec::new(),
            queue: BinaryHeap::new(),
            sequence: 0,
            random: seed,
        }
    }

    pub(super) fn start(&mut self) {
        for node in [0, 1] {
            let random = self.random();
            self.nodes[node].start(self.now, random);
        }
    }

    pub(super) fn run_for(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(next) = self.next().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.step();
        }
        self.now = end;
    }

    pub(super) fn is_up(&self) -> [bool; 2] {
        [0, 1].map(|node| self.nodes[node].state() == State::Established)
    }

    pub(super) fn logged(&self, text: &str) -> usize {
        self.log.iter().filter(|line| line.contains(text)).count()
    }

    /// Does `what` with a node, and then what the node wants.
    pub(super) fn with(
        &mut self,
        node: usize,
        what: impl FnOnce(&mut Fsm, Time, u64, &mut Vec<Action>),
    ) {
        let mut actions = Vec::new();
        let (now, random) = (self.now, self.random());
        what(&mut self.nodes[node], now, random, &mut actions);
        for action in actions {
            self.act(node, action);
        }
    }

    fn random(&mut self) -> u64 {
        self.random =
            self.random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        self.random
    }

    fn next(&self) -> Option<Time> {
        let arrival = self.queue.peek().map(|Reverse((time, ..))| *time);
        let deadlines = self.nodes.iter().map(Fsm::deadline);
        deadlines.chain([arrival]).flatten().min()
    }

    fn step(&mut self) {
        if let Some(Reverse((time, ..))) = self.queue.peek()
            && *time <= self.now
        {
            let Some(Reverse((_, _, node, generation, arrival))) = self.queue.pop() else { return };
            return self.arrive(node, generation, arrival);
        }
        for node in [0, 1] {
            if self.nodes[node].deadline().is_some_and(|deadline| deadline <= self.now) {
                self.with(node, |fsm, now, random, actions| fsm.expired(now, random, actions));
            }
        }
    }

    /// Which connection a node means by a side: the number of the node that opened it.
    fn opener(node: usize, side: Side) -> usize {
        if side == Side::Outgoing { node } else { 1 - node }
    }

    fn send(&mut self, to: usize, opener: usize, arrival: Arrival) {
        if !self.partition {
            self.sequence += 1;
            let entry = (self.now + LATENCY, self.sequence, to, self.opened[opener], arrival);
            self.queue.push(Reverse(entry));
        }
    }

    fn act(&mut self, node: usize, action: Action) {
        self.log.push(format!("{} {node} {action:?}", self.now));
        let peer = 1 - node;
        match action {
            Action::Connect => {
                self.opened[node] += 1;
                self.ends[node] = [false; 2];
                self.send(peer, node, Arrival::Syn);
            }
            Action::Send(side, message) => {
                self.messages.push(message);
                let index = self.messages.len() - 1;
                self.nodes[node].sent(side, self.now);
                self.send(peer, Self::opener(node, side), Arrival::Message(side.other(), index));
            }
            Action::Close(side) => {
                let opener = Self::opener(node, side);
                self.ends[opener][node] = false;
                self.send(peer, opener, Arrival::Closed(side.other()));
            }
            Action::AskHeard(side) => {
                let last = self.unread[node];
                self.with(node, |fsm, now, _, actions| fsm.silent(side, last, now, actions));
            }
            Action::Established(..) | Action::Lost | Action::Disable => {}
        }
    }

    fn arrive(&mut self, node: usize, generation: u32, arrival: Arrival) {
        let opener = match &arrival {
            Arrival::Syn => 1 - node,
            Arrival::Connected | Arrival::Refused => node,
            Arrival::Message(side, _) | Arrival::Closed(side) => Self::opener(node, *side),
        };
        if generation != self.opened[opener] {
            return;
        }
        match arrival {
            Arrival::Syn => self.syn(node, opener),
            Arrival::Connected => {
                self.ends[opener][node] = true;
                self.with(node, |fsm, now, _, actions| fsm.connected(now, actions));
            }
            Arrival::Refused => self.with(node, |fsm, now, random, actions| {
                fsm.connect_failed(now, random, "Connection refused", actions);
            }),
            Arrival::Message(side, index) if self.ends[opener][node] => {
                self.unread[node] = Some(self.now);
                if !self.deaf[node] {
                    self.message(node, side, index);
                }
            }
            Arrival::Closed(side) if self.ends[opener][node] => {
                self.ends[opener][node] = false;
                self.with(node, |fsm, now, random, actions| {
                    fsm.closed(side, None, now, random, actions);
                });
            }
            Arrival::Message(..) | Arrival::Closed(_) => {}
        }
    }

    fn syn(&mut self, node: usize, opener: usize) {
        if !self.listening[node] {
            return self.send(opener, opener, Arrival::Refused);
        }
        self.send(opener, opener, Arrival::Connected);
        self.ends[opener][node] = true;
        let mut wanted = true;
        self.with(node, |fsm, now, _, actions| wanted = fsm.accepted(now, actions));
        if !wanted {
            self.ends[opener][node] = false;
            self.send(opener, opener, Arrival::Closed(Side::Outgoing));
        }
    }

    fn message(&mut self, node: usize, side: Side, index: usize) {
        let message = self.messages[index].clone();
        self.with(node, |fsm, now, random, actions| {
            fsm.heard(side, now);
            match message {
                Message::Open(open) => fsm.open(side, *open, now, random, actions),
                Message::Keepalive => fsm.keepalive_received(side, now, actions),
                Message::Notification(notification) => {
                    fsm.notification(side, notification, now, random, actions);
                }
            }
        });
    }
}

/// The last error of a node, as it is shown.
pub(super) fn last_error(world: &World, node: usize) -> String {
    world.nodes[node].last_error().map(ToString::to_string).unwrap_or_default()
}

/// A Cease without a cause.
pub(super) fn cease(subcode: u8) -> Notification {
    Notification::new(6, subcode)
}
