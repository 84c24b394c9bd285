//! Addresses: `RTM_NEWADDR`, `RTM_DELADDR`, `RTM_GETADDR`.

use std::net::IpAddr;

use dunlin_core::interfaces::InterfaceAddress;
use dunlin_net::Prefix;

use super::{Attributes, dump_request, kind, u32_at};

/// Bytes of the fixed part (`ifaddrmsg`).
const FIXED: usize = 8;

const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

/// Attributes (`IFA_*`).
mod attribute {
    pub(super) const ADDRESS: u16 = 1;
    pub(super) const LOCAL: u16 = 2;
    pub(super) const BROADCAST: u16 = 4;
    pub(super) const FLAGS: u16 = 8;
}

/// Flags (`IFA_F_*`).
mod bit {
    /// For IPv6 the same bit says that the address is a temporary one (RFC 8981): nothing to be known by.
    pub(super) const SECONDARY: u32 = 0x1;
    pub(super) const TENTATIVE: u32 = 0x40;
}

/// An address as the kernel describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressRecord {
    /// The interface.
    pub index: u32,
    /// The address, its network and the other end of the link.
    pub address: InterfaceAddress,
    /// The broadcast address.
    pub broadcast: Option<IpAddr>,
    /// `RT_SCOPE_*`: 0 is everywhere, 253 the link, 254 this machine.
    pub scope: u8,
    /// Not usable before it is known that nobody else has it (RFC 4862); only IPv6.
    pub tentative: bool,
}

impl AddressRecord {
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        let family = *body.first()?;
        let length = *body.get(1)?;
        let mut flags = u32::from(*body.get(2)?);
        let scope = *body.get(3)?;
        let index = u32_at(body, 4)?;
        let (mut remote, mut local, mut broadcast) = (None, None, None);
        for (kind, value) in (Attributes { rest: body.get(FIXED..)? }) {
            match kind {
                attribute::ADDRESS => remote = ip(family, value),
                attribute::LOCAL => local = ip(family, value),
                attribute::BROADCAST => broadcast = ip(family, value),
                attribute::FLAGS => flags = u32_at(value, 0).unwrap_or(flags),
                _ => {}
            }
        }
        // With both, one is ours and the other is the peer's, or ours again where there is no peer.
        let own = local.or(remote)?;
        let network = remote.unwrap_or(own);
        let prefix = Prefix::new(network, length)?;
        let alone = prefix.len() == prefix.max_len();
        let address = InterfaceAddress {
            address: own,
            prefix,
            opposite: (alone && network != own).then_some(network),
            secondary: flags & bit::SECONDARY != 0,
        };
        let tentative = own.is_ipv6() && flags & bit::TENTATIVE != 0;
        Some(Self { index, address, broadcast, scope, tentative })
    }
}

fn ip(family: u8, value: &[u8]) -> Option<IpAddr> {
    match family {
        AF_INET => <[u8; 4]>::try_from(value).ok().map(IpAddr::from),
        AF_INET6 => <[u8; 16]>::try_from(value).ok().map(IpAddr::from),
        _ => None,
    }
}

/// Asks for all addresses of both families.
pub fn request_addresses(sequence: u32) -> Vec<u8> {
    dump_request(kind::GET_ADDRESS, sequence, FIXED)
}
