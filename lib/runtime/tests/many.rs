//! Many of everything, on virtual time: timers, sockets, loops.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use dunlin_runtime::{
    Class, ConnectOptions, Context, Duration, Interest, ListenOptions, Loop, Ready, SocketId, Time,
    TimerId,
    sim::{SimOptions, SimRuntime},
};

const MS: Duration = Duration::from_millis(1);

/// Has very many timers due at once, each of which takes its time.
struct Crowd {
    timers: usize,
    ran: Arc<AtomicU64>,
}

impl Loop for Crowd {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        let when = cx.now() + 10 * MS;
        for _ in 0..self.timers {
            let timer = cx.timer(Class::Bulk);
            cx.arm(timer, when);
        }
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}

    fn timer(&mut self, cx: &mut Context<'_>, _: TimerId) {
        cx.sim_consume(MS / 10);
        self.ran.fetch_add(1, Ordering::Relaxed);
    }
}

/// Wants to run every millisecond, and notes by how much it is late.
struct Regular {
    timer: TimerId,
    due: Time,
    worst: Arc<AtomicU64>,
}

impl Loop for Regular {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        self.timer = cx.timer(Class::Control);
        self.due = cx.now() + MS;
        cx.arm(self.timer, self.due);
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}

    fn timer(&mut self, cx: &mut Context<'_>, timer: TimerId) {
        assert!(cx.now() >= self.due, "never early");
        self.worst.fetch_max(cx.now().since(self.due).as_micros() as u64, Ordering::Relaxed);
        self.due = cx.now() + MS;
        cx.arm(timer, self.due);
    }
}

#[test]
fn ten_thousand_timers_due_at_once_keep_nobody_out() {
    for seed in 0..5 {
        // First come, first served, as on real workers.
        let mut sim = SimRuntime::with_options(SimOptions {
            workers: 1,
            shuffle: false,
            ..SimOptions::new(seed)
        });
        let (ran, worst) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let crowd = Crowd { timers: 10_000, ran: Arc::clone(&ran) };
        sim.spawn("crowd", Class::Bulk, crowd);
        let (timer, due) = (TimerId::NONE, Time::ZERO);
        let regular = Regular { timer, due, worst: Arc::clone(&worst) };
        sim.spawn("regular", Class::Control, regular);
        sim.run_for(5000 * MS);
        assert_eq!(ran.load(Ordering::Relaxed), 10_000, "seed {seed}: each once");
        let worst = worst.load(Ordering::Relaxed);
        // Arming ten thousand is one handler; running them takes a second.
        assert!(worst < 3000, "seed {seed}: late by {worst} us");
    }
}

/// Takes every connection and reads a byte from each.
struct Host {
    at: SocketAddr,
    listener: SocketId,
    read: Arc<AtomicU64>,
}

impl Loop for Host {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        self.listener = cx.listen(self.at, &ListenOptions::default()).unwrap();
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}

    fn ready(&mut self, cx: &mut Context<'_>, socket: SocketId, _: Ready) {
        if socket == self.listener {
            while cx.accept(socket).is_ok() {}
        } else if cx.read(socket, &mut [0; 10]).unwrap() == 1 {
            self.read.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Opens very many connections and writes a byte to each.
struct Guests {
    to: SocketAddr,
    count: usize,
}

impl Loop for Guests {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        for _ in 0..self.count {
            cx.connect(self.to, &ConnectOptions::default()).unwrap();
        }
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}

    fn ready(&mut self, cx: &mut Context<'_>, socket: SocketId, ready: Ready) {
        assert!(!ready.error && ready.writable);
        assert_eq!(cx.write(socket, b"x").unwrap(), 1);
        cx.interest(socket, Interest::READ).unwrap();
    }
}

#[test]
fn one_loop_has_ten_thousand_sockets() {
    let mut sim = SimRuntime::new(1);
    let at = SocketAddr::new(IpAddr::from([10, 0, 0, 1]), 179);
    let read = Arc::new(AtomicU64::new(0));
    let host = Host { at, listener: SocketId::NONE, read: Arc::clone(&read) };
    sim.spawn("host", Class::Control, host);
    sim.run_for(MS);
    sim.spawn("guests", Class::Control, Guests { to: at, count: 10_000 });
    sim.run_for(5000 * MS);
    assert_eq!(read.load(Ordering::Relaxed), 10_000);
    assert_eq!(sim.net().connections(), 10_000);
    sim.resize(1);
    sim.shutdown();
    sim.run_for(1000 * MS);
    assert_eq!(sim.net().connections(), 0, "all closed with their loops");
}

struct Idle;

impl Loop for Idle {
    type Message = ();

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}
}

#[test]
fn new_loops_are_spread_over_all_workers() {
    let mut sim =
        SimRuntime::with_options(SimOptions { workers: 4, moves: 0, ..SimOptions::new(1) });
    for _ in 0..40 {
        sim.spawn("idle", Class::Control, Idle);
    }
    sim.run_for(MS);
    let loops: Vec<_> = sim.stats().workers.iter().map(|worker| worker.loops).collect();
    assert_eq!(loops, [10; 4]);
}
