//! What the runtime keeps for each loop and only the worker that runs it touches.

use dunlin_sync::Class;

use crate::{
    agenda::Agenda,
    ending::Ending,
    ids::{Key, LoopId, SocketId, Thing, TimerId},
    kit::{
        client::ClientCounters,
        flow::Flow,
        jobs::{JobPriority, Jobs},
        queue::QueueCounters,
        shown::Shown,
    },
    outcome::Cancellation,
    place::Place,
    scopes::Scopes,
    sockets::Sockets,
    stats::LoopTimings,
    step::{Kind, Step},
    time::Time,
    timer::Timers,
};

/// The parts of a loop that its [`crate::Context`] works on.
#[derive(Debug)]
pub(crate) struct LoopCore {
    /// Whose parts these are.
    pub(crate) id: LoopId,
    pub(crate) timers: Timers,
    pub(crate) events: Agenda,
    pub(crate) works: Agenda,
    pub(crate) jobs: Jobs,
    pub(crate) flows: Shown<dyn Flow>,
    pub(crate) queues: Shown<QueueCounters>,
    pub(crate) clients: Shown<ClientCounters>,
    pub(crate) sockets: Sockets,
    pub(crate) scopes: Scopes,
    /// What is measured of its handlers.
    pub(crate) timings: LoopTimings,
    /// Class in which readiness of new sockets is served.
    pub(crate) class: Class,
    /// The loop's place in its worker's tables.
    pub(crate) slot: u32,
    /// The handler that runs, or ran last.
    pub(crate) running: Step,
    /// Those that have called it.
    pub(crate) callers: Vec<Step>,
    /// The loop is told of jumps of the clocks.
    pub(crate) watches_clock: bool,
    /// The loop stops, perhaps not yet.
    pub(crate) stopping: bool,
    /// How, if that has been said.
    pub(crate) ending: Option<Box<Ending>>,
    /// A handler has panicked.
    pub(crate) panicked: bool,
    /// Where it did.
    pub(crate) stopped_at: Place,
    /// `start` has run.
    pub(crate) started: bool,
}

impl LoopCore {
    pub(crate) fn new(id: LoopId, class: Class) -> Self {
        Self {
            id,
            timers: Timers::new(id),
            events: Agenda::new(id),
            works: Agenda::new(id),
            jobs: Jobs::new(id),
            flows: Shown::default(),
            queues: Shown::default(),
            clients: Shown::default(),
            sockets: Sockets::new(id),
            scopes: Scopes::new(id),
            timings: LoopTimings::new(),
            class,
            slot: NOWHERE,
            running: Step::new(Kind::Start, class),
            callers: Vec::new(),
            watches_clock: false,
            stopping: false,
            ending: None,
            panicked: false,
            stopped_at: Place::NOWHERE,
            started: false,
        }
    }

    /// Whether this still names something.
    pub(crate) fn exists(&self, thing: Thing) -> bool {
        match thing {
            Thing::Timer(key) => self.timers.exists(TimerId(key)),
            Thing::Event(key) => self.events.class(key).is_some(),
            Thing::Work(key) => self.works.class(key).is_some(),
            Thing::Job(key) => self.jobs.exists(key),
            Thing::Socket(key) => self.sockets.endpoint(SocketId(key)).is_ok(),
            Thing::Scope(key) => self.scopes.exists(key),
        }
    }

    /// Forgets what a scope lists and is gone.
    #[cold]
    pub(crate) fn sweep_scope(&mut self, scope: Key) {
        let mut things = self.scopes.take_list(scope);
        things.retain(|thing| self.exists(*thing));
        self.scopes.put_list(scope, things);
    }

    /// Takes something back for another loop, between two handlers.
    pub(crate) fn cancel(&mut self, thing: Thing) -> Cancellation {
        let exists = self.exists(thing);
        let was_pending = match thing {
            Thing::Timer(key) => self.timers.disarm(TimerId(key)),
            Thing::Event(key) => self.events.unschedule(key),
            Thing::Work(key) => self.works.unschedule(key),
            Thing::Job(_) | Thing::Socket(_) | Thing::Scope(_) => false,
        };
        match (exists, was_pending) {
            (_, true) => Cancellation::Cancelled,
            (true, false) => Cancellation::AlreadyRan,
            (false, false) => Cancellation::Gone,
        }
    }

    /// Whether this is what runs, or has called what runs.
    pub(crate) fn is_running(&self, thing: Thing) -> bool {
        let mut running = self.callers.iter().chain([&self.running]);
        running.any(|step| step.thing(self.id) == Some(thing))
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
