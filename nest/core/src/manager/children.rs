//! Instances that other instances ask for.

use std::sync::Arc;

use dunlin_runtime::Context;

use super::Manager;
use super::compare::Identity;
use super::entry::Wanted;
use super::phases::Stage;
use crate::protocol::{Child, InstanceConfig, ReloadMode};

impl Manager {
    /// Starts a child of the instance at `parent`.
    pub(super) fn start_child(&mut self, cx: &mut Context<'_>, parent: usize, child: Child) {
        if matches!(self.stage, Stage::ShuttingDown | Stage::Ended) {
            return;
        }
        let Child { config: asked, digits, payload } = child;
        let Some(mut config) = self.present_config(parent, &asked) else { return };
        config.parent = Some(self.entries[parent].name().clone());
        config.name = self.free_name(&asked.name, digits);
        let config = Arc::new(config);
        let entry = self.new_entry(Arc::clone(&config));
        let index = self.last_child(parent) + 1;
        self.entries.insert(index, entry);
        let (id, environment) = self.environment(index);
        let service =
            self.services.entry(config.kind.keyword()).or_insert_with(|| config.kind.service());
        let started = service.start_child(cx, environment, config, payload);
        let failed = started.is_err();
        self.entry_started(cx, index, id, started);
        if failed {
            self.entries.remove(index);
        }
    }

    /// A child's configuration as it follows from its parent's present one, which may not be the
    /// one that the parent asked with. None if the parent is on its way out, or wouldn't ask now.
    fn present_config(&self, parent: usize, asked: &InstanceConfig) -> Option<InstanceConfig> {
        let entry = &self.entries[parent];
        if entry.wanted != Wanted::Up || entry.is_stopping() {
            return None;
        }
        let service = self.services.get(entry.config.kind.keyword())?;
        service.child_config(&entry.config, asked)
    }

    /// A name that nobody has: the stem and a number.
    fn free_name(&self, stem: &str, digits: usize) -> Arc<str> {
        let taken = |name: &str| self.entries.iter().any(|entry| &**entry.name() == name);
        (1..u32::MAX)
            .map(|number| format!("{stem}{number:0digits$}"))
            .find(|name| !taken(name))
            .map_or_else(|| Arc::from(stem), Arc::from)
    }

    fn last_child(&self, parent: usize) -> usize {
        let name = self.entries[parent].name();
        let is_child = |index: &usize| {
            self.entries.get(*index).is_some_and(|e| e.config.parent.as_ref() == Some(name))
        };
        (parent + 1..).take_while(is_child).last().unwrap_or(parent)
    }

    /// Gives the children of a changed instance their new configuration, or ends them.
    pub(super) fn change_children(
        &mut self,
        cx: &mut Context<'_>,
        new: &Arc<InstanceConfig>,
        mode: ReloadMode,
        identity: Identity,
    ) {
        for index in 0..self.entries.len() {
            if self.entries[index].config.parent.as_ref() != Some(&new.name) {
                continue;
            }
            let child = Arc::clone(&self.entries[index].config);
            match self.derived(new, &child) {
                Some(config) => {
                    self.change(cx, index, &Arc::new(config), mode, identity);
                    let entry = &mut self.entries[index];
                    if entry.is_stopping() {
                        // A child does not restart: its peer comes back and gets a new one.
                        entry.wanted = Wanted::Gone;
                    }
                }
                None => self.entries[index].wanted = Wanted::Gone,
            }
        }
    }

    /// The configuration of a child under a new one of its parent; none if the child has to end.
    pub(super) fn derived(
        &self,
        parent: &InstanceConfig,
        child: &InstanceConfig,
    ) -> Option<InstanceConfig> {
        let service = self.services.get(parent.kind.keyword()).filter(|_| !parent.disabled)?;
        let mut config = service.child_config(parent, child)?;
        config.name = child.name.clone();
        config.parent = child.parent.clone();
        Some(config)
    }
}
