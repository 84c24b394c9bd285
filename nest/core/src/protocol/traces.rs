//! What is traced of an instance's and a table's routes: flags, and the way into the log.

use core::fmt;
use core::sync::atomic::{AtomicU32, Ordering};
use std::sync::Arc;

use dunlin_filter::{ChannelFilter, RouteInput, Scratch};
use dunlin_rib::trace::{self, RouteTrace, TraceSink};

use super::{ChannelKind, InstanceConfig};
use crate::config::DebugFlags;
use crate::log::{Log, LogClass};

/// Finds where in the configuration a filter decides over a route.
pub trait Places: Send + Sync {
    /// The place of the `accept` or `reject`, if it is in the configuration in force.
    fn decided(
        &self,
        protocol: &str,
        filter: &ChannelFilter,
        scratch: &mut Scratch,
        route: &RouteInput<'_>,
    ) -> Option<String>;
}

/// The routes of an instance's channels. Cheap to clone.
#[derive(Clone)]
pub(super) struct ChannelTraces {
    channels: Arc<[Channel; ChannelKind::ALL.len()]>,
}

struct Channel {
    trace: Arc<RouteTrace>,
    /// The channel's own flags. Written by the manager alone (`Relaxed`: publishes nothing else).
    own: AtomicU32,
}

impl ChannelTraces {
    pub(super) fn new(log: &Log, name: &Arc<str>, places: Option<Arc<dyn Places>>) -> Self {
        let sink: Arc<dyn TraceSink> =
            Arc::new(ChannelLog { log: log.clone(), protocol: Arc::clone(name), places });
        let channels = ChannelKind::ALL.map(|kind| Channel {
            trace: Arc::new(RouteTrace::new(format!("{name}.{kind}").into(), 0, Arc::clone(&sink))),
            own: AtomicU32::new(0),
        });
        Self { channels: Arc::new(channels) }
    }

    pub(super) fn of(&self, kind: ChannelKind) -> &Arc<RouteTrace> {
        &self.at(kind).trace
    }

    fn at(&self, kind: ChannelKind) -> &Channel {
        let [ipv4, ipv6, roa4, roa6, aspa] = &*self.channels;
        match kind {
            ChannelKind::Ipv4 => ipv4,
            ChannelKind::Ipv6 => ipv6,
            ChannelKind::Roa4 => roa4,
            ChannelKind::Roa6 => roa6,
            ChannelKind::Aspa => aspa,
        }
    }

    /// Gives a channel flags of its own.
    pub(super) fn set_own(&self, kind: ChannelKind, own: DebugFlags) {
        self.at(kind).own.store(own.bits(), Ordering::Relaxed);
    }

    /// Puts flags into force: those of the instance, and what each channel has besides.
    pub(super) fn apply(&self, instance: u32) {
        for channel in &*self.channels {
            let all = instance | channel.own.load(Ordering::Relaxed);
            channel.trace.set_flags(DebugFlags::from_bits(all).of_routes());
        }
    }
}

/// The flags that the channels of a configuration have.
pub(super) fn own_flags(
    config: &InstanceConfig,
) -> impl Iterator<Item = (ChannelKind, DebugFlags)> {
    config.channels.iter().map(|channel| (channel.kind, channel.debug))
}

/// Writes the traces of channels: `NAME.CHANNEL > added ...`.
struct ChannelLog {
    log: Log,
    protocol: Arc<str>,
    places: Option<Arc<dyn Places>>,
}

impl TraceSink for ChannelLog {
    fn line(&self, name: &str, text: fmt::Arguments<'_>) {
        self.log.write(LogClass::Trace, format_args!("{name} {text}"));
    }

    fn decided(
        &self,
        filter: &ChannelFilter,
        scratch: &mut Scratch,
        route: &RouteInput<'_>,
    ) -> Option<String> {
        self.places.as_ref()?.decided(&self.protocol, filter, scratch, route)
    }
}

/// Writes the traces of a table: `TABLE: best ...`.
struct TableLog(Log);

impl TraceSink for TableLog {
    fn line(&self, name: &str, text: fmt::Arguments<'_>) {
        self.0.write(LogClass::Trace, format_args!("{name}: {text}"));
    }
}

/// The traces of a table.
pub(crate) fn table_trace(log: &Log, name: &Arc<str>, flags: DebugFlags) -> Arc<RouteTrace> {
    let sink = Arc::new(TableLog(log.clone()));
    Arc::new(RouteTrace::new(Arc::clone(name), flags.of_routes(), sink))
}

impl DebugFlags {
    /// Those that routes are traced by, as the tables have them.
    pub(crate) fn of_routes(self) -> u32 {
        let flag = |flag: Self, bit| if self.has(flag) { bit } else { 0 };
        flag(Self::ROUTES, trace::ROUTES) | flag(Self::FILTERS, trace::FILTERS)
    }
}
