//! What the runtime keeps for each loop and only the worker that runs it touches.

use dunlin_sync::Class;

use crate::{
    agenda::Agenda,
    ids::{LoopId, Thing},
    kit::{
        client::ClientCounters,
        credit::Flow,
        jobs::{JobPriority, Jobs},
        queue::QueueCounters,
        shown::Shown,
    },
    sockets::Sockets,
    time::Time,
    timer::Timers,
};

/// The parts of a loop that its [`crate::Context`] works on.
#[derive(Debug)]
pub(crate) struct LoopCore {
    pub(crate) timers: Timers,
    pub(crate) events: Agenda,
    pub(crate) works: Agenda,
    pub(crate) jobs: Jobs,
    pub(crate) flows: Shown<dyn Flow>,
    pub(crate) queues: Shown<QueueCounters>,
    pub(crate) clients: Shown<ClientCounters>,
    pub(crate) sockets: Sockets,
    /// Class in which readiness of new sockets is served.
    pub(crate) class: Class,
    /// The loop's place in its worker's tables.
    pub(crate) slot: u32,
    /// Whose handler runs, if it is that of a timer, event or job.
    pub(crate) running: Option<Thing>,
    /// Whose handlers have called the one that runs.
    pub(crate) callers: Vec<Option<Thing>>,
    /// The loop has asked to be stopped.
    pub(crate) stopping: bool,
    /// `start` has run.
    pub(crate) started: bool,
}

impl LoopCore {
    pub(crate) fn new(id: LoopId, class: Class) -> Self {
        Self {
            timers: Timers::new(id),
            events: Agenda::new(id),
            works: Agenda::new(id),
            jobs: Jobs::new(id),
            flows: Shown::default(),
            queues: Shown::default(),
            clients: Shown::default(),
            sockets: Sockets::new(id),
            class,
            slot: NOWHERE,
            running: None,
            callers: Vec::new(),
            stopping: false,
            started: false,
        }
    }

    /// Whether this is what runs, or has called what runs.
    pub(crate) fn is_running(&self, thing: Thing) -> bool {
        self.running == Some(thing) || self.callers.contains(&Some(thing))
    }

    /// When the loop's timers need the worker: the first liveness timer, the first other one; and
    /// whether a job waits for idle time.
    #[inline]
    pub(crate) fn deadlines(&self) -> Deadlines {
        Deadlines {
            liveness: self.timers.next_liveness(),
            rest: self.timers.next_rest(),
            job: self.jobs.best(),
        }
    }
}

/// When a loop's timers need the worker next, and what it would do with idle time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Deadlines {
    pub(crate) liveness: Time,
    pub(crate) rest: Time,
    /// The best priority in which a job waits.
    pub(crate) job: Option<JobPriority>,
}

impl Deadlines {
    pub(crate) const NEVER: Self = Self { liveness: Time::NEVER, rest: Time::NEVER, job: None };
}

/// The slot of a loop no worker has.
pub(crate) const NOWHERE: u32 = u32::MAX;
