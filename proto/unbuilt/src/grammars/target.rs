//! What L3VPN and EVPN have in common: route distinguishers and targets.

use dunlin_conf::Parsed;
use dunlin_core::config::grammar::{Given, Part, Rule, rule};
use dunlin_core::config::{ConfigParser, Globals};
use dunlin_filter::{Constant, Element, parse_eval};

/// Both.
pub(super) const RULES: [Rule; 5] = [
    rule("rd", &[Part::Rd]),
    rule("route distinguisher", &[Part::Rd]),
    rule("import target", &[Part::Other(target)]),
    rule("export target", &[Part::Other(target)]),
    rule("route target", &[Part::Other(target)]),
];

/// A route target, a set of them, `none` or `all`.
fn target(parser: &mut ConfigParser, _: &Globals) -> Parsed<Given> {
    if let Some(word) = parser.eat_one_of(&[("none", "none"), ("all", "all")]) {
        return Ok(Given::Word(word));
    }
    let place = parser.token().span;
    let value = parse_eval(parser)?;
    if is_targets(&value) {
        return Ok(Given::Value(value));
    }
    let (error, kind) = (parser.error(place, "Route target expected"), value.kind());
    Err(error.because(format!("this is of type {kind}, and not only of route targets")))
}

/// Whether it is a route target, or a set of them (RFC 4360, section 4; RFC 5668).
fn is_targets(value: &Constant) -> bool {
    let is_target = |ec: u128| matches!(ec >> 48, 0x0002 | 0x0102 | 0x0202);
    match value {
        Constant::Ec(ec) => is_target(ec.0.into()),
        Constant::Set(set) if set.element() == Element::Ec => {
            set.ranges().into_iter().all(|(low, high)| is_target(low) && is_target(high))
        }
        _ => false,
    }
}
