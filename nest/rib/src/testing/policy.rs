//! Export policies of the tests, and what a model says that they do.

use std::sync::Arc;

use dunlin_conf::{Span, Symbols, lexer};
use dunlin_filter::{
    ChannelFilter, Cohort, Parser, Program, RouteInput, Scratch, Silent, Symbol, Verdict,
    apply_for, parse_channel_filter,
};
use dunlin_net::{NetType, Network, Prefix4};

use super::{Look, attrs, look_of};
use crate::SourceId;
use crate::export::{Deciding, ExportPolicy, ExportVerdict, RouteView};

/// What a policy does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    AcceptAll,
    RejectAll,
    /// Rejects sources whose id leaves this remainder by three.
    RejectSources(u32),
    /// Sets the MED.
    SetMed(u32),
    /// Makes all routes of one local preference alike.
    Flatten,
    /// Rejects networks whose second octet leaves this remainder by three.
    RejectNets(u32),
    /// Refuses (before the filter) routes with this many hops.
    RefuseHops(u8),
    /// A filter that rejects routes with this MED. Others of the kind differ from it in a constant.
    RejectMed(u32),
    /// A filter that rejects networks below 0.32.0.0, and looks at them only if the MED is zero.
    RejectNetsWithoutMed,
}

impl Kind {
    /// What is sent of a route.
    pub(crate) fn apply(self, net: Prefix4, source: SourceId, look: Look) -> Option<Look> {
        match self {
            Self::AcceptAll => Some(look),
            Self::RejectAll => None,
            Self::RejectSources(n) => (source.0 % 3 != n).then_some(look),
            Self::SetMed(med) => Some(Look { med, ..look }),
            Self::Flatten => Some(Look { med: 0, hops: 1, ..look }),
            Self::RejectNets(n) => ((u32::from(net.addr()) >> 16) % 3 != n).then_some(look),
            Self::RefuseHops(hops) => (look.hops != hops).then_some(look),
            Self::RejectMed(med) => (look.med != med).then_some(look),
            Self::RejectNetsWithoutMed => {
                (look.med != 0 || u32::from(net.addr()) >> 16 >= 32).then_some(look)
            }
        }
    }

    fn number(self) -> u64 {
        match self {
            Self::AcceptAll => 1,
            Self::RejectAll => 2,
            Self::RejectSources(n) => 100 + u64::from(n),
            Self::SetMed(n) => 1 << 40 | u64::from(n),
            Self::Flatten => 3,
            Self::RejectNets(n) => 200 + u64::from(n),
            Self::RefuseHops(n) => 300 + u64::from(n),
            Self::RejectMed(n) => 2 << 40 | u64::from(n),
            Self::RejectNetsWithoutMed => 4,
        }
    }
}

/// A policy of a kind.
#[derive(Debug)]
pub(crate) struct TestPolicy {
    kind: Kind,
    /// For those that have one.
    filter: Option<ChannelFilter>,
}

/// The channel filter of a text, which may ask a table `roas`.
pub(crate) fn filter(text: &str) -> ChannelFilter {
    let mut parser = Parser::new(lexer::lex_text("test", text), Symbols::default());
    let table = Symbol::Table(NetType::Roa4, 0);
    parser.define("roas", Span::default(), table).expect("the only name");
    parse_channel_filter(&mut parser).expect("a filter")
}

impl TestPolicy {
    pub(crate) fn shared(kind: Kind) -> Arc<dyn ExportPolicy> {
        let text = match kind {
            Kind::RejectMed(med) => {
                Some(format!("filter {{ if bgp_med = {med} then reject; accept; }}"))
            }
            Kind::RejectNetsWithoutMed => Some(
                "filter { if bgp_med != 0 then accept; if net ~ [0.0.0.0/11+] then reject; accept; }"
                    .to_owned(),
            ),
            _ => None,
        };
        Arc::new(Self { kind, filter: text.map(|text| filter(&text)) })
    }

    fn run(
        &self,
        filter: &ChannelFilter,
        cohort: Option<&mut Cohort>,
        scratch: &mut Scratch,
        route: RouteView<'_>,
    ) -> ExportVerdict {
        let input = RouteInput {
            net: route.net,
            attrs: route.attrs,
            protocol: &route.source.protocol,
            from: None,
            hop: route.next_hop.for_filters(),
            interfaces: None,
            validation: Some(route.validation),
        };
        match apply_for(filter, cohort, scratch, &input, &mut Silent) {
            Verdict::Accept(None) => ExportVerdict::AsIs,
            Verdict::Accept(Some(changed)) => ExportVerdict::Changed(changed),
            Verdict::Reject | Verdict::Error(_) => ExportVerdict::Filtered,
        }
    }
}

impl ExportPolicy for TestPolicy {
    fn key(&self) -> u64 {
        self.kind.number()
    }

    fn ignores_net(&self) -> bool {
        !matches!(self.kind, Kind::RejectNets(_) | Kind::RejectNetsWithoutMed)
    }

    fn evaluate(&self, scratch: &mut Scratch, route: RouteView<'_>) -> ExportVerdict {
        if let Some(filter) = &self.filter {
            return self.run(filter, None, scratch, route);
        }
        let Network::V4(net) = route.net else { return ExportVerdict::Refused };
        let look = look_of(route.attrs);
        match self.kind.apply(net, route.source.id, look) {
            None if matches!(self.kind, Kind::RefuseHops(_)) => ExportVerdict::Refused,
            None => ExportVerdict::Filtered,
            Some(same) if same == look => ExportVerdict::AsIs,
            Some(changed) => ExportVerdict::Changed(attrs(changed)),
        }
    }

    fn is_remembered(&self) -> bool {
        self.filter.is_some()
    }

    fn filter(&self) -> Option<(u64, &Arc<Program>)> {
        match &self.filter {
            Some(ChannelFilter::Program(program)) => Some((0, program)),
            _ => None,
        }
    }

    fn evaluate_for(
        &self,
        cohort: &mut Cohort,
        scratch: &mut Scratch,
        route: RouteView<'_>,
    ) -> ExportVerdict {
        match &self.filter {
            Some(filter) => self.run(filter, Some(cohort), scratch, route),
            None => {
                cohort.part();
                self.evaluate(scratch, route)
            }
        }
    }

    fn deciding<'a>(&'a self, _: RouteView<'a>) -> Deciding<'a> {
        Deciding::Rules("a policy of tests")
    }
}
