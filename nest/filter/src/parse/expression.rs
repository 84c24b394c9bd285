//! Expressions, by precedence.

use dunlin_conf::{Parsed, Span, TokenKind};

use super::{call, primary};
use crate::{
    Parser,
    build::{Builder, Expr},
    code::{Binary, Logic, Unary},
    method::{self, Argument},
    types::Type,
};

/// An expression.
pub(super) fn expression(parser: &mut Parser, builder: &mut Builder) -> Parsed<Expr> {
    let first = comparison(parser, builder)?;
    let mut steps: Vec<(Logic, Expr)> = Vec::new();
    let mut mixed: Option<Span> = None;
    let mut alternative = false;
    loop {
        let op = match parser.token().kind {
            TokenKind::AndAnd => Logic::And,
            TokenKind::OrOr => Logic::Or,
            _ => break,
        };
        let span = parser.advance().span;
        if op == Logic::And && alternative {
            mixed.get_or_insert(span);
        }
        alternative |= op == Logic::Or;
        let operand = comparison(parser, builder)?;
        steps.push((op, operand));
    }
    if steps.is_empty() {
        return Ok(first);
    }
    if let Some(span) = mixed {
        parser
            .warning(span, "&& after || without parentheses")
            .hint("both bind equally, from left to right: `a || b && c` is `(a || b) && c`");
    }
    builder.logic(parser, first, &steps)
}

/// A comparison; they do not associate.
fn comparison(parser: &mut Parser, builder: &mut Builder) -> Parsed<Expr> {
    let left = operators(parser, builder, 0)?;
    let Some(op) = compare_op(parser.token().kind) else { return Ok(left) };
    parser.advance();
    if op == Binary::Equal && parser.at(TokenKind::Equal) {
        return Err(parser.unexpected_because(&[], Some("values are compared with one `=`")));
    }
    let right = operators(parser, builder, 0)?;
    let result = builder.binary(parser, op, left, right)?;
    if compare_op(parser.token().kind).is_some() {
        return Err(parser.unexpected_because(&[], Some("comparisons cannot be chained")));
    }
    Ok(result)
}

fn compare_op(kind: TokenKind) -> Option<Binary> {
    Some(match kind {
        TokenKind::Equal => Binary::Equal,
        TokenKind::NotEqual => Binary::NotEqual,
        TokenKind::Less => Binary::Less,
        TokenKind::LessEqual => Binary::LessEqual,
        TokenKind::Greater => Binary::Greater,
        TokenKind::GreaterEqual => Binary::GreaterEqual,
        TokenKind::Match => Binary::Match,
        TokenKind::NotMatch => Binary::NotMatch,
        _ => return None,
    })
}

/// A left-associative operator and its level; those of a higher one bind tighter.
fn level_op(kind: TokenKind) -> Option<(u8, Binary)> {
    Some(match kind {
        TokenKind::Or => (0, Binary::BitOr),
        TokenKind::And => (0, Binary::BitAnd),
        TokenKind::Plus => (1, Binary::Add),
        TokenKind::Minus => (1, Binary::Subtract),
        TokenKind::PlusPlus => (1, Binary::Concat),
        TokenKind::Star => (2, Binary::Multiply),
        TokenKind::Slash => (2, Binary::Divide),
        _ => return None,
    })
}

/// Left-associative operators of a level and of those that bind tighter.
fn operators(parser: &mut Parser, builder: &mut Builder, level: u8) -> Parsed<Expr> {
    let mut left = prefix(parser, builder)?;
    while let Some((own, op)) = level_op(parser.token().kind).filter(|(own, _)| *own >= level) {
        parser.advance();
        let right = operators(parser, builder, own + 1)?;
        left = builder.binary(parser, op, left, right)?;
    }
    Ok(left)
}

fn prefix(parser: &mut Parser, builder: &mut Builder) -> Parsed<Expr> {
    if !parser.at(TokenKind::Not) {
        let expr = primary::primary(parser, builder)?;
        return methods(parser, builder, expr);
    }
    let start = parser.advance().span;
    let operand = parser.nested(|parser| prefix(parser, builder))?;
    let span = start.to(operand.span);
    if operand.kind != Type::Bool
        && operand.kind != Type::Unknown
        && matches!(parser.token().kind, TokenKind::Match | TokenKind::Equal)
    {
        let message = format!("Argument 1 of NOT must be of type bool, got type {}", operand.kind);
        let error = parser.error_here(message);
        error.related(start, "`!` binds tighter than `~` and `=`");
        return Err(error.because("write `!~`, `!=` or put the comparison in parentheses"));
    }
    builder.unary(parser, Unary::Not, operand, span)
}

/// The methods behind an expression.
fn methods(parser: &mut Parser, builder: &mut Builder, mut on: Expr) -> Parsed<Expr> {
    while parser.eat(TokenKind::Dot) {
        on = parser.nested(|parser| one_method(parser, builder, on))?;
    }
    Ok(on)
}

/// One method; the cursor is behind the dot.
pub(super) fn one_method(parser: &mut Parser, builder: &mut Builder, on: Expr) -> Parsed<Expr> {
    let token = parser.token();
    let name = if token.kind.is_name() { parser.text(token.span) } else { "" };
    let found = match on.kind {
        Type::Unknown => method::find_unknown(name),
        kind => method::find(name, kind),
    };
    let Some((method, wanted, kind)) = found else {
        let known = method::names(on.kind);
        let near = dunlin_conf::symbols::nearest(name, known.iter().copied());
        let hint = match near {
            _ if known.is_empty() => format!("{} has no methods", on.kind),
            Some(near) => format!("{} has no method `{name}`; did you mean `{near}`?", on.kind),
            None => format!("{} has these methods: {}", on.kind, known.join(", ")),
        };
        return Err(parser.unexpected_because(&[], Some(&hint)));
    };
    parser.advance();
    if wanted == Argument::None {
        if parser.at(TokenKind::Open) && parser.ahead(1).kind == TokenKind::Close {
            parser.advance();
            parser.advance();
        }
        let span = on.span.to(parser.previous().span);
        return builder.method(parser, method, on, None, kind, span);
    }
    parser.expect(TokenKind::Open)?;
    let argument = expression(parser, builder)?;
    parser.expect(TokenKind::Close)?;
    let wanted = if let Argument::One(wanted) = wanted { Some(wanted) } else { None };
    call::apply(parser, builder, (method, wanted, kind), on, argument)
}
