//! Routes of types that are read and go nowhere yet.

use dunlin_conf::{Parsed, TokenKind};
use dunlin_core::config::ConfigParser;
use dunlin_net::{NetType, Prefix};

use crate::flow;

/// Labels have 20 bits.
pub(crate) const MAX_LABEL: u32 = (1 << 20) - 1;

/// What is behind `route` if it is no prefix: its type, with the cursor behind the network. None, with the cursor
/// unmoved, if it is something else.
///
/// # Errors
/// If it is wrong; the diagnostic is recorded.
pub(crate) fn network(parser: &mut ConfigParser) -> Parsed<Option<NetType>> {
    if let TokenKind::Rd(_) = parser.token().kind {
        return vpn(parser).map(Some);
    }
    let net_type = match parser.word() {
        Some("aspa") => aspa(parser)?,
        Some("flow4") => flow::rule(parser, NetType::Flow4)?,
        Some("flow6") => flow::rule(parser, NetType::Flow6)?,
        Some("eth") => eth(parser)?,
        Some("evpn") => evpn(parser)?,
        Some("mpls") => {
            parser.advance();
            parser.integer_in("MPLS label", 0..=MAX_LABEL)?;
            NetType::Mpls
        }
        Some("neighbor") => {
            parser.advance();
            parser.ip()?;
            parser.expect(TokenKind::Percent)?;
            parser.integer()?;
            NetType::Neighbor
        }
        _ => return Ok(None),
    };
    Ok(Some(net_type))
}

/// What may make a prefix more than that: `max N as ASN`, `from PREFIX`.
///
/// # Errors
/// If it is wrong; the diagnostic is recorded.
pub(crate) fn beyond_prefix(parser: &mut ConfigParser, net: Prefix) -> Parsed<Option<NetType>> {
    let ipv4 = net.addr().is_ipv4();
    if parser.eat_word("max") {
        let (least, most) = (u32::from(net.len()), if ipv4 { 32 } else { 128 });
        let place = parser.token().span;
        let length = parser.integer()?;
        if !(least..=most).contains(&length) {
            return Err(parser.error(place, format!("Invalid max prefix length {length}")).into());
        }
        parser.expect_word("as")?;
        parser.integer()?;
        return Ok(Some(if ipv4 { NetType::Roa4 } else { NetType::Roa6 }));
    }
    if !ipv4 && parser.eat_word("from") {
        let place = parser.token().span;
        if parser.prefix()?.addr().is_ipv4() {
            return Err(parser.error(place, "IPv6 prefix expected").into());
        }
        return Ok(Some(NetType::Ip6Sadr));
    }
    Ok(None)
}

/// `RD PREFIX`
fn vpn(parser: &mut ConfigParser) -> Parsed<NetType> {
    parser.advance();
    let net = parser.prefix()?;
    Ok(if net.addr().is_ipv4() { NetType::Vpn4 } else { NetType::Vpn6 })
}

/// `aspa ASN providers A, B` or `aspa ASN transit`
fn aspa(parser: &mut ConfigParser) -> Parsed<NetType> {
    parser.advance();
    parser.integer()?;
    if parser.eat_word("transit") {
        return Ok(NetType::Aspa);
    }
    if !parser.eat_word("providers") && !parser.eat_word("provider") {
        return Err(parser.unexpected(&["PROVIDERS", "TRANSIT"]));
    }
    parser.integer()?;
    while parser.eat(TokenKind::Comma) {
        parser.integer()?;
    }
    Ok(NetType::Aspa)
}

/// `eth MAC [vlan N]`
fn eth(parser: &mut ConfigParser) -> Parsed<NetType> {
    parser.advance();
    mac(parser)?;
    if parser.eat_word("vlan") {
        parser.integer_in("VLAN", 1..=4095)?;
    }
    Ok(NetType::Eth)
}

fn mac(parser: &mut ConfigParser) -> Parsed<()> {
    match parser.token().kind {
        TokenKind::Mac(_) => {
            parser.advance();
            Ok(())
        }
        _ => Err(parser.unexpected(&["MAC"])),
    }
}

fn rd(parser: &mut ConfigParser) -> Parsed<()> {
    match parser.token().kind {
        TokenKind::Rd(_) => {
            parser.advance();
            Ok(())
        }
        _ => Err(parser.unexpected(&["VPN_RD"])),
    }
}

/// The kinds of routes in an `evpn` network.
#[derive(Clone, Copy)]
enum Evpn {
    Ead,
    Mac,
    Imet,
    Es,
}

/// `evpn ead RD TAG ESI`, `evpn mac RD TAG MAC IP|*`, `evpn imet RD TAG IP`, `evpn es RD ESI IP`
fn evpn(parser: &mut ConfigParser) -> Parsed<NetType> {
    parser.advance();
    let kind = parser.expect_one_of(&[
        ("ead", Evpn::Ead),
        ("mac", Evpn::Mac),
        ("imet", Evpn::Imet),
        ("es", Evpn::Es),
    ])?;
    rd(parser)?;
    match kind {
        Evpn::Ead => {
            parser.integer()?;
            parser.bytes()?;
        }
        Evpn::Mac => {
            parser.integer()?;
            mac(parser)?;
            if !parser.eat(TokenKind::Star) {
                parser.ip()?;
            }
        }
        Evpn::Imet => {
            parser.integer()?;
            parser.ip()?;
        }
        Evpn::Es => {
            parser.bytes()?;
            parser.ip()?;
        }
    }
    Ok(NetType::Evpn)
}

/// `N[/N…]`, the labels behind `mpls`.
///
/// # Errors
/// If it is wrong; the diagnostic is recorded.
pub(crate) fn labels(parser: &mut ConfigParser) -> Parsed<()> {
    loop {
        parser.integer_in("MPLS label", 0..=MAX_LABEL)?;
        if !parser.eat(TokenKind::Slash) {
            return Ok(());
        }
    }
}

/// Whether routes of a type can do without a destination.
pub(crate) const fn needs_no_destination(net_type: NetType) -> bool {
    matches!(
        net_type,
        NetType::Roa4
            | NetType::Roa6
            | NetType::Aspa
            | NetType::Flow4
            | NetType::Flow6
            | NetType::Eth
            | NetType::Evpn
            | NetType::Neighbor
    )
}
