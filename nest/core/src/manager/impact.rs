//! What a configuration would do, found out without doing it: `configure check impact`.
//!
//! What becomes of each instance is decided here by the same code that decides it when a
//! configuration comes into force. How many routes another filter changes is asked of the slices
//! later, by whoever wants to know.

use std::sync::Arc;

use dunlin_rib::TableId;
use dunlin_rib::assess::Ask;

use super::Manager;
use super::compare::{Fate, Identity};
use super::entry::{Entry, Wanted};
use crate::config::Config;
use crate::protocol::{
    Change, Difference, Direction, Effect, InstanceConfig, InstanceId, ProtocolState, ReloadMode,
    RouteChange,
};

/// What a configuration would do.
#[derive(Debug)]
pub struct Plan {
    /// Every instance, those of the new configuration in its order, then those that go.
    pub protocols: Vec<ProtocolPlan>,
    /// Tables that come, by name.
    pub new_tables: Vec<Arc<str>>,
    /// Tables that go.
    pub old_tables: Vec<Arc<str>>,
}

/// What becomes of one instance.
#[derive(Debug)]
pub struct ProtocolPlan {
    /// Its name.
    pub name: Arc<str>,
    /// What becomes of it.
    pub fate: Fate,
    /// Because of these options.
    pub differences: Vec<Difference>,
    /// The running incarnation, if its routes go: what it has in the tables is at stake.
    pub stake: Option<InstanceId>,
    /// Channels whose routes go through another filter.
    pub channels: Vec<ChannelPlan>,
}

/// Routes that are to be put to another filter to see what changes.
#[derive(Clone, Debug)]
pub struct ChannelPlan {
    /// The channel, as differences name it.
    pub channel: &'static str,
    /// Which way.
    pub direction: Direction,
    /// The table that they are in.
    pub table: TableId,
    /// What to ask its slices.
    pub ask: Ask,
}

impl Manager {
    /// What a configuration would do if it came into force now.
    pub(super) fn plan(&self, config: &Config) -> Plan {
        let identity = self.identity_change(&self.identity_under(config));
        let known = self.known();
        let mut protocols = Vec::new();
        for wanted in &config.protocols {
            match known.get(&wanted.name).map(|index| &self.entries[*index]) {
                Some(entry) => {
                    protocols.push(self.planned(entry, wanted, identity));
                    protocols.extend(self.planned_children(wanted, identity));
                }
                None => protocols.push(ProtocolPlan::of(&wanted.name, Fate::Added)),
            }
        }
        for entry in self.entries.iter().filter(|entry| entry.wanted != Wanted::Gone) {
            let named = entry.config.parent.as_ref().unwrap_or(entry.name());
            if config.protocol(named).is_none() {
                protocols.push(removed(entry));
            }
        }
        let is = |list: &Config, name: &str, of| {
            list.globals.tables.iter().any(|table| *table.name == *name && table.net_type == of)
        };
        let tables = |of: &Config, other: &Config| {
            let tables = of.globals.tables.iter();
            let alone = tables.filter(|table| !is(other, &table.name, table.net_type));
            alone.map(|table| Arc::clone(&table.name)).collect()
        };
        Plan {
            protocols,
            new_tables: tables(config, &self.config),
            old_tables: tables(&self.config, config),
        }
    }

    fn planned(
        &self,
        entry: &Entry,
        new: &Arc<InstanceConfig>,
        identity: Identity,
    ) -> ProtocolPlan {
        let (fate, differences) = entry.fate(new, identity);
        let mut plan = ProtocolPlan::of(entry.name(), fate);
        match fate {
            Fate::Changed => plan.channels = self.channels(entry, new, &differences),
            Fate::Restarted | Fate::Disabled => plan.stake = entry.row().running,
            Fate::Same | Fate::Enabled | Fate::Added | Fate::Removed => {}
        }
        plan.differences = differences;
        plan
    }

    /// A child that cannot go on as it runs ends: it has no restart.
    fn planned_children(&self, parent: &InstanceConfig, identity: Identity) -> Vec<ProtocolPlan> {
        let of_parent = |entry: &&Entry| entry.config.parent.as_ref() == Some(&parent.name);
        let children = self.entries.iter().filter(of_parent);
        let staying = children.filter(|entry| entry.wanted != Wanted::Gone);
        let plan = |entry: &Entry| match self.derived(parent, &entry.config) {
            Some(config) => {
                let mut plan = self.planned(entry, &Arc::new(config), identity);
                if plan.fate == Fate::Restarted {
                    plan.fate = Fate::Removed;
                }
                plan
            }
            None => removed(entry),
        };
        staying.map(plan).collect()
    }

    /// The channels of an instance whose routes would be looked at again.
    fn channels(
        &self,
        entry: &Entry,
        new: &Arc<InstanceConfig>,
        differences: &[Difference],
    ) -> Vec<ChannelPlan> {
        let Some(instance) = entry.running_instance() else { return Vec::new() };
        if entry.state() != ProtocolState::Up {
            // It has no routes.
            return Vec::new();
        }
        let change = Change { new, differences, mode: ReloadMode::Hard };
        // Who has no channels of his own, as a pipe, says what becomes of his routes himself.
        let reloaded = new.channels.iter().filter(|channel| {
            new.kind.has_channel_blocks() && change.reloads(channel.kind.keyword(), Effect::Import)
        });
        let imports = reloaded.map(|channel| RouteChange {
            channel: channel.kind.keyword(),
            direction: Direction::In,
            table: Arc::clone(&channel.table),
            ask: Ask::Import {
                protocol: Arc::clone(entry.name()),
                filter: channel.import.clone(),
                preference: channel.preference,
            },
        });
        let all = imports.chain(instance.export_changes(&change));
        let in_table = |change: RouteChange| {
            let RouteChange { channel, direction, table, ask } = change;
            Some(ChannelPlan { channel, direction, table: self.view.id(&table)?, ask })
        };
        all.filter_map(in_table).collect()
    }
}

impl ProtocolPlan {
    fn of(name: &Arc<str>, fate: Fate) -> Self {
        Self {
            name: Arc::clone(name),
            fate,
            differences: Vec::new(),
            stake: None,
            channels: Vec::new(),
        }
    }
}

fn removed(entry: &Entry) -> ProtocolPlan {
    ProtocolPlan { stake: entry.row().running, ..ProtocolPlan::of(entry.name(), Fate::Removed) }
}
