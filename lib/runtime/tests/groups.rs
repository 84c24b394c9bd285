//! Thread groups: loops run on the workers of theirs, and can be put into another at any time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and waits"
)]

mod common;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use common::{eventually, runtime};
use dunlin_runtime::{
    Address, Class, Context, Duration, GroupId, GroupOptions, Loop, MoveReason, Runtime,
    RuntimeHandle, RuntimeOptions, Stats, Threads, TimerId,
};

/// Counts what comes.
struct Counter {
    timer: TimerId,
    ticks: Arc<AtomicU64>,
    messages: Arc<AtomicU64>,
}

impl Loop for Counter {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        self.timer = cx.timer(Class::Routing);
        cx.arm_every(self.timer, Duration::from_millis(2));
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {
        self.messages.fetch_add(1, Ordering::Relaxed);
    }

    fn timer(&mut self, _: &mut Context<'_>, _: TimerId) {
        self.ticks.fetch_add(1, Ordering::Relaxed);
    }
}

/// What a loop's test watches.
struct Watched {
    address: Address<()>,
    ticks: Arc<AtomicU64>,
    messages: Arc<AtomicU64>,
}

impl Watched {
    fn spawn(handle: &RuntimeHandle) -> Self {
        let (ticks, messages) = (Arc::default(), Arc::default());
        let timer = TimerId::NONE;
        let counter = Counter { timer, ticks: Arc::clone(&ticks), messages: Arc::clone(&messages) };
        let address = handle.spawn("counter", Class::Routing, counter);
        Self { address, ticks, messages }
    }

    /// The group whose worker runs the loop, once it is settled.
    fn runs_in(&self, stats: &Stats) -> Option<GroupId> {
        let found = stats.loops.iter().find(|one| one.id == self.address.loop_id())?;
        stats.workers.iter().find(|worker| worker.index == found.worker)?.group
    }

    fn is_alive(&self) {
        let ticks = self.ticks.load(Ordering::Relaxed);
        eventually("timers go on", || self.ticks.load(Ordering::Relaxed) > ticks + 2);
    }
}

fn group(name: &str, threads: usize) -> GroupOptions {
    GroupOptions { threads: Threads::Fixed(threads), ..GroupOptions::new(name) }
}

fn workers_of(stats: &Stats, group: GroupId) -> usize {
    stats.workers.iter().filter(|worker| worker.group == Some(group)).count()
}

#[test]
fn a_group_gets_its_workers_with_its_first_loop() {
    let groups = vec![group("worker", 1), group("express", 2)];
    let runtime = Runtime::new(RuntimeOptions { groups, ..RuntimeOptions::default() }).unwrap();
    let express = runtime.handle().group("express");
    let before = runtime.stats();
    assert_eq!(before.workers.len(), 1);
    assert_eq!(before.groups.len(), 2);
    assert_eq!(before.groups[1].workers, 0);
    let quick = Watched::spawn(&runtime.handle().in_group(express));
    let usual = Watched::spawn(&runtime.handle());
    eventually("both are at home", || {
        let stats = runtime.stats();
        quick.runs_in(&stats) == Some(express)
            && usual.runs_in(&stats) == Some(runtime.handle().group("worker"))
    });
    assert_eq!(workers_of(&runtime.stats(), express), 2);
    quick.is_alive();
}

#[test]
fn a_loop_changes_groups_back_and_forth_and_loses_nothing() {
    let groups = vec![group("worker", 2), group("express", 1)];
    let runtime = Runtime::new(RuntimeOptions { groups, ..RuntimeOptions::default() }).unwrap();
    let groups = [GroupId::DEFAULT, runtime.handle().group("express")];
    let loops: Vec<_> = (0..20).map(|_| Watched::spawn(&runtime.handle())).collect();
    let mut sent = 0;
    for round in 0..200 {
        for one in &loops {
            one.address.set_group(groups[round % 2]);
            one.address.send(Class::Routing, ()).unwrap();
        }
        sent += 1;
        // Half of the rounds one after the other, half while the loops are under way.
        if round < 100 {
            let received = |one: &Watched| one.messages.load(Ordering::Relaxed) == sent;
            eventually("received", || loops.iter().all(received));
        }
        if round % 20 == 7 {
            runtime.resize(1 + round % 3);
        }
    }
    for one in &loops {
        eventually("all received", || one.messages.load(Ordering::Relaxed) == sent);
        one.is_alive();
    }
    let express = groups[1];
    eventually("all are where they were put last", || {
        let stats = runtime.stats();
        loops.iter().all(|one| one.runs_in(&stats) == Some(express))
    });
    let stats = runtime.stats();
    assert!(stats.complete, "all workers answered");
    let moves = stats.moves;
    assert!(moves.iter().any(|record| record.why == MoveReason::Group), "{moves:?}");
    // The same group again costs nothing, not even a turn.
    let turns = || runtime.stats().loops[0].turns;
    let name = loops[0].address.clone();
    name.send(Class::Control, ()).unwrap();
    eventually("quiet", || loops[0].messages.load(Ordering::Relaxed) == sent + 1);
    let before = (turns(), runtime.stats().workers.iter().map(|one| one.moved_out).sum::<u64>());
    (0..100_000).for_each(|_| name.set_group(express));
    let ticks = loops[0].ticks.load(Ordering::Relaxed);
    assert!(turns() - before.0 < 1000 + ticks, "a hundred thousand wishes, few turns");
    assert_eq!(runtime.stats().workers.iter().map(|one| one.moved_out).sum::<u64>(), before.1);
}

#[test]
fn groups_are_replaced_while_loops_run() {
    let runtime = runtime(2);
    let handle = runtime.handle();
    let (fast, slow) = (handle.group("fast"), handle.group("slow"));
    let early = Watched::spawn(&handle.in_group(fast));
    let usual: Vec<_> = (0..6).map(|_| Watched::spawn(&handle)).collect();
    let at = |one: &Watched, group: GroupId| {
        eventually("in its group", || one.runs_in(&runtime.stats()) == Some(group));
        one.is_alive();
    };
    at(&early, handle.group("worker"));
    handle.set_groups(vec![group("worker", 1), group("fast", 1), group("slow", 2)], "worker");
    at(&early, fast);
    usual[0].address.set_group(slow);
    at(&usual[0], slow);
    // The default changes, so loops that did not choose change; `worker`, with worker 0, is gone.
    handle.set_groups(vec![group("slow", 3), group("fast", 1)], "slow");
    usual.iter().for_each(|one| at(one, slow));
    at(&early, fast);
    eventually("as many workers as asked for", || {
        let stats = runtime.stats();
        workers_of(&stats, slow) == 3 && stats.workers.len() == 4
    });
    // Gone, and back again.
    handle.set_groups(vec![group("slow", 1)], "slow");
    at(&early, slow);
    eventually("one worker", || runtime.stats().workers.len() == 1);
    handle.set_groups(vec![group("slow", 1), group("fast", 2)], "slow");
    at(&early, fast);
    handle.set_groups(Vec::new(), "slow");
    at(&usual[3], slow);
    assert_eq!(runtime.stats().groups.len(), 2);
    runtime.shutdown();
}

#[test]
fn a_pinned_loop_stays_with_its_worker_and_returns_to_it() {
    let runtime = runtime(3);
    eventually("three workers", || runtime.stats().workers.len() == 3);
    let one = Watched::spawn(&runtime.handle());
    let on = |worker: usize| {
        eventually("on its worker", || {
            runtime.stats().loops.iter().all(|found| found.worker == worker)
        });
        one.is_alive();
    };
    for worker in [2, 1, 2] {
        one.address.pin(Some(worker));
        on(worker);
    }
    assert_eq!(runtime.stats().loops[0].pinned, Some(2));
    let last = runtime.stats().moves.last().unwrap().clone();
    assert_eq!((last.why, last.from, last.to), (MoveReason::Pinned, 1, 2));
    // With little to do loops gather on the first worker, but not this one.
    let gathers = Watched::spawn(&runtime.handle());
    gathers.address.set_group(GroupId::DEFAULT);
    std::thread::sleep(Duration::from_millis(900));
    let pinned = |stats: Stats| stats.loops.iter().find(|one| one.pinned.is_some()).unwrap().worker;
    assert_eq!(pinned(runtime.stats()), 2);
    gathers.address.stop();
    runtime.resize(1);
    eventually("gone", || gathers.address.is_stopped());
    on(0);
    runtime.resize(3);
    on(2);
    one.address.pin(None);
    assert_eq!(one.address.pinned(), None);
    on(0);
}

#[test]
fn groups_change_while_the_runtime_shuts_down() {
    for round in 0..60 {
        let groups = vec![group("worker", 2), group("express", 2)];
        let runtime = Runtime::new(RuntimeOptions { groups, ..RuntimeOptions::default() }).unwrap();
        let handle = runtime.handle();
        let express = handle.group("express");
        let loops: Vec<_> = (0..30).map(|_| Watched::spawn(&handle)).collect();
        for (at, one) in loops.iter().enumerate() {
            one.address.set_group(express);
            if at == round % 20 {
                handle.resize(1 + round % 4);
                handle.set_groups(vec![group("express", 1)], "express");
                handle.resize(3);
            }
            if at == 10 + round % 10 {
                handle.shutdown();
            }
        }
        runtime.shutdown();
        assert!(loops.iter().all(|one| one.address.is_stopped()), "round {round}");
    }
}

/// Keeps its worker for as long as it is told.
struct Stuck;

impl Loop for Stuck {
    type Message = Duration;

    fn message(&mut self, _: &mut Context<'_>, span: Duration) {
        common::burn(span);
    }
}

#[test]
fn a_stuck_worker_keeps_nobody_from_asking_or_changing_things() {
    let groups = vec![group("worker", 2), group("express", 1)];
    let runtime = Runtime::new(RuntimeOptions { groups, ..RuntimeOptions::default() }).unwrap();
    let handle = runtime.handle();
    let express = handle.group("express");
    let stuck = handle.in_group(express).spawn("stuck", Class::Control, Stuck);
    let usual = Watched::spawn(&handle);
    eventually("all there", || runtime.stats().workers.len() == 3);
    stuck.send(Class::Control, Duration::from_millis(2500)).unwrap();
    std::thread::sleep(Duration::from_millis(50));
    let stats = runtime.stats();
    assert!(!stats.complete, "one worker has not answered");
    assert_eq!(stats.workers.len(), 3, "what it counts is known all the same");
    // Meanwhile its group goes, and it with it, once it is done.
    handle.set_groups(vec![group("worker", 1)], "worker");
    usual.is_alive();
    eventually("it is gone", || {
        let stats = runtime.stats();
        stats.complete && stats.workers.len() == 1 && stats.loops.len() == 2
    });
    assert_eq!(stuck.group(), express, "what it asked for is remembered");
}

/// How often the worker of a group sleeps that has nothing to do, in so much time.
fn sleeps_of_an_idle_worker(wakeup_time: Duration, span: Duration) -> u64 {
    let groups = vec![GroupOptions { wakeup_time, ..GroupOptions::new("worker") }];
    let runtime = Runtime::new(RuntimeOptions { groups, ..RuntimeOptions::default() }).unwrap();
    let sleeps = || runtime.stats().workers[0].sleeps;
    let before = sleeps();
    std::thread::sleep(span);
    sleeps() - before
}

#[test]
fn a_worker_sleeps_no_longer_at_a_time_than_its_groups_wakeup_time() {
    let span = Duration::from_millis(600);
    // The two questions wake it, and a worker that was just woken may look around.
    let seldom = sleeps_of_an_idle_worker(Duration::from_secs(31_415), span);
    assert!(seldom < 10, "{seldom}");
    let often = sleeps_of_an_idle_worker(Duration::from_millis(10), span);
    assert!(often <= 70, "{often}: it does not sleep for as long as it may");
    // On a machine with much to do some are longer.
    assert!(often >= 15, "{often}");
}
