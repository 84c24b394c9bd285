//! Simulated hosts that have no descriptor left, and loops that live with it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::mpsc::{Receiver, Sender, channel},
};

use dunlin_runtime::{
    AcceptPause, Address, Class, ConnectOptions, Context, Duration, Interest, ListenOptions, Loop,
    Ready, SocketId, TimerId,
    sim::{SimOptions, SimRuntime},
};

const MS: Duration = Duration::from_millis(1);
const S: Duration = Duration::from_secs(1);
const EMFILE: i32 = 24;
const CLIENT: u8 = 1;
const SERVER: u8 = 2;

fn host(number: u8) -> IpAddr {
    IpAddr::from([10, 0, 0, number])
}

fn server() -> SocketAddr {
    SocketAddr::new(host(SERVER), 179)
}

/// What a loop tells the test: an attempt, and the system's number if it failed.
#[derive(Debug, PartialEq)]
enum Told {
    Accept(Option<i32>),
    /// The failure was worth a word.
    Word,
    Connect(Option<i32>),
    Listen(Option<i32>),
    /// The other end has closed.
    End,
}

fn number<T>(result: &io::Result<T>) -> Option<i32> {
    result.as_ref().err().map(|error| error.raw_os_error().unwrap())
}

/// Listens, and rests while it cannot accept.
struct Taker {
    pause: AcceptPause,
    listener: SocketId,
    taken: Vec<SocketId>,
    told: Sender<Told>,
}

enum Order {
    /// Close all that was accepted.
    CloseAll,
    /// Close one and accept another in one handler.
    Exchange,
}

impl Taker {
    fn new(told: Sender<Told>) -> Self {
        let (pause, listener) = (AcceptPause::default(), SocketId::NONE);
        Self { pause, listener, taken: Vec::new(), told }
    }

    fn accept(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let accepted = cx.accept(self.listener);
        match &accepted {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            _ => self.told.send(Told::Accept(number(&accepted))).unwrap(),
        }
        self.taken.push(accepted?.0);
        self.pause.worked();
        Ok(())
    }
}

impl Loop for Taker {
    type Message = Order;

    fn start(&mut self, cx: &mut Context<'_>) {
        self.pause.start(cx);
        self.listener = cx.listen(server(), &ListenOptions::default()).unwrap();
    }

    fn message(&mut self, cx: &mut Context<'_>, order: Order) {
        match order {
            Order::CloseAll => self.taken.drain(..).for_each(|socket| cx.close(socket)),
            Order::Exchange => {
                cx.close(self.taken.pop().unwrap());
                self.accept(cx).unwrap();
            }
        }
    }

    fn ready(&mut self, cx: &mut Context<'_>, socket: SocketId, _: Ready) {
        if socket != self.listener {
            return cx.close(socket);
        }
        let error = loop {
            if let Err(error) = self.accept(cx) {
                break error;
            }
        };
        if self.pause.failed(cx, socket, &error) {
            self.told.send(Told::Word).unwrap();
        }
    }

    fn timer(&mut self, cx: &mut Context<'_>, timer: TimerId) {
        self.pause.timer(cx, timer);
    }
}

/// Connects or listens when told, and tells what came of it.
struct Maker(Sender<Told>);

enum Make {
    Connection,
    Listener,
}

impl Loop for Maker {
    type Message = Make;

    fn message(&mut self, cx: &mut Context<'_>, make: Make) {
        let local = SocketAddr::new(host(CLIENT), 0);
        let told = match make {
            Make::Connection => {
                let options = ConnectOptions { local: Some(local), ..ConnectOptions::default() };
                Told::Connect(number(&cx.connect(server(), &options)))
            }
            Make::Listener => Told::Listen(number(&cx.listen(local, &ListenOptions::default()))),
        };
        self.0.send(told).unwrap();
    }

    fn ready(&mut self, cx: &mut Context<'_>, socket: SocketId, ready: Ready) {
        if !ready.readable {
            // It is connected.
            cx.interest(socket, Interest::READ).unwrap();
        } else if cx.read(socket, &mut [0]).is_ok_and(|count| count == 0) {
            cx.close(socket);
            self.0.send(Told::End).unwrap();
        }
    }
}

struct Scene {
    sim: SimRuntime,
    taker: Address<Order>,
    maker: Address<Make>,
    told: Receiver<Told>,
}

impl Scene {
    fn new(seed: u64, shortage: u32) -> Self {
        let mut sim = SimRuntime::with_options(SimOptions { shortage, ..SimOptions::new(seed) });
        let (tell, told) = channel();
        let taker = sim.spawn("taker", Class::Control, Taker::new(tell.clone()));
        let maker = sim.spawn("maker", Class::Control, Maker(tell));
        sim.run_for(10 * MS);
        Self { sim, taker, maker, told }
    }

    fn make(&self, make: Make) {
        self.maker.send(Class::Control, make).unwrap();
    }

    /// What is told within a time.
    fn run(&mut self, span: Duration) -> Vec<Told> {
        self.sim.run_for(span);
        self.told.try_iter().collect()
    }
}

fn count(told: &[Told], what: &Told) -> usize {
    told.iter().filter(|told| *told == what).count()
}

#[test]
fn who_connects_or_listens_without_a_descriptor_is_told() {
    let mut scene = Scene::new(1, 0);
    scene.sim.net().limit_descriptors(host(CLIENT), 1);
    scene.make(Make::Connection);
    assert_eq!(scene.run(100 * MS), [Told::Connect(None), Told::Accept(None)]);
    scene.make(Make::Connection);
    scene.make(Make::Listener);
    let none = Some(EMFILE);
    assert_eq!(scene.run(100 * MS), [Told::Connect(none), Told::Listen(none)]);
    assert_eq!((scene.sim.net().descriptors(host(CLIENT)), scene.sim.net().shortages()), (1, 2));
    scene.sim.net().unlimit_descriptors(host(CLIENT));
    scene.make(Make::Listener);
    assert_eq!(scene.run(100 * MS), [Told::Listen(None)]);
}

#[test]
fn who_cannot_be_accepted_waits_and_the_listener_rests() {
    for seed in 0..10 {
        let mut scene = Scene::new(seed, 0);
        scene.sim.net().limit_descriptors(host(SERVER), 2);
        (0..4).for_each(|_| scene.make(Make::Connection));
        let told = scene.run(10 * S);
        assert_eq!((count(&told, &Told::Connect(None)), count(&told, &Told::Accept(None))), (4, 1));
        let failed = count(&told, &Told::Accept(Some(EMFILE)));
        assert!((9..=11).contains(&failed), "seed {seed}: {failed} attempts in 10 s");
        assert_eq!(count(&told, &Told::Word), 1, "seed {seed}: one word");
        scene.sim.net().unlimit_descriptors(host(SERVER));
        let told = scene.run(2 * S);
        assert_eq!(told, [Told::Accept(None), Told::Accept(None), Told::Accept(None)]);
        assert_eq!(scene.sim.net().connections(), 4);
    }
}

#[test]
fn what_is_closed_can_be_used_at_once() {
    let mut scene = Scene::new(1, 0);
    scene.sim.net().limit_descriptors(host(SERVER), 2);
    (0..2).for_each(|_| scene.make(Make::Connection));
    let told = scene.run(S);
    assert_eq!(count(&told, &Told::Accept(None)), 1);
    scene.taker.send(Class::Control, Order::Exchange).unwrap();
    // What waited was accepted by the handler that had closed the other.
    assert_eq!(scene.run(500 * MS), [Told::Accept(None), Told::End]);
    scene.taker.send(Class::Control, Order::CloseAll).unwrap();
    assert_eq!(scene.run(2 * S), [Told::End]);
    assert_eq!(scene.sim.net().descriptors(host(SERVER)), 1, "the listener");
}

#[test]
fn a_shortage_comes_as_often_as_said_and_follows_from_the_seed() {
    let run = |seed| {
        let mut scene = Scene::new(seed, 300);
        for _ in 0..500 {
            scene.make(Make::Connection);
        }
        let told = scene.run(600 * S);
        let none = count(&told, &Told::Connect(Some(EMFILE)));
        assert!((110..=190).contains(&none), "seed {seed}: {none} of 500");
        assert_eq!(count(&told, &Told::Accept(None)), 500 - none, "seed {seed}: all in the end");
        let refused = none + count(&told, &Told::Accept(Some(EMFILE)));
        assert_eq!(scene.sim.net().shortages(), refused as u64, "seed {seed}");
        scene.sim.trace_hash()
    };
    let traces: Vec<u64> = (0..5).map(run).collect();
    assert_eq!(traces, (0..5).map(run).collect::<Vec<_>>());
}
