//! A table as plain maps: what must come out in the end.

use std::collections::{BTreeMap, BTreeSet};

use dunlin_net::Prefix4;

use super::{Kind, Look};
use crate::SourceId;

/// A route of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ModelRoute {
    pub(crate) source: SourceId,
    pub(crate) router_id: u32,
    pub(crate) path_id: u32,
    pub(crate) look: Look,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    pub(crate) nets: BTreeMap<Prefix4, Vec<ModelRoute>>,
    /// Sources whose import filter rejects everything.
    pub(crate) rejected: BTreeSet<SourceId>,
}

impl Model {
    pub(crate) fn announce(&mut self, net: Prefix4, route: ModelRoute) {
        let routes = self.nets.entry(net).or_default();
        let same = |other: &&mut ModelRoute| {
            other.source == route.source && other.path_id == route.path_id
        };
        match routes.iter_mut().find(same) {
            Some(place) => *place = route,
            None => routes.push(route),
        }
    }

    pub(crate) fn withdraw(&mut self, net: Prefix4, source: SourceId, path_id: u32) {
        if let Some(routes) = self.nets.get_mut(&net) {
            routes.retain(|route| route.source != source || route.path_id != path_id);
        }
        self.nets.retain(|_, routes| !routes.is_empty());
    }

    pub(crate) fn kill(&mut self, source: SourceId) {
        for routes in self.nets.values_mut() {
            routes.retain(|route| route.source != source);
        }
        self.nets.retain(|_, routes| !routes.is_empty());
    }

    /// The best route, if only one can be it.
    pub(crate) fn best(&self, net: Prefix4) -> Option<ModelRoute> {
        let rank = |route: &&ModelRoute| {
            let look = route.look;
            (core::cmp::Reverse(look.local_pref), look.hops, look.med, route.router_id)
        };
        let accepted = |route: &&ModelRoute| !self.rejected.contains(&route.source);
        self.nets.get(&net)?.iter().filter(accepted).min_by_key(rank).copied()
    }

    /// What a member of a group with this policy must have, but for its own source's routes.
    pub(crate) fn view(&self, policy: Kind, own: SourceId) -> BTreeMap<Prefix4, Look> {
        let seen = |net: &Prefix4| {
            let best = self.best(*net)?;
            let look = policy.apply(*net, best.source, best.look)?;
            (best.source != own).then_some((*net, look))
        };
        self.nets.keys().filter_map(seen).collect()
    }
}
