//! An encoder with messages of one size, and what they say. It counts as one message what is encoded
//! at once, as if any number of networks found room.

use std::net::IpAddr;

use dunlin_net::{Prefix, Prefix4};

use crate::encode::{Block, Encoder, Nets, Unsendable};
use crate::export::OutRoute;
use crate::testing::{Look, address, look_of};

/// Bytes of a message.
pub(crate) const LEN: usize = 16;

/// Routes with this local preference cannot be sent.
pub(crate) const UNSENDABLE: u32 = 99;

/// Routes with this many hops have the next hop of [`NEXT_HOP_MEMBER`].
pub(crate) const OWN_HOP: u8 = 4;

/// Address of the member that gets no routes of [`OWN_HOP`] hops.
pub(crate) fn next_hop_member() -> IpAddr {
    address(77)
}

#[derive(Debug)]
pub(crate) struct TestEncoder(pub(crate) u64);

/// What a message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Announce(Prefix4, Look),
    Withdraw(Prefix4),
    EndOfRib,
}

fn message(kind: u8, net: Prefix4, look: &[u8]) -> [u8; LEN] {
    let mut bytes = [0; LEN];
    bytes[0] = kind;
    bytes[1..5].copy_from_slice(&net.addr().octets());
    bytes[5] = net.len();
    bytes[6..6 + look.len()].copy_from_slice(look);
    bytes
}

pub(crate) fn decode(bytes: &[u8]) -> Said {
    let word = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    let net = Prefix4::new(word(1), bytes[5]).unwrap();
    match bytes[0] {
        1 => Said::Announce(net, Look { local_pref: word(6), hops: bytes[10], med: word(11) }),
        2 => Said::Withdraw(net),
        3 => Said::EndOfRib,
        other => panic!("message of kind {other}"),
    }
}

impl Encoder for TestEncoder {
    fn key(&self) -> u64 {
        self.0
    }

    fn attributes(&self, route: &OutRoute, block: &mut Vec<u8>) -> Result<Block, Unsendable> {
        let look = look_of(&route.attrs);
        if look.local_pref == UNSENDABLE {
            return Err(Unsendable::NoNextHop);
        }
        block.extend(look.local_pref.to_be_bytes());
        block.push(look.hops);
        block.extend(look.med.to_be_bytes());
        Ok(Block { not_for: (look.hops == OWN_HOP).then(next_hop_member) })
    }

    fn announce(&self, block: &[u8], nets: Nets<'_>, out: &mut Vec<u8>) -> u32 {
        let Nets::V4(nets) = nets else { panic!("IPv4 only") };
        nets.iter().for_each(|net| out.extend(message(1, *net, block)));
        1
    }

    fn withdraw(&self, nets: Nets<'_>, out: &mut Vec<u8>) -> u32 {
        let Nets::V4(nets) = nets else { panic!("IPv4 only") };
        nets.iter().for_each(|net| out.extend(message(2, *net, &[])));
        1
    }

    fn end_of_rib(&self, out: &mut Vec<u8>) {
        out.extend(message(3, Prefix4::new(0, 0).unwrap(), &[]));
    }

    fn nets_of(&self, messages: &[u8], each: &mut dyn FnMut(Prefix)) {
        for bytes in messages.chunks_exact(LEN) {
            match decode(bytes) {
                Said::Announce(net, _) | Said::Withdraw(net) => each(Prefix::V4(net)),
                Said::EndOfRib => {}
            }
        }
    }
}
