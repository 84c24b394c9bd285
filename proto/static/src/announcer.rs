//! The loop that announces what can be used.
//!
//! All announcing is one resumable walk over the routes: it compares what each comes to now with what
//! was announced of it. Changed interfaces and configurations only start that walk again, so it does
//! not matter how many changes come while it is under way.

use std::sync::Arc;

use dunlin_attr::{AttrId, Attrs, AttrsBuilder, Dest, NextHop, Rts, Value};
use dunlin_core::config::DebugFlags;
use dunlin_core::interfaces::Interfaces;
use dunlin_core::log::LogClass;
use dunlin_core::protocol::{
    Automatic, ChannelDescription, ChannelState, ChannelStatistics, Description, Environment,
    ExportState, ImportState, InstanceConfig, InstanceEvent, ProtocolState, ReloadMode, Reply,
    limit_exceeded, limit_values, renew_limit,
};
use dunlin_filter::Scratch;
use dunlin_net::Network;
use dunlin_rib::Source;
use dunlin_rib::barrier::Barrier;
use dunlin_rib::limits::{LimitKind, TooMany};
use dunlin_rib::slice::SliceMessage;
use dunlin_runtime::{Address, Class, Context, EventId, Loop, Panic, Progress, WorkId};

use crate::config::section_of;
use crate::feed::{CREDIT, Feed};
use crate::plan::{Entry, Merge, Merged};
use crate::reach;
use crate::statements::Origination;

/// Routes looked at before the budget is asked for.
const PIECE: usize = 64;

/// Announcements in one batch.
const BATCH: usize = 1024;

/// What the loop is told.
#[derive(Debug)]
pub enum AnnouncerMessage {
    /// The interfaces as they are now.
    Interfaces(Arc<Interfaces>),
    /// A new configuration; softly if routes that are there are not to be filtered again.
    Config(Arc<InstanceConfig>, ReloadMode),
    /// Run the import filter over all routes again.
    Refilter,
    /// A limit is exceeded.
    Limit(LimitKind),
    /// The tables have no room for our routes.
    Refused(TooMany),
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
    /// The routes of the configuration on their way to be the entries; until then there are none.
    merge: Option<Merge>,
    /// What is announced and not configured any more.
    withdraw: Vec<(Network, u32)>,
    /// Next route to look at.
    cursor: usize,
    work: WorkId,
    credit_event: EventId,
    scratch: Scratch,
    /// The last set made, and of what: neighbours in the list mostly have the same.
    last: Option<(Made, Arc<Attrs>)>,
    stopping: bool,
}

/// What the attributes of a route are made of.
#[derive(PartialEq)]
struct Made {
    dest: Dest,
    next_hop: NextHop,
    preference: u32,
    providers: Option<Arc<[u32]>>,
}

impl Made {
    fn build(&self) -> Arc<Attrs> {
        let mut builder = AttrsBuilder::new(Rts::Static);
        builder.set_dest(self.dest);
        builder.set_next_hop(self.next_hop.clone());
        builder.set_preference(self.preference);
        if let Some(providers) = &self.providers {
            builder.set_extra(AttrId::AspaProviders, Value::Asns(Arc::clone(providers)));
        }
        builder.finish()
    }
}

impl core::fmt::Debug for Announcer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Announcer").field("entries", &self.entries.len()).finish_non_exhaustive()
    }
}

impl Announcer {
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
            entries: Vec::new(),
            merge: None,
            withdraw: Vec::new(),
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
            let routes = section_of(&self.config).routes.len();
            let text = format_args!("Looking at {routes} routes");
            self.environment.log.trace(DebugFlags::EVENTS, text);
            self.cursor = 0;
            cx.queue(self.work);
        }
    }

    /// Does a piece of what there is to do.
    fn walk(&mut self, cx: &mut Context<'_>) -> Progress {
        while let Some(merge) = &mut self.merge {
            if let Some(merged) = merge.step(&section_of(&self.config).routes, PIECE) {
                self.take(merged);
            }
            if cx.over_budget() {
                return Progress::More;
            }
        }
        while !self.withdraw.is_empty() {
            if self.feed.as_ref().is_some_and(|feed| feed.is_full(cx.now())) {
                return Progress::Done;
            }
            let rest = self.withdraw.len().saturating_sub(BATCH);
            for (net, path_id) in self.withdraw.drain(rest..) {
                if let Some(feed) = &mut self.feed {
                    feed.put(net, path_id, None);
                }
            }
            self.flush();
            if cx.over_budget() {
                return Progress::More;
            }
        }
        self.look(cx)
    }

    /// The new list is there.
    fn take(&mut self, merged: Merged) {
        self.merge = None;
        self.entries = merged.entries;
        self.withdraw.extend(merged.withdraw);
    }

    /// Has the entries be those of the configuration at once: somebody needs them.
    fn complete(&mut self) {
        if let Some(merge) = self.merge.take() {
            let merged = merge.finish(&section_of(&self.config).routes);
            self.take(merged);
        }
    }

    /// Looks at routes from the cursor on.
    fn look(&mut self, cx: &mut Context<'_>) -> Progress {
        while self.cursor < self.entries.len() {
            if self.feed.as_ref().is_some_and(|feed| feed.is_full(cx.now())) {
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
        let again = core::mem::take(&mut entry.again);
        if entry.announced == wanted && !(again && wanted.is_some()) {
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
        let usual = self.config.channels.first().map_or(0, |channel| channel.preference);
        let preference = self.entries[index].preference.unwrap_or(usual);
        let made = Made { dest, next_hop, preference, providers: route.providers() };
        let attrs = match &self.last {
            Some((last, attrs)) if *last == made => Arc::clone(attrs),
            _ => {
                let attrs = made.build();
                self.last = Some((made, Arc::clone(&attrs)));
                attrs
            }
        };
        self.run_statements(index, attrs)
    }

    /// Runs the statements behind a route, if there are some.
    fn run_statements(&mut self, index: usize, attrs: Arc<Attrs>) -> Option<Arc<Attrs>> {
        let route = &self.entries.get(index)?.route;
        let Some(program) = &route.statements else { return Some(attrs) };
        let origin = Origination {
            net: route.net,
            name: &self.config.name,
            interfaces: &self.interfaces,
            validation: &**self.environment.rib.validated.load(),
            log: &self.environment.log,
        };
        origin.run(program, &mut self.scratch, attrs)
    }

    // --- What happens

    fn configure(&mut self, cx: &mut Context<'_>, new: Arc<InstanceConfig>, mode: ReloadMode) {
        self.complete();
        let old = core::mem::replace(&mut self.config, new);
        let changed = match (old.channels.first(), self.config.channels.first()) {
            (Some(old), Some(new)) => {
                !old.import.means_the_same(&new.import) || old.preference != new.preference
            }
            _ => false,
        };
        if let Some(channel) = self.config.channels.first() {
            self.source.set_rpki_reload(channel.rpki_reload);
        }
        if changed {
            self.keep_preference(&old, mode);
        }
        match mode {
            ReloadMode::Hard if changed => self.refilter(),
            ReloadMode::Soft if changed => self.filter_later(),
            _ => {}
        }
        self.renew_limits(&old);
        let count = section_of(&self.config).routes.len();
        self.merge = Some(Merge::new(core::mem::take(&mut self.entries), count));
        self.last = None;
        self.begin(cx);
    }

    /// After a soft change routes that are there stay as they are, with the preference that they have.
    fn keep_preference(&mut self, old: &InstanceConfig, mode: ReloadMode) {
        let before = old.channels.first().map(|channel| channel.preference);
        for entry in &mut self.entries {
            entry.preference = match mode {
                ReloadMode::Hard => None,
                ReloadMode::Soft if entry.announced.is_none() => None,
                ReloadMode::Soft => entry.preference.or(before),
            };
        }
    }

    /// Has the channel's filter and preference hold for all routes, whatever soft changes have left.
    fn reload(&mut self, cx: &mut Context<'_>) {
        self.complete();
        self.refilter();
        self.entries.iter_mut().for_each(|entry| entry.preference = None);
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

    /// Puts changed limits into force. After one that was hit everything is announced again: whatever
    /// it kept out may come in now, and what is there already changes nothing.
    fn renew_limits(&mut self, old: &InstanceConfig) {
        let (Some(before), Some(channel)) = (old.channels.first(), self.config.channels.first())
        else {
            return;
        };
        let (limits, gauges) = (&self.source.limits, &self.source.gauges);
        let sides = [
            (LimitKind::Receive, &limits.receive, &gauges.received),
            (LimitKind::Import, &limits.import, &gauges.accepted),
        ];
        let mut exceeded = Vec::new();
        for (kind, limit, routes) in sides {
            let wanted = channel.limit(kind);
            if before.limit(kind) == wanted {
                continue;
            }
            if limit.is_hit() {
                self.entries.iter_mut().for_each(|entry| entry.again = true);
            }
            if renew_limit(limit, wanted, routes) {
                exceeded.push(kind);
            }
        }
        exceeded.into_iter().for_each(|kind| self.limit(kind));
    }

    /// A limit is exceeded.
    fn limit(&self, kind: LimitKind) {
        let Some(channel) = self.config.channels.first().filter(|_| !self.stopping) else { return };
        if let Some(values) = limit_values(channel.limit(kind)) {
            let Environment { log, reporter, .. } = &self.environment;
            limit_exceeded(log, reporter, channel.kind, kind, values);
        }
    }

    /// The tables have no room for our routes: there is nothing to do until somebody makes some.
    fn refused(&self, why: TooMany) {
        let Some(channel) = self.config.channels.first().filter(|_| !self.stopping) else { return };
        let Environment { log, reporter, .. } = &self.environment;
        log.write(LogClass::Error, format_args!("Channel {} refused: {why}", channel.kind));
        let why = format!("Channel refused: {why}");
        reporter.report(InstanceEvent::Automatic(Automatic::Disable, why));
    }

    /// Has the slices run the import filter over our routes that change later.
    fn filter_later(&self) {
        let Some(channel) = self.config.channels.first() else { return };
        self.environment.rib.slices.send_all(Class::Routing, || SliceMessage::Filter {
            source: self.source.id,
            filter: channel.import.clone(),
            preference: channel.preference,
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

    fn show(&mut self) -> Vec<String> {
        self.complete();
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

impl Loop for Announcer {
    type Message = AnnouncerMessage;

    fn start(&mut self, cx: &mut Context<'_>) {
        self.work = cx.work(Class::Routing);
        self.credit_event = cx.event(Class::Routing);
        let credit = cx.credit("routes to the tables", CREDIT, self.credit_event);
        if let Some(channel) = self.config.channels.first() {
            let slices = self.environment.rib.slices.clone();
            self.feed = Some(Feed::new(slices, Arc::clone(&self.source), channel.kind, credit));
        }
        let count = section_of(&self.config).routes.len();
        self.merge = Some(Merge::new(Vec::new(), count));
        self.environment.reporter.state(ProtocolState::Up);
        self.begin(cx);
    }

    fn message(&mut self, cx: &mut Context<'_>, message: AnnouncerMessage) {
        match message {
            AnnouncerMessage::Interfaces(interfaces) => {
                self.interfaces = interfaces;
                let text = format_args!("Interfaces changed");
                self.environment.log.trace(DebugFlags::INTERFACES, text);
                self.begin(cx);
            }
            AnnouncerMessage::Config(config, mode) => self.configure(cx, config, mode),
            AnnouncerMessage::Refilter => self.reload(cx),
            AnnouncerMessage::Limit(kind) => self.limit(kind),
            AnnouncerMessage::Refused(why) => self.refused(why),
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
        self.scratch.at_second(cx.now().as_nanos() / 1_000_000_000);
        let progress = self.walk(cx);
        if progress == Progress::Done {
            self.scratch.settle_errors();
        }
        progress
    }

    fn panicked(&mut self, panic: &Panic) {
        self.source.kill();
        let source = self.source.id;
        let gone = || SliceMessage::SourceDown { source, done: None };
        self.environment.rib.slices.send_all(Class::Routing, gone);
        self.environment.reporter.panicked(panic);
    }
}
