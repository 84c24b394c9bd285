//! What the manager asks of a session.

use core::sync::atomic::Ordering;
use std::sync::Arc;

use dunlin_core::protocol::{Description, Direction, InstanceConfig, Reply};
use dunlin_rib::counters::OwnRoutes;
use dunlin_rib::egress::EgressMessage;
use dunlin_rib::limits::LimitKind;
use dunlin_rib::slice::SliceMessage;
use dunlin_runtime::{Class, Context};

use super::Session;
use super::settings::{family, limit_values, settings};
use crate::config::{BgpConfig, channel_changes};
use crate::glue::show::{ChannelView, SessionView, describe};
use crate::wire::refresh::Kind;
use crate::wire::{Carried, RouteRefresh};

impl Session {
    /// Takes a configuration that differs in nothing that needs a restart.
    pub(super) fn reconfigure(&mut self, cx: &mut Context<'_>, new: &Arc<InstanceConfig>) {
        let Some(bgp) = new.specific::<BgpConfig>() else { return };
        let changes = channel_changes(&self.config, new);
        self.config = Arc::clone(new);
        self.bgp = Arc::new(bgp.clone());
        self.fsm.set_settings(settings(&self.environment, &self.config, &self.bgp));
        for change in changes {
            if change.import {
                self.filter_again(family(change.kind));
            }
            if change.export {
                self.join(family(change.kind));
            }
            for kind in change.limits.into_iter().flatten() {
                self.renew_limit(cx, family(change.kind), kind);
            }
        }
    }

    /// Puts a changed limit into force, and acts on it if it is exceeded already.
    fn renew_limit(&mut self, cx: &mut Context<'_>, family: Carried, kind: LimitKind) {
        let Some(config) = self.config.channel(super::settings::kind(family)) else { return };
        let Some(channel) = self.up.as_deref().and_then(|up| up.channel(family)) else { return };
        let (source, limits) = (&channel.source, &channel.source.limits);
        let exports = || channel.figures.counters().map(|exports| &exports.exported);
        let (limit, wanted, gauge) = match kind {
            LimitKind::Receive => {
                (Some(&limits.receive), config.receive_limit, Some(&source.gauges.received))
            }
            LimitKind::Import => {
                (Some(&limits.import), config.import_limit, Some(&source.gauges.accepted))
            }
            LimitKind::Export => (channel.export_limit.as_deref(), config.export_limit, exports()),
        };
        let Some(limit) = limit else { return };
        limit.renew(limit_values(wanted));
        let count = gauge.map_or(0, |gauge| gauge.load(Ordering::Relaxed));
        if count > limit.max() && limit.strike() {
            let source = source.id;
            self.limit(cx, source, kind);
        }
    }

    /// Gives the slices the channel's import filter, which makes them evaluate what they have.
    fn filter_again(&mut self, family: Carried) {
        let Some(config) = self.config.channel(super::settings::kind(family)) else { return };
        let (filter, preference) = (config.import.clone(), config.preference);
        let Some(channel) = self.up.as_deref_mut().and_then(|up| up.channel_mut(family)) else {
            return;
        };
        channel.preference = preference;
        let source = channel.source.id;
        self.environment.rib.slices.send_all(Class::Routing, || SliceMessage::Program {
            source,
            filter: filter.clone(),
            preference,
            done: None,
        });
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
                let Some(side) = self.fsm.established() else { return };
                let Some(link) = self.link_mut(side) else { return };
                for family in families {
                    let family = family.family();
                    RouteRefresh { family, kind: Kind::Request }.encode(&mut link.out);
                }
                self.send(cx, side);
            }
        }
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
