//! The manager's handle of a session.

use core::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use dunlin_core::interfaces::Interfaces;
use dunlin_core::log::Log;
use dunlin_core::protocol::{
    ChannelKind, Description, Direction, Instance, InstanceConfig, ProtocolState, Reconfigured,
    ReloadMode, Reply, Reporter, StopReason,
};
use dunlin_rib::export::ExportPolicy;
use dunlin_runtime::{Address, Class, Context, GroupId};

use super::policy::{BgpPolicy, Rules};
use super::session::SessionMessage;
use crate::config::{BgpConfig, needs_restart};

/// What a session and its handle both look at.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// The neighbour answers route refresh. Written by the session, read by the manager
    /// (`Relaxed`: a hint for a reply, it publishes nothing).
    route_refresh: AtomicBool,
}

impl Shared {
    pub(crate) fn set_route_refresh(&self, can: bool) {
        self.route_refresh.store(can, Ordering::Relaxed);
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
    fn reconfigure(
        &mut self,
        cx: &mut Context<'_>,
        new: &Arc<InstanceConfig>,
        mode: ReloadMode,
    ) -> Reconfigured {
        if needs_restart(&self.config, new) {
            return Reconfigured::Restart;
        }
        self.config = Arc::clone(new);
        // The same for all sessions of a change, so that they share their export groups afterwards.
        let soft = (mode == ReloadMode::Soft).then(|| cx.now());
        self.tell(SessionMessage::Reconfigure(Arc::clone(new), soft));
        Reconfigured::Live
    }

    fn set_thread_group(&self, group: GroupId) {
        self.session.set_group(group);
    }

    fn reload(&mut self, _cx: &mut Context<'_>, direction: Direction) -> bool {
        self.tell(SessionMessage::Reload(direction));
        true
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
