//! Calls: of functions, and of methods and the built-in functions of the same meaning.

use std::sync::Arc;

use dunlin_conf::{Parsed, Span, TokenKind};

use super::{expression::expression, validation};
use crate::{
    Parser,
    build::{Builder, Expr},
    code::{Function, NodeId, Unary},
    method::{self, Method},
    symbol::Symbol,
    types::Type,
};

/// Applies a method with one argument. The cursor is behind the closing parenthesis.
pub(super) fn apply(
    parser: &mut Parser,
    builder: &mut Builder,
    (method, wanted, kind): (Method, Option<Type>, Type),
    on: Expr,
    argument: Expr,
) -> Parsed<Expr> {
    let at = parser.previous().span;
    let span = on.span.to(at);
    let argument = match wanted {
        Some(wanted) => builder.check_at(parser, at, argument, wanted, 2, name(method))?,
        None if method::takes(method, on.kind, argument.kind) => argument,
        None => {
            let message =
                format!("Can't {} {} to or from {}", word(method), argument.kind, on.kind);
            return Err(Builder::type_error(parser, at, message, argument));
        }
    };
    builder.method(parser, method, on, Some(argument), kind, span)
}

fn name(method: Method) -> &'static str {
    match method {
        Method::Prepend => "PATH_PREPEND",
        Method::Mask => "IP_MASK",
        _ => "APPEND",
    }
}

fn word(method: Method) -> &'static str {
    match method {
        Method::Add => "add",
        Method::Delete => "delete",
        _ => "filter",
    }
}

/// A built-in function at the cursor, if there is one.
pub(super) fn builtin(parser: &mut Parser, builder: &mut Builder) -> Option<Parsed<Expr>> {
    if parser.ahead(1).kind != TokenKind::Open {
        return None;
    }
    let word = parser.word()?.to_owned();
    let unary = match word.as_str() {
        "defined" => Some(Unary::Defined),
        "format" => Some(Unary::Format),
        "from_hex" => Some(Unary::FromHex),
        _ => None,
    };
    if let Some(op) = unary {
        return Some(one_argument(parser, builder, op));
    }
    match word.as_str() {
        "prepend" | "append" | "add" | "delete" | "filter" => {
            Some(functional(parser, builder, &word))
        }
        "roa_check" | "aspa_check" | "aspa_check_downstream" | "aspa_check_upstream" => {
            Some(validation::check(parser, builder, &word))
        }
        _ => None,
    }
}

fn one_argument(parser: &mut Parser, builder: &mut Builder, op: Unary) -> Parsed<Expr> {
    let start = parser.advance().span;
    parser.expect(TokenKind::Open)?;
    let operand = parser.nested(|parser| expression(parser, builder))?;
    parser.expect(TokenKind::Close)?;
    let span = start.to(parser.previous().span);
    builder.unary(parser, op, operand, span)
}

/// `add(list, x)` and its like, which mean the methods.
fn functional(parser: &mut Parser, builder: &mut Builder, word: &str) -> Parsed<Expr> {
    let start = parser.advance().span;
    parser.expect(TokenKind::Open)?;
    let on = parser.nested(|parser| expression(parser, builder))?;
    parser.expect(TokenKind::Comma)?;
    let argument = parser.nested(|parser| expression(parser, builder))?;
    parser.expect(TokenKind::Close)?;
    let found = match on.kind {
        Type::Unknown => method::find_unknown(word),
        kind => method::find(word, kind),
    };
    let Some((method, wanted, kind)) = found else {
        let message = match word {
            "prepend" => crate::ops::type_message(1, "PATH_PREPEND", Type::Path, on.kind),
            "append" => crate::ops::type_message(1, "APPEND", Type::String, on.kind),
            "add" => "Can't add to non-[e|l]clist".to_owned(),
            "delete" => "Can't delete in non-[e|l]clist".to_owned(),
            _ => "Can't filter non-[e|l]clist".to_owned(),
        };
        let at = parser.previous().span;
        return Err(Builder::type_error(parser, at, message, on));
    };
    let wanted = if let method::Argument::One(wanted) = wanted { Some(wanted) } else { None };
    let on = Expr { span: start, ..on };
    apply(parser, builder, (method, wanted, kind), on, argument)
}

/// A call of a function; the cursor is at its name.
pub(super) fn function(parser: &mut Parser, builder: &mut Builder) -> Parsed<Expr> {
    let Some(symbol) = parser.symbol() else { return Err(parser.unexpected(&[])) };
    let (name, value) = (symbol.name.clone(), symbol.value.clone());
    let start = parser.advance().span;
    parser.expect(TokenKind::Open)?;
    let arguments = arguments(parser, builder)?;
    let span = start.to(parser.previous().span);
    match value {
        Symbol::Function(function) => {
            let nodes = check(parser, builder, &name, function.parameters(), &arguments)?;
            Ok(builder.call(parser, &function, &nodes, span))
        }
        Symbol::Unfinished(parameters, result) => {
            let nodes = check(parser, builder, &name, &parameters, &arguments)?;
            Ok(builder.recurse(parser, &nodes, result.unwrap_or(Type::Unknown), span))
        }
        _ => Err(parser.error(start, format!("'{name}' is not a function")).into()),
    }
}

fn arguments(parser: &mut Parser, builder: &mut Builder) -> Parsed<Vec<Expr>> {
    let mut arguments = Vec::new();
    if parser.eat(TokenKind::Close) {
        return Ok(arguments);
    }
    loop {
        arguments.push(parser.nested(|parser| expression(parser, builder))?);
        if parser.eat(TokenKind::Close) {
            return Ok(arguments);
        }
        if !parser.eat(TokenKind::Comma) {
            return Err(parser.unexpected(&["','", "')'"]));
        }
    }
}

/// Checks arguments against parameters; errors are where BIRD reports them, at the parenthesis.
fn check(
    parser: &mut Parser,
    builder: &mut Builder,
    name: &str,
    parameters: &[Type],
    arguments: &[Expr],
) -> Parsed<Vec<NodeId>> {
    let at: Span = parser.previous().span;
    if parameters.len() != arguments.len() {
        let (wanted, found) = (parameters.len(), arguments.len());
        let message =
            format!("Function '{name}' expects {wanted} arguments, got {found} arguments");
        return Err(parser.error(at, message).into());
    }
    let mut nodes = Vec::with_capacity(arguments.len());
    for (number, (wanted, argument)) in (1..).zip(parameters.iter().zip(arguments)) {
        let argument = builder.promote(*argument, *wanted);
        if !argument.kind.fits(*wanted) {
            let found = argument.kind;
            let message = format!("Argument {number} of '{name}' must be {wanted}, got {found}");
            return Err(Builder::type_error(parser, at, message, argument));
        }
        nodes.push(argument.node);
    }
    Ok(nodes)
}

/// Whether the symbol at the cursor is a function.
pub(super) fn at_function(parser: &Parser) -> bool {
    crate::symbol::at_symbol(parser, |symbol| {
        matches!(symbol, Symbol::Function(_) | Symbol::Unfinished(..))
    })
}

/// A function under definition, for its recursive calls.
pub(super) fn unfinished(parameters: &[Type], result: Option<Type>) -> Symbol {
    Symbol::Unfinished(Arc::from(parameters), result)
}

/// A finished function.
pub(super) fn finished(function: Function) -> Symbol {
    Symbol::Function(Arc::new(function))
}
