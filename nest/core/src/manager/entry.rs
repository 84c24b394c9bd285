//! One protocol instance as the manager keeps it.

use std::sync::Arc;

use dunlin_runtime::{Context, GroupId};

use super::{Host, Row};
use crate::command::Line;
use crate::config::DebugFlags;
use crate::log::LogClass;
use crate::protocol::{
    ChannelKind, Instance, InstanceConfig, InstanceId, Phase, ProtocolLog, ProtocolState,
    StopCause, StopReason,
};
use crate::timeformat::WallTime;

/// What an instance should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Running.
    Up,
    /// Not running, but kept.
    Down,
    /// Forgotten once it is down.
    Gone,
}

/// A running incarnation.
struct Running {
    id: InstanceId,
    instance: Box<dyn Instance>,
    /// It has been told to stop.
    stopping: bool,
}

/// One instance, running or not.
pub(super) struct Entry {
    /// Its configuration: what it runs, or will run when it starts again.
    pub(super) config: Arc<InstanceConfig>,
    pub(super) wanted: Wanted,
    pub(super) info: String,
    pub(super) message: Option<Arc<str>>,
    pub(super) log: ProtocolLog,
    running: Option<Running>,
    state: ProtocolState,
    since: WallTime,
    created: WallTime,
    pub(super) restarted: Option<WallTime>,
    /// It could not start, or ended by itself; only a new configuration or a command tries again.
    pub(super) failed: bool,
    host: Arc<dyn Host>,
}

impl Entry {
    pub(super) fn new(config: Arc<InstanceConfig>, log: ProtocolLog, host: Arc<dyn Host>) -> Self {
        let now = host.now();
        Self {
            wanted: if config.disabled { Wanted::Down } else { Wanted::Up },
            config,
            info: String::new(),
            message: None,
            log,
            running: None,
            state: ProtocolState::Down,
            since: now,
            created: now,
            restarted: None,
            failed: false,
            host,
        }
    }

    /// Changes what is traced of the instance, or of one of its channels; a complaint if it has no such.
    pub(super) fn trace(&self, flags: DebugFlags, channel: Option<ChannelKind>) -> Option<Line> {
        let Some(kind) = channel else {
            self.log.set_flags(flags);
            return None;
        };
        if self.config.channel(kind).is_none() {
            let name = self.name();
            return Some(Line::new(9001, format!("{name} has no channel {kind}")));
        }
        self.log.set_channel_flags(kind, flags);
        None
    }

    pub(super) fn name(&self) -> &Arc<str> {
        &self.config.name
    }

    /// The thread group its loops belong to.
    pub(super) fn thread_group(&self, cx: &Context<'_>) -> GroupId {
        let name = self.config.thread_group.as_ref();
        name.map_or(GroupId::DEFAULT, |name| cx.runtime().group(name))
    }

    pub(super) fn phase(&self) -> Phase {
        self.config.kind.phase()
    }

    pub(super) fn is(&self, id: InstanceId) -> bool {
        self.running.as_ref().is_some_and(|running| running.id == id)
    }

    pub(super) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// On its way down.
    pub(super) fn is_stopping(&self) -> bool {
        self.running.as_ref().is_some_and(|running| running.stopping)
    }

    /// Neither running nor about to be.
    pub(super) fn is_disabled(&self) -> bool {
        self.wanted != Wanted::Up || self.failed
    }

    pub(super) fn state(&self) -> ProtocolState {
        self.state
    }

    /// The handle of the incarnation that runs and is not being stopped.
    pub(super) fn instance(&mut self) -> Option<&mut Box<dyn Instance>> {
        self.running.as_mut().filter(|running| !running.stopping).map(|r| &mut r.instance)
    }

    /// As [`instance`](Self::instance), to ask it only.
    pub(super) fn running_instance(&self) -> Option<&dyn Instance> {
        self.running.as_ref().filter(|running| !running.stopping).map(|r| &*r.instance)
    }

    /// The handle of an incarnation, even of one that is being stopped.
    pub(super) fn any_instance(&mut self) -> Option<&mut Box<dyn Instance>> {
        self.running.as_mut().map(|running| &mut running.instance)
    }

    pub(super) fn begin(&mut self, id: InstanceId, instance: Box<dyn Instance>) {
        self.running = Some(Running { id, instance, stopping: false });
    }

    /// Tells the running incarnation to stop, once.
    pub(super) fn stop(
        &mut self,
        cx: &mut Context<'_>,
        cause: StopCause,
        message: Option<Arc<str>>,
    ) {
        let Some(running) = self.running.as_mut().filter(|running| !running.stopping) else {
            return;
        };
        running.stopping = true;
        running.instance.stop(cx, &StopReason { cause, message });
    }

    /// The running incarnation has reported its end.
    pub(super) fn ended(&mut self, cx: &mut Context<'_>) {
        if !self.is_stopping() {
            // It ended by itself: not what it should do, and no reason to start it at once again.
            self.failed = true;
            if self.config.parent.is_some() {
                self.wanted = Wanted::Gone;
            }
        }
        self.running = None;
        self.enter(cx, ProtocolState::Down);
    }

    /// A loop of the running incarnation has panicked, so it is gone.
    pub(super) fn panicked(&mut self, cx: &mut Context<'_>, why: &str) {
        // One that was on its way down comes up again if it was to.
        let next =
            if self.is_stopping() { "" } else { ", and is down until it is enabled or restarted" };
        self.ended(cx);
        self.info = format!("Error: panicked: {why}");
        self.log.write(LogClass::Bug, format_args!("Panicked{next}: {why}"));
    }

    pub(super) fn enter(&mut self, _cx: &mut Context<'_>, state: ProtocolState) {
        if self.state == state {
            return;
        }
        self.state = state;
        self.since = self.host.now();
        self.log.trace(DebugFlags::STATES, format_args!("State changed to {state}"));
    }

    /// It could not start.
    pub(super) fn fail(&mut self, cx: &mut Context<'_>, why: &str) {
        self.failed = true;
        self.info = format!("Error: {why}");
        self.log.write(LogClass::Error, format_args!("Cannot start: {why}"));
        self.enter(cx, ProtocolState::Down);
    }

    pub(super) fn row(&self) -> Row {
        Row {
            config: self.config.clone(),
            state: self.state,
            since: self.since,
            created: self.created,
            restarted: self.restarted,
            message: self.message.clone(),
            info: self.info.clone(),
            running: self.running.as_ref().map(|running| running.id),
        }
    }
}
