//! Channel blocks: what every channel has.

use std::sync::Arc;

use dunlin_conf::{Parsed, TokenKind};
use dunlin_filter::parse_channel_filter;

use super::unsupported::{no_effect, refuse};
use super::{ConfigParser, DebugDefaults, DebugFlags, Globals, TableConfig, names};
use crate::protocol::{ChannelConfig, ChannelKind, ChannelRules, Limit, LimitAction, Section};

/// A channel while its section is read.
#[derive(Clone)]
pub(super) struct ChannelDraft {
    pub(super) config: ChannelConfig,
    /// It was opened in this section, not inherited: opening it again is a mistake.
    pub(super) own: bool,
}

impl ChannelDraft {
    pub(super) fn new(kind: ChannelKind, rules: &ChannelRules, debug: DebugDefaults) -> Self {
        let config = ChannelConfig {
            kind,
            table: Arc::from(kind.default_table()),
            import: rules.import.clone(),
            export: rules.export.clone(),
            import_given: false,
            export_given: false,
            preference: rules.preference,
            keep_filtered: false,
            receive_limit: None,
            import_limit: None,
            export_limit: None,
            debug: debug.channels,
        };
        Self { config, own: true }
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
        let config = &mut self.config;
        parser.block(|parser| {
            if section.channel_statement(parser, globals, config.kind)? {
                return Ok(());
            }
            option(parser, globals, config)
        })
    }
}

fn option(parser: &mut ConfigParser, globals: &Globals, config: &mut ChannelConfig) -> Parsed<()> {
    if parser.eat_word("table") {
        config.table = parse_table(parser, globals, config.kind)?.name;
    } else if parser.eat_words(&["import", "limit"]) {
        config.import_limit = parse_limit(parser)?;
    } else if parser.eat_words(&["export", "limit"]) {
        config.export_limit = parse_limit(parser)?;
    } else if parser.eat_words(&["receive", "limit"]) {
        config.receive_limit = parse_limit(parser)?;
    } else if parser.eat_words(&["import", "keep", "filtered"]) {
        config.keep_filtered = parser.switch()?;
    } else if parser.at_words(&["import", "table"]) || parser.at_words(&["export", "table"]) {
        return Err(refuse(parser, "An import or export table"));
    } else if parser.at_words(&["export", "in"]) {
        return Err(refuse(parser, "The option `export in`"));
    } else if parser.eat_word("import") {
        config.import = parse_channel_filter(parser)?;
        config.import_given = true;
    } else if parser.eat_word("export") {
        config.export = parse_channel_filter(parser)?;
        config.export_given = true;
    } else if parser.eat_word("preference") {
        config.preference = parser.integer_in("Preference", 0..=65535)?;
    } else if parser.eat_word("debug") {
        config.debug = DebugFlags::parse_untraced(parser, "Channels")?;
    } else if parser.at_words(&["rpki", "reload"]) {
        let place = parser.token().span;
        parser.advance();
        parser.advance();
        if parser.switch()? {
            let reason = "filters cannot ask ROA or ASPA tables, so nothing they read changes";
            no_effect(parser, place, "rpki reload", reason);
        }
    } else {
        let word = parser.word().map(str::to_owned);
        return Err(match word {
            Some(word) if dunlin_conf::keywords::is_keyword(&word) => {
                refuse(parser, &format!("The channel option `{word}`"))
            }
            _ => parser.unexpected(&[]),
        });
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
    let table = parse_any_table(parser, globals)?;
    if table.net_type != kind.net_type() {
        let span = parser.previous().span;
        return Err(parser
            .error(span, "Incompatible table type")
            .because(format!("the table `{}` is not of type {kind}", table.name)));
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
