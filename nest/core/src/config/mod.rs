//! The configuration: what the statements outside protocols say, and every protocol's part.
//!
//! A [`Config`] is immutable; the manager publishes the one in force, and a reload is a
//! comparison of two of them.

mod advice;
mod again;
mod channel;
mod globals;
pub mod grammar;
mod groups;
mod log;
mod mpls;
mod names;
mod parse;
mod reading;
mod roa;
mod section;
mod table;
mod unsupported;
mod watchdog;

#[cfg(test)]
mod tests;

pub use channel::{parse_any_table, parse_limit, parse_table, parse_table_of};
pub use globals::{DebugDefaults, Globals, RouterId, TableConfig, TablesGroup};
pub use groups::{ThreadGroups, parse_threads};
pub use log::{LogConfig, LogDestination, LogFile};
pub(crate) use parse::parse_time_format;
pub use parse::{
    Loaded, Rejected, load, load_again, load_changed, load_to_run, load_with_sources, parse_text,
    parse_text_with_sources,
};
pub use roa::parse_roa;
pub use unsupported::{no_effect, no_effect_yet, refuse, unbuilt};
pub use watchdog::Watchdog;

use core::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use dunlin_conf::{Diagnostic, Parsed, Parser, SourceMap, Symbols};
use dunlin_filter::ChannelFilter;

use dunlin_net::hash::Map;

use crate::protocol::{InstanceConfig, ProtocolKind};

/// What a symbol of a configuration means.
pub use dunlin_filter::Symbol as Meaning;

/// The parser that all sections use.
pub type ConfigParser = Parser<Meaning>;

/// The protocol types that the daemon has.
pub type Kinds = Arc<[Arc<dyn ProtocolKind>]>;

/// What to trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Hash)]
pub struct DebugFlags(u32);

impl DebugFlags {
    /// Nothing.
    pub const OFF: Self = Self(0);
    /// Everything.
    pub const ALL: Self = Self(0x3f);
    /// State changes.
    pub const STATES: Self = Self(1);
    /// Routes exchanged with the tables.
    pub const ROUTES: Self = Self(2);
    /// Routes that filters rejected.
    pub const FILTERS: Self = Self(4);
    /// Interface changes.
    pub const INTERFACES: Self = Self(8);
    /// Events inside the protocol.
    pub const EVENTS: Self = Self(16);
    /// Packets sent and received.
    pub const PACKETS: Self = Self(32);

    const WORDS: [(&'static str, Self); 6] = [
        ("states", Self::STATES),
        ("routes", Self::ROUTES),
        ("filters", Self::FILTERS),
        ("interfaces", Self::INTERFACES),
        ("events", Self::EVENTS),
        ("packets", Self::PACKETS),
    ];

    /// The flags as bits.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// The flags of these bits.
    pub(crate) const fn from_bits(bits: u32) -> Self {
        Self(bits & Self::ALL.0)
    }

    /// Whether one of these is among them.
    pub const fn has(self, any: Self) -> bool {
        self.0 & any.0 != 0
    }

    /// Both sets together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Parses `all`, `off` or `{ flag, flag }`.
    ///
    /// # Errors
    /// If something else is there.
    pub fn parse(parser: &mut ConfigParser) -> Parsed<Self> {
        use dunlin_conf::TokenKind;
        if parser.eat_word("all") {
            return Ok(Self::ALL);
        }
        if parser.eat_word("off") {
            return Ok(Self::OFF);
        }
        if !parser.at(TokenKind::OpenBrace) {
            return Err(parser.unexpected(&["ALL", "OFF", "'{'"]));
        }
        parser.advance();
        let mut flags = Self::parse_flag(parser)?;
        while parser.eat(TokenKind::Comma) {
            flags = flags.with(Self::parse_flag(parser)?);
        }
        parser.expect(TokenKind::CloseBrace)?;
        Ok(flags)
    }

    fn parse_flag(parser: &mut ConfigParser) -> Parsed<Self> {
        parser.expect_one_of(&Self::WORDS)
    }

    /// Parses what stands behind `mrtdump`: nothing is dumped yet, which a warning says.
    pub(crate) fn parse_dump(parser: &mut ConfigParser) -> Parsed<()> {
        use dunlin_conf::TokenKind;
        let place = parser.previous().span;
        let flag = [("states", true), ("messages", true)];
        let mut on = false;
        if parser.eat(TokenKind::OpenBrace) {
            on = parser.expect_one_of(&flag)?;
            while parser.eat(TokenKind::Comma) {
                parser.expect_one_of(&flag)?;
            }
            parser.expect(TokenKind::CloseBrace)?;
        } else if !parser.eat_word("off") {
            if !parser.eat_word("all") {
                return Err(parser.unexpected(&["ALL", "OFF", "'{'"]));
            }
            on = true;
        }
        if on {
            no_effect_yet(parser, place, "mrtdump");
        }
        Ok(())
    }
}

/// An extra control socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CliConfig {
    /// Where it is.
    pub path: PathBuf,
    /// Only commands that look.
    pub restrict: bool,
    /// Attribute names as in BIRD 2.
    pub v2_attributes: bool,
}

/// A whole configuration, checked.
pub struct Config {
    /// The file.
    pub path: PathBuf,
    /// A hash of the text; see [`dunlin_conf::SourceMap::digest`].
    pub digest: u64,
    /// What was said outside protocols.
    pub globals: Globals,
    /// Protocols, in the order of the file.
    pub protocols: Vec<Arc<InstanceConfig>>,
    /// Where each is in that order.
    places: Map<Arc<str>, usize>,
    /// Every name: the command line parses over them.
    pub symbols: Arc<Symbols<Meaning>>,
    /// Tests of its policy: `--test` runs them.
    pub tests: Vec<dunlin_filter::PolicyTest>,
    /// What was odd.
    pub warnings: Vec<Diagnostic>,
    /// The texts that it was read from, for commands that show pieces of them.
    pub sources: Arc<SourceMap>,
    /// What of it can be taken over by the next one.
    reading: reading::Reading,
}

impl Config {
    /// The protocol of a name.
    pub fn protocol(&self, name: &str) -> Option<&Arc<InstanceConfig>> {
        self.protocols.get(self.place(name)?)
    }

    /// The filter of this configuration that is the same as one in use, which may be of an earlier
    /// configuration and so have its places in another text. Those of `protocol` come first.
    pub fn same_filter(&self, protocol: &str, filter: &ChannelFilter) -> Option<&ChannelFilter> {
        let own = self.protocol(protocol).into_iter();
        own.chain(&self.protocols)
            .flat_map(|protocol| &protocol.channels)
            .flat_map(|channel| [&channel.import, &channel.export])
            .find(|known| known.same(filter))
    }

    /// The place of a protocol in the order of the file.
    pub fn place(&self, name: &str) -> Option<usize> {
        self.places.get(name).copied()
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("path", &self.path)
            .field("protocols", &self.protocols.len())
            .finish_non_exhaustive()
    }
}
