//! What the tests of single features need besides the world.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use dunlin_net::Prefix;
use dunlin_runtime::{Class, Context, EventHandle, EventId, Loop};

use super::world::World;
use crate::TableId;
use crate::export::{DeltaBatch, DeltaSink, Deltas, Exporter, ExporterKind, OutRoute};
use crate::import::NONE;
use crate::registry::next_exporter;
use crate::slice::SliceMessage;
use crate::testing::{Kind, TestPolicy};
use crate::walk::{NetRows, Shown, Walk, WalkReply, WalkRequest};

/// Follows a table: the best route of each network.
#[derive(Debug, Default)]
pub(super) struct Follower {
    pub(super) best: Mutex<BTreeMap<Prefix, OutRoute>>,
    pub(super) deltas: AtomicUsize,
    /// Slices that have told everything there was at the start.
    pub(super) complete: AtomicUsize,
}

impl DeltaSink for Follower {
    fn deliver(&self, batch: Box<DeltaBatch>) {
        let mut best = self.best.lock().unwrap();
        let mut apply = |net: Prefix, route: u32| {
            self.deltas.fetch_add(1, Ordering::Relaxed);
            if route == NONE {
                best.remove(&net);
            } else {
                best.insert(net, batch.routes[route as usize].clone());
            }
        };
        match &batch.deltas {
            Deltas::V4(deltas) => deltas.iter().for_each(|d| apply(Prefix::V4(d.key), d.route)),
            Deltas::V6(deltas) => deltas.iter().for_each(|d| apply(Prefix::V6(d.key), d.route)),
            other => panic!("no routes: {other:?}"),
        }
        if batch.feed.is_some() {
            self.complete.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl World {
    pub(super) fn follow(&mut self, table: TableId) -> Arc<Follower> {
        let follower: Arc<Follower> = Arc::default();
        let id = next_exporter();
        self.slices.send_all(Class::Routing, || {
            SliceMessage::ExporterAdd(Box::new(Exporter {
                id,
                table,
                kind: ExporterKind::Follow,
                policy: TestPolicy::shared(Kind::AcceptAll),
                sink: Arc::clone(&follower) as Arc<dyn DeltaSink>,
                counters: Arc::default(),
                sharing: Arc::default(),
                limit: None,
            }))
        });
        follower
    }

    /// All that a walk finds in all slices.
    pub(super) fn walk(&mut self, table: TableId, walk: &Walk, shown: Shown) -> Vec<NetRows> {
        let mut found = Vec::new();
        for slice in 0..self.slices.count() as u32 {
            let mut walk = walk.clone();
            loop {
                let reply = self.walk_once(slice, table, walk.clone(), shown);
                found.extend(reply.nets);
                let Some(next) = reply.next else { break };
                match &mut walk {
                    Walk::All { cursor } | Walk::In { cursor, .. } => *cursor = next,
                    _ => panic!("a look-up has no next part"),
                }
            }
        }
        found.sort_by_key(|net| net.net);
        found
    }

    fn walk_once(&mut self, slice: u32, table: TableId, walk: Walk, shown: Shown) -> WalkReply {
        let place: Arc<Mutex<Option<WalkReply>>> = Arc::default();
        let reply = Arc::clone(&place);
        let request = WalkRequest {
            table,
            walk,
            max_nets: 3,
            shown,
            reply: Box::new(move |answer| *reply.lock().unwrap() = Some(answer)),
        };
        self.slices.at(slice).send(Class::Control, SliceMessage::Walk(Box::new(request))).unwrap();
        self.run(5);
        let answer = place.lock().unwrap().take();
        answer.unwrap()
    }
}

/// A loop with an event that counts how often it ran.
#[derive(Debug, Default)]
pub(super) struct Counting {
    pub(super) runs: Arc<AtomicUsize>,
    pub(super) handle: Arc<Mutex<Option<EventHandle>>>,
}

impl Loop for Counting {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        let event = cx.event(Class::Routing);
        *self.handle.lock().unwrap() = Some(cx.event_handle(event));
    }
    fn message(&mut self, _: &mut Context<'_>, _: ()) {}
    fn event(&mut self, _: &mut Context<'_>, _: EventId) {
        self.runs.fetch_add(1, Ordering::Relaxed);
    }
}
