//! The sources that a slice knows, by a 16-bit index that routes carry.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crate::shim::ChannelFilter;
use dunlin_net::hash::Map;

use crate::counters::{ImportDelta, ImportGauges};
use crate::{Source, SourceId};

/// A source as a slice keeps it.
#[derive(Debug)]
pub(crate) struct Local {
    pub(crate) source: Arc<Source>,
    pub(crate) filter: ChannelFilter,
    pub(crate) preference: u32,
    /// Its routes are to be swept.
    pub(crate) dead: bool,
    /// Its routes are to be evaluated again.
    pub(crate) stale_filter: bool,
    /// What the present turn adds to its counters.
    pub(crate) delta: ImportDelta,
    pub(crate) received: i64,
    pub(crate) accepted: i64,
    pub(crate) preferred: i64,
    noted: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    list: Vec<Option<Local>>,
    by_id: Map<SourceId, u16>,
    /// Indices whose counters changed in this turn.
    noted: Vec<u16>,
}

impl Sources {
    /// The index of a source; none if there are 65,535 already.
    pub(crate) fn index_of(&mut self, source: &Arc<Source>) -> Option<u16> {
        if let Some(&index) = self.by_id.get(&source.id) {
            return Some(index);
        }
        let local = Local {
            source: Arc::clone(source),
            filter: source.import.clone(),
            preference: source.preference,
            dead: false,
            stale_filter: false,
            delta: ImportDelta::default(),
            received: 0,
            accepted: 0,
            preferred: 0,
            noted: false,
        };
        let free = self.list.iter().position(Option::is_none);
        let index =
            u16::try_from(free.unwrap_or(self.list.len())).ok().filter(|&n| n < u16::MAX)?;
        match self.list.get_mut(usize::from(index)) {
            Some(place) => *place = Some(local),
            None => self.list.push(Some(local)),
        }
        self.by_id.insert(source.id, index);
        Some(index)
    }

    pub(crate) fn find(&self, id: SourceId) -> Option<u16> {
        self.by_id.get(&id).copied()
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

    /// Whether a route's source is still there.
    #[inline]
    pub(crate) fn is_dead(&self, index: u16) -> bool {
        self.at(index).dead
    }

    pub(crate) fn remove(&mut self, index: u16) {
        self.flush();
        if let Some(local) = self.list[usize::from(index)].take() {
            self.by_id.remove(&local.source.id);
        }
    }

    /// Indices for which `wanted` holds.
    pub(crate) fn indices(&self, wanted: impl Fn(&Local) -> bool) -> Vec<u16> {
        let found = self.list.iter().enumerate();
        found
            .filter(|(_, local)| local.as_ref().is_some_and(&wanted))
            .filter_map(|(index, _)| u16::try_from(index).ok())
            .collect()
    }

    /// Publishes the counters of this turn.
    pub(crate) fn flush(&mut self) {
        for index in self.noted.drain(..) {
            let Some(local) = &mut self.list[usize::from(index)] else { continue };
            local.noted = false;
            local.source.counters.add(&core::mem::take(&mut local.delta));
            let gauges: &ImportGauges = &local.source.gauges;
            let shift = |gauge: &AtomicU64, by: &mut i64| {
                ImportGauges::shift(gauge, core::mem::take(by));
            };
            shift(&gauges.received, &mut local.received);
            shift(&gauges.accepted, &mut local.accepted);
            shift(&gauges.preferred, &mut local.preferred);
        }
    }
}
