//! The grammars, one protocol a module.

mod aggregator;
mod babel;
mod bfd;
mod bmp;
mod bridge;
mod evpn;
mod l3vpn;
mod mrt;
mod ospf;
mod radv;
mod rip;
mod rpki;
mod target;

use crate::grammar::Grammar;

/// All of them.
pub(crate) static ALL: [&Grammar; 12] = [
    &aggregator::GRAMMAR,
    &babel::GRAMMAR,
    &bfd::GRAMMAR,
    &bmp::GRAMMAR,
    &bridge::GRAMMAR,
    &evpn::GRAMMAR,
    &l3vpn::GRAMMAR,
    &mrt::GRAMMAR,
    &ospf::GRAMMAR,
    &radv::GRAMMAR,
    &rip::GRAMMAR,
    &rpki::GRAMMAR,
];
