//! A new configuration beside the one in force: what becomes of each instance, and doing it.

use std::sync::Arc;

use dunlin_net::hash::Map;
use dunlin_runtime::Context;

use super::Manager;
use super::configure::Version;
use super::entry::{Entry, Wanted};
use super::phases::{Stage, choose_router_id};
use crate::config::Config;
use crate::log::LogClass;
use crate::protocol::{
    Change, Difference, Differences, Effect, InstanceConfig, ProtocolState, ReloadMode, StopCause,
};

/// What becomes of an instance under a new configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is new.
    Added,
    /// It stops and is forgotten.
    Removed,
    /// Nothing.
    Same,
    /// It goes on and takes the changes as it runs.
    Changed,
    /// It stops and starts.
    Restarted,
    /// It starts: it was down.
    Enabled,
    /// It stops, or stays down.
    Disabled,
}

/// Router id and host name: what of them a new configuration changes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Identity {
    pub(super) router_id: bool,
    pub(super) hostname: bool,
}

impl Manager {
    /// Puts a configuration into force. `undoes`: there is no way back to the one before.
    pub(super) fn apply(&mut self, cx: &mut Context<'_>, version: Version, undoes: bool) {
        let Version { config, mode } = version;
        self.log.write(LogClass::Info, format_args!("Reconfiguring"));
        if let Err(error) = self.system.apply(cx, &config) {
            self.log.write(LogClass::Error, format_args!("{error}"));
        }
        let identity = self.take_identity(&config);
        let before = core::mem::replace(&mut self.config, config);
        self.changing.previous = (!undoes).then_some(Version { config: before, mode });
        self.stage = Stage::Changing;
        self.place_slices(cx);
        self.add_tables();
        self.compare(cx, mode, identity);
        let now = self.host.now();
        self.shared.publish(|published| published.configured = now);
        self.advance(cx);
        self.publish();
    }

    /// Router id and host name under a configuration.
    pub(super) fn identity_under(&self, config: &Config) -> (u32, Arc<str>) {
        let router_id = choose_router_id(config.globals.router_id.as_ref(), &self.interfaces);
        let hostname = config.globals.hostname.clone();
        (router_id.unwrap_or(self.router_id), hostname.unwrap_or_else(|| self.host.hostname()))
    }

    /// What of them is not as it is now.
    pub(super) fn identity_change(&self, (router_id, hostname): &(u32, Arc<str>)) -> Identity {
        Identity { router_id: *router_id != self.router_id, hostname: *hostname != self.hostname }
    }

    fn take_identity(&mut self, config: &Config) -> Identity {
        let identity = self.identity_under(config);
        let changed = self.identity_change(&identity);
        (self.router_id, self.hostname) = identity;
        changed
    }

    /// Brings the instances in line with the configuration.
    fn compare(&mut self, cx: &mut Context<'_>, mode: ReloadMode, identity: Identity) {
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
        let known = self.known();
        for wanted in &config.protocols {
            match known.get(&wanted.name).copied() {
                Some(index) => {
                    if self.change(cx, index, wanted, mode, identity) {
                        self.change_children(cx, wanted, mode, identity);
                    }
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

    /// Where the instances are that stay unless the configuration says otherwise.
    pub(super) fn known(&self) -> Map<Arc<str>, usize> {
        let entries = self.entries.iter().enumerate();
        let staying = entries.filter(|(_, entry)| entry.wanted != Wanted::Gone);
        staying.map(|(index, entry)| (entry.name().clone(), index)).collect()
    }

    /// Gives an instance its new configuration, live if it can. False if nothing differs.
    pub(super) fn change(
        &mut self,
        cx: &mut Context<'_>,
        index: usize,
        new: &Arc<InstanceConfig>,
        mode: ReloadMode,
        identity: Identity,
    ) -> bool {
        let entry = &mut self.entries[index];
        let (fate, differences) = entry.fate(new, identity);
        let old = core::mem::replace(&mut entry.config, Arc::clone(new));
        entry.log.configure(new);
        let name = &new.name;
        let say =
            |what: &str| self.log.write(LogClass::Info, format_args!("{what} protocol {name}"));
        if old.thread_group != new.thread_group {
            let group = entry.thread_group(cx);
            if let Some(instance) = entry.instance() {
                instance.set_thread_group(group);
            }
        }
        match fate {
            Fate::Same | Fate::Added | Fate::Removed => {}
            Fate::Disabled => {
                say("Disabling");
                entry.wanted = Wanted::Down;
            }
            Fate::Enabled => {
                say("Enabling");
                entry.wanted = Wanted::Up;
                entry.failed = false;
            }
            Fate::Restarted => {
                say("Restarting");
                entry.stop(cx, StopCause::Reconfigured, None);
            }
            Fate::Changed => {
                let change = Change { new, differences: &differences, mode };
                if entry.state() == ProtocolState::Up {
                    change.say(&self.log);
                }
                if let Some(instance) = entry.instance() {
                    instance.reconfigure(cx, &change);
                }
            }
        }
        !differences.is_empty()
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

impl Entry {
    /// What becomes of the instance under a new configuration of its name, and because of what.
    pub(super) fn fate(&self, new: &InstanceConfig, identity: Identity) -> (Fate, Vec<Difference>) {
        let mut differences = self.config.differences(new);
        if new.disabled {
            let fate = if self.wanted == Wanted::Up { Fate::Disabled } else { Fate::Same };
            return (fate, differences);
        }
        if self.is_disabled() {
            return (Fate::Enabled, differences);
        }
        if new.kind.uses_identity() {
            // Those of its own do not change with the daemon's.
            let changed = [
                (identity.router_id && new.router_id.is_none(), "router id"),
                (identity.hostname && new.hostname.is_none(), "hostname"),
            ];
            let global = changed.into_iter().filter(|(changed, _)| *changed);
            differences.extend(global.map(|(_, option)| Difference::new(option, Effect::Restart)));
        }
        let restarts = |list: &[Difference]| list.iter().any(|one| one.effect == Effect::Restart);
        let Some(instance) = self.running_instance() else {
            // It is on its way down, and starts with the new configuration.
            let fate = if differences.is_empty() { Fate::Same } else { Fate::Restarted };
            return (fate, differences);
        };
        if !differences.is_empty()
            && !restarts(&differences)
            && let Some(refusal) = instance.refusal(new)
        {
            let mut found = Differences::from(differences);
            found.add(refusal);
            differences = found.list();
        }
        let fate = match &*differences {
            [] => Fate::Same,
            list if restarts(list) => Fate::Restarted,
            _ => Fate::Changed,
        };
        (fate, differences)
    }
}

impl Change<'_> {
    /// Says in the log which channels' routes are looked at again, or are not although they could be.
    fn say(&self, log: &crate::log::Log) {
        let name = &self.new.name;
        for (effect, way) in [(Effect::Import, "import"), (Effect::Export, "export")] {
            let mut channels: Vec<&str> = Vec::new();
            let those = self.differences.iter().filter(|difference| difference.effect == effect);
            for channel in those.filter_map(|difference| difference.channel) {
                if channels.contains(&channel) {
                    continue;
                }
                channels.push(channel);
                match self.mode {
                    ReloadMode::Hard => {
                        let text = format_args!("Reloading channel {name}.{channel} for {way}");
                        log.write(LogClass::Info, text);
                    }
                    ReloadMode::Soft => {
                        let text = format_args!("Channel {name}.{channel} changed {way}");
                        log.write(LogClass::Info, text);
                    }
                }
            }
        }
    }
}
