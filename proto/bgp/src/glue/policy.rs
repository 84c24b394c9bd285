//! What a session exports: the rules of BGP, then the channel's filter.

use core::hash::{Hash, Hasher};
use std::sync::Arc;

use dunlin_attr::Attrs;
use dunlin_core::log::{Log, LogClass};
use dunlin_filter::{
    ChannelFilter, Cohort, Program, ResolvedHop, Scratch, Seen, Sink, Verdict, apply_for,
};
use dunlin_net::community::Community;
use dunlin_net::hash::hasher;
use dunlin_rib::export::{Deciding, ExportPolicy, ExportVerdict, RouteView};
use dunlin_rib::nexthop::NextHopState;
use dunlin_runtime::Time;

use crate::config::BgpConfig;
use crate::wire::attribute::{OPTIONAL_LOCAL, WELL_KNOWN, flag, number};
use crate::wire::capability::Role;

/// Well-known communities (RFC 1997).
const NO_EXPORT: u32 = 0xffff_ff01;
const NO_ADVERTISE: u32 = 0xffff_ff02;
const NO_EXPORT_SUBCONFED: u32 = 0xffff_ff03;

/// What a session exports on one channel.
pub(crate) struct BgpPolicy {
    rules: Rules,
    filter: ChannelFilter,
    /// What holds for older routes, by age.
    former: Vec<Former>,
    /// Where what the filter prints goes. Not part of the key: equal policies share one run.
    log: Log,
}

/// A filter that still holds for the routes that were there when it was replaced softly.
#[derive(Clone, Debug)]
pub(crate) struct Former {
    /// Routes that have not changed since then.
    pub(crate) until: Time,
    pub(crate) filter: ChannelFilter,
}

/// The part of a session's configuration that decides before the filter does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Rules {
    internal: bool,
    rr_client: bool,
    interpret_communities: bool,
    /// The neighbour is no customer of ours: what only customers may get stays here (RFC 9234).
    above: bool,
    /// What the filter has said stays when ROA or ASPA tables change that it asks.
    keeps_verdicts: bool,
    /// Sets this policy apart from all others; an export limit counts one session's routes.
    apart: Option<u32>,
}

impl Rules {
    /// The rules of a session. `apart`: it shares its policy with nobody.
    pub(crate) fn new(bgp: &BgpConfig, internal: bool, apart: Option<u32>) -> Self {
        Self {
            internal,
            rr_client: bgp.rr_client,
            interpret_communities: bgp.interpret_communities,
            above: bgp.role.is_some_and(Role::takes_for_customers),
            keeps_verdicts: false,
            apart,
        }
    }

    /// Why the route may not be sent at all, if it may not.
    fn refusal(&self, route: &RouteView<'_>) -> Option<&'static str> {
        if self.apart == Some(route.source.id.0) {
            return Some("it came from there");
        }
        if self.internal
            && let Some(peer) = &route.source.peer
            && peer.internal
            && !(peer.cluster.is_some() || self.rr_client)
        {
            return Some(
                "it came from inside, and neither side is a client of the route reflector",
            );
        }
        if self.above && route.attrs.bgp().is_some_and(|bgp| bgp.raw(number::OTC).is_some()) {
            return Some("it is for customers only (bgp_otc), and the neighbour is none");
        }
        (self.interpret_communities && !self.communities_allow(route.attrs))
            .then_some("it has a well-known community that keeps it here")
    }

    fn communities_allow(&self, attrs: &Attrs) -> bool {
        let Some(bgp) = attrs.bgp() else { return true };
        !bgp.communities().iter().any(|Community(community)| match community {
            NO_ADVERTISE => true,
            NO_EXPORT | NO_EXPORT_SUBCONFED => !self.internal,
            _ => false,
        })
    }
}

impl BgpPolicy {
    pub(crate) fn new(rules: Rules, filter: ChannelFilter, log: Log) -> Self {
        Self { rules, filter, former: Vec::new(), log }
    }

    /// As [`new`](Self::new), but older routes go by former filters, the oldest first.
    pub(crate) fn with_former(mut self, former: Vec<Former>) -> Self {
        self.former = former;
        self
    }

    /// As [`new`](Self::new); `on`: the filter runs again when ROA or ASPA tables change that it asks.
    pub(crate) fn with_rpki_reload(mut self, on: bool) -> Self {
        self.rules.keeps_verdicts = !on && self.filter.reads_snapshot();
        self
    }

    /// The filter that holds for a route.
    fn filter_of(&self, changed: Time) -> &ChannelFilter {
        // Whatever may have changed since counts as new.
        let latest = changed + RouteView::PRECISION;
        let former = self.former.iter().find(|former| latest <= former.until);
        former.map_or(&self.filter, |former| &former.filter)
    }

    /// Whether nothing passes, whatever it is.
    pub(crate) fn rejects_all(&self) -> bool {
        self.filter.is_reject_all() && self.former.is_empty()
    }
}

/// What filters print goes to the log.
struct ToLog<'a>(&'a Log);

impl Sink for ToLog<'_> {
    fn line(&mut self, text: &str) {
        self.0.write(LogClass::Info, format_args!("{text}"));
    }

    fn wants_lines(&self) -> bool {
        self.0.wants(LogClass::Info)
    }
}

impl ExportPolicy for BgpPolicy {
    fn key(&self) -> u64 {
        let mut hasher = hasher();
        self.rules.hash(&mut hasher);
        self.filter.fingerprint().hash(&mut hasher);
        for former in &self.former {
            (former.until.as_nanos(), former.filter.fingerprint()).hash(&mut hasher);
        }
        hasher.finish()
    }

    fn ignores_net(&self) -> bool {
        let prints = matches!(&self.filter, ChannelFilter::Program(program) if program.prints());
        // How old a route is differs between networks.
        !self.filter.reads_prefix() && !prints && self.former.is_empty()
    }

    fn evaluate(&self, scratch: &mut Scratch, route: RouteView<'_>) -> ExportVerdict {
        self.decide(None, scratch, &route)
    }

    fn is_remembered(&self) -> bool {
        matches!(&self.filter, ChannelFilter::Program(_)) && self.former.is_empty()
    }

    fn rechecks(&self, table: &str) -> bool {
        let former = || self.former.iter().any(|former| former.filter.asks(table));
        !self.rules.keeps_verdicts && (self.filter.asks(table) || former())
    }

    fn filter(&self) -> Option<(u64, &Arc<Program>)> {
        match &self.filter {
            ChannelFilter::Program(program) if self.former.is_empty() => {
                let mut hasher = hasher();
                self.rules.hash(&mut hasher);
                Some((hasher.finish(), program))
            }
            _ => None,
        }
    }

    fn evaluate_for(
        &self,
        cohort: &mut Cohort,
        scratch: &mut Scratch,
        route: RouteView<'_>,
    ) -> ExportVerdict {
        self.decide(Some(cohort), scratch, &route)
    }

    fn deciding<'a>(&'a self, route: RouteView<'a>) -> Deciding<'a> {
        match self.rules.refusal(&route) {
            Some(why) => Deciding::Rules(why),
            None => {
                let input = route.input(resolved(route.next_hop));
                Deciding::Filter(self.filter_of(route.changed), input)
            }
        }
    }
}

impl BgpPolicy {
    /// The verdict, for a cohort of policies with the same rules too.
    fn decide(
        &self,
        cohort: Option<&mut Cohort>,
        scratch: &mut Scratch,
        route: &RouteView<'_>,
    ) -> ExportVerdict {
        if self.rules.refusal(route).is_some() {
            return ExportVerdict::Refused;
        }
        let input = route.input(resolved(route.next_hop));
        let (filter, mut log) = (self.filter_of(route.changed), ToLog(&self.log));
        match apply_for(filter, cohort, scratch, &input, &mut log) {
            Verdict::Accept(changed) => {
                let set = if self.rules.internal { Seen::default() } else { scratch.seen() };
                match (marked(changed.as_ref().unwrap_or(route.attrs), set), changed) {
                    (Some(new), _) | (None, Some(new)) => ExportVerdict::Changed(new),
                    (None, None) => ExportVerdict::AsIs,
                }
            }
            Verdict::Reject => ExportVerdict::Filtered,
            Verdict::Error(error) => {
                scratch.report(&error, &self.log);
                ExportVerdict::Filtered
            }
        }
    }
}

fn resolved(state: &NextHopState) -> ResolvedHop {
    match state {
        NextHopState::Reachable(hop) => {
            let first = hop.hops.first();
            ResolvedHop {
                gateway: first.and_then(|hop| hop.gateway),
                interface: first.and_then(|hop| hop.iface),
                igp_metric: Some(hop.igp_metric),
                unreachable: false,
            }
        }
        NextHopState::Pending | NextHopState::Unreachable => {
            ResolvedHop { unreachable: true, ..ResolvedHop::default() }
        }
    }
}

/// Marks what an external neighbour is only told because this filter has set it, if there is any. The value
/// may be the one that was there.
fn marked(attrs: &Arc<Attrs>, set: Seen) -> Option<Arc<Attrs>> {
    if !(set.sets_med() || set.sets_next_hop()) {
        return None;
    }
    let mut builder = attrs.edit();
    let mut mark = |kind: u8, flags: u8| {
        let value = attrs.bgp().and_then(|bgp| bgp.raw(kind)).map(|(_, value)| value);
        // It was there a moment ago, so it isn't too long.
        let _ = builder.set_raw(kind, Some(flags | flag::FILTER_SET), value.unwrap_or_default());
    };
    if set.sets_med() && attrs.med().is_some() {
        mark(number::MED, OPTIONAL_LOCAL);
    }
    if set.sets_next_hop() && attrs.bgp().is_some_and(|bgp| bgp.next_hop().is_some()) {
        mark(number::AS_PATH, WELL_KNOWN);
    }
    Some(builder.finish())
}
