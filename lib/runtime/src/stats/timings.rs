//! How long handlers took, waited and were late: of a worker by class, and of a loop.
//!
//! What a worker measures, it measures by kind of loop, class and kind of handler; its own figures are sums of these,
//! made when somebody asks.

use dunlin_sync::Class;

use super::{
    handlers::{Handler, HandlerStats, Worst, worse},
    histogram::Histogram,
};

/// Spans of one kind, and the worst of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// How many there were of which length.
    pub spans: Histogram,
    /// The longest, unless all were zero.
    pub worst: Option<Worst>,
}

impl Profile {
    fn merge(&mut self, spans: &Histogram, worst: Option<Worst>) {
        self.spans.merge(spans);
        self.worst = worse(self.worst, worst);
    }
}

/// How long handlers took, waited and were late.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timings {
    /// How long they ran.
    pub run: Profile,
    /// How long they stood in a queue, after they had been asked for; of those of which that is known, timers apart.
    pub wait: Profile,
    /// How long after they were due timers ran.
    pub late: Profile,
}

impl Timings {
    /// Adds what has been measured elsewhere.
    pub fn merge(&mut self, other: &Self) {
        let pairs = [
            (&mut self.run, &other.run),
            (&mut self.wait, &other.wait),
            (&mut self.late, &other.late),
        ];
        for (one, other) in pairs {
            one.merge(&other.spans, other.worst);
        }
    }

    fn add(&mut self, handlers: &HandlerStats) {
        self.run.merge(&handlers.run, handlers.longest);
        let waited =
            if handlers.handler == Handler::Timer { &mut self.late } else { &mut self.wait };
        waited.merge(&handlers.wait, handlers.latest);
    }
}

/// What one worker has measured, whatever loops it has run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkerTimings {
    /// The worker's index.
    pub index: usize,
    /// By class of the handlers.
    pub classes: [Timings; Class::ALL.len()],
}

impl WorkerTimings {
    /// The sums of what a worker has measured.
    pub(crate) fn new(index: usize, handlers: &[HandlerStats]) -> Self {
        let mut timings = Self { index, ..Self::default() };
        for one in handlers {
            timings.classes[one.class.index()].add(one);
        }
        timings
    }

    /// All classes together.
    pub fn all(&self) -> Timings {
        let mut all = Timings::default();
        self.classes.iter().for_each(|class| all.merge(class));
        all
    }
}
