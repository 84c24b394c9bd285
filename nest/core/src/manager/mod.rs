//! The loop that owns the configuration and the protocol instances.
//!
//! Everything that changes the daemon as a whole comes here as a message and is done one at a
//! time, so there is nothing to lock. What others may look at without asking is in [`Published`].
//!
//! # Invariants
//!
//! * Reports carry the incarnation they come from; those of an older one are dropped.
//! * Instances start phase by phase ([`Phase`]) and end phase by phase, backwards at shutdown. A
//!   phase is settled when nothing in it is on its way down (and, for the device protocol, when
//!   it is up or cannot be).
//! * One configuration is applied at a time; at most one more waits.

mod children;
mod compare;
mod configure;
mod control;
mod entry;
mod host;
mod impact;
mod message;
mod phases;
mod published;
mod table_traces;
mod tables;

pub use compare::Fate;
pub use host::{Host, MemoryReport, System};
pub use impact::{ChannelPlan, Plan, ProtocolPlan};
pub use message::{
    Action, ConfigureCommand, ManagerMessage, Policies, Request, Row, Selection, Signal, unknown,
};
pub use published::{DaemonStatus, Published, Shared};

use std::path::PathBuf;
use std::sync::Arc;

use dunlin_net::hash::Map;
use dunlin_runtime::{Address, Class, Context, Loop, TimerId};

use self::configure::Changing;
use self::entry::Entry;
use self::phases::Stage;
use self::table_traces::TableTraces;
use self::tables::TableIds;
use crate::config::Config;
use crate::interfaces::{InterfaceSource, Interfaces};
use crate::log::{Log, LogClass};
use crate::protocol::{InstanceEvent, InstanceId, Phase, ProtocolState, Rib, Service, Tables};

/// What the manager is made of.
pub struct ManagerParts {
    /// The configuration to start with.
    pub config: Arc<Config>,
    /// What the manager does with the operating system.
    pub system: Box<dyn System>,
    /// Where interfaces are learnt.
    pub interface_source: Arc<dyn InterfaceSource>,
    /// What is published, and the rest of the operating system; made by [`Shared::new`].
    pub shared: Shared,
}

impl core::fmt::Debug for ManagerParts {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("ManagerParts").field("config", &self.config).finish_non_exhaustive()
    }
}

/// The manager's state.
pub struct Manager {
    rib: Rib,
    host: Arc<dyn Host>,
    system: Box<dyn System>,
    interface_source: Arc<dyn InterfaceSource>,
    log: Log,
    shared: Shared,
    own: Address<ManagerMessage>,
    services: Map<&'static str, Box<dyn Service>>,
    config: Arc<Config>,
    /// The file that the daemon was started with.
    file: PathBuf,
    interfaces: Arc<Interfaces>,
    /// The resolver has been told of interfaces at least once: until then next hops wait.
    resolver_knows: bool,
    router_id: u32,
    hostname: Arc<str>,
    tables: TableIds,
    table_traces: TableTraces,
    /// The tables of the configuration in force.
    view: Arc<Tables>,
    /// Instances in the order of the configuration; children follow their parent.
    entries: Vec<Entry>,
    next_instance: u32,
    stage: Stage,
    changing: Changing,
    shutdown_timer: TimerId,
    undo_timer: TimerId,
}

impl Manager {
    /// A manager that begins when its loop starts.
    pub fn new(own: Address<ManagerMessage>, parts: ManagerParts) -> Self {
        let host = Arc::clone(&parts.shared.host);
        Self {
            rib: parts.shared.rib.clone(),
            hostname: host.hostname(),
            host,
            system: parts.system,
            interface_source: parts.interface_source,
            log: parts.shared.log.clone(),
            shared: parts.shared,
            own,
            services: Map::default(),
            file: parts.config.path.clone(),
            config: parts.config,
            interfaces: Arc::default(),
            resolver_knows: false,
            router_id: 0,
            tables: TableIds::default(),
            table_traces: TableTraces::default(),
            view: Arc::default(),
            entries: Vec::new(),
            next_instance: 1,
            stage: Stage::Starting,
            changing: Changing::default(),
            shutdown_timer: TimerId::NONE,
            undo_timer: TimerId::NONE,
        }
    }

    fn instance_event(&mut self, cx: &mut Context<'_>, id: InstanceId, event: InstanceEvent) {
        let Some(index) = self.entries.iter().position(|entry| entry.is(id)) else {
            return;
        };
        match event {
            InstanceEvent::State(ProtocolState::Down) => self.entries[index].ended(cx),
            InstanceEvent::Panicked(why) => self.entries[index].panicked(cx, &why),
            InstanceEvent::State(state) => {
                self.entries[index].enter(cx, state);
                if self.entries[index].phase() != Phase::Device {
                    return;
                }
            }
            InstanceEvent::Info(info) => {
                self.entries[index].info = info;
                return;
            }
            InstanceEvent::Automatic(what, why) => self.automatic(cx, index, what, why),
            InstanceEvent::Interfaces(interfaces) => {
                return self.interfaces_changed(cx, interfaces);
            }
            InstanceEvent::Child(child) => return self.start_child(cx, index, *child),
        }
        self.advance(cx);
    }

    fn interfaces_changed(&mut self, cx: &mut Context<'_>, interfaces: Arc<Interfaces>) {
        if *interfaces == *self.interfaces {
            return;
        }
        self.interfaces = interfaces;
        self.tell_resolver();
        self.publish();
        for entry in &mut self.entries {
            if let Some(instance) = entry.instance() {
                instance.interfaces_changed(cx, &self.interfaces);
            }
        }
    }

    fn tell_resolver(&mut self) {
        self.resolver_knows = true;
        self.rib.interfaces_changed(&self.interfaces);
    }

    fn signal(&mut self, cx: &mut Context<'_>, signal: Signal) {
        match signal {
            Signal::Configure => {
                self.log.write(LogClass::Info, format_args!("Reconfiguration requested by SIGHUP"));
                self.configure_from_signal();
            }
            Signal::Shutdown(why) => {
                self.log.write(LogClass::Info, format_args!("Shutdown requested by {why}"));
                self.shut_down(cx);
            }
        }
    }
}

impl core::fmt::Debug for Manager {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Manager").field("entries", &self.entries.len()).finish_non_exhaustive()
    }
}

impl Loop for Manager {
    type Message = ManagerMessage;

    fn is_essential(&self) -> bool {
        true
    }

    fn start(&mut self, cx: &mut Context<'_>) {
        self.shutdown_timer = cx.timer(Class::Control);
        self.undo_timer = cx.timer(Class::Control);
        self.begin(cx);
    }

    fn message(&mut self, cx: &mut Context<'_>, message: ManagerMessage) {
        match message {
            ManagerMessage::Instance(id, event) => self.instance_event(cx, id, event),
            ManagerMessage::Loaded(loaded) => self.loaded(cx, *loaded),
            ManagerMessage::Request(request) => self.request(cx, *request),
            ManagerMessage::Signal(signal) => self.signal(cx, signal),
        }
    }

    fn timer(&mut self, cx: &mut Context<'_>, timer: TimerId) {
        if timer == self.shutdown_timer {
            self.log.write(LogClass::Warning, format_args!("Shutdown takes too long, giving up"));
            self.system.finished(0);
        } else if timer == self.undo_timer {
            self.undo_expired(cx);
        }
    }
}
