//! The protocol type and its instances.

use core::sync::atomic::Ordering;
use std::sync::Arc;

use dunlin_core::log::Log;
use dunlin_core::protocol::{
    Change, ChannelKind, ChannelRules, Description, Direction, Effect, Environment, Instance,
    InstanceConfig, Limit, Needed, Phase, ProtocolKind, ProtocolState, ReloadMode, Reply,
    RouteChange, Section, Service, StartError, StopReason, limit_exceeded, limit_values,
    renew_limit,
};
use dunlin_filter::ChannelFilter;
use dunlin_rib::assess::Ask;
use dunlin_rib::barrier::Barrier;
use dunlin_rib::counters::{ImportCounters, ImportGauges};
use dunlin_rib::export::ExportPolicy;
use dunlin_rib::limits::{self, LimitKind};
use dunlin_rib::slice::{Pipe, PipeTrace, SliceMessage};
use dunlin_rib::{PipeId, TableId};
use dunlin_runtime::{Class, Context};

use crate::config::{PipeConfig, PipeSection};
use crate::policy::PipePolicy;
use crate::show::{Figures, lines};

/// The pipe protocol.
#[derive(Clone, Copy, Debug, Default)]
pub struct PipeProtocol;

impl ProtocolKind for PipeProtocol {
    fn keyword(&self) -> &'static str {
        "pipe"
    }

    fn type_name(&self) -> &'static str {
        "Pipe"
    }

    fn phase(&self) -> Phase {
        Phase::Plumbing
    }

    fn channels(&self) -> ChannelRules {
        ChannelRules {
            kinds: &[],
            others: &[],
            needed: Needed::None,
            preference: 0,
            import: ChannelFilter::Accept,
            export: ChannelFilter::Accept,
        }
    }

    fn exports_all_routes(&self) -> bool {
        true
    }

    fn has_channel_blocks(&self) -> bool {
        false
    }

    fn describe_down(&self, config: &InstanceConfig) -> Description {
        let lines = config.specific::<PipeConfig>().map(|config| lines(config, None));
        Description { lines: lines.unwrap_or_default(), channels: Vec::new() }
    }

    fn section(&self) -> Box<dyn Section> {
        Box::new(PipeSection::default())
    }

    fn service(&self) -> Box<dyn Service> {
        Box::new(PipeService)
    }
}

struct PipeService;

impl Service for PipeService {
    fn start(
        &mut self,
        _cx: &mut Context<'_>,
        environment: Environment,
        config: Arc<InstanceConfig>,
    ) -> Result<Box<dyn Instance>, StartError> {
        let settings = config.specific::<PipeConfig>().cloned();
        let instance = settings.and_then(|settings| PipeInstance::new(environment, settings));
        let instance = instance
            .ok_or_else(|| StartError::Failed("one of its tables does not exist".to_owned()))?;
        instance.put();
        let config = &instance.config;
        let reporter = &instance.environment.reporter;
        reporter.info(format!("{} <=> {}", config.primary, config.peer));
        reporter.state(ProtocolState::Up);
        Ok(Box::new(instance))
    }
}

/// One direction.
struct Way {
    id: PipeId,
    from: TableId,
    to: TableId,
    /// It is the direction that the configuration calls export.
    exports: bool,
    counters: Arc<ImportCounters>,
    gauges: Arc<ImportGauges>,
    policy: Arc<PipePolicy>,
    limit: Arc<limits::Limit>,
    /// For slices: the limit is exceeded.
    exceeded: Arc<dyn Fn() + Send + Sync>,
}

impl Way {
    fn figures(&self) -> Figures {
        let routes = self.gauges.accepted.load(Ordering::Relaxed);
        Figures { changes: self.counters.read(), routes, hit: self.limit.is_hit() }
    }

    /// Puts another limit, or none, into force. True if the old one may have kept routes out: all
    /// have to be looked at again.
    fn renew_limit(&self, old: Option<Limit>, new: Option<Limit>) -> bool {
        if old == new {
            return false;
        }
        let was_hit = self.limit.is_hit();
        if renew_limit(&self.limit, new, &self.gauges.accepted) {
            (self.exceeded)();
        }
        was_hit
    }
}

/// A running pipe. It has no loop of its own: everything here happens in the manager's.
struct PipeInstance {
    environment: Environment,
    config: PipeConfig,
    import: Way,
    export: Way,
}

impl PipeInstance {
    fn new(environment: Environment, config: PipeConfig) -> Option<Self> {
        let primary = environment.tables.id(&config.primary)?;
        let peer = environment.tables.id(&config.peer)?;
        let way = |(from, to), filter: &ChannelFilter, kind, limit| {
            let limits = limits::Limit::default();
            limits.renew(limit_values(limit));
            let limit = Arc::new(limits);
            Way {
                id: PipeId(environment.rib.source_id().0),
                from,
                to,
                exports: kind == LimitKind::Export,
                counters: Arc::default(),
                gauges: Arc::default(),
                policy: policy(&environment, filter, config.rpki_reload),
                exceeded: exceeded(&environment, kind, Arc::clone(&limit)),
                limit,
            }
        };
        let import = way((peer, primary), &config.import, LimitKind::Import, config.import_limit);
        let export = way((primary, peer), &config.export, LimitKind::Export, config.export_limit);
        Some(Self { import, export, environment, config })
    }

    /// Has the slices run both directions with the present filters. Where they run already, all
    /// routes are looked at again.
    fn put(&self) {
        self.put_way(&self.import);
        self.put_way(&self.export);
    }

    fn put_way(&self, way: &Way) {
        let pipe = Pipe {
            id: way.id,
            instance: self.environment.reporter.id().0,
            from: way.from,
            to: way.to,
            policy: Arc::clone(&way.policy) as Arc<dyn ExportPolicy>,
            counters: Arc::clone(&way.counters),
            gauges: Arc::clone(&way.gauges),
            max_generation: self.config.max_generation,
            limit: Arc::clone(&way.limit),
            exceeded: Arc::clone(&way.exceeded),
            trace: self.trace(way),
        };
        let make = || SliceMessage::PipeAdd(Box::new(pipe.clone()));
        self.environment.rib.slices.send_all(Class::Routing, make);
    }

    /// What is traced of a direction: one channel is as good as two, as its tables are of one type.
    fn trace(&self, way: &Way) -> Option<PipeTrace> {
        let environment = &self.environment;
        let holds = environment.tables.entry(way.from)?.net_type;
        let kind = ChannelKind::ALL.into_iter().find(|kind| kind.net_type() == holds)?;
        Some(PipeTrace { trace: environment.log.routes(kind), exports: way.exports })
    }

    /// Has the slices run the present filter over what changes later; what has passed stays.
    fn put_policy(&self, way: &Way) {
        self.environment.rib.slices.send_all(Class::Routing, || SliceMessage::PipePolicy {
            id: way.id,
            policy: Arc::clone(&way.policy) as Arc<dyn ExportPolicy>,
        });
    }

    /// Takes new filters; true for import and for export if it differs.
    fn take(&mut self, new: &PipeConfig) -> (bool, bool) {
        let deeper = self.config.max_generation != new.max_generation
            || self.config.rpki_reload != new.rpki_reload;
        let import = deeper || !self.config.import.means_the_same(&new.import);
        let export = deeper || !self.config.export.means_the_same(&new.export);
        if import {
            self.import.policy = policy(&self.environment, &new.import, new.rpki_reload);
        }
        if export {
            self.export.policy = policy(&self.environment, &new.export, new.rpki_reload);
        }
        let more_in = self.import.renew_limit(self.config.import_limit, new.import_limit);
        let more_out = self.export.renew_limit(self.config.export_limit, new.export_limit);
        self.config = new.clone();
        (import || more_in, export || more_out)
    }
}

/// What slices call when a limit is exceeded.
fn exceeded(
    environment: &Environment,
    kind: LimitKind,
    limit: Arc<limits::Limit>,
) -> Arc<dyn Fn() + Send + Sync> {
    let (log, reporter) = (environment.log.clone(), environment.reporter.clone());
    Arc::new(move || limit_exceeded(&log, &reporter, "main", kind, (limit.max(), limit.action())))
}

fn policy(environment: &Environment, filter: &ChannelFilter, reload: bool) -> Arc<PipePolicy> {
    let policy = PipePolicy::new(filter.clone(), environment.log.log().clone());
    Arc::new(policy.with_rpki_reload(reload))
}

impl Instance for PipeInstance {
    fn reconfigure(&mut self, _cx: &mut Context<'_>, change: &Change<'_>) {
        let Some(new) = change.new.specific::<PipeConfig>() else { return };
        let (import, export) = self.take(new);
        let put = match change.mode {
            ReloadMode::Hard => Self::put_way,
            ReloadMode::Soft => Self::put_policy,
        };
        if import {
            put(self, &self.import);
        }
        if export {
            put(self, &self.export);
        }
    }

    fn export_changes(&self, change: &Change<'_>) -> Vec<RouteChange> {
        let Some(new) = change.new.specific::<PipeConfig>() else { return Vec::new() };
        let Some(channel) = change.new.channels.first().map(|channel| channel.kind.keyword())
        else {
            return Vec::new();
        };
        let ways = [
            (Effect::Import, Direction::In, &self.config.peer, &self.config.import, &new.import),
            (Effect::Export, Direction::Out, &new.primary, &self.config.export, &new.export),
        ];
        let changed = ways.into_iter().filter(|(effect, ..)| change.reloads(channel, *effect));
        let policy = |filter: &ChannelFilter| -> Arc<dyn ExportPolicy> {
            Arc::new(PipePolicy::new(filter.clone(), Log::silent()))
        };
        let asked = changed.map(|(_, direction, table, now, then)| RouteChange {
            channel,
            direction,
            table: Arc::clone(table),
            ask: Ask::Pipe {
                now: policy(now),
                then: policy(then),
                instance: self.environment.reporter.id().0,
                max_generation: new.max_generation,
            },
        });
        asked.collect()
    }

    fn reload(&mut self, _cx: &mut Context<'_>, direction: Direction) -> bool {
        self.put_way(match direction {
            Direction::In => &self.import,
            Direction::Out => &self.export,
        });
        true
    }

    fn describe(&self, reply: Reply<Description>) {
        let figures = [self.import.figures(), self.export.figures()];
        let lines = lines(&self.config, Some(figures));
        reply.send(Description { lines, channels: Vec::new() });
    }

    fn export_policy(&self, _channel: ChannelKind) -> Option<Arc<dyn ExportPolicy>> {
        Some(Arc::clone(&self.export.policy) as Arc<dyn ExportPolicy>)
    }

    fn import_policy(&self, _channel: ChannelKind) -> Option<(Arc<str>, Arc<dyn ExportPolicy>)> {
        let policy = Arc::clone(&self.import.policy) as Arc<dyn ExportPolicy>;
        Some((self.config.peer.clone(), policy))
    }

    fn stop(&mut self, _cx: &mut Context<'_>, _reason: &StopReason) {
        self.environment.reporter.state(ProtocolState::Flush);
        let slices = &self.environment.rib.slices;
        for id in [self.import.id, self.export.id] {
            slices.send_all(Class::Routing, || SliceMessage::PipeRemove(id));
        }
        // From then on nothing passes any more. Routes that had passed are removed piece by piece; a
        // pipe that starts again does not meet them, for it has new ids.
        let reporter = self.environment.reporter.clone();
        let down = move || reporter.state(ProtocolState::Down);
        let done = Arc::new(Barrier::new(slices.count(), down));
        slices.send_all(Class::Routing, || SliceMessage::Barrier(Arc::clone(&done)));
    }
}
