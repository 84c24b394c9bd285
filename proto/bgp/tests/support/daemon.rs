//! Manager, tables and BGP on a real runtime with real sockets on the loopback network.

use core::time::Duration;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use dunlin_bgp::Bgp;
use dunlin_core::command::Line;
use dunlin_core::config::{Config, Kinds, Loaded, parse_text};
use dunlin_core::interfaces::{InterfaceSource, InterfaceWatch, Interfaces};
use dunlin_core::log::{Log, LogClass, LogTarget};
use dunlin_core::manager::{
    Action, ConfigureCommand, Host, Manager, ManagerMessage, ManagerParts, MemoryReport, Request,
    Row, Selection, Shared, System,
};
use dunlin_core::protocol::{Description, ProtocolKind, Reply, Rib};
use dunlin_core::timeformat::WallTime;
use dunlin_rib::SliceId;
use dunlin_rib::import::Slices;
use dunlin_rib::registry::{Registry, RegistryMessage};
use dunlin_rib::resolver::{Resolver, ResolverMessage};
use dunlin_rib::slice::{Slice, SliceMessage};
use dunlin_rib::validation::validator::{Validator, ValidatorMessage};
use dunlin_rib::validation::{Validated, ValidatedNow};
use dunlin_runtime::{Address, Class, Context, Runtime, RuntimeOptions};

pub(crate) struct Daemon {
    runtime: Option<Runtime>,
    manager: Address<ManagerMessage>,
    texts: Sender<String>,
    logged: Receiver<String>,
    registry: Address<RegistryMessage>,
}

const SLICES: u16 = 4;
const MOST_SOURCES: usize = 65535;
const MOST_MEMBERS: usize = 65536;

impl Daemon {
    /// Runs a configuration.
    pub(crate) fn start(text: &str) -> Self {
        Self::start_with(text, MOST_SOURCES, MOST_MEMBERS)
    }

    /// As `start`, with room for so many sources in a slice and members in an export group.
    pub(crate) fn start_with(text: &str, sources: usize, members: usize) -> Self {
        let options = RuntimeOptions { threads: 2, ..RuntimeOptions::default() };
        let runtime = Runtime::new(options).unwrap();
        let rib = start_rib(&runtime, sources, members);
        let (log, logged) = channel();
        let log = Log::new(Arc::new(ToChannel(log)));
        let (texts, from) = channel();
        let config = Arc::new(parse(text).unwrap_or_else(|rejected| {
            panic!("{:?}", rejected.lines().collect::<Vec<_>>());
        }));
        let registry = rib.registry.clone();
        let shared = Shared::new(Arc::clone(&config), rib, Arc::new(NoHost), log);
        let manager = runtime.spawn_with("manager", Class::Control, |own| {
            let parts = ManagerParts {
                config,
                system: Box::new(Texts(from)),
                interface_source: Arc::new(NoInterfaces),
                shared,
            };
            Manager::new(own, parts)
        });
        Self { runtime: Some(runtime), manager, texts, logged, registry }
    }

    /// Takes another configuration.
    pub(crate) fn configure(&self, text: &str) -> Vec<Line> {
        self.configure_as(text, false)
    }

    /// Takes another configuration, softly or not.
    pub(crate) fn configure_as(&self, text: &str, soft: bool) -> Vec<Line> {
        self.texts.send(text.to_owned()).unwrap();
        let command = ConfigureCommand::Apply { soft, file: None, timeout: None };
        let notice = Reply::new(|_| {});
        self.ask(|reply| Request::Configure { command, reply, notice })
    }

    pub(crate) fn rows(&self) -> Vec<Row> {
        self.ask(|reply| Request::Rows(Selection::All, reply))
    }

    /// State and info of a protocol, as `show protocols` has them.
    pub(crate) fn state(&self, name: &str) -> String {
        let rows = self.rows();
        let row = rows.iter().find(|row| &*row.config.name == name);
        row.map_or("gone".to_owned(), |row| format!("{} {}", row.state, row.info.trim_end()))
    }

    pub(crate) fn describe(&self, name: &str) -> Description {
        let rows = self.rows();
        let id = rows.iter().find(|row| &*row.config.name == name).unwrap().running.unwrap();
        self.ask(|reply| Request::Describe(id, reply)).unwrap()
    }

    pub(crate) fn control(&self, action: Action, name: &str, message: Option<&str>) {
        let selection = Selection::Name(name.into());
        let message = message.map(Arc::from);
        self.ask(|reply| Request::Control { action, selection, message, reply });
    }

    /// Waits until a protocol shows this.
    pub(crate) fn wait_state(&self, name: &str, wanted: &str) {
        let mut last = String::new();
        for _ in 0..1500 {
            last = self.state(name);
            if last == wanted {
                return;
            }
            nap();
        }
        panic!("{name} is `{last}`, not `{wanted}`; log: {:#?}", self.log());
    }

    /// Waits until there are so many export groups.
    pub(crate) fn wait_groups(&self, wanted: usize) {
        let mut count = 0;
        for _ in 0..500 {
            let (answer, answered) = channel();
            let reply = Box::new(move |list: Vec<_>| answer.send(list.len()).unwrap());
            self.registry.send(Class::Control, RegistryMessage::List(reply)).unwrap();
            count = answered.recv_timeout(Duration::from_secs(20)).unwrap();
            if count == wanted {
                return;
            }
            nap();
        }
        panic!("{count} export groups, not {wanted}");
    }

    /// Waits until a channel has imported so many routes.
    pub(crate) fn wait_imported(&self, name: &str, wanted: u64) {
        let mut count = 0;
        for _ in 0..1500 {
            count = self.describe(name).channels[0].statistics.unwrap().imported;
            if count == wanted {
                return;
            }
            nap();
        }
        panic!("{name} has imported {count}, not {wanted}; log: {:#?}", self.log());
    }

    /// What was logged since the last look.
    pub(crate) fn log(&self) -> Vec<String> {
        self.logged.try_iter().collect()
    }

    fn ask<T: Send + 'static>(&self, make: impl FnOnce(Reply<T>) -> Request) -> T {
        let (answer, answered) = channel();
        let reply = Reply::new(move |value| drop(answer.send(value)));
        let request = ManagerMessage::Request(Box::new(make(reply)));
        self.manager.send(Class::Control, request).unwrap();
        answered.recv_timeout(Duration::from_secs(20)).unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown();
        }
    }
}

/// A moment, in a test.
#[expect(clippy::disallowed_methods, reason = "tests wait for real sockets")]
pub(crate) fn nap() {
    std::thread::sleep(Duration::from_millis(10));
}

fn parse(text: &str) -> Loaded {
    let list: [Arc<dyn ProtocolKind>; 1] = [Arc::new(Bgp)];
    let kinds: Kinds = Arc::new(list);
    parse_text("t.conf", &format!("router id 10.0.0.1;\n{text}"), &kinds)
}

fn start_rib(runtime: &Runtime, sources: usize, members: usize) -> Rib {
    let slices = (0..SLICES)
        .map(|id| (id, Slice::with_room(SliceId(id), sources)))
        .map(|(id, slice)| runtime.spawn(&format!("slice{id}"), Class::Routing, slice));
    let slices = Slices::new(slices.collect());
    let resolver = runtime.spawn("resolver", Class::Routing, Resolver::new());
    let registry = runtime.spawn("exports", Class::Control, Registry::with_max_members(members));
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

/// A loop that logs this panics.
pub(crate) const PANIC: &str = "now panic";

struct ToChannel(Sender<String>);

impl LogTarget for ToChannel {
    fn wants(&self, _class: LogClass) -> bool {
        true
    }

    fn write(&self, class: LogClass, text: String) {
        // A way into every loop that logs what a neighbour says.
        assert!(!text.contains(PANIC), "as the neighbour says");
        let _ = self.0.send(format!("<{}> {text}", class.mark()));
    }
}

struct Texts(Receiver<String>);

impl System for Texts {
    fn load(&mut self, _path: &Path, reply: Reply<Loaded>) {
        reply.send(parse(&self.0.recv().unwrap()));
    }

    fn apply(&mut self, _cx: &mut Context<'_>, _config: &Arc<Config>) -> Result<(), String> {
        Ok(())
    }

    fn started(&mut self, _config: &Config) {}

    fn finished(&mut self, _code: i32) {}
}

struct NoHost;

impl Host for NoHost {
    fn hostname(&self) -> Arc<str> {
        "test".into()
    }

    fn now(&self) -> WallTime {
        WallTime(Duration::ZERO)
    }

    fn zone(&self, _time: WallTime) -> i32 {
        0
    }

    fn memory(&self) -> MemoryReport {
        MemoryReport::default()
    }
}

/// No interfaces: sessions are multihop.
struct NoInterfaces;

impl InterfaceSource for NoInterfaces {
    fn watch(
        &self,
        _cx: &mut Context<'_>,
        _scan: Option<Duration>,
        _changed: Box<dyn Fn(Arc<Interfaces>) + Send>,
        _failed: Reply<String>,
    ) -> Box<dyn InterfaceWatch> {
        Box::new(Nothing)
    }
}

struct Nothing;

impl InterfaceWatch for Nothing {
    fn scan(&mut self, _interval: Option<Duration>) {}
}
