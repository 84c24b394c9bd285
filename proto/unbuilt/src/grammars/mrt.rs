//! Dumps of tables (RFC 6396).

use dunlin_conf::Parsed;
use dunlin_core::config::grammar::{Given, Part, Rule, rule, switch};
use dunlin_core::config::{ConfigParser, Globals};
use dunlin_core::protocol::Phase;
use dunlin_filter::parse_channel_filter;

use crate::grammar::{Channels, Check, Grammar};

const RULES: &[Rule] = &[
    rule("table", &[Part::Either(&[&[Part::Table], &[Part::Text]])]),
    rule("filter", &[Part::Other(filter)]),
    rule("where", &[Part::Other(filter)]),
    rule("filename", &[Part::Text]),
    rule("period", &[Part::NUMBER]),
    switch("always add path"),
];

/// A filter whose first word has been read.
fn filter(parser: &mut ConfigParser, _: &Globals) -> Parsed<Given> {
    parser.back();
    parse_channel_filter(parser).map(Given::Filter)
}

pub(super) static GRAMMAR: Grammar = Grammar {
    keyword: "mrt",
    type_name: "MRT",
    lacks: "dump tables into files",
    phase: Phase::Rest,
    heads: &[],
    templates: true,
    channels: Channels::NONE,
    rules: RULES,
    check,
};

fn check(check: &mut Check<'_>) {
    check.need("table", "Table not specified");
    check.need("filename", "File name not specified");
    check.forbid(check.said.number("period").unwrap_or(0) == 0, "Period not specified");
}
