//! Items of sets, labels of `case`: values, ranges and patterns.

use dunlin_conf::{Failed, Parsed, Span, TokenKind};
use dunlin_net::community::{EcKind, ExtCommunity, LargeCommunity};

use super::{
    expression::expression,
    primary::{ec_kind, literal, word_constant},
};
use crate::{
    Parser,
    build::Builder,
    code::{Limits, NodeId, SetPart},
    set::Item,
    symbol::Symbol,
    types::{Element, Type},
    value::{Constant, lc_key},
};

/// An item and what it is an item of.
pub(super) type Typed = (Element, SetPart);

/// A component of a pattern: a number, a range of numbers, everything, or a number that is only
/// known at run time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    One(u32),
    Range(u32, u32),
    Any,
    Dynamic(NodeId),
}

impl Part {
    /// The first and the last number, where numbers go up to `max`.
    fn bounds(self, max: u32) -> (u32, u32) {
        match self {
            Self::One(n) => (n, n),
            Self::Range(low, high) => (low, high),
            Self::Any | Self::Dynamic(_) => (0, max),
        }
    }

    fn limits(self, max: u32) -> Limits {
        match self {
            Self::Dynamic(node) => Limits::Dynamic(node),
            fixed => {
                let (low, high) = fixed.bounds(max);
                Limits::Fixed(low, high)
            }
        }
    }
}

/// An item of a set in code; in a constant set nothing may be dynamic.
fn dynamic(element: Element, parts: &[Part], max: u32) -> Option<Typed> {
    let found = parts.iter().any(|part| matches!(part, Part::Dynamic(_)));
    let limits = || parts.iter().map(|part| part.limits(max)).collect();
    found.then(|| (element, SetPart::Dynamic(limits())))
}

/// An item. Bare names of constants are allowed in sets, but not in labels.
pub(super) fn item(parser: &mut Parser, builder: &mut Builder, names: bool) -> Parsed<Typed> {
    if parser.at(TokenKind::Open) {
        return parser.nested(|parser| pattern(parser, builder, names));
    }
    let low = atom(parser, names)?;
    range(parser, builder, names, low)
}

/// The rest of an item that starts with a single value: perhaps `..` and the last value.
fn range(parser: &mut Parser, builder: &mut Builder, names: bool, low: Constant) -> Parsed<Typed> {
    let span = parser.previous().span;
    let (element, key) = keyed(parser, &low, span)?;
    if !parser.eat(TokenKind::DotDot) {
        return Ok((element, SetPart::Fixed(Item::Range(key, key))));
    }
    let start = parser.token().span;
    let high = if parser.eat(TokenKind::Open) {
        parser.nested(|parser| parenthesised(parser, builder))?
    } else {
        atom(parser, names)?
    };
    let (other, last) = keyed(parser, &high, start)?;
    if other != element {
        let message = format!("Range from {} to {}", element.of(), other.of());
        return Err(parser.error(start, message).into());
    }
    // Of pairs, each half has to be in order.
    if element == Element::Pair && (key >> 16 > last >> 16 || key & 0xffff > last & 0xffff) {
        let message = "From value cannot be higher that To value in pair sets";
        return Err(parser.error(parser.previous().span, message).into());
    }
    if last < key {
        parser.warning(start, "The range is empty").hint("its end is below its start");
    }
    Ok((element, SetPart::Fixed(Item::Range(key, last))))
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
fn parenthesised(parser: &mut Parser, builder: &mut Builder) -> Parsed<Constant> {
    let first = constant_expression(parser, builder)?;
    if !parser.eat(TokenKind::Comma) {
        parser.expect(TokenKind::Close)?;
        return Ok(first);
    }
    let second = constant_expression(parser, builder)?;
    let third = if parser.eat(TokenKind::Comma) {
        Some(constant_expression(parser, builder)?)
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
    match builder.take_constant(expr) {
        Some(constant) => Ok(constant),
        None => Err(parser.error(start, "Constant expression expected").into()),
    }
}

/// Something in parentheses: an expression, a pattern, or a range of pairs or large communities.
fn pattern(parser: &mut Parser, builder: &mut Builder, names: bool) -> Parsed<Typed> {
    parser.advance();
    if let Some(kind) = ec_kind(parser)? {
        return ec_pattern(parser, builder, kind);
    }
    let first = match part(parser, builder)? {
        Ok(part) => part,
        Err(constant) => {
            // Only a whole expression may be something else than a number.
            parser.expect(TokenKind::Close)?;
            return range(parser, builder, names, constant);
        }
    };
    if let Part::One(number) = first
        && parser.eat(TokenKind::Close)
    {
        return range(parser, builder, names, Constant::Int(number));
    }
    parser.expect(TokenKind::Comma)?;
    let second = number_part(parser, builder)?;
    if parser.eat(TokenKind::Close) {
        return pair_pattern(parser, builder, first, second);
    }
    if !parser.eat(TokenKind::Comma) {
        return Err(parser.unexpected(&["','", "')'"]));
    }
    let third = number_part(parser, builder)?;
    parser.expect(TokenKind::Close)?;
    lc_pattern(parser, builder, [first, second, third])
}

/// A part of a pattern, or a constant that is no number.
fn part(parser: &mut Parser, builder: &mut Builder) -> Parsed<Result<Part, Constant>> {
    if parser.eat(TokenKind::Star) {
        return Ok(Ok(Part::Any));
    }
    let start = parser.token().span;
    let expr = expression(parser, builder)?;
    let low = match builder.take_constant(expr) {
        Some(Constant::Int(low)) => low,
        Some(other) => return Ok(Err(other)),
        None if expr.kind.fits(Type::Int) => return Ok(Ok(Part::Dynamic(expr.node))),
        None => return Err(parser.error(start, "Constant expression expected").into()),
    };
    if !parser.eat(TokenKind::DotDot) {
        return Ok(Ok(Part::One(low)));
    }
    match constant_expression(parser, builder)? {
        Constant::Int(high) => Ok(Ok(Part::Range(low, high))),
        other => Err(wrong(parser, &other)),
    }
}

fn number_part(parser: &mut Parser, builder: &mut Builder) -> Parsed<Part> {
    match part(parser, builder)? {
        Ok(part) => Ok(part),
        Err(other) => Err(wrong(parser, &other)),
    }
}

fn pair_pattern(
    parser: &mut Parser,
    builder: &mut Builder,
    first: Part,
    second: Part,
) -> Parsed<Typed> {
    if let Some(item) = dynamic(Element::Pair, &[first, second], u32::from(u16::MAX)) {
        return Ok(item);
    }
    let half = |part: Part| {
        let (low, high) = part.bounds(u32::from(u16::MAX));
        Some((u16::try_from(low).ok()?, u16::try_from(high).ok()?))
    };
    let (Some(x), Some(y)) = (half(first), half(second)) else {
        return Err(out_of_bounds(parser));
    };
    if let (Part::One(_), Part::One(_)) = (first, second) {
        let pair = Constant::Pair(u32::from(x.0) << 16 | u32::from(y.0));
        return range(parser, builder, false, pair);
    }
    Ok((Element::Pair, SetPart::Fixed(Item::pairs(x.0..=x.1, y.0..=y.1))))
}

fn lc_pattern(parser: &mut Parser, builder: &mut Builder, parts: [Part; 3]) -> Parsed<Typed> {
    let [a, b, c] = parts.map(|part| part.bounds(u32::MAX));
    let (low, high) = (LargeCommunity::new(a.0, b.0, c.0), LargeCommunity::new(a.1, b.1, c.1));
    let single = |part: &Part| matches!(part, Part::One(_) | Part::Dynamic(_));
    let fixed = dynamic(Element::Lc, &parts, u32::MAX).is_none();
    if fixed && parts.iter().all(single) {
        return range(parser, builder, false, Constant::Lc(low));
    }
    let after = parts.iter().skip_while(|part| single(part)).skip(1);
    if after.clone().any(|part| *part != Part::Any) {
        let span = parser.previous().span;
        let error = parser.error(span, "Invalid large community pattern");
        return Err(error.because("only `*` may follow a range or `*`"));
    }
    let range = SetPart::Fixed(Item::Range(lc_key(low), lc_key(high)));
    Ok(dynamic(Element::Lc, &parts, u32::MAX).unwrap_or((Element::Lc, range)))
}

/// `(rt, key, value)` with the kind consumed. The value may be a pattern.
fn ec_pattern(parser: &mut Parser, builder: &mut Builder, kind: EcKind) -> Parsed<Typed> {
    let key_span = parser.token().span;
    let key = constant_expression(parser, builder)?;
    parser.expect(TokenKind::Comma)?;
    let value = number_part(parser, builder)?;
    if let Part::Dynamic(_) = value {
        return Err(parser.error_here("Constant expression expected").into());
    }
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
        return range(parser, builder, false, Constant::Ec(low));
    }
    let range = Item::Range(u128::from(low.0), u128::from(high.0));
    Ok((Element::Ec, SetPart::Fixed(range)))
}
