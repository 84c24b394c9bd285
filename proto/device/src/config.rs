//! The section: `scan time` and preferred addresses.

use core::time::Duration;
use std::net::IpAddr;
use std::sync::Arc;

use dunlin_conf::{InterfacePattern, Parsed, TokenKind};
use dunlin_core::config::{ConfigParser, Globals};
use dunlin_core::interfaces::{Interface, Interfaces};
use dunlin_core::protocol::{Differences, Effect, InstanceConfig, ProtocolConfig, Section};

/// How often everything is looked at again if nothing is said.
const DEFAULT_SCAN: Duration = Duration::from_secs(60);

/// What a `protocol device` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceConfig {
    /// How often everything is looked at again; never if none.
    pub scan: Option<Duration>,
    /// Addresses to be used for interfaces, where they have them; the first pattern that fits
    /// counts.
    pub preferred: Vec<Preferred>,
}

/// `interface PATTERN { preferred IP; }`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preferred {
    /// Which interfaces.
    pub interfaces: InterfacePattern,
    /// At most one address a family, and a link-local one.
    pub addresses: Vec<IpAddr>,
}

impl Default for DeviceConfig {
    fn default() -> Self {
        Self { scan: Some(DEFAULT_SCAN), preferred: Vec::new() }
    }
}

impl DeviceConfig {
    /// The interfaces with preferred addresses in front of the others. An address that the system
    /// calls secondary is not preferred.
    pub fn apply(&self, interfaces: &Arc<Interfaces>) -> Arc<Interfaces> {
        if self.preferred.is_empty() {
            return Arc::clone(interfaces);
        }
        let list = interfaces.iter().map(|interface| self.apply_to(interface));
        Arc::new(Interfaces::new(list.collect()))
    }

    fn apply_to(&self, interface: &Interface) -> Interface {
        let mut changed = interface.clone();
        let fits = |rule: &&Preferred| rule.interfaces.matches(&interface.name, &[]);
        if let Some(rule) = self.preferred.iter().find(fits) {
            // Stable: all others stay in the system's order.
            changed
                .addresses
                .sort_by_key(|entry| entry.secondary || !rule.addresses.contains(&entry.address));
        }
        changed
    }

    fn scan_time(&mut self, parser: &mut ConfigParser) -> Parsed<()> {
        let seconds = parser.seconds()?;
        self.scan = (!seconds.is_zero()).then_some(seconds);
        Ok(())
    }

    fn interface(&mut self, parser: &mut ConfigParser) -> Parsed<()> {
        let mut rule = Preferred { interfaces: parser.interface_names()?, addresses: Vec::new() };
        if parser.at(TokenKind::OpenBrace) {
            parser.block(|parser| {
                parser.expect_word("preferred")?;
                rule.addresses.push(parser.ip()?);
                Ok(())
            })?;
        }
        self.preferred.push(rule);
        Ok(())
    }
}

impl ProtocolConfig for DeviceConfig {
    fn same(&self, other: &dyn ProtocolConfig) -> bool {
        other.downcast::<Self>() == Some(self)
    }

    fn has_places(&self) -> bool {
        false
    }

    fn differences(&self, _old: &InstanceConfig, new: &InstanceConfig, found: &mut Differences) {
        let Some(new) = new.specific::<Self>() else { return };
        let Self { scan, preferred } = self;
        found.note(*scan != new.scan, "scan time", Effect::Live);
        found.note(*preferred != new.preferred, "interface", Effect::Live);
    }
}

impl Section for DeviceConfig {
    fn inherit(&self) -> Box<dyn Section> {
        Box::new(self.clone())
    }

    fn statement(&mut self, parser: &mut ConfigParser, _globals: &Globals) -> Parsed<bool> {
        if parser.eat_words(&["scan", "time"]) {
            self.scan_time(parser)?;
        } else if parser.eat_word("interface") {
            self.interface(parser)?;
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    fn finish(
        &self,
        _parser: &mut ConfigParser,
        _globals: &Globals,
        _config: &mut InstanceConfig,
    ) -> Parsed<Arc<dyn ProtocolConfig>> {
        Ok(Arc::new(self.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::DeviceConfig;
    use core::time::Duration;
    use dunlin_core::config::{Kinds, parse_text};
    use dunlin_core::interfaces::{Interface, InterfaceAddress, InterfaceFlags, Interfaces};
    use dunlin_net::Prefix;
    use std::sync::Arc;

    fn load(section: &str) -> Result<DeviceConfig, Vec<String>> {
        let kinds: Kinds = Arc::new([Arc::new(crate::Device)]);
        let text = format!("protocol device {{ {section} }}");
        match parse_text("t.conf", &text, &kinds) {
            Ok(config) => Ok(config.protocols[0].specific::<DeviceConfig>().unwrap().clone()),
            Err(rejected) => Err(rejected.lines().collect()),
        }
    }

    fn errors(section: &str) -> Vec<String> {
        load(section).unwrap_err()
    }

    #[test]
    fn scan_times() {
        assert_eq!(load("").unwrap().scan, Some(Duration::from_secs(60)));
        assert_eq!(load("scan time 10;").unwrap().scan, Some(Duration::from_secs(10)));
        assert_eq!(load("scan time 0;").unwrap().scan, None);
        assert_eq!(
            errors("scan time;"),
            ["t.conf:1:28 syntax error, unexpected ';', expecting NUM or CF_SYM_KNOWN or '('"]
        );
    }

    #[test]
    fn everything_wrong_is_reported() {
        let found = errors("scan 5; interface \"eth*\" { prefered 10.0.0.1; }; ipv4;");
        let places: Vec<_> =
            found.iter().map(|line| line.split(' ').next().unwrap_or("")).collect();
        assert_eq!(places, ["t.conf:1:24", "t.conf:1:46", "t.conf:1:68"], "{found:?}");
    }

    fn interfaces() -> Arc<Interfaces> {
        let address = |text: &str, secondary| {
            let address = text.parse().unwrap();
            let prefix = Prefix::new(address, 24).unwrap();
            InterfaceAddress { address, prefix, opposite: None, secondary }
        };
        let interface = |index, name: &str| Interface {
            index,
            name: name.into(),
            flags: InterfaceFlags::default(),
            mtu: 1500,
            master: 0,
            addresses: vec![
                address("10.0.0.1", false),
                address("10.0.0.2", true),
                address("10.0.1.1", false),
            ],
        };
        Arc::new(Interfaces::new(vec![interface(1, "eth0"), interface(2, "eth1")]))
    }

    #[test]
    fn preferred_addresses_come_first() {
        let config = load("interface \"eth0\" { preferred 10.0.1.1; };").unwrap();
        let changed = config.apply(&interfaces());
        let preferred = |index| changed.by_index(index).unwrap().preferred(false).unwrap().address;
        assert_eq!(preferred(1).to_string(), "10.0.1.1");
        assert_eq!(preferred(2).to_string(), "10.0.0.1");
    }

    #[test]
    fn secondary_addresses_are_never_preferred() {
        let config = load("interface \"*\" { preferred 10.0.0.2; };").unwrap();
        assert_eq!(config.apply(&interfaces()), interfaces());
    }
}
