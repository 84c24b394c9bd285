//! Clients that connect again, on real workers and in the simulation.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;

use std::{
    io::{self, ErrorKind},
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::Sender,
    },
};

use common::{eventually, runtime, told};
use dunlin_runtime::{
    Address, Class, ConnectOptions, Context, Duration, ListenOptions, Loop, Ready, SocketId, Stats,
    Time, TimerId,
    kit::client::{Client, ClientOptions, ClientState, ClientStats, Happened, Target},
    sim::{SimOptions, SimRuntime},
};

/// Has as many items as it was told, and tells a server of each; all anew after each connection.
struct Feeder {
    target: Target,
    options: ClientOptions,
    client: Option<Client>,
    items: usize,
    /// What the socket has not taken yet.
    unsent: usize,
    told: Sender<(Time, String)>,
}

enum Command {
    Add(usize),
    Stop,
    Start,
}

impl Feeder {
    fn new(target: Target, told: Sender<(Time, String)>) -> Self {
        let options = ClientOptions {
            connect: Duration::from_secs(3),
            first: Duration::from_millis(100),
            most: Duration::from_secs(5),
            jitter: 25,
            stable: Duration::from_secs(10),
        };
        Self { target, options, client: None, items: 0, unsent: 0, told }
    }

    fn client(&mut self) -> &mut Client {
        self.client.as_mut().unwrap()
    }

    fn see(&mut self, cx: &mut Context<'_>, happened: Happened) {
        match happened {
            Happened::Nothing => {}
            Happened::Connected(_) => {
                self.told.send((cx.now(), "connected".to_owned())).unwrap();
                self.unsent = self.items;
                self.flush(cx);
                self.client().synced(cx);
            }
            Happened::Ready(socket, _) => {
                let mut buffer = [0; 64];
                match cx.read(socket, &mut buffer) {
                    Ok(1..) => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => self.flush(cx),
                    Ok(0) => self.fail(cx, ErrorKind::UnexpectedEof.into()),
                    Err(error) => self.fail(cx, error),
                }
            }
            Happened::Failed(error) => {
                self.told.send((cx.now(), format!("{:?}", error.kind()))).unwrap();
            }
        }
    }

    fn fail(&mut self, cx: &mut Context<'_>, error: io::Error) {
        let happened = self.client().failed(cx, error);
        self.see(cx, happened);
    }

    fn flush(&mut self, cx: &mut Context<'_>) {
        let Some(socket) = self.client().socket() else { return };
        while self.unsent > 0 {
            match cx.write(socket, &[1; 50][..self.unsent.min(50)]) {
                Ok(count) => self.unsent -= count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return self.fail(cx, error),
            }
        }
    }
}

impl Loop for Feeder {
    type Message = Command;

    fn start(&mut self, cx: &mut Context<'_>) {
        self.client = Some(Client::new(cx, "feeder", self.target.clone(), self.options));
        let happened = self.client().start(cx);
        self.see(cx, happened);
    }

    fn message(&mut self, cx: &mut Context<'_>, command: Command) {
        match command {
            Command::Add(count) => {
                self.items += count;
                if self.client().socket().is_some() {
                    self.unsent += count;
                    self.flush(cx);
                }
            }
            Command::Stop => self.client().stop(cx),
            Command::Start => {
                let happened = self.client().start(cx);
                self.see(cx, happened);
            }
        }
    }

    fn ready(&mut self, cx: &mut Context<'_>, socket: SocketId, ready: Ready) {
        let happened = self.client().ready(cx, socket, ready);
        self.see(cx, happened);
    }

    fn timer(&mut self, cx: &mut Context<'_>, timer: TimerId) {
        let happened = self.client().timer(cx, timer);
        self.see(cx, happened);
    }
}

/// Counts the items of the last connection; closes connections at once, or when told, if it is rude.
struct Server {
    at: Result<SocketAddr, PathBuf>,
    listener: SocketId,
    connection: SocketId,
    is_rude: bool,
    items: Arc<AtomicU64>,
    bound: Option<Sender<SocketAddr>>,
}

impl Server {
    fn new(at: Result<SocketAddr, PathBuf>, items: &Arc<AtomicU64>) -> Self {
        let (listener, connection) = (SocketId::NONE, SocketId::NONE);
        let items = Arc::clone(items);
        Self { at, listener, connection, is_rude: false, items, bound: None }
    }
}

impl Loop for Server {
    /// Whether to be rude.
    type Message = bool;

    fn start(&mut self, cx: &mut Context<'_>) {
        self.listener = match &self.at {
            Ok(address) => cx.listen(*address, &ListenOptions::default()).unwrap(),
            Err(path) => cx.listen_unix(path, 0o600).unwrap(),
        };
        if let Some(bound) = &self.bound {
            bound.send(cx.local_addr(self.listener).unwrap()).unwrap();
        }
    }

    fn message(&mut self, cx: &mut Context<'_>, is_rude: bool) {
        self.is_rude = is_rude;
        if is_rude {
            cx.close(self.connection);
        }
    }

    fn ready(&mut self, cx: &mut Context<'_>, socket: SocketId, _: Ready) {
        if socket == self.listener {
            let Ok((connection, _)) = cx.accept(socket) else { return };
            cx.close(self.connection);
            self.connection = connection;
            self.items.store(0, Ordering::Relaxed);
            if self.is_rude {
                cx.close(connection);
            }
            return;
        }
        let mut buffer = [0; 4096];
        match cx.read(socket, &mut buffer) {
            Ok(count @ 1..) => _ = self.items.fetch_add(count as u64, Ordering::Relaxed),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            _ => cx.close(socket),
        }
    }
}

const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
const SERVER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

fn tcp() -> Target {
    let local = Some(SocketAddr::new(CLIENT, 0));
    Target::Tcp(
        SocketAddr::new(SERVER, 2600),
        ConnectOptions { local, ..ConnectOptions::default() },
    )
}

fn client_of(stats: &Stats) -> ClientStats {
    let feeder = stats.loops.iter().find(|one| &*one.name == "feeder").unwrap();
    feeder.clients[0].clone()
}

fn spawn_server(sim: &SimRuntime, items: &Arc<AtomicU64>) -> Address<bool> {
    let at = Ok(SocketAddr::new(SERVER, 2600));
    sim.spawn("server", Class::Control, Server::new(at, items))
}

#[test]
fn waits_double_up_to_a_cap_and_are_shown() {
    let mut sim = SimRuntime::new(41);
    let (told, heard) = told();
    let feeder = sim.spawn("feeder", Class::Control, Feeder::new(tcp(), told));
    let mut times = Vec::new();
    for failures in 1..=10 {
        let failed = |heard: &std::sync::mpsc::Receiver<_>| heard.try_recv().ok();
        let mut last = None;
        assert!(sim.run_until_done(Duration::from_secs(10), || {
            last = failed(&heard);
            last.is_some()
        }));
        let (when, what): (Time, String) = last.unwrap();
        assert_eq!(what, "ConnectionRefused");
        let stats = client_of(&sim.stats());
        assert_eq!((stats.state, stats.failures), (ClientState::Waiting, failures));
        assert_eq!((stats.attempts, stats.failed), (failures.into(), failures.into()));
        times.push((when, stats.next.unwrap()));
    }
    for (at, &(failed, next)) in times.iter().enumerate() {
        let wait = next.since(failed);
        let longest = Duration::from_millis(100 << at).min(Duration::from_secs(5));
        assert!(wait <= longest && wait >= longest.mul_f64(0.74), "{wait:?} of {longest:?}");
    }
    // The next attempt fails within a round trip of when it was said to be.
    for two in times.windows(2) {
        assert!(two[1].0 >= two[0].1 && two[1].0.since(two[0].1) < Duration::from_millis(5));
    }
    let waits: Vec<_> = times.iter().map(|(failed, next)| next.since(*failed)).collect();
    assert!(waits[7] != waits[8] || waits[8] != waits[9], "jitter");
    feeder.send(Class::Control, Command::Stop).unwrap();
    sim.run_for(Duration::from_secs(100));
    let stats = client_of(&sim.stats());
    assert_eq!((stats.state, stats.attempts, stats.next), (ClientState::Idle, 10, None));
    // Forgotten, as it was stopped on purpose.
    feeder.send(Class::Control, Command::Start).unwrap();
    sim.run_for(Duration::from_millis(20));
    assert_eq!(client_of(&sim.stats()).failures, 1);
}

#[test]
fn failures_are_forgotten_only_after_a_stable_time() {
    let mut sim = SimRuntime::new(42);
    let (told, heard) = told();
    let items = Arc::new(AtomicU64::new(0));
    let server = spawn_server(&sim, &items);
    server.send(Class::Control, true).unwrap();
    sim.run_for(Duration::from_millis(10));
    let feeder = sim.spawn("feeder", Class::Control, Feeder::new(tcp(), told));
    feeder.send(Class::Control, Command::Add(1000)).unwrap();
    // A server that accepts and breaks off: each time counts, though each attempt came about.
    sim.run_for(Duration::from_secs(30));
    let stats = client_of(&sim.stats());
    assert!(stats.connections >= 6 && stats.failures >= 6, "{stats:?}");
    assert!(stats.attempts < 20, "it does not hammer: {stats:?}");
    server.send(Class::Control, false).unwrap();
    let up = || client_of(&sim.stats()).state == ClientState::Up;
    assert!(!up());
    assert!(sim.run_until_done(Duration::from_secs(10), || items.load(Ordering::Relaxed) == 1000));
    sim.run_for(Duration::from_secs(9));
    let stats = client_of(&sim.stats());
    assert_eq!(stats.state, ClientState::Up);
    assert!(stats.failures >= 6, "not yet: {stats:?}");
    sim.run_for(Duration::from_secs(2));
    assert_eq!(client_of(&sim.stats()).failures, 0);
    assert!(heard.try_iter().any(|(_, what)| what == "connected"));
}

#[test]
fn an_attempt_into_a_partition_times_out_and_is_made_up_for() {
    let mut sim = SimRuntime::new(43);
    let (told, heard) = told();
    let items = Arc::new(AtomicU64::new(0));
    let _server = spawn_server(&sim, &items);
    sim.net().partition(CLIENT, SERVER);
    let feeder = sim.spawn("feeder", Class::Control, Feeder::new(tcp(), told));
    feeder.send(Class::Control, Command::Add(10)).unwrap();
    sim.run_for(Duration::from_millis(2900));
    assert!(heard.try_recv().is_err());
    assert_eq!(client_of(&sim.stats()).state, ClientState::Connecting);
    sim.run_for(Duration::from_millis(200));
    assert_eq!(heard.try_recv().unwrap().1, "TimedOut");
    sim.net().heal(CLIENT, SERVER);
    sim.run_for(Duration::from_secs(10));
    assert_eq!(items.load(Ordering::Relaxed), 10);
    // A broken connection is as if it had never been: everything is told anew.
    sim.net().reset(CLIENT, SERVER);
    feeder.send(Class::Control, Command::Add(5)).unwrap();
    sim.run_for(Duration::from_secs(10));
    assert_eq!(items.load(Ordering::Relaxed), 15);
    assert_eq!(client_of(&sim.stats()).connections, 2);
}

#[test]
fn whatever_the_network_does_the_server_gets_the_whole_state() {
    for seed in 0..60 {
        let mut sim = SimRuntime::with_options(SimOptions { moves: 20, ..SimOptions::new(seed) });
        let (told, _heard) = told();
        let items = Arc::new(AtomicU64::new(0));
        let server = spawn_server(&sim, &items);
        let feeder = sim.spawn("feeder", Class::Control, Feeder::new(tcp(), told));
        let mut total = 0;
        let mut chance = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        for _ in 0..40 {
            chance ^= chance << 13;
            chance ^= chance >> 7;
            chance ^= chance << 17;
            match chance % 6 {
                0 => sim.net().partition(CLIENT, SERVER),
                1 => sim.net().heal(CLIENT, SERVER),
                2 => sim.net().reset(CLIENT, SERVER),
                3 => server.send(Class::Control, chance & 64 != 0).unwrap(),
                _ => {
                    let count = (chance >> 32) % 5000;
                    total += count;
                    feeder.send(Class::Control, Command::Add(count as usize)).unwrap();
                }
            }
            sim.run_for(Duration::from_millis((chance >> 20) % 2000));
        }
        sim.net().heal(CLIENT, SERVER);
        server.send(Class::Control, false).unwrap();
        sim.run_for(Duration::from_secs(60));
        let stats = client_of(&sim.stats());
        assert_eq!(items.load(Ordering::Relaxed), total, "seed {seed}: {stats:?}");
        assert_eq!((stats.state, stats.failures), (ClientState::Up, 0), "seed {seed}");
    }
}

#[test]
fn over_unix_sockets_in_simulation() {
    let mut sim = SimRuntime::new(44);
    let (told, heard) = told();
    let path = PathBuf::from("/run/test.sock");
    let feeder = Feeder::new(Target::Unix(path.clone()), told);
    let feeder = sim.spawn("feeder", Class::Control, feeder);
    feeder.send(Class::Control, Command::Add(7)).unwrap();
    sim.run_for(Duration::from_secs(1));
    assert_eq!(heard.try_recv().unwrap().1, "NotFound");
    let items = Arc::new(AtomicU64::new(0));
    let _server = sim.spawn("server", Class::Control, Server::new(Err(path), &items));
    sim.run_for(Duration::from_secs(10));
    assert_eq!(items.load(Ordering::Relaxed), 7);
}

/// Connects, is thrown out, connects again; with and without a server to begin with.
fn on_real_workers(at: Result<SocketAddr, PathBuf>) {
    let runtime = runtime(2);
    let (told, heard) = told();
    let items = Arc::new(AtomicU64::new(0));
    let (bound, address) = common::told();
    let server = Server { bound: at.is_ok().then_some(bound), ..Server::new(at.clone(), &items) };
    let mut server = Some(server);
    let target = match &at {
        Ok(_) => {
            let server = runtime.spawn("server", Class::Control, server.take().unwrap());
            drop(server);
            let to = common::next(&address);
            Target::Tcp(to, ConnectOptions::default())
        }
        Err(path) => Target::Unix(path.clone()),
    };
    let mut feeder = Feeder::new(target, told);
    feeder.options.first = Duration::from_millis(5);
    feeder.options.most = Duration::from_millis(40);
    feeder.options.stable = Duration::from_millis(50);
    feeder.items = 1000;
    let feeder = runtime.spawn("feeder", Class::Control, feeder);
    if let Some(server) = server.take() {
        // There is no server yet.
        assert_eq!(common::next(&heard).1, "NotFound");
        runtime.spawn("server", Class::Control, server);
    }
    eventually("all is told", || items.load(Ordering::Relaxed) == 1000);
    eventually("it is stable", || {
        let stats = client_of(&runtime.stats());
        stats.failures == 0 && stats.state == ClientState::Up
    });
    feeder.send(Class::Control, Command::Stop).unwrap();
    eventually("it is idle", || client_of(&runtime.stats()).state == ClientState::Idle);
    feeder.send(Class::Control, Command::Add(1)).unwrap();
    feeder.send(Class::Control, Command::Start).unwrap();
    eventually("all is told anew", || items.load(Ordering::Relaxed) == 1001);
}

#[test]
fn over_tcp_on_real_workers() {
    on_real_workers(Ok(SocketAddr::from(([127, 0, 0, 1], 0))));
}

#[test]
fn over_unix_sockets_on_real_workers() {
    let folder = std::env::temp_dir().join(format!("dunlin-clients-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    on_real_workers(Err(folder.join("server.sock")));
    std::fs::remove_dir_all(&folder).unwrap();
}
