//! What the tests of this crate share: seeded chance, routes, sources, policies, a model of tables.

mod model;
mod policy;

pub(crate) use model::{Model, ModelRoute};
pub(crate) use policy::{Kind, TestPolicy, filter};

use core::sync::atomic::{AtomicUsize, Ordering};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use dunlin_attr::{Attrs, AttrsBuilder, BgpNextHop, NextHop, Origin, Rts};
use dunlin_net::Prefix4;
use dunlin_net::as_path::AsPathBuf;

use crate::limits::{LimitKind, TooMany};
use crate::source::{ChannelEvents, SourceSpec};
use crate::{Peer, Source, SourceId, TableId};

/// Chance from a seed (splitmix64).
#[derive(Clone, Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    /// True once in `n`.
    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

/// Makes hashes, and so slices and orders, the same in every run. Called by whatever tests begin
/// with, since it must come before the first hash.
pub(crate) fn fix_hashes() {
    let seed = std::env::var("DUNLIN_HASH").ok().and_then(|text| text.parse().ok());
    // False but for the first call.
    dunlin_net::hash::seed(seed.unwrap_or(1));
}

/// Runs a test for many seeds (`DUNLIN_SEEDS` times as many if set), or for the one in
/// `DUNLIN_SEED`; says which one failed.
pub(crate) fn for_seeds(count: u64, test: impl Fn(u64) + std::panic::RefUnwindSafe) {
    fix_hashes();
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let count = count * number("DUNLIN_SEEDS").unwrap_or(1);
    let seeds = number("DUNLIN_SEED").map_or(0..count, |seed| seed..seed + 1);
    for seed in seeds {
        if let Err(panic) = std::panic::catch_unwind(|| test(seed)) {
            eprintln!("failed with DUNLIN_SEED={seed}");
            std::panic::resume_unwind(panic);
        }
    }
}

/// Counts what channels are told.
#[derive(Debug, Default)]
pub(crate) struct Events {
    pub(crate) receive: AtomicUsize,
    pub(crate) import: AtomicUsize,
    pub(crate) export: AtomicUsize,
    pub(crate) refused: AtomicUsize,
    pub(crate) errors: AtomicUsize,
    pub(crate) prints: AtomicUsize,
}

impl Events {
    pub(crate) fn limits(&self) -> (usize, usize, usize) {
        let load = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        (load(&self.receive), load(&self.import), load(&self.export))
    }
}

impl ChannelEvents for Events {
    fn limit_hit(&self, _: SourceId, kind: LimitKind) {
        let count = match kind {
            LimitKind::Receive => &self.receive,
            LimitKind::Import => &self.import,
            LimitKind::Export => &self.export,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }
    fn refused(&self, _: SourceId, _: TooMany) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }
    fn filter_error(&self, _: SourceId, _: &str) {
        self.errors.fetch_add(1, Ordering::Relaxed);
    }
    fn filter_print(&self, _: SourceId, _: &str) {
        self.prints.fetch_add(1, Ordering::Relaxed);
    }
}

pub(crate) fn address(n: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + n))
}

/// An external BGP peer's channel; its address and router id follow from `n`.
pub(crate) fn bgp_source(id: u32, n: u32, table: u16, events: &Arc<Events>) -> Source {
    let mut source = Source::new(SourceSpec {
        id: SourceId(id),
        table: TableId(table),
        protocol: format!("peer{n}").into(),
        kind: Rts::Bgp,
        events: Arc::clone(events) as Arc<dyn ChannelEvents>,
    });
    source.peer = Some(Peer {
        address: address(n),
        interface: None,
        router_id: n,
        asn: 64000 + n,
        local_asn: 65000,
        internal: false,
        cluster: None,
        rs_client: false,
    });
    source
}

/// What distinguishes test routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Look {
    pub(crate) local_pref: u32,
    pub(crate) hops: u8,
    pub(crate) med: u32,
}

/// A BGP set of a look.
pub(crate) fn attrs(look: Look) -> Arc<Attrs> {
    fix_hashes();
    let mut builder = AttrsBuilder::new(Rts::Bgp);
    builder.set_preference(100);
    builder.set_origin(Origin::Igp);
    let path: Vec<u32> = (0..look.hops).map(|hop| 65100 + u32::from(hop)).collect();
    builder.set_as_path(AsPathBuf::from_sequence(&path).view()).unwrap();
    builder.set_local_pref(Some(look.local_pref));
    builder.set_med(Some(look.med));
    builder.set_next_hop(NextHop::Bgp);
    builder.set_bgp_next_hop(Some(BgpNextHop::new(address(77))));
    builder.finish()
}

/// The look of a set.
pub(crate) fn look_of(attrs: &Attrs) -> Look {
    Look {
        local_pref: attrs.local_pref().unwrap_or(0),
        hops: attrs.path_hops() as u8,
        med: attrs.med().unwrap_or(0),
    }
}

/// The `n`th test network.
pub(crate) fn net(n: usize) -> Prefix4 {
    fix_hashes();
    // Each in a /16 of its own, so that they are spread over the slices.
    Prefix4::new((n as u32) << 16, 24).unwrap()
}
