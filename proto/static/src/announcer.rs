//! The loop that announces what can be used.
//!
//! All announcing is one resumable walk over the routes: it compares what each comes to now with what
//! was announced of it. Changed interfaces and configurations only start that walk again, so it does
//! not matter how many changes come while it is under way.

use std::net::IpAddr;
use std::sync::Arc;

use dunlin_attr::{Attrs, AttrsBuilder, Dest, Iface, NextHop, Rts};
use dunlin_core::interfaces::Interfaces;
use dunlin_core::log::LogClass;
use dunlin_core::protocol::{
    ChannelConfig, ChannelDescription, ChannelState, ChannelStatistics, Description, Environment,
    ExportState, ImportState, InstanceConfig, Limit, ProtocolState, Reply,
};
use dunlin_filter::{ResolvedHop, RouteInput, Scratch, Sink, Verdict, run};
use dunlin_net::{Prefix, Prefix4, Prefix6};
use dunlin_rib::barrier::Barrier;
use dunlin_rib::import::{CreditGate, ImportBuilder};
use dunlin_rib::limits::{self, ImportLimits};
use dunlin_rib::slice::SliceMessage;
use dunlin_rib::source::SourceSpec;
use dunlin_rib::{Resolve, Source, TableId};
use dunlin_runtime::{Address, Class, Context, EventId, Loop, Progress, WorkId};

use crate::config::StaticConfig;
use crate::events::Events;
use crate::plan::{Entry, merge};
use crate::reach;

/// Announcements under way to the slices before the walk waits for them, in bytes.
const CREDIT: usize = 1 << 20;

/// Routes looked at before the budget is asked for.
const PIECE: usize = 64;

/// Announcements in one batch.
const BATCH: usize = 1024;

/// What the loop is told.
#[derive(Debug)]
pub enum AnnouncerMessage {
    /// The interfaces as they are now.
    Interfaces(Arc<Interfaces>),
    /// A new configuration.
    Config(Arc<InstanceConfig>),
    /// Run the import filter over all routes again.
    Refilter,
    /// Describe yourself.
    Describe(Reply<Description>),
    /// The lines of `show static`.
    Show(Reply<Vec<String>>),
    /// End.
    Stop,
    /// The slices have removed all our routes.
    Flushed,
}

/// See the module.
pub struct Announcer {
    own: Address<AnnouncerMessage>,
    environment: Environment,
    config: Arc<InstanceConfig>,
    interfaces: Arc<Interfaces>,
    source: Arc<Source>,
    feed: Option<Feed>,
    entries: Vec<Entry>,
    /// Next route to look at.
    cursor: usize,
    work: WorkId,
    credit_event: EventId,
    scratch: Scratch,
    /// The last set made, and of what: neighbours in the list mostly have the same.
    last: Option<(Dest, NextHop, Arc<Attrs>)>,
    stopping: bool,
}

/// Where announcements go.
enum Feed {
    V4(ImportBuilder<Prefix4>, Arc<CreditGate>),
    V6(ImportBuilder<Prefix6>, Arc<CreditGate>),
}

impl Feed {
    fn put(&mut self, net: Prefix, path_id: u32, attrs: Option<&Arc<Attrs>>) {
        match (self, net) {
            (Self::V4(builder, _), Prefix::V4(key)) => put(builder, key, path_id, attrs),
            (Self::V6(builder, _), Prefix::V6(key)) => put(builder, key, path_id, attrs),
            // The section's check keeps other networks out.
            _ => {}
        }
    }

    fn queued(&self) -> usize {
        match self {
            Self::V4(builder, _) => builder.queued(),
            Self::V6(builder, _) => builder.queued(),
        }
    }

    fn flush(&mut self) {
        match self {
            Self::V4(builder, _) => builder.flush(),
            Self::V6(builder, _) => builder.flush(),
        }
    }

    /// Whether to wait; then the credit event follows.
    fn is_full(&self) -> bool {
        let (Self::V4(_, gate) | Self::V6(_, gate)) = self;
        gate.pause_if_full()
    }
}

fn put<K: dunlin_rib::import::TableKey>(
    builder: &mut ImportBuilder<K>,
    key: K,
    path_id: u32,
    attrs: Option<&Arc<Attrs>>,
) {
    match attrs {
        Some(attrs) => builder.announce(key, path_id, attrs),
        None => builder.withdraw(key, path_id),
    }
}

impl core::fmt::Debug for Announcer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Announcer").field("entries", &self.entries.len()).finish_non_exhaustive()
    }
}

impl Announcer {
    /// The source of an instance's routes; none if a table that it needs does not exist.
    pub fn source(environment: &Environment, config: &InstanceConfig) -> Option<Source> {
        source_of(environment, config, config.channels.first()?)
    }

    /// An announcer that begins when its loop starts.
    pub fn new(
        own: Address<AnnouncerMessage>,
        environment: Environment,
        config: Arc<InstanceConfig>,
        source: Arc<Source>,
    ) -> Self {
        Self {
            own,
            interfaces: Arc::clone(&environment.interfaces),
            environment,
            source,
            feed: None,
            entries: merge(Vec::new(), &section_of(&config).routes).0,
            cursor: 0,
            work: WorkId::NONE,
            credit_event: EventId::NONE,
            scratch: Scratch::default(),
            last: None,
            stopping: false,
            config,
        }
    }

    /// Looks at all routes again.
    fn begin(&mut self, cx: &mut Context<'_>) {
        if !self.stopping {
            self.cursor = 0;
            cx.queue(self.work);
        }
    }

    fn walk(&mut self, cx: &mut Context<'_>) -> Progress {
        while self.cursor < self.entries.len() {
            if self.feed.as_ref().is_some_and(Feed::is_full) {
                // The credit event goes on.
                return Progress::Done;
            }
            let end = (self.cursor + PIECE).min(self.entries.len());
            for index in self.cursor..end {
                self.look_at(index);
            }
            self.cursor = end;
            if self.feed.as_ref().is_some_and(|feed| feed.queued() >= BATCH) {
                self.flush();
            }
            if cx.over_budget() {
                self.flush();
                return Progress::More;
            }
        }
        self.flush();
        Progress::Done
    }

    fn flush(&mut self) {
        if let Some(feed) = &mut self.feed {
            feed.flush();
        }
    }

    /// Announces a route, or withdraws it, if it has come to something else than was announced.
    fn look_at(&mut self, index: usize) {
        let wanted = self.attributes(index);
        let Some(entry) = self.entries.get_mut(index) else { return };
        if entry.announced == wanted {
            return;
        }
        if let Some(feed) = &mut self.feed {
            feed.put(entry.route.net, entry.path_id, wanted.as_ref());
        }
        entry.announced = wanted;
    }

    /// What a route comes to now; none if it is dormant.
    fn attributes(&mut self, index: usize) -> Option<Arc<Attrs>> {
        let check_link = section_of(&self.config).check_link;
        let route = &self.entries.get(index)?.route;
        let (dest, next_hop) = reach::resolve(&route.destination, &self.interfaces, check_link)?;
        let attrs = match &self.last {
            Some((last_dest, last_hop, attrs)) if *last_dest == dest && *last_hop == next_hop => {
                Arc::clone(attrs)
            }
            _ => {
                let attrs = self.build(dest, next_hop.clone());
                self.last = Some((dest, next_hop, Arc::clone(&attrs)));
                attrs
            }
        };
        self.run_statements(index, attrs)
    }

    fn build(&self, dest: Dest, next_hop: NextHop) -> Arc<Attrs> {
        let mut builder = AttrsBuilder::new(Rts::Static);
        builder.set_dest(dest);
        builder.set_next_hop(next_hop);
        builder.set_preference(self.config.channels.first().map_or(0, |c| c.preference));
        builder.finish()
    }

    /// Runs the statements behind a route, if there are some.
    fn run_statements(&mut self, index: usize, attrs: Arc<Attrs>) -> Option<Arc<Attrs>> {
        let route = &self.entries.get(index)?.route;
        let Some(program) = &route.statements else { return Some(attrs) };
        let hop = attrs.next_hop().hops().first();
        let input = RouteInput {
            net: route.net,
            attrs: &attrs,
            protocol: &self.config.name,
            from: None,
            hop: ResolvedHop {
                gateway: hop.and_then(|hop| hop.gateway),
                interface: hop.and_then(|hop| hop.iface),
                ..ResolvedHop::default()
            },
            interfaces: Some(&Known(&self.interfaces)),
        };
        let mut printed = ToLog(&self.environment);
        match run(program, &mut self.scratch, &input, &mut printed) {
            Verdict::Accept(None) => Some(attrs),
            Verdict::Accept(Some(changed)) => Some(changed),
            Verdict::Reject => None,
            Verdict::Error(error) => {
                self.environment.log.write(LogClass::Error, format_args!("{error}"));
                None
            }
        }
    }

    // --- What happens

    fn configure(&mut self, cx: &mut Context<'_>, new: Arc<InstanceConfig>) {
        let old = core::mem::replace(&mut self.config, new);
        let routes = &section_of(&self.config).routes;
        let (entries, leftover) = merge(core::mem::take(&mut self.entries), routes);
        self.entries = entries;
        if let Some(feed) = &mut self.feed {
            for (net, path_id) in leftover.withdraw {
                feed.put(net, path_id, None);
            }
            feed.flush();
        }
        let changed = match (old.channels.first(), self.config.channels.first()) {
            (Some(old), Some(new)) => {
                !old.import.same(&new.import) || old.preference != new.preference
            }
            _ => false,
        };
        if changed {
            self.refilter();
        }
        self.last = None;
        self.begin(cx);
    }

    /// Has the slices run the import filter over all our routes.
    fn refilter(&self) {
        let Some(channel) = self.config.channels.first() else { return };
        self.environment.rib.slices.send_all(Class::Routing, || SliceMessage::Program {
            source: self.source.id,
            filter: channel.import.clone(),
            preference: channel.preference,
            done: None,
        });
    }

    fn describe(&self) -> Description {
        let Some(channel) = self.config.channels.first() else { return Description::default() };
        let state = ChannelDescription {
            kind: channel.kind,
            state: if self.stopping { ChannelState::Stop } else { ChannelState::Up },
            import: if self.stopping { ImportState::Flushing } else { ImportState::Up },
            export: ExportState::Down,
            statistics: Some(ChannelStatistics::of_source(&self.source)),
            above: Vec::new(),
            below: Vec::new(),
        };
        Description { lines: Vec::new(), channels: vec![state] }
    }

    fn show(&self) -> Vec<String> {
        let check_link = section_of(&self.config).check_link;
        let mut lines = Vec::with_capacity(self.entries.len());
        for entry in &self.entries {
            let usable =
                |via: &crate::route::Via| reach::hop(via, &self.interfaces, check_link).is_some();
            entry.route.show(usable, &mut lines);
        }
        lines
    }

    fn stop(&mut self, cx: &mut Context<'_>) {
        if core::mem::replace(&mut self.stopping, true) {
            return;
        }
        cx.unqueue(self.work);
        self.feed = None;
        self.environment.reporter.state(ProtocolState::Flush);
        self.source.kill();
        let slices = &self.environment.rib.slices;
        let own = self.own.clone();
        let done = Arc::new(Barrier::new(slices.count(), move || {
            // Stopped already only if the whole daemon stops.
            let _ = own.send(Class::Control, AnnouncerMessage::Flushed);
        }));
        slices.send_all(Class::Routing, || SliceMessage::SourceDown {
            source: self.source.id,
            done: Some(Arc::clone(&done)),
        });
    }
}

/// What filters print.
struct ToLog<'a>(&'a Environment);

impl Sink for ToLog<'_> {
    fn line(&mut self, text: &str) {
        self.0.log.log().write(LogClass::Info, format_args!("{text}"));
    }
}

/// The interfaces, as filters ask for them.
#[derive(Debug)]
struct Known<'a>(&'a Interfaces);

impl dunlin_filter::Interfaces for Known<'_> {
    fn of_neighbour(&self, address: IpAddr) -> Option<Iface> {
        self.0.towards(address).and_then(|(interface, _)| interface.iface())
    }

    fn by_name(&self, name: &str) -> Option<Iface> {
        self.0.by_name(name)?.iface()
    }
}

/// The protocol's own part of a configuration; sections of this protocol always have one.
fn section_of(config: &InstanceConfig) -> &StaticConfig {
    static EMPTY: StaticConfig =
        StaticConfig { routes: Vec::new(), check_link: false, igp_table: None };
    config.specific::<StaticConfig>().unwrap_or(&EMPTY)
}

fn source_of(
    environment: &Environment,
    config: &InstanceConfig,
    channel: &ChannelConfig,
) -> Option<Source> {
    let igp_name = section_of(config).igp_table.as_ref().unwrap_or(&channel.table);
    let igp: TableId = environment.tables.id(igp_name)?;
    let mut source = Source::new(SourceSpec {
        id: environment.rib.source_id(),
        table: environment.tables.id(&channel.table)?,
        protocol: Arc::clone(&config.name),
        kind: Rts::Static,
        events: Arc::new(Events::new(environment, channel)),
    });
    let limit = |limit: Limit| limits::Limit::new(u64::from(limit.count), limit.action);
    source.resolve = Resolve::Recursive { table: igp };
    source.keep_filtered = channel.keep_filtered;
    source.import = channel.import.clone();
    source.preference = channel.preference;
    source.limits = ImportLimits {
        receive: channel.receive_limit.map(limit),
        import: channel.import_limit.map(limit),
    };
    Some(source)
}

impl Loop for Announcer {
    type Message = AnnouncerMessage;

    fn start(&mut self, cx: &mut Context<'_>) {
        self.work = cx.work(Class::Routing);
        self.credit_event = cx.event(Class::Routing);
        let gate = CreditGate::new(CREDIT, Some(cx.event_handle(self.credit_event)));
        let (slices, source) = (self.environment.rib.slices.clone(), Arc::clone(&self.source));
        let is_ipv6 = self
            .config
            .channels
            .first()
            .is_some_and(|channel| channel.kind.net_type() == dunlin_net::NetType::Ip6);
        let shared = Some(Arc::clone(&gate));
        self.feed = Some(match is_ipv6 {
            false => Feed::V4(ImportBuilder::new(slices, source, shared), gate),
            true => Feed::V6(ImportBuilder::new(slices, source, shared), gate),
        });
        self.environment.reporter.state(ProtocolState::Up);
        self.begin(cx);
    }

    fn message(&mut self, cx: &mut Context<'_>, message: AnnouncerMessage) {
        match message {
            AnnouncerMessage::Interfaces(interfaces) => {
                self.interfaces = interfaces;
                self.begin(cx);
            }
            AnnouncerMessage::Config(config) => self.configure(cx, config),
            AnnouncerMessage::Refilter => self.refilter(),
            AnnouncerMessage::Describe(reply) => reply.send(self.describe()),
            AnnouncerMessage::Show(reply) => reply.send(self.show()),
            AnnouncerMessage::Stop => self.stop(cx),
            AnnouncerMessage::Flushed => {
                self.environment.reporter.state(ProtocolState::Down);
                cx.stop_self();
            }
        }
    }

    fn event(&mut self, cx: &mut Context<'_>, _event: EventId) {
        if !self.stopping {
            cx.queue(self.work);
        }
    }

    fn work(&mut self, cx: &mut Context<'_>, _work: WorkId) -> Progress {
        self.walk(cx)
    }
}
