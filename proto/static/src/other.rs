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

/// `from PREFIX` behind an IPv6 prefix, if that is there.
///
/// # Errors
/// If it is wrong; the diagnostic is recorded.
pub(crate) fn source(parser: &mut ConfigParser, net: Prefix) -> Parsed<Option<NetType>> {
    let ipv4 = net.addr().is_ipv4();
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
    /// A stack has room for so many.
    const MOST: usize = 8;
    let start = parser.token().span;
    let mut count = 1;
    parser.integer_in("MPLS label", 0..=MAX_LABEL)?;
    while parser.eat(TokenKind::Slash) {
        parser.integer_in("MPLS label", 0..=MAX_LABEL)?;
        count += 1;
    }
    if count > MOST {
        let span = start.to(parser.previous().span);
        return Err(parser.error(span, "Too many labels in stack").into());
    }
    Ok(())
}

/// Whether routes of a type can do without a destination.
pub(crate) const fn needs_no_destination(net_type: NetType) -> bool {
    matches!(
        net_type,
        NetType::Flow4 | NetType::Flow6 | NetType::Eth | NetType::Evpn | NetType::Neighbor
    )
}
