//! Who exports what together: finds or makes the export group of a session.

use core::sync::atomic::{AtomicU32, Ordering};
use std::sync::Arc;

use dunlin_net::hash::Map;
use dunlin_net::{NetType, Prefix4, Prefix6};
use dunlin_runtime::{Address, Class, Context, Loop};

use crate::counters::ExportCounters;
use crate::egress::{Egress, EgressMessage, GroupSpec, MAX_LAG, MOST_MEMBERS, MemberSpec};
use crate::encode::Encoder;
use crate::export::{
    DeltaBatch, DeltaSink, ExportLimit, ExportPolicy, Exporter, ExporterKind, SharingCounters,
};
use crate::import::Slices;
use crate::slice::SliceMessage;
use crate::{ExporterId, TableId};

/// A session's wish to export a table.
#[derive(Clone)]
pub struct JoinSpec {
    /// The table.
    pub table: TableId,
    /// What it holds.
    pub net_type: NetType,
    /// What is exported.
    pub policy: Arc<dyn ExportPolicy>,
    /// How it is encoded.
    pub encoder: Arc<dyn Encoder>,
    /// The session. With a limit, the policy's key must be the session's own.
    pub member: MemberSpec,
    /// Export limit.
    pub limit: Option<ExportLimit>,
    /// Told of the group: its counters.
    pub found: Arc<dyn GroupFound>,
}

impl core::fmt::Debug for JoinSpec {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("JoinSpec")
            .field("table", &self.table)
            .field("member", &self.member)
            .finish_non_exhaustive()
    }
}

/// Told to which group a session belongs now.
pub trait GroupFound: Send + Sync {
    /// The group's figures as they are at the join. Called from the registry's loop: send a message,
    /// return.
    fn found(&self, figures: &GroupFigures);
}

/// A group's figures.
#[derive(Clone, Debug)]
pub struct GroupFigures {
    /// Its exporter.
    pub exporter: ExporterId,
    /// Its table.
    pub table: TableId,
    /// Sessions that joined and have not left, as far as the registry knows.
    pub joins: u64,
    /// Exported routes.
    pub exports: Arc<ExportCounters>,
    /// Shared work.
    pub sharing: Arc<SharingCounters>,
}

/// What the registry is told.
pub enum RegistryMessage {
    /// Where the slices are; the first message of all.
    Start(Slices),
    /// A session wants to export.
    Join(Box<JoinSpec>),
    /// A group's last member has left after this many joins.
    Empty {
        /// The group.
        exporter: ExporterId,
        /// Joins that it has seen.
        joins: u64,
    },
    /// Who is there.
    List(Box<dyn FnOnce(Vec<GroupFigures>) + Send>),
}

impl core::fmt::Debug for RegistryMessage {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Start(_) => "Start",
            Self::Join(_) => "Join",
            Self::Empty { .. } => "Empty",
            Self::List(_) => "List",
        })
    }
}

/// What makes sessions a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct GroupKey {
    table: TableId,
    policy: u64,
    encoder: u64,
}

#[derive(Debug)]
struct Group {
    figures: GroupFigures,
    address: Address<EgressMessage>,
}

/// See the module.
#[derive(Debug)]
pub struct Registry {
    slices: Option<Slices>,
    groups: Map<GroupKey, Group>,
    max_lag: u64,
    max_members: usize,
}

impl Default for Registry {
    fn default() -> Self {
        Self { slices: None, groups: Map::default(), max_lag: MAX_LAG, max_members: MOST_MEMBERS }
    }
}

/// Source of exporter ids, unique over the process (`Relaxed`: only uniqueness matters).
static EXPORTERS: AtomicU32 = AtomicU32::new(1);

/// A new exporter id.
pub fn next_exporter() -> ExporterId {
    ExporterId(EXPORTERS.fetch_add(1, Ordering::Relaxed))
}

/// Sends a slice's deltas to an egress loop.
struct ToEgress(Address<EgressMessage>);

impl DeltaSink for ToEgress {
    fn deliver(&self, batch: Box<DeltaBatch>) {
        // A group that is gone needs no deltas.
        let _ = self.0.send(Class::Routing, EgressMessage::Deltas(batch));
    }
}

impl Registry {
    /// A registry without groups.
    pub fn new() -> Self {
        Self::default()
    }

    /// As [`new`](Self::new); members leave the log when they are this many bytes behind.
    pub fn with_max_lag(max_lag: u64) -> Self {
        Self { max_lag, ..Self::default() }
    }

    /// As [`new`](Self::new); groups have no more members than this.
    pub fn with_max_members(max_members: usize) -> Self {
        Self { max_members, ..Self::default() }
    }

    fn join(&mut self, spec: JoinSpec, cx: &mut Context<'_>) {
        let Some(slices) = self.slices.clone() else { return };
        let key =
            GroupKey { table: spec.table, policy: spec.policy.key(), encoder: spec.encoder.key() };
        let bounds = (self.max_lag, self.max_members);
        let group =
            self.groups.entry(key).or_insert_with(|| make_group(&spec, &slices, bounds, cx));
        group.figures.joins += 1;
        let figures = &group.figures;
        spec.found.found(figures);
        let _ = group.address.send(Class::Routing, EgressMessage::Join(Box::new(spec.member)));
    }

    fn empty(&mut self, exporter: ExporterId, joins: u64) {
        let gone =
            |group: &Group| group.figures.exporter == exporter && group.figures.joins == joins;
        let slices = self.slices.clone();
        self.groups.retain(|_, group| {
            if !gone(group) {
                return true;
            }
            if let Some(slices) = &slices {
                slices.send_all(Class::Routing, || SliceMessage::ExporterRemove(exporter));
            }
            group.address.stop();
            false
        });
    }
}

fn make_group(
    spec: &JoinSpec,
    slices: &Slices,
    (max_lag, max_members): (u64, usize),
    cx: &mut Context<'_>,
) -> Group {
    let exporter = next_exporter();
    let sharing: Arc<SharingCounters> = Arc::default();
    let exports: Arc<ExportCounters> = Arc::default();
    let registry = cx.own::<RegistryMessage>();
    let group = GroupSpec {
        exporter,
        slices: slices.clone(),
        encoder: Arc::clone(&spec.encoder),
        sharing: Arc::clone(&sharing),
        registry,
        max_lag,
        max_members,
    };
    let name = format!("export {exporter}");
    let address = match spec.net_type {
        NetType::Ip6 => cx.spawn(&name, Class::Routing, Egress::<Prefix6>::new(group)),
        _ => cx.spawn(&name, Class::Routing, Egress::<Prefix4>::new(group)),
    };
    let sink: Arc<dyn DeltaSink> = Arc::new(ToEgress(address.clone()));
    slices.send_all(Class::Routing, || {
        SliceMessage::ExporterAdd(Box::new(Exporter {
            id: exporter,
            table: spec.table,
            kind: ExporterKind::Group,
            policy: Arc::clone(&spec.policy),
            sink: Arc::clone(&sink),
            counters: Arc::clone(&exports),
            sharing: Arc::clone(&sharing),
            limit: spec.limit.clone(),
        }))
    });
    let figures = GroupFigures { exporter, table: spec.table, joins: 0, exports, sharing };
    Group { figures, address }
}

impl Loop for Registry {
    type Message = RegistryMessage;

    fn is_essential(&self) -> bool {
        true
    }

    fn message(&mut self, cx: &mut Context<'_>, message: RegistryMessage) {
        match message {
            RegistryMessage::Start(slices) => self.slices = Some(slices),
            RegistryMessage::Join(spec) => self.join(*spec, cx),
            RegistryMessage::Empty { exporter, joins } => self.empty(exporter, joins),
            RegistryMessage::List(reply) => {
                let mut list: Vec<GroupFigures> =
                    self.groups.values().map(|group| group.figures.clone()).collect();
                list.sort_by_key(|figures| figures.exporter);
                reply(list);
            }
        }
    }
}
