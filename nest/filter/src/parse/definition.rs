//! Top-level statements of the language: filters, functions, constants, attributes.

use std::sync::Arc;

use dunlin_attr::AttrId;
use dunlin_conf::{Failed, Parsed, TokenKind};

use super::{call, statement, types};
use crate::{
    Parser,
    attribute::Attribute,
    build::{Builder, Owner},
    code::{Function, List, Node, NodeId},
    program::Program,
    symbol::Symbol,
    types::Type,
    value::Constant,
};

/// How deep calls of functions may nest in the text. A run bounds them too, and more narrowly, but whatever
/// walks over a program needs a bound that does not depend on what a run meets.
const MAX_DEPTH: u32 = 2000;

/// Parses `filter NAME { ... }`, behind `filter`.
///
/// # Errors
/// If it is wrong; the diagnostics are recorded. So with all others.
pub fn parse_filter_definition(parser: &mut Parser) -> Parsed<()> {
    let (name, span) = parser.name()?;
    let program = body(parser, Some(name.clone()));
    // A filter that failed is known all the same, so that its uses are no errors too.
    let defined = match &program {
        Ok(_) => None,
        Err(Failed) => {
            let mut builder = Builder::new(Owner::Filter);
            let nothing = builder.push(parser, Node::Nothing, span);
            Some(Program::new(Some(name.clone()), builder.finish(nothing)))
        }
    };
    let failed = program.is_err();
    if let Some(mut program) = program.ok().or(defined) {
        if let Some(Symbol::Filter(before)) = parser.symbols.before(&name) {
            program.code.compare_with(&before.code);
        }
        parser.define(&name, span, Symbol::Filter(Arc::new(program)))?;
    }
    if failed { Err(Failed) } else { Ok(()) }
}

/// The body of a filter, with variables in front of it in the old style.
pub(super) fn body(parser: &mut Parser, name: Option<Arc<str>>) -> Parsed<Program> {
    let mut builder = Builder::new(Owner::Filter);
    parser.symbols.push_scope();
    let result = bodies(parser, &mut builder);
    leave(parser);
    result.map(|body| Program::new(name, builder.finish(body)))
}

/// Parses `{ ... }` behind a static route: statements that change the route, which is accepted at
/// their end unless they reject it.
///
/// # Errors
/// If it is wrong; the diagnostics are recorded.
pub fn parse_route_statements(parser: &mut Parser) -> Parsed<Arc<Program>> {
    let start = parser.token().span;
    let mut builder = Builder::new(Owner::Filter);
    parser.symbols.push_scope();
    let result = statement::block(parser, &mut builder);
    leave(parser);
    let block = result?;
    let accept = builder.push(parser, Node::Accept(List { start: 0, len: 0 }), start);
    let list = builder.list(&[block, accept]);
    let body = builder.push(parser, Node::Block(list), start);
    Ok(Arc::new(Program::new(None, builder.finish(body))))
}

/// Closes all scopes but the outermost.
fn leave(parser: &mut Parser) {
    while parser.symbols.depth() > 1 {
        parser.symbols.pop_scope();
    }
}

fn bodies(parser: &mut Parser, builder: &mut Builder) -> Parsed<NodeId> {
    let start = parser.token().span;
    let mut nodes = Vec::new();
    while types::at_type(parser) {
        nodes.push(statement::statement(parser, builder)?);
    }
    if !parser.at(TokenKind::OpenBrace) {
        return Err(parser.unexpected(&["'{'"]));
    }
    let block = statement::block(parser, builder)?;
    if nodes.is_empty() {
        return Ok(block);
    }
    nodes.push(block);
    let list = builder.list(&nodes);
    Ok(builder.push(parser, Node::Block(list), start))
}

/// Parses `function NAME(...) [-> TYPE] { ... }`, behind `function`.
///
/// # Errors
/// If it is wrong.
pub fn parse_function_definition(parser: &mut Parser) -> Parsed<()> {
    let (name, span) = parser.name()?;
    // Known from here on, so that it can call itself.
    let id = parser.define(&name, span, call::unfinished(&[], None))?;
    let mut builder = Builder::new(Owner::Function(name.clone(), None));
    parser.symbols.push_scope();
    let head = signature(parser, &mut builder);
    let (parameters, declared) = match head {
        Ok(head) => head,
        Err(Failed) => {
            leave(parser);
            parser.symbols.forget(&name);
            parser.forgive(&name);
            return Err(Failed);
        }
    };
    if let Some(symbol) = parser.symbols.symbol_mut(id) {
        symbol.value = call::unfinished(&parameters, declared);
    }
    builder.owner = Owner::Function(name.clone(), declared);
    let body = bodies(parser, &mut builder);
    leave(parser);
    let result = match (&builder.owner, &body) {
        (Owner::Function(_, Some(result)), _) => *result,
        // It returns nothing, as far as is known: BIRD checks that at run time too.
        _ => Type::Unknown,
    };
    let (body_node, failed) = match body {
        Ok(node) => (node, false),
        Err(Failed) => (builder.push(parser, Node::Nothing, span), true),
    };
    let code = builder.finish(body_node);
    let mut function = Function::new(name.clone(), parameters.into(), result, code);
    if function.depth > MAX_DEPTH {
        parser.symbols.forget(&name);
        parser.forgive(&name);
        let text = format!("Function calls nest deeper than {MAX_DEPTH} levels in '{name}'");
        return Err(parser.error(span, text).into());
    }
    if let Some(Symbol::Function(before)) = parser.symbols.before(&function.name) {
        function.code.compare_with(&before.code);
    }
    if let Some(symbol) = parser.symbols.symbol_mut(id) {
        symbol.value = call::finished(function);
    }
    if failed { Err(Failed) } else { Ok(()) }
}

/// `(TYPE NAME; TYPE NAME) [-> TYPE]`
fn signature(parser: &mut Parser, builder: &mut Builder) -> Parsed<(Vec<Type>, Option<Type>)> {
    parser.expect(TokenKind::Open)?;
    let mut parameters = Vec::new();
    while !parser.eat(TokenKind::Close) {
        let kind = types::parse_type(parser)?;
        let (name, span) = parser.name()?;
        let slot = builder.variable(parser, kind)?;
        parser.define(&name, span, Symbol::Variable(slot, kind))?;
        parameters.push(kind);
        if parser.at(TokenKind::Comma) {
            let hint = "parameters have semicolons between them";
            return Err(parser.unexpected_because(&["';'", "')'"], Some(hint)));
        }
        if !parser.at(TokenKind::Close) {
            parser.expect(TokenKind::Semicolon)?;
        }
    }
    let result = if parser.eat(TokenKind::Arrow) { Some(types::parse_type(parser)?) } else { None };
    Ok((parameters, result))
}

/// Parses `define NAME = EXPRESSION;`, behind `define`.
///
/// # Errors
/// If it is wrong.
pub fn parse_define(parser: &mut Parser) -> Parsed<()> {
    let (name, span) = parser.name()?;
    let parse = |parser: &mut Parser| -> Parsed<Constant> {
        parser.expect(TokenKind::Equal)?;
        let constant = super::constant(parser)?;
        parser.semicolon()?;
        Ok(constant)
    };
    let constant = parse(parser).inspect_err(|_| parser.forgive(&name))?;
    let constant = match parser.symbols.before(&name) {
        Some(Symbol::Constant(before)) if *before == constant => before.clone(),
        _ => constant,
    };
    parser.define(&name, span, Symbol::Constant(constant))?;
    Ok(())
}

/// Parses `attribute TYPE NAME;` or `attribute bgp NUMBER bytestring NAME;`, behind `attribute`.
///
/// # Errors
/// If it is wrong.
pub fn parse_attribute_definition(parser: &mut Parser) -> Parsed<()> {
    if parser.eat_word("bgp") {
        let number = parser.integer_in("BGP attribute number", 1..=255)?;
        parser.expect_word("bytestring")?;
        let (name, span) = parser.name()?;
        let number = u8::try_from(number).unwrap_or(u8::MAX);
        let attribute = Attribute::Bgp(number, Type::Bytes);
        parser.define(&name, span, Symbol::Attribute(attribute))?;
        return parser.semicolon();
    }
    let kind = types::parse_type(parser)?;
    let (name, span) = parser.name()?;
    let attribute = Attribute::Extra(AttrId::Custom(name.clone()), kind);
    parser.define(&name, span, Symbol::Attribute(attribute))?;
    parser.semicolon()
}

/// Parses `eval EXPRESSION`, behind `eval`, and gives the value.
///
/// # Errors
/// If it is wrong.
pub fn parse_eval(parser: &mut Parser) -> Parsed<Constant> {
    super::constant(parser)
}
