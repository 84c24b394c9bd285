//! The slice's queue of long jobs: made, joined, done piece by piece.

use std::sync::Arc;

use dunlin_runtime::kit::queue::{Process, Verdict};
use dunlin_runtime::{Context, Progress};

use super::Slice;
use super::exports::Trailer;
use super::jobs::{FROM_FIRST, Job, Task};
use super::sources::Life;
use super::tables::{AnyTable, find, finish, with_table};
use crate::{Barrier, SourceId, TableId};

impl Slice {
    /// A source is dead: its routes lose at once where they are looked at, and are swept.
    pub(super) fn source_down(&mut self, id: SourceId, done: Option<Arc<Barrier>>) {
        if self.sources.kill(id) {
            self.add_job(Task::Sweep(Vec::new()), done);
        } else if let Some(done) = done {
            done.arrive();
        }
    }

    /// Queues a job; sweeps and re-evaluations that have not begun are joined into one.
    pub(super) fn add_job(&mut self, task: Task, done: Option<Arc<Barrier>>) {
        let joins = |job: &&mut Job| {
            let same = matches!(
                (&job.task, &task),
                (Task::Sweep(_), Task::Sweep(_)) | (Task::Import(_), Task::Import(_))
            );
            same && !job.begun
        };
        if let Some(job) = self.jobs.iter_mut().chain(&mut self.new_jobs).find(joins) {
            job.done.extend(done);
            return;
        }
        self.new_jobs.push(Job::new(task, done));
    }

    /// Does a piece of a job.
    pub(super) fn piece(&mut self, job: &mut Job) -> Progress {
        self.begin(job);
        let skip = |tables: &[Option<AnyTable>], at: usize| {
            tables.get(at).is_some_and(|table| {
                table.is_none() || !job.task.concerns(TableId(u16::try_from(at).unwrap_or(0)))
            })
        };
        while skip(&self.tables, job.table) {
            job.table += 1;
        }
        if job.table >= self.tables.len() {
            self.end(job);
            return Progress::Done;
        }
        let id = TableId(u16::try_from(job.table).unwrap_or(u16::MAX));
        let most = job.most();
        let (tables, mut env) = self.parts();
        let progress = find(tables, id).map_or(
            Progress::Done,
            |table| with_table!(table, t => t.piece(&job.task, &mut job.walk, most, &mut env)),
        );
        let again = matches!(
            job.task,
            Task::Import(_) | Task::Decide(_) | Task::Recheck(..) | Task::Partial(..)
        );
        finish(tables, id, &Trailer { again, ..Trailer::default() }, &mut env);
        if progress == Progress::Done {
            (job.table, job.walk) = (job.table + 1, FROM_FIRST);
        }
        Progress::More
    }

    /// Names the sources of a job that begins. Each dead source is swept by one job only: at its
    /// end the source's index may go to another.
    fn begin(&mut self, job: &mut Job) {
        if core::mem::replace(&mut job.begun, true) {
            return;
        }
        match &mut job.task {
            Task::Sweep(list) => {
                *list = self.sources.claim(|local| {
                    let claimed = local.life == Life::Dead;
                    if claimed {
                        local.life = Life::Swept;
                    }
                    claimed
                });
            }
            Task::Recheck(recheck, list) => {
                *list = self.sources.claim(|local| local.rechecks(&recheck.table));
            }
            Task::Partial(protocol, _, list) => {
                *list = self.sources.claim(|local| local.source.protocol == *protocol);
            }
            Task::Import(list) => {
                *list = self.sources.claim(|local| core::mem::take(&mut local.stale_filter));
            }
            _ => {}
        }
    }

    fn end(&mut self, job: &Job) {
        match &job.task {
            Task::Sweep(list) => {
                for &index in list {
                    self.sources.remove(index);
                    for table in self.tables.iter_mut().flatten() {
                        with_table!(table, t => t.exports.forget_source(index));
                    }
                }
            }
            Task::Follow(table, follower) => {
                let (tables, env) = self.parts();
                if let Some(table) = find(tables, *table) {
                    with_table!(table, t => t.exports.end_follow(*follower, &env));
                }
            }
            Task::Unpipe(table, pipe) => {
                if let Some(table) = find(&mut self.tables, *table) {
                    with_table!(table, t => t.pipes.remove_inward(*pipe));
                }
            }
            _ => {}
        }
        for done in &job.done {
            done.arrive();
        }
    }
}

impl Process<Job> for Slice {
    fn process(&mut self, cx: &mut Context<'_>, job: &mut Job) -> Verdict {
        let (begun, most) = (cx.clock(), job.most());
        let progress = self.piece(job);
        job.pace.note(most, cx.clock().since(begun));
        match progress {
            Progress::Done => Verdict::Success,
            // The next job's turn is then.
            Progress::More => Verdict::Requeue,
        }
    }
}
