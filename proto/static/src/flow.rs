//! Rules of flows (RFC 8955, RFC 8956), as they stand behind `flow4` and `flow6`.

use dunlin_conf::{Parsed, TokenKind};
use dunlin_core::config::ConfigParser;
use dunlin_net::NetType;

/// What a component is compared with.
#[derive(Clone, Copy)]
enum Component {
    /// A prefix.
    Prefix,
    /// Numbers up to this.
    Numbers(u32),
    /// Bits of a field of at most this value.
    Bits(u32),
    /// Kinds of fragments.
    Fragments,
}

const COMMON: &[(&[&str], Component)] = &[
    (&["dst"], Component::Prefix),
    (&["src"], Component::Prefix),
    (&["port"], Component::Numbers(65535)),
    (&["dport"], Component::Numbers(65535)),
    (&["sport"], Component::Numbers(65535)),
    (&["icmp", "type"], Component::Numbers(255)),
    (&["icmp", "code"], Component::Numbers(255)),
    (&["tcp", "flags"], Component::Bits(4095)),
    (&["length"], Component::Numbers(65535)),
    (&["dscp"], Component::Numbers(63)),
    (&["fragment"], Component::Fragments),
];

const ONLY_4: &[(&[&str], Component)] = &[(&["proto"], Component::Numbers(255))];

const ONLY_6: &[(&[&str], Component)] = &[
    (&["next", "header"], Component::Numbers(255)),
    (&["label"], Component::Numbers((1 << 20) - 1)),
];

/// Reads `flow4 { … }` or `flow6 { … }`.
pub(crate) fn rule(parser: &mut ConfigParser, net_type: NetType) -> Parsed<NetType> {
    let is_v4 = net_type == NetType::Flow4;
    parser.advance();
    let mut seen: Vec<&[&str]> = Vec::new();
    parser.block(|parser| {
        let own = if is_v4 { ONLY_4 } else { ONLY_6 };
        let place = parser.token().span;
        let mut all = own.iter().chain(COMMON);
        let Some((words, component)) = all.find(|(words, _)| parser.eat_words(words)) else {
            return Err(parser.unexpected(&[]));
        };
        if seen.contains(words) {
            return Err(parser.error(place, "Component already present").into());
        }
        seen.push(words);
        match component {
            Component::Prefix => prefix(parser, is_v4),
            Component::Numbers(most) => numbers(parser, *most),
            Component::Bits(most) => bits(parser, *most),
            Component::Fragments => fragments(parser),
        }
    })?;
    Ok(net_type)
}

/// `PREFIX`, of IPv6 with `offset N` behind it.
fn prefix(parser: &mut ConfigParser, is_v4: bool) -> Parsed<()> {
    let place = parser.token().span;
    let net = parser.prefix()?;
    if net.addr().is_ipv4() != is_v4 {
        let family = if is_v4 { "IPv4" } else { "IPv6" };
        return Err(parser.error(place, format!("{family} prefix expected")).into());
    }
    if !is_v4 && parser.eat_word("offset") {
        parser.integer_in("Prefix offset", 0..=u32::from(net.len()))?;
    }
    Ok(())
}

/// `= 5`, `> 3 && < 9`, `40..50,60` and any of them with `||` between; `true` and `false`.
fn numbers(parser: &mut ConfigParser, most: u32) -> Parsed<()> {
    loop {
        let compares = [
            TokenKind::Equal,
            TokenKind::NotEqual,
            TokenKind::Less,
            TokenKind::LessEqual,
            TokenKind::Greater,
            TokenKind::GreaterEqual,
        ];
        if parser.eat_one_of(&[("true", ()), ("false", ())]).is_none() {
            let compared = compares.into_iter().any(|kind| parser.eat(kind));
            parser.integer_in("Value", 0..=most)?;
            if !compared {
                ranges(parser, most)?;
            }
        }
        if !parser.eat(TokenKind::AndAnd) && !parser.eat(TokenKind::OrOr) {
            return Ok(());
        }
    }
}

/// What can stand behind a number that nothing compares: `..N`, `,N`.
fn ranges(parser: &mut ConfigParser, most: u32) -> Parsed<()> {
    while parser.eat(TokenKind::DotDot) || parser.eat(TokenKind::Comma) {
        parser.integer_in("Value", 0..=most)?;
    }
    Ok(())
}

/// `VALUE/MASK`, `!VALUE/MASK`, with `&&`, `,` or `||` between.
fn bits(parser: &mut ConfigParser, most: u32) -> Parsed<()> {
    loop {
        parser.eat(TokenKind::Not);
        let place = parser.token().span;
        let value = parser.integer_in("Value", 0..=most)?;
        parser.expect(TokenKind::Slash)?;
        let mask = parser.integer_in("Mask", 0..=most)?;
        if value & !mask != 0 {
            let text = format!("Value {value:#x} outside bitmask {mask:#x}");
            return Err(parser.error(place, text).into());
        }
        if !joined(parser) {
            return Ok(());
        }
    }
}

fn fragments(parser: &mut ConfigParser) -> Parsed<()> {
    loop {
        parser.eat(TokenKind::Not);
        parser.expect_one_of(&[
            ("dont_fragment", ()),
            ("is_fragment", ()),
            ("first_fragment", ()),
            ("last_fragment", ()),
        ])?;
        if !joined(parser) {
            return Ok(());
        }
    }
}

fn joined(parser: &mut ConfigParser) -> bool {
    [TokenKind::AndAnd, TokenKind::OrOr, TokenKind::Comma].into_iter().any(|kind| parser.eat(kind))
}
