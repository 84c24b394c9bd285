//! Policies that differ only in the constants of their filters. They are asked at once, and again only
//! for those to whom the constants made a difference.

use std::sync::Arc;

use dunlin_filter::{Cohort, Program};
use dunlin_net::hash::Map;

use super::row::Told;
use crate::export::ExportPolicy;

/// Groups whose policies are asked at once.
#[derive(Debug, Default)]
pub(super) struct Family {
    /// Their indices, in order. Of groups with equal policies only the first.
    members: Vec<usize>,
    /// Their filters, in the same order.
    pub(super) cohort: Cohort,
    /// Where it is kept.
    place: usize,
}

/// Groups that may be a family, with their filters.
type Alike<'a> = Vec<(usize, &'a Arc<Program>)>;

/// The families of a table's groups.
#[derive(Debug, Default)]
pub(super) struct Families {
    are_known: bool,
    list: Vec<Family>,
    /// Of each group, its family and its place there.
    of: Vec<Option<(usize, usize)>>,
    /// Of each group, what has been found for it when another was asked.
    agreed: Vec<Option<Told>>,
}

impl Families {
    /// Whether those of the present groups are known.
    pub(super) fn are_known(&self) -> bool {
        self.are_known
    }

    /// The groups have changed.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// Finds the families of groups with these policies.
    pub(super) fn find<'a>(
        &mut self,
        groups: usize,
        policies: impl Iterator<Item = (usize, &'a Arc<dyn ExportPolicy>)>,
    ) {
        self.forget();
        self.are_known = true;
        let mut alike: Map<(u64, u64), Alike<'a>> = Map::default();
        for (index, policy) in policies {
            if let Some((number, filter)) = policy.filter() {
                alike.entry((number, filter.shape())).or_default().push((index, filter));
            }
        }
        let mut several: Vec<_> = alike.into_values().filter(|alike| alike.len() > 1).collect();
        if several.is_empty() {
            return;
        }
        several.sort_unstable_by_key(|alike| alike.first().map(|(index, _)| *index));
        self.of.resize(groups, None);
        self.agreed.resize(groups, None);
        for alike in several {
            let filters = alike.iter().map(|(_, filter)| Arc::clone(filter)).collect();
            let Some(cohort) = Cohort::new(filters) else { continue };
            let place = self.list.len();
            let members: Vec<usize> = alike.into_iter().map(|(index, _)| index).collect();
            for (number, index) in members.iter().enumerate() {
                if let Some(of) = self.of.get_mut(*index) {
                    *of = Some((place, number));
                }
            }
            self.list.push(Family { members, cohort, place });
        }
    }

    /// Another route is asked about.
    pub(super) fn begin(&mut self) {
        self.agreed.fill(None);
    }

    /// What has been found for a group when another was asked.
    pub(super) fn agreed(&self, group: usize) -> Option<Told> {
        self.agreed.get(group).copied().flatten()
    }

    /// The family of a group that is asked now, for all members behind it of which nothing has been
    /// found. It has to be [put back](Self::put_back).
    pub(super) fn take(&mut self, group: usize) -> Option<Family> {
        let (place, number) = self.of.get(group).copied().flatten()?;
        let mut family = core::mem::take(self.list.get_mut(place)?);
        let open = |member: &usize| {
            *member > group && self.agreed.get(*member).is_some_and(Option::is_none)
        };
        let members = &family.members;
        family.cohort.begin(number, |other| members.get(other).is_some_and(open));
        Some(family)
    }

    /// What a member of the family was told, and with it all that agree.
    pub(super) fn put_back(&mut self, family: Family, told: Told) {
        for (number, member) in family.members.iter().enumerate() {
            if family.cohort.is_alike(number)
                && let Some(agreed) = self.agreed.get_mut(*member)
            {
                *agreed = Some(told);
            }
        }
        let place = family.place;
        if let Some(kept) = self.list.get_mut(place) {
            *kept = family;
        }
    }
}
