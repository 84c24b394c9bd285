//! What statements said.

use core::net::IpAddr;
use core::time::Duration;
use std::sync::Arc;

use dunlin_conf::{InterfacePattern, Span};
use dunlin_filter::{ChannelFilter, Constant};
use dunlin_net::Prefix;

use crate::protocol::Limit;

/// A value, of the type that its part of the rule asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Given {
    /// On or off.
    Switch(bool),
    /// A number; an id, too.
    Number(u32),
    /// A time.
    Time(Duration),
    /// An address.
    Ip(IpAddr),
    /// A prefix.
    Prefix(Prefix),
    /// A string, a name, a date.
    Text(Arc<str>),
    /// Bytes.
    Bytes(Arc<[u8]>),
    /// A keyword, or more with spaces between.
    Word(&'static str),
    /// Interfaces.
    Interfaces(InterfacePattern),
    /// The name of a table.
    Table(Arc<str>),
    /// A filter.
    Filter(ChannelFilter),
    /// A limit; none for `off`.
    Limit(Option<Limit>),
    /// A value of the filter language.
    Value(Constant),
    /// The statements of a block.
    Block(Statements),
}

/// One statement.
#[derive(Clone, Debug)]
pub struct Said {
    /// The words of its rule.
    pub words: &'static str,
    /// From its first word to its last token.
    pub place: Span,
    /// What stands behind the words, in order; what was left out is not there.
    pub values: Vec<Given>,
}

impl PartialEq for Said {
    /// Where it stands does not matter.
    fn eq(&self, other: &Self) -> bool {
        self.words == other.words && self.values == other.values
    }
}

impl Said {
    /// Whether it only switches something off.
    pub fn is_off(&self) -> bool {
        self.values.first() == Some(&Given::Switch(false))
    }

    /// The switch behind the words, if there is one.
    pub fn switch(&self) -> Option<bool> {
        self.values.iter().find_map(|given| match given {
            Given::Switch(on) => Some(*on),
            _ => None,
        })
    }

    /// The first number behind the words.
    pub fn number(&self) -> Option<u32> {
        self.numbers().next()
    }

    /// All numbers behind the words.
    pub fn numbers(&self) -> impl Iterator<Item = u32> {
        self.values.iter().filter_map(|given| match given {
            Given::Number(number) => Some(*number),
            _ => None,
        })
    }

    /// The first time behind the words.
    pub fn time(&self) -> Option<Duration> {
        self.values.iter().find_map(|given| match given {
            Given::Time(time) => Some(*time),
            _ => None,
        })
    }

    /// The first address behind the words.
    pub fn ip(&self) -> Option<IpAddr> {
        self.values.iter().find_map(|given| match given {
            Given::Ip(ip) => Some(*ip),
            _ => None,
        })
    }

    /// The first string behind the words.
    pub fn text(&self) -> Option<&str> {
        self.values.iter().find_map(|given| match given {
            Given::Text(text) => Some(&**text),
            _ => None,
        })
    }

    /// The interfaces behind the words.
    pub fn interfaces(&self) -> Option<&InterfacePattern> {
        self.values.iter().find_map(|given| match given {
            Given::Interfaces(pattern) => Some(pattern),
            _ => None,
        })
    }

    /// The block at the end; empty if there is none.
    pub fn block(&self) -> &Statements {
        static NONE: Statements = Statements(Vec::new());
        self.values
            .iter()
            .find_map(|given| match given {
                Given::Block(block) => Some(block),
                _ => None,
            })
            .unwrap_or(&NONE)
    }

    /// The first keyword among the values.
    pub fn word(&self) -> Option<&'static str> {
        self.values.iter().find_map(|given| match given {
            Given::Word(word) => Some(*word),
            _ => None,
        })
    }

    /// Whether this keyword stands among the values.
    pub fn has_word(&self, word: &str) -> bool {
        self.values.iter().any(|given| matches!(given, Given::Word(found) if *found == word))
    }
}

/// All statements of a section or block, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Statements(pub Vec<Said>);

impl Statements {
    /// All statements with these words.
    pub fn all<'a>(&'a self, words: &'a str) -> impl Iterator<Item = &'a Said> {
        self.0.iter().filter(move |said| said.words == words)
    }

    /// The last statement with these words: it is the one that counts.
    pub fn last(&self, words: &str) -> Option<&Said> {
        self.0.iter().rev().find(|said| said.words == words)
    }

    /// Whether there is such a statement.
    pub fn has(&self, words: &str) -> bool {
        self.last(words).is_some()
    }

    /// Whether a switch is on; `default` if nothing is said.
    pub fn is_on(&self, words: &str, default: bool) -> bool {
        self.last(words).and_then(Said::switch).unwrap_or(default)
    }

    /// A number, if it is said.
    pub fn number(&self, words: &str) -> Option<u32> {
        self.last(words).and_then(Said::number)
    }

    /// A time, if it is said.
    pub fn time(&self, words: &str) -> Option<Duration> {
        self.last(words).and_then(Said::time)
    }
}
