//! A running protocol, seen from the manager, and what it says to the manager.

use core::fmt;
use std::{any::Any, sync::Arc};

use dunlin_rib::assess::Ask;
use dunlin_rib::export::ExportPolicy;
use dunlin_runtime::{Address, Class, Context, GroupId, Panic};

use super::{ChannelKind, Description, Difference, Direction, Effect, InstanceConfig, Reply};
use crate::{interfaces::Interfaces, manager::ManagerMessage};

/// One incarnation of a protocol instance. A restarted instance has a new one, so that reports of
/// the old one are recognised as stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceId(pub u32);

/// The state in `show protocols`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProtocolState {
    /// Not running.
    Down,
    /// Coming up.
    Start,
    /// Running.
    Up,
    /// Ending: saying goodbye.
    Stop,
    /// Ending: its routes are leaving the tables.
    Flush,
}

impl fmt::Display for ProtocolState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Down => "down",
            Self::Start => "start",
            Self::Up => "up",
            Self::Stop => "stop",
            Self::Flush => "flush",
        })
    }
}

/// The manager's handle of a running instance. All methods run in the manager's loop and must not
/// block: they send messages to the instance's own loops.
pub trait Instance: Send {
    /// Takes a new configuration of the same name and type, which is in force afterwards (changed
    /// filters and limits included; with [`ReloadMode::Soft`] routes already accepted stay). Core has
    /// restarted the instance instead where a difference asks for it, or [`Instance::refusal`] does.
    fn reconfigure(&mut self, cx: &mut Context<'_>, change: &Change<'_>);

    /// Why the instance as it runs cannot take a new configuration that its protocol otherwise could:
    /// an option that the neighbour does not meet, say. It is restarted then.
    fn refusal(&self, _new: &InstanceConfig) -> Option<Difference> {
        None
    }

    /// What would be exported otherwise than now if this configuration came into force, for
    /// `configure check impact`. Nothing may be logged by these policies.
    fn export_changes(&self, _change: &Change<'_>) -> Vec<RouteChange> {
        Vec::new()
    }

    /// Has the instance's loops run in this thread group. At its start, and when the configuration
    /// changes it; an instance whose loops run anywhere does nothing.
    fn set_thread_group(&self, _group: GroupId) {}

    /// Evaluates filters again. False if the instance cannot in this state.
    fn reload(&mut self, cx: &mut Context<'_>, direction: Direction) -> bool;

    /// Whether filters of this direction can be run over some networks only (`reload … partial`). Core has the
    /// slices do it, to what they have kept.
    fn reloads_in_part(&self, _direction: Direction) -> bool {
        false
    }

    /// Asks the peer to send its routes again, or sends it ours (`reload bgp`); the text of the
    /// reply, or why not.
    ///
    /// # Errors
    /// If there is no such thing in this protocol or state.
    fn refresh(&mut self, _cx: &mut Context<'_>, _direction: Direction) -> Result<String, String> {
        Err("not reloading, route refresh unavailable".to_owned())
    }

    /// Describes itself for `show protocols all`; the reply may come from another loop, later.
    fn describe(&self, reply: Reply<Description>);

    /// What the channel exports: the protocol's rules and the filter, for `show route export`.
    fn export_policy(&self, _channel: ChannelKind) -> Option<Arc<dyn ExportPolicy>> {
        None
    }

    /// What the instance takes out of another table, that table's name, and by what rules and filter: for
    /// `show route explain import`. Nothing where routes come from elsewhere.
    fn import_policy(&self, _channel: ChannelKind) -> Option<(Arc<str>, Arc<dyn ExportPolicy>)> {
        None
    }

    /// Lines of `show static` and the like; nothing if the protocol has no such command.
    fn show(&self, _what: &str, reply: Reply<Vec<String>>) {
        reply.send(Vec::new());
    }

    /// Ends. The instance reports `Stop`, `Flush`, and `Down` when none of its routes is left and
    /// its loops are gone.
    fn stop(&mut self, cx: &mut Context<'_>, reason: &StopReason);

    /// The interfaces have changed.
    fn interfaces_changed(&mut self, _cx: &mut Context<'_>, _interfaces: &Arc<Interfaces>) {}
}

/// A new configuration, and how it differs from the one that an instance runs.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// The new configuration.
    pub new: &'a Arc<InstanceConfig>,
    /// What differs; nothing of it asks for a restart.
    pub differences: &'a [Difference],
    /// What becomes of routes that filters have passed.
    pub mode: ReloadMode,
}

impl Change<'_> {
    /// Whether a channel's routes are to be looked at again.
    pub fn reloads(&self, channel: &str, effect: Effect) -> bool {
        self.differences.iter().any(|difference| difference.reloads(channel, effect))
    }
}

/// Routes of one channel that go through another filter with another configuration.
#[derive(Clone)]
pub struct RouteChange {
    /// The channel, as differences name it.
    pub channel: &'static str,
    /// Which way, as the protocol says it.
    pub direction: Direction,
    /// The table that routes are taken from.
    pub table: Arc<str>,
    /// Of which routes, and what is done with them.
    pub ask: Ask,
}

impl fmt::Debug for RouteChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouteChange").field("channel", &self.channel).finish_non_exhaustive()
    }
}

/// `configure` or `configure soft`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ReloadMode {
    /// Changed filters run over all routes again.
    #[default]
    Hard,
    /// Changed filters run over new routes only.
    Soft,
}

/// Why an instance is told to stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopReason {
    /// The cause.
    pub cause: StopCause,
    /// Text given with the command, for the peer (RFC 9003).
    pub message: Option<Arc<str>>,
}

/// The cause of a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopCause {
    /// Not in the new configuration.
    Removed,
    /// `disabled` in the new configuration.
    Disabled,
    /// Restarts because its configuration changed.
    Reconfigured,
    /// `disable`.
    CommandDisable,
    /// `restart`.
    CommandRestart,
    /// The daemon ends.
    Shutdown,
    /// It asked for it itself ([`InstanceEvent::Automatic`]).
    Automatic,
}

/// What an instance does to itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Automatic {
    /// Restart (a limit's action).
    Restart,
    /// Disable (a limit's action, or a child whose peer has gone).
    Disable,
}

/// What an instance tells the manager.
pub enum InstanceEvent {
    /// Its state changed.
    State(ProtocolState),
    /// The text in the info column changed; exactly as shown, padding included.
    Info(String),
    /// It wants to be stopped and restarted or disabled, for this reason. A child is removed.
    Automatic(Automatic, String),
    /// It wants a child.
    Child(Box<Child>),
    /// The interfaces as they are now (device).
    Interfaces(Arc<Interfaces>),
    /// A loop that the instance is nothing without has panicked, and this is what is known of it. The
    /// instance is down; what it had in the tables goes with the loop.
    Panicked(String),
}

impl fmt::Debug for InstanceEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::State(state) => f.debug_tuple("State").field(state).finish(),
            Self::Info(info) => f.debug_tuple("Info").field(info).finish(),
            Self::Automatic(what, why) => {
                f.debug_tuple("Automatic").field(what).field(why).finish()
            }
            Self::Interfaces(_) => f.write_str("Interfaces"),
            Self::Child(child) => f.debug_tuple("Child").field(&child.config.name).finish(),
            Self::Panicked(why) => f.debug_tuple("Panicked").field(why).finish(),
        }
    }
}

/// An instance that another one asks for, such as a session with a peer out of a range.
pub struct Child {
    /// Its configuration; the manager puts a number behind the name.
    pub config: InstanceConfig,
    /// At least this many digits in that number.
    pub digits: usize,
    /// Handed to [`super::Service::start_child`].
    pub payload: Box<dyn Any + Send>,
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child").field("config", &self.config).finish_non_exhaustive()
    }
}

/// An instance's way to the manager. Cheap to clone; may be given to all loops of the instance.
#[derive(Clone)]
pub struct Reporter {
    id: InstanceId,
    manager: Address<ManagerMessage>,
}

impl Reporter {
    /// The reporter of an incarnation.
    pub fn new(id: InstanceId, manager: Address<ManagerMessage>) -> Self {
        Self { id, manager }
    }

    /// Which incarnation this is.
    pub fn id(&self) -> InstanceId {
        self.id
    }

    /// Tells the manager.
    pub fn report(&self, event: InstanceEvent) {
        // The manager outlives its instances but for the last moments of the daemon, when nobody
        // needs the report any more.
        let _ = self.manager.send(Class::Control, ManagerMessage::Instance(self.id, event));
    }

    /// Tells the manager of a new state.
    pub fn state(&self, state: ProtocolState) {
        self.report(InstanceEvent::State(state));
    }

    /// Tells the manager that a loop of the instance has panicked: what its
    /// [`Loop::panicked`](dunlin_runtime::Loop::panicked) is for.
    pub fn panicked(&self, panic: &Panic) {
        self.report(InstanceEvent::Panicked(panic.to_string()));
    }

    /// Tells the manager of a new text in the info column.
    pub fn info(&self, info: impl Into<String>) {
        self.report(InstanceEvent::Info(info.into()));
    }
}

impl fmt::Debug for Reporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Reporter").field(&self.id).finish()
    }
}
