//! Which worker runs what, and how many workers there are, on virtual time: no other load of the
//! machine disturbs what is measured.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use dunlin_runtime::{
    Address, Class, Context, Duration, GroupOptions, Loop, MoveReason, Threads, TimerId,
    sim::{SimOptions, SimRuntime},
};

const MILLI: Duration = Duration::from_millis(1);

/// Uses `cost` of its worker every `period`; both can be changed.
struct Busy {
    timer: TimerId,
    period: Duration,
    cost: Duration,
}

impl Loop for Busy {
    /// What to use from now on.
    type Message = Duration;

    fn start(&mut self, cx: &mut Context<'_>) {
        self.timer = cx.timer(Class::Routing);
        // Not all at once.
        let first = Duration::from_nanos(cx.random() % self.period.as_nanos() as u64);
        cx.arm_after(self.timer, first);
    }

    fn message(&mut self, _: &mut Context<'_>, cost: Duration) {
        self.cost = cost;
    }

    fn timer(&mut self, cx: &mut Context<'_>, timer: TimerId) {
        cx.sim_consume(self.cost);
        cx.arm_after(timer, self.period);
    }
}

/// A simulation in which loops move for a reason only.
fn quiet(seed: u64, workers: usize) -> SimRuntime {
    SimRuntime::with_options(SimOptions {
        moves: 0,
        workers,
        handler_cost: Duration::from_nanos(200)..=Duration::from_micros(2),
        ..SimOptions::new(seed)
    })
}

/// Loops that each use so many thousandths of a worker, all on worker 0, none of them pinned any more.
fn pile(sim: &mut SimRuntime, thousandths: &[u32]) -> Vec<Address<Duration>> {
    let spawn = |&thousandths: &u32| {
        let period = 10 * MILLI;
        let busy = Busy { timer: TimerId::NONE, period, cost: period * thousandths / 1000 };
        let one = sim.spawn("busy", Class::Routing, busy);
        one.pin(Some(0));
        one
    };
    let loops: Vec<_> = thousandths.iter().map(spawn).collect();
    sim.run_for(100 * MILLI);
    assert!(sim.stats().loops.iter().all(|one| one.worker == 0 && one.pinned == Some(0)));
    loops.iter().for_each(|one| one.pin(None));
    loops
}

/// The share of the time each worker is busy in the next `span`.
fn shares(sim: &mut SimRuntime, span: Duration) -> Vec<f64> {
    let busy = |sim: &SimRuntime| -> Vec<_> {
        sim.stats().workers.iter().map(|worker| worker.busy).collect()
    };
    let before = busy(sim);
    sim.run_for(span);
    let used = busy(sim).into_iter().zip(before).map(|(now, then)| now - then);
    used.map(|used| used.as_secs_f64() / span.as_secs_f64()).collect()
}

fn moves(sim: &SimRuntime) -> u64 {
    sim.stats().workers.iter().map(|worker| worker.moved_out).sum()
}

/// Each worker's part of the load is within a fifth of the others' average.
fn even(shares: &[f64]) -> bool {
    let average = shares.iter().sum::<f64>() / shares.len() as f64;
    shares.iter().all(|share| (share - average).abs() <= average / 5.0)
}

#[test]
fn a_pile_on_one_worker_is_even_in_ten_seconds_and_then_stays_put() {
    for seed in 0..10 {
        let mut sim = quiet(seed, 4);
        pile(&mut sim, &[70; 40]);
        sim.run_for(Duration::from_secs(10));
        let settled = shares(&mut sim, Duration::from_secs(5));
        assert!(even(&settled), "seed {seed}: {settled:?}");
        let before = moves(&sim);
        assert!(before < 400, "seed {seed}: {before} moves to get there");
        sim.run_for(Duration::from_secs(60));
        let after = moves(&sim) - before;
        assert!(after <= 30, "seed {seed}: {after} moves in a minute of stable load");
        let reasons = sim.stats().moves;
        assert!(reasons.iter().all(|one| one.why != MoveReason::Gathered), "{reasons:?}");
    }
}

#[test]
fn a_skewed_load_ends_even() {
    for seed in 0..10 {
        let mut sim = quiet(seed, 3);
        // One loop of each weight: the heaviest takes half a worker, the next a third, ...
        let weights: Vec<u32> = (2..60).map(|rank| 1000 / rank).collect();
        let scale = 2200.0 / f64::from(weights.iter().sum::<u32>());
        let weights: Vec<u32> =
            weights.iter().map(|one| (f64::from(*one) * scale) as u32).collect();
        pile(&mut sim, &weights);
        sim.run_for(Duration::from_secs(20));
        let settled = shares(&mut sim, Duration::from_secs(10));
        assert!(even(&settled), "seed {seed}: {settled:?}");
    }
}

#[test]
fn loops_without_end_are_shared_out_by_number() {
    let mut sim = quiet(3, 4);
    pile(&mut sim, &[1000; 16]);
    sim.run_for(Duration::from_secs(20));
    let stats = sim.stats();
    let on = |worker| stats.loops.iter().filter(|one| one.worker == worker).count();
    assert!((0..4).all(|worker| (3..=5).contains(&on(worker))), "{:?}", [0, 1, 2, 3].map(on));
    let before = moves(&sim);
    sim.run_for(Duration::from_secs(60));
    assert!(moves(&sim) - before <= 6, "{} moves", moves(&sim) - before);
}

#[test]
fn a_load_that_varies_moves_few_loops() {
    let mut sim = quiet(5, 4);
    let loops = pile(&mut sim, &[50; 40]);
    sim.run_for(Duration::from_secs(10));
    let before = moves(&sim);
    // For two minutes each loop changes what it uses twice a second, by chance.
    let mut dice = 1u64;
    for _ in 0..240 {
        for one in &loops {
            dice = dice.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let cost = MILLI * ((dice >> 33) % 100) as u32 / 100;
            one.send(Class::Control, cost).unwrap();
        }
        sim.run_for(500 * MILLI);
    }
    let moved = moves(&sim) - before;
    assert!(moved <= 120 * 4, "{moved} moves in two minutes");
}

#[test]
fn little_work_is_gathered_and_pinned_loops_stay() {
    let mut sim = quiet(7, 3);
    let loops = pile(&mut sim, &[5; 12]);
    loops.iter().zip([0, 1, 2].into_iter().cycle()).for_each(|(one, at)| one.pin(Some(at)));
    sim.run_for(200 * MILLI);
    let on = |sim: &SimRuntime, worker| {
        sim.stats().loops.iter().filter(|one| one.worker == worker).count()
    };
    assert_eq!([0, 1, 2].map(|worker| on(&sim, worker)), [4, 4, 4]);
    loops[..9].iter().for_each(|one| one.pin(None));
    sim.run_for(Duration::from_secs(5));
    assert_eq!([0, 1, 2].map(|worker| on(&sim, worker)), [10, 1, 1]);
    let moves = sim.stats().moves;
    assert!(moves.iter().filter(|one| one.why == MoveReason::Gathered).count() >= 6, "{moves:?}");
    assert!(moves.iter().any(|one| one.why == MoveReason::Pinned));
}

#[test]
fn new_loops_go_to_idle_workers() {
    let mut sim = quiet(1, 4);
    for _ in 0..8 {
        let busy = Busy { timer: TimerId::NONE, period: 10 * MILLI, cost: MILLI };
        sim.spawn("busy", Class::Routing, busy);
    }
    sim.step(sim.now());
    let stats = sim.stats();
    let on = |worker| stats.loops.iter().filter(|one| one.worker == worker).count();
    assert_eq!([0, 1, 2, 3].map(on), [2; 4]);
}

#[test]
fn an_automatic_number_of_workers_follows_the_load() {
    for seed in 0..5 {
        let groups = vec![GroupOptions {
            threads: Threads::Auto { min: 1, max: 6 },
            ..GroupOptions::new("worker")
        }];
        let mut sim =
            SimRuntime::with_options(SimOptions { groups, moves: 0, ..SimOptions::new(seed) });
        let count = |sim: &SimRuntime| sim.stats().workers.len();
        let loops = pile(&mut sim, &[5; 20]);
        sim.run_for(Duration::from_secs(10));
        assert_eq!(count(&sim), 1, "seed {seed}: little to do");
        let all = |cost| loops.iter().for_each(|one| one.send(Class::Control, cost).unwrap());
        // Three workers' worth.
        all(10 * MILLI * 3 / 20);
        sim.run_for(Duration::from_secs(15));
        let grown = count(&sim);
        assert!((4..=6).contains(&grown), "seed {seed}: {grown} workers");
        let used = shares(&mut sim, Duration::from_secs(20));
        assert!(used.iter().sum::<f64>() > 2.7, "seed {seed}: the work is done: {used:?}");
        assert_eq!(count(&sim), grown, "seed {seed}: it stays while the load does");
        all(MILLI / 100);
        sim.run_for(Duration::from_secs(5));
        assert_eq!(count(&sim), grown, "seed {seed}: not at once");
        sim.run_for(Duration::from_secs(120));
        assert_eq!(count(&sim), 1, "seed {seed}: less to do, fewer workers");
        // Asked for a number, it is that number.
        sim.handle().resize(3);
        sim.run_for(Duration::from_secs(60));
        assert_eq!(count(&sim), 3, "seed {seed}");
    }
}

#[test]
fn the_same_seed_balances_the_same_way() {
    let run = || {
        let mut sim = quiet(9, 3);
        pile(&mut sim, &[90; 20]);
        sim.run_for(Duration::from_secs(5));
        (sim.trace_hash(), moves(&sim))
    };
    let first = run();
    assert!(first.1 > 5);
    assert_eq!(first, run());
}
