//! A channel's limits: from the configuration into the tables, and what is done about one that is
//! exceeded. Slices count; whoever owns the channel is told once and acts.

use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};

use dunlin_rib::limits::{self, ImportLimits, LimitAction, LimitKind};

use super::{Automatic, ChannelConfig, InstanceEvent, Limit, ProtocolLog, Reporter};
use crate::log::LogClass;

impl ChannelConfig {
    /// One of the channel's limits.
    pub fn limit(&self, kind: LimitKind) -> Option<Limit> {
        match kind {
            LimitKind::Receive => self.receive_limit,
            LimitKind::Import => self.import_limit,
            LimitKind::Export => self.export_limit,
        }
    }

    /// The import side's limits as slices watch them, none of them hit.
    pub fn import_limits(&self) -> ImportLimits {
        let limits = ImportLimits::default();
        limits.receive.renew(limit_values(self.receive_limit));
        limits.import.renew(limit_values(self.import_limit));
        limits
    }
}

/// A limit as [`limits::Limit::renew`] takes it.
pub fn limit_values(limit: Option<Limit>) -> Option<(u64, LimitAction)> {
    limit.map(|limit| (u64::from(limit.count), limit.action))
}

/// Puts another limit, or none, into force where routes are being counted. True if so many are there
/// already that it is hit, and the caller has to act.
pub fn renew_limit(limit: &limits::Limit, wanted: Option<Limit>, routes: &AtomicU64) -> bool {
    limit.renew(limit_values(wanted));
    // A slice that strikes first reports it.
    limit.strike_above(routes.load(Ordering::Relaxed))
}

/// Says that a limit is hit and, if that is its action, has the manager restart or disable the
/// instance. `channel` as in `show protocols all`.
pub fn limit_exceeded(
    log: &ProtocolLog,
    reporter: &Reporter,
    channel: impl fmt::Display,
    kind: LimitKind,
    (count, action): (u64, LimitAction),
) {
    let text = LimitHit { channel, kind, count, action };
    log.write(LogClass::Warning, format_args!("{text}"));
    let what = match action {
        LimitAction::Warn | LimitAction::Block => return,
        LimitAction::Restart => Automatic::Restart,
        LimitAction::Disable => Automatic::Disable,
    };
    reporter.report(InstanceEvent::Automatic(what, ROUTE_LIMIT_EXCEEDED.to_owned()));
}

/// Why an instance ends by a limit, for `show protocols all`.
pub const ROUTE_LIMIT_EXCEEDED: &str = "Route limit exceeded";

/// The text of the log when a limit is hit.
#[derive(Clone, Copy, Debug)]
pub struct LimitHit<C> {
    /// The channel's name.
    pub channel: C,
    /// Which of its limits.
    pub kind: LimitKind,
    /// Routes allowed.
    pub count: u64,
    /// What happens now.
    pub action: LimitAction,
}

impl<C: fmt::Display> fmt::Display for LimitHit<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, action) = (self.kind.name(), self.action.name());
        let Self { channel, count, .. } = self;
        write!(f, "Channel {channel} hits route {kind} limit ({count}), action: {action}")
    }
}

/// The lines of `show protocols all` on a limit, if there is one. `put` takes the name in front and
/// the value; `name` is such as `Import limit:`.
pub fn limit_lines(
    put: &mut impl FnMut(&str, &str),
    name: &str,
    limit: Option<Limit>,
    is_hit: bool,
) {
    if let Some(limit) = limit {
        let hit = if is_hit { " [HIT]" } else { "" };
        put(name, &format!("{}{hit}", limit.count));
        put("  Action:", limit.action.name());
    }
}
