//! Route limits of a channel: `receive limit`, `import limit`, `export limit`.

use core::sync::atomic::{AtomicU64, Ordering};

use dunlin_sync::limit::NO_LIMIT;
use dunlin_sync::{Admission, LimitWord};

/// What happens when a limit is exceeded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub enum LimitAction {
    /// Say so, nothing else.
    Warn,
    /// Drop further new routes.
    Block,
    /// Restart the protocol.
    Restart,
    /// Stop the protocol until it is enabled.
    #[default]
    Disable,
}

impl LimitAction {
    /// The word in configuration and in `show protocols all`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Warn => "warn",
            Self::Block => "block",
            Self::Restart => "restart",
            Self::Disable => "disable",
        }
    }
}

/// Which of a channel's limits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LimitKind {
    /// Routes received and kept, filtered ones included.
    Receive,
    /// Routes accepted.
    Import,
    /// Routes exported.
    Export,
}

impl LimitKind {
    /// The word in configuration and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Receive => "receive",
            Self::Import => "import",
            Self::Export => "export",
        }
    }
}

/// A bound of the tables themselves. Whoever comes beyond it is refused, and told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TooMany {
    /// Sources that have routes in one slice.
    Sources {
        /// As many as there may be.
        most: usize,
    },
    /// Members of one export group.
    Members {
        /// As many as there may be.
        most: usize,
    },
}

impl core::fmt::Display for TooMany {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Sources { most } => write!(f, "too many sources of routes, at most {most}"),
            Self::Members { most } => {
                write!(f, "too many sessions in one export group, at most {most}")
            }
        }
    }
}

/// A limit and whether it is exceeded now. By default there is none.
#[derive(Debug)]
pub struct Limit {
    /// Routes allowed, and what to do beyond, by its place in [`ACTIONS`]. Set by whoever reconfigures, counted
    /// against by slices, of which the first beyond it reports that.
    word: LimitWord,
}

const ACTIONS: [LimitAction; 4] =
    [LimitAction::Warn, LimitAction::Block, LimitAction::Restart, LimitAction::Disable];

impl Default for Limit {
    fn default() -> Self {
        Self::new(NO_LIMIT, LimitAction::Warn)
    }
}

impl Limit {
    /// A limit that is not hit.
    pub fn new(max: u64, action: LimitAction) -> Self {
        Self { word: LimitWord::new(max, action as u8) }
    }

    /// Puts another limit, or none, in place of this one. It is not hit then.
    pub fn renew(&self, limit: Option<(u64, LimitAction)>) {
        let (max, action) = limit.unwrap_or((NO_LIMIT, LimitAction::Warn));
        self.word.renew(max, action as u8);
    }

    /// Routes allowed.
    #[inline]
    pub fn max(&self) -> u64 {
        self.word.get().0
    }

    /// Whether there is a limit at all.
    #[inline]
    pub fn is_set(&self) -> bool {
        self.max() != NO_LIMIT
    }

    /// Marks it as hit if there are more routes than it allows; true for the first caller.
    pub fn strike_above(&self, routes: u64) -> bool {
        self.word.strike_above(routes)
    }

    /// Whether it is hit.
    pub fn is_hit(&self) -> bool {
        self.word.is_struck()
    }

    /// What happens beyond it.
    pub fn action(&self) -> LimitAction {
        action_of(self.word.get().1)
    }

    /// Counts a route more; false if it is beyond the limit and must be dropped: then it isn't
    /// counted. Over all slices at once, so that the limit is exact. `hit` is for the first route
    /// beyond.
    pub fn admits(&self, gauge: &AtomicU64, hit: impl FnOnce()) -> bool {
        let Admission::Beyond { action, first } = self.word.count(gauge) else { return true };
        if first {
            hit();
        }
        let admitted = action_of(action) == LimitAction::Warn;
        if !admitted {
            gauge.fetch_sub(1, Ordering::Relaxed);
        }
        admitted
    }
}

fn action_of(number: u8) -> LimitAction {
    ACTIONS[usize::from(number & 3)]
}

/// A channel's import-side limits.
#[derive(Debug, Default)]
pub struct ImportLimits {
    /// On routes kept.
    pub receive: Limit,
    /// On routes accepted.
    pub import: Limit,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_is_not_counted() {
        let limit = Limit::new(2, LimitAction::Block);
        let (gauge, mut hits) = (AtomicU64::new(0), 0);
        let mut admit = |limit: &Limit| limit.admits(&gauge, || hits += 1);
        assert_eq!([(); 4].map(|()| admit(&limit)), [true, true, false, false]);
        limit.renew(Some((1, LimitAction::Warn)));
        assert!(admit(&limit), "over the limit, but only to be said");
        limit.renew(None);
        assert!(!limit.is_set() && !limit.is_hit());
        assert!(admit(&limit));
        assert_eq!((gauge.into_inner(), hits), (4, 2), "once for each limit");
    }

    #[test]
    fn a_limit_keeps_its_numbers() {
        for action in ACTIONS {
            for max in [0, 1, u64::from(u32::MAX)] {
                let limit = Limit::new(max, action);
                assert_eq!((limit.max(), limit.action(), limit.is_set()), (max, action, true));
            }
        }
    }
}
