//! What it takes to list very many loops, page by page, as `show loops` does.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use dunlin_runtime::{
    Class, Context, Loop, Loops, Runtime, Stats, StatsReply, Survey, TimerId, Wanted,
};

use crate::{
    group::{Bar, Group, Out, contender, figure},
    load::{runtime, wait},
    system::thread_times,
};

const WHOLE: &str = "from the first question to the last answer";
const PIECE: &str = "most processor time of a worker for a page";
const PAGES: &str = "pages";

pub const LISTING: Group = Group {
    name: "listing",
    about: "10,000 loops with two timers each, in pages of 64: all, with what they own, and those of a name",
    figures: &[
        figure(WHOLE, "ms", &[]),
        // No turn is to be longer for it than a millisecond.
        figure(PIECE, "us", &[Bar::AtMost(1000.0)]),
        figure(PAGES, "", &[]),
    ],
    contenders: &[
        contender("dunlin, one worker", |out| list(out, 1, false, None)),
        contender("dunlin, four workers", |out| list(out, 4, false, None)),
        contender("dunlin, one, details", |out| list(out, 1, true, None)),
        contender("dunlin, one, by name", |out| list(out, 1, false, Some(rare()))),
        contender("dunlin, four, by name", |out| list(out, 4, false, Some(rare()))),
    ],
};

const COUNT: usize = 10_000;
const PAGE: usize = 64;
/// One loop in so many has the name that is asked for.
const RARE: usize = 1000;

fn rare() -> Wanted {
    Arc::new(|name, _| name == "rare")
}

struct Idle {
    timers: [TimerId; 2],
    started: Arc<AtomicUsize>,
}

impl Loop for Idle {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        self.timers = [cx.timer(Class::Liveness), cx.timer(Class::Liveness)];
        for timer in self.timers {
            cx.arm_after(timer, Duration::from_secs(240));
        }
        self.started.fetch_add(1, Ordering::Relaxed);
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}
}

fn list(out: &mut Out, workers: usize, details: bool, wanted: Option<Wanted>) {
    let runtime = runtime(workers, false);
    let started = Arc::new(AtomicUsize::new(0));
    let loops: Vec<_> = (0..COUNT)
        .map(|at| {
            let idle = Idle { timers: [TimerId::NONE; 2], started: Arc::clone(&started) };
            let name = if at % RARE == 0 { "rare" } else { "usual" };
            runtime.spawn(name, Class::Routing, idle)
        })
        .collect();
    while started.load(Ordering::Relaxed) < COUNT {
        thread::yield_now();
    }
    // Whatever follows from having started is over.
    thread::sleep(Duration::from_millis(500));
    let (mut whole, mut piece, mut pages, mut listed) = (Duration::ZERO, Duration::ZERO, 0, 0);
    let mut after = None;
    loop {
        let before = thread_times("worker-");
        let begun = Instant::now();
        let wanted = wanted.clone();
        let stats = ask(&runtime, Loops::Page { after, most: PAGE, wanted, details });
        whole += begun.elapsed();
        // A thread's time is exact when it sleeps again.
        thread::sleep(Duration::from_millis(2));
        for (thread, used) in thread_times("worker-") {
            piece = piece.max(used - before[&thread]);
        }
        (pages, listed, after) = (pages + 1, listed + stats.loops.len(), stats.next);
        if after.is_none() {
            break;
        }
    }
    assert_eq!(listed, if wanted.is_some() { COUNT / RARE } else { COUNT });
    out.say(WHOLE, whole.as_secs_f64() * 1000.0);
    out.say(PIECE, piece.as_secs_f64() * 1e6);
    out.say(PAGES, f64::from(pages));
    drop(loops);
}

fn ask(runtime: &Runtime, loops: Loops) -> Stats {
    let (sender, receiver) = mpsc::channel();
    let reply = StatsReply::new(move |stats| sender.send(stats).expect("somebody waits"));
    runtime.handle().survey(Survey { loops, handlers: false }, reply);
    wait(&receiver)
}
