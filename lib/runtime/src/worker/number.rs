//! How many workers a group has, where that follows the load. Worker 0 decides; the others tell it when
//! they have much to do, so that it need not wake up to see.

use core::sync::atomic::Ordering;

use super::{Stage, Worker};
use crate::{
    dispatch::Dispatch,
    groups::{GroupId, Threads},
    options::{LogLevel, LogRecord},
    placement::Auto,
    pool::{Command, Table},
    time::Time,
};

impl Worker {
    /// The groups have changed: notes those whose number follows the load.
    pub(super) fn note_autos(&mut self) {
        let (table, now) = (self.pool.table(), self.engine.now);
        self.autos.retain(|&group, _| bounds(&table, group).is_some());
        for (group, _) in table.groups.each() {
            if bounds(&table, group).is_some() {
                self.autos.entry(group).or_insert_with(|| Auto::new(now));
            }
        }
    }

    /// When worker 0 has to look at some group again.
    pub(super) fn number_due(&self) -> Time {
        if self.autos.is_empty() {
            return Time::NEVER;
        }
        let table = self.pool.table();
        let due = self.autos.iter().filter_map(|(&group, auto)| {
            let (least, _) = bounds(&table, group)?;
            let more = table.groups.active(group).len() > least.max(1);
            (more || auto.is_alert()).then(|| auto.due())
        });
        due.min().unwrap_or(Time::NEVER)
    }

    /// Now and then: sees to the groups whose number follows the load.
    pub(super) fn consider_number(&mut self) {
        if self.autos.is_empty() || self.stage != Stage::Working {
            return;
        }
        let now = self.engine.now;
        let due: Vec<_> = self
            .autos
            .iter()
            .filter(|(_, auto)| auto.is_due(now))
            .map(|(&group, _)| group)
            .collect();
        for group in due {
            self.consider_group(group);
        }
    }

    /// Sees whether a group has the workers its load needs.
    pub(super) fn consider_group(&mut self, group: GroupId) {
        let table = self.pool.table();
        let (Some(auto), Some(bounds)) = (self.autos.get_mut(&group), bounds(&table, group)) else {
            return;
        };
        let now = self.engine.now;
        if !auto.is_due(now) || self.stage != Stage::Working {
            return;
        }
        let most = self.pool.options.max_threads;
        let bounds = (bounds.0.min(most), bounds.1.min(most));
        let active = table.groups.active(group).len();
        if active == 0 {
            return;
        }
        let workers = || table.active(group);
        let busy = workers().map(|worker| worker.counters.busy.load(Ordering::Relaxed)).sum();
        let waiting = workers().map(|worker| worker.waiting()).sum();
        let wanted = auto.look(now, active, busy, waiting, bounds);
        if wanted != active {
            self.fit(group, wanted);
            self.tell_number(group, active, wanted);
        }
    }

    fn tell_number(&self, group: GroupId, before: usize, after: usize) {
        let table = self.pool.table();
        let Some(found) = table.groups.find(group) else { return };
        let text = format!("group {} goes from {before} to {after} workers", found.options.name);
        let level = LogLevel::Info;
        self.pool.log(&LogRecord { level, loop_id: None, loop_name: None, text });
    }

    /// A busy worker's look at itself: tells worker 0 if it has too much to do.
    pub(super) fn report_load(&self, share: f32) {
        let Some(group) = self.home.group else { return };
        if share >= MUCH && self.index() != 0 && bounds(&self.pool.table(), group).is_some() {
            self.pool.tell_first(Command::Count { group });
        }
    }
}

/// The bounds of a group whose number follows the load.
fn bounds(table: &Table, group: GroupId) -> Option<(usize, usize)> {
    match table.groups.find(group)?.options.threads {
        Threads::Auto { min, max } => Some((min, max)),
        Threads::Fixed(_) => None,
    }
}

/// A worker as busy as this has it looked at whether there should be more.
const MUCH: f32 = 0.6;
