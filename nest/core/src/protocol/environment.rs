//! What a protocol instance is given when it starts.

use core::fmt;
use core::sync::atomic::{AtomicU32, Ordering};
use std::sync::Arc;

use dunlin_filter::ErrorLog;
use dunlin_net::NetType;
use dunlin_rib::import::Slices;
use dunlin_rib::registry::RegistryMessage;
use dunlin_rib::resolver::{Connected, ResolverMessage};
use dunlin_rib::trace::RouteTrace;
use dunlin_rib::validation::{ValidatedNow, validator::ValidatorMessage};
use dunlin_rib::{SourceId, TableId};
use dunlin_runtime::{Address, Class};

use super::traces::{ChannelTraces, Places, own_flags};
use super::{ChannelKind, InstanceConfig, Reporter};
use crate::config::DebugFlags;
use crate::interfaces::{InterfaceSource, Interfaces};
use crate::log::{Log, LogClass};

/// Everything an instance may reach. Cheap to clone.
#[derive(Clone)]
pub struct Environment {
    /// The way to the manager.
    pub reporter: Reporter,
    /// The routing tables.
    pub rib: Rib,
    /// The tables that exist now.
    pub tables: Arc<Tables>,
    /// The interfaces as they are now; changes come through
    /// [`super::Instance::interfaces_changed`].
    pub interfaces: Arc<Interfaces>,
    /// Finds out about interfaces; for the device protocol.
    pub interface_source: Arc<dyn InterfaceSource>,
    /// The router id: the instance's own or the global one.
    pub router_id: u32,
    /// The host name: the instance's own or the global one.
    pub hostname: Arc<str>,
    /// The log, with the instance's name and trace flags.
    pub log: ProtocolLog,
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment").field("reporter", &self.reporter).finish_non_exhaustive()
    }
}

/// The way to the routing tables.
#[derive(Clone)]
pub struct Rib {
    /// The slices.
    pub slices: Slices,
    /// Finds or makes export groups.
    pub registry: Address<RegistryMessage>,
    /// Knows which next hops can be reached.
    pub resolver: Address<ResolverMessage>,
    /// What ROA and ASPA tables say.
    pub validated: ValidatedNow,
    /// Publishes that.
    pub validator: Address<ValidatorMessage>,
    /// Next source id. Read and written (`Relaxed`: only uniqueness matters) by whoever starts an
    /// import channel.
    next_source: Arc<AtomicU32>,
}

impl Rib {
    /// The tables behind these slices.
    pub fn new(
        slices: Slices,
        registry: Address<RegistryMessage>,
        resolver: Address<ResolverMessage>,
        (validated, validator): (ValidatedNow, Address<ValidatorMessage>),
    ) -> Self {
        let next_source = Arc::new(AtomicU32::new(1));
        Self { slices, registry, resolver, validated, validator, next_source }
    }

    /// Tells the resolver of the networks that usable interfaces are on, and filters of the interfaces.
    pub(crate) fn interfaces_changed(&self, interfaces: &Arc<Interfaces>) {
        let connected: Arc<[Connected]> = interfaces.connected().collect();
        // A stopped resolver means that the daemon is going down.
        let _ = self.resolver.send(Class::Routing, ResolverMessage::Connected(connected));
        let known = ValidatorMessage::Interfaces(Arc::clone(interfaces) as _);
        let _ = self.validator.send(Class::Routing, known);
    }

    /// An id for a new incarnation of an import channel.
    pub fn source_id(&self) -> SourceId {
        SourceId(self.next_source.fetch_add(1, Ordering::Relaxed))
    }
}

impl fmt::Debug for Rib {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rib").field("slices", &self.slices.count()).finish_non_exhaustive()
    }
}

/// Tables by name. A table keeps its id as long as it exists.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    list: Vec<TableEntry>,
}

/// One table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableEntry {
    /// Its name.
    pub name: Arc<str>,
    /// Its id.
    pub id: TableId,
    /// What it holds.
    pub net_type: NetType,
}

impl Tables {
    /// These tables, in the order of the configuration.
    pub fn new(list: Vec<TableEntry>) -> Self {
        Self { list }
    }

    /// All of them, in the order of the configuration.
    pub fn iter(&self) -> impl Iterator<Item = &TableEntry> {
        self.list.iter()
    }

    /// The id of a table.
    pub fn id(&self, name: &str) -> Option<TableId> {
        self.named(name).map(|table| table.id)
    }

    /// The table of a name.
    pub fn named(&self, name: &str) -> Option<&TableEntry> {
        self.list.iter().find(|table| &*table.name == name)
    }

    /// The table of an id.
    pub fn entry(&self, id: TableId) -> Option<&TableEntry> {
        self.list.iter().find(|table| table.id == id)
    }
}

/// A log that puts the instance's name in front and knows its trace flags.
#[derive(Clone)]
pub struct ProtocolLog {
    log: Log,
    name: Arc<str>,
    /// Trace flags. Written by the manager when the configuration or a command changes them, read
    /// by the instance's loops (`Relaxed`: publishes nothing else).
    flags: Arc<AtomicU32>,
    channels: ChannelTraces,
}

/// Errors of filters.
impl ErrorLog for ProtocolLog {
    fn error(&self, text: &str) {
        self.write(LogClass::Error, format_args!("{text}"));
    }

    fn keep(&self) -> Box<dyn ErrorLog + Send> {
        Box::new(self.clone())
    }
}

impl ProtocolLog {
    /// The log of an instance. `places` finds where its filters decide.
    pub fn new(log: Log, config: &InstanceConfig, places: Option<Arc<dyn Places>>) -> Self {
        let name = Arc::clone(&config.name);
        let channels = ChannelTraces::new(&log, &name, places);
        let own = Self { log, name, flags: Arc::default(), channels };
        own.configure(config);
        own
    }

    /// Takes the trace flags of a configuration, for all clones.
    pub(crate) fn configure(&self, config: &InstanceConfig) {
        for (kind, flags) in own_flags(config) {
            self.channels.set_own(kind, flags);
        }
        self.set_flags(config.debug);
    }

    /// Changes the instance's trace flags for all clones. Its channels are traced by theirs, too.
    pub fn set_flags(&self, flags: DebugFlags) {
        self.flags.store(flags.bits(), Ordering::Relaxed);
        self.channels.apply(flags.bits());
    }

    /// Changes what is traced of one channel besides.
    pub(crate) fn set_channel_flags(&self, kind: ChannelKind, flags: DebugFlags) {
        self.channels.set_own(kind, flags);
        self.channels.apply(self.flags.load(Ordering::Relaxed));
    }

    /// What is traced of a channel's routes.
    pub fn routes(&self, kind: ChannelKind) -> Arc<RouteTrace> {
        Arc::clone(self.channels.of(kind))
    }

    /// Whether something of this kind is traced.
    pub fn traces(&self, what: DebugFlags) -> bool {
        self.flags.load(Ordering::Relaxed) & what.bits() != 0
    }

    /// Logs `NAME: text` if this kind of thing is traced.
    pub fn trace(&self, what: DebugFlags, text: fmt::Arguments<'_>) {
        if self.traces(what) {
            self.write(LogClass::Trace, text);
        }
    }

    /// Logs `NAME: text`.
    pub fn write(&self, class: LogClass, text: fmt::Arguments<'_>) {
        self.log.write(class, format_args!("{}: {text}", self.name));
    }

    /// The log without a name.
    pub fn log(&self) -> &Log {
        &self.log
    }
}

impl fmt::Debug for ProtocolLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ProtocolLog").field(&self.name).finish()
    }
}
