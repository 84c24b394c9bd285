//! A Dunlin without an operating system: the loops of the daemon, put together as `sysdep/daemon`
//! does it, on simulated interfaces.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::time::Duration;
use std::path::Path;
use std::sync::{Arc, Mutex};

use dunlin_bgp::Bgp;
use dunlin_core::command::Line;
use dunlin_core::config::{Config, Kinds, Loaded, parse_text};
use dunlin_core::interfaces::{
    Interface, InterfaceAddress, InterfaceFlags, InterfaceSource, InterfaceWatch, Interfaces,
};
use dunlin_core::log::{Log, LogClass, LogTarget};
use dunlin_core::manager::{
    ConfigureCommand, Host, Manager, ManagerMessage, ManagerParts, MemoryReport, Request, Shared,
    Signal, System,
};
use dunlin_core::protocol::{ProtocolKind, Reply, Rib};
use dunlin_core::timeformat::WallTime;
use dunlin_device::Device;
use dunlin_net::Prefix;
use dunlin_rib::SliceId;
use dunlin_rib::egress::MAX_LAG;
use dunlin_rib::import::Slices;
use dunlin_rib::registry::{Registry, RegistryMessage};
use dunlin_rib::resolver::{Resolver, ResolverMessage};
use dunlin_rib::slice::{Slice, SliceMessage};
use dunlin_rib::validation::validator::{Validator, ValidatorMessage};
use dunlin_rib::validation::{Validated, ValidatedNow};
use dunlin_runtime::sim::SimRuntime;
use dunlin_runtime::{Address, Class, Context};
use dunlin_static::Static;

/// What a daemon is.
#[derive(Clone, Debug)]
pub struct DaemonSpec {
    /// In front of the names of its loops.
    pub name: String,
    /// Its number, from 0: gives its addresses.
    pub index: usize,
    /// Its AS.
    pub asn: u32,
    /// Table slices.
    pub slices: usize,
    /// Bytes that a member may be behind before it leaves the log.
    pub max_lag: u64,
    /// Networks of static routes.
    pub statics: Vec<Prefix>,
    /// Import filters put this AS in front of paths.
    pub mark: Option<u32>,
}

impl DaemonSpec {
    /// Daemon number `index`.
    pub fn new(index: usize) -> Self {
        Self {
            name: format!("dunlin{index}"),
            index,
            asn: 65_001 + index as u32,
            slices: 4,
            max_lag: MAX_LAG,
            statics: Vec::new(),
            mark: None,
        }
    }

    /// Its address.
    pub fn address(&self) -> IpAddr {
        Ipv4Addr::new(10, 0, self.index as u8, 1).into()
    }

    fn address6(&self) -> IpAddr {
        Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, self.index as u16, 1).into()
    }

    /// Statements that come before the neighbours.
    fn preamble(&self) -> String {
        let mut text = format!("router id {};\nprotocol device {{}}\n", self.address());
        for (family, is_v4) in [("ipv4", true), ("ipv6", false)] {
            let of = self.statics.iter().filter(|net| net.is_v4() == is_v4);
            let routes: String = of.map(|net| format!(" route {net} blackhole;")).collect();
            text += &format!("protocol static static_{family} {{ {family};{routes} }}\n");
        }
        text
    }

    fn configuration(&self, sessions: &[SessionSpec]) -> String {
        let mut text = self.preamble();
        text.extend(sessions.iter().map(|session| self.neighbor(session)));
        text
    }

    /// A session with a neighbour.
    pub fn neighbor(&self, session: &SessionSpec) -> String {
        let SessionSpec { name, address, asn, hold, transparent, passive, export } = session;
        let client = if *transparent { "rs client;" } else { "" };
        let passive = if *passive { "passive yes;" } else { "" };
        let import = match self.mark {
            Some(mark) => format!("import filter {{ bgp_path.prepend({mark}); accept; }};"),
            None => "import all;".to_owned(),
        };
        format!(
            "protocol bgp {name} {{
                local {local} as {own}; neighbor {address} as {asn}; strict bind yes;
                hold time {hold}; {client} {passive}
                connect delay time 1; connect retry time 3; error wait time 1, 2;
                ipv4 {{ {import} {export} }};
                ipv6 {{ {import} {export} }};
            }}\n",
            local = self.address(),
            own = self.asn,
        )
    }
}

/// A session in the configuration.
#[derive(Clone, Debug)]
pub struct SessionSpec {
    /// Of the protocol.
    pub name: String,
    /// The neighbour's address.
    pub address: IpAddr,
    /// The neighbour's AS.
    pub asn: u32,
    /// Hold time in seconds.
    pub hold: u16,
    /// It is a route server's client.
    pub transparent: bool,
    /// The neighbour connects.
    pub passive: bool,
    /// The export clause.
    pub export: &'static str,
}

/// A running daemon.
#[derive(Debug)]
pub struct Daemon {
    /// What it is.
    pub spec: DaemonSpec,
    /// Its manager.
    pub manager: Address<ManagerMessage>,
    /// Its slices.
    pub slices: Slices,
    /// Its export groups.
    pub registry: Address<RegistryMessage>,
    /// What it has logged.
    pub logged: Arc<Mutex<Vec<(LogClass, String)>>>,
    /// What it has answered to [`Daemon::configure`].
    pub answers: Arc<Mutex<Vec<String>>>,
    /// Its configuration file.
    file: Arc<Mutex<String>>,
}

impl Daemon {
    /// Starts a daemon.
    pub fn start(sim: &SimRuntime, spec: DaemonSpec, sessions: &[SessionSpec]) -> Self {
        let text = spec.configuration(sessions);
        let config = match parse_text("sim.conf", &text, &kinds()) {
            Ok(config) => Arc::new(config),
            Err(rejected) => panic!("{text}\n{:#?}", rejected.lines().collect::<Vec<_>>()),
        };
        let (rib, registry) = start_rib(sim, &spec);
        let slices = rib.slices.clone();
        let logged: Arc<Mutex<Vec<(LogClass, String)>>> = Arc::default();
        let log = Log::new(Arc::new(Notes(Arc::clone(&logged))));
        let host = Arc::new(SimHost(spec.name.as_str().into()));
        let shared = Shared::new(Arc::clone(&config), rib, host, log);
        let interface_source = Arc::new(Lan(lan(&spec)));
        let name = format!("{} manager", spec.name);
        let file = Arc::new(Mutex::new(text));
        let system = Box::new(SimSystem(Arc::clone(&file)));
        let manager = sim.spawn_with(&name, Class::Control, |own| {
            Manager::new(own, ManagerParts { config, system, interface_source, shared })
        });
        Self { spec, manager, slices, registry, logged, answers: Arc::default(), file }
    }

    /// Changes the mark and reads the configuration again.
    pub fn set_mark(&mut self, mark: u32, sessions: &[SessionSpec]) {
        self.write(Some(mark), sessions);
        self.manager.send(Class::Control, ManagerMessage::Signal(Signal::Configure)).unwrap();
    }

    /// Changes the mark in the file, which nobody reads yet.
    pub fn write(&mut self, mark: Option<u32>, sessions: &[SessionSpec]) {
        self.spec.mark = mark;
        *self.file.lock().unwrap() = self.spec.configuration(sessions);
    }

    /// Somebody says `configure`. The codes of the answer, and the text of what comes later, go to
    /// [`Daemon::answers`].
    pub fn configure(&self, command: ConfigureCommand) {
        let (answers, notices) = (Arc::clone(&self.answers), Arc::clone(&self.answers));
        let reply = Reply::new(move |lines: Vec<Line>| {
            let codes: Vec<String> = lines.iter().map(|line| line.code.to_string()).collect();
            answers.lock().unwrap().push(codes.join(" "));
        });
        let notice = Reply::new(move |text| notices.lock().unwrap().push(text));
        let request = Box::new(Request::Configure { command, reply, notice });
        self.manager.send(Class::Control, ManagerMessage::Request(request)).unwrap();
    }
}

fn kinds() -> Kinds {
    let list: [Arc<dyn ProtocolKind>; 3] = [Arc::new(Device), Arc::new(Static), Arc::new(Bgp)];
    Arc::new(list)
}

fn start_rib(sim: &SimRuntime, spec: &DaemonSpec) -> (Rib, Address<RegistryMessage>) {
    let name = &spec.name;
    let resolver = sim.spawn(&format!("{name} resolver"), Class::Routing, Resolver::new());
    let registry = Registry::with_max_lag(spec.max_lag);
    let registry = sim.spawn(&format!("{name} exports"), Class::Control, registry);
    let slice = |number: usize| {
        let slice = Slice::new(SliceId(number as u16));
        sim.spawn(&format!("{name} slice{number}"), Class::Routing, slice)
    };
    let slices = Slices::new((0..spec.slices).map(slice).collect());
    let validated = ValidatedNow::new(Validated::default());
    let validator =
        sim.spawn(&format!("{name} validator"), Class::Routing, Validator::new(validated.clone()));
    slices.send_all(Class::Routing, || SliceMessage::Start {
        slices: slices.clone(),
        resolver: resolver.clone(),
        validated: validated.clone(),
    });
    resolver.send(Class::Routing, ResolverMessage::Start(slices.clone())).unwrap();
    registry.send(Class::Control, RegistryMessage::Start(slices.clone())).unwrap();
    let start = ValidatorMessage::Start(slices.clone(), validator.clone());
    validator.send(Class::Routing, start).unwrap();
    (Rib::new(slices, registry.clone(), resolver, (validated, validator)), registry)
}

/// One interface that everybody is on.
fn lan(spec: &DaemonSpec) -> Arc<Interfaces> {
    let entry = |address: IpAddr, length: u8| InterfaceAddress {
        address,
        prefix: Prefix::new(address, length).unwrap(),
        opposite: None,
        secondary: false,
    };
    let flags = InterfaceFlags { admin_up: true, link_up: true, ..InterfaceFlags::default() };
    Arc::new(Interfaces::new(vec![Interface {
        index: 1,
        name: "lan0".into(),
        flags,
        mtu: 1500,
        master: 0,
        addresses: vec![entry(spec.address(), 8), entry(spec.address6(), 16)],
    }]))
}

#[derive(Debug)]
struct Lan(Arc<Interfaces>);

impl InterfaceSource for Lan {
    fn watch(
        &self,
        _cx: &mut Context<'_>,
        _scan: Option<Duration>,
        changed: Box<dyn Fn(Arc<Interfaces>) + Send>,
        _failed: Reply<String>,
    ) -> Box<dyn InterfaceWatch> {
        changed(Arc::clone(&self.0));
        Box::new(NoWatch)
    }
}

struct NoWatch;

impl InterfaceWatch for NoWatch {
    fn scan(&mut self, _interval: Option<Duration>) {}
}

/// The text of the one file that there is.
struct SimSystem(Arc<Mutex<String>>);

impl System for SimSystem {
    fn load(&mut self, _path: &Path, reply: Reply<Loaded>) {
        reply.send(parse_text("sim.conf", &self.0.lock().unwrap(), &kinds()));
    }
    fn apply(&mut self, _cx: &mut Context<'_>, _config: &Arc<Config>) -> Result<(), String> {
        Ok(())
    }
    fn started(&mut self, _config: &Config) {}
    fn finished(&mut self, _code: i32) {}
}

struct SimHost(Arc<str>);

impl Host for SimHost {
    fn hostname(&self) -> Arc<str> {
        Arc::clone(&self.0)
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

struct Notes(Arc<Mutex<Vec<(LogClass, String)>>>);

impl LogTarget for Notes {
    fn wants(&self, _class: LogClass) -> bool {
        true
    }
    fn write(&self, class: LogClass, text: String) {
        self.0.lock().unwrap().push((class, text));
    }
}
