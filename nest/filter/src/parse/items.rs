//! Items of sets, labels of `case`: values, ranges and patterns.

use dunlin_conf::{Failed, Parsed, Span, TokenKind};
use dunlin_net::community::{EcKind, ExtCommunity, LargeCommunity};

use super::{
    expression::expression,
    primary::{ec_kind, literal, word_constant},
};
use crate::{
    Parser,
    build::{Builder, Owner},
    set::Item,
    symbol::Symbol,
    types::Element,
    value::{Constant, lc_key},
};

/// An item and what it is an item of.
pub(super) type Typed = (Element, Item);

/// A component of a pattern: a number, a range of numbers, or everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    One(u32),
    Range(u32, u32),
    Any,
}

impl Part {
    /// The first and the last number, where numbers go up to `max`.
    fn bounds(self, max: u32) -> (u32, u32) {
        match self {
            Self::One(n) => (n, n),
            Self::Range(low, high) => (low, high),
            Self::Any => (0, max),
        }
    }
}

/// An item. Bare names of constants are allowed in sets, but not in labels.
pub(super) fn item(parser: &mut Parser, names: bool) -> Parsed<Typed> {
    if parser.at(TokenKind::Open) {
        return parser.nested(|parser| pattern(parser, names));
    }
    let low = atom(parser, names)?;
    range(parser, names, low)
}

/// The rest of an item that starts with a single value: perhaps `..` and the last value.
fn range(parser: &mut Parser, names: bool, low: Constant) -> Parsed<Typed> {
    let span = parser.previous().span;
    let (element, key) = keyed(parser, &low, span)?;
    if !parser.eat(TokenKind::DotDot) {
        return Ok((element, Item::Range(key, key)));
    }
    let start = parser.token().span;
    let high = if parser.eat(TokenKind::Open) {
        parser.nested(parenthesised)?
    } else {
        atom(parser, names)?
    };
    let (other, last) = keyed(parser, &high, start)?;
    if other != element {
        let message = format!("Range from {} to {}", element.of(), other.of());
        return Err(parser.error(start, message).into());
    }
    if last < key {
        parser.warning(start, "The range is empty").hint("its end is below its start");
    }
    Ok((element, Item::Range(key, last)))
}

/// The element type and the key of a value that can be in a set.
fn keyed(parser: &mut Parser, value: &Constant, span: Span) -> Parsed<(Element, u128)> {
    match (value.kind().element(), value.value().key()) {
        (Some(element), Some(key)) => Ok((element, key)),
        _ => {
            let message = format!("Can't use {} as set element", value.kind());
            Err(parser.error(span, message).into())
        }
    }
}

/// A single value: a literal, a constant of the language, perhaps a constant's name.
fn atom(parser: &mut Parser, names: bool) -> Parsed<Constant> {
    let token = parser.token();
    match token.kind {
        kind if kind.is_name() => {}
        TokenKind::Number(_)
        | TokenKind::Ip4(_)
        | TokenKind::Ip6(_)
        | TokenKind::Rd(_)
        | TokenKind::Mac(_) => return literal(parser),
        TokenKind::String | TokenKind::Bytes(_) => return Err(parser.unexpected(&[])),
        _ => return Err(parser.unexpected(&[])),
    }
    if parser.symbol().is_some() {
        if !names {
            let hint = "a constant's name as a label needs parentheses: (NAME):";
            return Err(parser.unexpected_because(&[], Some(hint)));
        }
        return parser.known("Constant", |symbol| match symbol {
            Symbol::Constant(constant) => Some(constant.clone()),
            _ => None,
        });
    }
    let constant = match word_constant(parser.text(token.span)) {
        Some(Constant::Bool(_)) | None => return Err(parser.unexpected(&[])),
        Some(constant) => constant,
    };
    parser.advance();
    Ok(constant)
}

/// The rest of `(expression)`; the opening parenthesis is consumed.
fn parenthesised(parser: &mut Parser) -> Parsed<Constant> {
    let mut builder = Builder::new(Owner::Filter);
    let first = constant_expression(parser, &mut builder)?;
    if !parser.eat(TokenKind::Comma) {
        parser.expect(TokenKind::Close)?;
        return Ok(first);
    }
    let second = constant_expression(parser, &mut builder)?;
    let third = if parser.eat(TokenKind::Comma) {
        Some(constant_expression(parser, &mut builder)?)
    } else {
        None
    };
    parser.expect(TokenKind::Close)?;
    let mut number = |constant: Constant| match constant {
        Constant::Int(number) => Ok(number),
        other => Err(wrong(parser, &other)),
    };
    let (first, second) = (number(first)?, number(second)?);
    match third {
        Some(third) => Ok(Constant::Lc(LargeCommunity::new(first, second, number(third)?))),
        None => match (u16::try_from(first), u16::try_from(second)) {
            (Ok(a), Ok(b)) => Ok(Constant::Pair(u32::from(a) << 16 | u32::from(b))),
            _ => Err(out_of_bounds(parser)),
        },
    }
}

fn wrong(parser: &mut Parser, value: &Constant) -> Failed {
    let message = format!("Number expected, got {}", value.kind());
    parser.error(parser.previous().span, message).into()
}

fn out_of_bounds(parser: &mut Parser) -> Failed {
    let span = parser.previous().span;
    parser.error(span, "Can't operate with value out of bounds in pair pattern").into()
}

fn constant_expression(parser: &mut Parser, builder: &mut Builder) -> Parsed<Constant> {
    let start = parser.token().span;
    let expr = expression(parser, builder)?;
    match builder.constant_of(expr) {
        Some(constant) => Ok(constant.clone()),
        None => Err(parser.error(start, "Constant expression expected").into()),
    }
}

/// Something in parentheses: an expression, a pattern, or a range of pairs or large communities.
fn pattern(parser: &mut Parser, names: bool) -> Parsed<Typed> {
    parser.advance();
    if let Some(kind) = ec_kind(parser)? {
        return ec_pattern(parser, kind);
    }
    let first = match part(parser)? {
        Ok(part) => part,
        Err(constant) => {
            // Only a whole expression may be something else than a number.
            parser.expect(TokenKind::Close)?;
            return range(parser, names, constant);
        }
    };
    if let Part::One(number) = first
        && parser.eat(TokenKind::Close)
    {
        return range(parser, names, Constant::Int(number));
    }
    parser.expect(TokenKind::Comma)?;
    let second = number_part(parser)?;
    if parser.eat(TokenKind::Close) {
        return pair_pattern(parser, first, second);
    }
    if !parser.eat(TokenKind::Comma) {
        return Err(parser.unexpected(&["','", "')'"]));
    }
    let third = number_part(parser)?;
    parser.expect(TokenKind::Close)?;
    lc_pattern(parser, [first, second, third])
}

/// A part of a pattern, or a constant that is no number.
fn part(parser: &mut Parser) -> Parsed<Result<Part, Constant>> {
    if parser.eat(TokenKind::Star) {
        return Ok(Ok(Part::Any));
    }
    let mut builder = Builder::new(Owner::Filter);
    let low = match constant_expression(parser, &mut builder)? {
        Constant::Int(low) => low,
        other => return Ok(Err(other)),
    };
    if !parser.eat(TokenKind::DotDot) {
        return Ok(Ok(Part::One(low)));
    }
    match constant_expression(parser, &mut builder)? {
        Constant::Int(high) => Ok(Ok(Part::Range(low, high))),
        other => Err(wrong(parser, &other)),
    }
}

fn number_part(parser: &mut Parser) -> Parsed<Part> {
    match part(parser)? {
        Ok(part) => Ok(part),
        Err(other) => Err(wrong(parser, &other)),
    }
}

fn pair_pattern(parser: &mut Parser, first: Part, second: Part) -> Parsed<Typed> {
    let half = |part: Part| {
        let (low, high) = part.bounds(u32::from(u16::MAX));
        Some((u16::try_from(low).ok()?, u16::try_from(high).ok()?))
    };
    let (Some(x), Some(y)) = (half(first), half(second)) else {
        return Err(out_of_bounds(parser));
    };
    if let (Part::One(_), Part::One(_)) = (first, second) {
        return range(parser, false, Constant::Pair(u32::from(x.0) << 16 | u32::from(y.0)));
    }
    Ok((Element::Pair, Item::pairs(x.0..=x.1, y.0..=y.1)))
}

fn lc_pattern(parser: &mut Parser, parts: [Part; 3]) -> Parsed<Typed> {
    let [a, b, c] = parts.map(|part| part.bounds(u32::MAX));
    let (low, high) = (LargeCommunity::new(a.0, b.0, c.0), LargeCommunity::new(a.1, b.1, c.1));
    let single = |part: &Part| matches!(part, Part::One(_));
    if parts.iter().all(single) {
        return range(parser, false, Constant::Lc(low));
    }
    let after = parts.iter().skip_while(|part| single(part)).skip(1);
    if after.clone().any(|part| *part != Part::Any) {
        let span = parser.previous().span;
        let error = parser.error(span, "Invalid large community pattern");
        return Err(error.because("only `*` may follow a range or `*`"));
    }
    Ok((Element::Lc, Item::Range(lc_key(low), lc_key(high))))
}

/// `(rt, key, value)` with the kind consumed. The value may be a pattern.
fn ec_pattern(parser: &mut Parser, kind: EcKind) -> Parsed<Typed> {
    let mut builder = Builder::new(Owner::Filter);
    let key_span = parser.token().span;
    let key = constant_expression(parser, &mut builder)?;
    parser.expect(TokenKind::Comma)?;
    let value = number_part(parser)?;
    parser.expect(TokenKind::Close)?;
    let (build, wide): (Box<dyn Fn(u32) -> Option<ExtCommunity>>, bool) = match key {
        Constant::Int(key) => {
            let wide = kind != EcKind::Generic && key > u32::from(u16::MAX);
            (Box::new(move |value| ExtCommunity::new(kind, key, value)), wide)
        }
        Constant::Ip(std::net::IpAddr::V4(ip)) => {
            (Box::new(move |value| ExtCommunity::with_ip(kind, ip, value)), true)
        }
        _ => return Err(parser.error(key_span, "Number or IPv4 address expected").into()),
    };
    let (low, high) = value.bounds(if wide { u32::from(u16::MAX) } else { u32::MAX });
    let (Some(low), Some(high)) = (build(low), build(high)) else {
        let message = "4-byte value can't be used with 4-byte key in extended community pattern";
        return Err(parser.error(parser.previous().span, message).into());
    };
    if let Part::One(_) = value {
        return range(parser, false, Constant::Ec(low));
    }
    Ok((Element::Ec, Item::Range(u128::from(low.0), u128::from(high.0))))
}
