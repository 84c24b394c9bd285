//! Parses filter code, from the top-level statements down.

mod call;
mod case;
mod definition;
mod expression;
mod items;
mod mask;
mod net;
mod primary;
mod set;
mod statement;
mod suite;
mod types;
mod validation;
pub(crate) mod work;

use std::sync::Arc;

use dunlin_conf::{Failed, Parsed, TokenKind, lexer};

use crate::{
    Parser, Symbols,
    build::{Builder, Owner},
    code::{List, Node},
    input::{RunError, Silent, Validation},
    program::{ChannelFilter, Program},
    run::{Scratch, evaluate_code},
    symbol::Symbol,
    value::Constant,
};

pub use self::definition::{
    parse_attribute_definition, parse_define, parse_eval, parse_filter_definition,
    parse_function_definition, parse_route_statements,
};

pub use self::suite::parse_policy_test;

/// Parses the filter of a channel, behind `import` or `export`: `all`, `none`, `filter NAME`,
/// `filter { ... }` or `where EXPRESSION`. The `;` stays.
///
/// # Errors
/// If there is none, or it is wrong; the diagnostics are recorded.
pub fn parse_channel_filter(parser: &mut Parser) -> Parsed<ChannelFilter> {
    if parser.eat_word("all") {
        return Ok(ChannelFilter::Accept);
    }
    if parser.eat_word("none") {
        return Ok(ChannelFilter::Reject);
    }
    if parser.eat_word("where") {
        return Ok(ChannelFilter::Program(Arc::new(condition(parser)?)));
    }
    if !parser.eat_word("filter") {
        return Err(parser.unexpected(&["ALL", "NONE", "FILTER", "WHERE"]));
    }
    let is_filter = |symbol: &Symbol| matches!(symbol, Symbol::Filter(_));
    if crate::symbol::at_symbol(parser, is_filter) {
        let program = parser.known("Filter", |symbol| match symbol {
            Symbol::Filter(program) => Some(program.clone()),
            _ => None,
        })?;
        return Ok(ChannelFilter::Program(program));
    }
    if parser.at(TokenKind::OpenBrace) || types::at_type(parser) {
        let program = definition::body(parser, None)?;
        return Ok(ChannelFilter::Program(Arc::new(program)));
    }
    Err(parser.unexpected(&["CF_SYM_KNOWN", "'{'"]))
}

/// Parses an expression that may read the route, for its type.
///
/// # Errors
/// If there is none, or it is wrong; the diagnostics are recorded.
pub fn parse_expression(parser: &mut Parser) -> Parsed<crate::Type> {
    let mut builder = Builder::new(Owner::Filter);
    Ok(expression::expression(parser, &mut builder)?.kind)
}

/// The program of `where EXPRESSION`.
fn condition(parser: &mut Parser) -> Parsed<Program> {
    let mut builder = Builder::new(Owner::Filter);
    let condition = expression::expression(parser, &mut builder)?;
    let condition = builder.check(parser, condition, crate::Type::Bool, 1, "CONDITION")?;
    let span = condition.span;
    let none = List { start: 0, len: 0 };
    let accept = builder.push(parser, Node::Accept(none), span);
    let reject = builder.push(parser, Node::Reject(none), span);
    let body = match builder.constant_of(condition) {
        Some(Constant::Bool(true)) => accept,
        Some(Constant::Bool(false)) => reject,
        _ => builder.push(parser, Node::If(condition.node, accept, reject), span),
    };
    Ok(Program::new(None, builder.finish(body)))
}

/// Parses an expression and evaluates it without a route.
pub(crate) fn constant(parser: &mut Parser) -> Parsed<Constant> {
    constant_in(parser, &mut Scratch::default(), None)
}

/// As [`constant`], with ROA and ASPA tables that can be asked.
fn constant_in(
    parser: &mut Parser,
    scratch: &mut Scratch,
    validation: Option<&dyn Validation>,
) -> Parsed<Constant> {
    let start = parser.token().span;
    let mut builder = Builder::new(Owner::Filter);
    let expr = expression::expression(parser, &mut builder)?;
    if let Some(constant) = builder.constant_of(expr) {
        return Ok(constant.clone());
    }
    let code = builder.finish(expr.node);
    work::spend(parser, start, 0)?;
    let result = evaluate_code(&code, scratch, validation, &mut Silent);
    work::spend(parser, start, scratch.turns)?;
    match result {
        Ok(constant) => Ok(constant),
        Err(RunError { message, .. }) => {
            let error = parser.error(start, "Runtime error");
            error.hint(format!("a constant expression is needed: {message}"));
            Err(Failed)
        }
    }
}

/// Calls and rounds of loops that a command may take. It runs in one handler of its client's loop, on a
/// worker that has other loops waiting: milliseconds.
const COMMAND_TURNS: u32 = 1 << 14;

/// As [`COMMAND_TURNS`], for what is computed while the expression is read.
const COMMAND_WORK: u64 = 1 << 17;

/// Evaluates an expression over the names of a configuration, as the command `eval` does, if it takes not too
/// long. Without `validation` checks against ROA and ASPA tables fail.
///
/// # Errors
/// The message for the user, without a place.
pub fn evaluate(
    text: &str,
    symbols: Arc<Symbols>,
    validation: Option<&dyn Validation>,
) -> Result<String, String> {
    let lexed = lexer::lex_text("", text);
    let mut parser = Parser::new(lexed, Symbols::over(symbols));
    parser.limit_work(COMMAND_WORK);
    let mut scratch = Scratch::default();
    scratch.most_turns = COMMAND_TURNS;
    let result = constant_in(&mut parser, &mut scratch, validation);
    if result.is_ok() && !parser.at_end() {
        let _: Failed = parser.unexpected(&[]);
    }
    let outcome = parser.finish();
    let first = outcome.diagnostics.errors().next().map(|error| match &error.hint {
        Some(hint) if error.message == "Runtime error" => {
            hint.rsplit_once("needed: ").map_or("", |(_, cause)| cause).to_owned()
        }
        _ => error.message.clone(),
    });
    match (result, first) {
        (Ok(constant), None) => Ok(constant.to_string()),
        (_, first) => Err(first.unwrap_or_default()),
    }
}

#[cfg(test)]
mod bounds;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod soup;
#[cfg(test)]
pub(crate) mod tests;
