//! Export policies of the tests, and what a model says that they do.

use std::sync::Arc;

use dunlin_attr::Attrs;
use dunlin_net::{Prefix, Prefix4};

use super::{Look, attrs, look_of};
use crate::SourceId;
use crate::export::{ExportPolicy, ExportVerdict, RouteView};
use dunlin_filter::Scratch;

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
        }
    }
}

/// A policy of a kind.
#[derive(Debug)]
pub(crate) struct TestPolicy(pub(crate) Kind);

impl TestPolicy {
    pub(crate) fn shared(kind: Kind) -> Arc<dyn ExportPolicy> {
        Arc::new(Self(kind))
    }
}

impl ExportPolicy for TestPolicy {
    fn key(&self) -> u64 {
        self.0.number()
    }

    fn ignores_net(&self) -> bool {
        !matches!(self.0, Kind::RejectNets(_))
    }

    fn evaluate(&self, _: &mut Scratch, route: RouteView<'_>) -> ExportVerdict {
        let Prefix::V4(net) = route.net else { return ExportVerdict::Refused };
        let look = look_of(route.attrs);
        match self.0.apply(net, route.source.id, look) {
            None if matches!(self.0, Kind::RefuseHops(_)) => ExportVerdict::Refused,
            None => ExportVerdict::Filtered,
            Some(same) if same == look => ExportVerdict::AsIs,
            Some(changed) => ExportVerdict::Changed(self.changed(changed)),
        }
    }
}

impl TestPolicy {
    fn changed(&self, look: Look) -> Arc<Attrs> {
        attrs(look)
    }
}
