//! Credit from stage to stage: socket, parser, table, export, socket.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::Sender,
    },
};

use common::{eventually, next, runtime, told};
use dunlin_runtime::{
    Address, Class, ConnectOptions, Context, Duration, EventId, Interest, ListenOptions, Loop,
    Ready, SocketId, Stats, Time,
    kit::{
        credit::{Credit, Held, Stage},
        flow::FlowStats,
    },
    sim::{SimOptions, SimRuntime},
};

const PARSE: Stage<1> = Stage;
const TABLE: Stage<2> = Stage;
type ToTable = Held<2>;
type ToExport = Held<3>;

/// Credit of each stage, and what one handler may take beyond it.
const CREDIT: usize = 64 * 1024;
const HANDFUL: usize = 4096;

fn byte(at: usize) -> u8 {
    (at * 31 % 251) as u8
}

/// Sends so many bytes to whoever connects.
struct Source {
    listener: SocketId,
    at: SocketAddr,
    left: usize,
    sent: usize,
    told: Sender<(&'static str, SocketAddr)>,
}

impl Loop for Source {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        self.listener = cx.listen(self.at, &ListenOptions::default()).unwrap();
        self.told.send(("source", cx.local_addr(self.listener).unwrap())).unwrap();
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}

    fn ready(&mut self, cx: &mut Context<'_>, socket: SocketId, _: Ready) {
        if socket == self.listener {
            let (connection, _) = cx.accept(socket).unwrap();
            return cx.interest(connection, Interest::WRITE).unwrap();
        }
        while self.left > 0 {
            let chunk: Vec<u8> = (0..self.left.min(5000)).map(|at| byte(self.sent + at)).collect();
            let Ok(count) = cx.write(socket, &chunk) else { return };
            self.sent += count;
            self.left -= count;
        }
        cx.interest(socket, Interest::NONE).unwrap();
    }
}

/// Reads what comes, once it may; says when all has come.
struct Sink {
    listener: SocketId,
    connection: SocketId,
    at: SocketAddr,
    reads: bool,
    /// Takes so long for 2000 bytes.
    slowly: Option<Duration>,
    got: usize,
    expect: usize,
    told: Sender<(&'static str, SocketAddr)>,
    done: Sender<Time>,
}

impl Loop for Sink {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        self.listener = cx.listen(self.at, &ListenOptions::default()).unwrap();
        self.told.send(("sink", cx.local_addr(self.listener).unwrap())).unwrap();
    }

    fn message(&mut self, cx: &mut Context<'_>, (): ()) {
        self.reads = true;
        cx.interest(self.connection, Interest::READ).unwrap();
    }

    fn ready(&mut self, cx: &mut Context<'_>, socket: SocketId, _: Ready) {
        if socket == self.listener {
            self.connection = cx.accept(socket).unwrap().0;
            let interest = if self.reads { Interest::READ } else { Interest::NONE };
            return cx.interest(self.connection, interest).unwrap();
        }
        if !self.reads {
            return;
        }
        let mut buffer = cx.take_read_buffer();
        let most = self.slowly.map_or(buffer.len(), |_| 2000);
        if let Ok(count) = cx.read(socket, &mut buffer[..most]) {
            cx.sim_consume(self.slowly.unwrap_or_default());
            assert!(buffer[..count].iter().zip(self.got..).all(|(one, at)| *one == byte(at)));
            self.got += count;
            if self.got == self.expect {
                self.done.send(cx.now()).unwrap();
            }
        }
        cx.put_read_buffer(buffer);
    }
}

/// Reads a socket as long as the table can take it.
struct Parser {
    chain: usize,
    from: SocketAddr,
    table: Address<ToTableMessage>,
    socket: SocketId,
    event: EventId,
    credit: Option<Arc<Credit<2>>>,
}

impl Loop for Parser {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        self.event = cx.event(Class::Routing);
        self.credit = Some(cx.credit("to the table", CREDIT, self.event));
        self.socket = cx.connect(self.from, &ConnectOptions::default()).unwrap();
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}

    fn ready(&mut self, cx: &mut Context<'_>, socket: SocketId, ready: Ready) {
        let credit = self.credit.as_ref().unwrap();
        cx.interest(socket, Interest::READ).unwrap();
        if !ready.readable {
            return;
        }
        let mut bytes = vec![0; HANDFUL];
        let Ok(count) = cx.read(socket, &mut bytes) else { return };
        bytes.truncate(count);
        let held = credit.take(count);
        assert!(credit.used() <= CREDIT + HANDFUL, "bounded");
        let batch = ToTableMessage::Batch { chain: self.chain, bytes, held };
        self.table.send(Class::Routing, batch).unwrap();
        if credit.wait_if_full(PARSE, cx.now()) {
            cx.interest(socket, Interest::NONE).unwrap();
        }
    }

    fn event(&mut self, cx: &mut Context<'_>, _: EventId) {
        cx.interest(self.socket, Interest::READ).unwrap();
    }
}

enum ToTableMessage {
    Batch { chain: usize, bytes: Vec<u8>, held: ToTable },
}

/// Passes on what comes for each chain as long as its export can take it.
struct Table {
    exports: Vec<Address<(Vec<u8>, ToExport)>>,
    chains: Vec<Chain>,
}

struct Chain {
    event: EventId,
    credit: Arc<Credit<3>>,
    waiting: VecDeque<(Vec<u8>, ToTable)>,
    full: bool,
}

impl Table {
    fn pass_on(&mut self, cx: &mut Context<'_>, index: usize) {
        let chain = &mut self.chains[index];
        while !chain.full
            && let Some((bytes, held)) = chain.waiting.pop_front()
        {
            let onwards = chain.credit.take(bytes.len());
            assert!(chain.credit.used() <= CREDIT + HANDFUL, "bounded");
            self.exports[index].send(Class::Routing, (bytes, onwards)).unwrap();
            drop(held);
            chain.full = chain.credit.wait_if_full(TABLE, cx.now());
        }
    }
}

impl Loop for Table {
    type Message = ToTableMessage;

    fn start(&mut self, cx: &mut Context<'_>) {
        for index in 0..self.exports.len() {
            let event = cx.event(Class::Routing);
            let credit = cx.credit(&format!("to export {index}"), CREDIT, event);
            self.chains.push(Chain { event, credit, waiting: VecDeque::new(), full: false });
        }
    }

    fn message(&mut self, cx: &mut Context<'_>, message: ToTableMessage) {
        let ToTableMessage::Batch { chain, bytes, held } = message;
        self.chains[chain].waiting.push_back((bytes, held));
        self.pass_on(cx, chain);
    }

    fn event(&mut self, cx: &mut Context<'_>, event: EventId) {
        let index = self.chains.iter().position(|chain| chain.event == event).unwrap();
        self.chains[index].full = false;
        self.pass_on(cx, index);
    }
}

/// Writes to a socket what it will take.
struct Export {
    to: SocketAddr,
    socket: SocketId,
    queue: VecDeque<(Vec<u8>, usize, ToExport)>,
}

impl Export {
    fn write(&mut self, cx: &mut Context<'_>) {
        while let Some((bytes, done, _)) = self.queue.front_mut() {
            match cx.write(self.socket, &bytes[*done..]) {
                Ok(count) => *done += count,
                Err(_) => break,
            }
            if *done == bytes.len() {
                self.queue.pop_front();
            }
        }
        let interest = if self.queue.is_empty() { Interest::NONE } else { Interest::WRITE };
        cx.interest(self.socket, interest).unwrap();
    }
}

impl Loop for Export {
    type Message = (Vec<u8>, ToExport);

    fn start(&mut self, cx: &mut Context<'_>) {
        self.socket = cx.connect(self.to, &ConnectOptions::default()).unwrap();
    }

    fn message(&mut self, cx: &mut Context<'_>, (bytes, held): Self::Message) {
        self.queue.push_back((bytes, 0, held));
        self.write(cx);
    }

    fn ready(&mut self, cx: &mut Context<'_>, _: SocketId, _: Ready) {
        self.write(cx);
    }
}

/// What a test drives: the real runtime or the simulation.
trait World {
    fn spawn<L: Loop>(&self, name: &str, state: L) -> Address<L::Message>;
    /// Lets what was begun come about.
    fn settle(&mut self);
    fn address(&self, host: u8) -> SocketAddr;
}

impl World for SimRuntime {
    fn spawn<L: Loop>(&self, name: &str, state: L) -> Address<L::Message> {
        Self::spawn(self, name, Class::Routing, state)
    }
    fn settle(&mut self) {
        self.run_for(Duration::from_millis(100));
    }
    fn address(&self, host: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, host], 179))
    }
}

impl World for dunlin_runtime::Runtime {
    fn spawn<L: Loop>(&self, name: &str, state: L) -> Address<L::Message> {
        Self::spawn(self, name, Class::Routing, state)
    }
    fn settle(&mut self) {}
    fn address(&self, _: u8) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 0))
    }
}

/// One chain for each of these: how much it carries, and whether its receiver reads at once.
fn build(
    world: &mut impl World,
    chains: &[(usize, bool)],
    done: &[Sender<Time>],
    slowly: Option<Duration>,
) -> Vec<Address<()>> {
    let mut parts = Vec::new();
    let mut sinks = Vec::new();
    for (index, ((length, reads), done)) in chains.iter().zip(done).enumerate() {
        let (told, heard) = told();
        let source = Source {
            listener: SocketId::NONE,
            at: world.address(10 + index as u8),
            left: *length,
            sent: 0,
            told: told.clone(),
        };
        world.spawn("source", source);
        world.settle();
        let from = next(&heard).1;
        let sink = Sink {
            listener: SocketId::NONE,
            connection: SocketId::NONE,
            at: world.address(20 + index as u8),
            reads: *reads,
            slowly,
            got: 0,
            expect: *length,
            told,
            done: done.clone(),
        };
        sinks.push(world.spawn("sink", sink));
        world.settle();
        parts.push((from, next(&heard).1));
    }
    let exports = parts.iter().enumerate().map(|(index, (_, to))| {
        let export = Export { to: *to, socket: SocketId::NONE, queue: VecDeque::new() };
        world.spawn(&format!("export {index}"), export)
    });
    let table = Table { exports: exports.collect(), chains: Vec::new() };
    let table = world.spawn("table", table);
    for (chain, (from, _)) in parts.into_iter().enumerate() {
        let (socket, event) = (SocketId::NONE, EventId::NONE);
        let table = table.clone();
        let parser = Parser { chain, from, table, socket, event, credit: None };
        world.spawn(&format!("parser {chain}"), parser);
    }
    sinks
}

fn flow(stats: &Stats, of: &str, which: usize) -> FlowStats {
    let one = stats.loops.iter().find(|one| &*one.name == of).unwrap();
    one.flows[which].clone()
}

fn handlers(stats: &Stats, of: &str) -> u64 {
    let one = stats.loops.iter().find(|one| &*one.name == of).unwrap();
    one.handlers.iter().sum()
}

const LENGTH: usize = 2 << 20;

#[test]
fn a_slow_receiver_stops_its_own_chain_and_nobody_spins() {
    let time_of_fast = |with_slow: bool| {
        let mut sim = SimRuntime::with_options(SimOptions { moves: 0, ..SimOptions::new(11) });
        let (slow_done, slow) = told();
        let (fast_done, fast) = told();
        let chains = [(LENGTH, true), (LENGTH, false)];
        let chains = if with_slow { &chains[..] } else { &chains[..1] };
        let sinks = build(&mut sim, chains, &[fast_done, slow_done], None);
        let began = sim.now();
        sim.run_for(Duration::from_secs(20));
        let took = fast.try_recv().expect("the fast chain is done").since(began);
        if with_slow {
            see_the_slow_chain(&mut sim);
            sinks[1].send(Class::Routing, ()).unwrap();
            sim.run_for(Duration::from_secs(20));
            slow.try_recv().expect("the slow chain is done, too");
            let stats = sim.stats();
            for (of, which) in [("parser 1", 0), ("table", 0), ("table", 1)] {
                let flow = flow(&stats, of, which);
                assert_eq!((flow.used, flow.waiting), (0, None), "{of}");
            }
        }
        took
    };
    let (alone, beside) = (time_of_fast(false), time_of_fast(true));
    assert!(beside < alone.mul_f64(1.25), "{beside:?} beside a slow chain, {alone:?} alone");
}

/// Its receiver reads nothing: every stage is full, and says so, and nothing runs.
fn see_the_slow_chain(sim: &mut SimRuntime) {
    let before = sim.stats();
    for (of, which, stage) in [("parser 1", 0, 2), ("table", 1, 3)] {
        let flow = flow(&before, of, which);
        assert_eq!((flow.stage, flow.unit, flow.limit), (stage, "bytes", Some(CREDIT as u64)));
        let used = flow.used as usize;
        assert!(used > CREDIT / 2 && used <= CREDIT + HANDFUL, "{of}: {used}");
        assert!(flow.waiting.is_some_and(|since| since < sim.now()) && flow.blocked > 0);
    }
    assert_eq!(&*flow(&before, "table", 1).name, "to export 1");
    assert_eq!(flow(&before, "parser 0", 0).waiting, None);
    sim.run_for(Duration::from_secs(60));
    let after = sim.stats();
    for of in ["parser 1", "table", "export 1"] {
        assert_eq!(handlers(&after, of), handlers(&before, of), "{of} has run for nothing");
    }
}

#[test]
fn wake_ups_are_few_because_of_low_water() {
    let mut sim = SimRuntime::with_options(SimOptions { moves: 0, ..SimOptions::new(12) });
    let (done, heard) = told();
    build(&mut sim, &[(LENGTH, true)], &[done], Some(Duration::from_micros(100)));
    sim.run_for(Duration::from_secs(20));
    heard.try_recv().expect("done");
    let blocked = flow(&sim.stats(), "table", 0).blocked as usize;
    // Between two waits, half of the credit has to go.
    assert!(blocked > 0 && blocked <= LENGTH / (CREDIT / 2) + 1, "{blocked} times");
}

#[test]
fn on_real_workers_too() {
    let mut runtime = runtime(2);
    let (slow_done, slow) = told();
    let (fast_done, fast) = told();
    // More than what the system's buffers take.
    let lengths = [(LENGTH, true), (32 << 20, false)];
    let sinks = build(&mut runtime, &lengths, &[fast_done, slow_done], None);
    next(&fast);
    eventually("every stage of the slow chain is full", || {
        let stats = runtime.stats();
        let full = |of, which| flow(&stats, of, which).waiting.is_some();
        full("parser 1", 0) && full("table", 1)
    });
    // The system's buffers may take a little more before all is still. What spins never is.
    let (mut last, mut looks) = (0, 0);
    eventually("nobody spins", || {
        let now = handlers(&runtime.stats(), "parser 1");
        looks = if now == last { looks + 1 } else { 0 };
        last = now;
        looks == 100
    });
    sinks[1].send(Class::Routing, ()).unwrap();
    next(&slow);
    eventually("all is given back", || {
        let stats = runtime.stats();
        [("parser 1", 0), ("table", 1)].iter().all(|(of, which)| flow(&stats, of, *which).used == 0)
    });
}

/// One of three stages in a ring: what it gets it passes on twice, so that the ring is always full.
struct Ring {
    next: Option<Address<RingMessage>>,
    event: EventId,
    onwards: Onwards,
    queue: VecDeque<Box<dyn Send>>,
    full: bool,
    passed: Arc<AtomicU64>,
}

/// Credit for what goes to the next stage, if made already.
enum Onwards {
    ToTable(Option<Arc<Credit<2>>>),
    ToExport(Option<Arc<Credit<3>>>),
    /// From stage 3 to stage 1. Stage 3 cannot wait for it: that does not compile.
    Back(Option<Arc<Credit<1>>>),
    /// Likewise, but under a wrong number, so that it does.
    Circle(Option<Arc<Credit<4>>>),
}

enum RingMessage {
    Next(Address<Self>),
    Item(Box<dyn Send>),
}

impl Ring {
    fn new(onwards: Onwards, passed: &Arc<AtomicU64>) -> Self {
        let passed = Arc::clone(passed);
        let (next, event, queue) = (None, EventId::NONE, VecDeque::new());
        Self { next, event, onwards, queue, full: false, passed }
    }

    fn pass_on(&mut self, cx: &mut Context<'_>) {
        let Some(next) = &self.next else { return };
        while !self.full && self.queue.pop_front().is_some() {
            self.passed.fetch_add(1, Ordering::Relaxed);
            for _ in 0..2 {
                if let Some(item) = self.onwards.take() {
                    next.send(Class::Routing, RingMessage::Item(item)).unwrap();
                }
            }
            self.full = self.onwards.is_full(cx.now());
        }
    }
}

impl Onwards {
    fn take(&self) -> Option<Box<dyn Send>> {
        Some(match self {
            Self::ToTable(credit) => Box::new(credit.as_ref()?.take(100)),
            Self::ToExport(credit) => Box::new(credit.as_ref()?.take(100)),
            // No room: dropped.
            Self::Back(credit) => Box::new(credit.as_ref()?.try_take(100)?),
            Self::Circle(credit) => Box::new(credit.as_ref()?.take(100)),
        })
    }

    fn is_full(&self, now: Time) -> bool {
        match self {
            Self::ToTable(Some(credit)) => credit.wait_if_full(Stage::<1>, now),
            Self::ToExport(Some(credit)) => credit.wait_if_full(Stage::<2>, now),
            Self::Circle(Some(credit)) => credit.wait_if_full(Stage::<3>, now),
            _ => false,
        }
    }
}

impl Loop for Ring {
    type Message = RingMessage;

    fn start(&mut self, cx: &mut Context<'_>) {
        self.event = cx.event(Class::Routing);
        match &mut self.onwards {
            Onwards::ToTable(credit) => *credit = Some(cx.credit("on", 1000, self.event)),
            Onwards::ToExport(credit) => *credit = Some(cx.credit("on", 1000, self.event)),
            Onwards::Back(credit) => *credit = Some(cx.credit("back", 1000, self.event)),
            Onwards::Circle(credit) => *credit = Some(cx.credit("back", 1000, self.event)),
        }
    }

    fn message(&mut self, cx: &mut Context<'_>, message: RingMessage) {
        match message {
            RingMessage::Next(next) => self.next = Some(next),
            RingMessage::Item(item) => self.queue.push_back(item),
        }
        self.pass_on(cx);
    }

    fn event(&mut self, cx: &mut Context<'_>, _: EventId) {
        self.full = false;
        self.pass_on(cx);
    }
}

/// Items passed on in each of five intervals.
fn run_ring(back: Onwards) -> Vec<u64> {
    let mut sim = SimRuntime::new(13);
    let passed = Arc::new(AtomicU64::new(0));
    let stages = [Onwards::ToTable(None), Onwards::ToExport(None), back];
    let stages = stages.map(|onwards| World::spawn(&sim, "ring", Ring::new(onwards, &passed)));
    for (at, stage) in stages.iter().enumerate() {
        let next = stages[(at + 1) % 3].clone();
        stage.send(Class::Control, RingMessage::Next(next)).unwrap();
    }
    sim.run_for(Duration::from_millis(1));
    for _ in 0..5 {
        stages[0].send(Class::Routing, RingMessage::Item(Box::new(()))).unwrap();
    }
    let counts = (0..5).map(|_| {
        let before = passed.load(Ordering::Relaxed);
        sim.run_for(Duration::from_millis(10));
        passed.load(Ordering::Relaxed) - before
    });
    counts.collect()
}

#[test]
fn a_ring_goes_on_because_its_way_back_never_waits() {
    let passed = run_ring(Onwards::Back(None));
    assert!(passed.iter().all(|count| *count > 100), "{passed:?}");
    // The rule is what keeps it going.
    assert_eq!(run_ring(Onwards::Circle(None))[4], 0);
}
