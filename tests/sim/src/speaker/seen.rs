//! What a speaker writes down.

use core::time::Duration;
use std::collections::BTreeMap;

use dunlin_bgp::wire::Carried;
use dunlin_net::Prefix;
use dunlin_runtime::Time;

use crate::model::{Path, View};

/// The end of an established session.
#[derive(Clone, Debug)]
pub struct Loss {
    /// When.
    pub at: Time,
    /// Why.
    pub why: String,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The session is established.
    pub up: bool,
    /// How often it was.
    pub sessions: usize,
    /// Its ends.
    pub losses: Vec<Loss>,
    /// Attempts that came to nothing.
    pub attempts: usize,
    /// What the daemon has announced and not withdrawn.
    pub routes: View,
    /// When End-of-RIB came, by family.
    pub ends_of_rib: [Option<Time>; 2],
    /// What was there when it came.
    pub at_end_of_rib: View,
    /// UPDATEs in all sessions.
    pub updates: usize,
    /// When each version first came.
    pub versions: BTreeMap<u32, Time>,
    /// When each version of its own was sent.
    pub sent: BTreeMap<u32, Time>,
    /// What a daemon must not do.
    pub trouble: Vec<String>,
    /// The longest time in which nothing came while there was reading.
    pub worst_gap: Duration,
    /// The longest time in which nothing could be sent.
    pub worst_stall: Duration,
    /// Bytes that wait to be sent.
    pub unsent: usize,
    /// Bytes read.
    pub read: usize,
}

impl Seen {
    pub(super) fn begin(&mut self, _now: Time) {
        self.up = true;
        self.sessions += 1;
        self.routes.clear();
        self.ends_of_rib = [None; 2];
        self.at_end_of_rib.clear();
    }

    pub(super) fn end(&mut self, was_up: bool, loss: Loss) {
        self.up = false;
        self.routes.clear();
        self.unsent = 0;
        if was_up {
            self.losses.push(loss);
        } else {
            self.attempts += 1;
        }
    }

    /// Whether End-of-RIB has come for all families.
    pub fn is_fed(&self) -> bool {
        self.up && self.ends_of_rib.iter().all(Option::is_some)
    }

    pub(super) fn end_of_rib(&mut self, family: Carried, now: Time) {
        let (at, is_v4) = match family {
            Carried::Ipv4 => (0, true),
            Carried::Ipv6 => (1, false),
        };
        if self.ends_of_rib[at].is_some() {
            self.trouble.push(format!("a second End-of-RIB for {family}"));
        }
        self.ends_of_rib[at] = Some(now);
        let of = self.routes.iter().filter(|(net, _)| net.is_v4() == is_v4);
        self.at_end_of_rib.extend(of.map(|(net, path)| (*net, path.clone())));
    }

    /// A route comes. `own`: the speaker's AS.
    pub(super) fn announced(&mut self, net: Prefix, path: &Path, own: u32) {
        if path.contains(&own) {
            self.trouble.push(format!("{net} came back: {path:?}"));
        }
        let old = self.routes.insert(net, path.clone());
        // Versions of one source never go back: after encoding it is first in, first out.
        if let (Some(old), Some(new)) = (old.as_ref().and_then(version), version(path))
            && source(old) == source(new)
            && old > new
        {
            self.trouble.push(format!("{net} went back from version {old} to {new}"));
        }
    }
}

/// Made-up AS numbers at the end of paths: a mark, a running number, and the number of the speaker.
const MARK: u32 = 1 << 31;

/// The last AS of a path, which makes it unlike all others.
pub fn make_version(number: u32, speaker: usize) -> u32 {
    MARK | number << 10 | speaker as u32
}

fn version(path: &Path) -> Option<u32> {
    path.last().copied().filter(|last| last & MARK != 0)
}

fn source(version: u32) -> u32 {
    version & 0x3ff
}
