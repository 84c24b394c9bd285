//! Long jobs of a slice, done in pieces between batches.

use std::sync::Arc;

use dunlin_filter::PrefixSet;
use dunlin_runtime::Progress;
use dunlin_runtime::kit::budget::{Budget, Pieces};
use dunlin_runtime::kit::walk::{Below, Walk};

use super::attrs::NIL;
use super::import_again::Memo;
use super::table::{Env, Table};
use super::traced::is_traced;
use super::turns::Pace;
use crate::barrier::Barrier;
use crate::import::TableKey;
use crate::validation::Recheck;
use crate::{ExporterId, TableId};

/// Records looked at in one piece, fewer if they take long; a network whose routes are judged again counts as each of them, too.
pub(crate) const PIECE: u32 = 1024;

/// Record 0 of a store is none.
pub(crate) const FROM_FIRST: Walk<u32> = Walk::starting_at(1);

/// What is to be done to every record of every table, or of one.
#[derive(Debug)]
pub(crate) enum Task {
    /// Remove the routes of these sources, then the sources.
    Sweep(Vec<u16>),
    /// Run the import filters of these sources again.
    Import(Vec<u16>),
    /// Decide every network of one table again.
    Decide(TableId),
    /// Forget what export groups of one table hold that have gone.
    Forget(TableId),
    /// Tell a new follower of one table of every best route.
    Follow(TableId, ExporterId),
    /// Remove the routes of a table that came through one of its pipes.
    Unpipe(TableId, u16),
    /// Run all routes of a table through its pipes.
    Repipe(TableId),
    /// Run filters again that have asked a ROA or ASPA table, import filters of these sources.
    Recheck(Arc<Recheck>, Vec<u16>),
    /// Run the import filters of a protocol again over some networks: of these sources.
    Partial(Arc<str>, Arc<PrefixSet>, Vec<u16>),
}

impl Task {
    /// Whether a table is concerned.
    pub(crate) fn concerns(&self, table: TableId) -> bool {
        match self {
            Self::Sweep(_) | Self::Import(_) | Self::Recheck(..) | Self::Partial(..) => true,
            Self::Decide(id)
            | Self::Forget(id)
            | Self::Follow(id, _)
            | Self::Unpipe(id, _)
            | Self::Repipe(id) => *id == table,
        }
    }
}

/// A task with how far it has come.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) task: Task,
    /// Its sources have been named.
    pub(crate) begun: bool,
    /// Index of the table that is worked on.
    pub(crate) table: usize,
    /// How far it has come there.
    pub(crate) walk: Walk<u32>,
    /// How much of it goes into one piece.
    pub(crate) pace: Pace,
    /// Arrived at when it is finished.
    pub(crate) done: Vec<Arc<Barrier>>,
}

impl Job {
    pub(crate) fn new(task: Task, done: Option<Arc<Barrier>>) -> Self {
        let done = done.into_iter().collect();
        Self { task, begun: false, table: 0, walk: FROM_FIRST, pace: Pace::default(), done }
    }

    /// Records of the next piece.
    pub(crate) fn most(&self) -> u32 {
        self.pace.most().min(PIECE)
    }
}

impl<K: TableKey> Table<K> {
    /// Does a piece of a task, of so many records at most.
    pub(crate) fn piece(
        &mut self,
        task: &Task,
        walk: &mut Walk<u32>,
        most: u32,
        env: &mut Env<'_>,
    ) -> Progress {
        let depends = match task {
            Task::Recheck(recheck, sources) => match self.depends(recheck, sources) {
                Some(depends) => {
                    self.exports.begin_recheck(&recheck.table);
                    self.pipes.begin_recheck(&recheck.table);
                    Some(depends)
                }
                None => return Progress::Done,
            },
            _ => None,
        };
        let mut memo = Memo::default();
        let mut budget = Pieces(most);
        let mut progress = Progress::Done;
        let traced = task_is_traced(task, env);
        while let Some(at) = walk.advance(&Below(self.end_for(task))) {
            match task {
                Task::Sweep(sources) => {
                    if traced {
                        self.note_swept(at, sources, env);
                    }
                    self.sweep(at, |source, _| sources.contains(&source), env);
                }
                Task::Unpipe(_, pipe) => self.sweep(at, |_, via| via == *pipe, env),
                Task::Import(sources) => self.import_again(at, sources, traced, &mut memo, env),
                Task::Decide(_) => self.touch_live(at),
                Task::Forget(_) => self.forget_gone(at, env),
                Task::Follow(_, follower) => self.follow(at, *follower, env),
                Task::Repipe(_) => self.repipe(at, env),
                Task::Partial(_, nets, sources) => {
                    let judged = self.import_part(at, nets, sources, traced, &mut memo, env);
                    budget.0 = budget.0.saturating_sub(judged);
                }
                Task::Recheck(..) => {
                    let judged = self.recheck(at, depends.as_ref(), traced, &mut memo, env);
                    budget.0 = budget.0.saturating_sub(judged);
                }
            }
            if budget.is_spent() {
                progress = Progress::More;
                break;
            }
        }
        self.forget_memo(&mut memo, env);
        progress
    }

    fn end_for(&self, task: &Task) -> u32 {
        match task {
            Task::Decide(_)
            | Task::Forget(_)
            | Task::Follow(..)
            | Task::Recheck(..)
            | Task::Partial(..) => self.nets.end(),
            _ => self.routes.end(),
        }
    }

    fn sweep(&mut self, at: u32, gone: impl Fn(u16, u16) -> bool, env: &mut Env<'_>) {
        let route = self.routes[at];
        if route.net != NIL && gone(route.source, route.via) {
            self.touch(route.net);
            self.note_piped(at, NIL);
            self.pipes.count_withdrawn(route.via);
            self.remove_route(at, env);
        }
    }

    pub(crate) fn touch_live(&mut self, net: u32) {
        let record = self.nets[net];
        if record.first != NIL || record.out != 0 {
            self.touch(net);
        }
    }

    fn follow(&mut self, net: u32, follower: ExporterId, env: &Env<'_>) {
        if let Some(best) = self.best_pair(net) {
            self.tell_followers(net, Some(best), Some(follower), env);
        }
    }

    pub(crate) fn repipe(&mut self, at: u32, env: &Env<'_>) {
        let route = self.routes[at];
        if route.net != NIL && route.accepted != NIL && !env.sources.is_dead(route.source) {
            self.note_piped(at, route.accepted);
        }
    }
}

/// Whether a task is about routes of which some are traced.
fn task_is_traced(task: &Task, env: &Env<'_>) -> bool {
    let (Task::Sweep(sources)
    | Task::Import(sources)
    | Task::Recheck(_, sources)
    | Task::Partial(_, _, sources)) = task
    else {
        return false;
    };
    sources
        .iter()
        .any(|&index| env.sources.get(index).is_some_and(|local| is_traced(&local.source)))
}
