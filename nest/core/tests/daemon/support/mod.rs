//! A daemon without an operating system: real loops, toy protocols, a terminal.
#![allow(clippy::unwrap_used, clippy::panic, reason = "support of tests")]

mod toy;

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use dunlin_core::command::{Answer, Session, SessionParts};
use dunlin_core::config::{Config, Kinds, Loaded, parse_text};
use dunlin_core::interfaces::{
    Interface, InterfaceAddress, InterfaceFlags, InterfaceSource, InterfaceWatch, Interfaces,
};
use dunlin_core::log::Log;
use dunlin_core::manager::{Host, Manager, ManagerParts, MemoryReport, Shared, System};
use dunlin_core::manager::{ManagerMessage, Signal};
use dunlin_core::protocol::{Phase, ProtocolKind, Reply, Rib};
use dunlin_core::timeformat::WallTime;
use dunlin_rib::SliceId;
use dunlin_rib::import::Slices;
use dunlin_rib::registry::{Registry, RegistryMessage};
use dunlin_rib::resolver::{Resolver, ResolverMessage};
use dunlin_rib::slice::{Slice, SliceMessage};
use dunlin_runtime::{Address, Class, Context, Loop, Runtime, RuntimeOptions};

use self::toy::Toy;

const PATIENCE: Duration = Duration::from_secs(10);

/// A running daemon.
pub struct Lab {
    manager: Address<ManagerMessage>,
    terminal: Address<TerminalMessage>,
    /// What toys say.
    pub events: Receiver<String>,
    milestones: Receiver<i32>,
    next: Sender<String>,
    shared: Shared,
    runtime: Option<Runtime>,
}

/// In [`Lab::milestones`]: everything has been started.
const STARTED: i32 = -1;

impl Lab {
    /// Starts a daemon and waits until all of it runs.
    pub fn start(text: &str) -> Self {
        let lab = Self::try_start(text);
        assert_eq!(lab.milestones.recv_timeout(PATIENCE), Ok(STARTED));
        lab
    }

    /// Starts a daemon.
    pub fn try_start(text: &str) -> Self {
        let (sender, events) = mpsc::channel();
        let kind = |keyword, phase| -> Arc<dyn ProtocolKind> {
            Arc::new(Toy { keyword, phase, events: sender.clone() })
        };
        let kinds: Kinds = Arc::new([kind("device", Phase::Device), kind("toy", Phase::Rest)]);
        let config = match parse_text("t", text, &kinds) {
            Ok(config) => Arc::new(config),
            Err(rejected) => panic!("{:?}", rejected.lines().collect::<Vec<_>>()),
        };
        let runtime = Runtime::new(RuntimeOptions::default()).unwrap();
        let shared =
            Shared::new(config.clone(), start_rib(&runtime), Arc::new(Desert), Log::silent());
        let (milestone, milestones) = mpsc::channel();
        let (next, texts) = mpsc::channel();
        let mut terminal = None;
        let manager = runtime.spawn_with("manager", Class::Control, |own| {
            terminal = Some(start_terminal(&runtime, shared.clone(), own.clone()));
            let shared = shared.clone();
            let system = Box::new(TestSystem { kinds, milestone, texts });
            let interface_source = Arc::new(NoInterfaces);
            Manager::new(own, ManagerParts { config, system, interface_source, shared })
        });
        let (terminal, runtime) = (terminal.unwrap(), Some(runtime));
        Self { manager, terminal, events, milestones, next, shared, runtime }
    }

    /// What a command answers, all of it.
    pub fn ask(&self, line: &str) -> String {
        ask(&self.terminal, line)
    }

    /// What a command answers to somebody else.
    pub fn ask_elsewhere(&self, line: &str) -> String {
        let runtime = self.runtime.as_ref().unwrap();
        let terminal = start_terminal(runtime, self.shared.clone(), self.manager.clone());
        let answer = ask(&terminal, line);
        terminal.stop();
        answer
    }

    /// Asks until the answer is right, as after something that takes its time.
    pub fn until(&self, line: &str, mut right: impl FnMut(&str) -> bool) -> String {
        let mut answer = String::new();
        for _ in 0..10_000 {
            answer = self.ask(line);
            if right(&answer) {
                return answer;
            }
            std::thread::park_timeout(Duration::from_millis(1));
        }
        panic!("{line} never answered right, last:\n{answer}");
    }

    /// What the next reading of the configuration finds.
    pub fn write(&self, text: &str) {
        self.next.send(text.to_owned()).unwrap();
    }

    /// A signal arrives.
    pub fn signal(&self, signal: Signal) {
        self.manager.send(Class::Control, ManagerMessage::Signal(signal)).unwrap();
    }

    /// What toys have said since the last call, up to and with this.
    pub fn events_to(&self, last: &str) -> Vec<String> {
        let mut events = Vec::new();
        while let Ok(event) = self.events.recv_timeout(PATIENCE) {
            events.push(event);
            if events.last().is_some_and(|event| event == last) {
                return events;
            }
        }
        panic!("{last} never happened: {events:?}");
    }

    /// What toys have said since the last call.
    pub fn events_now(&self) -> Vec<String> {
        self.events.try_iter().collect()
    }

    /// The exit code, once the daemon has ended.
    pub fn code(&self) -> i32 {
        self.milestones.recv_timeout(PATIENCE).unwrap()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown();
        }
    }
}

fn ask(terminal: &Address<TerminalMessage>, line: &str) -> String {
    let (sender, receiver) = mpsc::channel();
    let message = TerminalMessage::Line(line.to_owned(), sender);
    terminal.send(Class::Control, message).unwrap();
    match receiver.recv_timeout(PATIENCE) {
        Ok(text) => text,
        Err(error) => panic!("no answer to {line}: {error}"),
    }
}

fn start_rib(runtime: &Runtime) -> Rib {
    let spawn = |id| runtime.spawn("slice", Class::Routing, Slice::new(SliceId(id)));
    let slices = Slices::new((0..4).map(spawn).collect());
    let resolver = runtime.spawn("resolver", Class::Routing, Resolver::new());
    let registry = runtime.spawn("registry", Class::Control, Registry::default());
    slices.send_all(Class::Routing, || SliceMessage::Start {
        slices: slices.clone(),
        resolver: resolver.clone(),
    });
    resolver.send(Class::Routing, ResolverMessage::Start(slices.clone())).unwrap();
    registry.send(Class::Control, RegistryMessage::Start(slices.clone())).unwrap();
    Rib::new(slices, registry, resolver)
}

// --- The terminal

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

// --- The operating system

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
    fn apply(&mut self, _cx: &mut Context<'_>, _config: &Config) -> Result<(), String> {
        Ok(())
    }
    fn started(&mut self, _config: &Config) {
        let _ = self.milestone.send(STARTED);
    }
    fn finished(&mut self, code: i32) {
        let _ = self.milestone.send(code);
    }
}

/// A machine where it is always 2026-11-22 13:47:35.680.
struct Desert;

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
        MemoryReport { allocated: 1 << 20, active: 3 << 19, resident: 1 << 21, retained: 4096 }
    }
    fn trace(&self, limit: usize) -> Vec<String> {
        vec![format!("the last {limit}")]
    }
}

struct NoInterfaces;

impl InterfaceSource for NoInterfaces {
    fn watch(
        &self,
        _cx: &mut Context<'_>,
        _scan: Option<Duration>,
        _changed: Box<dyn Fn(Arc<Interfaces>) + Send>,
        _failed: Reply<String>,
    ) -> Box<dyn InterfaceWatch> {
        unreachable!("toys watch nothing")
    }
}

/// What the toy device finds.
pub fn interfaces() -> Arc<Interfaces> {
    let address = |text: &str, length: u8| {
        let address = text.parse().unwrap();
        let prefix = dunlin_net::Prefix::new(address, length).unwrap();
        InterfaceAddress { address, prefix, opposite: None, secondary: false }
    };
    let flags = InterfaceFlags { admin_up: true, link_up: true, ..Default::default() };
    let veth = Interface {
        index: 3,
        name: "veth0".into(),
        flags,
        mtu: 1500,
        master: 0,
        addresses: vec![address("10.9.0.1", 24)],
    };
    Arc::new(Interfaces::new(vec![veth]))
}
