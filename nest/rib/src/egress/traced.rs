//! Lines of members whose routes are traced.

use core::sync::atomic::Ordering;

use dunlin_filter::Scratch;

use super::Egress;
use super::members::Member;
use crate::MemberId;
use crate::export::{Deciding, RouteView};
use crate::import::EncodedKey;
use crate::trace::{Became, Policy, RouteTrace, Told};

impl<K: EncodedKey> Egress<K> {
    /// Says what became of networks to the members that want to know.
    #[cold]
    pub(super) fn say(&mut self, told: &[Told]) {
        let mut scratch = Scratch::default();
        let mut wanted = false;
        for member in &self.members {
            let Some(trace) = &member.spec.trace else { continue };
            let flags = trace.flags();
            wanted |= flags != 0;
            for told in told.iter().filter(|_| flags != 0) {
                if told.token == 0 || self.is_told(member.id, told.token) {
                    say_to(member, trace, flags, told, &mut scratch);
                }
            }
        }
        if !wanted {
            self.count_traced();
        }
    }

    /// Whether a member waits under a token.
    fn is_told(&self, member: MemberId, token: u32) -> bool {
        self.lane(token).is_some_and(|at| self.lanes[at].members.contains(&member))
    }

    /// Takes back what no member wants any more. Who sets flags at the same time marks the group afterwards, or
    /// is seen here. A batch that a slice decides in between may go without lines.
    fn count_traced(&self) {
        let sharing = &self.spec.sharing;
        sharing.traced.store(0, Ordering::Relaxed);
        for trace in self.members.iter().filter_map(|member| member.spec.trace.as_ref()) {
            trace.mark(sharing);
        }
    }
}

fn say_to(member: &Member, trace: &RouteTrace, flags: u32, told: &Told, scratch: &mut Scratch) {
    let is_own = told.source() == member.spec.source;
    let became = match told.became {
        Became::Removed if is_own => return,
        // Whatever the group makes of it, the session that it is from does not get it.
        _ if is_own => Became::Refused,
        became => became,
    };
    if flags & became.flag() == 0 {
        return;
    }
    let (net, dest) = (told.net, told.route.next_hop.dest_of(&told.route.attrs));
    let why = if is_own { None } else { why(trace, told, scratch) };
    match why {
        Some(why) => trace.line(format_args!("< {became} {net} {dest} {why}")),
        None => trace.line(format_args!("< {became} {net} {dest}")),
    }
}

/// Which rule of the protocol, or which place of the configuration, has rejected a route.
fn why(trace: &RouteTrace, told: &Told, scratch: &mut Scratch) -> Option<String> {
    let Policy { policy, validated } = told.policy.as_ref()?;
    let view = RouteView {
        net: told.net,
        attrs: &told.route.attrs,
        source: &told.route.source,
        next_hop: &told.route.next_hop,
        changed: told.changed,
        validation: &**validated,
    };
    match policy.deciding(view) {
        Deciding::Rules(reason) => Some(format!("({reason})")),
        Deciding::Filter(filter, input) => {
            Some(format!("at {}", trace.decided(filter, scratch, &input)?))
        }
    }
}
