//! The networks that a change of a ROA or ASPA table is about.

use dunlin_net::{NetType, Prefix};

/// Prefixes told apart at most. Where more have changed, as when a table is filled, all of the family are
/// concerned: then nobody sorts a whole table in one go, and its prefixes need no room here.
const MOST: usize = 8192;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// Those inside of these prefixes of one family, of which none is inside of another; in order.
    Inside(Vec<Prefix>),
    /// All: what was said of a path may be otherwise.
    All,
}

impl Changed {
    /// Nothing yet, of a table of this type.
    pub(crate) fn none(net_type: NetType) -> Self {
        if net_type == NetType::Aspa { Self::All } else { Self::Inside(Vec::new()) }
    }

    /// A ROA of this prefix has come or gone. Call [`settle`](Self::settle) before asking.
    pub(crate) fn note(&mut self, prefix: Prefix) {
        let Self::Inside(prefixes) = self else { return };
        if prefixes.last().is_some_and(|last| last.contains(prefix)) {
            return;
        }
        prefixes.push(prefix);
        if prefixes.len() > 2 * MOST {
            tidy(prefixes);
        }
    }

    /// Brings what was noted into order.
    #[must_use]
    pub(crate) fn settle(self) -> Self {
        let Self::Inside(mut prefixes) = self else { return self };
        tidy(&mut prefixes);
        prefixes.shrink_to_fit();
        Self::Inside(prefixes)
    }

    /// Whether a network's routes may be judged otherwise.
    #[inline]
    pub fn concerns(&self, prefix: Prefix) -> bool {
        let Self::Inside(prefixes) = self else { return true };
        let behind = prefixes.partition_point(|outer| *outer <= prefix);
        behind.checked_sub(1).is_some_and(|at| prefixes[at].contains(prefix))
    }
}

/// Brings prefixes into order, and leaves only those that are inside of no other: the whole family if
/// those are too many.
fn tidy(prefixes: &mut Vec<Prefix>) {
    prefixes.sort_unstable();
    // In order a prefix comes right before what is inside of it.
    prefixes.dedup_by(|inner, outer| outer.contains(*inner));
    if prefixes.len() > MOST
        && let Some(all) = prefixes.first().and_then(|one| Prefix::new(one.addr(), 0))
    {
        *prefixes = vec![all];
    }
}

#[cfg(test)]
mod tests {
    use super::{Changed, MOST};
    use dunlin_net::{NetType, Prefix, Prefix4};

    fn prefix(text: &str) -> Prefix {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_inside_of_a_changed_prefix_is_concerned() {
        let mut changed = Changed::none(NetType::Roa4);
        for text in ["10.1.0.0/16", "192.0.2.0/24", "10.0.0.0/8", "10.0.0.0/8", "9.0.0.0/8"] {
            changed.note(prefix(text));
        }
        let changed = changed.settle();
        let left = ["9.0.0.0/8", "10.0.0.0/8", "192.0.2.0/24"].map(prefix);
        assert_eq!(changed, Changed::Inside(left.to_vec()));
        for (text, expected) in [
            ("10.0.0.0/8", true),
            ("10.1.2.0/24", true),
            ("10.255.255.255/32", true),
            ("11.0.0.0/8", false),
            ("8.0.0.0/7", false),
            ("0.0.0.0/0", false),
            ("192.0.2.0/23", false),
            ("192.0.2.128/25", true),
            ("::/0", false),
        ] {
            assert_eq!(changed.concerns(prefix(text)), expected, "{text}");
        }
        assert!(Changed::none(NetType::Aspa).concerns(prefix("::/0")));
        assert!(!Changed::none(NetType::Roa6).settle().concerns(prefix("::/0")));
    }

    #[test]
    fn where_too_many_have_changed_the_whole_family_is_concerned() {
        let host = |bits: usize| Prefix::V4(Prefix4::new(bits as u32, 32).unwrap());
        let held = |changed: &Changed| match changed {
            Changed::Inside(prefixes) => prefixes.len(),
            Changed::All => panic!("all families"),
        };
        // As many as may be told apart, each of them often, in an order that hides that.
        let mut changed = Changed::none(NetType::Roa4);
        for round in 0..20 {
            (0..MOST).for_each(|at| changed.note(host((at * 7 + round) % MOST * 2)));
            assert!(held(&changed) <= 2 * MOST);
        }
        let settled = changed.clone().settle();
        assert_eq!(held(&settled), MOST);
        assert!(settled.concerns(host(2)) && !settled.concerns(host(3)));
        // One more.
        changed.note(host(3));
        (0..2 * MOST).for_each(|at| changed.note(host(2 * at)));
        assert_eq!(changed, Changed::Inside(vec![prefix("0.0.0.0/0")]), "held {}", held(&changed));
        changed.note(prefix("10.0.0.0/8"));
        assert_eq!(held(&changed), 1);
        let settled = changed.settle();
        assert!(settled.concerns(prefix("192.0.2.0/24")) && !settled.concerns(prefix("::/0")));
    }
}
