//! Starting and stopping, phase by phase.

use core::time::Duration;
use std::sync::Arc;

use dunlin_rib::slice::SliceMessage;
use dunlin_rib::validation::validator::{ValidatedTable, ValidatorMessage};
use dunlin_runtime::{Class, Context, GroupId};

use super::entry::{Entry, Wanted};
use super::{DaemonStatus, Manager};
use crate::config::RouterId;
use crate::interfaces::Interfaces;
use crate::log::LogClass;
use crate::protocol::{
    Automatic, Environment, InstanceConfig, InstanceId, Phase, ProtocolLog, ProtocolState,
    Reporter, StartError, StopCause, TableEntry,
};

/// How long protocols may take to say goodbye when the daemon ends. With what comes after it
/// (`sysdep/daemon/src/watch.rs`) the end takes less than three seconds.
const SHUTDOWN_LIMIT: Duration = Duration::from_millis(1_500);

/// Why a protocol that needs a router id cannot start.
const NO_ROUTER_ID: &str = "Cannot determine router ID (no suitable network interface), please \
                            configure it manually";

/// What the manager is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The first configuration is being brought up.
    Starting,
    /// Everything is as configured.
    Settled,
    /// A new configuration is being brought up.
    Changing,
    /// The daemon is ending.
    ShuttingDown,
    /// Nothing runs any more.
    Ended,
}

impl Manager {
    /// The loop has started: bring up the first configuration.
    pub(super) fn begin(&mut self, cx: &mut Context<'_>) {
        let config = Arc::clone(&self.config);
        if let Some(hostname) = &config.globals.hostname {
            self.hostname = hostname.clone();
        }
        if let Some(RouterId::Fixed(id)) = config.globals.router_id {
            self.router_id = id;
        }
        if let Err(error) = self.system.apply(cx, &config) {
            return self.give_up(&error);
        }
        self.place_slices(cx);
        self.add_tables();
        for protocol in &config.protocols {
            let entry = self.new_entry(Arc::clone(protocol));
            self.entries.push(entry);
        }
        self.advance(cx);
    }

    pub(super) fn new_entry(&self, config: Arc<InstanceConfig>) -> Entry {
        let places = Arc::new(self.shared.clone());
        let log = ProtocolLog::new(self.log.clone(), &config, Some(places));
        Entry::new(config, log, Arc::clone(&self.host))
    }

    /// Does what can be done now towards what is wanted. Called after every change.
    pub(super) fn advance(&mut self, cx: &mut Context<'_>) {
        match self.stage {
            Stage::Ended => {}
            Stage::ShuttingDown => self.advance_shutdown(cx),
            Stage::Starting | Stage::Changing | Stage::Settled => self.advance_phases(cx),
        }
    }

    fn advance_phases(&mut self, cx: &mut Context<'_>) {
        for phase in Phase::ALL {
            if phase > Phase::Device {
                self.find_router_id();
                if !self.resolver_knows {
                    // No device protocol, or one that found nothing: next hops need not wait.
                    self.tell_resolver();
                }
            }
            self.stop_unwanted(cx, phase);
            if self.entries.iter().any(|entry| entry.phase() == phase && entry.is_stopping()) {
                // Others of this phase may start all the same: only later phases wait.
                self.start_wanted(cx, phase);
                return;
            }
            self.start_wanted(cx, phase);
            if self.stage == Stage::Ended {
                return;
            }
            let coming =
                |entry: &Entry| entry.phase() == phase && entry.state() == ProtocolState::Start;
            if phase == Phase::Device && self.entries.iter().any(coming) {
                return;
            }
        }
        self.entries.retain(|entry| entry.wanted != Wanted::Gone || entry.is_running());
        self.settled(cx);
    }

    fn stop_unwanted(&mut self, cx: &mut Context<'_>, phase: Phase) {
        for entry in &mut self.entries {
            if entry.phase() == phase && entry.wanted != Wanted::Up && !entry.is_stopping() {
                let cause = match entry.wanted {
                    Wanted::Gone => StopCause::Removed,
                    _ => StopCause::Disabled,
                };
                entry.stop(cx, cause, entry.message.clone());
            }
        }
    }

    fn start_wanted(&mut self, cx: &mut Context<'_>, phase: Phase) {
        // A removed instance may still run; a new one of its name waits until it has gone.
        let leaving = |entry: &&Entry| entry.wanted == Wanted::Gone && entry.is_running();
        let leaving: Vec<Arc<str>> =
            self.entries.iter().filter(leaving).map(|entry| entry.name().clone()).collect();
        for index in 0..self.entries.len() {
            let entry = &self.entries[index];
            let ready = entry.phase() == phase
                && entry.wanted == Wanted::Up
                && !entry.is_running()
                && !entry.failed
                && !leaving.contains(entry.name());
            if ready {
                self.start_entry(cx, index);
                if self.stage == Stage::Ended {
                    return;
                }
            }
        }
    }

    fn start_entry(&mut self, cx: &mut Context<'_>, index: usize) {
        let config = Arc::clone(&self.entries[index].config);
        if config.kind.uses_identity() && config.router_id.is_none() && self.router_id == 0 {
            let error = StartError::Failed(NO_ROUTER_ID.to_owned());
            return self.entry_started(cx, index, InstanceId(0), Err(error));
        }
        if let Some(what) = &config.unbuilt {
            let error = StartError::Unsupported(what.to_string());
            return self.entry_started(cx, index, InstanceId(0), Err(error));
        }
        let (id, environment) = self.environment(index);
        let service =
            self.services.entry(config.kind.keyword()).or_insert_with(|| config.kind.service());
        let started = service.start(cx, environment, Arc::clone(&config));
        self.entry_started(cx, index, id, started);
    }

    pub(super) fn entry_started(
        &mut self,
        cx: &mut Context<'_>,
        index: usize,
        id: InstanceId,
        started: Result<Box<dyn crate::protocol::Instance>, StartError>,
    ) {
        match started {
            Ok(instance) => {
                let entry = &mut self.entries[index];
                instance.set_thread_group(entry.thread_group(cx));
                entry.begin(id, instance);
                entry.info.clear();
                entry.enter(cx, ProtocolState::Start);
            }
            Err(error) => {
                let text = error.to_string();
                self.entries[index].fail(cx, &text);
                if self.stage == Stage::Starting && matches!(error, StartError::Failed(_)) {
                    let name = self.entries[index].name().clone();
                    self.give_up(&format!("{name}: {text}"));
                }
            }
        }
    }

    /// A new incarnation's id and all that it may reach.
    pub(super) fn environment(&mut self, index: usize) -> (InstanceId, Environment) {
        let id = InstanceId(self.next_instance);
        self.next_instance += 1;
        let entry = &self.entries[index];
        let environment = Environment {
            reporter: Reporter::new(id, self.own.clone()),
            rib: self.rib.clone(),
            tables: Arc::clone(&self.view),
            interfaces: Arc::clone(&self.interfaces),
            interface_source: Arc::clone(&self.interface_source),
            router_id: entry.config.router_id.unwrap_or(self.router_id),
            hostname: entry.config.hostname.clone().unwrap_or_else(|| self.hostname.clone()),
            log: entry.log.clone(),
        };
        (id, environment)
    }

    /// Finds a router id if there is none.
    fn find_router_id(&mut self) {
        if self.router_id == 0 {
            let wanted = self.config.globals.router_id.as_ref();
            self.router_id = choose_router_id(wanted, &self.interfaces).unwrap_or(0);
        }
    }

    fn settled(&mut self, cx: &mut Context<'_>) {
        let before = core::mem::replace(&mut self.stage, Stage::Settled);
        self.remove_tables();
        match before {
            Stage::Starting => {
                self.publish();
                self.log.write(LogClass::Info, format_args!("Started"));
                self.system.started(&self.config);
            }
            Stage::Changing => {
                self.publish();
                self.log.write(LogClass::Info, format_args!("Reconfigured"));
                self.reconfigured(cx);
            }
            _ => {}
        }
    }

    /// Makes tables that are new, and has all traced as the configuration says.
    pub(super) fn add_tables(&mut self) {
        for table in self.tables.add(&self.config.globals.tables) {
            self.rib.slices.send_all(Class::Routing, || SliceMessage::TableAdd {
                id: table.id,
                net_type: table.net_type,
            });
            let trace = self.table_traces.add(&self.log, &table);
            self.rib.slices.send_all(Class::Routing, || SliceMessage::TableTrace {
                id: table.id,
                trace: Arc::clone(&trace),
            });
            let TableEntry { id, name, net_type } = table;
            self.tell_validator(ValidatorMessage::Add(ValidatedTable { id, name, net_type }));
        }
        self.table_traces.configure(&self.config.globals);
        self.view = self.tables.view(&self.config.globals.tables);
        for table in self.config.globals.tables.iter().filter(|table| table.is_asked()) {
            if let Some(id) = self.view.id(&table.name) {
                self.tell_validator(ValidatorMessage::Settle(id, table.settle, table.digest));
            }
        }
        self.publish();
    }

    fn tell_validator(&self, message: ValidatorMessage) {
        // A validator that has stopped means that the daemon is going down.
        let _ = self.rib.validator.send(Class::Routing, message);
    }

    /// Has the slices run in the thread group that a table names.
    pub(super) fn place_slices(&self, cx: &Context<'_>) {
        let named = self.config.globals.tables_group.as_ref();
        let group = named.map_or(GroupId::DEFAULT, |named| cx.runtime().group(&named.group));
        for slice in self.rib.slices.iter() {
            slice.set_group(group);
        }
    }

    fn remove_tables(&mut self) {
        for table in self.tables.remove(&self.config.globals.tables) {
            self.table_traces.remove(table.id);
            self.tell_validator(ValidatorMessage::Remove(table.id));
            self.rib.slices.send_all(Class::Routing, || SliceMessage::TableRemove(table.id));
        }
    }

    pub(super) fn publish(&self) {
        let status = match self.stage {
            Stage::Starting | Stage::Settled => DaemonStatus::Running,
            Stage::Changing => DaemonStatus::Reconfiguring,
            Stage::ShuttingDown | Stage::Ended => DaemonStatus::ShuttingDown,
        };
        self.shared.publish(|published| {
            published.config = Arc::clone(&self.config);
            published.tables = Arc::clone(&self.view);
            published.interfaces = Arc::clone(&self.interfaces);
            published.router_id = self.router_id;
            published.hostname = self.hostname.clone();
            published.status = status;
        });
    }

    /// An instance wants to restart or be disabled.
    pub(super) fn automatic(
        &mut self,
        cx: &mut Context<'_>,
        index: usize,
        what: Automatic,
        why: String,
    ) {
        let now = self.host.now();
        let entry = &mut self.entries[index];
        entry.message = Some(Arc::from(why));
        match what {
            _ if entry.config.parent.is_some() => entry.wanted = Wanted::Gone,
            Automatic::Disable => entry.wanted = Wanted::Down,
            Automatic::Restart => {
                // Restarting over and over helps nobody.
                let limit = entry.config.restart_time;
                let soon = entry.restarted.is_some_and(|last| now.0.saturating_sub(last.0) < limit);
                if soon {
                    entry.wanted = Wanted::Down;
                }
                entry.restarted = Some(now);
            }
        }
        entry.stop(cx, StopCause::Automatic, entry.message.clone());
    }

    /// Ends everything, in order.
    pub(super) fn shut_down(&mut self, cx: &mut Context<'_>) {
        if matches!(self.stage, Stage::ShuttingDown | Stage::Ended) {
            return;
        }
        self.stage = Stage::ShuttingDown;
        self.log.write(LogClass::Info, format_args!("Shutting down"));
        cx.arm_after(self.shutdown_timer, SHUTDOWN_LIMIT);
        self.publish();
        self.advance(cx);
    }

    fn advance_shutdown(&mut self, cx: &mut Context<'_>) {
        for phase in Phase::ALL.into_iter().rev() {
            for entry in self.entries.iter_mut().filter(|entry| entry.phase() == phase) {
                entry.wanted = Wanted::Down;
                entry.stop(cx, StopCause::Shutdown, None);
            }
            if self.entries.iter().any(|entry| entry.phase() == phase && entry.is_running()) {
                return;
            }
        }
        self.stage = Stage::Ended;
        self.log.write(LogClass::Info, format_args!("Shutdown completed"));
        self.system.finished(0);
    }

    /// The daemon cannot start.
    fn give_up(&mut self, why: &str) {
        self.stage = Stage::Ended;
        self.log.write(LogClass::Fatal, format_args!("{why}"));
        self.system.finished(1);
    }
}

/// The router id that a configuration and the interfaces give.
pub(super) fn choose_router_id(wanted: Option<&RouterId>, interfaces: &Interfaces) -> Option<u32> {
    match wanted {
        Some(RouterId::Fixed(id)) => Some(*id),
        None => interfaces.lowest_ipv4().map(u32::from),
        Some(RouterId::From(pattern)) => interfaces.lowest_ipv4_in(pattern).map(u32::from),
    }
}
