//! A protocol for tests: announces the routes of its configuration, and says what happens to it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "support of tests")]

use std::sync::Arc;
use std::sync::mpsc::Sender;

use dunlin_attr::{AttrsBuilder, BgpNextHop, Dest, Hop, Iface, IfaceName, NextHop, Origin, Rts};
use dunlin_conf::Parsed;
use dunlin_core::config::{ConfigParser, Globals};
use dunlin_core::protocol::{
    Change, ChannelDescription, ChannelKind, ChannelRules, ChannelState, ChannelStatistics, Child,
    Description, Difference, Differences, Direction, Effect, Environment, ExportState, ImportState,
    Instance, InstanceConfig, InstanceEvent, Needed, Phase, ProtocolConfig, ProtocolKind,
    ProtocolState, Reply, RouteChange, Section, Service, StartError, StopReason,
};
use dunlin_filter::{ChannelFilter, ResolvedHop, Scratch};
use dunlin_net::as_path::AsPathBuf;
use dunlin_net::{Prefix, Prefix4, Prefix6};
use dunlin_rib::assess::Ask;
use dunlin_rib::barrier::Barrier;
use dunlin_rib::export::{Deciding, ExportPolicy, ExportVerdict, RouteView};
use dunlin_rib::import::ImportBuilder;
use dunlin_rib::limits::LimitKind;
use dunlin_rib::slice::SliceMessage;
use dunlin_rib::source::{ChannelEvents, SourceSpec};
use dunlin_rib::{Peer, Source, SourceId};
use dunlin_runtime::{Address, Class, Context, Loop, Panic};

/// A protocol type for tests.
pub struct Toy {
    pub keyword: &'static str,
    pub phase: Phase,
    pub events: Sender<String>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct ToyConfig {
    routes: Vec<Prefix>,
    bgp: Vec<(Prefix, String)>,
    rigid: u32,
    soft: u32,
    broken: bool,
    fragile: bool,
    stubborn: bool,
    children: u32,
}

impl ProtocolConfig for ToyConfig {
    fn same(&self, other: &dyn ProtocolConfig) -> bool {
        other.downcast::<Self>() == Some(self)
    }

    fn differences(&self, _old: &InstanceConfig, new: &InstanceConfig, found: &mut Differences) {
        let new = new.specific::<Self>().unwrap();
        found.note(self.rigid != new.rigid, "rigid", Effect::Restart);
        let others = Self { rigid: new.rigid, ..self.clone() };
        found.note(others != *new, "lax", Effect::Live);
    }
}

impl Section for ToyConfig {
    fn inherit(&self) -> Box<dyn Section> {
        Box::new(self.clone())
    }

    fn statement(&mut self, parser: &mut ConfigParser, _globals: &Globals) -> Parsed<bool> {
        if parser.eat_word("route") {
            self.routes.push(parser.prefix()?);
        } else if parser.eat_word("learnt") {
            let net = parser.prefix()?;
            self.bgp.push((net, parser.string()?.to_string()));
        } else if parser.eat_word("rigid") {
            self.rigid = parser.integer()?;
        } else if parser.eat_word("lax") {
            self.soft = parser.integer()?;
        } else if parser.eat_word("broken") {
            self.broken = true;
        } else if parser.eat_word("fragile") {
            self.fragile = true;
        } else if parser.eat_word("stubborn") {
            self.stubborn = true;
        } else if parser.eat_word("children") {
            self.children = parser.integer()?;
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    fn finish(
        &self,
        _parser: &mut ConfigParser,
        _globals: &Globals,
        _config: &mut InstanceConfig,
    ) -> Parsed<Arc<dyn ProtocolConfig>> {
        Ok(Arc::new(self.clone()))
    }
}

impl ProtocolKind for Toy {
    fn keyword(&self) -> &'static str {
        self.keyword
    }
    fn type_name(&self) -> &'static str {
        "Toy"
    }
    fn phase(&self) -> Phase {
        self.phase
    }
    fn channels(&self) -> ChannelRules {
        ChannelRules {
            kinds: &[ChannelKind::Ipv4, ChannelKind::Ipv6],
            others: &[],
            needed: if self.phase == Phase::Device { Needed::None } else { Needed::Any },
            preference: 150,
            import: ChannelFilter::Accept,
            export: ChannelFilter::Reject,
        }
    }
    fn section(&self) -> Box<dyn Section> {
        Box::new(ToyConfig::default())
    }
    fn service(&self) -> Box<dyn Service> {
        Box::new(ToyService { events: self.events.clone() })
    }
}

struct ToyService {
    events: Sender<String>,
}

impl ToyService {
    fn say(&self, text: String) {
        let _ = self.events.send(text);
    }

    fn run(
        &self,
        cx: &mut Context<'_>,
        environment: Environment,
        config: &InstanceConfig,
    ) -> Box<dyn Instance> {
        let toy: ToyConfig = config.specific::<ToyConfig>().unwrap().clone();
        let name = config.name.clone();
        let state = ToyLoop {
            environment,
            config: config.clone(),
            toy: toy.clone(),
            sources: Vec::new(),
            breaks: false,
            ending: false,
        };
        let address = cx.spawn(&name, Class::Control, state);
        let exports = config.channels.iter().map(|c| (c.kind, c.export.clone())).collect();
        Box::new(ToyInstance { name, toy, exports, address, events: self.events.clone() })
    }
}

impl Service for ToyService {
    fn start(
        &mut self,
        cx: &mut Context<'_>,
        environment: Environment,
        config: Arc<InstanceConfig>,
    ) -> Result<Box<dyn Instance>, StartError> {
        self.say(format!("start {}", config.name));
        if config.specific::<ToyConfig>().unwrap().broken {
            return Err(StartError::Unsupported("a broken toy".to_owned()));
        }
        Ok(self.run(cx, environment, &config))
    }

    fn start_child(
        &mut self,
        cx: &mut Context<'_>,
        environment: Environment,
        config: Arc<InstanceConfig>,
        payload: Box<dyn std::any::Any + Send>,
    ) -> Result<Box<dyn Instance>, StartError> {
        let payload = payload.downcast::<u32>().unwrap();
        self.say(format!("child {} {payload}", config.name));
        Ok(self.run(cx, environment, &config))
    }

    fn child_config(
        &self,
        parent: &InstanceConfig,
        _child: &InstanceConfig,
    ) -> Option<InstanceConfig> {
        let mut config = parent.clone();
        let toy = ToyConfig { children: 0, ..config.specific::<ToyConfig>()?.clone() };
        config.specific = Arc::new(toy);
        Some(config)
    }
}

struct ToyInstance {
    name: Arc<str>,
    toy: ToyConfig,
    /// The export filters of its channels.
    exports: Vec<(ChannelKind, ChannelFilter)>,
    address: Address<ToyMessage>,
    events: Sender<String>,
}

enum ToyMessage {
    Stop,
    Gone,
    Describe(Reply<Description>),
    /// Panic, now or when it is told to stop.
    Break(bool),
}

impl Instance for ToyInstance {
    fn reconfigure(&mut self, _cx: &mut Context<'_>, change: &Change<'_>) {
        self.toy = change.new.specific::<ToyConfig>().unwrap().clone();
        let _ = self.events.send(format!("change {} {:?}", self.name, change.mode));
    }

    fn refusal(&self, new: &InstanceConfig) -> Option<Difference> {
        let refused = new.specific::<ToyConfig>()?.soft == 13;
        refused.then(|| Difference::new("lax", Effect::Restart))
    }

    fn reload(&mut self, _cx: &mut Context<'_>, direction: Direction) -> bool {
        let _ = self.events.send(format!("reload {} {direction:?}", self.name));
        true
    }

    fn reloads_in_part(&self, direction: Direction) -> bool {
        direction == Direction::In
    }

    fn refresh(&mut self, _cx: &mut Context<'_>, direction: Direction) -> Result<String, String> {
        if !self.toy.fragile {
            return Err("not reloading, route refresh unavailable".to_owned());
        }
        let now = direction == Direction::In;
        let _ = self.address.send(Class::Control, ToyMessage::Break(now));
        Ok(if now { ": broken" } else { ": breaks when it stops" }.to_owned())
    }

    fn describe(&self, reply: Reply<Description>) {
        let _ = self.address.send(Class::Control, ToyMessage::Describe(reply));
    }

    fn export_policy(&self, channel: ChannelKind) -> Option<Arc<dyn ExportPolicy>> {
        let filters = self.exports.iter().find(|(kind, _)| *kind == channel);
        Some(Arc::new(SmallOnly(filters?.1.clone())))
    }

    /// As if a changed filter let all pass.
    fn export_changes(&self, change: &Change<'_>) -> Vec<RouteChange> {
        let changed = change
            .new
            .channels
            .iter()
            .filter(|channel| change.reloads(channel.kind.keyword(), Effect::Export));
        let asked = changed.map(|channel| RouteChange {
            channel: channel.kind.keyword(),
            direction: Direction::Out,
            table: channel.table.clone(),
            ask: Ask::Best {
                now: Arc::new(SmallOnly(channel.export.clone())),
                then: Arc::new(Everything),
                sent_anew: [false; 2],
                to: [Arc::clone(&change.new.name)].into(),
            },
        });
        asked.collect()
    }

    fn show(&self, what: &str, reply: Reply<Vec<String>>) {
        reply.send(vec![format!("{what} of {}", self.name)]);
    }

    fn stop(&mut self, _cx: &mut Context<'_>, reason: &StopReason) {
        let message = reason.message.as_deref().unwrap_or("");
        let _ = self.events.send(format!("stop {} {:?}{message}", self.name, reason.cause));
        let _ = self.address.send(Class::Control, ToyMessage::Stop);
    }
}

/// Exports networks of at least 24 bits, refuses those of fewer than 10.
struct SmallOnly(ChannelFilter);

impl ExportPolicy for SmallOnly {
    fn key(&self) -> u64 {
        1
    }
    fn ignores_net(&self) -> bool {
        false
    }
    fn evaluate(&self, _scratch: &mut Scratch, route: RouteView<'_>) -> ExportVerdict {
        match route.net.prefix().map_or(0, Prefix::len) {
            0..10 => ExportVerdict::Refused,
            10..24 => ExportVerdict::Filtered,
            _ => ExportVerdict::AsIs,
        }
    }
    fn deciding<'a>(&'a self, route: RouteView<'a>) -> Deciding<'a> {
        match route.net.prefix().map_or(0, Prefix::len) {
            0..10 => Deciding::Rules("it is too large"),
            10..24 => Deciding::Filter(&ChannelFilter::Reject, route.input(ResolvedHop::default())),
            _ => Deciding::Filter(&self.0, route.input(ResolvedHop::default())),
        }
    }
}

/// Exports all.
struct Everything;

impl ExportPolicy for Everything {
    fn key(&self) -> u64 {
        2
    }
    fn ignores_net(&self) -> bool {
        true
    }
    fn evaluate(&self, _scratch: &mut Scratch, _route: RouteView<'_>) -> ExportVerdict {
        ExportVerdict::AsIs
    }
    fn deciding<'a>(&'a self, route: RouteView<'a>) -> Deciding<'a> {
        Deciding::Filter(&ChannelFilter::Accept, route.input(ResolvedHop::default()))
    }
}

struct ToyLoop {
    environment: Environment,
    config: InstanceConfig,
    toy: ToyConfig,
    sources: Vec<Arc<Source>>,
    breaks: bool,
    /// It is to end, and waits until somebody asks how it is.
    ending: bool,
}

struct NoEvents;

impl ChannelEvents for NoEvents {
    fn limit_hit(&self, _source: SourceId, _kind: LimitKind) {}
    fn filter_error(&self, _source: SourceId, _message: &str) {}
    fn filter_print(&self, _source: SourceId, _text: &str) {}
}

impl ToyLoop {
    fn announce(&mut self) {
        for channel in self.config.channels.clone() {
            let environment = &self.environment;
            let peer = Peer {
                address: "10.9.0.2".parse().unwrap(),
                interface: None,
                router_id: 2,
                asn: 65002,
                local_asn: 65001,
                internal: false,
                cluster: None,
                rs_client: false,
            };
            let is_bgp = !self.toy.bgp.is_empty();
            let mut source = Source::new(SourceSpec {
                id: environment.rib.source_id(),
                table: environment.tables.id(&channel.table).unwrap(),
                protocol: self.config.name.clone(),
                kind: if is_bgp { Rts::Bgp } else { Rts::Static },
                events: Arc::new(NoEvents),
            });
            source.peer = is_bgp.then_some(peer);
            source.import = channel.import.clone();
            source.preference = channel.preference;
            source.keep_filtered = channel.keep_filtered;
            source.trace = Some(environment.log.routes(channel.kind));
            let source = Arc::new(source);
            self.sources.push(source.clone());
            self.feed(channel.kind, source);
        }
    }

    fn feed(&self, kind: ChannelKind, source: Arc<Source>) {
        let slices = self.environment.rib.slices.clone();
        let mut plain = AttrsBuilder::new(Rts::Static);
        let preference = source.preference;
        plain.set_preference(preference);
        plain.set_dest(Dest::Blackhole);
        let plain = plain.finish();
        let mut routes: Vec<_> = self.toy.routes.iter().map(|net| (*net, plain.clone())).collect();
        for (net, path) in &self.toy.bgp {
            let mut bgp = AttrsBuilder::new(Rts::Bgp);
            bgp.set_preference(preference);
            bgp.set_origin(Origin::Igp);
            bgp.set_as_path(path.parse::<AsPathBuf>().unwrap().view()).unwrap();
            bgp.set_bgp_next_hop(Some(BgpNextHop::new("10.9.0.2".parse().unwrap())));
            let veth = Iface { index: 3, name: IfaceName::new("veth0").unwrap() };
            bgp.set_next_hop(NextHop::hop(Hop::via("10.9.0.2".parse().unwrap()).on(veth)));
            routes.push((*net, bgp.finish()));
        }
        match kind {
            ChannelKind::Roa4 | ChannelKind::Roa6 | ChannelKind::Aspa => {}
            ChannelKind::Ipv4 => {
                let mut builder = ImportBuilder::<Prefix4>::new(slices, source, None);
                for (net, attrs) in &routes {
                    if let Prefix::V4(key) = net {
                        builder.announce(*key, 0, attrs);
                    }
                }
                builder.flush();
            }
            ChannelKind::Ipv6 => {
                let mut builder = ImportBuilder::<Prefix6>::new(slices, source, None);
                for (net, attrs) in &routes {
                    if let Prefix::V6(key) = net {
                        builder.announce(*key, 0, attrs);
                    }
                }
                builder.flush();
            }
        }
    }

    fn withdraw(&mut self, cx: &mut Context<'_>) {
        let own = cx.own::<ToyMessage>().unwrap();
        let slices = &self.environment.rib.slices;
        let done = Arc::new(Barrier::new(slices.count() * self.sources.len().max(1), move || {
            let _ = own.send(Class::Control, ToyMessage::Gone);
        }));
        if self.sources.is_empty() {
            (0..slices.count()).for_each(|_| {
                done.arrive();
            });
        }
        for source in &self.sources {
            source.kill();
            slices.send_all(Class::Routing, || SliceMessage::SourceDown {
                source: source.id,
                done: Some(done.clone()),
            });
        }
    }

    fn ask_for_children(&self) {
        for number in 0..self.toy.children {
            let mut config = self.config.clone();
            config.name = "kid".into();
            config.specific = Arc::new(ToyConfig { children: 0, ..self.toy.clone() });
            let child = Child { config, digits: 2, payload: Box::new(number) };
            self.environment.reporter.report(InstanceEvent::Child(Box::new(child)));
        }
    }

    fn describe(&self) -> Description {
        let channel = |channel: &dunlin_core::protocol::ChannelConfig| ChannelDescription {
            kind: channel.kind,
            state: ChannelState::Up,
            import: ImportState::Up,
            export: ExportState::Ready,
            statistics: Some(ChannelStatistics {
                imported: 3,
                filtered: 2,
                exported: 6,
                import_hit: true,
                ..Default::default()
            }),
            above: Vec::new(),
            below: vec!["    Toy colour:     green".to_owned()],
        };
        Description {
            lines: vec!["  Toy state:          Whole".to_owned()],
            channels: self.config.channels.iter().map(channel).collect(),
        }
    }
}

impl Loop for ToyLoop {
    type Message = ToyMessage;

    fn start(&mut self, _cx: &mut Context<'_>) {
        let reporter = self.environment.reporter.clone();
        if self.config.kind.phase() == Phase::Device {
            reporter.report(InstanceEvent::Interfaces(super::interfaces()));
        }
        self.announce();
        reporter.state(ProtocolState::Up);
        self.ask_for_children();
    }

    fn message(&mut self, cx: &mut Context<'_>, message: ToyMessage) {
        match message {
            ToyMessage::Break(now) => {
                assert!(!now, "as it was told");
                self.breaks = true;
            }
            ToyMessage::Stop => {
                assert!(!self.breaks, "as it was told");
                // Peers may have come just before we heard that we have to go.
                self.ask_for_children();
                self.environment.reporter.state(ProtocolState::Stop);
                // One that is stubborn goes when it is looked at.
                self.ending = self.toy.stubborn;
                if !self.ending {
                    self.withdraw(cx);
                }
            }
            ToyMessage::Gone => {
                self.environment.reporter.state(ProtocolState::Down);
                cx.stop_self();
            }
            ToyMessage::Describe(reply) => {
                reply.send(self.describe());
                if self.ending {
                    self.withdraw(cx);
                }
            }
        }
    }

    fn panicked(&mut self, panic: &Panic) {
        for source in &self.sources {
            source.kill();
            let gone = || SliceMessage::SourceDown { source: source.id, done: None };
            self.environment.rib.slices.send_all(Class::Routing, gone);
        }
        self.environment.reporter.panicked(panic);
    }
}
