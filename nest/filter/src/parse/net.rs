//! Literals of networks that are no plain prefixes.

use std::{net::IpAddr, sync::Arc};

use dunlin_conf::{Parsed, TokenKind, lexer::Rd};
use dunlin_net::Prefix;

use crate::{Parser, net::Net, value::Constant};

/// The largest MPLS label, and the largest VLAN.
const MAX_LABEL: u32 = (1 << 20) - 1;
const MAX_VLAN: u32 = 4094;

/// What a prefix that was just read becomes by the words behind it: `max` and `as`, or `from`.
pub(super) fn after_prefix(parser: &mut Parser, prefix: Prefix) -> Parsed<Constant> {
    if parser.eat_word("max") {
        let span = parser.token().span;
        let length = parser.integer()?;
        let fits = u8::try_from(length).ok();
        let Some(max_len) = fits.filter(|max| (prefix.len()..=prefix.max_len()).contains(max))
        else {
            return Err(parser.error(span, format!("Invalid max prefix length {length}")).into());
        };
        parser.expect_word("as")?;
        let asn = parser.integer()?;
        return Ok(constant(Net::Roa { prefix, max_len, asn }));
    }
    if !prefix.is_v4() && parser.eat_word("from") {
        let TokenKind::Ip6(_) = parser.token().kind else {
            return Err(parser.unexpected(&["IP6"]));
        };
        let source = parser.prefix()?;
        return Ok(constant(Net::Sadr { destination: prefix, source }));
    }
    Ok(Constant::Prefix(prefix))
}

/// The prefix behind a route distinguisher that was just read.
pub(super) fn after_rd(parser: &mut Parser, rd: Rd) -> Parsed<Constant> {
    let prefix = parser.prefix()?;
    Ok(constant(Net::Vpn(rd, prefix)))
}

/// A network that starts with a word, if there is one at the cursor.
pub(super) fn worded(parser: &mut Parser) -> Option<Parsed<Constant>> {
    let next = parser.ahead(1).kind;
    let number = matches!(next, TokenKind::Number(_));
    Some(match parser.word()? {
        "mpls" if number => label(parser),
        "aspa" if number => {
            parser.advance();
            parser.integer().map(|asn| constant(Net::Aspa(asn)))
        }
        "eth" if matches!(next, TokenKind::Mac(_)) => ethernet(parser),
        "neighbor" if matches!(next, TokenKind::Ip4(_) | TokenKind::Ip6(_)) => neighbor(parser),
        word @ ("flow4" | "flow6") if next == TokenKind::OpenBrace => {
            let message = format!("Networks of type {word} are not supported yet");
            Err(parser.error_here(message).into())
        }
        "evpn" if next.is_name() => {
            Err(parser.error_here("Networks of type evpn are not supported yet").into())
        }
        _ => return None,
    })
}

fn label(parser: &mut Parser) -> Parsed<Constant> {
    parser.advance();
    parser.integer_in("MPLS label", 0..=MAX_LABEL).map(|label| constant(Net::Mpls(label)))
}

fn ethernet(parser: &mut Parser) -> Parsed<Constant> {
    parser.advance();
    let TokenKind::Mac(index) = parser.token().kind else { return Err(parser.unexpected(&[])) };
    let mac = parser.values().mac(index);
    parser.advance();
    let vlan = if parser.eat_word("vlan") {
        u16::try_from(parser.integer_in("VLAN", 0..=MAX_VLAN)?).ok()
    } else {
        None
    };
    Ok(constant(Net::Eth(mac, vlan)))
}

fn neighbor(parser: &mut Parser) -> Parsed<Constant> {
    parser.advance();
    let address: IpAddr = parser.ip()?;
    parser.expect(TokenKind::Percent)?;
    let interface = parser.integer()?;
    Ok(constant(Net::Neighbor(address, interface)))
}

fn constant(net: Net) -> Constant {
    Constant::Net(Arc::new(net))
}
