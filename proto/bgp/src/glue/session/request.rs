//! What the manager asks of a session.

use std::sync::Arc;

use dunlin_core::protocol::{
    ChannelKind, Description, Difference, Direction, Effect, InstanceConfig, Reply,
};
use dunlin_filter::ChannelFilter;
use dunlin_rib::SourceId;
use dunlin_rib::counters::OwnRoutes;
use dunlin_rib::egress::EgressMessage;
use dunlin_rib::slice::SliceMessage;
use dunlin_runtime::{Class, Context, Time};

use super::Session;
use super::settings::{family, settings};
use crate::config::{BgpConfig, changed_limits};
use crate::glue::policy::Former;
use crate::glue::show::{ChannelView, SessionView, describe};
use crate::wire::refresh::Kind;
use crate::wire::{Carried, RouteRefresh};

/// Former export filters kept for older routes; with more soft changes in a row the oldest is forgotten,
/// and its routes go by the one after it.
const MOST_FORMER: usize = 16;

impl Session {
    /// Takes a configuration that differs in nothing that needs a restart.
    pub(super) fn reconfigure(
        &mut self,
        cx: &mut Context<'_>,
        new: &Arc<InstanceConfig>,
        differences: &[Difference],
        soft: Option<Time>,
    ) {
        let Some(bgp) = new.specific::<BgpConfig>() else { return };
        let old = core::mem::replace(&mut self.config, Arc::clone(new));
        self.bgp = Arc::new(bgp.clone());
        self.fsm.set_settings(settings(&self.environment, &self.config, &self.bgp));
        for channel in &new.channels {
            let (kind, family) = (channel.kind, family(channel.kind));
            let reloads = |effect| {
                differences.iter().any(|difference| difference.reloads(kind.keyword(), effect))
            };
            let (import, export) = (reloads(Effect::Import), reloads(Effect::Export));
            if let Some(live) = self.up.as_deref().and_then(|up| up.channel(family)) {
                live.source.set_rpki_reload(channel.rpki_reload);
            }
            match soft {
                None => {
                    if import {
                        self.filter_again(family);
                    }
                    if export {
                        self.forget_former(family);
                        self.join(family);
                    }
                }
                Some(now) => {
                    if import {
                        self.filter_new(family);
                    }
                    if export {
                        self.export_later(kind, &old, now);
                    }
                }
            }
            for limit in changed_limits(&old, new, kind) {
                self.limit_changed(cx, family, limit);
            }
        }
    }

    /// Puts what is exported into force for the routes that change from now on: `configure soft`. How
    /// routes are sent has no such mode: with other next hops they are all sent again, as in BIRD after a
    /// reload, but go by the filter that they went by.
    fn export_later(&mut self, kind: ChannelKind, old: &InstanceConfig, now: Time) {
        self.keep_former(kind, old, now);
        self.join(family(kind));
    }

    /// Keeps the export filter of before for older routes, if there is another one now. So none of
    /// those kept is equal to the next.
    fn keep_former(&mut self, kind: ChannelKind, old: &InstanceConfig, now: Time) {
        let (before, after) = (old.channel(kind), self.config.channel(kind));
        let (Some(before), Some(after)) = (before, after) else { return };
        let channel = self.up.as_deref_mut().and_then(|up| up.channel_mut(family(kind)));
        if let (Some(channel), false) = (channel, before.export.means_the_same(&after.export)) {
            channel.former.push(Former { until: now, filter: before.export.clone() });
            let surplus = channel.former.len().saturating_sub(MOST_FORMER);
            channel.former.drain(..surplus);
        }
    }

    /// The export filter holds for all routes again.
    fn forget_former(&mut self, family: Carried) -> bool {
        let channel = self.up.as_deref_mut().and_then(|up| up.channel_mut(family));
        channel.is_some_and(|channel| !core::mem::take(&mut channel.former).is_empty())
    }

    /// Gives the slices the channel's import filter, which makes them evaluate what they have.
    pub(super) fn filter_again(&mut self, family: Carried) {
        self.give_filter(family, |source, filter, preference| SliceMessage::Program {
            source,
            filter,
            preference,
            done: None,
        });
    }

    /// As [`filter_again`](Self::filter_again), but what they have stays as it is.
    fn filter_new(&mut self, family: Carried) {
        self.give_filter(family, |source, filter, preference| SliceMessage::Filter {
            source,
            filter,
            preference,
        });
    }

    /// Tells the slices of the channel's source, import filter and preference, if it is up.
    fn give_filter(
        &mut self,
        family: Carried,
        message: impl Fn(SourceId, ChannelFilter, u32) -> SliceMessage,
    ) {
        let Some(config) = self.config.channel(super::settings::kind(family)) else { return };
        let (filter, preference) = (&config.import, config.preference);
        let Some(channel) = self.up.as_deref_mut().and_then(|up| up.channel_mut(family)) else {
            return;
        };
        channel.preference = preference;
        let source = channel.source.id;
        let slices = &self.environment.rib.slices;
        slices.send_all(Class::Routing, || message(source, filter.clone(), preference));
    }

    fn families(&self) -> Vec<Carried> {
        let channels = self.up.iter().flat_map(|up| &up.channels);
        channels.map(|channel| channel.family).collect()
    }

    /// Evaluates filters again. Export filters always say the same of the same route, so the other
    /// way it is enough to send everything again.
    pub(super) fn reload(&mut self, direction: Direction) {
        for family in self.families() {
            match direction {
                Direction::In => self.filter_again(family),
                // Older routes may have gone by other filters; then the present one is put in force.
                Direction::Out if self.forget_former(family) => self.join(family),
                Direction::Out => self.send_again(family),
            }
        }
    }

    /// Has everything that is exported sent again.
    pub(super) fn send_again(&self, family: Carried) {
        if let Some(channel) = self.up.as_deref().and_then(|up| up.channel(family)) {
            channel.writing().tell(EgressMessage::Refresh);
        }
    }

    /// Asks the neighbour for its routes, or sends it ours.
    pub(super) fn refresh(&mut self, cx: &mut Context<'_>, direction: Direction) {
        let families = self.families();
        match direction {
            Direction::Out => families.into_iter().for_each(|family| self.send_again(family)),
            Direction::In => {
                families.into_iter().for_each(|family| self.ask_for_routes(cx, family));
            }
        }
    }

    /// Asks the neighbour for its routes of one family, if it can be asked.
    pub(super) fn ask_for_routes(&mut self, cx: &mut Context<'_>, family: Carried) {
        let can = self.up.as_deref().is_some_and(|up| up.agreed.route_refresh);
        let Some(side) = self.fsm.established().filter(|_| can) else { return };
        let Some(link) = self.link_mut(side) else { return };
        let family = family.family();
        RouteRefresh { family, kind: Kind::Request }.encode(&mut link.out);
        self.send(cx, side);
    }

    /// `own`: what the groups' figures have of our routes, by family.
    pub(super) fn describe(
        &self,
        cx: &Context<'_>,
        reply: Reply<Description>,
        [ipv4, ipv6]: &[OwnRoutes; 2],
    ) {
        let channels = self.config.channels.iter().map(|config| {
            let up = self.up.as_deref();
            ChannelView {
                config,
                channel: up.and_then(|up| up.channel(family(config.kind))).map(|channel| {
                    crate::glue::show::LiveChannel {
                        source: &channel.source,
                        next_hop: channel.next_hop,
                        export: channel.figures.total(match channel.family {
                            Carried::Ipv4 => ipv4,
                            Carried::Ipv6 => ipv6,
                        }),
                        export_limit: channel.export_limit.as_deref(),
                        fed: channel.fed,
                    }
                }),
            }
        });
        let pending = self.fsm.established().and_then(|side| self.link(side));
        let view = SessionView {
            now: cx.now(),
            fsm: &self.fsm,
            bgp: &self.bgp,
            local: self.up.as_deref().and_then(|up| up.local),
            pending: pending.map_or(0, |link| link.out.len()),
            range: self.neighbor().is_none(),
            channels: channels.collect(),
        };
        reply.send(describe(&view));
    }
}
