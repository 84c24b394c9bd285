//! Set literals.

use std::{net::IpAddr, sync::Arc};

use dunlin_conf::{Parsed, TokenKind};
use dunlin_net::{Prefix, trie};

use super::items;
use crate::{
    Parser,
    build::{Builder, Expr},
    code::SetPart,
    prefix_set::PrefixSet,
    set::Set,
    symbol::{Symbol, at_symbol},
    types::Element,
    value::Constant,
};

/// `[ ... ]`
pub(super) fn set(parser: &mut Parser, builder: &mut Builder) -> Parsed<Expr> {
    let start = parser.expect(TokenKind::OpenBracket)?.span;
    if parser.eat(TokenKind::CloseBracket) {
        let span = start.to(parser.previous().span);
        return Ok(builder.constant(parser, Constant::EmptySet, span));
    }
    let ip = matches!(parser.token().kind, TokenKind::Ip4(_) | TokenKind::Ip6(_));
    if (ip && parser.ahead(1).kind == TokenKind::Slash) || at_prefix_constant(parser) {
        let set = prefix_set(parser)?;
        let span = start.to(parser.previous().span);
        return Ok(builder.constant(parser, set, span));
    }
    let mut element: Option<Element> = None;
    let mut items: Vec<SetPart> = Vec::new();
    loop {
        let span = parser.token().span;
        let (of, item) = items::item(parser, builder, true)?;
        if *element.get_or_insert(of) != of {
            let first = element.map_or("", |element| element.of().name());
            let message = format!("Can't mix {first} and {} in a set", of.of());
            let error = parser.error(span, message);
            return Err(error.because("a set is of one type; write a set for each"));
        }
        items.push(item);
        if parser.eat(TokenKind::CloseBracket) {
            break;
        }
        if !parser.eat(TokenKind::Comma) {
            let sum = matches!(
                parser.token().kind,
                TokenKind::Plus | TokenKind::Minus | TokenKind::Star | TokenKind::Slash
            );
            let hint = sum.then_some("what is to be computed in a set needs parentheses");
            return Err(parser.unexpected_because(&["DDOT", "','", "']'"], hint));
        }
    }
    let element = element.unwrap_or(Element::Int);
    let span = start.to(parser.previous().span);
    if items.iter().any(|item| matches!(item, SetPart::Dynamic(_))) {
        return Ok(builder.set(parser, element, items, span));
    }
    let fixed = items.into_iter().filter_map(|item| match item {
        SetPart::Fixed(item) => Some(item),
        SetPart::Dynamic(_) => None,
    });
    let set = Constant::Set(Arc::new(Set::new(element, fixed)));
    Ok(builder.constant(parser, set, span))
}

fn at_prefix_constant(parser: &Parser) -> bool {
    at_symbol(parser, |symbol| matches!(symbol, Symbol::Constant(Constant::Prefix(_))))
}

fn prefix_set(parser: &mut Parser) -> Parsed<Constant> {
    let mut set = trie::PrefixSet::new();
    let mut family: Option<bool> = None;
    loop {
        let start = parser.token().span;
        let (prefix, low, high) = prefix_pattern(parser)?;
        if *family.get_or_insert(prefix.is_v4()) != prefix.is_v4() {
            let error = parser.error_here("Mixed IPv4/IPv6 prefixes in prefix set");
            error.related(start, "this is of the other family");
            return Err(error.because("a set is of one family; write a set for each"));
        }
        set.add(prefix, low, high);
        if parser.eat(TokenKind::CloseBracket) {
            return Ok(Constant::PrefixSet(Arc::new(PrefixSet::new(set))));
        }
        if !parser.eat(TokenKind::Comma) {
            return Err(parser.unexpected(&["','", "']'"]));
        }
    }
}

/// A prefix, and the shortest and longest length that the pattern takes.
fn prefix_pattern(parser: &mut Parser) -> Parsed<(Prefix, u8, u8)> {
    let token = parser.token();
    let ip = match token.kind {
        TokenKind::Ip4(ip) => Some(IpAddr::V4(ip)),
        TokenKind::Ip6(index) => Some(IpAddr::V6(parser.values().ip6(index))),
        _ => None,
    };
    let prefix = match ip {
        Some(ip) => {
            parser.advance();
            if !parser.at(TokenKind::Slash) {
                let longest = Prefix::host(ip).len();
                let hint = format!("a set of prefixes has prefixes only: {ip}/{longest}");
                return Err(parser.unexpected_because(&["'/'"], Some(&hint)));
            }
            parser.prefix_after(ip)?
        }
        None if at_prefix_constant(parser) => parser.prefix()?,
        None => return Err(parser.unexpected(&["IP4", "IP6"])),
    };
    let (own, longest) = (prefix.len(), prefix.max_len());
    if parser.eat(TokenKind::Plus) {
        return Ok((prefix, own, longest));
    }
    if parser.eat(TokenKind::Minus) {
        return Ok((prefix, 0, own));
    }
    if !parser.eat(TokenKind::OpenBrace) {
        return Ok((prefix, own, own));
    }
    let low = parser.integer()?;
    parser.expect(TokenKind::Comma)?;
    let high = parser.integer()?;
    parser.expect(TokenKind::CloseBrace)?;
    let length = |n: u32| u8::try_from(n).ok().filter(|n| *n <= longest);
    match (length(low), length(high)) {
        (Some(from), Some(to)) if from <= to => Ok((prefix, from, to)),
        _ => {
            let span = parser.previous().span;
            let message = format!("Invalid prefix pattern range: {{{low}, {high}}}");
            let error = parser.error(span, message);
            Err(error.because(format!("the lower length first, and none beyond {longest}")))
        }
    }
}
