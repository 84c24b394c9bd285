//! A member's figures of what it exports.
//!
//! An export group counts for all its members. A member's own figures are what the group has counted
//! while it was in there, with what its own feeds brought, and without its own routes, which the group
//! tells to everybody else. How many those are the slices know. They count them from the group's
//! beginning, so they are asked at the join, when the member leaves for another group, and when somebody
//! wants to know.

use std::sync::Arc;

use dunlin_runtime::Class;

use crate::counters::{ExportCounters, ExportDelta, OwnRoutes};
use crate::import::Slices;
use crate::registry::GroupFigures;
use crate::slice::SliceMessage;
use crate::{ExporterId, SourceId};

/// A group's figures when a member joined it.
#[derive(Debug)]
pub struct Found {
    /// The group.
    pub exporter: ExporterId,
    exports: Arc<ExportCounters>,
    base: ExportDelta,
}

impl Found {
    /// The figures as they are now.
    pub fn new(figures: &GroupFigures) -> Self {
        let exports = Arc::clone(&figures.exports);
        Self { exporter: figures.exporter, base: exports.read(), exports }
    }
}

/// What a member has exported, in all groups that it has been in.
#[derive(Debug, Default)]
pub struct MemberFigures {
    /// The present group.
    group: Option<Found>,
    /// Feeds and former groups.
    rest: ExportDelta,
    /// What all groups had told of our routes before we were in.
    before: OwnRoutes,
    /// What former groups had told of them when we left.
    after: OwnRoutes,
}

impl MemberFigures {
    /// The present group's counters.
    pub fn counters(&self) -> Option<&ExportCounters> {
        self.group.as_ref().map(|group| &*group.exports)
    }

    /// The present group.
    pub fn exporter(&self) -> Option<ExporterId> {
        self.group.as_ref().map(|group| group.exporter)
    }

    /// The group is found. What it has of our routes is to be asked now, for [`before`](Self::before).
    pub fn found(&mut self, found: Found) {
        self.group = Some(found);
    }

    /// What a slice says of a group's figures of our routes at the join.
    pub fn before(&mut self, part: &OwnRoutes) {
        self.before = self.before.plus(part);
    }

    /// What a feed has brought.
    pub fn fed(&mut self, figures: &ExportDelta) {
        self.rest = self.rest.plus(figures);
    }

    /// The member leaves its group for another one. What it has of our routes is to be asked now, while
    /// it is still there, for [`after`](Self::after).
    pub fn leave(&mut self) -> Option<ExporterId> {
        self.rest = ExportDelta { exported: 0, ..self.of_all() };
        self.group.take().map(|group| group.exporter)
    }

    /// What a slice says of a group's figures of our routes when we left.
    pub fn after(&mut self, part: &OwnRoutes) {
        self.after = self.after.plus(&OwnRoutes { held: 0, ..*part });
    }

    /// All of it. `own`: what the present group's figures have of our routes.
    pub fn total(&self, own: &OwnRoutes) -> ExportDelta {
        own.plus(&self.after).since(&self.before).seen_from(&self.of_all())
    }

    /// As if we had been told of our own routes.
    fn of_all(&self) -> ExportDelta {
        let Some(group) = &self.group else { return self.rest };
        let now = group.exports.read();
        let since = ExportDelta { exported: now.exported, ..now.since(&group.base) };
        since.plus(&self.rest)
    }
}

/// Asks every slice what a group's figures have of a source's routes. `reply` is called from the slices'
/// loops: send a message, return.
pub fn ask_own_routes(
    slices: &Slices,
    exporter: ExporterId,
    source: SourceId,
    reply: impl Fn(OwnRoutes) + Clone + Send + 'static,
) {
    // In order with what is said to the group: behind that it may be gone.
    slices.send_all(Class::Routing, || SliceMessage::OwnRoutes {
        exporter,
        source,
        reply: Box::new(reply.clone()),
    });
}
