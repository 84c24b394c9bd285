//! A session's figures of what it exports: asks the slices for what they need to be its own.

use dunlin_core::protocol::{Description, Reply};
use dunlin_rib::counters::OwnRoutes;
use dunlin_rib::figures::ask_own_routes;
use dunlin_rib::{ExporterId, SourceId};
use dunlin_runtime::{Class, Context};

use super::channel::Channel;
use super::{Session, SessionMessage};
use crate::wire::Carried;

/// What a slice was asked of our own routes for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    /// A channel has joined the group.
    Joined,
    /// A channel has left it.
    Left,
    /// A description, by its number.
    Description(u32),
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
        let Some(exporter) = channel.figures.exporter() else { return 0 };
        self.ask_slices(channel.source.id, exporter, About::Description(number));
        self.environment.rib.slices.count()
    }

    /// Asks all slices what a group has of a channel's routes.
    pub(super) fn ask_slices(&self, source: SourceId, exporter: ExporterId, about: About) {
        let session = self.own.clone();
        ask_own_routes(&self.environment.rib.slices, exporter, source, move |own| {
            // A session that has stopped has no figures.
            let _ = session.send(Class::Control, SessionMessage::OwnRoutes(source, about, own));
        });
    }

    /// A slice has answered.
    pub(super) fn own_routes(
        &mut self,
        cx: &Context<'_>,
        source: SourceId,
        about: About,
        part: &OwnRoutes,
    ) {
        let mut channels = self.up.iter_mut().flat_map(|up| &mut up.channels);
        let channel = channels.find(|channel| channel.source.id == source);
        match (about, channel) {
            (About::Joined, Some(channel)) => channel.figures.before(part),
            (About::Left, Some(channel)) => channel.figures.after(part),
            (About::Description(number), channel) => {
                let family = channel.map(|channel| channel.family);
                self.describe_with(cx, number, family, part);
            }
            // It was of a session that is over.
            (_, None) => {}
        }
    }

    /// A slice has answered for a description; without a family the channel is gone meanwhile.
    fn describe_with(
        &mut self,
        cx: &Context<'_>,
        number: u32,
        family: Option<Carried>,
        part: &OwnRoutes,
    ) {
        let Some(at) = self.asking.iter().position(|asking| asking.number == number) else {
            return;
        };
        let Some(asking) = self.asking.get_mut(at) else { return };
        if let Some(family) = family {
            let own = asking.of(family);
            *own = own.plus(part);
        }
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
