//! A daemon without an operating system: manager, tables on real loops, a terminal. Interfaces are
//! what the test says. Tests of protocols use it too.
#![allow(dead_code, unreachable_pub, reason = "each test uses what it needs")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "support of tests")]

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use dunlin_core::command::{Answer, Session, SessionParts};
use dunlin_core::config::{Config, Kinds, Loaded, parse_text};
use dunlin_core::interfaces::{
    Interface, InterfaceAddress, InterfaceFlags, InterfaceSource, InterfaceWatch, Interfaces,
};
use dunlin_core::log::{Log, LogClass, LogTarget};
use dunlin_core::manager::{
    Host, Manager, ManagerMessage, ManagerParts, MemoryReport, Shared, Signal, System,
};
use dunlin_core::protocol::{InstanceEvent, InstanceId, Reply, Rib};
use dunlin_core::timeformat::WallTime;
use dunlin_os::clock::Scale;
use dunlin_rib::SliceId;
use dunlin_rib::import::Slices;
use dunlin_rib::registry::{Registry, RegistryMessage};
use dunlin_rib::resolver::{Resolver, ResolverMessage};
use dunlin_rib::slice::{Slice, SliceMessage};
use dunlin_rib::validation::validator::{Validator, ValidatorMessage};
use dunlin_rib::validation::{Validated, ValidatedNow};
use dunlin_runtime::{Address, Class, Context, Loop, Runtime, RuntimeOptions};
use dunlin_trace::{Options, Recorder};

const PATIENCE: Duration = Duration::from_secs(10);

/// A running daemon.
pub struct Lab {
    manager: Address<ManagerMessage>,
    terminal: Address<TerminalMessage>,
    shared: Shared,
    next: Sender<String>,
    ended: Receiver<i32>,
    /// The way to the tables.
    pub rib: Rib,
    /// What `show trace` shows: nothing yet.
    pub recorder: Recorder,
    /// What was logged.
    pub log: Receiver<String>,
    runtime: Option<Runtime>,
}

impl Lab {
    /// Starts a daemon with these protocol types. Its first protocol has to run.
    pub fn start(kinds: Kinds, text: &str) -> Self {
        Self::start_with(kinds, text, Arc::new(NoInterfaces))
    }

    /// The same with a source of interfaces.
    pub fn start_with(
        kinds: Kinds,
        text: &str,
        interface_source: Arc<dyn InterfaceSource>,
    ) -> Self {
        let lab = Self::begin(kinds, text, interface_source, 2);
        assert_eq!(lab.ended.recv_timeout(PATIENCE), Ok(STARTED));
        lab
    }

    /// Starts a daemon with so many workers and waits for nothing: it may fail to start.
    pub fn begin(
        kinds: Kinds,
        text: &str,
        interface_source: Arc<dyn InterfaceSource>,
        threads: usize,
    ) -> Self {
        Self::begin_small(kinds, text, interface_source, threads, usize::MAX)
    }

    /// The same, with room for so many sources of routes in a slice.
    pub fn begin_small(
        kinds: Kinds,
        text: &str,
        interface_source: Arc<dyn InterfaceSource>,
        threads: usize,
        sources: usize,
    ) -> Self {
        let config = match parse_text("t", text, &kinds) {
            Ok(config) => Arc::new(config),
            Err(rejected) => panic!("{:?}", rejected.lines().collect::<Vec<_>>()),
        };
        let runtime = Runtime::new(RuntimeOptions { threads, ..<_>::default() }).unwrap();
        let rib = start_rib(&runtime, sources);
        let recorder = recorder();
        let (logged, log) = mpsc::channel();
        let target = Log::new(Arc::new(ToTest(logged)));
        let shared =
            Shared::new(config.clone(), rib.clone(), Arc::new(Desert(recorder.clone())), target);
        let (milestone, milestones) = mpsc::channel();
        let (next, texts) = mpsc::channel();
        let mut terminal = None;
        let manager = runtime.spawn_with("manager", Class::Control, |own| {
            terminal = Some(start_terminal(&runtime, shared.clone(), own.clone()));
            let system = Box::new(TestSystem { kinds, milestone, texts });
            let shared = shared.clone();
            Manager::new(own, ManagerParts { config, system, interface_source, shared })
        });
        let terminal = terminal.unwrap();
        Self {
            manager,
            terminal,
            shared,
            next,
            ended: milestones,
            rib,
            recorder,
            log,
            runtime: Some(runtime),
        }
    }

    /// Has the machine have these interfaces.
    pub fn interfaces(&self, list: Vec<Interface>) {
        let interfaces = Arc::new(Interfaces::new(list));
        // Whichever instance was started first says so, in place of a device protocol.
        let event = InstanceEvent::Interfaces(interfaces);
        self.manager.send(Class::Control, ManagerMessage::Instance(InstanceId(1), event)).unwrap();
    }

    /// What a command answers, all of it.
    pub fn ask(&self, line: &str) -> String {
        ask(&self.terminal, line)
    }

    /// Starts a loop beside the daemon's.
    pub fn spawn<L: Loop>(&self, name: &str, state: L) -> Address<L::Message> {
        self.runtime.as_ref().unwrap().spawn(name, Class::Control, state)
    }

    /// The same for one that needs to know its address.
    pub fn spawn_with<L: Loop>(
        &self,
        name: &str,
        make: impl FnOnce(Address<L::Message>) -> L,
    ) -> Address<L::Message> {
        self.runtime.as_ref().unwrap().spawn_with(name, Class::Bulk, make)
    }

    /// A client of the command line, for a loop of the test's.
    pub fn session(&self, answers: dunlin_core::command::Answers) -> Session {
        let (shared, manager) = (self.shared.clone(), self.manager.clone());
        let parts =
            SessionParts { shared, manager, answers, restricted: false, v2_attributes: false };
        Session::new(parts)
    }

    /// How many messages the terminal has handled.
    pub fn terminal_messages(&self) -> u64 {
        let runtime = self.runtime.as_ref().unwrap();
        let number = self.terminal.loop_id().number();
        let stats = runtime.stats();
        let found = stats.loops.iter().find(|one| one.id.number() == number).unwrap();
        found.handlers.iter().sum()
    }

    /// What a command answers to somebody else.
    pub fn ask_elsewhere(&self, line: &str) -> String {
        let runtime = self.runtime.as_ref().unwrap();
        let terminal = start_terminal(runtime, self.shared.clone(), self.manager.clone());
        let answer = ask(&terminal, line);
        terminal.stop();
        answer
    }

    /// Asks until the answer is this, as after something that takes its time.
    #[track_caller]
    pub fn expect(&self, line: &str, expected: &str) {
        let answer = self.until(line, |answer| answer == expected);
        assert_eq!(answer, expected, "{line}");
    }

    /// Asks until what is read in the answer is this.
    #[track_caller]
    pub fn expect_read(&self, line: &str, read: fn(&str) -> Vec<String>, expected: &[&str]) {
        let answer = self.until(line, |answer| read(answer) == expected);
        assert_eq!(read(&answer), expected, "{line}: {answer}");
    }

    /// Asks until the answer is right; the last answer at any rate.
    pub fn until(&self, line: &str, mut right: impl FnMut(&str) -> bool) -> String {
        let mut answer = String::new();
        for _ in 0..5000 {
            answer = self.ask(line);
            if right(&answer) {
                break;
            }
            std::thread::park_timeout(Duration::from_millis(1));
        }
        answer
    }

    /// What the next reading of the configuration finds.
    pub fn write(&self, text: &str) {
        self.next.send(text.to_owned()).unwrap();
    }

    /// A signal arrives.
    pub fn signal(&self, signal: Signal) {
        self.manager.send(Class::Control, ManagerMessage::Signal(signal)).unwrap();
    }

    /// The exit code, once the daemon has ended.
    pub fn code(&self) -> i32 {
        self.ended.recv_timeout(PATIENCE).unwrap()
    }

    /// Puts a new configuration into force.
    pub fn configure(&self, text: &str) {
        self.write(text);
        let answer = self.ask("configure");
        assert!(answer.contains("Reconfig"), "{answer}");
    }

    /// Ends it and waits until it has ended in order.
    pub fn down(&self) {
        self.ask("down");
        assert_eq!(self.code(), 0);
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown();
        }
    }
}

/// An interface that is switched on, with addresses such as `10.0.0.1/24`.
pub fn interface(index: u32, name: &str, addresses: &[&str]) -> Interface {
    let address = |text: &&str| {
        let (address, length) = text.split_once('/').unwrap();
        let address = address.parse().unwrap();
        let prefix = dunlin_net::Prefix::new(address, length.parse().unwrap()).unwrap();
        InterfaceAddress { address, prefix, opposite: None, secondary: false }
    };
    let flags = InterfaceFlags { admin_up: true, link_up: true, ..InterfaceFlags::default() };
    Interface {
        index,
        name: name.into(),
        flags,
        mtu: 1500,
        master: 0,
        addresses: addresses.iter().map(address).collect(),
    }
}

/// In [`Lab::ended`]: everything has been started.
pub const STARTED: i32 = -1;

fn ask(terminal: &Address<TerminalMessage>, line: &str) -> String {
    let (sender, receiver) = mpsc::channel();
    let message = TerminalMessage::Line(line.to_owned(), sender);
    terminal.send(Class::Control, message).unwrap();
    match receiver.recv_timeout(PATIENCE) {
        Ok(text) => text,
        Err(error) => panic!("no answer to {line}: {error}"),
    }
}

fn start_rib(runtime: &Runtime, sources: usize) -> Rib {
    let spawn = |id| runtime.spawn("slice", Class::Routing, Slice::with_room(SliceId(id), sources));
    let slices = Slices::new((0..4).map(spawn).collect());
    let resolver = runtime.spawn("resolver", Class::Routing, Resolver::new());
    let registry = runtime.spawn("registry", Class::Control, Registry::default());
    let validated = ValidatedNow::new(Validated::default());
    let validator = runtime.spawn("validator", Class::Routing, Validator::new(validated.clone()));
    slices.send_all(Class::Routing, || SliceMessage::Start {
        slices: slices.clone(),
        resolver: resolver.clone(),
        validated: validated.clone(),
    });
    resolver.send(Class::Routing, ResolverMessage::Start(slices.clone())).unwrap();
    registry.send(Class::Control, RegistryMessage::Start(slices.clone())).unwrap();
    let start = ValidatorMessage::Start(slices.clone(), validator.clone());
    validator.send(Class::Routing, start).unwrap();
    Rib::new(slices, registry, resolver, (validated, validator))
}

enum TerminalMessage {
    Line(String, Sender<String>),
    Answer(Answer),
}

struct Terminal {
    session: Session,
    waiting: Option<Sender<String>>,
    text: String,
}

fn start_terminal(
    runtime: &Runtime,
    shared: Shared,
    manager: Address<ManagerMessage>,
) -> Address<TerminalMessage> {
    runtime.spawn_with("terminal", Class::Bulk, |own: Address<TerminalMessage>| {
        let answers = Arc::new(move |answer| {
            let _ = own.send(Class::Bulk, TerminalMessage::Answer(answer));
        });
        let parts =
            SessionParts { shared, manager, answers, restricted: false, v2_attributes: false };
        let mut session = Session::new(parts);
        let greeting = session.output().len();
        session.output().consume(greeting);
        Terminal { session, waiting: None, text: String::new() }
    })
}

impl Terminal {
    fn go_on(&mut self, cx: &mut Context<'_>) {
        loop {
            let length = self.session.output().len();
            let piece = self.session.output().piece(length + 1).to_vec();
            self.session.output().consume(length);
            self.text.push_str(&String::from_utf8(piece).unwrap());
            if !self.session.is_busy() {
                if let Some(sender) = self.waiting.take() {
                    let _ = sender.send(std::mem::take(&mut self.text));
                }
                return;
            }
            if length < 64 << 10 {
                return;
            }
            self.session.resume(cx);
        }
    }
}

impl Loop for Terminal {
    type Message = TerminalMessage;

    fn message(&mut self, cx: &mut Context<'_>, message: TerminalMessage) {
        match message {
            TerminalMessage::Line(line, sender) => {
                self.waiting = Some(sender);
                self.session.line(cx, &line);
            }
            TerminalMessage::Answer(answer) => self.session.answer(cx, answer),
        }
        self.go_on(cx);
    }
}

struct TestSystem {
    kinds: Kinds,
    milestone: Sender<i32>,
    texts: Receiver<String>,
}

impl System for TestSystem {
    fn load(&mut self, path: &Path, reply: Reply<Loaded>) {
        let text = self.texts.try_recv().unwrap_or_default();
        reply.send(parse_text(&path.display().to_string(), &text, &self.kinds));
    }
    fn apply(&mut self, _cx: &mut Context<'_>, _config: &Arc<Config>) -> Result<(), String> {
        Ok(())
    }
    fn started(&mut self, _config: &Config) {
        let _ = self.milestone.send(STARTED);
    }
    fn finished(&mut self, code: i32) {
        let _ = self.milestone.send(code);
    }
}

/// A flight recorder of some other process, on a clock of its own.
fn recorder() -> Recorder {
    let scale = Some(Scale::IDENTITY);
    let facts = String::from("Dunlin of the desert");
    Recorder::new(&Options { rings: 4, scale, facts, ..Options::default() }).unwrap()
}

/// A machine where it is always 2026-11-22 13:47:35.680.
struct Desert(Recorder);

impl Host for Desert {
    fn hostname(&self) -> Arc<str> {
        "desert".into()
    }
    fn now(&self) -> WallTime {
        WallTime(Duration::from_millis(1_795_355_255_680))
    }
    fn zone(&self, _time: WallTime) -> i32 {
        0
    }
    fn memory(&self) -> MemoryReport {
        MemoryReport {
            allocated: 1024 << 10,
            active: 1536 << 10,
            resident: 4096 << 10,
            files: 1400 << 10,
            kept: 600 << 10,
            retained: 4096,
        }
    }
    fn recorder(&self) -> Option<Recorder> {
        Some(self.0.clone())
    }
}

struct ToTest(Sender<String>);

impl LogTarget for ToTest {
    fn wants(&self, _class: LogClass) -> bool {
        true
    }
    fn write(&self, _class: LogClass, text: String) {
        let _ = self.0.send(text);
    }
}

/// Where no device protocol asks for interfaces.
pub struct NoInterfaces;

impl InterfaceSource for NoInterfaces {
    fn watch(
        &self,
        _cx: &mut Context<'_>,
        _scan: Option<Duration>,
        _changed: Box<dyn Fn(Arc<Interfaces>) + Send>,
        _failed: Reply<String>,
    ) -> Box<dyn InterfaceWatch> {
        unreachable!("there is no device protocol")
    }
}
