//! How a session's routes are written: wire code with the rules of one class of sessions.

use core::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv6Addr};

use dunlin_attr::{Attrs, BgpNextHop};
use dunlin_net::Prefix;
use dunlin_net::hash::hasher;
use dunlin_rib::encode::{Block, Encoder, Nets, Unsendable};
use dunlin_rib::export::OutRoute;
use dunlin_rib::nexthop::NextHopState;

use crate::config::Scope;
use crate::wire::Carried;
use crate::wire::attribute::{flag, number};
use crate::wire::encode::{self, EncodeRules, PeerKind, Reflection, Route, encode_block};
use crate::wire::next_hop::NextHop;

/// How next hops are chosen.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct HopRules {
    /// What "ourselves" is.
    pub(crate) ours: Option<IpAddr>,
    /// Our link-local address, if the neighbour is on a connected network.
    pub(crate) link_local: Option<Ipv6Addr>,
    /// The interface that the neighbour is on, if it is on a connected network.
    pub(crate) interface: Option<u32>,
    /// We announce ourselves.
    pub(crate) to_self: Scope,
    /// We keep what is there.
    pub(crate) keep: Scope,
}

/// The encoder of a class of sessions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct BgpEncoder {
    pub(crate) rules: EncodeRules,
    pub(crate) hops: HopRules,
    /// The cluster of the neighbours, if they are our clients.
    pub(crate) cluster: Option<u32>,
    /// MED goes to other ASes.
    pub(crate) send_med: bool,
}

impl BgpEncoder {
    /// The next hop to announce (the order is BIRD's: self, keep, set by the filter, and so on).
    fn next_hop(&self, route: &OutRoute) -> Option<NextHop> {
        let from_inside = route.source.peer.as_ref().is_some_and(|peer| peer.internal);
        let stated = route.attrs.bgp().and_then(|bgp| bgp.next_hop());
        if self.hops.to_self.holds(from_inside) {
            return self.ourselves();
        }
        if let Some(hop) = stated {
            // A route that no BGP speaker sent has a BGP next hop only if a filter gave it one.
            let given = route.source.peer.is_none() || is_marked(&route.attrs);
            let keep = self.hops.keep.holds(from_inside)
                || given
                || self.rules.peer == PeerKind::Internal
                || self.is_here(route);
            if keep && self.fits(hop) {
                return Some(self.kept(hop, route));
            }
            return self.ourselves();
        }
        let gateway =
            self.single_gateway(route).filter(|gateway| self.fits(BgpNextHop::new(*gateway)));
        gateway.map(NextHop::new).or_else(|| self.ourselves())
    }

    fn ourselves(&self) -> Option<NextHop> {
        let global = self.hops.ours?;
        let link_local = self.hops.link_local.filter(|_| global.is_ipv6());
        Some(NextHop { global, link_local })
    }

    /// The family of the next hop is that of the prefixes.
    fn fits(&self, hop: BgpNextHop) -> bool {
        hop.global.is_ipv6() == (self.rules.family == Carried::Ipv6)
    }

    fn kept(&self, hop: BgpNextHop, route: &OutRoute) -> NextHop {
        // A link-local address means something only on its link.
        let link_local = hop.link_local.filter(|_| self.is_here(route));
        NextHop { global: hop.global, link_local }
    }

    /// The route leads to the interface that the neighbour is on.
    fn is_here(&self, route: &OutRoute) -> bool {
        let NextHopState::Reachable(hop) = &route.next_hop else { return false };
        match (&*hop.hops, self.hops.interface) {
            ([one], Some(ours)) => one.iface.is_some_and(|iface| iface.index == ours),
            _ => false,
        }
    }

    fn single_gateway(&self, route: &OutRoute) -> Option<IpAddr> {
        let NextHopState::Reachable(hop) = &route.next_hop else { return None };
        let gateway = hop.hops.first().and_then(|hop| hop.gateway)?;
        let global = !dunlin_core::interfaces::is_link_local(gateway);
        (self.is_here(route) && global).then_some(gateway)
    }

    fn reflection(&self, route: &OutRoute) -> Option<Reflection> {
        let peer = route.source.peer.as_ref()?;
        let reflects = self.rules.peer == PeerKind::Internal && peer.internal;
        // The route has been in the cluster that it comes from and is to be in that of the
        // neighbours; both must know it again.
        let theirs = self.cluster.filter(|_| self.cluster != peer.cluster);
        let clusters = [theirs, peer.cluster];
        reflects.then_some(Reflection { originator: peer.router_id, clusters })
    }
}

/// The export filter has set the next hop.
fn is_marked(attrs: &Attrs) -> bool {
    attrs
        .bgp()
        .and_then(|bgp| bgp.raw(number::AS_PATH))
        .is_some_and(|(flags, _)| flags & flag::FILTER_SET != 0)
}

/// Whether an address can stand in an UPDATE at all.
fn is_announceable(hop: NextHop) -> bool {
    !hop.global.is_unspecified() || hop.link_local.is_some()
}

impl Encoder for BgpEncoder {
    fn key(&self) -> u64 {
        let mut hasher = hasher();
        self.hash(&mut hasher);
        hasher.finish()
    }

    fn attributes(&self, route: &OutRoute, block: &mut Vec<u8>) -> Result<Block, Unsendable> {
        let next_hop = self
            .next_hop(route)
            .filter(|hop| is_announceable(*hop))
            .ok_or(Unsendable::NoNextHop)?;
        let facts = Route {
            next_hop,
            reflection: self.reflection(route),
            keep_med: self.send_med || self.rules.peer != PeerKind::External,
        };
        encode_block(route.attrs.wire(), &self.rules, &facts, block)
            .map_err(|encode::TooLong| Unsendable::TooLong)?;
        // On the loopback network both sides may have the same address.
        let own = Some(next_hop.global).filter(|hop| !hop.is_loopback());
        Ok(Block { not_for: own })
    }

    fn announce(&self, block: &[u8], nets: Nets<'_>, out: &mut Vec<u8>) -> u32 {
        let most = self.rules.max_length;
        match nets {
            Nets::V4(nets) => encode::announce(block, nets.iter().copied(), most, out),
            Nets::V6(nets) => encode::announce(block, nets.iter().copied(), most, out),
        }
    }

    fn withdraw(&self, nets: Nets<'_>, out: &mut Vec<u8>) -> u32 {
        let most = self.rules.max_length;
        match nets {
            Nets::V4(nets) => encode::withdraw(nets.iter().copied(), most, out),
            Nets::V6(nets) => encode::withdraw(nets.iter().copied(), most, out),
        }
    }

    fn end_of_rib(&self, out: &mut Vec<u8>) {
        encode::end_of_rib(self.rules.family, out);
    }

    fn nets_of(&self, messages: &[u8], each: &mut dyn FnMut(Prefix)) {
        encode::prefixes_of(messages, each);
    }
}
