//! What L3VPN and EVPN have in common: route distinguishers and targets.

use dunlin_conf::Parsed;
use dunlin_core::config::grammar::{Given, Part, Rule, rule};
use dunlin_core::config::{ConfigParser, Globals};
use dunlin_filter::{Constant, parse_eval};

/// Both.
pub(super) const RULES: [Rule; 5] = [
    rule("rd", &[Part::Rd]),
    rule("route distinguisher", &[Part::Rd]),
    rule("import target", &[Part::Other(target)]),
    rule("export target", &[Part::Other(target)]),
    rule("route target", &[Part::Other(target)]),
];

/// An extended community, a set of them, `none` or `all`.
fn target(parser: &mut ConfigParser, _: &Globals) -> Parsed<Given> {
    if let Some(word) = parser.eat_one_of(&[("none", "none"), ("all", "all")]) {
        return Ok(Given::Word(word));
    }
    let place = parser.token().span;
    let value = parse_eval(parser)?;
    match value.kind() {
        dunlin_filter::Type::Ec => {}
        kind if matches!(value, Constant::Set(_)) && kind.to_string().contains("ec") => {}
        kind => {
            let error = parser.error(place, "Route target expected");
            return Err(error.because(format!("this is of type {kind}")));
        }
    }
    Ok(Given::Value(value))
}
