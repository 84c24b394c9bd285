//! Channel blocks: what every channel has.

use std::sync::Arc;

use dunlin_conf::{Parsed, Span, TokenKind};
use dunlin_filter::parse_channel_filter;
use dunlin_net::NetType;

use super::unsupported::{no_effect_yet, unbuilt};
use super::{ConfigParser, DebugDefaults, DebugFlags, Globals, TableConfig, mpls, names};
use crate::protocol::{
    ChannelConfig, ChannelKind, ChannelRules, Limit, LimitAction, OtherChannel, OtherChannelConfig,
    Section,
};

/// A channel's type, whether it carries anything or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AnyChannel {
    /// It does.
    Built(ChannelKind),
    /// It does not yet.
    Other(OtherChannel),
}

impl AnyChannel {
    /// The channel whose words are at the cursor: one of those that its protocol has, if some have the
    /// same beginning.
    pub(super) fn find(parser: &ConfigParser, own: &[OtherChannel]) -> Option<Self> {
        let fits = |other: &&OtherChannel| parser.count_words(other.words).1;
        let longest = |others: &[OtherChannel]| {
            let fitting = others.iter().filter(fits);
            fitting.max_by_key(|other| other.words.len()).copied().map(Self::Other)
        };
        let built = || ChannelKind::ALL.into_iter().find(|kind| parser.at_word(kind.keyword()));
        let any = longest(own).or_else(|| longest(OtherChannel::ALL));
        any.or_else(|| built().map(Self::Built))
    }

    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Built(kind) => kind.keyword(),
            Self::Other(other) => other.words,
        }
    }

    const fn net_type(self) -> NetType {
        match self {
            Self::Built(kind) => kind.net_type(),
            Self::Other(other) => other.net_type,
        }
    }

    pub(super) fn is_allowed(self, rules: &ChannelRules) -> bool {
        match self {
            Self::Built(kind) => rules.kinds.contains(&kind),
            Self::Other(other) => rules.others.contains(&other),
        }
    }
}

/// A channel while its section is read.
#[derive(Clone)]
pub(super) struct ChannelDraft {
    pub(super) channel: AnyChannel,
    /// Its kind means nothing if the channel is one that carries nothing.
    config: ChannelConfig,
    /// The table, if one is named.
    table: Option<Arc<str>>,
    /// See [`InstanceConfig::unbuilt`](crate::protocol::InstanceConfig::unbuilt).
    pub(super) unbuilt: Option<Arc<str>>,
    /// Its routes are to have a label for each VRF, as is said here.
    pub(super) labels_vrfs: Option<Span>,
    /// A domain of MPLS labels is named.
    domain: bool,
    /// It was opened in this section, not inherited: opening it again is a mistake.
    pub(super) own: bool,
}

impl ChannelDraft {
    pub(super) fn new(channel: AnyChannel, rules: &ChannelRules, debug: DebugDefaults) -> Self {
        let kind = match channel {
            AnyChannel::Built(kind) => kind,
            AnyChannel::Other(_) => ChannelKind::Ipv4,
        };
        let config = ChannelConfig {
            kind,
            table: Arc::default(),
            import: rules.import.clone(),
            export: rules.export.clone(),
            import_given: false,
            export_given: false,
            preference: rules.preference,
            keep_filtered: false,
            rpki_reload: true,
            receive_limit: None,
            import_limit: None,
            export_limit: None,
            debug: debug.channels,
        };
        let (table, unbuilt, labels_vrfs) = (None, None, None);
        Self { channel, config, table, unbuilt, labels_vrfs, domain: false, own: true }
    }

    /// As an heir of its section has it.
    pub(super) fn heir(&self) -> Self {
        Self { own: false, ..self.clone() }
    }

    /// The configuration of a channel that carries routes; `end`: the end of its section.
    pub(super) fn built(
        &self,
        parser: &mut ConfigParser,
        globals: &Globals,
        end: Span,
    ) -> Option<Parsed<ChannelConfig>> {
        let AnyChannel::Built(_) = self.channel else { return None };
        let table = self.table(parser, globals, end);
        Some(table.map(|table| ChannelConfig { table, ..self.config.clone() }))
    }

    /// The table that is named, or the first of its type.
    fn table(&self, parser: &mut ConfigParser, globals: &Globals, end: Span) -> Parsed<Arc<str>> {
        let net_type = self.channel.net_type();
        let of_type = |table: &&TableConfig| table.net_type == net_type;
        let first = || globals.tables.iter().find(of_type).map(|table| table.name.clone());
        // Neighbours that were discovered are in a table that the daemon has by itself.
        let neighbors = AnyChannel::Other(OtherChannel::NEIGHBORS);
        let implicit = || (self.channel == neighbors).then(|| Arc::from("neighbors"));
        self.table.clone().or_else(first).or_else(implicit).ok_or_else(|| {
            let hint = format!("write `{net_type} table NAME;` before, and `table NAME;`");
            parser.error(end, "Routing table not specified").because(hint)
        })
    }

    /// The configuration of one that does not; `end`: the end of its section.
    pub(super) fn other(
        &self,
        parser: &mut ConfigParser,
        globals: &Globals,
        end: Span,
    ) -> Option<Parsed<OtherChannelConfig>> {
        let AnyChannel::Other(channel) = self.channel else { return None };
        let ChannelConfig { import_given, export_given, .. } = self.config;
        let table = self.table(parser, globals, end);
        if channel == OtherChannel::MPLS && !self.domain {
            parser
                .warning(end, "MPLS domain not specified")
                .hint("labels are of the domain that there is without a name; `domain NAME;` names another");
        }
        Some(table.map(|table| OtherChannelConfig { channel, table, import_given, export_given }))
    }

    /// Reads the block behind the channel's name; without one the channel is as it is by default.
    pub(super) fn block(
        &mut self,
        parser: &mut ConfigParser,
        globals: &Globals,
        section: &mut dyn Section,
    ) -> Parsed<()> {
        if !parser.at(TokenKind::OpenBrace) {
            return Ok(());
        }
        parser.block(|parser| {
            let is_own = match self.channel {
                AnyChannel::Built(kind) => section.channel_statement(parser, globals, kind)?,
                AnyChannel::Other(other) => {
                    section.other_channel_statement(parser, globals, other)?
                }
            };
            if is_own { Ok(()) } else { self.statement(parser, globals) }
        })
    }

    fn statement(&mut self, parser: &mut ConfigParser, globals: &Globals) -> Parsed<()> {
        let is_mpls = self.channel == AnyChannel::Other(OtherChannel::MPLS);
        let place = parser.token().span;
        if parser.eat_word("table") {
            let table = parse_table_of(parser, globals, self.channel.net_type())?;
            self.table = Some(table.name);
            Ok(())
        } else if parser.eat_words(&["export", "in"]) {
            parser.prefix()?;
            self.unbuilt = Some(unbuilt(parser, place, "The option `export in`"));
            self.config.export = parse_channel_filter(parser)?;
            self.config.export_given = true;
            Ok(())
        } else if parser.eat_words(&["export", "block"]) {
            // Only in BIRD's guide.
            parser.integer()?;
            no_effect_yet(parser, place, "export block");
            Ok(())
        } else if is_mpls && parser.at_word("domain") {
            parser.advance();
            self.domain = true;
            parser.known("MPLS domain", names::as_mpls_domain)
        } else if is_mpls && parser.at_word("label") {
            self.labels_vrfs = mpls::labels(parser)?.or(self.labels_vrfs);
            Ok(())
        } else {
            option(parser, &mut self.config)
        }
    }
}

fn option(parser: &mut ConfigParser, config: &mut ChannelConfig) -> Parsed<()> {
    if parser.eat_words(&["import", "limit"]) {
        config.import_limit = parse_limit(parser)?;
    } else if parser.eat_words(&["export", "limit"]) {
        config.export_limit = parse_limit(parser)?;
    } else if parser.eat_words(&["receive", "limit"]) {
        config.receive_limit = parse_limit(parser)?;
    } else if parser.eat_words(&["import", "keep", "filtered"]) {
        config.keep_filtered = parser.switch()?;
    } else if parser.eat_word("import") {
        config.import = parse_channel_filter(parser)?;
        config.import_given = true;
    } else if parser.eat_word("export") {
        config.export = parse_channel_filter(parser)?;
        config.export_given = true;
    } else if parser.eat_word("preference") {
        config.preference = parser.integer_in("Preference", 0..=65535)?;
    } else if parser.eat_word("debug") {
        config.debug = DebugFlags::parse(parser)?;
    } else if parser.eat_words(&["rpki", "reload"]) {
        config.rpki_reload = parser.switch()?;
    } else {
        return Err(parser.unexpected(&[]));
    }
    Ok(())
}

/// The name of a table of this type.
///
/// # Errors
/// If there is no such table, or it holds something else.
pub fn parse_table(
    parser: &mut ConfigParser,
    globals: &Globals,
    kind: ChannelKind,
) -> Parsed<TableConfig> {
    parse_table_of(parser, globals, kind.net_type())
}

/// The name of a table that holds networks of this type.
///
/// # Errors
/// If there is no such table, or it holds something else.
pub fn parse_table_of(
    parser: &mut ConfigParser,
    globals: &Globals,
    net_type: NetType,
) -> Parsed<TableConfig> {
    let table = parse_any_table(parser, globals)?;
    if table.net_type != net_type {
        let span = parser.previous().span;
        return Err(parser
            .error(span, "Incompatible table type")
            .because(format!("the table `{}` is not of type {net_type}", table.name)));
    }
    Ok(table)
}

/// The name of a table of any type.
///
/// # Errors
/// If there is no such table.
pub fn parse_any_table(parser: &mut ConfigParser, globals: &Globals) -> Parsed<TableConfig> {
    let index = parser.known("Routing table", names::as_table)?;
    globals.tables.get(index).cloned().ok_or(dunlin_conf::Failed)
}

/// `N [action A]` or `off`.
///
/// # Errors
/// If there is none of them.
pub fn parse_limit(parser: &mut ConfigParser) -> Parsed<Option<Limit>> {
    if parser.eat_word("off") {
        return Ok(None);
    }
    let count = parser.integer()?;
    let action = if parser.eat_word("action") {
        parser.expect_one_of(&[
            ("warn", LimitAction::Warn),
            ("block", LimitAction::Block),
            ("restart", LimitAction::Restart),
            ("disable", LimitAction::Disable),
        ])?
    } else {
        LimitAction::default()
    };
    Ok(Some(Limit { count, action }))
}
