//! What everybody must know in the end, worked out without Dunlin's code.
//!
//! The shortest path wins; routes are made so that no two of one network have paths of the same
//! length where they compete. A static route beats all. Nobody is told of their own route.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dunlin_net::Prefix;

use crate::nets;

/// An AS path.
pub type Path = Arc<[u32]>;

/// Networks with the paths by which somebody knows them.
pub type View = BTreeMap<Prefix, Path>;

/// What a daemon sends to a speaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Policy {
    /// Everything.
    #[default]
    All,
    /// What [`nets::is_short`] isn't true of.
    Long,
}

impl Policy {
    /// The export clause of the configuration.
    pub fn clause(self) -> &'static str {
        match self {
            Self::All => "export all;",
            Self::Long => "export where net.len != 22 && net.len != 44;",
        }
    }

    fn passes(self, net: Prefix) -> bool {
        self == Self::All || !nets::is_short(net)
    }
}

/// A speaker as the model knows it.
#[derive(Clone, Debug)]
pub struct Neighbor {
    /// Index of its daemon.
    pub daemon: usize,
    /// It gets paths as they are.
    pub transparent: bool,
    /// What it gets.
    pub policy: Policy,
    /// Its routes count.
    pub up: bool,
}

/// Where a daemon has a route from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum From {
    /// A static route of this daemon.
    Static(usize),
    /// A speaker.
    Speaker(usize),
    /// Another daemon.
    Link(usize),
}

/// A daemon's best route of a network.
#[derive(Clone, Debug)]
pub struct Best {
    /// Where from.
    pub from: From,
    /// The path in the table.
    pub path: Path,
    /// The path as it is sent.
    pub sent: Path,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Model {
    /// AS numbers of the daemons; the lower its index, the lower a daemon's router id.
    pub daemons: Vec<u32>,
    /// Pairs of daemons whose session is up, the lower index first.
    pub links: BTreeSet<(usize, usize)>,
    /// All speakers.
    pub speakers: Vec<Neighbor>,
    /// What the only daemon's import filters put in front of paths.
    pub mark: Option<u32>,
    /// All routes that anybody brings.
    routes: BTreeMap<Prefix, BTreeMap<From, Path>>,
}

impl Model {
    /// A speaker announces.
    ///
    /// # Panics
    /// If another speaker of the same daemon has a route as good.
    pub fn announce(&mut self, speaker: usize, net: Prefix, path: &Path) {
        let daemon = self.speakers[speaker].daemon;
        let routes = self.routes.entry(net).or_default();
        routes.insert(From::Speaker(speaker), Arc::clone(path));
        let same = |(from, other): (&From, &Path)| match from {
            From::Speaker(index) => {
                *index != speaker
                    && self.speakers[*index].daemon == daemon
                    && other.len() == path.len()
            }
            From::Static(_) | From::Link(_) => false,
        };
        assert!(!routes.iter().any(same), "the test's routes for {net} are ambiguous");
    }

    /// A speaker withdraws.
    pub fn withdraw(&mut self, speaker: usize, net: Prefix) {
        if let Some(routes) = self.routes.get_mut(&net) {
            routes.remove(&From::Speaker(speaker));
        }
    }

    /// A daemon has a static route.
    pub fn static_route(&mut self, daemon: usize, net: Prefix) {
        self.routes.entry(net).or_default().insert(From::Static(daemon), Arc::new([]));
    }

    /// What a speaker announces now.
    pub fn announced(&self, speaker: usize) -> View {
        let of = |(net, routes): (&Prefix, &BTreeMap<From, Path>)| {
            Some((*net, Arc::clone(routes.get(&From::Speaker(speaker))?)))
        };
        self.routes.iter().filter_map(of).collect()
    }

    /// The best of what speakers and static routes bring to a daemon itself.
    fn own(&self, daemon: usize, routes: &BTreeMap<From, Path>) -> Option<(From, Path)> {
        let here = |from: &From| match from {
            From::Static(index) => *index == daemon,
            From::Speaker(index) => {
                let speaker = &self.speakers[*index];
                speaker.up && speaker.daemon == daemon
            }
            From::Link(_) => false,
        };
        let candidates = routes.iter().filter(|(from, _)| here(from));
        let best = candidates.min_by_key(|(from, path)| (rank(**from), path.len()));
        best.map(|(from, path)| (*from, Arc::clone(path)))
    }

    /// Best routes of one network at all daemons: each hears from its neighbours until nothing
    /// changes. Paths get longer with each daemon, so that comes to an end.
    fn settle(&self, routes: &BTreeMap<From, Path>) -> Vec<Option<(From, Path)>> {
        let daemons = 0..self.daemons.len();
        let own: Vec<_> = daemons.clone().map(|daemon| self.own(daemon, routes)).collect();
        let mut best = own.clone();
        loop {
            let choose = |daemon: usize| {
                let heard =
                    self.heard(daemon, &best).map(|(other, path)| (From::Link(other), path));
                let key = |(from, path): &(From, Path)| (rank(*from), path.len(), *from);
                own[daemon].clone().into_iter().chain(heard).min_by_key(key)
            };
            let next: Vec<_> = daemons.clone().map(choose).collect();
            if next == best {
                return best;
            }
            best = next;
        }
    }

    /// What other daemons tell a daemon of a network: their best routes, but for those that they
    /// have from it. What has been here before is refused.
    fn heard<'a>(
        &'a self,
        daemon: usize,
        best: &'a [Option<(From, Path)>],
    ) -> impl Iterator<Item = (usize, Path)> + 'a {
        let linked = move |other: &usize| {
            self.links.contains(&(daemon.min(*other), daemon.max(*other))) && *other != daemon
        };
        (0..self.daemons.len()).filter(linked).filter_map(move |other| {
            let (from, path) = best[other].as_ref()?;
            let path = prepend(self.daemons[other], path);
            (*from != From::Link(daemon) && !path.contains(&self.daemons[daemon]))
                .then_some((other, path))
        })
    }

    /// How many routes a daemon's tables hold.
    pub fn routes(&self, daemon: usize) -> usize {
        let of = |routes: &BTreeMap<From, Path>| {
            let here = routes.keys().filter(|from| match from {
                From::Static(index) => *index == daemon,
                From::Speaker(index) => {
                    self.speakers[*index].up && self.speakers[*index].daemon == daemon
                }
                From::Link(_) => false,
            });
            here.count() + self.heard(daemon, &self.settle(routes)).count()
        };
        self.routes.values().map(of).sum()
    }

    /// A daemon's best routes.
    pub fn best(&self, daemon: usize) -> BTreeMap<Prefix, Best> {
        let asn = self.daemons[daemon];
        self.routes
            .iter()
            .filter_map(|(net, routes)| {
                let (from, mut path) = self.settle(routes)[daemon].clone()?;
                if let (Some(mark), From::Speaker(_)) = (self.mark, from) {
                    path = prepend(mark, &path);
                }
                let sent = prepend(asn, &path);
                Some((*net, Best { from, path, sent }))
            })
            .collect()
    }

    /// What a speaker must have, given its daemon's best routes.
    pub fn view<'a>(
        &self,
        speaker: usize,
        best: &'a BTreeMap<Prefix, Best>,
    ) -> impl Iterator<Item = (Prefix, &'a Path)> + use<'a> {
        let Neighbor { transparent, policy, .. } = self.speakers[speaker];
        best.iter()
            .filter(move |(net, best)| best.from != From::Speaker(speaker) && policy.passes(**net))
            .map(move |(net, best)| (*net, if transparent { &best.path } else { &best.sent }))
    }
}

/// A static route goes before others.
fn rank(from: From) -> u8 {
    match from {
        From::Static(_) => 0,
        From::Speaker(_) | From::Link(_) => 1,
    }
}

fn prepend(asn: u32, path: &Path) -> Path {
    core::iter::once(asn).chain(path.iter().copied()).collect()
}
