//! One route out of many.

use dunlin_conf::{Parsed, TokenKind};
use dunlin_core::config::grammar::{Given, Part, Rule, rule};
use dunlin_core::config::{ConfigParser, Globals};
use dunlin_core::protocol::Phase;
use dunlin_filter::parse_expression;

use crate::grammar::{Channels, Check, Grammar};

const RULES: &[Rule] = &[
    rule("table", &[Part::Table]),
    rule("peer table", &[Part::Table]),
    rule("import", &[Part::Filter]),
    rule("export", &[Part::Filter]),
    rule("aggregate on", &[Part::List(&[Part::Other(key)])]),
    rule("merge by", &[Part::Other(code)]),
];

/// `net`, an attribute, or an expression in parentheses.
fn key(parser: &mut ConfigParser, _: &Globals) -> Parsed<Given> {
    if parser.eat_word("net") {
        return Ok(Given::Word("net"));
    }
    let attribute = !parser.at(TokenKind::Open);
    let place = parser.token().span;
    let kind = parse_expression(parser)?;
    let last = parser.previous().span;
    if attribute && last != place {
        let error = parser.error(place.to(last), "Attribute expected");
        return Err(error.because("put other expressions into parentheses"));
    }
    Ok(Given::Text(kind.to_string().into()))
}

/// Code over `routes`. Its braces are matched; the language has no routes as values yet.
fn code(parser: &mut ConfigParser, _: &Globals) -> Parsed<Given> {
    let start = parser.expect(TokenKind::OpenBrace)?.span;
    let mut depth = 1;
    while depth > 0 {
        if parser.at_end() {
            return Err(parser.unexpected(&["'}'"]));
        }
        match parser.advance().kind {
            TokenKind::OpenBrace => depth += 1,
            TokenKind::CloseBrace => depth -= 1,
            _ => {}
        }
    }
    let text = parser.sources().text(start.to(parser.previous().span));
    Ok(Given::Text(text.into()))
}

pub(super) static GRAMMAR: Grammar = Grammar {
    keyword: "aggregator",
    type_name: "Aggregator",
    lacks: "make one route out of many",
    phase: Phase::Plumbing,
    heads: &[],
    templates: true,
    channels: Channels::NONE,
    rules: RULES,
    check,
};

fn check(check: &mut Check<'_>) {
    let said = check.said;
    check.need("table", "Source table not specified");
    check.need("peer table", "Destination table not specified");
    check.need("aggregate on", "Aggregation list not specified");
    check.need("merge by", "Merge-by function not specified");
    if let Some(keys) = said.last("aggregate on") {
        check.forbid(!keys.has_word("net"), "Network must be in the aggregation list");
    }
    let table = |words| match said.last(words)?.values.first()? {
        Given::Table(name) => check.globals.table(name).map(|table| table.net_type),
        _ => None,
    };
    let differ = table("table") != table("peer table");
    check.forbid(
        differ && said.has("table") && said.has("peer table"),
        "Both tables must have the same type",
    );
}
