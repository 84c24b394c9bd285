//! Through whom an AS may be reached: the providers of one table, and what a path may be by them
//! (draft-ietf-sidrops-aspa-verification, section 6).

use std::sync::Arc;

use dunlin_filter::Validity;
use dunlin_net::as_path::AsPath;
use smallvec::SmallVec;

use super::sorted::{Keyed, Sorted};

/// An AS and all that provide for it, in order; AS 0 alone if nobody does.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    customer: u32,
    providers: Arc<[u32]>,
}

impl Keyed for Entry {
    type Key = u32;

    fn key(&self) -> u32 {
        self.customer
    }
}

/// See the module. Copies share what is the same in both.
#[derive(Clone, Debug, Default)]
pub struct Providers {
    list: Sorted<Entry>,
}

/// What an AS says of another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hop {
    /// It says nothing at all.
    NoAttestation,
    /// It is one of its providers.
    Provider,
    /// It is not.
    NotProvider,
}

impl Providers {
    /// How many ASes say who provides for them.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes held, if no copy holds them too.
    pub fn memory(&self) -> usize {
        let lists = self.list.iter().map(|entry| 16 + size_of_val(&*entry.providers));
        self.list.memory() + lists.sum::<usize>()
    }

    /// Says who provides for an AS; false if that is known.
    pub fn insert(&mut self, customer: u32, providers: &[u32]) -> bool {
        let mut providers: Vec<u32> = providers.to_vec();
        providers.sort_unstable();
        providers.dedup();
        if self.list.find(customer).is_some_and(|old| *old.providers == *providers) {
            return false;
        }
        self.list.insert(Entry { customer, providers: providers.into() });
        true
    }

    /// Forgets what an AS has said; false if it has said nothing.
    pub fn remove(&mut self, customer: u32) -> bool {
        self.list.remove(customer).is_some()
    }

    /// Whether a route may have this path, which has no sets. `upstream`: it came from a customer or
    /// peer, or from a client of a route server; else from a provider.
    pub fn check(&self, path: AsPath<'_>, upstream: bool) -> Validity {
        // From the neighbour to the origin, each once.
        let mut path: SmallVec<[u32; 32]> = path.iter().collect();
        path.dedup();
        path.reverse();
        if upstream { self.upstream(&path) } else { self.downstream(&path) }
    }

    fn hop(&self, customer: u32, provider: u32) -> Hop {
        match self.list.find(customer) {
            None => Hop::NoAttestation,
            Some(entry) if entry.providers.binary_search(&provider).is_ok() => Hop::Provider,
            Some(_) => Hop::NotProvider,
        }
    }

    /// From the origin on, each has to be a customer of the next.
    fn upstream(&self, path: &[u32]) -> Validity {
        let [most, least] = self.ramps(path.windows(2).map(|pair| (pair[0], pair[1])));
        judge(path.len(), most, least)
    }

    /// Up from the origin, at most once across, then down to us.
    fn downstream(&self, path: &[u32]) -> Validity {
        let up = self.ramps(path.windows(2).map(|pair| (pair[0], pair[1])));
        let down = self.ramps(path.windows(2).rev().map(|pair| (pair[1], pair[0])));
        judge(path.len(), up[0] + down[0], up[1] + down[1])
    }

    /// How many ASes from an end on are each the customer of the next: as far as nothing speaks against
    /// it, and as far as all say so.
    fn ramps(&self, pairs: impl Iterator<Item = (u32, u32)>) -> [usize; 2] {
        let (mut most, mut least, mut all_say_so) = (1, 1, true);
        for (customer, provider) in pairs {
            let hop = self.hop(customer, provider);
            if hop == Hop::NotProvider {
                break;
            }
            all_say_so &= hop == Hop::Provider;
            most += 1;
            least += usize::from(all_say_so);
        }
        [most, least]
    }
}

/// `most` and `least`: how much of the path is on its ramps.
fn judge(len: usize, most: usize, least: usize) -> Validity {
    if most < len {
        Validity::Invalid
    } else if least < len {
        Validity::Unknown
    } else {
        Validity::Valid
    }
}

#[cfg(test)]
mod tests {
    use super::Providers;
    use dunlin_filter::Validity::{Invalid, Unknown, Valid};
    use dunlin_net::as_path::AsPathBuf;

    /// 10 is provided for by 20 and 21, 20 by 30; 30 and 31 by nobody; 40 by 31.
    fn providers() -> Providers {
        let mut providers = Providers::default();
        assert!(providers.insert(10, &[21, 20, 20]));
        assert!(providers.insert(20, &[30]));
        assert!(providers.insert(30, &[0]));
        assert!(providers.insert(31, &[0]));
        assert!(providers.insert(40, &[31]));
        providers
    }

    #[test]
    fn paths_go_up_across_and_down() {
        let providers = providers();
        for (path, upstream, downstream) in [
            // The neighbour first, the origin last.
            ("10", Valid, Valid),
            ("20 10", Valid, Valid),
            ("30 20 10", Valid, Valid),
            ("30 30 20 10 10 10", Valid, Valid),
            // Across, and down on the other side.
            ("31 30 20 10", Invalid, Valid),
            ("40 31 30 20 10", Invalid, Valid),
            // A valley: down to a customer and up again.
            ("30 20 10 21", Unknown, Unknown),
            ("31 10 20", Invalid, Invalid),
            ("20 10 20", Invalid, Invalid),
            ("21 10 20 30", Invalid, Unknown),
            // Two that are not each other's providers, twice.
            ("40 30 31 20", Invalid, Invalid),
            // Nobody knows anything of 50.
            ("50 10", Invalid, Valid),
            ("20 50", Unknown, Valid),
            ("30 20 50", Unknown, Unknown),
            ("60 50 10", Invalid, Unknown),
        ] {
            let buffer: AsPathBuf = path.parse().unwrap();
            let found =
                (providers.check(buffer.view(), true), providers.check(buffer.view(), false));
            assert_eq!(found, (upstream, downstream), "{path}");
        }
    }

    #[test]
    fn what_is_said_again_is_no_news() {
        let mut providers = providers();
        assert!(!providers.insert(10, &[20, 21]));
        assert!(providers.insert(10, &[20]));
        assert_eq!(providers.len(), 5);
        assert!(providers.remove(10));
        assert!(!providers.remove(10));
        assert!(providers.memory() > 0 && !providers.is_empty());
    }
}
