//! Statements.

use dunlin_conf::{Failed, Parsed, Span, TokenKind};

use super::{
    call, case,
    expression::{expression, one_method},
    primary, suite, types,
};
use crate::{
    Parser,
    attribute::Attribute,
    build::{Builder, Expr, Owner},
    code::{Node, NodeId},
    symbol::Symbol,
    types::Type,
    value::Constant,
};

/// `{ ... }` with its own scope; after an error the rest is still checked.
pub(super) fn block(parser: &mut Parser, builder: &mut Builder) -> Parsed<NodeId> {
    let start = parser.token().span;
    let mut nodes = Vec::new();
    let mut failed = false;
    parser.symbols.push_scope();
    let depth = parser.symbols.depth();
    let result = parser.statements(|parser| {
        let statement = statement(parser, builder);
        while parser.symbols.depth() > depth {
            parser.symbols.pop_scope();
        }
        failed |= statement.is_err();
        nodes.push(statement?);
        Ok(())
    });
    parser.symbols.pop_scope();
    result?;
    if failed {
        return Err(Failed);
    }
    if let [only] = *nodes {
        // So that braces around one statement make no other program of a filter.
        return Ok(only);
    }
    let list = builder.list(&nodes);
    Ok(builder.push(parser, Node::Block(list), start))
}

/// A declaration or a command.
pub(super) fn statement(parser: &mut Parser, builder: &mut Builder) -> Parsed<NodeId> {
    if types::at_type(parser) { declaration(parser, builder) } else { command(parser, builder) }
}

/// `TYPE NAME [= EXPRESSION];`
fn declaration(parser: &mut Parser, builder: &mut Builder) -> Parsed<NodeId> {
    let kind = types::parse_type(parser)?;
    let (name, span) = parser.name()?;
    let value = if parser.eat(TokenKind::Equal) {
        // The variable is not known in its own initial value.
        let value = expression(parser, builder)?;
        Some(builder.check(parser, value, kind, 1, "VAR_INIT")?)
    } else {
        None
    };
    let slot = builder.variable(parser, kind)?;
    parser.define(&name, span, Symbol::Variable(slot, kind))?;
    parser.semicolon()?;
    let value = value.unwrap_or_else(|| builder.constant(parser, Constant::initial(kind), span));
    Ok(builder.push(parser, Node::SetVariable(slot, value.node), span))
}

/// A command.
pub(super) fn command(parser: &mut Parser, builder: &mut Builder) -> Parsed<NodeId> {
    let token = parser.token();
    match token.kind {
        TokenKind::OpenBrace => return block(parser, builder),
        TokenKind::Semicolon => {
            parser.advance();
            return Ok(builder.push(parser, Node::Nothing, token.span));
        }
        _ => {}
    }
    match parser.word() {
        Some("if") => parser.nested(|parser| condition(parser, builder)),
        Some("case") => parser.nested(|parser| case::case(parser, builder)),
        Some("for") => parser.nested(|parser| for_loop(parser, builder)),
        Some("return") => return_value(parser, builder),
        Some("accept" | "reject" | "error") => verdict(parser, builder),
        Some("print" | "printn") => print(parser, builder),
        Some("unset") => unset(parser, builder),
        Some("bt_assert") => suite::assertion(parser, builder),
        Some("bt_check_assign") => suite::check_assign(parser, builder),
        _ if call::at_function(parser) => {
            let call = call::function(parser, builder)?;
            parser.semicolon()?;
            Ok(builder.push(parser, Node::Discard(call.node), token.span))
        }
        _ => assignment(parser, builder),
    }
}

/// `if EXPRESSION then COMMAND [else COMMAND]`. Chains of `else if` do not nest.
fn condition(parser: &mut Parser, builder: &mut Builder) -> Parsed<NodeId> {
    let mut arms: Vec<(Expr, NodeId)> = Vec::new();
    let mut otherwise = None;
    while otherwise.is_none() && parser.eat_word("if") {
        let condition = expression(parser, builder)?;
        if !parser.eat_word("then") {
            let block = parser.at(TokenKind::OpenBrace);
            let hint = block.then_some("`then` stands between the condition and this");
            return Err(parser.unexpected_because(&[], hint));
        }
        let then = parser.nested(|parser| command(parser, builder))?;
        arms.push((condition, then));
        if !parser.eat_word("else") {
            break;
        }
        if !parser.at_word("if") {
            otherwise = Some(parser.nested(|parser| command(parser, builder))?);
        }
    }
    parser.ends_here();
    let at = if otherwise.is_some() { parser.previous().span } else { parser.token().span };
    let mut rest = match otherwise {
        Some(rest) => rest,
        None => builder.push(parser, Node::Nothing, at),
    };
    for (condition, then) in arms.into_iter().rev() {
        let span = condition.span;
        let condition = builder.check_at(parser, at, condition, Type::Bool, 1, "CONDITION")?;
        rest = match builder.constant_of(condition) {
            Some(Constant::Bool(true)) => then,
            Some(Constant::Bool(false)) => rest,
            _ => builder.push(parser, Node::If(condition.node, then, rest), span),
        };
    }
    Ok(rest)
}

/// `for TYPE NAME in EXPRESSION do COMMAND`
fn for_loop(parser: &mut Parser, builder: &mut Builder) -> Parsed<NodeId> {
    let start = parser.advance().span;
    if !types::at_type(parser) {
        let hint = "the variable of `for` is declared there: for int NAME in ...";
        return Err(parser.unexpected_because(&[], Some(hint)));
    }
    let kind = types::parse_type(parser)?;
    let (name, name_span) = parser.name()?;
    parser.expect_word("in")?;
    let list = expression(parser, builder)?;
    if list.kind != Type::Unknown && list.kind.item() != Some(kind) {
        let message = match list.kind.item() {
            Some(item) => format!("Loop variable '{name}' must be {item}, is {kind}"),
            None => format!("Can't iterate over {}", list.kind),
        };
        let at = parser.token().span;
        return Err(Builder::type_error(parser, at, message, list));
    }
    let head = start.to(parser.previous().span);
    parser.expect_word("do")?;
    let slot = builder.variable(parser, kind)?;
    parser.symbols.push_scope();
    parser.define(&name, name_span, Symbol::Variable(slot, kind))?;
    let body = parser.nested(|parser| command(parser, builder))?;
    parser.symbols.pop_scope();
    Ok(builder.push(parser, Node::For(list.node, slot, body), head))
}

fn return_value(parser: &mut Parser, builder: &mut Builder) -> Parsed<NodeId> {
    let start = parser.advance().span;
    if builder.owner == Owner::Filter {
        let error = parser.error(start, "Return in a filter");
        return Err(error.because("only functions return; filters accept or reject"));
    }
    if parser.at(TokenKind::Semicolon) {
        let hint = "a function returns a value; without one it ends by itself";
        return Err(parser.unexpected_because(&[], Some(hint)));
    }
    let value = expression(parser, builder)?;
    parser.semicolon()?;
    let at = parser.previous().span;
    let Owner::Function(name, result) = &mut builder.owner else { return Err(Failed) };
    let name = name.clone();
    match *result {
        None if value.kind == Type::Unknown => {}
        None => {
            *result = Some(value.kind);
            let message = format!(
                "Inferring function {name} return type from its return value: {}",
                value.kind
            );
            parser
                .warning(at, message)
                .hint(format!("declare it: function {name}(...) -> {} {{ ... }}", value.kind));
        }
        Some(wanted) => {
            let promoted = builder.promote(value, wanted);
            if !promoted.kind.fits(wanted) {
                let found = promoted.kind;
                let message = format!("Function {name} returns {wanted}, got {found}");
                return Err(Builder::type_error(parser, at, message, promoted));
            }
        }
    }
    Ok(builder.push(parser, Node::Return(value.node), start))
}

/// Expressions with commas between them, up to and with the semicolon.
fn printed(parser: &mut Parser, builder: &mut Builder) -> Parsed<Vec<NodeId>> {
    let mut nodes = Vec::new();
    if parser.eat(TokenKind::Semicolon) {
        return Ok(nodes);
    }
    builder.note_print();
    loop {
        nodes.push(expression(parser, builder)?.node);
        if !parser.eat(TokenKind::Comma) {
            break;
        }
    }
    parser.semicolon()?;
    Ok(nodes)
}

fn verdict(parser: &mut Parser, builder: &mut Builder) -> Parsed<NodeId> {
    let word = parser.word().unwrap_or("").to_owned();
    let start = parser.advance().span;
    let nodes = printed(parser, builder)?;
    let list = builder.list(&nodes);
    let node = match word.as_str() {
        "accept" => Node::Accept(list),
        "reject" => Node::Reject(list),
        _ => Node::Error(list),
    };
    Ok(builder.push(parser, node, start))
}

fn print(parser: &mut Parser, builder: &mut Builder) -> Parsed<NodeId> {
    let ends_line = parser.at_word("print");
    let start = parser.advance().span;
    let nodes = printed(parser, builder)?;
    builder.note_print();
    let list = builder.list(&nodes);
    Ok(builder.push(parser, Node::Print(list, ends_line), start))
}

fn unset(parser: &mut Parser, builder: &mut Builder) -> Parsed<NodeId> {
    let start = parser.advance().span;
    parser.expect(TokenKind::Open)?;
    let attribute = match custom(parser) {
        Some(attribute) => Some(attribute),
        None => primary::attribute(parser)?,
    };
    let Some(attribute) = attribute.filter(|attribute| !attribute.is_static()) else {
        return Err(parser.unexpected_because(&[], Some("only attributes can be unset")));
    };
    parser.advance();
    parser.expect(TokenKind::Close)?;
    let span = start.to(parser.previous().span);
    parser.semicolon()?;
    Ok(builder.push(parser, Node::Unset(attribute), span))
}

/// What can stand left of `=` and of a method that assigns back.
#[derive(Clone)]
pub(super) enum Target {
    Variable(u16, Type),
    Attribute(Attribute),
}

impl Target {
    /// The type of its values.
    pub(super) fn kind(&self) -> Type {
        match self {
            Self::Variable(_, kind) => *kind,
            Self::Attribute(attribute) => attribute.kind(),
        }
    }

    /// The expression that reads it.
    pub(super) fn read(&self, parser: &Parser, builder: &mut Builder, span: Span) -> Expr {
        match self {
            Self::Variable(slot, kind) => builder.read_variable(parser, *slot, *kind, span),
            Self::Attribute(attribute) => builder.read_attribute(parser, attribute.clone(), span),
        }
    }

    /// The statement that sets it. The cursor is behind the expression.
    pub(super) fn set(
        self,
        parser: &mut Parser,
        builder: &mut Builder,
        value: Expr,
        span: Span,
    ) -> Parsed<NodeId> {
        match self {
            Self::Variable(slot, kind) => {
                let value = builder.check(parser, value, kind, 1, "VAR_SET")?;
                Ok(builder.push(parser, Node::SetVariable(slot, value.node), span))
            }
            Self::Attribute(attribute) => builder.set_attribute(parser, attribute, value, span),
        }
    }
}

fn custom(parser: &Parser) -> Option<Attribute> {
    match &parser.symbol()?.value {
        Symbol::Attribute(attribute) => Some(attribute.clone()),
        _ => None,
    }
}

pub(super) fn target(parser: &mut Parser) -> Parsed<(Target, Span)> {
    let span = parser.token().span;
    let target = match parser.symbol().map(|symbol| &symbol.value) {
        Some(Symbol::Variable(slot, kind)) => Some(Target::Variable(*slot, *kind)),
        Some(Symbol::Attribute(attribute)) => Some(Target::Attribute(attribute.clone())),
        Some(_) => None,
        None => primary::attribute(parser)?.map(Target::Attribute),
    };
    let Some(target) = target else { return Err(parser.unexpected(&[])) };
    parser.advance();
    Ok((target, span))
}

/// `LVALUE = EXPRESSION;` or `LVALUE.METHOD(...);`
fn assignment(parser: &mut Parser, builder: &mut Builder) -> Parsed<NodeId> {
    let (target, span) = target(parser)?;
    let value = if parser.eat(TokenKind::Equal) {
        expression(parser, builder)?
    } else if parser.eat(TokenKind::Dot) {
        let mut value = target.read(parser, builder, span);
        value = one_method(parser, builder, value)?;
        while parser.eat(TokenKind::Dot) {
            value = one_method(parser, builder, value)?;
        }
        value
    } else {
        let pascal = parser.at(TokenKind::Colon) && parser.ahead(1).kind == TokenKind::Equal;
        let hint = pascal.then_some("values are assigned with `=`");
        return Err(parser.unexpected_because(&["'='", "'.'"], hint));
    };
    if !parser.at(TokenKind::Semicolon) {
        return Err(parser.unexpected(&[]));
    }
    let node = target.set(parser, builder, value, span)?;
    parser.semicolon()?;
    Ok(node)
}
