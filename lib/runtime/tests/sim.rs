//! The simulation: the same loops, every run repeatable.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::{
    io::ErrorKind,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
};

use dunlin_runtime::{
    Address, Class, ConnectOptions, Context, Duration, EventId, Interest, ListenOptions, LogRecord,
    Loop, Ready, SocketId, Time, TimerId,
    sim::{SimOptions, SimRuntime},
};

/// Echoes on every connection.
struct Server {
    at: SocketAddr,
    listener: SocketId,
    connections: Vec<(SocketId, Vec<u8>)>,
}

impl Loop for Server {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        self.listener = cx.listen(self.at, &ListenOptions::default()).unwrap();
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}

    fn ready(&mut self, cx: &mut Context<'_>, socket: SocketId, ready: Ready) {
        if socket == self.listener {
            let (connection, _) = cx.accept(socket).unwrap();
            self.connections.push((connection, Vec::new()));
            return;
        }
        let (_, pending) = self.connections.iter_mut().find(|one| one.0 == socket).unwrap();
        if ready.readable {
            let mut buffer = cx.take_read_buffer();
            let outcome = cx.read(socket, &mut buffer);
            match outcome {
                Ok(count) if count > 0 => pending.extend_from_slice(&buffer[..count]),
                Err(ref error) if error.kind() == ErrorKind::WouldBlock => {}
                _ => {
                    cx.put_read_buffer(buffer);
                    cx.close(socket);
                    self.connections.retain(|one| one.0 != socket);
                    return;
                }
            }
            cx.put_read_buffer(buffer);
        }
        while !pending.is_empty() {
            match cx.write(socket, pending) {
                Ok(count) => drop(pending.drain(..count)),
                Err(_) => break,
            }
        }
        let interest = if pending.is_empty() { Interest::READ } else { Interest::BOTH };
        cx.interest(socket, interest).unwrap();
    }
}

/// Sends so much and checks that it comes back.
struct Client {
    from: SocketAddr,
    to: SocketAddr,
    socket: SocketId,
    length: usize,
    sent: usize,
    back: usize,
    told: Sender<Result<usize, ErrorKind>>,
}

fn byte(at: usize) -> u8 {
    (at * 31 % 251) as u8
}

impl Client {
    fn fill(&mut self, cx: &mut Context<'_>) {
        while self.sent < self.length {
            let chunk: Vec<u8> = (self.sent..self.length.min(self.sent + 5000)).map(byte).collect();
            match cx.write(self.socket, &chunk) {
                Ok(count) => self.sent += count,
                Err(_) => break,
            }
        }
        let interest = if self.sent < self.length { Interest::BOTH } else { Interest::READ };
        cx.interest(self.socket, interest).unwrap();
    }
}

impl Loop for Client {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        let options = ConnectOptions { local: Some(self.from), ..ConnectOptions::default() };
        self.socket = cx.connect(self.to, &options).unwrap();
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}

    fn ready(&mut self, cx: &mut Context<'_>, socket: SocketId, ready: Ready) {
        if let Err(error) = cx.socket_error(socket) {
            self.told.send(Err(error.kind())).unwrap();
            return cx.stop_self();
        }
        if ready.readable {
            let mut buffer = [0; 3000];
            let count = cx.read(socket, &mut buffer).unwrap_or(0);
            for (at, got) in buffer[..count].iter().enumerate() {
                assert_eq!(*got, byte(self.back + at));
            }
            self.back += count;
            if self.back == self.length {
                self.told.send(Ok(self.back)).unwrap();
                return cx.stop_self();
            }
        }
        self.fill(cx);
    }
}

fn host(number: u8) -> SocketAddr {
    SocketAddr::new(IpAddr::from([10, 0, 0, number]), 0)
}

fn server_at(sim: &SimRuntime) -> SocketAddr {
    let at = SocketAddr::new(host(1).ip(), 179);
    let server = Server { at, listener: SocketId::NONE, connections: Vec::new() };
    sim.spawn("server", Class::Control, server);
    at
}

fn client(
    sim: &SimRuntime,
    number: u8,
    to: SocketAddr,
    length: usize,
) -> Receiver<Result<usize, ErrorKind>> {
    let (told, heard) = channel();
    let (from, socket) = (host(number), SocketId::NONE);
    let client = Client { from, to, socket, length, sent: 0, back: 0, told };
    sim.spawn("client", Class::Routing, client);
    heard
}

fn echo_run(seed: u64) -> (u64, u64, Time) {
    let mut sim = SimRuntime::new(seed);
    let to = server_at(&sim);
    sim.run_for(Duration::from_millis(1));
    let heard: Vec<_> = (2..8).map(|number| client(&sim, number, to, 300_000)).collect();
    sim.run_for(Duration::from_millis(20));
    sim.resize(5);
    sim.run_for(Duration::from_millis(20));
    sim.resize(1);
    sim.run_for(Duration::from_secs(20));
    for heard in heard {
        assert_eq!(heard.try_recv(), Ok(Ok(300_000)), "seed {seed}");
    }
    assert_eq!(sim.net().connections(), 0, "all closed");
    (sim.trace_hash(), sim.handlers(), sim.now())
}

#[test]
fn echo_works_and_the_same_seed_gives_the_same_run() {
    let mut hashes = Vec::new();
    for seed in 0..20 {
        let first = echo_run(seed);
        assert_eq!(first, echo_run(seed), "seed {seed}");
        hashes.push(first.0);
    }
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), 20, "seeds differ");
}

#[test]
fn connections_are_refused_cut_and_reset() {
    for seed in 0..20 {
        let mut sim = SimRuntime::new(seed);
        let to = server_at(&sim);
        sim.run_for(Duration::from_millis(1));
        let refused = client(&sim, 2, SocketAddr::new(to.ip(), 1), 1);
        sim.run_for(Duration::from_millis(10));
        assert_eq!(refused.try_recv(), Ok(Err(ErrorKind::ConnectionRefused)));

        // A partition delays and loses nothing.
        let (server, far) = (to.ip(), host(3).ip());
        let heard = client(&sim, 3, to, 2_000_000);
        sim.run_for(Duration::from_millis(15));
        sim.net().partition(server, far);
        sim.run_for(Duration::from_secs(10));
        assert!(heard.try_recv().is_err(), "seed {seed}: finished behind a partition");
        sim.net().heal(server, far);
        sim.run_for(Duration::from_secs(30));
        assert_eq!(heard.try_recv(), Ok(Ok(2_000_000)), "seed {seed}");

        let heard = client(&sim, 3, to, 2_000_000);
        sim.run_for(Duration::from_millis(15));
        sim.net().reset(server, far);
        sim.run_for(Duration::from_secs(1));
        assert_eq!(heard.try_recv(), Ok(Err(ErrorKind::ConnectionReset)), "seed {seed}");
        assert_eq!(sim.net().connections(), 0);

        // Nothing gets through: the attempt is given up.
        sim.net().partition(server, far);
        let heard = client(&sim, 3, to, 1);
        sim.run_for(Duration::from_secs(100));
        assert_eq!(heard.try_recv(), Ok(Err(ErrorKind::TimedOut)), "seed {seed}");
    }
}

/// Counts into the connection that it takes, a number every few milliseconds.
struct Counter {
    at: SocketAddr,
    listener: SocketId,
    connection: SocketId,
    timer: TimerId,
    next: u8,
}

impl Loop for Counter {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        self.listener = cx.listen(self.at, &ListenOptions::default()).unwrap();
        self.timer = cx.timer(Class::Control);
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}

    fn timer(&mut self, cx: &mut Context<'_>, timer: TimerId) {
        if self.next < 100 && cx.write(self.connection, &[self.next]).is_ok() {
            self.next += 1;
            let wait = Duration::from_millis(cx.random() % 20);
            cx.arm_after(timer, wait);
        }
    }

    fn ready(&mut self, cx: &mut Context<'_>, socket: SocketId, _: Ready) {
        if socket == self.listener {
            self.connection = cx.accept(socket).unwrap().0;
            cx.arm(self.timer, cx.now());
        }
    }
}

/// Connects and keeps what comes.
struct Listener {
    from: SocketAddr,
    to: SocketAddr,
    told: Sender<u8>,
}

impl Loop for Listener {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        let options = ConnectOptions { local: Some(self.from), ..ConnectOptions::default() };
        let socket = cx.connect(self.to, &options).unwrap();
        cx.interest(socket, Interest::READ).unwrap();
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}

    fn ready(&mut self, cx: &mut Context<'_>, socket: SocketId, _: Ready) {
        let mut buffer = [0; 100];
        let count = cx.read(socket, &mut buffer).unwrap_or(0);
        buffer[..count].iter().for_each(|byte| self.told.send(*byte).unwrap());
    }
}

#[test]
fn bytes_stay_in_order_when_a_partition_comes_amid_connecting() {
    for seed in 0..40 {
        let mut sim = SimRuntime::new(seed);
        let at = SocketAddr::new(host(1).ip(), 179);
        let none = (SocketId::NONE, SocketId::NONE, TimerId::NONE);
        let (listener, connection, timer) = none;
        sim.spawn("counter", Class::Control, Counter { at, listener, connection, timer, next: 0 });
        sim.run_for(Duration::from_millis(1));
        let (told, heard) = channel();
        sim.spawn("listener", Class::Control, Listener { from: host(2), to: at, told });
        // The request gets through, the answer does not.
        sim.run_for(Duration::from_micros(300 + seed * 60));
        sim.net().partition(host(1).ip(), host(2).ip());
        sim.run_for(Duration::from_millis(50 + seed * 17));
        sim.net().heal(host(1).ip(), host(2).ip());
        sim.run_for(Duration::from_secs(10));
        let heard: Vec<u8> = heard.try_iter().collect();
        assert_eq!(heard, (0..100).collect::<Vec<u8>>(), "seed {seed}");
    }
}

/// Uses a millisecond for every event, again and again.
struct Hog {
    left: u64,
    event: EventId,
}

impl Loop for Hog {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        self.event = cx.event(Class::Bulk);
        cx.schedule(self.event);
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}

    fn event(&mut self, cx: &mut Context<'_>, event: EventId) {
        cx.sim_consume(Duration::from_millis(1));
        self.left -= 1;
        if self.left > 0 {
            cx.schedule(event);
        }
    }
}

struct Live {
    timer: TimerId,
    worst: Arc<AtomicU64>,
}

impl Loop for Live {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        self.timer = cx.timer(Class::Liveness);
        cx.arm_every(self.timer, Duration::from_millis(10));
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}

    fn timer(&mut self, cx: &mut Context<'_>, timer: TimerId) {
        let due = cx.expires(timer).unwrap() - Duration::from_millis(10);
        let late = (cx.now() - due).as_nanos() as u64;
        self.worst.fetch_max(late, Ordering::Relaxed);
    }
}

#[test]
fn liveness_is_late_by_one_handler_at_most() {
    for seed in 0..50 {
        let mut options = SimOptions::new(seed);
        options.workers = 1 + seed as usize % 3;
        let mut sim = SimRuntime::with_options(options);
        for _ in 0..100 {
            sim.spawn("hog", Class::Bulk, Hog { left: 10, event: EventId::NONE });
        }
        let worst = Arc::new(AtomicU64::new(0));
        let live = Live { timer: TimerId::NONE, worst: Arc::clone(&worst) };
        sim.spawn("live", Class::Liveness, live);
        sim.run_for(Duration::from_millis(1200));
        let worst = Duration::from_nanos(worst.load(Ordering::Relaxed));
        assert!(worst < Duration::from_micros(1050), "seed {seed}: late by {worst:?}");
        // A detector that cannot fire proves nothing.
        if seed == 0 {
            sim.block_worker(0, Duration::from_millis(500));
            sim.run_for(Duration::from_millis(700));
            assert!(sim.stats().workers[0].liveness_late > Duration::from_millis(400));
        }
    }
}

/// Passes numbers on; every one must come home.
struct Ring {
    next: Option<Address<Token>>,
    home: Arc<AtomicU64>,
    last: u64,
}

enum Token {
    Next(Address<Self>),
    Pass { number: u64, hops: u32 },
}

impl Loop for Ring {
    type Message = Token;

    fn message(&mut self, cx: &mut Context<'_>, token: Token) {
        match token {
            Token::Next(next) => self.next = Some(next),
            Token::Pass { number, hops: 0 } => {
                assert!(number > self.last, "in order");
                self.last = number;
                self.home.fetch_add(1, Ordering::Relaxed);
            }
            Token::Pass { number, hops } => {
                let token = Token::Pass { number, hops: hops - 1 };
                self.next.as_ref().unwrap().send(Class::Routing, token).unwrap();
                if cx.random().is_multiple_of(64) {
                    cx.sim_consume(Duration::from_millis(3));
                }
            }
        }
    }
}

#[test]
fn nothing_is_lost_while_loops_move_and_workers_come_and_go() {
    for seed in 0..30 {
        let mut options = SimOptions::new(seed);
        options.moves = 300;
        let mut sim = SimRuntime::with_options(options);
        let home = Arc::new(AtomicU64::new(0));
        let ring: Vec<_> = (0..10)
            .map(|_| {
                let ring = Ring { next: None, home: Arc::clone(&home), last: 0 };
                sim.spawn("ring", Class::Routing, ring)
            })
            .collect();
        for (at, one) in ring.iter().enumerate() {
            let next = ring[(at + 1) % ring.len()].clone();
            one.send(Class::Routing, Token::Next(next)).unwrap();
        }
        for number in 1..=500 {
            ring[0].send(Class::Routing, Token::Pass { number, hops: 25 }).unwrap();
            if number % 50 == 0 {
                sim.resize(1 + (number as usize * 7 + seed as usize) % 6);
                sim.run_for(Duration::from_millis(1));
            }
        }
        let done =
            sim.run_until_done(Duration::from_secs(60), || home.load(Ordering::Relaxed) == 500);
        assert!(done, "seed {seed}: {} of 500", home.load(Ordering::Relaxed));
        sim.shutdown();
        sim.run_for(Duration::from_millis(100));
        assert!(ring.iter().all(Address::is_stopped));
        assert!(sim.stats().loops.is_empty());
    }
}

/// Sleeps for long, exactly.
struct Alarm {
    timer: TimerId,
    due: Time,
    rings: Arc<AtomicU64>,
}

impl Loop for Alarm {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        self.timer = cx.timer(Class::Control);
        self.due = cx.now() + Duration::from_secs(3600);
        cx.arm(self.timer, self.due);
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}

    fn timer(&mut self, cx: &mut Context<'_>, timer: TimerId) {
        assert!(cx.now() >= self.due);
        self.rings.fetch_add(1, Ordering::Relaxed);
        self.due = cx.now() + Duration::from_secs(3600);
        cx.arm(timer, self.due);
    }
}

#[test]
fn a_year_passes_quickly() {
    let mut sim = SimRuntime::new(1);
    let rings = Arc::new(AtomicU64::new(0));
    let (timer, due) = (TimerId::NONE, Time::ZERO);
    sim.spawn("alarm", Class::Control, Alarm { timer, due, rings: Arc::clone(&rings) });
    sim.run_for(Duration::from_secs(365 * 24 * 3600 - 60));
    assert_eq!(rings.load(Ordering::Relaxed), 365 * 24 - 1);
}

/// Sends a message as it is dropped, once it knows to whom.
struct Parting(Arc<OnceLock<Address<()>>>);

impl Loop for Parting {
    type Message = ();

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}
}

impl Drop for Parting {
    fn drop(&mut self) {
        self.0.get().map(|other| other.send(Class::Routing, ()));
    }
}

#[test]
fn nothing_is_left_of_loops_that_speak_as_they_are_dropped() {
    let token = Arc::new(());
    let held = Arc::clone(&token);
    let log = move |_: &LogRecord| assert!(Arc::strong_count(&held) > 1);
    let options = SimOptions { log: Some(Arc::new(log)), ..SimOptions::new(1) };
    let mut sim = SimRuntime::with_options(options);
    // The one that is dropped first speaks to one that is still there.
    let other = Arc::new(OnceLock::new());
    sim.spawn("first", Class::Routing, Parting(Arc::clone(&other)));
    other.set(sim.spawn("second", Class::Routing, Parting(Arc::default()))).unwrap();
    sim.run_for(Duration::from_millis(1));
    drop((sim, other));
    assert_eq!(Arc::strong_count(&token), 1, "the simulation is gone");
}
