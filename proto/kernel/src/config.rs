//! The section.

use core::time::Duration;
use std::sync::Arc;

use dunlin_conf::Parsed;
use dunlin_core::config::{ConfigParser, Globals};
use dunlin_core::protocol::{InstanceConfig, ProtocolConfig, Section};

use crate::kind::UNBUILT;

/// The kernel's main table.
const MAIN: u32 = 254;

/// Next hops of a merged route if nothing is said.
const DEFAULT_MERGE: u32 = 16;

/// Which alien routes are taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Learn {
    /// None.
    #[default]
    Nothing,
    /// Those that other programs made.
    Alien,
    /// Those that the kernel made by itself, too.
    All,
}

/// What a `protocol kernel` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelConfig {
    /// How often the kernel's table is looked at again; never if none.
    pub scan: Option<Duration>,
    /// Routes stay when the daemon ends.
    pub persist: bool,
    /// Which alien routes are taken in.
    pub learn: Learn,
    /// The kernel's table.
    pub table: u32,
    /// Metric of our routes; 0 for the attribute's or the system's.
    pub metric: u32,
    /// Next hops at most of a route made of all that are equally good; 0 if none is made.
    pub merge_paths: u32,
    /// Wait until neighbours have sent their routes again.
    pub graceful_restart: bool,
    /// Bytes of the netlink socket's buffer; the system's if none.
    pub rx_buffer: Option<u32>,
}

impl Default for KernelConfig {
    fn default() -> Self {
        Self {
            scan: Some(Duration::from_secs(60)),
            persist: false,
            learn: Learn::Nothing,
            table: MAIN,
            metric: 32,
            merge_paths: 0,
            graceful_restart: false,
            rx_buffer: None,
        }
    }
}

impl KernelConfig {
    fn learn(&mut self, parser: &mut ConfigParser) -> Parsed<()> {
        self.learn = if parser.eat_word("all") {
            Learn::All
        } else if parser.switch()? {
            Learn::Alien
        } else {
            Learn::Nothing
        };
        Ok(())
    }

    fn merge_paths(&mut self, parser: &mut ConfigParser) -> Parsed<()> {
        // Without a switch, on: `merge paths limit 8;`.
        let on = parser.at_word("limit") || parser.switch()?;
        let limit = match parser.eat_word("limit") {
            true => parser.integer_in("Merge paths limit", 1..=255)?,
            false => DEFAULT_MERGE,
        };
        self.merge_paths = if on { limit } else { 0 };
        Ok(())
    }
}

impl ProtocolConfig for KernelConfig {
    fn same(&self, other: &dyn ProtocolConfig) -> bool {
        other.downcast::<Self>() == Some(self)
    }

    fn has_places(&self) -> bool {
        false
    }
}

impl Section for KernelConfig {
    fn inherit(&self) -> Box<dyn Section> {
        Box::new(self.clone())
    }

    fn statement(&mut self, parser: &mut ConfigParser, _globals: &Globals) -> Parsed<bool> {
        if parser.eat_words(&["scan", "time"]) {
            let seconds = parser.seconds()?;
            self.scan = (!seconds.is_zero()).then_some(seconds);
        } else if parser.eat_word("persist") {
            self.persist = parser.switch()?;
        } else if parser.eat_word("learn") {
            self.learn(parser)?;
        } else if parser.eat_words(&["kernel", "table"]) {
            self.table = parser.integer()?;
        } else if parser.eat_word("metric") {
            self.metric = parser.integer()?;
        } else if parser.eat_words(&["merge", "paths"]) {
            self.merge_paths(parser)?;
        } else if parser.eat_words(&["graceful", "restart"]) {
            self.graceful_restart = parser.switch()?;
        } else if parser.eat_words(&["netlink", "rx", "buffer"]) {
            self.rx_buffer = Some(parser.integer()?);
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
        UNBUILT.warn(parser, config, "give routes to the kernel");
        Ok(Arc::new(self.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::{KernelConfig, Learn};
    use dunlin_core::config::{Kinds, parse_text};
    use std::sync::Arc;

    fn load(section: &str) -> Result<KernelConfig, Vec<String>> {
        let kinds: Kinds = Arc::new([Arc::new(crate::Kernel)]);
        match parse_text("t.conf", &format!("protocol kernel {{ {section} }}"), &kinds) {
            Ok(config) => Ok(config.protocols[0].specific::<KernelConfig>().unwrap().clone()),
            Err(rejected) => Err(rejected.lines().collect()),
        }
    }

    #[test]
    fn the_whole_grammar_is_read() {
        let config = load(
            "disabled; ipv4 { export all; }; scan time 20; persist; learn all; kernel table 100; \
             metric 64; merge paths on limit 8; graceful restart; netlink rx buffer 1000000;",
        );
        let expected = KernelConfig {
            scan: Some(core::time::Duration::from_secs(20)),
            persist: true,
            learn: Learn::All,
            table: 100,
            metric: 64,
            merge_paths: 8,
            graceful_restart: true,
            rx_buffer: Some(1_000_000),
        };
        assert_eq!(config, Ok(expected));
    }

    #[test]
    fn switches_and_defaults() {
        let config = load("disabled; ipv6; scan time 0; learn; merge paths;").unwrap();
        assert_eq!((config.scan, config.learn, config.merge_paths), (None, Learn::Alien, 16));
        let config = load("disabled; ipv6; learn off; merge paths no limit 9;").unwrap();
        assert_eq!((config.learn, config.merge_paths, config.table), (Learn::Nothing, 0, 254));
        assert_eq!(load("disabled; ipv4; merge paths limit 3;").unwrap().merge_paths, 3);
    }

    #[test]
    fn names_of_the_system_are_numbers() {
        for (table, number) in [("ipt_main", 254), ("ipt_local", 255), ("(ipt_default)", 253)] {
            let config = load(&format!("disabled; ipv4; kernel table {table};")).unwrap();
            assert_eq!(config.table, number, "{table}");
        }
        assert_eq!(load("disabled; ipv4; metric ipp_static;").unwrap().metric, 4);
        let found = load("disabled; ipv4; kernel table ipt_nothing_of_this_name;").unwrap_err();
        assert!(found[0].contains("unexpected CF_SYM_UNDEFINED"), "{found:?}");
    }

    #[test]
    fn a_section_that_would_be_started_is_accepted_with_a_warning() {
        let kinds: Kinds = Arc::new([Arc::new(crate::Kernel)]);
        let config = parse_text("t.conf", "protocol kernel { ipv4; }", &kinds).unwrap();
        let warnings: Vec<String> = config.warnings.iter().map(ToString::to_string).collect();
        assert_eq!(warnings, ["t.conf:1:1: Protocol kernel is not supported yet"]);
    }

    #[test]
    fn mistakes_come_first() {
        let found = load("merge paths on limit 256; metric; nonsense;").unwrap_err();
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[0].ends_with("Merge paths limit must be in range 1-255"), "{found:?}");
    }

    #[test]
    fn a_table_has_one_kernel_protocol() {
        let refused = |text: &str| -> Vec<String> {
            let kinds: Kinds = Arc::new([Arc::new(crate::Kernel)]);
            let loaded = parse_text("t.conf", text, &kinds);
            loaded.err().map(|rejected| rejected.lines().collect()).unwrap_or_default()
        };
        let text = "protocol kernel { disabled; ipv4; } protocol kernel { ipv4; kernel table 7; }";
        let found = refused(text);
        assert_eq!(
            found,
            ["t.conf:1:77 Kernel syncer (kernel1) already attached to table master4"]
        );
        let text = "mpls table m; protocol kernel a { mpls; } protocol kernel { mpls; }";
        let found = refused(text);
        assert!(found[0].ends_with("Kernel syncer (a) already attached to table m"), "{found:?}");
        let text = "ipv4 table t; template kernel x { ipv4; } protocol kernel from x { } \
                    protocol kernel { ipv6; } protocol kernel { ipv4 { table t; }; }";
        assert!(refused(text).is_empty());
    }

    #[test]
    fn exactly_one_channel() {
        assert_eq!(load("disabled;").unwrap_err(), ["t.conf:1:29 Channel not specified"]);
        let found = load("disabled; ipv4; ipv6;").unwrap_err();
        assert_eq!(found, ["t.conf:1:41 More than one channel specified"]);
    }
}
