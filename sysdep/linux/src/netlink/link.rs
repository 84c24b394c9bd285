//! Interfaces: `RTM_NEWLINK`, `RTM_DELLINK`, `RTM_GETLINK`.

use dunlin_core::interfaces::InterfaceFlags;

use super::{Attributes, dump_request, kind, u32_at};

/// Bytes of the fixed part (`ifinfomsg`).
const FIXED: usize = 16;

/// Attributes (`IFLA_*`).
mod attribute {
    pub(super) const NAME: u16 = 3;
    pub(super) const MTU: u16 = 4;
    pub(super) const MASTER: u16 = 10;
}

/// Flags (`IFF_*`).
mod bit {
    pub(super) const UP: u32 = 0x1;
    pub(super) const BROADCAST: u32 = 0x2;
    pub(super) const LOOPBACK: u32 = 0x8;
    pub(super) const POINT_TO_POINT: u32 = 0x10;
    pub(super) const MULTICAST: u32 = 0x1000;
    pub(super) const LOWER_UP: u32 = 0x1_0000;
}

/// Messages of other families (`AF_BRIDGE`) are about a bridge's view of an interface: there its end only
/// means that it left the bridge.
const AF_UNSPEC: u8 = 0;

/// An interface as the kernel describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkRecord {
    /// Its number.
    pub index: u32,
    /// Its name, if said.
    pub name: Option<String>,
    /// Its flags.
    pub flags: InterfaceFlags,
    /// Largest packet, if said.
    pub mtu: Option<u32>,
    /// The VRF or bridge that it belongs to.
    pub master: Option<u32>,
}

impl LinkRecord {
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        if *body.first()? != AF_UNSPEC {
            return None;
        }
        let index = u32_at(body, 4)?;
        let flags = u32_at(body, 8)?;
        let mut link =
            Self { index, name: None, flags: read_flags(flags), mtu: None, master: None };
        for (kind, value) in (Attributes { rest: body.get(FIXED..)? }) {
            match kind {
                attribute::NAME => link.name = text(value),
                attribute::MTU => link.mtu = u32_at(value, 0),
                attribute::MASTER => link.master = u32_at(value, 0),
                _ => {}
            }
        }
        Some(link)
    }
}

fn read_flags(flags: u32) -> InterfaceFlags {
    let has = |bit: u32| flags & bit != 0;
    InterfaceFlags {
        admin_up: has(bit::UP),
        link_up: has(bit::LOWER_UP),
        loopback: has(bit::LOOPBACK),
        broadcast: has(bit::BROADCAST),
        multicast: has(bit::MULTICAST),
        point_to_point: has(bit::POINT_TO_POINT),
    }
}

/// A string of C, without its end.
fn text(value: &[u8]) -> Option<String> {
    let text = value.split(|&byte| byte == 0).next()?;
    if text.is_empty() { None } else { Some(String::from_utf8_lossy(text).into_owned()) }
}

/// Asks for all interfaces.
pub fn request_links(sequence: u32) -> Vec<u8> {
    dump_request(kind::GET_LINK, sequence, FIXED)
}
