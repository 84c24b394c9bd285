//! Origins in texts.

use dunlin_conf::Parsed;
use dunlin_net::{Network, Prefix, Roa4, Roa6};

use super::ConfigParser;

/// Reads `max LENGTH as ASN` behind a prefix, if that is there.
///
/// # Errors
/// If it is wrong; the diagnostic is recorded.
pub fn parse_roa(parser: &mut ConfigParser, prefix: Prefix) -> Parsed<Option<Network>> {
    if !parser.eat_word("max") {
        return Ok(None);
    }
    let place = parser.token().span;
    let length = parser.integer()?;
    let of = |asn: u32| {
        let length = u8::try_from(length).ok()?;
        match prefix {
            Prefix::V4(_) => Roa4::new(prefix, length, asn).map(Network::Roa4),
            Prefix::V6(_) => Roa6::new(prefix, length, asn).map(Network::Roa6),
        }
    };
    if of(0).is_none() {
        return Err(parser.error(place, format!("Invalid max prefix length {length}")).into());
    }
    parser.expect_word("as")?;
    let asn = parser.integer()?;
    Ok(of(asn))
}
