//! Who may announce what: the origins of one table, and RFC 6811's question to them.

use dunlin_filter::Validity;
use dunlin_net::{Prefix, Roa, RoaAddress};

use super::sorted::{Keyed, Place, Sorted};

/// The prefix is inside no other one.
const NOWHERE: u8 = u8::MAX;

/// A ROA, and how long the longest prefix of the table is that its own is inside of and that is not
/// its own. So whatever covers a prefix is found from the last entry before it, from one to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry<A> {
    addr: A,
    len: u8,
    max_len: u8,
    above: u8,
    asn: u32,
}

impl<A: RoaAddress> Keyed for Entry<A> {
    type Key = (A, u8, u8, u32);

    fn key(&self) -> Self::Key {
        (self.addr, self.len, self.max_len, self.asn)
    }
}

/// See the module. Copies share what is the same in both.
#[derive(Clone, Debug)]
pub struct Origins<A: RoaAddress> {
    list: Sorted<Entry<A>>,
}

impl<A: RoaAddress> Default for Origins<A> {
    fn default() -> Self {
        Self { list: Sorted::default() }
    }
}

impl<A: RoaAddress> Origins<A> {
    /// How many ROAs.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes held, if no copy holds them too.
    pub fn memory(&self) -> usize {
        self.list.memory()
    }

    /// Adds a ROA; false if it is there.
    pub fn insert(&mut self, roa: Roa<A>) -> bool {
        let (addr, len, max_len, asn) = (roa.addr(), roa.len(), roa.max_len(), roa.asn());
        if self.list.find((addr, len, max_len, asn)).is_some() {
            return false;
        }
        let above = match self.of_prefix(addr, len) {
            Some(other) => other.above,
            None => {
                let above = self.above(addr, len);
                self.relink(addr, len, (above, len));
                above
            }
        };
        self.list.insert(Entry { addr, len, max_len, above, asn });
        true
    }

    /// Removes a ROA; false if it is not there.
    pub fn remove(&mut self, roa: Roa<A>) -> bool {
        let key = (roa.addr(), roa.len(), roa.max_len(), roa.asn());
        let Some(gone) = self.list.remove(key) else { return false };
        if self.of_prefix(gone.addr, gone.len).is_none() {
            self.relink(gone.addr, gone.len, (gone.len, gone.above));
        }
        true
    }

    /// Whether an AS may announce a prefix. No AS may by a ROA of AS 0 (RFC 6483, section 4).
    pub fn check(&self, prefix: Prefix, asn: u32) -> Validity {
        let Some(addr) = A::of(prefix) else { return Validity::Unknown };
        let len = prefix.len();
        let mut covered = false;
        let mut at = self.last(addr, len);
        while let Some(mut place) = at
            && let Some(last) = self.list.get(place).copied()
        {
            if covers(&last, addr, len) {
                covered = true;
                // Those of the same prefix are before this one.
                let mut entry = last;
                while (entry.addr, entry.len) == (last.addr, last.len) {
                    if entry.asn == asn && asn != 0 && len <= entry.max_len {
                        return Validity::Valid;
                    }
                    let Some(before) = self.list.before(place) else { break };
                    let Some(other) = self.list.get(before) else { break };
                    (place, entry) = (before, *other);
                }
            }
            at = self.up(&last);
        }
        if covered { Validity::Invalid } else { Validity::Unknown }
    }

    /// The last ROA of this prefix, or of the last prefix before it.
    fn last(&self, addr: A, len: u8) -> Option<Place> {
        self.list.last_where(|(other, other_len, ..)| (*other, *other_len) <= (addr, len))
    }

    /// A ROA of this very prefix.
    fn of_prefix(&self, addr: A, len: u8) -> Option<Entry<A>> {
        let found = *self.list.get(self.last(addr, len)?)?;
        ((found.addr, found.len) == (addr, len)).then_some(found)
    }

    /// The last ROA of the next shorter prefix around that of this one.
    fn up(&self, entry: &Entry<A>) -> Option<Place> {
        if entry.above == NOWHERE {
            return None;
        }
        self.last(entry.addr.masked(entry.above), entry.above)
    }

    /// The length of the longest prefix around this one, which has no ROA itself.
    fn above(&self, addr: A, len: u8) -> u8 {
        let mut at = self.last(addr, len);
        while let Some(entry) = at.and_then(|place| self.list.get(place)) {
            if covers(entry, addr, len) {
                return entry.len;
            }
            at = self.up(entry);
        }
        NOWHERE
    }

    /// A prefix has come or gone: those right inside of it are inside of another one now.
    fn relink(&mut self, addr: A, len: u8, (from, to): (u8, u8)) {
        self.list.change(
            |(other, other_len, ..)| (*other, *other_len) <= (addr, len),
            |(other, ..)| other.masked(len) == addr,
            |entry| (entry.above == from).then_some(Entry { above: to, ..*entry }),
        );
    }
}

fn covers<A: RoaAddress>(entry: &Entry<A>, addr: A, len: u8) -> bool {
    entry.len <= len && addr.masked(entry.len) == entry.addr
}

#[cfg(test)]
mod tests {
    use super::{Entry, Origins};
    use crate::testing::{Rng, for_seeds};
    use dunlin_filter::Validity::{self, Invalid, Unknown, Valid};
    use dunlin_net::{Prefix, Roa, RoaAddress};

    fn roa<A: RoaAddress>(prefix: &str, max: u8, asn: u32) -> Roa<A> {
        Roa::new(prefix.parse().unwrap(), max, asn).unwrap()
    }

    fn origins<A: RoaAddress>(list: &[(&str, u8, u32)]) -> Origins<A> {
        let mut origins = Origins::default();
        for (prefix, max, asn) in list {
            assert!(origins.insert(roa(prefix, *max, *asn)));
        }
        origins
    }

    fn check<A: RoaAddress>(origins: &Origins<A>, cases: &[(&str, u32, Validity)]) {
        for (prefix, asn, expected) in cases {
            let found = origins.check(prefix.parse().unwrap(), *asn);
            assert_eq!(found, *expected, "{prefix} from {asn}");
        }
    }

    #[test]
    fn the_cases_of_rfc_6811() {
        let origins: Origins<u32> = origins(&[
            ("10.0.0.0/8", 16, 65000),
            ("10.1.0.0/16", 16, 65001),
            ("10.1.0.0/16", 24, 65002),
            ("10.2.0.0/16", 16, 0),
            ("192.0.2.0/24", 24, 65003),
        ]);
        check(
            &origins,
            &[
                // Matched, too long, by another AS.
                ("10.0.0.0/8", 65000, Valid),
                ("10.9.0.0/16", 65000, Valid),
                ("10.9.0.0/17", 65000, Invalid),
                ("10.9.0.0/16", 65001, Invalid),
                // Several: one that matches is enough, of whichever length.
                ("10.1.0.0/16", 65000, Valid),
                ("10.1.0.0/16", 65001, Valid),
                ("10.1.5.0/24", 65001, Invalid),
                ("10.1.5.0/24", 65002, Valid),
                // AS 0 covers and never matches.
                ("10.2.0.0/16", 0, Invalid),
                ("10.2.0.0/16", 65000, Valid),
                ("10.2.0.0/24", 65000, Invalid),
                // Not covered, also by what is inside of it.
                ("0.0.0.0/0", 65000, Unknown),
                ("192.0.0.0/16", 65003, Unknown),
                ("192.0.3.0/24", 65003, Unknown),
                ("192.0.2.0/24", 65003, Valid),
                ("192.0.2.1/32", 65003, Invalid),
                ("2001:db8::/32", 65003, Unknown),
            ],
        );
        assert_eq!(Origins::<u32>::default().check("10.0.0.0/8".parse().unwrap(), 1), Unknown);
    }

    #[test]
    fn ipv6_and_everything() {
        let origins: Origins<[u8; 16]> =
            origins(&[("::/0", 0, 0), ("2001:db8::/32", 48, 65000), ("2001:db8::1/128", 128, 7)]);
        check(
            &origins,
            &[
                ("2001:db8:5::/48", 65000, Valid),
                ("2001:db8::1/128", 7, Valid),
                ("2001:db8::1/128", 65000, Invalid),
                ("2001:db9::/32", 65000, Invalid),
                ("10.0.0.0/8", 65000, Unknown),
            ],
        );
    }

    #[test]
    fn what_has_gone_covers_nothing() {
        let mut origins: Origins<u32> =
            origins(&[("10.0.0.0/8", 8, 1), ("10.1.0.0/16", 16, 2), ("10.1.2.0/24", 24, 3)]);
        assert!(!origins.insert(roa("10.1.0.0/16", 16, 2)));
        assert!(origins.remove(roa("10.1.0.0/16", 16, 2)));
        assert!(!origins.remove(roa("10.1.0.0/16", 16, 2)));
        check(&origins, &[("10.1.2.0/24", 3, Valid), ("10.1.3.0/24", 2, Invalid)]);
        assert!(origins.remove(roa("10.0.0.0/8", 8, 1)));
        check(&origins, &[("10.1.2.0/24", 3, Valid), ("10.1.3.0/24", 2, Unknown)]);
    }

    /// By RFC 6811's definition.
    fn by_definition(all: &[Roa<u32>], prefix: Prefix, asn: u32) -> Validity {
        let mut covering = all.iter().filter(|roa| roa.prefix().contains(prefix)).peekable();
        if covering.peek().is_none() {
            return Unknown;
        }
        let matches =
            |roa: &Roa<u32>| asn != 0 && roa.asn() == asn && prefix.len() <= roa.max_len();
        if covering.any(matches) { Valid } else { Invalid }
    }

    #[test]
    fn it_answers_as_the_definition_does() {
        for_seeds(20, |seed| {
            let mut rng = Rng::new(seed);
            let mut random = |most: usize| {
                // Few addresses and all lengths, so that many are inside of others.
                let len = rng.below(most) as u8;
                let addr = (rng.below(8) as u32) << 29 | (rng.below(64) as u32) << 10;
                let prefix = Prefix::new(core::net::Ipv4Addr::from_bits(addr).into(), len).unwrap();
                let max = len + rng.below(usize::from(33 - len)) as u8;
                (prefix, max, rng.below(4) as u32, rng.one_in(3))
            };
            let (mut origins, mut all): (Origins<u32>, Vec<Roa<u32>>) = Default::default();
            for _ in 0..3000 {
                let (prefix, max, asn, gone) = random(33);
                let roa = Roa::new(prefix, max, asn).unwrap();
                let there = all.iter().position(|other| *other == roa);
                match (gone, there) {
                    (true, at) => {
                        assert_eq!(origins.remove(roa), at.is_some());
                        at.map(|at| all.swap_remove(at));
                    }
                    (false, at) => {
                        assert_eq!(origins.insert(roa), at.is_none());
                        all.extend(at.is_none().then_some(roa));
                    }
                }
                assert_eq!(origins.len(), all.len());
                let (prefix, _, asn, _) = random(33);
                let expected = by_definition(&all, prefix, asn);
                assert_eq!(origins.check(prefix, asn), expected, "{prefix} {asn}");
            }
        });
    }

    #[test]
    fn a_roa_takes_little_memory() {
        assert_eq!((size_of::<Entry<u32>>(), size_of::<Entry<[u8; 16]>>()), (12, 24));
        let mut origins: Origins<u32> = Origins::default();
        let mut rng = Rng::new(1);
        while origins.len() < 50_000 {
            let addr = core::net::Ipv4Addr::from_bits(rng.next() as u32);
            let prefix = Prefix::new(addr.into(), 24).unwrap();
            origins.insert(Roa::new(prefix, 24, 65000).unwrap());
        }
        let each = origins.memory() as f64 / origins.len() as f64;
        assert!(each < 13.0, "{each}");
    }
}
