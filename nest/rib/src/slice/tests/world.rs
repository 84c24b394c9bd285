//! Some slices, some groups with members that apply deltas as they come, and a model beside them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use dunlin_net::{NetKey, NetType, Prefix4};
use dunlin_runtime::Progress;

use crate::export::{
    BANDS, DeltaBatch, DeltaSink, Deltas, Exporter, ExporterKind, FeedRequest, To,
};
use crate::import::{Burst, ImportBatch, ImportHeld, NONE, Op, Ops};
use crate::slice::tables::{AnyTable, with_table};
use crate::slice::{Slice, SliceMessage};
use crate::testing::{
    Events, Kind, Look, Model, ModelRoute, Rng, TestPolicy, attrs, bgp_source, look_of,
};
use crate::{ExporterId, SliceId, Source, SourceId, TableId};

pub(super) const TABLE: TableId = TableId(0);

/// What a group was sent and nobody has looked at yet.
#[derive(Debug, Default)]
#[expect(clippy::vec_box, reason = "batches come in boxes")]
pub(super) struct Inbox(Mutex<Vec<Box<DeltaBatch>>>);

impl DeltaSink for Inbox {
    fn deliver(&self, batch: Box<DeltaBatch>) {
        self.0.lock().unwrap().push(batch);
    }
}

impl Inbox {
    #[expect(clippy::vec_box, reason = "as above")]
    pub(super) fn take(&self) -> Vec<Box<DeltaBatch>> {
        core::mem::take(&mut self.0.lock().unwrap())
    }
}

/// Somebody who gets a group's deltas.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) source: SourceId,
    pub(super) view: BTreeMap<Prefix4, (Look, SourceId)>,
    /// The feed it waits for; it has been fed if none.
    pub(super) token: Option<u32>,
}

#[derive(Debug)]
pub(super) struct Group {
    pub(super) exporter: ExporterId,
    pub(super) kind: Kind,
    pub(super) inbox: Arc<Inbox>,
    pub(super) members: Vec<Member>,
    pub(super) counters: Arc<crate::counters::ExportCounters>,
    pub(super) sharing: Arc<crate::export::SharingCounters>,
    /// Next band of each slice, while a feed is under way.
    feed: Option<(u32, Vec<u16>)>,
    /// Networks announced in the present batch's order: for asserting bursts.
    pub(super) bursts: Vec<Burst>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct World {
    pub(super) slices: Vec<Slice>,
    pub(super) sources: Vec<Arc<Source>>,
    pub(super) groups: Vec<Group>,
    pub(super) model: Model,
    pub(super) events: Arc<Events>,
    pub(super) rng: Rng,
    next_id: u32,
    next_token: u32,
}

impl World {
    pub(super) fn new(slices: usize, seed: u64) -> Self {
        let mut world = Self {
            slices: (0..slices).map(|n| Slice::new(SliceId(n as u16))).collect(),
            sources: Vec::new(),
            groups: Vec::new(),
            model: Model::default(),
            events: Arc::default(),
            rng: Rng::new(seed),
            next_id: 1,
            next_token: 1,
        };
        world.tell_all(|| SliceMessage::TableAdd { id: TABLE, net_type: NetType::Ip4 });
        world
    }

    pub(super) fn tell_all(&mut self, make: impl Fn() -> SliceMessage) {
        for slice in &mut self.slices {
            slice.handle(make());
        }
    }

    /// A new external peer; router ids are unique and repeat none.
    pub(super) fn add_source(&mut self) -> Arc<Source> {
        self.add_source_with(|_| ())
    }

    pub(super) fn add_source_with(&mut self, change: impl FnOnce(&mut Source)) -> Arc<Source> {
        let id = self.next_id;
        self.next_id += 1;
        let mut source = bgp_source(id, id, TABLE.0, &self.events);
        source.import = dunlin_filter::ChannelFilter::Accept;
        change(&mut source);
        let source = Arc::new(source);
        self.sources.push(Arc::clone(&source));
        source
    }

    pub(super) fn add_group(&mut self, kind: Kind, limit: Option<crate::export::ExportLimit>) {
        let exporter = ExporterId(self.next_id);
        self.next_id += 1;
        let group = Group {
            exporter,
            kind,
            inbox: Arc::default(),
            members: Vec::new(),
            counters: Arc::default(),
            sharing: Arc::default(),
            feed: None,
            bursts: Vec::new(),
        };
        for slice in &mut self.slices {
            slice.handle(SliceMessage::ExporterAdd(Box::new(Exporter {
                id: exporter,
                table: TABLE,
                kind: ExporterKind::Group,
                policy: TestPolicy::shared(kind),
                sink: Arc::clone(&group.inbox) as Arc<dyn DeltaSink>,
                counters: Arc::clone(&group.counters),
                sharing: Arc::clone(&group.sharing),
                limit: limit.clone(),
            })));
        }
        self.groups.push(group);
    }

    pub(super) fn remove_group(&mut self, at: usize) {
        let group = self.groups.remove(at);
        self.tell_all(|| SliceMessage::ExporterRemove(group.exporter));
    }

    pub(super) fn set_policy(&mut self, at: usize, kind: Kind) {
        self.groups[at].kind = kind;
        let id = self.groups[at].exporter;
        self.tell_all(|| SliceMessage::ExporterPolicy { id, policy: TestPolicy::shared(kind) });
    }

    /// Adds a member; it is fed by [`feed_some`](Self::feed_some).
    pub(super) fn join(&mut self, at: usize, source: SourceId) {
        self.drain();
        let token = self.next_token;
        let slices = self.slices.len();
        let group = &mut self.groups[at];
        // One feed at a time, as egress does it: those under way start again with this one.
        self.next_token += 1;
        group.members.push(Member { source, view: BTreeMap::new(), token: Some(token) });
        for member in group.members.iter_mut().filter(|member| member.token.is_some()) {
            member.token = Some(token);
        }
        group.feed = Some((token, vec![0; slices]));
    }

    /// Sends a batch: operations on one source, `None` withdraws.
    pub(super) fn batch(&mut self, source: &Arc<Source>, ops: &[(Prefix4, u32, Option<Look>)]) {
        let mask = self.slices.len() as u32 - 1;
        let touched: BTreeSet<u32> = ops.iter().map(|(net, ..)| net.slice(mask)).collect();
        let burst =
            (touched.len() > 1).then(|| Burst { id: self.rng.next(), parts: touched.len() as u16 });
        for slice in touched {
            let mut sets = Vec::new();
            let mut list = Vec::new();
            for (net, path_id, look) in ops.iter().filter(|(net, ..)| net.slice(mask) == slice) {
                let attrs = match look {
                    Some(look) => {
                        sets.push(attrs(*look));
                        sets.len() as u32 - 1
                    }
                    None => NONE,
                };
                list.push(Op { key: *net, path_id: *path_id, attrs });
            }
            self.slices[slice as usize].handle(SliceMessage::Import(Box::new(ImportBatch {
                source: Arc::clone(source),
                attrs: sets,
                ops: Ops::V4(list),
                burst,
                credit: ImportHeld::none(),
            })));
        }
        if !source.is_alive() {
            return;
        }
        let router_id = source.peer.as_ref().unwrap().router_id;
        for (net, path_id, look) in ops {
            let (source, path_id) = (source.id, *path_id);
            match look {
                Some(look) => {
                    let route = ModelRoute { source, router_id, path_id, look: *look };
                    self.model.announce(*net, route);
                }
                None => self.model.withdraw(*net, source, path_id),
            }
        }
    }

    pub(super) fn kill(&mut self, id: SourceId) {
        let at = self.sources.iter().position(|source| source.id == id).unwrap();
        self.sources.remove(at).kill();
        self.tell_all(|| SliceMessage::SourceDown { source: id, done: None });
        self.model.kill(id);
    }

    /// One slice does a piece of its first job.
    pub(super) fn work_some(&mut self) {
        let at = self.rng.below(self.slices.len());
        let slice = &mut self.slices[at];
        if slice.new_jobs.is_empty() {
            return;
        }
        let mut job = slice.new_jobs.remove(0);
        if slice.piece(&mut job) == Progress::More {
            slice.new_jobs.push(job);
        }
    }

    /// Asks one slice of one group's feed for some bands.
    pub(super) fn feed_some(&mut self) {
        let feeding: Vec<usize> =
            (0..self.groups.len()).filter(|&at| self.groups[at].feed.is_some()).collect();
        if feeding.is_empty() {
            return;
        }
        self.drain();
        let at = feeding[self.rng.below(feeding.len())];
        let exporter = self.groups[at].exporter;
        let Some((token, bands)) = &self.groups[at].feed else { return };
        let slices: Vec<usize> = (0..bands.len()).filter(|&s| bands[s] < BANDS).collect();
        if slices.is_empty() {
            for member in &mut self.groups[at].members {
                member.token = None;
            }
            self.groups[at].feed = None;
            return;
        }
        let slice = slices[self.rng.below(slices.len())];
        let (token, band, bands) = (*token, bands[slice], 1 + self.rng.below(100) as u16);
        let request = FeedRequest { exporter, token, band, bands, withdraw_absent: false };
        self.slices[slice].handle(SliceMessage::Feed(request));
        self.drain();
    }

    /// Asks the only slice for the next band of a group's feed; false if there is none.
    pub(super) fn feed_band(&mut self, at: usize) -> bool {
        let group = &self.groups[at];
        let Some((token, bands)) = &group.feed else { return false };
        let (exporter, token, band) = (group.exporter, *token, bands[0]);
        let request = FeedRequest { exporter, token, band, bands: 1, withdraw_absent: false };
        if band < BANDS {
            self.slices[0].handle(SliceMessage::Feed(request));
        }
        self.drain();
        band < BANDS
    }

    /// Members apply what was sent.
    pub(super) fn drain(&mut self) {
        for group in &mut self.groups {
            for batch in group.inbox.take() {
                group.apply(&batch);
            }
        }
    }

    /// Finishes all jobs and feeds.
    pub(super) fn settle(&mut self) {
        while self.slices.iter().any(|slice| !slice.new_jobs.is_empty()) {
            self.work_some();
        }
        while self.groups.iter().any(|group| group.feed.is_some()) {
            self.feed_some();
        }
        self.drain();
        for slice in &mut self.slices {
            slice.sources.flush();
        }
    }

    /// Everything is as the model says.
    pub(super) fn check(&mut self) {
        self.check_tables();
        for group in &self.groups {
            for member in &group.members {
                let view: BTreeMap<Prefix4, Look> =
                    member.view.iter().map(|(net, (look, _))| (*net, *look)).collect();
                let wanted = self.model.view(group.kind, member.source);
                assert_eq!(view, wanted, "{:?}, {:?}", group.kind, member.source);
            }
            let everything = self.model.view(group.kind, SourceId(u32::MAX)).len() as u64;
            assert_eq!(group.counters.read().exported, everything, "exported by {:?}", group.kind);
        }
    }

    pub(super) fn check_tables(&self) {
        for slice in &self.slices {
            for table in slice.tables.iter().flatten() {
                with_table!(table, t => t.check());
            }
        }
    }

    /// Nothing is left anywhere.
    pub(super) fn check_empty(&self) {
        for slice in &self.slices {
            for table in slice.tables.iter().flatten() {
                with_table!(table, t => t.check_empty());
            }
            assert!(slice.new_jobs.is_empty());
        }
    }

    /// Networks of all slices, for tests of how much is left.
    pub(super) fn known_sources(&self) -> usize {
        self.slices.iter().map(|slice| slice.sources.len()).max().unwrap_or(0)
    }
}

impl Group {
    fn apply(&mut self, batch: &DeltaBatch) {
        self.bursts.extend(batch.burst);
        let Deltas::V4(deltas) = &batch.deltas else { panic!("IPv4 only") };
        for delta in deltas {
            let route = (delta.route != NONE).then(|| {
                let route = &batch.routes[delta.route as usize];
                (look_of(&route.attrs), route.source.id)
            });
            for member in &mut self.members {
                member.apply(delta.key, route, delta.to);
            }
        }
        if let (Some(reply), Some((token, bands))) = (batch.feed, &mut self.feed) {
            assert_eq!(bands[usize::from(batch.slice.0)], reply.band);
            if reply.token == *token {
                bands[usize::from(batch.slice.0)] = reply.next;
            }
        }
    }
}

impl Member {
    fn apply(&mut self, net: Prefix4, route: Option<(Look, SourceId)>, to: To) {
        let own = route.is_some_and(|(_, source)| source == self.source);
        match (to, route) {
            (To::Token(token), _) if self.token != Some(token) => {}
            (To::All | To::Token(_), Some(_)) if own => {}
            (To::AllWithdrawSource, Some(_)) if own => {
                self.view.remove(&net);
            }
            (_, Some(route)) => {
                self.view.insert(net, route);
            }
            (_, None) => {
                self.view.remove(&net);
            }
        }
    }
}
