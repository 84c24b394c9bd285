//! What slices report of the channel.

use dunlin_core::log::LogClass;
use dunlin_core::protocol::{
    Automatic, ChannelConfig, ChannelKind, Environment, InstanceEvent, Limit, LimitAction,
    ProtocolLog, Reporter,
};
use dunlin_rib::SourceId;
use dunlin_rib::limits::LimitKind;
use dunlin_rib::source::ChannelEvents;

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
