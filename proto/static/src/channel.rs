//! The channel as slices see it: the source of its routes, and what they report of it.

use std::sync::Arc;

use dunlin_attr::Rts;
use dunlin_core::log::LogClass;
use dunlin_core::protocol::{
    Automatic, ChannelConfig, ChannelKind, Environment, InstanceConfig, InstanceEvent, Limit,
    LimitAction, ProtocolLog, Reporter,
};
use dunlin_rib::limits::{self, ImportLimits, LimitKind};
use dunlin_rib::source::{ChannelEvents, SourceSpec};
use dunlin_rib::{Resolve, Source, SourceId, TableId};

use crate::config::section_of;

/// Acts on limits; logs everything else.
pub(crate) struct Events {
    log: ProtocolLog,
    reporter: Reporter,
    kind: ChannelKind,
    receive: Option<Limit>,
    import: Option<Limit>,
}

impl Events {
    pub(crate) fn new(environment: &Environment, channel: &ChannelConfig) -> Self {
        Self {
            log: environment.log.clone(),
            reporter: environment.reporter.clone(),
            kind: channel.kind,
            receive: channel.receive_limit,
            import: channel.import_limit,
        }
    }
}

impl ChannelEvents for Events {
    fn limit_hit(&self, _source: SourceId, kind: LimitKind) {
        let limit = match kind {
            LimitKind::Receive => self.receive,
            LimitKind::Import => self.import,
            LimitKind::Export => None,
        };
        let Some(Limit { count, action }) = limit else { return };
        let (channel, name, does) = (self.kind, kind.name(), action.name());
        let text =
            format_args!("Channel {channel} hits route {name} limit ({count}), action: {does}");
        self.log.write(LogClass::Warning, text);
        let what = match action {
            LimitAction::Warn | LimitAction::Block => return,
            LimitAction::Restart => Automatic::Restart,
            LimitAction::Disable => Automatic::Disable,
        };
        let why = "Route limit exceeded".to_owned();
        self.reporter.report(InstanceEvent::Automatic(what, why));
    }

    fn filter_error(&self, _source: SourceId, message: &str) {
        self.log.write(LogClass::Error, format_args!("{message}"));
    }

    fn filter_print(&self, _source: SourceId, text: &str) {
        self.log.log().write(LogClass::Info, format_args!("{text}"));
    }
}

/// The source of an instance's routes; none if a table that it needs does not exist.
pub(crate) fn source_of(
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
    let limit = |limit: Option<Limit>| {
        limit.map_or_else(limits::Limit::default, |limit| {
            limits::Limit::new(u64::from(limit.count), limit.action)
        })
    };
    source.resolve = Resolve::Recursive { table: igp };
    source.keep_filtered = channel.keep_filtered;
    source.import = channel.import.clone();
    source.preference = channel.preference;
    source.limits =
        ImportLimits { receive: limit(channel.receive_limit), import: limit(channel.import_limit) };
    Some(source)
}
