//! The section: `interface` and `check link`.

use std::sync::Arc;

use dunlin_conf::{InterfacePattern, Parsed};
use dunlin_core::config::{ConfigParser, Globals};
use dunlin_core::protocol::{ChannelKind, InstanceConfig, OtherChannel, ProtocolConfig, Section};

use crate::kind::UNBUILT;

/// What a `protocol direct` says.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct DirectConfig {
    /// Whose networks; all if none is given.
    pub interfaces: Vec<InterfacePattern>,
    /// Only while the link works.
    pub check_link: bool,
}

impl ProtocolConfig for DirectConfig {
    fn same(&self, other: &dyn ProtocolConfig) -> bool {
        other.downcast::<Self>() == Some(self)
    }

    fn has_places(&self) -> bool {
        false
    }
}

impl Section for DirectConfig {
    fn inherit(&self) -> Box<dyn Section> {
        Box::new(self.clone())
    }

    fn statement(&mut self, parser: &mut ConfigParser, _globals: &Globals) -> Parsed<bool> {
        if parser.eat_word("interface") {
            self.interfaces.push(parser.interface_pattern()?);
        } else if parser.eat_words(&["check", "link"]) {
            self.check_link = parser.switch()?;
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
        let sadr = config.others.iter().any(|other| other.channel == OtherChannel::IPV6_SADR);
        if sadr && config.channel(ChannelKind::Ipv6).is_some() {
            let text = "Both ipv6 and ipv6-sadr channels specified";
            return Err(parser.error(config.end, text).into());
        }
        UNBUILT.warn(parser, config, "make routes of connected networks");
        Ok(Arc::new(self.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::DirectConfig;
    use dunlin_core::config::{Kinds, parse_text};
    use std::sync::Arc;

    fn load(text: &str) -> Result<DirectConfig, Vec<String>> {
        let kinds: Kinds = Arc::new([Arc::new(crate::Direct)]);
        match parse_text("t.conf", text, &kinds) {
            Ok(config) => Ok(config.protocols[0].specific::<DirectConfig>().unwrap().clone()),
            Err(rejected) => Err(rejected.lines().collect()),
        }
    }

    #[test]
    fn the_whole_grammar_is_read() {
        let config = load(
            "protocol direct {\n  disabled;\n  ipv4;\n  ipv6 { import all; };\n  \
             interface \"eth*\", -\"ppp0\", 10.0.0.0/8;\n  check link yes;\n}",
        );
        let config = config.unwrap();
        assert!(config.check_link);
        assert_eq!(config.interfaces[0].clauses.len(), 3);
    }

    #[test]
    fn a_section_that_would_be_started_is_accepted_with_a_warning() {
        let kinds: Kinds = Arc::new([Arc::new(crate::Direct)]);
        let config = parse_text("t.conf", "protocol direct d1 { ipv4; }", &kinds).unwrap();
        let warnings: Vec<String> = config.warnings.iter().map(ToString::to_string).collect();
        assert_eq!(warnings, ["t.conf:1:17: Protocol direct is not supported yet"]);
    }

    #[test]
    fn there_is_one_channel_of_ipv6() {
        let found =
            load("ipv6 sadr table s; protocol direct { ipv4; ipv6; ipv6 sadr { table s; }; }");
        assert_eq!(found.unwrap_err(), ["t.conf:1:74 Both ipv6 and ipv6-sadr channels specified"]);
        assert!(load("ipv6 sadr table s; protocol direct { ipv4; ipv6 sadr; }").is_ok());
    }

    #[test]
    fn mistakes_come_first() {
        let found = load("protocol direct { interfaces \"x\"; check link maybe; }").unwrap_err();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("t.conf:1:19 "), "{found:?}");
        assert!(found[1].starts_with("t.conf:1:46 "), "{found:?}");
    }
}
