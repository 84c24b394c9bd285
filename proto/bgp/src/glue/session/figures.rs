//! A session's figures of what it exports.
//!
//! An export group counts for all its members. A session's own figures are what the group has counted
//! since it joined, with what its own feeds brought, and without its own routes, which the group tells
//! to everybody else. How many those are is asked of the slices when somebody wants to know.

use std::sync::Arc;

use dunlin_core::protocol::{Description, Reply};
use dunlin_rib::ExporterId;
use dunlin_rib::counters::{ExportCounters, ExportDelta, OwnRoutes};
use dunlin_rib::registry::GroupFigures;
use dunlin_rib::slice::SliceMessage;
use dunlin_runtime::{Class, Context};

use super::channel::Channel;
use super::{Session, SessionMessage};
use crate::wire::Carried;

/// A group's figures when a channel joined it.
pub(crate) struct Found {
    exporter: ExporterId,
    exports: Arc<ExportCounters>,
    base: ExportDelta,
}

impl Found {
    pub(super) fn new(figures: &GroupFigures) -> Self {
        let exports = Arc::clone(&figures.exports);
        Self { exporter: figures.exporter, base: exports.read(), exports }
    }
}

/// What a channel has exported, by the group's figures and its own.
#[derive(Default)]
pub(super) struct Figures {
    /// The present group.
    group: Option<Found>,
    /// Feeds and former groups.
    rest: ExportDelta,
}

impl Figures {
    pub(super) fn counters(&self) -> Option<&ExportCounters> {
        self.group.as_ref().map(|group| &*group.exports)
    }

    pub(super) fn found(&mut self, found: Found) {
        self.group = Some(found);
    }

    pub(super) fn fed(&mut self, figures: &ExportDelta) {
        self.rest = self.rest.plus(figures);
    }

    /// The channel leaves its group for another one.
    pub(super) fn leave(&mut self) {
        self.rest = ExportDelta { exported: 0, ..self.total(&OwnRoutes::default()) };
        self.group = None;
    }

    /// All of it. `own`: what the group's figures have of our routes.
    pub(super) fn total(&self, own: &OwnRoutes) -> ExportDelta {
        let Some(group) = &self.group else { return self.rest };
        let now = group.exports.read();
        let since = ExportDelta { exported: now.exported, ..now.since(&group.base) };
        own.seen_from(&since.plus(&self.rest))
    }
}

/// Somebody who waits for a description, until the slices have answered.
pub(super) struct Asking {
    number: u32,
    reply: Reply<Description>,
    /// Answers that are missing.
    missing: usize,
    own: [OwnRoutes; 2],
}

impl Session {
    /// Asks the slices for what a description needs.
    pub(super) fn ask_own_routes(&mut self, cx: &Context<'_>, reply: Reply<Description>) {
        self.asked = self.asked.wrapping_add(1);
        let (number, own) = (self.asked, <[OwnRoutes; 2]>::default());
        let channels = self.up.iter().flat_map(|up| &up.channels);
        let missing = channels.map(|channel| self.ask_of(channel, number)).sum();
        if missing == 0 {
            return self.describe(cx, reply, &own);
        }
        self.asking.push(Asking { number, reply, missing, own });
    }

    /// Asks of one channel; how many answers there will be.
    fn ask_of(&self, channel: &Channel, number: u32) -> usize {
        let Some(exporter) = channel.figures.group.as_ref().map(|group| group.exporter) else {
            return 0;
        };
        let (source, family) = (channel.source.id, channel.family);
        let slices = &self.environment.rib.slices;
        slices.send_all(Class::Bulk, || {
            let session = self.own.clone();
            let reply = Box::new(move |own| {
                // A session that has stopped describes nothing.
                let message = SessionMessage::OwnRoutes(number, family, own);
                let _ = session.send(Class::Control, message);
            });
            SliceMessage::OwnRoutes { exporter, source, reply }
        });
        slices.count()
    }

    /// A slice has answered.
    pub(super) fn own_routes(
        &mut self,
        cx: &Context<'_>,
        number: u32,
        family: Carried,
        part: &OwnRoutes,
    ) {
        let Some(at) = self.asking.iter().position(|asking| asking.number == number) else {
            return;
        };
        let Some(asking) = self.asking.get_mut(at) else { return };
        let own = asking.of(family);
        *own = own.plus(part);
        asking.missing -= 1;
        if asking.missing == 0 {
            let Asking { reply, own, .. } = self.asking.swap_remove(at);
            self.describe(cx, reply, &own);
        }
    }
}

impl Asking {
    fn of(&mut self, family: Carried) -> &mut OwnRoutes {
        let [ipv4, ipv6] = &mut self.own;
        match family {
            Carried::Ipv4 => ipv4,
            Carried::Ipv6 => ipv6,
        }
    }
}
