//! The manager's handle of a session.

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::Arc;

use dunlin_core::interfaces::Interfaces;
use dunlin_core::log::Log;
use dunlin_core::protocol::{
    Change, ChannelConfig, ChannelKind, Description, Difference, Direction, Effect, Instance,
    InstanceConfig, ProtocolState, ReloadMode, Reply, Reporter, RouteChange, StopReason,
};
use dunlin_filter::ChannelFilter;
use dunlin_rib::assess::Ask;
use dunlin_rib::export::ExportPolicy;
use dunlin_runtime::{Address, Class, Context, GroupId};

use super::policy::{BgpPolicy, Rules};
use super::session::SessionMessage;
use super::session::settings::{kind, required};
use crate::config::{BgpConfig, ChannelOptions};
use crate::fsm::Required;
use crate::wire::FamilySet;

/// What a session and its handle both look at.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// The neighbour answers route refresh. Written by the session, read by the manager
    /// (`Relaxed`: a hint for a reply, it publishes nothing).
    route_refresh: AtomicBool,
    /// What the neighbour of an established session lacks, a bit for each thing that could be
    /// required. Written by the session, read by the manager (`Relaxed`: a session that ends meanwhile
    /// is judged anew when it comes back, by what is required then).
    lacks: AtomicU32,
}

impl Shared {
    pub(crate) fn set_route_refresh(&self, can: bool) {
        self.route_refresh.store(can, Ordering::Relaxed);
    }

    pub(crate) fn set_met(&self, met: &Required) {
        self.lacks.store(!met.bits(), Ordering::Relaxed);
    }

    /// What of all that could be required the neighbour lacks.
    fn lacks(&self) -> u32 {
        self.lacks.load(Ordering::Relaxed)
    }

    /// Nobody is there to lack anything.
    pub(crate) fn forget_met(&self) {
        self.lacks.store(0, Ordering::Relaxed);
    }

    fn route_refresh(&self) -> bool {
        self.route_refresh.load(Ordering::Relaxed)
    }
}

/// See the module.
pub(crate) struct BgpInstance {
    pub(crate) session: Address<SessionMessage>,
    pub(crate) config: Arc<InstanceConfig>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) log: Log,
    pub(crate) reporter: Reporter,
}

impl BgpInstance {
    fn tell(&self, message: SessionMessage) {
        // A session that has stopped has said so to the manager.
        let _ = self.session.send(Class::Control, message);
    }
}

impl Instance for BgpInstance {
    fn reconfigure(&mut self, cx: &mut Context<'_>, change: &Change<'_>) {
        self.config = Arc::clone(change.new);
        // The same for all sessions of a change, so that they share their export groups afterwards.
        let soft = (change.mode == ReloadMode::Soft).then(|| cx.now());
        let differences = Arc::from(change.differences);
        self.tell(SessionMessage::Reconfigure(Arc::clone(change.new), differences, soft));
    }

    fn refusal(&self, new: &InstanceConfig) -> Option<Difference> {
        let required = required(new.specific::<BgpConfig>()?);
        let lacks = self.shared.lacks() & required.bits();
        let family = required.families.iter().find(|family| {
            let families = FamilySet::NONE.with(*family);
            lacks & Required { families, ..Required::default() }.bits() != 0
        });
        match family {
            _ if lacks == 0 => None,
            Some(family) => {
                let channel = kind(family).keyword();
                Some(Difference::of_channel(channel, "mandatory", Effect::Restart))
            }
            None => Some(Difference::new("require", Effect::Restart)),
        }
    }

    fn export_changes(&self, change: &Change<'_>) -> Vec<RouteChange> {
        let (Some(before), Some(after)) =
            (self.config.specific::<BgpConfig>(), change.new.specific::<BgpConfig>())
        else {
            return Vec::new();
        };
        let changed =
            |channel: &&ChannelConfig| change.reloads(channel.kind.keyword(), Effect::Export);
        let asked = |channel: &ChannelConfig| {
            let kind = channel.kind;
            let sent_anew = other_next_hops(before.channel(kind)?, after.channel(kind)?);
            let policy = |bgp: &BgpConfig, filter: &ChannelFilter| -> Arc<dyn ExportPolicy> {
                let rules = Rules::new(bgp, bgp.is_internal(), None);
                Arc::new(BgpPolicy::new(rules, filter.clone(), Log::silent()))
            };
            Some(RouteChange {
                channel: kind.keyword(),
                direction: Direction::Out,
                table: Arc::clone(&channel.table),
                ask: Ask::Best {
                    now: policy(before, &self.config.channel(kind)?.export),
                    then: policy(after, &channel.export),
                    sent_anew,
                    to: [Arc::clone(&change.new.name)].into(),
                },
            })
        };
        change.new.channels.iter().filter(changed).filter_map(asked).collect()
    }

    fn set_thread_group(&self, group: GroupId) {
        self.session.set_group(group);
    }

    fn reload(&mut self, _cx: &mut Context<'_>, direction: Direction) -> bool {
        self.tell(SessionMessage::Reload(direction));
        true
    }

    fn reloads_in_part(&self, direction: Direction) -> bool {
        direction == Direction::In
    }

    fn refresh(&mut self, _cx: &mut Context<'_>, direction: Direction) -> Result<String, String> {
        if direction == Direction::In && !self.shared.route_refresh() {
            return Err("not reloading, route refresh unavailable".to_owned());
        }
        self.tell(SessionMessage::Refresh(direction));
        Ok(": reloading".to_owned())
    }

    fn describe(&self, reply: Reply<Description>) {
        self.tell(SessionMessage::Describe(reply));
    }

    fn export_policy(&self, channel: ChannelKind) -> Option<Arc<dyn ExportPolicy>> {
        let bgp = self.config.specific::<BgpConfig>()?;
        let filter = self.config.channel(channel)?.export.clone();
        let rules = Rules::new(bgp, bgp.is_internal(), None);
        Some(Arc::new(BgpPolicy::new(rules, filter, self.log.clone())))
    }

    fn stop(&mut self, _cx: &mut Context<'_>, reason: &StopReason) {
        let stop = SessionMessage::Stop(reason.clone());
        if self.session.send(Class::Control, stop).is_err() {
            self.reporter.state(ProtocolState::Down);
        }
    }

    fn interfaces_changed(&mut self, _cx: &mut Context<'_>, interfaces: &Arc<Interfaces>) {
        self.tell(SessionMessage::Interfaces(Arc::clone(interfaces)));
    }
}

/// Whether routes of external neighbours, and of internal ones, are sent with another next hop.
fn other_next_hops(before: &ChannelOptions, after: &ChannelOptions) -> [bool; 2] {
    [false, true].map(|internal| {
        before.next_hop_self.holds(internal) != after.next_hop_self.holds(internal)
            || before.next_hop_keep.holds(internal) != after.next_hop_keep.holds(internal)
    })
}
