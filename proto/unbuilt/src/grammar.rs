//! What there is to say of a protocol before it is built.

use core::fmt;

use dunlin_conf::Span;
use dunlin_core::config::grammar::{Rule, Said, Statements};
use dunlin_core::config::{ConfigParser, Globals};
use dunlin_core::protocol::{ChannelKind, InstanceConfig, Needed, OtherChannel, Phase};

/// A protocol's grammar.
pub struct Grammar {
    /// The word in the configuration.
    pub keyword: &'static str,
    /// The name in `show protocols`.
    pub type_name: &'static str,
    /// What Dunlin cannot do without it.
    pub lacks: &'static str,
    /// When its instances would start.
    pub phase: Phase,
    /// Words that may stand behind the keyword, such as `v3` of OSPF.
    pub heads: &'static [&'static str],
    /// Whether there are templates of it.
    pub templates: bool,
    /// Its channels.
    pub channels: Channels,
    /// Its statements.
    pub rules: &'static [Rule],
    /// What must fit together.
    pub check: fn(&mut Check<'_>),
}

/// Which channels a protocol has.
#[derive(Debug)]
pub struct Channels {
    /// Those of types that are built.
    pub kinds: &'static [ChannelKind],
    /// Those of other types.
    pub others: &'static [OtherChannel],
    /// How many.
    pub needed: Needed,
    /// Preference of its routes.
    pub preference: u32,
    /// Whether they export all routes if nothing is said.
    pub export: bool,
}

impl Channels {
    /// Of a protocol that has no routes.
    pub(crate) const NONE: Self =
        Self { kinds: &[], others: &[], needed: Needed::None, preference: 0, export: false };
}

impl fmt::Debug for Grammar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grammar").field("keyword", &self.keyword).finish_non_exhaustive()
    }
}

/// All passwords of a block, in `passwords` or not.
pub(crate) fn passwords(block: &Statements) -> Vec<&Said> {
    let plain = block.all("password").chain(block.all("key"));
    plain.chain(block.all("passwords").flat_map(|all| &all.block().0)).collect()
}

/// Passwords whose algorithm begins with one of these words.
pub(crate) fn signed_by<'a>(block: &'a Statements, words: &[&str]) -> Option<&'a Said> {
    passwords(block).into_iter().find(|password| {
        let algorithm = password.block().last("algorithm").and_then(Said::word);
        algorithm.is_some_and(|name| words.iter().any(|word| name.starts_with(word)))
    })
}

/// A section that has been read, on its way to be checked as a whole.
#[derive(Debug)]
pub struct Check<'a> {
    pub(crate) parser: &'a mut ConfigParser,
    pub(crate) globals: &'a Globals,
    pub(crate) config: &'a InstanceConfig,
    pub(crate) said: &'a Statements,
    /// The word behind the keyword.
    pub(crate) head: Option<&'static str>,
}

impl Check<'_> {
    /// An error of the section as a whole.
    pub(crate) fn error(&mut self, text: &str) {
        self.parser.error(self.config.end, text);
    }

    /// An error if this is so.
    pub(crate) fn forbid(&mut self, wrong: bool, text: &str) {
        if wrong {
            self.error(text);
        }
    }

    /// An error if there is no statement with these words.
    pub(crate) fn need(&mut self, words: &str, text: &str) {
        self.forbid(!self.said.has(words), text);
    }

    /// An error at a place inside of the section.
    pub(crate) fn error_at(&mut self, place: Span, text: &str) {
        self.parser.error(place, text);
    }

    /// An error at the first of these statements.
    pub(crate) fn forbid_said<'s>(&mut self, said: impl IntoIterator<Item = &'s Said>, text: &str) {
        if let Some(said) = said.into_iter().next() {
            self.error_at(said.place, text);
        }
    }

    /// The second number must not be less than the first.
    pub(crate) fn ordered(&mut self, least: Option<u32>, most: Option<u32>, text: &str) {
        if let (Some(least), Some(most)) = (least, most) {
            self.forbid(least > most, text);
        }
    }

    /// At most one channel, one of MPLS labels not counted.
    pub(crate) fn one_channel(&mut self) {
        let labels = |other: &&OtherChannel| **other == OtherChannel::MPLS;
        let others = self.config.others.iter().map(|other| &other.channel);
        let count = self.config.channels.len() + others.filter(|other| !labels(other)).count();
        self.forbid(count > 1, "More than one channel specified");
    }
}
