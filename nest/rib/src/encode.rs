//! How a protocol turns deltas into messages.

use std::net::IpAddr;

use dunlin_net::{Prefix, Prefix4, Prefix6};

use crate::export::OutRoute;

/// Networks of one net type with their path ids (empty without RFC 7911).
#[derive(Clone, Copy, Debug)]
pub enum Nets<'a> {
    /// IPv4.
    V4(&'a [Prefix4]),
    /// IPv6.
    V6(&'a [Prefix6]),
}

impl Nets<'_> {
    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Self::V4(nets) => nets.len(),
            Self::V6(nets) => nets.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// An encoded attribute block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Block {
    /// A member with this address must not get it: the next hop is its own.
    pub not_for: Option<IpAddr>,
}

/// Why a route cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsendable {
    /// There is no next hop that could be announced.
    NoNextHop,
    /// The attributes do not fit a message.
    TooLong,
}

/// Encodes for one class of sessions: all members get the same bytes.
pub trait Encoder: Send + Sync {
    /// Encoders with equal keys produce equal bytes.
    fn key(&self) -> u64;
    /// Encodes the attributes of a route into `block` (cleared before).
    ///
    /// # Errors
    /// [`Unsendable`] if no member can be told; they get a withdrawal.
    fn attributes(&self, route: &OutRoute, block: &mut Vec<u8>) -> Result<Block, Unsendable>;
    /// Appends as many whole messages as `nets` need; returns how many.
    fn announce(&self, block: &[u8], nets: Nets<'_>, out: &mut Vec<u8>) -> u32;
    /// Appends withdrawals; returns how many messages.
    fn withdraw(&self, nets: Nets<'_>, out: &mut Vec<u8>) -> u32;
    /// Appends the End-of-RIB marker (RFC 4724 section 2).
    fn end_of_rib(&self, out: &mut Vec<u8>);
    /// Calls `each` for every network announced or withdrawn in whole messages.
    fn nets_of(&self, messages: &[u8], each: &mut dyn FnMut(Prefix));
}
