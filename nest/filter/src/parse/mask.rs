//! Path masks.

use std::sync::Arc;

use dunlin_conf::{Parsed, Span, TokenKind};
use dunlin_net::as_path::{Mask, MaskItem};

use super::{expression::expression, items};
use crate::{
    Parser,
    build::{Builder, Expr},
    code::{MaskPart, SetPart},
    set::Item,
    symbol::Symbol,
    types::{Element, Type},
    value::Constant,
};

/// `[= ... =]`
pub(super) fn mask(parser: &mut Parser, builder: &mut Builder) -> Parsed<Expr> {
    let start = parser.advance().span;
    let mut parts = Vec::new();
    while !parser.eat(TokenKind::CloseMask) {
        part(parser, builder, &mut parts)?;
    }
    let span = start.to(parser.previous().span);
    let fixed = parts.iter().map(|part| match part {
        MaskPart::Fixed(item) => Some(item.clone()),
        MaskPart::Dynamic(_) => None,
    });
    match fixed.collect::<Option<Vec<MaskItem>>>() {
        None => Ok(builder.mask(parser, parts, span)),
        Some(items) => match Mask::new(items) {
            Ok(mask) => Ok(builder.constant(parser, Constant::Mask(Arc::new(mask)), span)),
            Err(error) => Err(parser.error(span, format!("Invalid path mask: {error}")).into()),
        },
    }
}

fn part(parser: &mut Parser, builder: &mut Builder, parts: &mut Vec<MaskPart>) -> Parsed<()> {
    let token = parser.token();
    let item = match token.kind {
        TokenKind::Star => MaskItem::Any,
        TokenKind::Question => MaskItem::One,
        TokenKind::Plus => MaskItem::Repeat,
        TokenKind::OpenBracket => {
            parser.advance();
            parts.push(MaskPart::Fixed(set(parser, builder)?));
            return Ok(());
        }
        TokenKind::Number(low) => {
            parser.advance();
            parts.push(MaskPart::Fixed(number(parser, low)?));
            return Ok(());
        }
        TokenKind::Open => {
            parser.advance();
            let expr = expression(parser, builder)?;
            parser.expect(TokenKind::Close)?;
            return value(parser, builder, expr, parts);
        }
        kind if kind.is_name() => {
            let expr = named(parser, builder, token.span)?;
            return value(parser, builder, expr, parts);
        }
        _ => return Err(parser.unexpected(&[])),
    };
    parser.advance();
    parts.push(MaskPart::Fixed(item));
    Ok(())
}

fn named(parser: &mut Parser, builder: &mut Builder, span: Span) -> Parsed<Expr> {
    match parser.symbol().map(|symbol| symbol.value.clone()) {
        Some(Symbol::Constant(constant)) => {
            parser.advance();
            Ok(builder.constant(parser, constant, span))
        }
        Some(Symbol::Variable(slot, kind)) => {
            parser.advance();
            Ok(builder.read_variable(parser, slot, kind, span))
        }
        _ => Err(parser.unexpected(&[])),
    }
}

fn number(parser: &mut Parser, low: u32) -> Parsed<MaskItem> {
    if !parser.eat(TokenKind::DotDot) {
        return Ok(MaskItem::Asn(low));
    }
    let TokenKind::Number(high) = parser.token().kind else {
        return Err(parser.unexpected(&["NUM"]));
    };
    parser.advance();
    Ok(MaskItem::Range(low, high))
}

fn set(parser: &mut Parser, builder: &mut Builder) -> Parsed<MaskItem> {
    let mut ranges = Vec::new();
    loop {
        let span = parser.token().span;
        match items::item(parser, builder, true)? {
            (Element::Int, SetPart::Fixed(Item::Range(low, high))) => {
                let key = |key: u128| u32::try_from(key).unwrap_or(u32::MAX);
                ranges.push((key(low), key(high)));
            }
            _ => return Err(parser.error(span, "Number expected in path mask set").into()),
        }
        if parser.eat(TokenKind::CloseBracket) {
            return Ok(MaskItem::Set(ranges.into()));
        }
        if !parser.eat(TokenKind::Comma) {
            return Err(parser.unexpected(&["','", "']'"]));
        }
    }
}

/// A value in a mask: a number, a set of numbers, a path.
fn value(
    parser: &mut Parser,
    builder: &mut Builder,
    expr: Expr,
    parts: &mut Vec<MaskPart>,
) -> Parsed<()> {
    match builder.constant_of(expr) {
        Some(Constant::Int(asn)) => {
            let asn = *asn;
            parts.push(MaskPart::Fixed(MaskItem::Asn(asn)));
            return Ok(());
        }
        Some(Constant::Set(set)) if set.element() == Element::Int => {
            let item = MaskItem::Set(set.narrow().into());
            parts.push(MaskPart::Fixed(item));
            return Ok(());
        }
        _ => {}
    }
    let fits =
        matches!(expr.kind, Type::Int | Type::Path | Type::Unknown | Type::Set(Element::Int));
    if !fits {
        let message = format!("Can't use {} in path mask", expr.kind);
        return Err(parser.error(expr.span, message).into());
    }
    parts.push(MaskPart::Dynamic(expr.node));
    Ok(())
}
