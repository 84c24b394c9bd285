//! The section. What other protocols say in a channel block, a pipe says directly.

use std::sync::Arc;

use dunlin_conf::Parsed;
use dunlin_core::config::{
    ConfigParser, Globals, TableConfig, no_effect, parse_any_table, parse_limit, unbuilt,
};
use dunlin_core::protocol::{
    ChannelConfig, ChannelKind, Differences, Effect, InstanceConfig, Limit, ProtocolConfig, Section,
};
use dunlin_filter::{ChannelFilter, parse_channel_filter};

/// Pipes that a route may pass if nothing is said.
const DEFAULT_GENERATIONS: u8 = 16;

/// What a `protocol pipe` says.
#[derive(Clone, Debug)]
pub struct PipeConfig {
    /// The table of `table`.
    pub primary: Arc<str>,
    /// The table of `peer table`.
    pub peer: Arc<str>,
    /// What passes from the peer table into the primary one.
    pub import: ChannelFilter,
    /// What passes from the primary table into the peer one.
    pub export: ChannelFilter,
    /// Routes that may have passed into the primary table.
    pub import_limit: Option<Limit>,
    /// Routes that may have passed into the peer table.
    pub export_limit: Option<Limit>,
    /// Pipes that a route may pass.
    pub max_generation: u8,
    /// Filters run again when ROA or ASPA tables change that they ask.
    pub rpki_reload: bool,
}

impl PipeConfig {
    /// Whether a running pipe has to be replaced: its tables are others.
    pub fn has_other_tables(&self, other: &Self) -> bool {
        self.primary != other.primary || self.peer != other.peer
    }
}

impl ProtocolConfig for PipeConfig {
    fn same(&self, other: &dyn ProtocolConfig) -> bool {
        other.downcast::<Self>().is_some_and(|other| {
            !self.has_other_tables(other)
                && self.import.same(&other.import)
                && self.export.same(&other.export)
                && self.import_limit == other.import_limit
                && self.export_limit == other.export_limit
                && self.max_generation == other.max_generation
                && self.rpki_reload == other.rpki_reload
        })
    }

    /// Filters, limits and the primary table are those of the pipe's channel, which core compares.
    fn differences(&self, _old: &InstanceConfig, new: &InstanceConfig, found: &mut Differences) {
        let (Some(channel), Some(new)) = (new.channels.first(), new.specific::<Self>()) else {
            return;
        };
        found.note(self.peer != new.peer, "peer table", Effect::Restart);
        let deeper = self.max_generation != new.max_generation;
        for way in [Effect::Import, Effect::Export] {
            found.note_in(channel.kind.keyword(), deeper, "max generation", way);
        }
    }
}

/// The section while it is read.
#[derive(Clone, Debug)]
pub(crate) struct PipeSection {
    primary: Option<TableConfig>,
    peer: Option<TableConfig>,
    import: ChannelFilter,
    export: ChannelFilter,
    import_limit: Option<Limit>,
    export_limit: Option<Limit>,
    max_generation: u8,
    rpki_reload: bool,
    /// See [`InstanceConfig::unbuilt`].
    unbuilt: Option<Arc<str>>,
}

impl Default for PipeSection {
    fn default() -> Self {
        Self {
            primary: None,
            peer: None,
            import: ChannelFilter::Accept,
            export: ChannelFilter::Accept,
            import_limit: None,
            export_limit: None,
            max_generation: DEFAULT_GENERATIONS,
            rpki_reload: true,
            unbuilt: None,
        }
    }
}

impl Section for PipeSection {
    fn inherit(&self) -> Box<dyn Section> {
        Box::new(self.clone())
    }

    fn statement(&mut self, parser: &mut ConfigParser, globals: &Globals) -> Parsed<bool> {
        if parser.eat_word("table") {
            self.primary = Some(parse_any_table(parser, globals)?);
        } else if parser.eat_words(&["peer", "table"]) {
            self.peer = Some(parse_any_table(parser, globals)?);
        } else if parser.at_words(&["import", "in"]) || parser.at_words(&["export", "in"]) {
            let place = parser.token().span;
            let is_import = parser.at_word("import");
            parser.advance();
            parser.advance();
            parser.prefix()?;
            let filter = parse_channel_filter(parser)?;
            if is_import {
                self.import = filter;
            } else {
                self.export = filter;
            }
            self.unbuilt = Some(unbuilt(parser, place, "A pipe of some networks only"));
        } else if parser.eat_words(&["import", "limit"]) {
            self.import_limit = parse_limit(parser)?;
        } else if parser.eat_words(&["export", "limit"]) {
            self.export_limit = parse_limit(parser)?;
        } else if parser.at_words(&["receive", "limit"]) {
            let text = "Pipe protocol does not support receive limits";
            return Err(parser.error_here(text).into());
        } else if parser.at_words(&["import", "keep", "filtered"]) {
            let text = "Pipe protocol prohibits keeping filtered routes";
            return Err(parser.error_here(text).into());
        } else if parser.eat_word("import") {
            self.import = parse_channel_filter(parser)?;
        } else if parser.eat_word("export") {
            self.export = parse_channel_filter(parser)?;
        } else if parser.eat_words(&["rpki", "reload"]) {
            self.rpki_reload = parser.switch()?;
        } else if parser.at_word("preference") {
            // BIRD 2 takes it for the channel that a pipe is to it.
            let place = parser.advance().span;
            parser.integer_in("Preference", 0..=u32::from(u16::MAX))?;
            let reason = "routes keep their preference on their way through a pipe";
            no_effect(parser, place, "preference", reason);
        } else if parser.eat_words(&["max", "generation"]) {
            let most = parser.integer_in("Max generation", 1..=254)?;
            self.max_generation = u8::try_from(most).unwrap_or(DEFAULT_GENERATIONS);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    fn finish(
        &self,
        parser: &mut ConfigParser,
        _globals: &Globals,
        config: &mut InstanceConfig,
    ) -> Parsed<Arc<dyn ProtocolConfig>> {
        let Some(primary) = &self.primary else {
            return Err(parser.error(config.end, "Primary table not specified").into());
        };
        let Some(peer) = &self.peer else {
            return Err(parser.error(config.end, "Secondary table not specified").into());
        };
        if primary.name == peer.name {
            let text = "Primary table and peer table must be different";
            return Err(parser.error(config.end, text).into());
        }
        if primary.net_type != peer.net_type {
            let text = "Primary table and peer table must have the same type";
            return Err(parser.error(config.end, text).into());
        }
        config.unbuilt = config.unbuilt.take().or_else(|| self.unbuilt.clone());
        if !primary.is_built() {
            config.unbuilt =
                Some(format!("A pipe between tables of type {}", primary.net_type).into());
        }
        config.channels = self.channel(primary, config).into_iter().collect();
        Ok(Arc::new(PipeConfig {
            primary: primary.name.clone(),
            peer: peer.name.clone(),
            import: self.import.clone(),
            export: self.export.clone(),
            import_limit: self.import_limit,
            export_limit: self.export_limit,
            max_generation: self.max_generation,
            rpki_reload: self.rpki_reload,
        }))
    }
}

impl PipeSection {
    /// The pipe as a channel of its primary table: for `show route export`, and so that other tables
    /// are seen to need a restart.
    fn channel(&self, primary: &TableConfig, config: &InstanceConfig) -> Option<ChannelConfig> {
        let kind = ChannelKind::of(primary.net_type)?;
        Some(ChannelConfig {
            kind,
            table: primary.name.clone(),
            import: self.import.clone(),
            export: self.export.clone(),
            import_given: true,
            export_given: true,
            preference: 0,
            keep_filtered: false,
            rpki_reload: self.rpki_reload,
            receive_limit: None,
            import_limit: self.import_limit,
            export_limit: self.export_limit,
            debug: config.debug,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::PipeConfig;
    use dunlin_core::config::{Config, Kinds, parse_text};
    use dunlin_core::protocol::{Limit, LimitAction, ProtocolConfig};
    use std::sync::Arc;

    fn parse(section: &str) -> Result<Config, Vec<String>> {
        let kinds: Kinds = Arc::new([Arc::new(crate::PipeProtocol)]);
        let text = format!(
            "ipv4 table t4; ipv6 table t6; filter f {{ accept; }}\nprotocol pipe p {{ {section} }}"
        );
        parse_text("t.conf", &text, &kinds).map_err(|rejected| rejected.lines().collect())
    }

    fn load(section: &str) -> PipeConfig {
        let config = parse(section).unwrap();
        config.protocols[0].specific::<PipeConfig>().unwrap().clone()
    }

    #[test]
    fn the_grammar() {
        let config = load(
            "table master4; peer table t4; import filter f; export where net ~ [10.0.0.0/8+]; \
             max generation 5; import limit 7; export limit 9 action warn;",
        );
        assert_eq!((&*config.primary, &*config.peer), ("master4", "t4"));
        assert_eq!(
            (config.import.to_string(), config.export.to_string()),
            ("f".into(), "(unnamed)".into())
        );
        assert_eq!(config.max_generation, 5);
        let limit = |count, action| Some(Limit { count, action });
        assert_eq!(config.import_limit, limit(7, LimitAction::Disable));
        assert_eq!(config.export_limit, limit(9, LimitAction::Warn));
        let config = load("table master6; peer table t6;");
        assert!(config.import.is_accept_all() && config.export.is_accept_all());
        assert_eq!(config.max_generation, 16);
        assert_eq!((config.import_limit, config.export_limit), (None, None));
    }

    #[test]
    fn what_a_pipe_needs() {
        let cases = [
            ("peer table t4;", "Primary table not specified"),
            ("table t4;", "Secondary table not specified"),
            ("table t4; peer table t4;", "Primary table and peer table must be different"),
            ("table t4; peer table t6;", "Primary table and peer table must have the same type"),
        ];
        for (section, message) in cases {
            // Where the section ends.
            let column = section.len() + 20;
            assert_eq!(parse(section).unwrap_err(), [format!("t.conf:2:{column} {message}")]);
        }
    }

    #[test]
    fn what_a_pipe_lacks() {
        let section = "table t4; peer table master4; \
                       receive limit 9; import keep filtered; ipv4;";
        let found = parse(section).unwrap_err();
        let texts: Vec<_> = found.iter().map(|line| line.split_once(' ').unwrap().1).collect();
        let expected = [
            "Pipe protocol does not support receive limits",
            "Pipe protocol prohibits keeping filtered routes",
            "Protocol pipe has no ipv4 channel",
        ];
        assert_eq!(texts, expected);
    }

    #[test]
    fn a_preference_is_read_as_bird_2_does_and_does_nothing() {
        let config = parse("table t4; peer table master4; preference 5;").unwrap();
        assert!(config.warnings[0].to_string().contains("preference: accepted, has no effect"));
        assert!(config.protocols[0].unbuilt.is_none());
        assert!(parse("table t4; peer table master4; preference 65536;").is_err());
    }

    #[test]
    fn a_pipe_of_some_networks_is_not_to_start() {
        for option in ["import in 10.0.0.0/8 all;", "export in 10.0.0.0/8 where true;"] {
            let config = parse(&format!("table t4; peer table master4; {option}")).unwrap();
            let said = config.warnings[0].to_string();
            assert_eq!(said, "t.conf:2:49: A pipe of some networks only is not supported yet");
            let unbuilt = config.protocols[0].unbuilt.as_deref();
            assert_eq!(unbuilt, Some("A pipe of some networks only"));
        }
    }

    #[test]
    fn other_filters_are_no_other_pipe() {
        let one = load("table t4; peer table master4; import where true;");
        let two = load("table t4; peer table master4; import where net.len > 8;");
        let three = load("table master4; peer table t4;");
        let limited = load("table t4; peer table master4; import where true; export limit 5;");
        assert!(one.same(&one) && !one.same(&two) && !one.same(&limited));
        assert!(!one.has_other_tables(&two) && one.has_other_tables(&three));
    }

    #[test]
    fn what_a_change_of_a_pipe_asks_for() {
        use dunlin_core::protocol::Effect;
        let section = |text: &str| parse(text).unwrap().protocols.remove(0);
        let old = section("table t4; peer table master4; import where net.len > 8;");
        let found = |text: &str| -> Vec<(&str, Effect)> {
            let list = old.differences(&section(text));
            list.iter().map(|one| (one.option, one.effect)).collect()
        };
        let same = "table t4; peer table master4; import where net.len > 4 * 2;";
        assert_eq!(found(same), []);
        let more = |text: &str| found(&format!("{same} {text}"));
        assert_eq!(more("export none;"), [("export", Effect::Export)]);
        assert_eq!(more("import none;"), [("import", Effect::Import)]);
        assert_eq!(more("import limit 5;"), [("import limit", Effect::Live)]);
        let both = [("max generation", Effect::Import), ("max generation", Effect::Export)];
        assert_eq!(more("max generation 5;"), both);
        let turned = found("table master4; peer table t4; import where net.len > 8;");
        assert_eq!(turned, [("table", Effect::Restart), ("peer table", Effect::Restart)]);
    }
}
