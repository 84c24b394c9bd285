//! What a speaker says.

use std::collections::BTreeMap;
use std::io::ErrorKind;

use dunlin_bgp::wire::attribute::{WELL_KNOWN, number, put};
use dunlin_bgp::wire::capability::Capabilities;
use dunlin_bgp::wire::encode::{self, EncodeRules, PeerKind, Route};
use dunlin_bgp::wire::next_hop::NextHop;
use dunlin_bgp::wire::refresh::Kind;
use dunlin_bgp::wire::{Carried, Family, MAX_LENGTH, Notification, Open, RouteRefresh};
use dunlin_net::{Prefix, Prefix4, Prefix6};
use dunlin_runtime::{Context, Time};

use super::{Announcement, Phase, SpeakerLoop};
use crate::model::Path;

impl SpeakerLoop {
    pub(super) fn open(&mut self) {
        let capabilities = Capabilities {
            present: true,
            families: [Family::IPV4, Family::IPV6].into_iter().collect(),
            route_refresh: true,
            as4: Some(self.spec.asn),
            ..Capabilities::default()
        };
        let id = self.spec.asn;
        let mut out = Vec::new();
        Open::new(self.spec.asn, self.spec.hold, id, capabilities).encode(&mut out);
        self.put(&out);
    }

    /// Queues bytes, unless there is nobody to send them to.
    pub(super) fn put(&mut self, bytes: &[u8]) {
        if !self.silent && !matches!(self.phase, Phase::Idle | Phase::Connecting) {
            self.out.extend_from_slice(bytes);
        }
    }

    /// Sends what it can of what is queued.
    pub(super) fn flush(&mut self, cx: &mut Context<'_>) {
        let mut broken = None;
        while self.taken < self.out.len() {
            match cx.write(self.socket, &self.out[self.taken..]) {
                Ok(count) => {
                    self.taken += count;
                    self.unblocked(cx.now());
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.blocked.get_or_insert(cx.now());
                    break;
                }
                Err(error) => {
                    broken = Some(error);
                    break;
                }
            }
        }
        if let Some(error) = broken {
            return self.lost(cx, &error.to_string());
        }
        if self.taken == self.out.len() {
            self.out.clear();
            self.taken = 0;
        }
        let unsent = self.out.len() - self.taken;
        self.note(|seen| seen.unsent = unsent);
        self.update_interest(cx);
    }

    fn unblocked(&mut self, now: Time) {
        if let Some(since) = self.blocked.take() {
            self.note(|seen| seen.worst_stall = seen.worst_stall.max(now.since(since)));
        }
    }

    pub(super) fn announce(&mut self, list: Vec<Announcement>, now: Time) {
        for (nets, path) in list {
            for net in &nets {
                self.table.insert(*net, path.clone());
            }
            if self.is_up() {
                let out = self.encode(&nets, &path);
                self.put(&out);
                if let (true, Some(last)) = (self.spec.clocks, path.last().copied()) {
                    self.note(|seen| {
                        seen.sent.insert(last, now);
                    });
                }
            }
        }
    }

    pub(super) fn withdraw(&mut self, nets: &[Prefix]) {
        for net in nets {
            self.table.remove(net);
        }
        if self.is_up() {
            let mut out = Vec::new();
            encode::withdraw(v4(nets), MAX_LENGTH, &mut out);
            encode::withdraw(v6(nets), MAX_LENGTH, &mut out);
            self.put(&out);
        }
    }

    /// Everything, and End-of-RIB.
    pub(super) fn put_table(&mut self) {
        let mut sets: BTreeMap<&Path, Vec<Prefix>> = BTreeMap::new();
        for (net, path) in &self.table {
            sets.entry(path).or_default().push(*net);
        }
        let mut out = Vec::new();
        for (path, nets) in sets {
            out.extend(self.encode(&nets, path));
        }
        for family in Carried::ALL {
            encode::end_of_rib(family, &mut out);
        }
        self.put(&out);
    }

    pub(super) fn ask_refresh(&mut self, family: Carried) {
        if self.is_up() {
            let mut out = Vec::new();
            RouteRefresh { family: family.family(), kind: Kind::Request }.encode(&mut out);
            self.put(&out);
        }
    }

    /// Says why, and closes.
    pub(super) fn refuse(&mut self, cx: &mut Context<'_>, why: Notification, text: &str) {
        let mut out = Vec::new();
        why.encode(&mut out);
        self.put(&out);
        self.flush(cx);
        if self.phase != Phase::Idle {
            self.lost(cx, text);
        }
    }

    fn encode(&self, nets: &[Prefix], path: &Path) -> Vec<u8> {
        let mut canonical = Vec::new();
        put(&mut canonical, WELL_KNOWN, number::ORIGIN, &[0]);
        let mut segment = vec![2, path.len() as u8];
        segment.extend(path.iter().flat_map(|asn| asn.to_be_bytes()));
        put(&mut canonical, WELL_KNOWN, number::AS_PATH, &segment);
        let mut out = Vec::new();
        for (family, next_hop) in
            [(Carried::Ipv4, self.spec.local), (Carried::Ipv6, self.spec.local6)]
        {
            let rules = EncodeRules {
                family,
                // The path is as it is to be.
                peer: PeerKind::RouteServerClient,
                local_as: self.spec.asn,
                as4: true,
                max_length: MAX_LENGTH,
                send_local_pref: false,
                customers_only: false,
                default_local_pref: 100,
            };
            let next_hop = NextHop::new(next_hop);
            let route = Route { next_hop, reflection: None, keep_med: false };
            let mut block = Vec::new();
            encode::encode_block(&canonical, &rules, &route, &mut block).expect("a short block");
            match family {
                Carried::Ipv4 => encode::announce(&block, v4(nets), MAX_LENGTH, &mut out),
                Carried::Ipv6 => encode::announce(&block, v6(nets), MAX_LENGTH, &mut out),
            };
        }
        out
    }
}

fn v4(nets: &[Prefix]) -> impl Iterator<Item = Prefix4> {
    nets.iter().filter_map(|net| match net {
        Prefix::V4(net) => Some(*net),
        Prefix::V6(_) => None,
    })
}

fn v6(nets: &[Prefix]) -> impl Iterator<Item = Prefix6> {
    nets.iter().filter_map(|net| match net {
        Prefix::V6(net) => Some(*net),
        Prefix::V4(_) => None,
    })
}
