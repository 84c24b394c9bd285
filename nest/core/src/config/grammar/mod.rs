//! Grammars as tables: which statements a section has, and what stands behind their words.
//!
//! A protocol whose options are many and whose code is not there yet describes them as [`Rule`]s. [`read`]
//! takes one statement by them and gives what was [`Said`]: typed values with their places, which the
//! protocol's checks look at, and out of which its own configuration is made when it is built.

mod password;
mod read;
mod said;

pub use password::PASSWORDS;
pub use read::{Reader, read};
pub use said::{Given, Said, Statements};

use dunlin_conf::Parsed;

use super::{ConfigParser, Globals};

/// A statement: its words, and the parts behind them.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// The words, with spaces between; empty for a statement that begins with a value.
    pub words: &'static str,
    /// What follows.
    pub parts: &'static [Part],
}

/// What can stand behind the words of a statement.
#[derive(Clone, Copy, Debug)]
pub enum Part {
    /// `on`, `off` or nothing.
    Switch,
    /// A number in this range.
    Number(u32, u32),
    /// A time with its unit; milliseconds at least and at most.
    Time(u64, u64),
    /// The same, and a number without a unit is one of seconds: so in BIRD's guide, which its program refuses.
    Seconds(u64, u64),
    /// An address.
    Ip,
    /// An address and perhaps `%` and the interface it is on.
    IpOnLink,
    /// A prefix.
    Prefix,
    /// An address or a number.
    Id,
    /// A string.
    Text,
    /// A byte string.
    Bytes,
    /// A string or a byte string.
    Secret,
    /// A date in a string, `YYYY-MM-DD[ hh:mm:ss[.ffffff]]`.
    Date,
    /// A route distinguisher.
    Rd,
    /// An interface's name, quoted or not.
    Interface,
    /// Names of interfaces.
    Names,
    /// Interfaces by name or address.
    Pattern,
    /// The name of a table of any type.
    Table,
    /// A filter of a channel.
    Filter,
    /// A limit of a channel.
    Limit,
    /// A constant expression of the filter language.
    Value,
    /// This keyword.
    Word(&'static str),
    /// One of these keywords, or groups of keywords.
    OneOf(&'static [&'static str]),
    /// Nothing, or all of these.
    Maybe(&'static [Self]),
    /// The first of these whose beginning is there; the last one if none is.
    Either(&'static [&'static [Self]]),
    /// These once or more, with commas between.
    List(&'static [Self]),
    /// `{ statement; … }`
    Block(&'static [Rule]),
    /// Something that no other part describes.
    Other(fn(&mut ConfigParser, &Globals) -> Parsed<Given>),
}

impl Part {
    /// Any number.
    pub const NUMBER: Self = Self::Number(0, u32::MAX);
    /// Any time that has its unit.
    pub const TIME: Self = Self::Time(0, u64::MAX);
    /// A port of TCP or UDP.
    pub const PORT: Self = Self::Number(1, 65535);
}

/// A switch with these words.
pub const fn switch(words: &'static str) -> Rule {
    Rule { words, parts: &[Part::Switch] }
}

/// A statement of these words and parts.
pub const fn rule(words: &'static str, parts: &'static [Part]) -> Rule {
    Rule { words, parts }
}
