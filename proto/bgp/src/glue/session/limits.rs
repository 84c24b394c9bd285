//! A channel's limits: what becomes of the session when one is exceeded, and changes while it is up.

use core::sync::atomic::AtomicU64;
use std::sync::Arc;

use dunlin_core::log::LogClass;
use dunlin_core::protocol::{
    Automatic, ChannelConfig, LimitHit, ROUTE_LIMIT_EXCEEDED, limit_values, renew_limit,
};
use dunlin_rib::SourceId;
use dunlin_rib::limits::{Limit, LimitAction, LimitKind};
use dunlin_runtime::{Context, Time};

use super::Session;
use super::channel::Channel;
use super::settings::kind;
use crate::fsm::LastError;
use crate::wire::{Carried, Cease, Notification};

/// What a group that is yet to be found has exported.
static NOTHING: AtomicU64 = AtomicU64::new(0);

pub(super) fn export_limit(channel: &ChannelConfig) -> Option<Arc<Limit>> {
    let (count, action) = limit_values(channel.export_limit)?;
    Some(Arc::new(Limit::new(count, action)))
}

impl Channel {
    /// One of its limits as slices watch it, and the count of routes that it is on.
    fn limit(&self, kind: LimitKind) -> Option<(&Limit, &AtomicU64)> {
        let (limits, gauges) = (&self.source.limits, &self.source.gauges);
        Some(match kind {
            LimitKind::Receive => (&limits.receive, &gauges.received),
            LimitKind::Import => (&limits.import, &gauges.accepted),
            LimitKind::Export => {
                let exports = self.figures.counters();
                (self.export_limit.as_deref()?, exports.map_or(&NOTHING, |e| &e.exported))
            }
        })
    }
}

impl Session {
    /// A limit is exceeded.
    pub(super) fn limit(&mut self, cx: &mut Context<'_>, source: SourceId, kind: LimitKind) {
        let mut channels = self.up.iter().flat_map(|up| &up.channels);
        let ours = channels.find(|channel| channel.source.id == source);
        let limit = ours.and_then(|channel| Some((channel.family, channel.limit(kind)?.0)));
        // If it isn't hit, it has been changed or taken away while the word was under way.
        let Some((channel, limit)) = limit.filter(|(_, limit)| limit.is_hit()) else { return };
        let (count, action) = (limit.max(), limit.action());
        let text = LimitHit { channel, kind, count, action };
        self.environment.log.write(LogClass::Warning, format_args!("{text}"));
        // What we send is no fault of the neighbour's.
        let cease = |of_ours| match kind {
            LimitKind::Receive | LimitKind::Import => Cease::PrefixLimit,
            LimitKind::Export => of_ours,
        };
        match action {
            LimitAction::Warn | LimitAction::Block => {}
            LimitAction::Restart if !self.restarts_too_often(cx.now()) => {
                let cease = Notification::cease(cease(Cease::AdministrativeReset), "");
                self.drive(cx, |fsm, now, _, actions| {
                    fsm.fail(now, &cease, LastError::RouteLimit, actions);
                });
            }
            LimitAction::Restart | LimitAction::Disable => {
                self.limit_cease = Some(cease(Cease::AdministrativeShutdown));
                self.fsm.note_error(LastError::RouteLimit);
                self.ask(Automatic::Disable, ROUTE_LIMIT_EXCEEDED.to_owned());
            }
        }
    }

    /// A limit wants the session to begin anew. It does that by itself, since it waits before it does
    /// as after any error; so it also has to see to `restart time`.
    fn restarts_too_often(&mut self, now: Time) -> bool {
        let before = self.limit_restart.replace(now);
        before.is_some_and(|before| now.since(before) < self.config.restart_time)
    }

    /// Puts a changed limit into force, and acts on it if it is exceeded already. What the one before
    /// may have kept out is asked for.
    pub(super) fn limit_changed(
        &mut self,
        cx: &mut Context<'_>,
        family: Carried,
        which: LimitKind,
    ) {
        let Some(config) = self.config.channel(kind(family)) else { return };
        let (wanted, keeps) = (config.limit(which), config.keep_filtered);
        let Some(channel) = self.up.as_deref().and_then(|up| up.channel(family)) else { return };
        let Some((limit, routes)) = channel.limit(which) else { return };
        let kept_out = limit.is_hit() && limit.action() != LimitAction::Warn;
        let source = channel.source.id;
        if renew_limit(limit, wanted, routes) {
            return self.limit(cx, source, which);
        }
        match which {
            _ if !kept_out => {}
            LimitKind::Export => self.send_again(family),
            LimitKind::Import if keeps => self.filter_again(family),
            LimitKind::Import | LimitKind::Receive => self.ask_for_routes(cx, family),
        }
    }
}
