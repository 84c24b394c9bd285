//! New configurations: read, compare, apply, undo.

use core::time::Duration;
use std::path::PathBuf;
use std::sync::Arc;

use dunlin_net::hash::Map;
use dunlin_runtime::{Class, Context};

use super::entry::{Entry, Wanted};
use super::message::LoadedFor;
use super::phases::{Stage, choose_router_id};
use super::{ConfigureCommand, Manager, ManagerMessage, seconds_left};
use crate::command::Line;
use crate::config::{Config, Loaded};
use crate::log::LogClass;
use crate::protocol::{InstanceConfig, Reconfigured, ReloadMode, Reply, StopCause};

/// What `configure timeout` without a number means, in seconds.
const DEFAULT_TIMEOUT: u32 = 300;

/// Configurations before and after the one in force.
#[derive(Default)]
pub(super) struct Changing {
    /// The one before, and how the change away from it was made.
    previous: Option<(Arc<Config>, ReloadMode)>,
    /// One that waits until the present change is done.
    queued: Option<Queued>,
    /// Who asked for the change that is undone unless confirmed.
    notice: Option<Reply<String>>,
}

struct Queued {
    config: Arc<Config>,
    mode: ReloadMode,
}

impl Manager {
    // --- Commands

    pub(super) fn configure(
        &mut self,
        cx: &mut Context<'_>,
        command: ConfigureCommand,
        reply: Reply<Vec<Line>>,
        notice: Reply<String>,
    ) {
        match &command {
            ConfigureCommand::Apply { file, .. } | ConfigureCommand::Check { file } => {
                let path = file.clone().unwrap_or_else(|| self.config.path.clone());
                self.load(path, command, Some(reply), Some(notice));
            }
            ConfigureCommand::Confirm => {
                let line = if cx.disarm(self.undo_timer).is_cancelled() {
                    Line::new(18, "Reconfiguration confirmed")
                } else {
                    Line::new(19, "Nothing to do")
                };
                reply.send(vec![line]);
            }
            ConfigureCommand::Undo => {
                let mut lines = vec![Line::new(21, "Undo requested")];
                lines.push(self.undo(cx));
                if lines[1].code == 19 {
                    lines.remove(0);
                }
                reply.send(lines);
            }
            ConfigureCommand::Status => reply.send(self.configure_status(cx)),
        }
    }

    pub(super) fn configure_from_signal(&mut self) {
        let command = ConfigureCommand::Apply { soft: false, file: None, timeout: None };
        self.load(self.config.path.clone(), command, None, None);
    }

    fn configure_status(&self, cx: &Context<'_>) -> Vec<Line> {
        let state = match (self.stage, self.changing.queued.is_some()) {
            (Stage::ShuttingDown | Stage::Ended, _) => Line::new(6, "Shutdown in progress"),
            (Stage::Changing, true) => {
                Line::new(5, "Reconfiguration in progress, next one enqueued")
            }
            (Stage::Changing | Stage::Starting, _) => Line::new(4, "Reconfiguration in progress"),
            (Stage::Settled, _) => Line::new(3, "Daemon is up and running"),
        };
        let mut lines = vec![state];
        let left = seconds_left(cx.expires(self.undo_timer), cx.now());
        if left > 0 {
            let text = format!("Configuration unconfirmed, undo in {left} s");
            lines.push(Line::new(22, text));
        }
        lines.push(Line::new(0, ""));
        lines
    }

    // --- Reading

    fn load(
        &mut self,
        path: PathBuf,
        command: ConfigureCommand,
        reply: Option<Reply<Vec<Line>>>,
        notice: Option<Reply<String>>,
    ) {
        let own = self.own.clone();
        let done = Reply::new(move |loaded: Loaded| {
            let result = LoadedFor { loaded, command, reply, notice };
            // Without a manager there is no configuration to change.
            let _ = own.send(Class::Control, ManagerMessage::Loaded(Box::new(result)));
        });
        self.system.load(&path, done);
    }

    pub(super) fn loaded(&mut self, cx: &mut Context<'_>, result: LoadedFor) {
        let LoadedFor { loaded, command, reply, notice } = result;
        let lines = match loaded {
            Err(rejected) => {
                for line in rejected.lines() {
                    self.log.write(LogClass::Error, format_args!("{line}"));
                }
                rejected.lines().map(|line| Line::new(8002, line)).collect()
            }
            Ok(config) => {
                for warning in &config.warnings {
                    self.log.write(LogClass::Warning, format_args!("{warning}"));
                }
                match command {
                    ConfigureCommand::Apply { soft, timeout, .. } => {
                        let mode = if soft { ReloadMode::Soft } else { ReloadMode::Hard };
                        self.take(cx, Arc::new(config), mode, timeout.zip(notice))
                    }
                    _ => vec![Line::new(20, "Configuration OK")],
                }
            }
        };
        if let Some(reply) = reply {
            reply.send(lines);
        }
    }

    // --- Applying

    /// Puts a configuration into force, now or when the present change is done.
    fn take(
        &mut self,
        cx: &mut Context<'_>,
        config: Arc<Config>,
        mode: ReloadMode,
        timeout: Option<(u32, Reply<String>)>,
    ) -> Vec<Line> {
        let mut lines = Vec::new();
        cx.disarm(self.undo_timer);
        self.changing.notice = None;
        if let Some((seconds, notice)) = timeout {
            self.changing.notice = Some(notice);
            let seconds = if seconds == 0 { DEFAULT_TIMEOUT } else { seconds };
            cx.arm_after(self.undo_timer, Duration::from_secs(u64::from(seconds)));
            lines.push(Line::new(22, format!("Undo scheduled in {seconds} s")));
        }
        self.changing.previous = Some((Arc::clone(&self.config), mode));
        lines.push(self.put_in_force(cx, config, mode));
        lines
    }

    fn put_in_force(
        &mut self,
        cx: &mut Context<'_>,
        config: Arc<Config>,
        mode: ReloadMode,
    ) -> Line {
        match self.stage {
            Stage::ShuttingDown | Stage::Ended => {
                Line::new(6, "Reconfiguration ignored, shutting down")
            }
            Stage::Starting | Stage::Changing => {
                self.changing.queued = Some(Queued { config, mode });
                Line::new(5, "Reconfiguration already in progress, queueing new config")
            }
            Stage::Settled => {
                self.apply(cx, config, mode);
                match self.stage {
                    Stage::Settled => Line::new(3, "Reconfigured"),
                    _ => Line::new(4, "Reconfiguration in progress"),
                }
            }
        }
    }

    fn undo(&mut self, cx: &mut Context<'_>) -> Line {
        cx.disarm(self.undo_timer);
        let Some((config, mode)) = self.changing.previous.take() else {
            return Line::new(19, "Nothing to do");
        };
        if self.changing.queued.take().is_some() {
            return Line::new(17, "Reconfiguration already in progress, removing queued config");
        }
        self.put_in_force(cx, config, mode)
    }

    pub(super) fn undo_expired(&mut self, cx: &mut Context<'_>) {
        const TEXT: &str = "Config timeout expired, starting undo";
        self.log.write(LogClass::Info, format_args!("{TEXT}"));
        if let Some(notice) = self.changing.notice.take() {
            notice.send(TEXT.to_owned());
        }
        self.undo(cx);
    }

    /// A change is complete; the next one may begin.
    pub(super) fn reconfigured(&mut self, cx: &mut Context<'_>) {
        if let Some(Queued { config, mode }) = self.changing.queued.take() {
            self.apply(cx, config, mode);
        }
    }

    fn apply(&mut self, cx: &mut Context<'_>, config: Arc<Config>, mode: ReloadMode) {
        self.log.write(LogClass::Info, format_args!("Reconfiguring"));
        if let Err(error) = self.system.apply(cx, &config) {
            self.log.write(LogClass::Error, format_args!("{error}"));
        }
        let identity_changed = self.take_identity(&config);
        self.config = config;
        self.stage = Stage::Changing;
        self.place_slices(cx);
        self.add_tables();
        self.compare(cx, mode, identity_changed);
        let now = self.host.now();
        self.shared.publish(|published| published.configured = now);
        self.advance(cx);
        self.publish();
    }

    /// Takes over router id and host name; true if one of them has changed.
    fn take_identity(&mut self, config: &Config) -> bool {
        let router_id = choose_router_id(config.globals.router_id.as_ref(), &self.interfaces)
            .unwrap_or(self.router_id);
        let hostname = config.globals.hostname.clone().unwrap_or_else(|| self.host.hostname());
        let changed = router_id != self.router_id || hostname != self.hostname;
        self.router_id = router_id;
        self.hostname = hostname;
        changed
    }

    /// Brings the instances in line with the configuration.
    fn compare(&mut self, cx: &mut Context<'_>, mode: ReloadMode, identity_changed: bool) {
        let config = Arc::clone(&self.config);
        for entry in &mut self.entries {
            // A child goes with its parent.
            let named = entry.config.parent.as_ref().unwrap_or(entry.name());
            if entry.wanted != Wanted::Gone && config.protocol(named).is_none() {
                let name = entry.name().clone();
                self.log.write(LogClass::Info, format_args!("Removing protocol {name}"));
                entry.wanted = Wanted::Gone;
            }
        }
        let known: Map<Arc<str>, usize> = self
            .entries
            .iter()
            .enumerate()
            .filter(|(_, entry)| entry.wanted != Wanted::Gone)
            .map(|(index, entry)| (entry.name().clone(), index))
            .collect();
        for wanted in &config.protocols {
            match known.get(&wanted.name).copied() {
                Some(index) => {
                    let old = Arc::clone(&self.entries[index].config);
                    self.change(cx, index, wanted, mode, identity_changed);
                    self.change_children(cx, &old, wanted, mode, identity_changed);
                }
                None => {
                    let name = &wanted.name;
                    self.log.write(LogClass::Info, format_args!("Adding protocol {name}"));
                    let entry = self.new_entry(Arc::clone(wanted));
                    self.entries.push(entry);
                }
            }
        }
        self.sort_entries(&config);
    }

    /// Gives an instance its new configuration, live if it can.
    pub(super) fn change(
        &mut self,
        cx: &mut Context<'_>,
        index: usize,
        new: &Arc<InstanceConfig>,
        mode: ReloadMode,
        identity_changed: bool,
    ) {
        let log = self.log.clone();
        let entry = &mut self.entries[index];
        let old = core::mem::replace(&mut entry.config, Arc::clone(new));
        entry.log.set_flags(new.debug);
        let identity = identity_changed && new.kind.uses_identity();
        let name = &new.name;
        if new.disabled {
            if entry.wanted == Wanted::Up {
                log.write(LogClass::Info, format_args!("Disabling protocol {name}"));
            }
            entry.wanted = Wanted::Down;
            return;
        }
        if entry.is_disabled() {
            log.write(LogClass::Info, format_args!("Enabling protocol {name}"));
            entry.wanted = Wanted::Up;
            entry.failed = false;
            return;
        }
        if old.thread_group != new.thread_group {
            let group = entry.thread_group(cx);
            if let Some(instance) = entry.instance() {
                instance.set_thread_group(group);
            }
        }
        if old.same(new) && !identity {
            return;
        }
        let restart = identity
            || old.incompatible(new)
            || match entry.instance() {
                Some(instance) => instance.reconfigure(cx, new, mode) == Reconfigured::Restart,
                None => false,
            };
        if restart {
            log.write(LogClass::Info, format_args!("Restarting protocol {name}"));
            entry.stop(cx, StopCause::Reconfigured, None);
        }
    }

    /// Puts the instances into the order of the configuration, children behind their parent, and
    /// those on their way out last.
    fn sort_entries(&mut self, config: &Config) {
        let place = |entry: &Entry| {
            let name = entry.config.parent.as_ref().unwrap_or(entry.name());
            config.place(name).unwrap_or(usize::MAX)
        };
        self.entries.sort_by_key(|entry| (place(entry), entry.config.parent.is_some()));
    }
}
