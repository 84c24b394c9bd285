//! `ipv4 table NAME { … }`: tables and their options.

use std::sync::Arc;

use dunlin_conf::{Parsed, Span, TokenKind};
use dunlin_net::NetType;
use dunlin_rib::validation::validator::Settle;

use super::globals::TablesGroup;
use super::groups::parse_group;
use super::parse::Loader;
use super::unsupported::{no_effect, no_effect_yet};
use super::{ConfigParser, DebugFlags, Globals, TableConfig, names};

/// What stands behind an option's words.
#[derive(Clone, Copy)]
enum Value {
    Switch,
    Integer,
    Integers,
    Time,
    /// A time of one hour at most.
    Period,
    Times,
}

/// An option of BIRD's tables for which there is nothing here that it could change, and why.
struct Idle {
    words: &'static [&'static str],
    value: Value,
    reason: &'static str,
}

const NOTHING_TO_COLLECT: &str = "what is withdrawn is freed at once, there is nothing to collect";
const NO_SETTLING: &str = "changes leave with the batch that brought them, none waits to settle";

const ONLY_ASKED: &str = "only changes of ROA and ASPA tables, which filters ask, have to settle";

const IDLE: [Idle; 9] = [
    Idle {
        words: &["trie"],
        value: Value::Switch,
        reason: "longest matches are found without a trie",
    },
    Idle { words: &["gc", "threshold"], value: Value::Integer, reason: NOTHING_TO_COLLECT },
    Idle { words: &["gc", "period"], value: Value::Period, reason: NOTHING_TO_COLLECT },
    Idle {
        words: &["cork", "threshold"],
        value: Value::Integers,
        reason: "each session stops reading by what it has under way itself, not by a table's load",
    },
    Idle {
        words: &["route", "refresh", "export", "settle", "time"],
        value: Value::Times,
        reason: NO_SETTLING,
    },
    Idle { words: &["export", "settle", "time"], value: Value::Times, reason: NO_SETTLING },
    Idle { words: &["min", "settle", "time"], value: Value::Time, reason: ONLY_ASKED },
    Idle { words: &["max", "settle", "time"], value: Value::Time, reason: ONLY_ASKED },
    Idle { words: &["digest", "settle", "time"], value: Value::Times, reason: ONLY_ASKED },
];

const UNSORTED: &str = "a network's best route comes first, the others have no order";

impl Loader {
    /// `ipv4 table NAME [sorted] [{ … }]`
    pub(super) fn table(&mut self) -> Parsed<()> {
        let start = self.parser.token().span;
        let net_type = net_type(&mut self.parser)?;
        self.parser.expect_word("table")?;
        let (name, span) = self.parser.name()?;
        let mut table = TableConfig::new(name.clone(), net_type);
        // Naming a table that is there anyway only gives it options.
        let index = self.globals.tables.iter().position(|there| table.is_default_like(there));
        let index = match index {
            Some(index) => index,
            None => {
                let index = self.globals.tables.len();
                self.parser.define(&name, span, names::table(&table, index))?;
                self.globals.tables.push(table.clone());
                index
            }
        };
        if !table.is_built() {
            let place = start.to(span);
            no_effect_yet(&mut self.parser, place, &format!("table of type {net_type}"));
        }
        let place = self.parser.token().span;
        if self.parser.eat_word("sorted") {
            table.sorted = true;
            no_effect(&mut self.parser, place, "sorted", UNSORTED);
        }
        if self.parser.at(TokenKind::OpenBrace) {
            let mut group = None;
            let globals = &self.globals;
            self.parser.block(|parser| option(parser, globals, &mut table, &mut group))?;
            if let Some((group, place)) = group {
                self.tables_group(name, group, place);
            }
        }
        self.globals.tables[index] = table;
        Ok(())
    }

    /// A table names the thread group it is to run in. All tables have their parts in the same loops,
    /// so the first to do so decides for all.
    fn tables_group(&mut self, table: Arc<str>, group: Arc<str>, place: Span) {
        let wanted = TablesGroup { group, table };
        let decided = self.globals.tables_group.get_or_insert_with(|| wanted.clone());
        if decided.group != wanted.group {
            let TablesGroup { group, table } = decided;
            let reason = format!("all tables run in group {group}, which table {table} names");
            no_effect(&mut self.parser, place, "thread group", &reason);
        }
    }
}

/// The type of a table.
fn net_type(parser: &mut ConfigParser) -> Parsed<NetType> {
    if parser.eat_words(&["ipv6", "sadr"]) {
        return Ok(NetType::Ip6Sadr);
    }
    parser.expect_one_of(&NET_TYPES)
}

/// The word that a table's statement begins with, and what the table holds.
const NET_TYPES: [(&str, NetType); 14] = [
    ("ipv4", NetType::Ip4),
    ("ipv6", NetType::Ip6),
    ("vpn4", NetType::Vpn4),
    ("vpn6", NetType::Vpn6),
    ("roa4", NetType::Roa4),
    ("roa6", NetType::Roa6),
    ("flow4", NetType::Flow4),
    ("flow6", NetType::Flow6),
    ("mpls", NetType::Mpls),
    ("aspa", NetType::Aspa),
    ("evpn", NetType::Evpn),
    ("eth", NetType::Eth),
    ("neighbor", NetType::Neighbor),
    ("neighbors", NetType::Neighbor),
];

/// Whether a statement that begins with this word defines a table.
pub(super) fn is_net_type(word: &str) -> bool {
    NET_TYPES.iter().any(|(net_type, _)| *net_type == word)
}

/// `group`: the thread group that the table names, and where.
fn option(
    parser: &mut ConfigParser,
    globals: &Globals,
    table: &mut TableConfig,
    group: &mut Option<(Arc<str>, Span)>,
) -> Parsed<()> {
    let place = parser.token().span;
    if parser.eat_words(&["thread", "group"]) {
        *group = Some((parse_group(parser, globals)?, place));
    } else if table.is_asked() && settle(parser, table)? {
        // It is read.
    } else if let Some(idle) = IDLE.iter().find(|idle| parser.eat_words(idle.words)) {
        let on = idle.value.read(parser)?;
        if idle.words == ["trie"] {
            check_trie(parser, place, table.net_type)?;
            table.trie = on;
        }
        no_effect(parser, place, &idle.words.join(" "), idle.reason);
    } else if parser.eat_word("sorted") {
        table.sorted = parser.switch()?;
        if table.sorted {
            no_effect(parser, place, "sorted", UNSORTED);
        }
    } else if parser.eat_word("debug") {
        table.debug = Some(DebugFlags::parse(parser)?);
    } else {
        return Err(parser.unexpected(&[]));
    }
    Ok(())
}

/// How long changes of a table settle that filters ask; false if something else is there.
fn settle(parser: &mut ConfigParser, table: &mut TableConfig) -> Parsed<bool> {
    if parser.eat_words(&["export", "settle", "time"]) {
        table.settle = Settle { quiet: parser.time()?, most: parser.time()? };
    } else if parser.eat_words(&["digest", "settle", "time"]) {
        table.digest = Settle { quiet: parser.time()?, most: parser.time()? };
    } else if parser.eat_words(&["min", "settle", "time"]) {
        table.digest.quiet = parser.time()?;
    } else if parser.eat_words(&["max", "settle", "time"]) {
        table.digest.most = parser.time()?;
    } else {
        return Ok(false);
    }
    Ok(true)
}

/// Only of prefixes are there longest matches to find.
fn check_trie(parser: &mut ConfigParser, place: Span, net_type: NetType) -> Parsed<()> {
    match net_type {
        NetType::Ip4 | NetType::Ip6 | NetType::Vpn4 | NetType::Vpn6 => Ok(()),
        NetType::Roa4 | NetType::Roa6 | NetType::Ip6Sadr => Ok(()),
        _ => {
            let text = format!("Trie option not supported for {net_type} table");
            Err(parser.error(place, text).into())
        }
    }
}

impl Value {
    /// Reads the value: whether the option is on.
    fn read(self, parser: &mut ConfigParser) -> Parsed<bool> {
        match self {
            Self::Switch => return parser.switch(),
            Self::Integer => parser.integer().map(drop),
            Self::Integers => parser.integer().and_then(|_| parser.integer()).map(drop),
            Self::Period => {
                let place = parser.token().span;
                if parser.time()?.as_secs() > 3600 {
                    let text = "GC period must be at most 3600 s";
                    return Err(parser.error(place, text).into());
                }
                Ok(())
            }
            Self::Time => parser.time().map(drop),
            Self::Times => parser.time().and_then(|_| parser.time()).map(drop),
        }
        .map(|()| true)
    }
}
