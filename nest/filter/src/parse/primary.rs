//! The smallest expressions: literals, names, constructors.

use std::{net::IpAddr, sync::Arc};

use dunlin_conf::{Parsed, Span, TokenKind};
use dunlin_net::community::EcKind;

use super::{call, expression::expression, mask, net, set};
use crate::{
    Parser,
    attribute::{self, Attribute},
    build::{Builder, Expr},
    code::Binary,
    enums,
    symbol::Symbol,
    system::system_constant,
    types::Type,
    value::Constant,
};

/// A literal, a name, a call, a constructor, or an expression in parentheses.
pub(super) fn primary(parser: &mut Parser, builder: &mut Builder) -> Parsed<Expr> {
    let token = parser.token();
    match token.kind {
        TokenKind::Name | TokenKind::QuotedName => name(parser, builder),
        TokenKind::Open => parser.nested(|parser| parentheses(parser, builder)),
        TokenKind::OpenBracket => parser.nested(|parser| set::set(parser, builder)),
        TokenKind::OpenMask => parser.nested(|parser| mask::mask(parser, builder)),
        TokenKind::Minus | TokenKind::Plus => empty(parser, builder),
        _ => {
            let constant = literal(parser)?;
            let span = token.span.to(parser.previous().span);
            Ok(builder.constant(parser, constant, span))
        }
    }
}

/// A literal of one token, or a prefix.
pub(super) fn literal(parser: &mut Parser) -> Parsed<Constant> {
    let token = parser.token();
    let constant = match token.kind {
        TokenKind::Number(number) => Constant::Int(number),
        TokenKind::Ip4(ip) => return address(parser, IpAddr::V4(ip)),
        TokenKind::Ip6(index) => {
            let ip = IpAddr::V6(parser.values().ip6(index));
            return address(parser, ip);
        }
        TokenKind::Rd(index) => {
            let rd = parser.values().rd(index);
            if matches!(parser.ahead(1).kind, TokenKind::Ip4(_) | TokenKind::Ip6(_)) {
                parser.advance();
                return net::after_rd(parser, rd);
            }
            Constant::Rd(rd)
        }
        TokenKind::Mac(index) => Constant::Mac(parser.values().mac(index)),
        TokenKind::Bytes(index) => Constant::Bytes(parser.values().bytes(index)),
        TokenKind::String => Constant::String(Arc::from(parser.text(token.span))),
        _ => return Err(parser.unexpected(&[])),
    };
    parser.advance();
    Ok(constant)
}

fn address(parser: &mut Parser, ip: IpAddr) -> Parsed<Constant> {
    parser.advance();
    if parser.at(TokenKind::Slash) {
        let prefix = parser.prefix_after(ip)?;
        return net::after_prefix(parser, prefix);
    }
    Ok(Constant::Ip(ip))
}

/// `+empty+`, `-empty-`, `--empty--`, `---empty---`
fn empty(parser: &mut Parser, builder: &mut Builder) -> Parsed<Expr> {
    let sign = parser.token().kind;
    let start = parser.token().span;
    let signs = |parser: &mut Parser| (0..3).take_while(|_| parser.eat(sign)).count();
    let before = signs(parser);
    if let TokenKind::Number(_) = parser.token().kind {
        let hint = "numbers have no sign: they go from 0 to 4294967295";
        return Err(parser.unexpected_because(&["EMPTY"], Some(hint)));
    }
    parser.expect_word("empty")?;
    let place = parser.place();
    let after = (0..before).take_while(|_| parser.eat(sign)).count();
    let constant = match (sign, before) {
        (TokenKind::Plus, 1) => Constant::initial(Type::Path),
        (TokenKind::Minus, 1) => Constant::initial(Type::Clist),
        (TokenKind::Minus, 2) => Constant::initial(Type::Eclist),
        (TokenKind::Minus, 3) => Constant::initial(Type::Lclist),
        _ => return Err(parser.unexpected(&[])),
    };
    if after != before || place == parser.place() {
        return Err(parser.unexpected(&[sign.describe()]));
    }
    let span = start.to(parser.previous().span);
    Ok(builder.constant(parser, constant, span))
}

fn name(parser: &mut Parser, builder: &mut Builder) -> Parsed<Expr> {
    let span = parser.token().span;
    if let Some(symbol) = parser.symbol() {
        return match symbol.value.clone() {
            Symbol::Constant(constant) => {
                parser.advance();
                Ok(builder.constant(parser, constant, span))
            }
            Symbol::Variable(slot, kind) => {
                parser.advance();
                Ok(builder.read_variable(parser, slot, kind, span))
            }
            Symbol::Attribute(attribute) => {
                parser.advance();
                Ok(builder.read_attribute(parser, attribute, span))
            }
            Symbol::Function(_) | Symbol::Unfinished(..) => call::function(parser, builder),
            Symbol::Filter(_) | Symbol::Table(..) | Symbol::Other(..) => {
                Err(parser.unexpected(&[]))
            }
        };
    }
    if let Some(result) = call::builtin(parser, builder) {
        return result;
    }
    if let Some(network) = net::worded(parser) {
        let network = network?;
        let span = span.to(parser.previous().span);
        return Ok(builder.constant(parser, network, span));
    }
    if let Some(attribute) = attribute(parser)? {
        parser.advance();
        return Ok(builder.read_attribute(parser, attribute, span));
    }
    match word_constant(parser.text(span)) {
        Some(constant) => {
            parser.advance();
            Ok(builder.constant(parser, constant, span))
        }
        None => Err(parser.unexpected(&[])),
    }
}

/// The constant that the language itself gives to a name.
pub(super) fn word_constant(name: &str) -> Option<Constant> {
    match name {
        "true" => Some(Constant::Bool(true)),
        "false" => Some(Constant::Bool(false)),
        _ => enums::constant(name)
            .map(|(kind, value)| Constant::Enum(kind, value))
            .or_else(|| system_constant(name).map(Constant::Int)),
    }
}

/// The attribute whose name is at the cursor, apart from those that the configuration defines.
pub(super) fn attribute(parser: &mut Parser) -> Parsed<Option<Attribute>> {
    let Some(word) = parser.word().map(str::to_owned) else { return Ok(None) };
    if let Some(part) = attribute::missing(&word) {
        let message = format!("Attribute {word} is not supported yet");
        let place = parser.token().span;
        parser
            .no_effect(place, message.clone())
            .hint(format!("{part} is not built; the attribute holds what filters put into it"))
            .missing(message);
    }
    Ok(Attribute::from_name(&word))
}

/// The kind of an extended community at the cursor, if a constructor or pattern of one starts.
pub(super) fn ec_kind(parser: &mut Parser) -> Parsed<Option<EcKind>> {
    let kind = match parser.word() {
        Some("rt") => EcKind::RouteTarget,
        Some("ro") => EcKind::RouteOrigin,
        Some("generic") => EcKind::Generic,
        Some("unknown") => {
            let TokenKind::Number(number) = parser.ahead(1).kind else { return Ok(None) };
            parser.advance();
            let Ok(number) = u16::try_from(number) else {
                return Err(parser.error_here("Extended community type out of range").into());
            };
            parser.advance();
            parser.expect(TokenKind::Comma)?;
            return Ok(Some(EcKind::Unknown(number)));
        }
        _ => return Ok(None),
    };
    if parser.ahead(1).kind != TokenKind::Comma {
        return Ok(None);
    }
    parser.advance();
    parser.advance();
    Ok(Some(kind))
}

/// `(a)`, `(a, b)`, `(a, b, c)`, `(rt, a, b)`
fn parentheses(parser: &mut Parser, builder: &mut Builder) -> Parsed<Expr> {
    let start = parser.advance().span;
    let ec = ec_kind(parser)?;
    let first = expression(parser, builder)?;
    if ec.is_none() && parser.eat(TokenKind::Close) {
        return Ok(Expr { span: start.to(parser.previous().span), ..first });
    }
    if !parser.eat(TokenKind::Comma) {
        return Err(parser.unexpected(if ec.is_none() { &["','", "')'"] } else { &["','"] }));
    }
    let second = expression(parser, builder)?;
    let whole = |parser: &Parser| -> Span { start.to(parser.previous().span) };
    if let Some(kind) = ec {
        parser.expect(TokenKind::Close)?;
        let span = whole(parser);
        return builder.ec(parser, kind, first, second, span);
    }
    if parser.eat(TokenKind::Close) {
        let pair = builder.binary(parser, Binary::Pair, first, second)?;
        return Ok(Expr { span: whole(parser), ..pair });
    }
    if !parser.eat(TokenKind::Comma) {
        return Err(parser.unexpected(&["','", "')'"]));
    }
    let third = expression(parser, builder)?;
    parser.expect(TokenKind::Close)?;
    let span = whole(parser);
    builder.lc(parser, [first, second, third], span)
}
