//! A loop that is one closure, run on a real worker and in simulations.

use std::sync::mpsc::{Sender, channel};

use dunlin_runtime::{
    Class, Context, Duration, EventId, Loop, Progress, Ready, SocketId, TimerId, WorkId,
    sim::SimRuntime,
};

/// What has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum On {
    Start,
    Message(u64),
    Timer(TimerId),
    Event(EventId),
    Work(WorkId),
    Ready(SocketId, Ready),
}

/// Hands everything that happens to a closure.
pub(crate) struct Script<F>(pub(crate) F);

impl<F: FnMut(&mut Context<'_>, On) + Send + 'static> Loop for Script<F> {
    type Message = u64;

    fn start(&mut self, cx: &mut Context<'_>) {
        (self.0)(cx, On::Start);
    }

    fn message(&mut self, cx: &mut Context<'_>, message: u64) {
        (self.0)(cx, On::Message(message));
    }

    fn timer(&mut self, cx: &mut Context<'_>, timer: TimerId) {
        (self.0)(cx, On::Timer(timer));
    }

    fn event(&mut self, cx: &mut Context<'_>, event: EventId) {
        (self.0)(cx, On::Event(event));
    }

    fn ready(&mut self, cx: &mut Context<'_>, socket: SocketId, ready: Ready) {
        (self.0)(cx, On::Ready(socket, ready));
    }

    fn work(&mut self, cx: &mut Context<'_>, work: WorkId) -> Progress {
        (self.0)(cx, On::Work(work));
        Progress::Done
    }
}

/// Runs what `make` gives, on a real worker and in simulations, until it tells something for the
/// first time; and once more for a while, to see that nothing is told after. All must tell `expected`.
pub(crate) fn everywhere<T, F>(expected: &T, make: impl Fn(Sender<T>) -> F)
where
    T: PartialEq + std::fmt::Debug + Send + 'static,
    F: FnMut(&mut Context<'_>, On) + Send + 'static,
{
    let (told, heard) = channel();
    let runtime = super::runtime(1);
    runtime.spawn("script", Class::Control, Script(make(told)));
    assert_eq!(&super::next(&heard), expected, "on a worker");
    drop(runtime);
    assert!(heard.try_recv().is_err(), "on a worker, more");
    for seed in 0..10 {
        let (told, heard) = channel();
        let mut sim = SimRuntime::new(seed);
        sim.spawn("script", Class::Control, Script(make(told)));
        sim.run_for(Duration::from_secs(100));
        assert_eq!(heard.try_recv().as_ref(), Ok(expected), "seed {seed}");
        assert!(heard.try_recv().is_err(), "seed {seed}, more");
    }
}
