//! What goes wrong in a simulation, and that a loop gets to see it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    io::ErrorKind,
    net::{IpAddr, SocketAddr},
    sync::mpsc::{Receiver, Sender, channel},
};

use dunlin_runtime::{
    Address, Class, ConnectOptions, Context, Duration, Interest, ListenOptions, Loop, Ready,
    SocketId, Time, TimerId,
    sim::{SimOptions, SimRuntime},
};

const MS: Duration = Duration::from_millis(1);
const CLIENT: u8 = 1;
const SERVER: u8 = 2;

fn host(number: u8) -> IpAddr {
    IpAddr::from([10, 0, 0, number])
}

/// What an end tells the test.
#[derive(Debug, PartialEq)]
enum Told {
    /// A stamp has come to this host: its number, and how long it took.
    Stamp(u8, u64, Duration),
    /// So much was to be written at this host, and so much was taken.
    Wrote(u8, usize, usize),
    /// So much was there to be read at this host, and so much was given.
    Read(u8, usize, usize),
    /// The connection is over for this host: none is an orderly end.
    Over(u8, Option<ErrorKind>),
    /// A timer was late by this much, on this worker.
    Late(Duration, usize),
}

/// What the test tells an end.
enum Order {
    /// Write so many bytes of filling at a time, or none; stamps are not sent meanwhile.
    Fill(usize),
    /// Read, or don't.
    Read(bool),
    Close,
}

/// One end of a connection: sends a numbered stamp every 10 ms, takes the other's apart.
struct End {
    number: u8,
    listener: SocketId,
    socket: SocketId,
    timer: TimerId,
    due: Time,
    fill: usize,
    next: u64,
    buffer: Vec<u8>,
    told: Sender<Told>,
}

impl End {
    fn new(number: u8, told: Sender<Told>) -> Self {
        let (listener, socket) = (SocketId::NONE, SocketId::NONE);
        let (timer, buffer) = (TimerId::NONE, Vec::new());
        Self { number, listener, socket, timer, due: Time::ZERO, fill: 0, next: 0, buffer, told }
    }

    fn tell(&self, told: Told) {
        self.told.send(told).unwrap();
    }

    fn write(&mut self, cx: &mut Context<'_>) {
        let mut bytes = self.next.to_be_bytes().to_vec();
        bytes.extend(cx.now().as_nanos().to_be_bytes());
        if self.fill > 0 {
            bytes = vec![0xff; self.fill];
        }
        while !bytes.is_empty() {
            match cx.write(self.socket, &bytes) {
                Ok(count) => {
                    self.tell(Told::Wrote(self.number, bytes.len(), count));
                    bytes.drain(..count);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return self.tell(Told::Wrote(self.number, bytes.len(), 0));
                }
                Err(_) => return,
            }
        }
        self.next += 1;
    }

    fn read(&mut self, cx: &mut Context<'_>) {
        let mut space = vec![0; 100_000];
        let there = cx.unread(self.socket).unwrap();
        match cx.read(self.socket, &mut space) {
            Ok(0) => self.over(cx, None),
            Ok(count) => {
                self.tell(Told::Read(self.number, there, count));
                self.buffer.extend(&space[..count]);
                while self.buffer.len() >= 16 {
                    let word =
                        |at: usize| u64::from_be_bytes(self.buffer[at..at + 8].try_into().unwrap());
                    let (number, sent) = (word(0), Time::from_nanos(word(8).min(1 << 60)));
                    self.tell(Told::Stamp(self.number, number, cx.now().since(sent)));
                    self.buffer.drain(..16);
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => self.over(cx, Some(error.kind())),
        }
    }

    fn over(&mut self, cx: &mut Context<'_>, why: Option<ErrorKind>) {
        self.tell(Told::Over(self.number, why));
        cx.disarm(self.timer);
        cx.close(self.socket);
    }

    fn begin(&mut self, cx: &mut Context<'_>, socket: SocketId) {
        self.socket = socket;
        cx.interest(socket, Interest::READ).unwrap();
        self.due = cx.now() + 10 * MS;
        cx.arm(self.timer, self.due);
    }
}

impl Loop for End {
    type Message = Order;

    fn start(&mut self, cx: &mut Context<'_>) {
        self.timer = cx.timer(Class::Control);
        let server = SocketAddr::new(host(SERVER), 179);
        if self.number == SERVER {
            self.listener = cx.listen(server, &ListenOptions::default()).unwrap();
        } else {
            let local = Some(SocketAddr::new(host(CLIENT), 0));
            let options = ConnectOptions { local, ..ConnectOptions::default() };
            self.socket = cx.connect(server, &options).unwrap();
        }
    }

    fn message(&mut self, cx: &mut Context<'_>, order: Order) {
        match order {
            Order::Fill(size) => self.fill = size,
            Order::Read(on) => {
                let interest = if on { Interest::READ } else { Interest::NONE };
                cx.interest(self.socket, interest).unwrap();
            }
            Order::Close => {
                cx.disarm(self.timer);
                cx.close(self.socket);
            }
        }
    }

    fn timer(&mut self, cx: &mut Context<'_>, timer: TimerId) {
        self.tell(Told::Late(cx.now().since(self.due), cx.worker()));
        self.write(cx);
        self.due += 10 * MS;
        cx.arm(timer, self.due);
    }

    fn ready(&mut self, cx: &mut Context<'_>, socket: SocketId, ready: Ready) {
        if socket == self.listener {
            let (connection, _) = cx.accept(socket).unwrap();
            self.begin(cx, connection);
        } else if ready.error {
            let why = cx.socket_error(socket).err().map(|error| error.kind());
            self.over(cx, why);
        } else if ready.readable {
            self.read(cx);
        } else if ready.writable {
            self.begin(cx, socket);
        }
    }
}

struct Scene {
    sim: SimRuntime,
    ends: [Address<Order>; 2],
    told: Receiver<Told>,
}

impl Scene {
    /// Two ends with a connection, on a machine and a network where nothing goes wrong but what is
    /// asked for.
    fn new(seed: u64, change: impl FnOnce(&mut SimOptions)) -> Self {
        let mut options = SimOptions::new(seed);
        (options.partial_writes, options.partial_reads, options.moves) = (0, 0, 0);
        options.latency = MS..=2 * MS;
        change(&mut options);
        let mut sim = SimRuntime::with_options(options);
        let (tell, told) = channel();
        let server = sim.spawn("server", Class::Control, End::new(SERVER, tell.clone()));
        sim.run_for(10 * MS);
        let client = sim.spawn("client", Class::Control, End::new(CLIENT, tell));
        let mut scene = Self { sim, ends: [client, server], told };
        scene.sim.run_for(1000 * MS);
        scene
    }

    fn order(&self, number: u8, order: Order) {
        self.ends[usize::from(number - 1)].send(Class::Control, order).unwrap();
    }

    /// What is told within a time.
    fn run(&mut self, span: Duration) -> Vec<Told> {
        self.told.try_iter().for_each(drop);
        self.sim.run_for(span);
        self.told.try_iter().collect()
    }
}

/// How long each stamp to a host took; they come in order.
fn delays(told: &[Told], to: u8) -> Vec<Duration> {
    let stamps = told.iter().filter_map(|told| match told {
        Told::Stamp(number, at, took) if *number == to => Some((*at, *took)),
        _ => None,
    });
    let stamps: Vec<_> = stamps.collect();
    assert!(stamps.windows(2).all(|pair| pair[1].0 == pair[0].0 + 1), "{stamps:?}");
    stamps.into_iter().map(|stamp| stamp.1).collect()
}

#[test]
fn latency_is_what_it_was_set_to_and_varies() {
    let mut scene = Scene::new(1, |_| ());
    let told = scene.run(1000 * MS);
    let took = delays(&told, SERVER);
    assert!(took.len() >= 98 && took.iter().all(|took| *took >= MS && *took < 3 * MS), "{took:?}");
    assert!(took.iter().min() != took.iter().max());
    scene.sim.net().set_latency(40 * MS..=41 * MS);
    let told = scene.run(1000 * MS);
    let late = delays(&told, CLIENT).into_iter().filter(|took| *took >= 40 * MS).count();
    assert!(late >= 90, "{late} of {told:?}");
}

#[test]
fn what_is_lost_comes_late_and_in_order() {
    for seed in 0..10 {
        let mut scene = Scene::new(seed, |options| options.loss = 100);
        let told = scene.run(20_000 * MS);
        for to in [CLIENT, SERVER] {
            let took = delays(&told, to);
            assert!(took.len() > 1500, "seed {seed}: {} of 2000", took.len());
            assert!(took.iter().any(|took| *took > 200 * MS), "seed {seed}: none was sent again");
        }
        let again = scene.sim.net().retransmissions();
        assert!(again > 200, "seed {seed}: {again}");
        scene.sim.net().set_loss(0);
        scene.sim.run_for(60_000 * MS);
        assert!(delays(&scene.run(1000 * MS), SERVER).iter().all(|took| *took < 3 * MS));
        assert!(delays(&scene.run(1000 * MS), CLIENT).len() >= 98, "nothing was lost for good");
    }
}

#[test]
fn a_partition_holds_everything_back_and_a_cut_one_direction() {
    for seed in 0..10 {
        let mut scene = Scene::new(seed, |_| ());
        let (client, server) = (host(CLIENT), host(SERVER));
        scene.sim.net().partition(client, server);
        scene.sim.run_for(5 * MS);
        let told = scene.run(2000 * MS);
        assert!(delays(&told, CLIENT).is_empty() && delays(&told, SERVER).is_empty());
        scene.sim.net().heal(client, server);
        let told = scene.run(1000 * MS);
        for to in [CLIENT, SERVER] {
            let took = delays(&told, to);
            assert!(took.len() > 250 && took[0] > 1900 * MS, "seed {seed}: {took:?}");
        }
        scene.sim.net().cut(server, client);
        scene.sim.run_for(5 * MS);
        let told = scene.run(500 * MS);
        assert!(delays(&told, CLIENT).is_empty(), "seed {seed}: the cut direction");
        assert!(delays(&told, SERVER).len() >= 48, "seed {seed}: the other one");
        scene.sim.net().heal(server, client);
        assert!(delays(&scene.run(1000 * MS), CLIENT).len() >= 140, "seed {seed}");
    }
}

#[test]
fn writes_and_reads_are_partial_as_often_as_said() {
    let parts = |told: &[Told]| {
        let written = |told: &&Told| matches!(told, Told::Wrote(_, asked, took) if took < asked);
        let read = |told: &&Told| matches!(told, Told::Read(_, there, got) if got < there);
        (told.iter().filter(written).count(), told.iter().filter(read).count())
    };
    let mut scene = Scene::new(1, |_| ());
    assert_eq!(parts(&scene.run(2000 * MS)), (0, 0));
    let mut scene = Scene::new(1, |options| options.partial_writes = 500);
    let (written, read) = parts(&scene.run(2000 * MS));
    assert!(written > 100 && read == 0, "{written} {read}");
    let mut scene = Scene::new(1, |options| options.partial_reads = 1000);
    scene.order(SERVER, Order::Fill(60_000));
    let (written, read) = parts(&scene.run(2000 * MS));
    assert!(written == 0 && read > 20, "{written} {read}");
}

#[test]
fn a_reader_that_stops_fills_the_buffer_and_no_more() {
    let mut scene = Scene::new(1, |options| options.buffer = 10_000);
    scene.order(SERVER, Order::Read(false));
    scene.order(CLIENT, Order::Fill(1000));
    let told = scene.run(1000 * MS);
    let taken = told.iter().map(|told| match told {
        Told::Wrote(CLIENT, _, count) => *count,
        _ => 0,
    });
    let taken: usize = taken.sum();
    assert!((9_900..=10_000).contains(&taken), "{taken}");
    assert!(told.contains(&Told::Wrote(CLIENT, 1000, 0)), "told to wait");
    scene.order(SERVER, Order::Read(true));
    let told = scene.run(1000 * MS);
    assert!(told.iter().any(|told| matches!(told, Told::Wrote(CLIENT, 1000, 1000))), "goes on");
}

#[test]
fn a_reset_is_heard_at_both_ends_and_a_close_at_the_other() {
    let over = |told: Vec<Told>| {
        let over = |told: &Told| matches!(told, Told::Over(..));
        told.into_iter().filter(over).collect::<Vec<_>>()
    };
    let reset = |number| Told::Over(number, Some(ErrorKind::ConnectionReset));
    for seed in 0..20 {
        let mut scene = Scene::new(seed, |_| ());
        scene.sim.net().reset(host(SERVER), host(CLIENT));
        let mut told = over(scene.run(100 * MS));
        told.sort_by_key(|told| *told != reset(CLIENT));
        assert_eq!(told, [reset(CLIENT), reset(SERVER)]);
        assert_eq!(scene.sim.net().connections(), 0);

        let mut scene = Scene::new(seed, |_| ());
        scene.order(SERVER, Order::Close);
        assert_eq!(over(scene.run(100 * MS)), [Told::Over(CLIENT, None)], "read to its end");

        // What is closed with bytes in it has lost them, and says so.
        let mut scene = Scene::new(seed, |_| ());
        scene.order(SERVER, Order::Read(false));
        scene.sim.run_for(100 * MS);
        scene.order(SERVER, Order::Close);
        assert_eq!(over(scene.run(100 * MS)), [reset(CLIENT)]);
    }
}

#[test]
fn a_worker_wakes_late_as_often_as_said() {
    let late = |told: Vec<Told>| {
        let late = told.iter().filter_map(|told| match told {
            Told::Late(late, _) => Some(*late),
            _ => None,
        });
        late.collect::<Vec<_>>()
    };
    let mut scene = Scene::new(1, |_| ());
    assert!(late(scene.run(1000 * MS)).iter().all(|late| *late < MS / 10));
    let mut scene = Scene::new(1, |options| {
        options.late_wakes = 500;
        options.wake_delay = MS..=2 * MS;
    });
    let late = late(scene.run(1000 * MS));
    let often = late.iter().filter(|late| **late >= MS).count();
    assert!((60..=140).contains(&often), "{often} of {}", late.len());
    assert!(late.iter().all(|late| *late < 3 * MS), "once for each sleep: {late:?}");
}

#[test]
fn workers_come_and_go_and_loops_move_as_often_as_said() {
    let workers = |told: &[Told]| {
        let mut seen = 0_u32;
        for told in told {
            if let Told::Late(_, worker) = told {
                seen |= 1 << worker;
            }
        }
        seen
    };
    // Not by load, too.
    let mut scene = Scene::new(1, |options| (options.workers, options.balance) = (2, false));
    assert_eq!(workers(&scene.run(1000 * MS)), 0b11, "each on one, and they stay");
    scene.sim.resize(1);
    let told = scene.run(1000 * MS);
    assert_eq!((workers(&told), scene.sim.stats().workers.len()), (0b1, 1));
    assert!(delays(&told, CLIENT).len() >= 98, "with timers and sockets");
    scene.sim.resize(4);
    assert_eq!(workers(&scene.run(1000 * MS)).count_ones(), 2, "new ones get their part");
    assert_eq!(scene.sim.stats().workers.len(), 4);
    let mut scene = Scene::new(1, |options| {
        (options.workers, options.moves, options.balance) = (3, 500, false);
    });
    let told = scene.run(1000 * MS);
    assert_eq!((workers(&told), delays(&told, SERVER).len() >= 98), (0b111, true));
}

#[test]
fn the_same_seed_with_all_that_goes_wrong_gives_the_same_run() {
    let run = |seed| {
        let mut scene = Scene::new(seed, |options| {
            (options.loss, options.late_wakes, options.moves) = (50, 100, 100);
            (options.partial_reads, options.partial_writes) = (100, 100);
        });
        scene.sim.net().partition(host(CLIENT), host(SERVER));
        scene.sim.run_for(300 * MS);
        scene.sim.net().heal(host(CLIENT), host(SERVER));
        scene.sim.resize(5);
        scene.sim.run_for(300 * MS);
        scene.sim.block_worker(0, 50 * MS);
        scene.sim.resize(1);
        scene.sim.net().reset(host(CLIENT), host(SERVER));
        scene.sim.run_for(300 * MS);
        (scene.sim.trace_hash(), scene.sim.handlers())
    };
    let runs: Vec<_> = (0..20).map(run).collect();
    assert_eq!(runs, (0..20).map(run).collect::<Vec<_>>());
    let mut hashes: Vec<_> = runs.iter().map(|run| run.0).collect();
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), 20);
}
