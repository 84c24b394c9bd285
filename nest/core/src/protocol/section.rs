//! A protocol's part of the configuration.

use core::{fmt, time::Duration};
use std::{any::Any, sync::Arc};

use dunlin_conf::{Parsed, Span};
use dunlin_filter::Mover;

use super::{
    ChannelConfig, ChannelKind, Differences, Effect, OtherChannel, OtherChannelConfig, ProtocolKind,
};
use crate::config::{ConfigParser, DebugFlags, Globals};

/// A protocol's grammar and what it has read so far. One is made for each `protocol` and
/// `template`; `from` clones the one of the template, channels included.
pub trait Section: Send + Sync {
    /// A copy, for an heir.
    fn inherit(&self) -> Box<dyn Section>;

    /// Reads what may stand between the protocol's word and the instance's name, as in `ospf v3 NAME`.
    ///
    /// # Errors
    /// If it is wrong; the diagnostic is recorded.
    fn head(&mut self, _parser: &mut ConfigParser) -> Parsed<()> {
        Ok(())
    }

    /// Reads one statement, if it is this protocol's: answers false, with the cursor unmoved, if
    /// it is not. The `;` behind it is core's. It is asked before core's common options are tried
    /// (`disabled`, `description`, `debug`, `router id`, `hostname`, `vrf`, channel blocks).
    ///
    /// # Errors
    /// If the statement is wrong; the diagnostic is recorded and core goes on behind the next `;`.
    fn statement(&mut self, parser: &mut ConfigParser, globals: &Globals) -> Parsed<bool>;

    /// Reads one statement of a channel block, if it is this protocol's own (BGP: `next hop self`).
    /// Same rules as [`Section::statement`].
    ///
    /// # Errors
    /// If the statement is wrong; the diagnostic is recorded.
    fn channel_statement(
        &mut self,
        _parser: &mut ConfigParser,
        _globals: &Globals,
        _channel: ChannelKind,
    ) -> Parsed<bool> {
        Ok(false)
    }

    /// As [`Section::channel_statement`], in a channel that carries nothing yet.
    ///
    /// # Errors
    /// If the statement is wrong; the diagnostic is recorded.
    fn other_channel_statement(
        &mut self,
        _parser: &mut ConfigParser,
        _globals: &Globals,
        _channel: OtherChannel,
    ) -> Parsed<bool> {
        Ok(false)
    }

    /// Checks the whole and makes the configuration. Called for protocols, not for templates.
    /// `config` has everything that core has read, and [`NoConfig`] in `specific`; its channels may
    /// be amended. Errors are recorded in the parser; their place is `config.end`, where BIRD has it.
    ///
    /// # Errors
    /// If the section as a whole is wrong; the diagnostic is recorded.
    fn finish(
        &self,
        parser: &mut ConfigParser,
        globals: &Globals,
        config: &mut InstanceConfig,
    ) -> Parsed<Arc<dyn ProtocolConfig>>;
}

/// What a protocol has read from its section: validated, immutable.
pub trait ProtocolConfig: Any + Send + Sync + fmt::Debug {
    /// Whether both say the same, filters compared by structure. `other` is of the same type.
    fn same(&self, other: &dyn ProtocolConfig) -> bool;

    /// Whether there are places of the text in it, or filters, which have some. If so, it is read again
    /// whenever the text around it has moved.
    fn has_places(&self) -> bool {
        true
    }

    /// Notes what of the protocol's own differs between two configurations of one instance, of which
    /// `old` is the one that this is part of. Both are of the same type.
    fn differences(&self, _old: &InstanceConfig, new: &InstanceConfig, found: &mut Differences) {
        found.note(!self.same(&*new.specific), "options of the protocol", Effect::Restart);
    }
}

impl dyn ProtocolConfig {
    /// The concrete configuration.
    pub fn downcast<T: ProtocolConfig>(&self) -> Option<&T> {
        (self as &dyn Any).downcast_ref()
    }
}

/// Stands where there is no specific configuration (yet).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoConfig;

impl ProtocolConfig for NoConfig {
    fn same(&self, other: &dyn ProtocolConfig) -> bool {
        other.downcast::<Self>().is_some()
    }

    fn has_places(&self) -> bool {
        false
    }
}

/// One `protocol` of a configuration.
#[derive(Clone)]
pub struct InstanceConfig {
    /// Its type.
    pub kind: Arc<dyn ProtocolKind>,
    /// Its name.
    pub name: Arc<str>,
    /// Where it is in the configuration.
    pub span: Span,
    /// The brace that closes it, where what is wrong with it as a whole is reported.
    pub end: Span,
    /// What is not built and without which it would do what the configuration forbids, so that it must not
    /// start.
    pub unbuilt: Option<Arc<str>>,
    /// Not to be started.
    pub disabled: bool,
    /// For people.
    pub description: Option<Arc<str>>,
    /// Trace flags.
    pub debug: DebugFlags,
    /// Router id of this instance, if not the global one.
    pub router_id: Option<u32>,
    /// Host name of this instance, if not the global one.
    pub hostname: Option<Arc<str>>,
    /// A limit that wants to restart the instance again within this time disables it.
    pub restart_time: Duration,
    /// The thread group its loops run in, if not the default one.
    pub thread_group: Option<Arc<str>>,
    /// Channels, in the order of the configuration.
    pub channels: Vec<ChannelConfig>,
    /// Channels that carry nothing yet.
    pub others: Vec<OtherChannelConfig>,
    /// The protocol's own part.
    pub specific: Arc<dyn ProtocolConfig>,
    /// The instance that asked for this one.
    pub parent: Option<Arc<str>>,
}

impl InstanceConfig {
    /// The same, from a text that has moved; nothing if it has to be read again.
    pub(crate) fn moved(self: &Arc<Self>, mover: &mut Mover<'_>) -> Option<Arc<Self>> {
        let moves = mover.moves();
        if moves.is_empty() {
            return Some(Arc::clone(self));
        }
        if self.specific.has_places() {
            return None;
        }
        let (span, end) = (moves.span(self.span), moves.span(self.end));
        let mut any = (span, end) != (self.span, self.end);
        let mut filters = Vec::with_capacity(self.channels.len());
        for channel in &self.channels {
            let moved = [&channel.import, &channel.export].map(|filter| mover.filter(filter));
            let [Ok(import), Ok(export)] = moved else { return None };
            any |= !import.is(&channel.import) || !export.is(&channel.export);
            filters.push((import, export));
        }
        if !any {
            return Some(Arc::clone(self));
        }
        let mut moved = Self { span, end, ..Self::clone(self) };
        for (channel, filters) in moved.channels.iter_mut().zip(filters) {
            (channel.import, channel.export) = filters;
        }
        Some(Arc::new(moved))
    }

    /// The channel of a kind.
    pub fn channel(&self, kind: ChannelKind) -> Option<&ChannelConfig> {
        self.channels.iter().find(|channel| channel.kind == kind)
    }

    /// The protocol's own part, as its own type.
    pub fn specific<T: ProtocolConfig>(&self) -> Option<&T> {
        self.specific.downcast()
    }
}

impl fmt::Debug for InstanceConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InstanceConfig")
            .field("kind", &self.kind.keyword())
            .field("name", &self.name)
            .field("disabled", &self.disabled)
            .field("channels", &self.channels)
            .field("specific", &self.specific)
            .finish_non_exhaustive()
    }
}
