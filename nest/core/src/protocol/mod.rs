//! What a protocol is to the daemon.
//!
//! A protocol crate implements four things:
//!
//! * [`ProtocolKind`]: the protocol type; the daemon registers one of each in a plain array.
//! * [`Section`]: its grammar inside `protocol NAME { … }`. Core parses the common options and the
//!   common part of channel blocks, and asks the section for everything else.
//! * [`Service`]: what all instances of the type share while the daemon runs (BGP: its listeners).
//!   Lives in the manager's loop.
//! * [`Instance`]: the manager's handle of one running protocol. The instance's own loops do the
//!   work; the handle sends messages to them. The instance talks back through its [`Reporter`].

mod channel;
mod describe;
mod difference;
mod environment;
mod instance;
mod limits;
mod section;
mod traces;
mod unbuilt;

pub use channel::{
    ChannelConfig, ChannelKind, ChannelRules, Direction, Limit, LimitAction, Needed, OtherChannel,
    OtherChannelConfig,
};
pub use describe::{
    ChannelDescription, ChannelState, ChannelStatistics, Description, ExportState, ImportState,
    Reply, statistics_line,
};
pub use difference::{Difference, Differences, Effect};
pub use environment::{Environment, ProtocolLog, Rib, TableEntry, Tables};
pub use instance::{
    Automatic, Change, Child, Instance, InstanceEvent, InstanceId, ProtocolState, ReloadMode,
    Reporter, RouteChange, StopCause, StopReason,
};
pub use limits::{
    LimitHit, ROUTE_LIMIT_EXCEEDED, limit_exceeded, limit_lines, limit_values, renew_limit,
};
pub use section::{InstanceConfig, NoConfig, ProtocolConfig, Section};
pub use traces::Places;
pub(crate) use traces::table_trace;
pub use unbuilt::Unbuilt;

use core::fmt;
use std::{any::Any, sync::Arc};

use dunlin_runtime::Context;

/// When an instance is started, relative to others; shut down in the reverse order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Learns the interfaces.
    Device,
    /// Kernel and pipe.
    Plumbing,
    /// Static and direct.
    Local,
    /// Everything else.
    Rest,
}

impl Phase {
    /// All phases, in the order of starting.
    pub const ALL: [Self; 4] = [Self::Device, Self::Plumbing, Self::Local, Self::Rest];
}

/// A protocol type.
pub trait ProtocolKind: Send + Sync + 'static {
    /// The word in the configuration: `bgp`.
    fn keyword(&self) -> &'static str;
    /// The name in `show protocols`: `BGP`.
    fn type_name(&self) -> &'static str;
    /// When its instances start.
    fn phase(&self) -> Phase;
    /// Which channels its instances may and must have, and their defaults.
    fn channels(&self) -> ChannelRules;
    /// Whether `show protocols` shows the table of an instance's only channel.
    fn has_main_channel(&self) -> bool {
        self.channels().needed == Needed::One
    }
    /// Whether a daemon has one instance of it at most.
    fn is_single(&self) -> bool {
        false
    }
    /// Why this instance cannot be beside an earlier one of its type, if it cannot.
    fn clash(&self, _earlier: &InstanceConfig, _later: &InstanceConfig) -> Option<String> {
        None
    }
    /// Whether all routes of a network are exported to it, and not only the best.
    fn exports_all_routes(&self) -> bool {
        false
    }
    /// Whether core shows the channels; if not, the protocol's own lines do.
    fn has_channel_blocks(&self) -> bool {
        true
    }
    /// What `show protocols all` says of an instance that does not run.
    fn describe_down(&self, _config: &InstanceConfig) -> Description {
        Description::default()
    }
    /// Whether its instances depend on router id and host name: they restart if those change.
    fn uses_identity(&self) -> bool {
        false
    }
    /// An empty section, ready to read statements.
    fn section(&self) -> Box<dyn Section>;
    /// Whether its instances can start; its sections are read and checked in any case.
    fn is_built(&self) -> bool {
        true
    }

    /// Whether there are templates of it, and instances inherit from others.
    fn has_templates(&self) -> bool {
        true
    }

    /// Whether its routes can have a label for each VRF.
    fn labels_vrfs(&self) -> bool {
        false
    }

    /// What all instances share; made once, when the first instance starts.
    fn service(&self) -> Box<dyn Service>;
}

/// What all instances of a type share while the daemon runs. Lives in the manager's loop, so it
/// needs no lock; `cx` is the manager's.
pub trait Service: Send {
    /// Starts an instance: spawns its loops with `cx.spawn`. The instance reports its states
    /// through `environment.reporter`, beginning in [`ProtocolState::Start`].
    ///
    /// # Errors
    /// If it cannot run at all. While the daemon itself starts, [`StartError::Failed`] ends it.
    fn start(
        &mut self,
        cx: &mut Context<'_>,
        environment: Environment,
        config: Arc<InstanceConfig>,
    ) -> Result<Box<dyn Instance>, StartError>;

    /// Starts a child that an instance asked for ([`InstanceEvent::Child`]); `payload` is what the
    /// parent sent along, such as an accepted connection.
    ///
    /// # Errors
    /// If it cannot run. The child is then gone.
    fn start_child(
        &mut self,
        _cx: &mut Context<'_>,
        _environment: Environment,
        _config: Arc<InstanceConfig>,
        _payload: Box<dyn Any + Send>,
    ) -> Result<Box<dyn Instance>, StartError> {
        Err(StartError::Unsupported("dynamic instances".to_owned()))
    }

    /// The configuration a running child gets when its parent's has become `parent`; nothing if
    /// the child has to end.
    fn child_config(
        &self,
        _parent: &InstanceConfig,
        _child: &InstanceConfig,
    ) -> Option<InstanceConfig> {
        None
    }
}

/// Why an instance cannot start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartError {
    /// Dunlin does not have this (yet).
    Unsupported(String),
    /// The system said no: an address in use, no permission.
    Failed(String),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupported(what) => write!(f, "{what} is not supported yet"),
            Self::Failed(why) => f.write_str(why),
        }
    }
}

impl core::error::Error for StartError {}
