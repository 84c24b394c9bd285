//! Jobs of a loop for idle time.

use crate::{
    context::Context,
    ids::{JobId, Thing},
    kit::jobs::JobPriority,
    outcome::{Cancel, Scheduling},
    place::Place,
    runloop::{Loop, Progress},
};

/// Jobs for idle time ([`kit::jobs`](crate::kit::jobs)).
impl Context<'_> {
    /// A new job, not started. The name is for those who look at the runtime.
    pub fn job(&mut self, name: &str, priority: JobPriority) -> JobId {
        let key = self.core.jobs.create(name, priority);
        self.made(Thing::Job(key));
        JobId(key)
    }

    /// Has the job run, step by step, whenever the worker has nothing better to do, until a step
    /// says it is done.
    #[track_caller]
    pub fn start_job(&mut self, job: JobId) -> Scheduling {
        self.core.jobs.start(job.0, Place::here())
    }

    /// Has no more steps run. [`Cancel::Running`] says that this is one: whatever it answers, there is
    /// no other.
    pub fn cancel_job(&mut self, job: JobId) -> Cancel {
        self.core.jobs.cancel(job.0)
    }

    /// Runs one step here and now, whether the job was started or not: a plain call of
    /// [`Loop::job`], with its time counted. A job that answers [`Progress::More`] goes on in idle
    /// time. None, and nothing has run, if the job is gone or a step runs already.
    #[track_caller]
    pub fn run_job_now<L: Loop>(&mut self, owner: &mut L, job: JobId) -> Option<Progress> {
        if !self.core.jobs.begin(job.0) {
            return None;
        }
        let began = self.driver.clock();
        // Waiting or not, this is its next step.
        self.core.jobs.pass(job.0);
        self.core.jobs.set_place(job.0, Place::here());
        let progress = owner.job(self, job);
        self.core.jobs.end(job.0, progress);
        let took = self.driver.clock().since(began);
        self.core.jobs.account(took);
        Some(progress)
    }

    /// Gives a job up; true if it was waiting for a step.
    pub fn remove_job(&mut self, job: JobId) -> bool {
        self.core.jobs.remove(job.0)
    }
}
