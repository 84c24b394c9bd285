//! The channel as slices see it: the source of its routes, and what they report of it.

use std::sync::Arc;

use dunlin_attr::Rts;
use dunlin_core::log::LogClass;
use dunlin_core::protocol::{ChannelConfig, Environment, InstanceConfig, ProtocolLog};
use dunlin_rib::limits::{LimitKind, TooMany};
use dunlin_rib::source::{ChannelEvents, SourceSpec};
use dunlin_rib::{Resolve, Source, SourceId, TableId};
use dunlin_runtime::{Address, Class};

use crate::announcer::AnnouncerMessage;
use crate::config::section_of;

/// The tables that an instance needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChannelTables {
    /// Where its routes go.
    table: TableId,
    /// Where recursive ones are resolved.
    igp: TableId,
}

impl ChannelTables {
    /// Finds them; none if one does not exist.
    pub(crate) fn of(environment: &Environment, config: &InstanceConfig) -> Option<Self> {
        let channel = config.channels.first()?;
        let igp = section_of(config).igp_table.as_ref().unwrap_or(&channel.table);
        let (table, igp) = (environment.tables.id(&channel.table)?, environment.tables.id(igp)?);
        Some(Self { table, igp })
    }
}

/// Tells the announcer of limits; logs everything else.
struct Events {
    announcer: Address<AnnouncerMessage>,
    log: ProtocolLog,
}

impl ChannelEvents for Events {
    fn limit_hit(&self, _source: SourceId, kind: LimitKind) {
        // An announcer that has stopped needs no limits.
        let _ = self.announcer.send(Class::Control, AnnouncerMessage::Limit(kind));
    }

    fn refused(&self, _source: SourceId, why: TooMany) {
        // As above.
        let _ = self.announcer.send(Class::Control, AnnouncerMessage::Refused(why));
    }

    fn filter_error(&self, _source: SourceId, message: &str) {
        self.log.write(LogClass::Error, format_args!("{message}"));
    }

    fn filter_print(&self, _source: SourceId, text: &str) {
        self.log.log().write(LogClass::Info, format_args!("{text}"));
    }

    fn wants_prints(&self) -> bool {
        self.log.log().wants(LogClass::Info)
    }
}

/// The source of an instance's routes.
pub(crate) fn source_of(
    announcer: Address<AnnouncerMessage>,
    environment: &Environment,
    name: &Arc<str>,
    channel: &ChannelConfig,
    tables: ChannelTables,
) -> Source {
    let mut source = Source::new(SourceSpec {
        id: environment.rib.source_id(),
        table: tables.table,
        protocol: Arc::clone(name),
        kind: Rts::Static,
        events: Arc::new(Events { announcer, log: environment.log.clone() }),
    });
    source.resolve = Resolve::Recursive { table: tables.igp };
    source.keep_filtered = channel.keep_filtered;
    source.import = channel.import.clone();
    source.preference = channel.preference;
    source.limits = channel.import_limits();
    source.trace = Some(environment.log.routes(channel.kind));
    source.set_rpki_reload(channel.rpki_reload);
    source
}
