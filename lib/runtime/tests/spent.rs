//! Where the time of workers went: in handlers, awake in none, and asleep, which is all of it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;

use std::collections::HashMap;

use common::{burn, eventually, runtime};
use dunlin_os::clock::monotonic;
use dunlin_runtime::{
    Class, Context, Duration, EventId, Loop, Runtime, RuntimeOptions, Stats, Time, TimerId,
    WorkerStats,
    sim::{SimOptions, SimRuntime},
};

const MILLI: Duration = Duration::from_millis(1);

fn together(worker: &WorkerStats) -> Duration {
    worker.busy + worker.overhead + worker.idle
}

/// Now and then has something to do, which takes so long.
struct Pulse {
    period: Duration,
    takes: Duration,
    /// Takes time from the processor, or from a simulation's clock.
    burns: bool,
}

impl Pulse {
    fn real(period: Duration, takes: Duration) -> Self {
        Self { period, takes, burns: true }
    }

    fn simulated(period: Duration, takes: Duration) -> Self {
        Self { period, takes, burns: false }
    }
}

impl Loop for Pulse {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        let timer = cx.timer(Class::Routing);
        cx.arm_every(timer, self.period);
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}

    fn timer(&mut self, cx: &mut Context<'_>, _: TimerId) {
        cx.sim_consume(self.takes);
        if self.burns {
            burn(self.takes);
        }
    }
}

/// Always has something to do.
struct Endless(EventId);

impl Loop for Endless {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        self.0 = cx.event(Class::Bulk);
        cx.schedule(self.0);
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}

    fn event(&mut self, cx: &mut Context<'_>, event: EventId) {
        cx.schedule(event);
    }
}

/// A picture that all workers are in.
fn complete(runtime: &Runtime) -> Stats {
    let mut stats = Stats::default();
    eventually("all workers answer", || {
        stats = runtime.stats();
        stats.complete
    });
    stats
}

/// One worker takes its figures and the time with one look at the clock, so they agree to the nanosecond.
#[test]
fn a_worker_alone_accounts_for_every_nanosecond() {
    let runtime = runtime(1);
    let since = |first: &Stats, then: &Stats| {
        let (first, then) = (&first.workers[0], &then.workers[0]);
        let part = |of: fn(&WorkerStats) -> Duration| of(then).checked_sub(of(first)).unwrap();
        [part(|one| one.busy), part(|one| one.overhead), part(|one| one.idle)]
    };
    let check = |first: &Stats, then: &Stats| {
        let parts = since(first, then);
        assert_eq!(parts.iter().sum::<Duration>(), then.now.since(first.now), "{parts:?}");
        let handlers: Duration = then.loops.iter().map(|one| one.run).sum();
        let busy = then.workers[0].busy;
        assert!(handlers <= busy, "{handlers:?} in handlers of {busy:?}");
        parts
    };
    let bare = complete(&runtime);
    runtime.spawn("pulse", Class::Routing, Pulse::real(2 * MILLI, MILLI / 4));
    let ran = |stats: &Stats, count: u64| stats.workers[0].handlers[2] >= count;
    let mut pulsing = bare.clone();
    eventually("the pulse has run", || {
        pulsing = complete(&runtime);
        check(&bare, &pulsing);
        ran(&pulsing, 100)
    });
    let [busy, _, idle] = check(&bare, &pulsing);
    // By another clock than the test's.
    assert!(busy >= 99 * (MILLI / 4), "{busy:?} in a hundred handlers");
    assert!(idle > Duration::ZERO);

    // What is cleared is gone, and from then on the same holds.
    runtime.handle().clear_stats();
    let cleared = complete(&runtime);
    assert!(together(&cleared.workers[0]) <= cleared.now.since(pulsing.now), "{cleared:?}");
    let mut again = cleared.clone();
    eventually("the pulse has run again", || {
        again = complete(&runtime);
        check(&cleared, &again);
        ran(&again, 100)
    });

    // One that always has something to do never sleeps.
    runtime.spawn("endless", Class::Bulk, Endless(EventId::NONE));
    eventually("it has begun", || complete(&runtime).workers[0].handlers[3] > 1000);
    let first = complete(&runtime);
    let mut then = first.clone();
    eventually("it has gone on", || {
        then = complete(&runtime);
        then.now.since(first.now) > 20 * MILLI
    });
    let [busy, _, idle] = check(&first, &then);
    assert!(busy > Duration::ZERO && idle == Duration::ZERO, "{busy:?} {idle:?}");
}

/// When the counters of each worker were at zero, from and to, as its figures have told so far.
#[derive(Default)]
struct Zeros {
    of: HashMap<usize, (u64, u64)>,
    /// When it was looked at last.
    looked: u64,
}

/// The processor's counter is scaled to the system's clock, by which the test goes.
const TOLERANCE: u64 = 2_000_000;

impl Zeros {
    fn new() -> Self {
        Self { looked: monotonic(), ..Self::default() }
    }

    /// Each worker's times together tell when they were zero, the same whenever one asks.
    fn look(&mut self, runtime: &Runtime) -> Stats {
        let (asked, stats, told) = loop {
            let (asked, stats) = (monotonic(), runtime.stats());
            if stats.complete {
                break (asked, stats, monotonic());
            }
        };
        let mut next = HashMap::new();
        for worker in &stats.workers {
            let spent = together(worker).as_nanos() as u64;
            // One that was not there at the last look has begun since.
            let (from, to) = self.of.get(&worker.index).copied().unwrap_or((self.looked, told));
            let zero = (from.max(asked.saturating_sub(spent)), to.min(told.saturating_sub(spent)));
            assert!(zero.0 <= zero.1 + TOLERANCE, "{from}..{to} {asked}..{told}: {worker:?}");
            next.insert(worker.index, zero);
        }
        (self.of, self.looked) = (next, asked);
        stats
    }

    /// The counters have been cleared since then.
    fn cleared(&mut self, then: u64) {
        (self.of, self.looked) = (HashMap::new(), then);
    }
}

#[test]
fn times_add_up_while_workers_come_and_go_and_loops_move() {
    let mut zeros = Zeros::new();
    let runtime = Runtime::new(RuntimeOptions { threads: 2, ..<_>::default() }).unwrap();
    for _ in 0..20 {
        runtime.spawn("pulse", Class::Routing, Pulse::real(MILLI, MILLI / 40));
    }
    let mut moved = 0;
    for (round, threads) in [4, 1, 3, 2, 5, 1, 4, 1].into_iter().enumerate() {
        if round % 3 == 2 {
            let then = monotonic();
            runtime.handle().clear_stats();
            zeros.cleared(then);
            zeros.look(&runtime);
        }
        runtime.resize(threads);
        eventually("resized", || zeros.look(&runtime).workers.len() == threads);
        let first = zeros.look(&runtime);
        eventually("some time has passed", || {
            zeros.look(&runtime).now.since(first.now) > 30 * MILLI
        });
        moved += zeros.look(&runtime).workers.iter().map(|one| one.moved_in).sum::<u64>();
    }
    assert!(moved > 0, "loops have moved");
}

/// A simulation in which loops move for no reason, and workers oversleep so often.
fn simulation(seed: u64, late_wakes: u32) -> SimRuntime {
    let options = SimOptions { workers: 3, moves: 50, late_wakes, ..SimOptions::new(seed) };
    SimRuntime::with_options(options)
}

#[test]
fn simulated_workers_account_for_every_nanosecond() {
    for seed in 0..20 {
        let mut sim = simulation(seed, 100);
        for takes in 1..20 {
            sim.spawn("pulse", Class::Routing, Pulse::simulated(MILLI, MILLI / 200 * takes));
        }
        let mut since: HashMap<usize, Time> = (0..3).map(|index| (index, sim.now())).collect();
        for round in 0..400_u32 {
            sim.run_for(Duration::from_nanos(7_777 * u64::from(round % 13)));
            match round % 50 {
                17 => sim.block_worker(0, 3 * MILLI),
                29 => {
                    sim.handle().clear_stats();
                    sim.run_for(Duration::ZERO);
                    since.values_mut().for_each(|time| *time = sim.now());
                }
                37 => {
                    let workers = 1 + (round / 50) as usize % 4;
                    sim.resize(workers);
                    since.retain(|&index, _| index < workers);
                    for index in 0..workers {
                        since.entry(index).or_insert(sim.now());
                    }
                }
                _ => {}
            }
            let stats = sim.stats();
            assert_eq!(stats.workers.len(), since.len());
            for worker in &stats.workers {
                let passed = sim.now().since(since[&worker.index]);
                assert_eq!(together(worker), passed, "seed {seed}, round {round}: {worker:?}");
            }
        }
        // All handlers are over: what workers were busy with is what loops have run.
        let mut sim = simulation(seed, 0);
        sim.spawn("pulse", Class::Routing, Pulse::simulated(MILLI, MILLI / 3));
        sim.run_for(100 * MILLI + MILLI / 2);
        let stats = sim.stats();
        let busy: Duration = stats.workers.iter().map(|worker| worker.busy).sum();
        assert_eq!(busy, stats.loops[0].run);
        assert!(busy >= 90 * (MILLI / 3), "{busy:?}");
    }
}

#[test]
fn a_blocked_worker_is_neither_busy_nor_asleep() {
    let mut sim = SimRuntime::with_options(SimOptions { workers: 1, ..SimOptions::new(3) });
    sim.run_for(10 * MILLI);
    sim.block_worker(0, 5 * MILLI);
    sim.run_for(2 * MILLI);
    let worker = sim.stats().workers[0];
    assert_eq!((worker.overhead, worker.idle), (2 * MILLI, 10 * MILLI));
    sim.run_for(8 * MILLI);
    let worker = sim.stats().workers[0];
    assert_eq!((worker.overhead, worker.idle), (5 * MILLI, 15 * MILLI));
    assert_eq!(worker.busy, Duration::ZERO);
}
