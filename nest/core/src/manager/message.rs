//! What the manager is told and asked.

use core::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use dunlin_filter::PrefixSet;
use dunlin_rib::export::ExportPolicy;
use dunlin_rib::walk::RouteRow;

use super::Plan;
use super::configure::LoadedFor;
use crate::command::Line;
use crate::config::DebugFlags;
use crate::protocol::{
    ChannelKind, Description, Direction, InstanceConfig, InstanceEvent, InstanceId, ProtocolState,
    Reply,
};
use crate::timeformat::WallTime;

/// A message to the manager.
pub enum ManagerMessage {
    /// A report of an instance.
    Instance(InstanceId, InstanceEvent),
    /// A configuration has been read.
    Loaded(Box<LoadedFor>),
    /// Somebody wants something.
    Request(Box<Request>),
    /// A signal of the operating system.
    Signal(Signal),
}

impl fmt::Debug for ManagerMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instance(id, event) => f.debug_tuple("Instance").field(id).field(event).finish(),
            Self::Loaded(_) => f.write_str("Loaded"),
            Self::Request(_) => f.write_str("Request"),
            Self::Signal(signal) => f.debug_tuple("Signal").field(signal).finish(),
        }
    }
}

/// A signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Read the configuration again.
    Configure,
    /// End in order; who says so.
    Shutdown(&'static str),
}

/// Which instances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// All.
    All,
    /// The one of this name.
    Name(Arc<str>),
    /// Those whose name matches.
    Pattern(Arc<str>),
}

impl Selection {
    /// Whether an instance of this name is meant.
    pub fn includes(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Name(wanted) => **wanted == *name,
            Self::Pattern(pattern) => dunlin_conf::glob::matches(pattern, name),
        }
    }
}

impl Selection {
    /// The line for a selection that nothing is in. A name that nobody has is what BIRD's parser
    /// would not have taken.
    pub fn nobody(&self) -> Line {
        match self {
            Self::Name(name) => Line::new(9001, unknown(name)),
            Self::All | Self::Pattern(_) => Line::new(8003, "No protocols match"),
        }
    }
}

/// The text for a protocol's name that nobody has.
pub fn unknown(name: &str) -> String {
    format!(
        "syntax error, unexpected CF_SYM_UNDEFINED, expecting CF_SYM_KNOWN ({name} is no protocol)"
    )
}

/// What to do with instances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// `enable`
    Enable,
    /// `disable`
    Disable,
    /// `restart`
    Restart,
    /// `reload filters`; both directions if none is given.
    Reload(Option<Direction>),
    /// `reload filters … partial`: over these networks only.
    ReloadPart(Option<Direction>, Arc<PrefixSet>),
    /// `reload bgp`
    Refresh(Option<Direction>),
    /// `debug`, of one channel if one is named.
    Debug(DebugFlags, Option<ChannelKind>),
}

/// The variants of `configure`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigureCommand {
    /// `configure [soft] ["file"] [timeout [N]]`
    Apply {
        /// Do not run changed filters over old routes.
        soft: bool,
        /// Another file than the one that the daemon was started with.
        file: Option<PathBuf>,
        /// Undo after so many seconds, at least one, without `configure confirm`.
        timeout: Option<u32>,
    },
    /// `configure check ["file"]`
    Check {
        /// Another file than the one that the daemon was started with.
        file: Option<PathBuf>,
    },
    /// `configure confirm`
    Confirm,
    /// `configure undo`
    Undo,
    /// `configure status`
    Status,
}

/// One instance as shown.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its configuration.
    pub config: Arc<InstanceConfig>,
    /// Its state.
    pub state: ProtocolState,
    /// Since when.
    pub since: WallTime,
    /// When it was made.
    pub created: WallTime,
    /// When it last restarted by itself.
    pub restarted: Option<WallTime>,
    /// Text of the last command or automatic stop.
    pub message: Option<Arc<str>>,
    /// The info column.
    pub info: String,
    /// The running incarnation.
    pub running: Option<InstanceId>,
}

/// What the channels of an instance export.
pub struct Policies {
    /// The instance's configuration.
    pub config: Arc<InstanceConfig>,
    /// The incarnation that runs: a pipe gives no route back that it has brought.
    pub running: Option<InstanceId>,
    /// The policies of those channels that export at all.
    pub channels: Vec<(ChannelKind, Arc<dyn ExportPolicy>)>,
    /// What it takes out of other tables, by their names.
    pub inward: Vec<(Arc<str>, Arc<dyn ExportPolicy>)>,
}

impl fmt::Debug for Policies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policies").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Policies {
    /// Whether a route came from the instance itself, which gets none of its own back.
    pub fn brought(&self, row: &RouteRow) -> bool {
        row.source.protocol == self.config.name
            || row.pipe.is_some_and(|pipe| self.running == Some(InstanceId(pipe)))
    }
}

/// A request; the answer comes through the reply, perhaps later.
pub enum Request {
    /// `show protocols`
    Rows(Selection, Reply<Vec<Row>>),
    /// `show route export`: the configuration of an instance and the policies of its channels;
    /// nothing if there is no such instance.
    Policies(Arc<str>, Reply<Option<Policies>>),
    /// `show protocols all`: the part of one incarnation; nothing if it has gone.
    Describe(InstanceId, Reply<Option<Description>>),
    /// `show static` and the like: lines of instances of a type; nothing where the instance has
    /// nothing to say.
    Show {
        /// Keyword of the type.
        kind: &'static str,
        /// Which of them.
        selection: Selection,
        /// What to show.
        what: &'static str,
        /// One reply for each instance, made here with their number.
        reply: Reply<Vec<Row>>,
        /// Gets what each says.
        each: Box<dyn Fn(usize) -> Reply<Vec<String>> + Send>,
    },
    /// Does something with instances.
    Control {
        /// What.
        action: Action,
        /// With which.
        selection: Selection,
        /// Text for peers and for `show protocols all`.
        message: Option<Arc<str>>,
        /// Gets the lines of the answer.
        reply: Reply<Vec<Line>>,
    },
    /// `configure …`
    Configure {
        /// Which variant.
        command: ConfigureCommand,
        /// Gets the lines of the answer.
        reply: Reply<Vec<Line>>,
        /// Told if the timeout expires.
        notice: Reply<String>,
    },
    /// `configure check impact`
    Impact {
        /// Another file than the one that the daemon was started with.
        file: Option<PathBuf>,
        /// Gets what would happen, or what is wrong.
        reply: Reply<Result<Plan, Vec<Line>>>,
    },
    /// `down`. Who asks has been answered: the end may overtake an answer of the manager's.
    Shutdown,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rows(..) => "Rows",
            Self::Policies(..) => "Policies",
            Self::Describe(..) => "Describe",
            Self::Show { .. } => "Show",
            Self::Control { .. } => "Control",
            Self::Configure { .. } => "Configure",
            Self::Impact { .. } => "Impact",
            Self::Shutdown => "Shutdown",
        })
    }
}
