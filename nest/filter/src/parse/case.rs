//! `case`

use dunlin_conf::{Failed, Parsed, TokenKind};

use super::{expression::expression, items, statement::statement};
use crate::{
    Parser,
    build::{Builder, Expr},
    code::{Node, NodeId, SetPart},
    enums,
    set::{Item, Switch},
    system::system_constant,
    types::{Element, Type},
    value::{Value, key_ip},
};

/// `case EXPRESSION { LABELS: COMMANDS ... [else: COMMANDS] }`
///
/// An arm has any number of commands. Where the next arm starts is never in doubt: no command
/// starts with a literal, a parenthesis or a constant of the language.
pub(super) fn case(parser: &mut Parser, builder: &mut Builder) -> Parsed<NodeId> {
    let start = parser.advance().span;
    let value = expression(parser, builder)?;
    parser.expect(TokenKind::OpenBrace)?;
    let mut labels: Vec<(Label, u32)> = Vec::new();
    let mut arms: Vec<NodeId> = Vec::new();
    let mut otherwise: Option<NodeId> = None;
    let mut failed = false;
    while !parser.eat(TokenKind::CloseBrace) {
        let arm = u32::try_from(arms.len()).unwrap_or(u32::MAX);
        let result = one_arm(parser, builder, arm, &mut labels);
        match result {
            Ok((true, node)) if otherwise.is_none() => otherwise = Some(node),
            Ok((true, _)) => {
                parser.error(parser.previous().span, "Second else: in case");
                failed = true;
            }
            Ok((false, node)) => arms.push(node),
            Err(Failed) => {
                failed = true;
                if parser.at_end() || !parser.recover() {
                    return Err(Failed);
                }
            }
        }
    }
    parser.ends_here();
    if failed {
        return Err(Failed);
    }
    let nothing = match otherwise {
        Some(node) => node,
        None => builder.push(parser, Node::Nothing, start),
    };
    let Some(switch) = switch(parser, value, labels)? else { return Ok(nothing) };
    let switch = builder.switch(switch);
    let arms = builder.list(&arms);
    Ok(builder.push(parser, Node::Case(value.node, switch, arms, nothing), start))
}

/// A label and what it is a label of.
type Label = (Element, Item);

fn label(parser: &mut Parser, builder: &mut Builder) -> Parsed<Label> {
    let span = parser.token().span;
    match items::item(parser, builder, false)? {
        (element, SetPart::Fixed(item)) => Ok((element, item)),
        (_, SetPart::Dynamic(_)) => Err(parser.error(span, "Constant expression expected").into()),
    }
}

/// One arm: whether it is the one for everything else, and its commands.
fn one_arm(
    parser: &mut Parser,
    builder: &mut Builder,
    arm: u32,
    labels: &mut Vec<(Label, u32)>,
) -> Parsed<(bool, NodeId)> {
    let start = parser.token().span;
    let otherwise = if parser.eat(TokenKind::ElseColon) {
        true
    } else if parser.at_word("else") && parser.ahead(1).kind == TokenKind::Colon {
        parser.advance();
        parser.advance();
        true
    } else {
        loop {
            labels.push((label(parser, builder)?, arm));
            if !parser.eat(TokenKind::Comma) {
                break;
            }
        }
        parser.expect(TokenKind::Colon)?;
        false
    };
    let labels = start.to(parser.previous().span);
    let mut nodes = Vec::new();
    let mut failed = false;
    while !at_arm_end(parser) {
        match statement(parser, builder) {
            Ok(node) => nodes.push(node),
            Err(Failed) => {
                failed = true;
                if !parser.recover() {
                    return Err(Failed);
                }
            }
        }
    }
    if failed {
        return Err(Failed);
    }
    let list = builder.list(&nodes);
    Ok((otherwise, builder.push(parser, Node::Block(list), labels)))
}

/// Whether the arm is over: at the next label, or at the end of the case.
fn at_arm_end(parser: &Parser) -> bool {
    match parser.token().kind {
        TokenKind::CloseBrace
        | TokenKind::End
        | TokenKind::ElseColon
        | TokenKind::Number(_)
        | TokenKind::Ip4(_)
        | TokenKind::Ip6(_)
        | TokenKind::Rd(_)
        | TokenKind::Mac(_)
        | TokenKind::Open => true,
        TokenKind::Name => parser.word().is_some_and(|word| {
            enums::constant(word).is_some()
                || system_constant(word).is_some()
                || (word == "else" && parser.ahead(1).kind == TokenKind::Colon)
        }),
        _ => false,
    }
}

/// The compiled labels; none if there are none.
fn switch(parser: &mut Parser, value: Expr, labels: Vec<(Label, u32)>) -> Parsed<Option<Switch>> {
    let at = parser.previous().span;
    let Some(&((first, _), _)) = labels.first() else { return Ok(None) };
    // Addresses as labels of quads are quads.
    let quads = value.kind == Type::Quad && first == Element::Ip;
    let element = if quads { Element::Quad } else { first };
    let mut items = Vec::with_capacity(labels.len());
    for ((of, item), arm) in labels {
        if of != first {
            let message = format!("Can't mix {} and {} in labels", first.of(), of.of());
            return Err(parser.error(at, message).related(value.span, "in this case").because(""));
        }
        items.push((if quads { as_quads(item) } else { item }, arm));
    }
    if !element.of().fits(value.kind) {
        let message = format!("case of {} with labels of {}", value.kind, element.of());
        parser.warning(value.span, message).hint("no label will ever fit");
    }
    match Switch::new(element, items) {
        Ok(switch) => Ok(Some(switch)),
        Err(_) => {
            let error = parser.error(at, "Labels of different arms overlap in case");
            error.related(value.span, "in this case");
            Err(Failed)
        }
    }
}

fn as_quads(item: Item) -> Item {
    let quad = |key: u128| match key_ip(key) {
        std::net::IpAddr::V4(ip) => Value::Quad(ip.to_bits()).key().unwrap_or(0),
        std::net::IpAddr::V6(_) => key,
    };
    match item {
        Item::Range(low, high) => Item::Range(quad(low), quad(high)),
        other => other,
    }
}
