//! The sources that a slice knows, by a 16-bit index that routes carry.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dunlin_filter::ChannelFilter;
use dunlin_net::hash::Map;

use super::verdicts::Numbers;
use crate::counters::{ImportDelta, ImportGauges};
use crate::limits::{Limit, LimitKind, TooMany};
use crate::{Source, SourceId};

/// Whether a source's routes count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    Alive,
    /// Its routes are to be swept.
    Dead,
    /// A sweep that is under way removes its routes, then itself.
    Swept,
}

/// A source as a slice keeps it.
#[derive(Debug)]
pub(crate) struct Local {
    pub(crate) source: Arc<Source>,
    pub(crate) filter: ChannelFilter,
    pub(crate) preference: u32,
    /// Another one for each source and each filter that one has.
    pub(crate) number: u32,
    pub(crate) life: Life,
    /// Its routes are to be evaluated again.
    pub(crate) stale_filter: bool,
    /// What the present turn adds to its counters.
    pub(crate) delta: ImportDelta,
    received: i64,
    accepted: i64,
    pub(crate) preferred: i64,
    noted: bool,
}

impl Local {
    fn new(source: &Arc<Source>, program: Option<(ChannelFilter, u32)>, number: u32) -> Self {
        let (filter, preference) =
            program.unwrap_or_else(|| (source.import.clone(), source.preference));
        Self {
            source: Arc::clone(source),
            filter,
            preference,
            number,
            life: Life::Alive,
            stale_filter: false,
            delta: ImportDelta::default(),
            received: 0,
            accepted: 0,
            preferred: 0,
            noted: false,
        }
    }

    /// Counts a route more; false if the receive limit forbids it.
    pub(crate) fn admit_received(&mut self) -> bool {
        let limit = &self.source.limits.receive;
        if !limit.is_set() {
            self.received += 1;
            return true;
        }
        let within = self.reserve(limit, &self.source.gauges.received, LimitKind::Receive);
        self.delta.updates_receive_limited += u64::from(!within);
        within
    }

    /// Counts an accepted route more; false if the import limit forbids it.
    pub(crate) fn admit_accepted(&mut self) -> bool {
        let limit = &self.source.limits.import;
        if !limit.is_set() {
            self.accepted += 1;
            return true;
        }
        let within = self.reserve(limit, &self.source.gauges.accepted, LimitKind::Import);
        self.delta.updates_limited += u64::from(!within);
        within
    }

    fn reserve(&self, limit: &Limit, gauge: &AtomicU64, kind: LimitKind) -> bool {
        limit.admits(gauge, || self.source.events.limit_hit(self.source.id, kind))
    }

    /// Counts a route less.
    pub(crate) fn dismiss_received(&mut self) {
        // What this turn counted while there was no limit isn't in the gauge yet.
        if self.received <= 0 && self.source.limits.receive.is_set() {
            self.source.gauges.received.fetch_sub(1, Ordering::Relaxed);
        } else {
            self.received -= 1;
        }
    }

    /// Counts an accepted route less.
    pub(crate) fn dismiss_accepted(&mut self) {
        // What this turn counted while there was no limit isn't in the gauge yet.
        if self.accepted <= 0 && self.source.limits.import.is_set() {
            self.source.gauges.accepted.fetch_sub(1, Ordering::Relaxed);
        } else {
            self.accepted -= 1;
        }
    }

    /// Whether its routes are to be evaluated again when this ROA or ASPA table has changed.
    pub(crate) fn rechecks(&self, table: &str) -> bool {
        self.life == Life::Alive && self.source.rpki_reload() && self.filter.asks(table)
    }

    fn flush(&mut self) {
        self.noted = false;
        self.source.counters.add(&core::mem::take(&mut self.delta));
        let gauges: &ImportGauges = &self.source.gauges;
        let shift = |gauge: &AtomicU64, by: &mut i64| {
            ImportGauges::shift(gauge, core::mem::take(by));
        };
        shift(&gauges.received, &mut self.received);
        shift(&gauges.accepted, &mut self.accepted);
        shift(&gauges.preferred, &mut self.preferred);
    }
}

/// Sources that a slice can tell apart: routes carry 16 bits, one value of which means none.
pub(crate) const MOST_SOURCES: usize = u16::MAX as usize;

/// See the module.
#[derive(Debug)]
pub(crate) struct Sources {
    list: Vec<Option<Local>>,
    /// Places in the list that may be used again.
    free: Vec<u16>,
    /// As many as there may be.
    most: usize,
    by_id: Map<SourceId, u16>,
    /// Filters of sources that have not sent anything here.
    programs: Map<SourceId, (ChannelFilter, u32)>,
    /// Indices whose counters changed in this turn.
    noted: Vec<u16>,
    numbers: Numbers,
}

impl Sources {
    /// Room for `most` sources, [`MOST_SOURCES`] at most.
    pub(crate) fn with_room(most: usize) -> Self {
        Self {
            list: Vec::new(),
            free: Vec::new(),
            most: most.min(MOST_SOURCES),
            by_id: Map::default(),
            programs: Map::default(),
            noted: Vec::new(),
            numbers: Numbers::default(),
        }
    }

    /// The index of a source; an error if there is no room for it.
    pub(crate) fn index_of(&mut self, source: &Arc<Source>) -> Result<u16, TooMany> {
        if let Some(&index) = self.by_id.get(&source.id) {
            return Ok(index);
        }
        let index = self.place().ok_or(TooMany::Sources { most: self.most })?;
        let number = self.numbers.next();
        let local = Local::new(source, self.programs.remove(&source.id), number);
        self.list[usize::from(index)] = Some(local);
        self.by_id.insert(source.id, index);
        Ok(index)
    }

    /// A free place in the list.
    fn place(&mut self) -> Option<u16> {
        if let Some(free) = self.free.pop() {
            return Some(free);
        }
        let next = u16::try_from(self.list.len()).ok().filter(|&n| usize::from(n) < self.most)?;
        self.list.push(None);
        Some(next)
    }

    pub(crate) fn find(&self, id: SourceId) -> Option<u16> {
        self.by_id.get(&id).copied()
    }

    /// Sets the filter of a source; returns whether it may have routes here.
    pub(crate) fn set_program(
        &mut self,
        id: SourceId,
        filter: ChannelFilter,
        preference: u32,
    ) -> bool {
        let Some(index) = self.find(id) else {
            self.programs.insert(id, (filter, preference));
            return false;
        };
        let number = self.numbers.next();
        let local = self.at_mut(index);
        (local.filter, local.preference, local.stale_filter) = (filter, preference, true);
        local.number = number;
        true
    }

    /// As [`set_program`](Self::set_program), but the routes that are there stay as they are.
    pub(crate) fn set_filter(&mut self, id: SourceId, filter: ChannelFilter, preference: u32) {
        match self.find(id) {
            Some(index) => {
                let number = self.numbers.next();
                let local = self.at_mut(index);
                (local.filter, local.preference, local.number) = (filter, preference, number);
            }
            None => _ = self.programs.insert(id, (filter, preference)),
        }
    }

    /// Marks a source as dead; returns whether it may have routes here.
    pub(crate) fn kill(&mut self, id: SourceId) -> bool {
        self.programs.remove(&id);
        let Some(index) = self.find(id) else { return false };
        let local = self.at_mut(index);
        if local.life == Life::Alive {
            local.life = Life::Dead;
        }
        true
    }

    /// A source that routes refer to.
    ///
    /// # Panics
    /// If the index is free: a source stays until the sweep has removed its last route.
    #[inline]
    #[expect(clippy::expect_used, reason = "routes name living entries only")]
    pub(crate) fn at(&self, index: u16) -> &Local {
        self.list[usize::from(index)].as_ref().expect("source of a route")
    }

    /// The source with an index, if one has it.
    pub(crate) fn get(&self, index: u16) -> Option<&Local> {
        self.list.get(usize::from(index))?.as_ref()
    }

    /// As [`at`](Self::at), and its counters will be flushed.
    #[inline]
    #[expect(clippy::expect_used, reason = "routes name living entries only")]
    pub(crate) fn at_mut(&mut self, index: u16) -> &mut Local {
        let local = self.list[usize::from(index)].as_mut().expect("source of a route");
        if !local.noted {
            local.noted = true;
            self.noted.push(index);
        }
        local
    }

    /// Whether a route's source is gone.
    #[inline]
    pub(crate) fn is_dead(&self, index: u16) -> bool {
        self.at(index).life != Life::Alive
    }

    /// Forgets a source that no route refers to.
    pub(crate) fn remove(&mut self, index: u16) {
        self.flush();
        if let Some(local) = self.list[usize::from(index)].take() {
            self.by_id.remove(&local.source.id);
            self.free.push(index);
        }
    }

    /// The sources for which `claim` says so.
    pub(crate) fn claim(&mut self, mut claim: impl FnMut(&mut Local) -> bool) -> Vec<u16> {
        let mut claimed = Vec::new();
        for (index, local) in self.list.iter_mut().enumerate() {
            if let Some(local) = local
                && claim(local)
            {
                claimed.extend(u16::try_from(index));
            }
        }
        claimed
    }

    /// Has the filters that read next hops run again; returns whether there are any.
    pub(crate) fn mark_readers_of_next_hops(&mut self) -> bool {
        let mut any = false;
        for local in self.list.iter_mut().flatten() {
            if local.life == Life::Alive && local.filter.reads_next_hop() {
                local.stale_filter = true;
                any = true;
            }
        }
        any
    }

    /// Sources known.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Publishes the counters of this turn.
    pub(crate) fn flush(&mut self) {
        for index in self.noted.drain(..) {
            if let Some(local) = &mut self.list[usize::from(index)] {
                local.flush();
            }
        }
    }
}
