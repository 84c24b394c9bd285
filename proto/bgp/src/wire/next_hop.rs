//! Next hops as UPDATEs carry them.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::family::Carried;

/// A next hop of one or, for IPv6, up to two addresses.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct NextHop {
    /// The address to resolve; unspecified if only a link-local one was given.
    pub global: IpAddr,
    /// The link-local address that came with it.
    pub link_local: Option<Ipv6Addr>,
}

/// Why the bytes of a next hop aren't one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NextHopError {
    /// A length that no next hop has: the NLRI behind it can't be found (RFC 7606 7.11).
    Length,
    /// Not an address that packets can be sent to, or one of the wrong family.
    Unusable,
}

impl NextHop {
    /// A next hop of one address.
    pub const fn new(global: IpAddr) -> Self {
        Self { global, link_local: None }
    }

    /// Reads the next hop field of MP_REACH. `mixed`: IPv4 prefixes may have an IPv6 next hop
    /// (RFC 8950).
    pub(super) fn decode(bytes: &[u8], family: Carried, mixed: bool) -> Result<Self, NextHopError> {
        let hop = match (bytes.len(), family) {
            (4, Carried::Ipv4) => decode4(bytes),
            (16 | 32, Carried::Ipv4) if mixed => decode6(bytes),
            (16 | 32, Carried::Ipv6) => decode6(bytes),
            (4 | 16 | 32, _) => None,
            _ => return Err(NextHopError::Length),
        };
        hop.ok_or(NextHopError::Unusable)
    }

    /// Whether packets can be sent to one host by it (RFC 4271 6.3). `loopback`: the neighbour
    /// itself is on the loopback network, so others there make sense too.
    pub(super) fn is_usable(self, loopback: bool) -> bool {
        match self.global {
            address if address.is_loopback() => loopback,
            IpAddr::V4(address) => !matches!(address.octets(), [0 | 224..=255, ..]),
            IpAddr::V6(address) if address.is_unspecified() => self.link_local.is_some(),
            IpAddr::V6(address) => !address.is_multicast(),
        }
    }

    /// The bytes that MP_REACH has for it, in `space`.
    pub fn bytes(self, space: &mut [u8; 32]) -> &[u8] {
        let length = match (self.global, self.link_local) {
            (IpAddr::V4(address), _) => fill(space, &address.octets(), &[]),
            (IpAddr::V6(address), None) => fill(space, &address.octets(), &[]),
            (IpAddr::V6(address), Some(second)) => fill(space, &address.octets(), &second.octets()),
        };
        space.get(..length).unwrap_or(&[])
    }
}

fn fill(space: &mut [u8; 32], first: &[u8], second: &[u8]) -> usize {
    space.iter_mut().zip(first.iter().chain(second)).for_each(|(to, from)| *to = *from);
    first.len() + second.len()
}

fn decode4(bytes: &[u8]) -> Option<NextHop> {
    let octets = bytes.first_chunk::<4>()?;
    Some(NextHop::new(IpAddr::V4(Ipv4Addr::from(*octets))))
}

fn decode6(bytes: &[u8]) -> Option<NextHop> {
    let (first, rest) = bytes.split_first_chunk::<16>()?;
    let first = Ipv6Addr::from(*first);
    let second = rest.first_chunk::<16>().map(|octets| Ipv6Addr::from(*octets));
    let second = second.filter(Ipv6Addr::is_unicast_link_local);
    // Speakers differ in how they write a link-local address that has no global one beside it.
    if first.is_unicast_link_local() {
        return Some(only_link_local(first));
    }
    if first.is_unspecified() {
        return second.map(only_link_local);
    }
    Some(NextHop { global: IpAddr::V6(first), link_local: second })
}

fn only_link_local(address: Ipv6Addr) -> NextHop {
    NextHop { global: IpAddr::V6(Ipv6Addr::UNSPECIFIED), link_local: Some(address) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn octets(text: &str) -> Vec<u8> {
        text.split(' ').flat_map(|part| part.parse::<Ipv6Addr>().unwrap().octets()).collect()
    }

    fn decoded(text: &str) -> Result<NextHop, NextHopError> {
        NextHop::decode(&octets(text), Carried::Ipv6, false)
    }

    #[test]
    fn every_way_to_write_an_ipv6_next_hop() {
        let global = decoded("2001:db8::1").unwrap();
        assert_eq!((global.global, global.link_local), ("2001:db8::1".parse().unwrap(), None));
        let both = decoded("2001:db8::1 fe80::1").unwrap();
        assert_eq!(both.link_local, Some("fe80::1".parse().unwrap()));
        let alone = NextHop {
            global: IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            link_local: Some("fe80::1".parse().unwrap()),
        };
        for text in ["fe80::1", "fe80::1 fe80::1", ":: fe80::1"] {
            assert_eq!(decoded(text), Ok(alone), "{text}");
        }
        let mut space = [0; 32];
        assert_eq!(both.bytes(&mut space), octets("2001:db8::1 fe80::1"));
    }

    #[test]
    fn what_no_packet_can_be_sent_to() {
        assert_eq!(decoded(":: 2001:db8::1"), Err(NextHopError::Unusable));
        for text in ["::", "::1", "ff02::1"] {
            assert!(!decoded(text).is_ok_and(|hop| hop.is_usable(false)), "{text}");
        }
        assert!(
            decoded("::1").unwrap().is_usable(true) && decoded("fe80::1").unwrap().is_usable(false)
        );
        assert_eq!(NextHop::decode(&[0; 9], Carried::Ipv6, false), Err(NextHopError::Length));
        let ipv6 = octets("2001:db8::1");
        assert_eq!(NextHop::decode(&ipv6, Carried::Ipv4, false), Err(NextHopError::Unusable));
        assert!(NextHop::decode(&ipv6, Carried::Ipv4, true).is_ok());
        for (address, usable) in [
            ([0, 0, 0, 0], false),
            ([127, 0, 0, 1], false),
            ([224, 0, 0, 1], false),
            ([255; 4], false),
            ([192, 0, 2, 1], true),
        ] {
            assert_eq!(NextHop::new(IpAddr::from(address)).is_usable(false), usable, "{address:?}");
        }
        assert!(NextHop::new(IpAddr::from([127, 0, 0, 1])).is_usable(true));
    }
}
