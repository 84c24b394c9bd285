//! The loop that follows ROA and ASPA tables and publishes what they say.
//!
//! Slices send it every change. It puts changes into its own version of a table and publishes that when
//! no more come for a moment ([`Settle`]). Later, when the table has settled, it tells the slices which
//! networks may be judged otherwise: always behind what they are to be judged by, and not before they have
//! judged what they were told before, however fast a table changes.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use dunlin_attr::{AttrId, Value};
use dunlin_filter::{ChannelFilter, Interfaces, Scratch};
use dunlin_net::hash::Map;
use dunlin_net::{NetType, Roa, RoaAddress};
use dunlin_runtime::{Address, Class, Context, Loop, Time, TimerId};
use dunlin_sync::Snapshot;

use super::{Changed, Content, Origins, Recheck, Validated};
use crate::barrier::Barrier;
use crate::export::{
    Deciding, Delta, DeltaBatch, DeltaSink, Deltas, ExportPolicy, ExportVerdict, Exporter,
    ExporterKind, RouteView,
};
use crate::import::{NONE, Slices};
use crate::registry::next_exporter;
use crate::slice::SliceMessage;
use crate::{ExporterId, TableId};

/// How long to wait for more changes: after the last one, and after the first one at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Settle {
    /// After the last.
    pub quiet: Duration,
    /// After the first.
    pub most: Duration,
}

impl Settle {
    /// Before changes of a table are published: `export settle time`.
    pub const EXPORT: Self =
        Self { quiet: Duration::from_millis(1), most: Duration::from_millis(100) };
    /// Before routes are judged again: `digest settle time`.
    pub const DIGEST: Self = Self { quiet: Duration::from_secs(1), most: Duration::from_secs(20) };
}

/// A ROA or ASPA table.
#[derive(Clone, Debug)]
pub struct ValidatedTable {
    /// Its id.
    pub id: TableId,
    /// Its name, by which filters ask it.
    pub name: Arc<str>,
    /// What it holds.
    pub net_type: NetType,
}

/// What the validator is told.
#[derive(Debug)]
pub enum ValidatorMessage {
    /// Where the slices are, and its own address; the first message of all.
    Start(Slices, Address<Self>),
    /// A table is there; slices have been told.
    Add(ValidatedTable),
    /// It waits so long: before it publishes, before routes are judged again.
    Settle(TableId, Settle, Settle),
    /// A table is no more.
    Remove(TableId),
    /// The interfaces are these now. Nothing is judged again for it.
    Interfaces(Arc<dyn Interfaces>),
    /// A table changed in one slice.
    Changes(Box<DeltaBatch>),
    /// All slices have judged what a change of the table concerned.
    Judged(TableId),
}

/// See the module.
#[derive(Debug)]
pub struct Validator {
    published: Snapshot<Validated>,
    slices: Option<(Slices, Address<ValidatorMessage>)>,
    tables: Map<TableId, Followed>,
    timer: TimerId,
}

/// A table that is followed.
#[derive(Debug)]
struct Followed {
    table: ValidatedTable,
    exporter: ExporterId,
    content: Content,
    publish: Waiting,
    digest: Waiting,
    /// What is to be judged again.
    changed: Changed,
    /// Slices are at what was to be judged before.
    judging: bool,
}

/// Something to be done when changes have settled.
#[derive(Debug)]
struct Waiting {
    settle: Settle,
    /// When to do it, and when at the latest.
    when: Option<(Time, Time)>,
}

impl Waiting {
    const fn new(settle: Settle) -> Self {
        Self { settle, when: None }
    }

    /// One more change.
    fn note(&mut self, now: Time) {
        let latest = self.when.map_or(now + self.settle.most, |(_, latest)| latest);
        self.when = Some(((now + self.settle.quiet).min(latest), latest));
    }

    /// Whether it is to be done now; then it waits no more.
    fn is_due(&mut self, now: Time) -> bool {
        let due = self.when.is_some_and(|(when, _)| when <= now);
        if due {
            self.when = None;
        }
        due
    }
}

impl Validator {
    /// A validator that publishes there.
    pub fn new(published: Snapshot<Validated>) -> Self {
        Self { published, slices: None, tables: Map::default(), timer: TimerId::NONE }
    }

    fn add(&mut self, table: ValidatedTable) {
        let Some(content) = Content::new(table.net_type) else { return };
        let Some((slices, own)) = &self.slices else { return };
        let sink: Arc<dyn DeltaSink> = Arc::new(ToValidator(own.clone()));
        let exporter = Exporter {
            id: next_exporter(),
            table: table.id,
            kind: ExporterKind::Follow,
            policy: Arc::new(Everything),
            sink,
            counters: Arc::default(),
            sharing: Arc::default(),
            limit: None,
        };
        slices.send_all(Class::Routing, || SliceMessage::ExporterAdd(Box::new(exporter.clone())));
        let followed = Followed {
            exporter: exporter.id,
            content,
            publish: Waiting::new(Settle::EXPORT),
            digest: Waiting::new(Settle::DIGEST),
            changed: Changed::none(table.net_type),
            judging: false,
            table,
        };
        self.publish(&followed, Some(followed.content.clone()));
        self.tables.insert(followed.table.id, followed);
    }

    fn remove(&mut self, id: TableId) {
        let Some(followed) = self.tables.remove(&id) else { return };
        if let Some((slices, _)) = &self.slices {
            let gone = || SliceMessage::ExporterRemove(followed.exporter);
            slices.send_all(Class::Routing, gone);
        }
        // One of its name may have come in the meantime.
        let name = &followed.table.name;
        if self.tables.values().all(|other| other.table.name != *name) {
            self.publish(&followed, None);
        }
    }

    fn publish(&self, followed: &Followed, content: Option<Content>) {
        let next = self.published.load().with(&followed.table.name, content.map(Arc::new));
        self.published.store(Arc::new(next));
    }

    fn changes(&mut self, now: Time, batch: &DeltaBatch) {
        let followed = self.tables.values_mut().find(|table| table.exporter == batch.exporter);
        let Some(followed) = followed else { return };
        if followed.take(batch) {
            followed.publish.note(now);
            followed.digest.note(now);
        }
    }

    /// Does what has waited long enough.
    fn advance(&mut self, now: Time) {
        let (mut due, mut rechecks) = (Vec::new(), Vec::new());
        for followed in self.tables.values_mut() {
            let digests = !followed.judging && followed.digest.is_due(now);
            // What is judged again is judged by what is published.
            if followed.publish.is_due(now) || (digests && followed.publish.when.take().is_some()) {
                due.push(followed.table.id);
            }
            if digests {
                followed.judging = true;
                rechecks.push((followed.table.id, followed.recheck()));
            }
        }
        for id in due {
            if let Some(followed) = self.tables.get(&id) {
                self.publish(followed, Some(followed.content.clone()));
            }
        }
        for (id, recheck) in rechecks {
            self.recheck(id, Arc::new(recheck));
        }
    }

    /// Has all slices judge again.
    fn recheck(&self, id: TableId, recheck: Arc<Recheck>) {
        let Some((slices, own)) = &self.slices else { return };
        let own = own.clone();
        let done = Arc::new(Barrier::new(slices.count(), move || {
            // A validator that has stopped means that the daemon is going down.
            let _ = own.send(Class::Routing, ValidatorMessage::Judged(id));
        }));
        slices.send_all(Class::Routing, || SliceMessage::Recheck {
            recheck: Arc::clone(&recheck),
            done: Arc::clone(&done),
        });
    }

    fn arm(&self, cx: &mut Context<'_>) {
        let waiting = |table: &Followed| {
            let digest = table.digest.when.filter(|_| !table.judging);
            [table.publish.when, digest]
        };
        let waiting = self.tables.values().flat_map(waiting).flatten();
        match waiting.map(|(when, _)| when).min() {
            Some(when) => _ = cx.arm(self.timer, when),
            None => _ = cx.disarm(self.timer),
        }
    }
}

impl Followed {
    /// What has to be judged again since this was asked last.
    fn recheck(&mut self) -> Recheck {
        let none = Changed::none(self.table.net_type);
        let changed = core::mem::replace(&mut self.changed, none).settle();
        Recheck { table: Arc::clone(&self.table.name), changed }
    }

    /// Puts changes into the table; whether there were any.
    fn take(&mut self, batch: &DeltaBatch) -> bool {
        match (&mut self.content, &batch.deltas) {
            (Content::Roa4(origins), Deltas::Roa4(deltas)) => {
                take_roas(origins, deltas, &mut self.changed)
            }
            (Content::Roa6(origins), Deltas::Roa6(deltas)) => {
                take_roas(origins, deltas, &mut self.changed)
            }
            (Content::Aspa(providers), Deltas::Aspa(deltas)) => {
                let mut any = false;
                for delta in deltas {
                    let route = batch.routes.get(delta.route as usize);
                    let said = route.map(|route| route.attrs.extra_value(&AttrId::AspaProviders));
                    any |= match said {
                        Some(Some(Value::Asns(asns))) => providers.insert(delta.key.0, asns),
                        // Without a list it says that nobody provides for it.
                        Some(_) => providers.insert(delta.key.0, &[0]),
                        None => providers.remove(delta.key.0),
                    };
                }
                any
            }
            _ => false,
        }
    }
}

fn take_roas<A: RoaAddress>(
    origins: &mut Origins<A>,
    deltas: &[Delta<Roa<A>>],
    changed: &mut Changed,
) -> bool {
    let mut any = false;
    for delta in deltas {
        let is_there = delta.route != NONE;
        if if is_there { origins.insert(delta.key) } else { origins.remove(delta.key) } {
            any = true;
            changed.note(delta.key.prefix());
        }
    }
    any
}

impl Loop for Validator {
    type Message = ValidatorMessage;

    fn is_essential(&self) -> bool {
        true
    }

    fn start(&mut self, cx: &mut Context<'_>) {
        self.timer = cx.timer(Class::Routing);
    }

    fn message(&mut self, cx: &mut Context<'_>, message: ValidatorMessage) {
        match message {
            ValidatorMessage::Start(slices, own) => self.slices = Some((slices, own)),
            ValidatorMessage::Add(table) => self.add(table),
            ValidatorMessage::Settle(id, export, digest) => {
                if let Some(followed) = self.tables.get_mut(&id) {
                    (followed.publish.settle, followed.digest.settle) = (export, digest);
                }
            }
            ValidatorMessage::Remove(id) => self.remove(id),
            ValidatorMessage::Interfaces(interfaces) => {
                self.published.store(Arc::new(self.published.load().on(interfaces)));
            }
            ValidatorMessage::Changes(batch) => self.changes(cx.now(), &batch),
            ValidatorMessage::Judged(id) => {
                if let Some(followed) = self.tables.get_mut(&id) {
                    followed.judging = false;
                }
            }
        }
        self.advance(cx.now());
        self.arm(cx);
    }

    fn timer(&mut self, cx: &mut Context<'_>, _: TimerId) {
        self.advance(cx.now());
        self.arm(cx);
    }
}

/// Sends a slice's changes to the validator.
struct ToValidator(Address<ValidatorMessage>);

impl DeltaSink for ToValidator {
    fn deliver(&self, batch: Box<DeltaBatch>) {
        // A validator that has stopped means that the daemon is going down.
        let _ = self.0.send(Class::Routing, ValidatorMessage::Changes(batch));
    }
}

/// Who follows a table is never asked what of it.
struct Everything;

impl ExportPolicy for Everything {
    fn key(&self) -> u64 {
        0
    }

    fn ignores_net(&self) -> bool {
        true
    }

    fn evaluate(&self, _: &mut Scratch, _: RouteView<'_>) -> ExportVerdict {
        ExportVerdict::AsIs
    }

    fn deciding<'a>(&'a self, route: RouteView<'a>) -> Deciding<'a> {
        Deciding::Filter(&ChannelFilter::Accept, route.input(route.next_hop.for_filters()))
    }
}

impl fmt::Debug for ToValidator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ToValidator")
    }
}
