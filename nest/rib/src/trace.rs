//! Traces of routes: what becomes of each at a channel or in a table, for those who asked.
//!
//! Nobody pays for what is not traced: a slice looks at the flags once a batch and takes another way
//! through it if they are set. So flags can be changed at any time, and are in force with the next batch.
//!
//! Exports are decided for groups of sessions, so a group is traced if any of its members is
//! ([`SharingCounters::traced`]): slices add [`Told`] to their deltas, and the group's loop, which knows its
//! members, writes the lines of those who want them.

use core::fmt;
use core::sync::atomic::Ordering;
use std::sync::Arc;

use dunlin_filter::{ChannelFilter, RouteInput, Scratch};
use dunlin_net::Network;
use dunlin_runtime::Time;
use dunlin_sync::{FlagWord, Snapshot};

use crate::SourceId;
use crate::export::{ExportPolicy, OutRoute, SharingCounters};
use crate::validation::Validated;

/// Routes that come, change and go.
pub const ROUTES: u32 = 1;
/// Routes that are rejected.
pub const FILTERS: u32 = 2;

/// Takes the lines. Called on workers: hands them on, returns.
pub trait TraceSink: Send + Sync {
    /// One line, without the name.
    fn line(&self, name: &str, text: fmt::Arguments<'_>);

    /// Where in the configuration a filter decides over a route, if that is known.
    fn decided(
        &self,
        filter: &ChannelFilter,
        scratch: &mut Scratch,
        route: &RouteInput<'_>,
    ) -> Option<String> {
        let _ = (filter, scratch, route);
        None
    }
}

/// What is traced of a channel or a table.
pub struct RouteTrace {
    /// As lines name it: `bgp1.ipv4`, `master4`.
    name: Arc<str>,
    /// Set by the manager, which then marks the group that it finds; looked at by the group's loop once the
    /// group is named or its mark taken back. One of them sees the other. Read by slices and egress loops
    /// once a batch.
    flags: FlagWord,
    /// The group that the channel is a member of.
    group: Snapshot<SharingCounters>,
    sink: Arc<dyn TraceSink>,
}

impl RouteTrace {
    /// Traces of a channel or table of this name.
    pub fn new(name: Arc<str>, flags: u32, sink: Arc<dyn TraceSink>) -> Self {
        let group = Snapshot::new(SharingCounters::default());
        Self { name, flags: FlagWord::new(flags), group, sink }
    }

    /// What is traced: [`ROUTES`], [`FILTERS`].
    #[inline]
    pub fn flags(&self) -> u32 {
        self.flags.get()
    }

    /// Changes that.
    pub fn set_flags(&self, flags: u32) {
        self.flags.set(flags);
        mark(&self.group.load(), flags);
    }

    /// The channel is a member of a group now.
    pub(crate) fn join(&self, group: &Arc<SharingCounters>) {
        self.group.store(Arc::clone(group));
        self.mark(group);
    }

    /// Marks the group that the channel is a member of, if it is traced.
    pub(crate) fn mark(&self, group: &SharingCounters) {
        mark(group, self.flags.look());
    }

    /// Writes a line.
    pub fn line(&self, text: fmt::Arguments<'_>) {
        self.sink.line(&self.name, text);
    }

    /// See [`TraceSink::decided`].
    pub(crate) fn decided(
        &self,
        filter: &ChannelFilter,
        scratch: &mut Scratch,
        route: &RouteInput<'_>,
    ) -> Option<String> {
        self.sink.decided(filter, scratch, route)
    }
}

impl fmt::Debug for RouteTrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouteTrace").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Has slices tell a group what its loop needs for lines.
fn mark(group: &SharingCounters, flags: u32) {
    if flags != 0 {
        // Relaxed: what orders this and its being taken back are the members' flags.
        group.traced.fetch_or(flags, Ordering::Relaxed);
    }
}

/// The flags of something that may be traced.
#[inline]
pub(crate) fn flags_of(trace: Option<&Arc<RouteTrace>>) -> u32 {
    trace.map_or(0, |trace| trace.flags())
}

/// What became of a network at an export group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Became {
    /// It is announced.
    Added,
    /// It is announced with other attributes or from another source.
    Replaced,
    /// It is withdrawn.
    Removed,
    /// The protocol's own rules refuse it.
    Refused,
    /// The filter rejects it.
    Filtered,
    /// It is beyond the export limit.
    Limited,
}

impl Became {
    /// The flag that it belongs to.
    pub(crate) fn flag(self) -> u32 {
        match self {
            Self::Added | Self::Replaced | Self::Removed => ROUTES,
            Self::Refused | Self::Filtered | Self::Limited => FILTERS,
        }
    }
}

impl fmt::Display for Became {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Added => "added",
            Self::Replaced => "replaced",
            Self::Removed => "removed",
            Self::Refused => "rejected by protocol",
            Self::Filtered => "filtered out",
            Self::Limited => "blocked by limit",
        })
    }
}

/// What a slice tells an export group that is traced, of one network.
#[derive(Clone, Debug)]
pub struct Told {
    /// The network.
    pub net: Network,
    /// What became of it.
    pub became: Became,
    /// The route, or what was withdrawn.
    pub route: OutRoute,
    /// When it changed.
    pub changed: Time,
    /// The feed that it belongs to; zero if it is news for all.
    pub token: u32,
    /// Who decided, if it was rejected.
    pub policy: Option<Policy>,
}

/// The policy that decided.
#[derive(Clone)]
pub struct Policy {
    /// The policy.
    pub policy: Arc<dyn ExportPolicy>,
    /// What ROA and ASPA tables said then.
    pub validated: Arc<Validated>,
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Policy({})", self.policy.key())
    }
}

impl Told {
    /// Where the route came from.
    pub(crate) fn source(&self) -> SourceId {
        self.route.source.id
    }
}
