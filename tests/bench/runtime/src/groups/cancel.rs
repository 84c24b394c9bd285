//! Cancelling something of a loop that is busy.

use std::{
    sync::mpsc::{Sender, channel},
    thread,
    time::{Duration, Instant},
};

use dunlin_runtime::{Canceller, Class, Context, EventId, Loop, TimerId};

use crate::{
    group::{Bar, Group, Out, contender, figure},
    load::{percentile, runtime, tokio, wait},
    system::burn,
};

const CALL: &str = "the caller's time, worst";
const DONE: &str = "until it is done, while the target's handler runs on, worst";

pub const CANCEL: Group = Group {
    name: "cancel",
    about: "a timer of a loop of another worker that runs a handler of 120 ms; tokio: a task behind one that computes",
    figures: &[figure(CALL, "us", &[Bar::AtMost(1000.0)]), figure(DONE, "ms", &[])],
    contenders: &[contender("dunlin", dunlin), contender("tokio", by_tokio)],
};

const TIMES: usize = 8;
const HANDLER: Duration = Duration::from_millis(120);

/// Computes when told to, and has a timer far away.
struct Busy {
    told: Sender<Option<Canceller>>,
    timer: TimerId,
}

impl Loop for Busy {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        self.timer = cx.timer(Class::Control);
        self.told.send(Some(cx.timer_canceller(self.timer))).unwrap();
    }

    fn message(&mut self, cx: &mut Context<'_>, (): ()) {
        cx.arm_after(self.timer, Duration::from_secs(60));
        self.told.send(None).unwrap();
        burn(HANDLER);
    }

    fn event(&mut self, _: &mut Context<'_>, _: EventId) {}
}

fn dunlin(out: &mut Out) {
    let runtime = runtime(1, true);
    let (told, heard) = channel();
    let busy = runtime.spawn("busy", Class::Routing, Busy { told, timer: TimerId::NONE });
    let canceller = wait(&heard).unwrap();
    measure(out, || {
        busy.send(Class::Routing, ()).unwrap();
        wait(&heard);
        let (done, dones) = channel();
        let start = Instant::now();
        canceller.cancel_with(move |what| _ = done.send(what));
        let call = start.elapsed();
        assert!(matches!(wait(&dones), dunlin_runtime::Cancellation::Cancelled));
        (call, start.elapsed())
    });
}

fn by_tokio(out: &mut Out) {
    let target = tokio();
    let handle = target.handle().clone();
    thread::spawn(move || target.block_on(std::future::pending::<()>()));
    let own = tokio();
    measure(out, || {
        let sleep = handle.spawn(async { tokio::time::sleep(Duration::from_secs(60)).await });
        let (told, heard) = channel();
        handle.spawn(async move {
            told.send(()).unwrap();
            burn(HANDLER);
        });
        wait(&heard);
        let start = Instant::now();
        sleep.abort();
        let call = start.elapsed();
        assert!(own.block_on(sleep).unwrap_err().is_cancelled());
        (call, start.elapsed())
    });
}

fn measure(out: &mut Out, mut once: impl FnMut() -> (Duration, Duration)) {
    let (mut calls, mut dones): (Vec<_>, Vec<_>) = (0..TIMES).map(|_| once()).unzip();
    out.say(CALL, percentile(&mut calls, 100).as_nanos() as f64 / 1000.0);
    out.say(DONE, percentile(&mut dones, 100).as_secs_f64() * 1000.0);
}
