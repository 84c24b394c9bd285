//! Tests of policy in the configuration itself: `bt_test_suite`, `bt_test_same`, and what stands in
//! the functions of suites: `bt_assert` and `bt_check_assign`.

use std::sync::Arc;

use dunlin_conf::{Parsed, Span, TokenKind};

use super::{expression::expression, statement};
use crate::{
    Parser,
    build::{Builder, Expr},
    code::{Binary, Node, NodeId, Place},
    suite::{PolicyTest, Subject},
    symbol::Symbol,
    types::Type,
};

/// Parses `bt_test_suite(FUNCTION, "TEXT" [, PREFIX])` or `bt_test_same(NAME, NAME, EXPECTED)`; the
/// cursor is at the first word.
///
/// # Errors
/// If it is wrong; the diagnostics are recorded.
pub fn parse_policy_test(parser: &mut Parser) -> Parsed<PolicyTest> {
    let is_suite = parser.at_word("bt_test_suite");
    let start = parser.advance().span;
    let place = place(parser, start).0;
    parser.expect(TokenKind::Open)?;
    if is_suite {
        return suite(parser, place);
    }
    let (one, first) = subject(parser)?;
    parser.expect(TokenKind::Comma)?;
    let (other, second) = subject(parser)?;
    parser.expect(TokenKind::Comma)?;
    let same = expected(parser)?;
    parser.expect(TokenKind::Close)?;
    Ok(PolicyTest::Same { place, names: [first, second], subjects: [one, other], same })
}

fn suite(parser: &mut Parser, place: Arc<str>) -> Parsed<PolicyTest> {
    let span = parser.token().span;
    let function = parser.known("Function", |symbol| match symbol {
        Symbol::Function(function) => Some(function.clone()),
        _ => None,
    })?;
    if !function.parameters.is_empty() {
        let message = format!("Function '{}' of a test suite takes arguments", function.name);
        return Err(parser.error(span, message).because("nothing could be given to it"));
    }
    parser.expect(TokenKind::Comma)?;
    let text = parser.string()?;
    let net = if parser.eat(TokenKind::Comma) { Some(parser.prefix()?) } else { None };
    parser.expect(TokenKind::Close)?;
    Ok(PolicyTest::Suite { place, function, text, net })
}

/// A filter or function, and its name.
fn subject(parser: &mut Parser) -> Parsed<(Subject, Arc<str>)> {
    let name: Arc<str> = parser.text(parser.token().span).into();
    let subject = parser.known("Filter or function", |symbol| match symbol {
        Symbol::Filter(program) => Some(Subject::Filter(program.clone())),
        Symbol::Function(function) => Some(Subject::Function(function.clone())),
        _ => None,
    })?;
    Ok((subject, name))
}

/// A number or a bool.
fn expected(parser: &mut Parser) -> Parsed<bool> {
    match parser.eat_one_of(&[("true", true), ("false", false)]) {
        Some(expected) => Ok(expected),
        None => parser.integer().map(|number| number != 0),
    }
}

/// `bt_assert(EXPRESSION);`
pub(super) fn assertion(parser: &mut Parser, builder: &mut Builder) -> Parsed<NodeId> {
    let start = parser.advance().span;
    parser.expect(TokenKind::Open)?;
    let condition = expression(parser, builder)?;
    parser.expect(TokenKind::Close)?;
    parser.semicolon()?;
    let condition = builder.check(parser, condition, Type::Bool, 1, "ASSERT")?;
    let text = one_line(parser.sources().text(condition.span));
    let condition = builder.unfolded(parser, condition);
    Ok(assert_node(parser, builder, condition, text, start))
}

/// `bt_check_assign(LVALUE, EXPRESSION);`: assigns, and what is read back has to be the same.
pub(super) fn check_assign(parser: &mut Parser, builder: &mut Builder) -> Parsed<NodeId> {
    let start = parser.advance().span;
    parser.expect(TokenKind::Open)?;
    let (target, span) = statement::target(parser)?;
    parser.expect(TokenKind::Comma)?;
    let value = expression(parser, builder)?;
    parser.expect(TokenKind::Close)?;
    parser.semicolon()?;
    let value = builder.promote(value, target.kind());
    let text = one_line(parser.sources().text(span));
    let text = format!("{text} = {}", one_line(parser.sources().text(value.span)));
    // The expression is evaluated once.
    let slot = builder.variable(parser, value.kind)?;
    let keep = builder.push(parser, Node::SetVariable(slot, value.node), start);
    let kept = builder.read_variable(parser, slot, value.kind, value.span);
    let assign = target.clone().set(parser, builder, kept, span)?;
    let read = target.read(parser, builder, span);
    let kept = builder.read_variable(parser, slot, value.kind, value.span);
    let equal = builder.push(parser, Node::Binary(Binary::Equal, read.node, kept.node), start);
    let equal = Expr { node: equal, kind: Type::Bool, span };
    let check = assert_node(parser, builder, equal, text, start);
    let list = builder.list(&[keep, assign, check]);
    Ok(builder.push(parser, Node::Block(list), start))
}

fn assert_node(
    parser: &Parser,
    builder: &mut Builder,
    condition: Expr,
    text: String,
    start: Span,
) -> NodeId {
    let place = place(parser, start);
    builder.push(parser, Node::Assert(condition.node, text.into(), place), start)
}

fn place(parser: &Parser, span: Span) -> Place {
    let sources = parser.sources();
    let at = sources.position(span);
    Place(format!("{}:{}:{}", sources.name(span), at.line, at.column).into())
}

/// The text with single blanks.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
