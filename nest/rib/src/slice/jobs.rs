//! Long jobs of a slice, done in pieces between batches.

use std::sync::Arc;

use super::attrs::NIL;
use super::import_again::again;
use super::table::{Env, Table};
use crate::barrier::Barrier;
use crate::import::TableKey;

/// Records looked at in one piece.
pub(crate) const PIECE: u32 = 1024;

/// What is to be done to every record of every table.
#[derive(Debug)]
pub(crate) enum Task {
    /// Remove the routes of these sources, then the sources.
    Sweep(Vec<u16>),
    /// Run the import filters of these sources again.
    Import(Vec<u16>),
    /// Decide every network of one table again.
    Decide(crate::TableId),
    /// Tell the followers of one table of every best route.
    Follow(crate::TableId),
    /// Remove the routes of a table that came through one of its pipes.
    Unpipe(crate::TableId, u16),
    /// Run all routes of a table through its pipes.
    Repipe(crate::TableId),
}

impl Task {
    /// Whether a table is concerned.
    pub(crate) fn concerns(&self, table: crate::TableId) -> bool {
        match self {
            Self::Sweep(_) | Self::Import(_) => true,
            Self::Decide(id) | Self::Follow(id) | Self::Unpipe(id, _) | Self::Repipe(id) => {
                *id == table
            }
        }
    }
}

/// A task with how far it has come.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) task: Task,
    /// Index of the table that is worked on.
    pub(crate) table: usize,
    /// Next record of it.
    pub(crate) cursor: u32,
    /// Arrived at when it is finished.
    pub(crate) done: Vec<Arc<Barrier>>,
}

impl Job {
    pub(crate) fn new(task: Task, done: Option<Arc<Barrier>>) -> Self {
        Self { task, table: 0, cursor: 1, done: done.into_iter().collect() }
    }
}

impl<K: TableKey> Table<K> {
    /// Does a piece of a task from `cursor` on; returns where to go on, none at the end.
    pub(crate) fn piece(&mut self, task: &Task, cursor: u32, env: &mut Env<'_>) -> Option<u32> {
        let end = match task {
            Task::Decide(_) | Task::Follow(_) => self.nets.end(),
            _ => self.routes.end(),
        };
        let stop = cursor.saturating_add(PIECE).min(end);
        for at in cursor..stop {
            match task {
                Task::Sweep(sources) => self.sweep(at, |source, _| sources.contains(&source), env),
                Task::Unpipe(_, pipe) => self.sweep(at, |_, via| via == *pipe, env),
                Task::Import(sources) => again(self, at, sources, env),
                Task::Decide(_) => self.touch_live(at),
                Task::Follow(_) => self.follow(at, env),
                Task::Repipe(_) => self.repipe(at),
            }
        }
        (stop < end).then_some(stop)
    }

    fn sweep(&mut self, at: u32, gone: impl Fn(u16, u16) -> bool, env: &mut Env<'_>) {
        let route = self.routes[at];
        if route.net != NIL && gone(route.source, route.via) {
            self.touch(route.net);
            self.note_piped(at, NIL);
            self.remove_route(at, env);
        }
    }

    fn touch_live(&mut self, net: u32) {
        let record = self.nets[net];
        if record.first != NIL || record.out != 0 {
            self.touch(net);
        }
    }

    fn follow(&mut self, net: u32, env: &Env<'_>) {
        if let Some(route) = self.best(net) {
            let route = &self.routes[route];
            let best = super::decide::Best { set: route.accepted, source: route.source };
            self.tell_followers(net, Some(best), env);
        }
    }

    fn repipe(&mut self, at: u32) {
        let route = self.routes[at];
        if route.net != NIL && route.accepted != NIL {
            self.note_piped(at, route.accepted);
        }
    }
}
