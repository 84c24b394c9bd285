//! Route limits of a channel: `receive limit`, `import limit`, `export limit`.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

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
    /// Routes allowed ([`NONE`] if there is no limit) times four, and what to do beyond, by its place
    /// in [`ACTIONS`]. Written by whoever reconfigures, read by slices (`Relaxed`: it publishes
    /// nothing, and a route early or late doesn't matter).
    word: AtomicU64,
    /// Set by whoever exceeds it first, so that it is reported once; cleared by reconfiguration.
    /// `Relaxed` read-modify-writes: it publishes nothing but itself.
    hit: AtomicBool,
}

/// More routes than there can be.
const NONE: u64 = u64::MAX >> 2;

const ACTIONS: [LimitAction; 4] =
    [LimitAction::Warn, LimitAction::Block, LimitAction::Restart, LimitAction::Disable];

impl Default for Limit {
    fn default() -> Self {
        Self::new(NONE, LimitAction::Warn)
    }
}

impl Limit {
    /// A limit that is not hit.
    pub fn new(max: u64, action: LimitAction) -> Self {
        let limit = Self { word: AtomicU64::new(NONE << 2), hit: AtomicBool::new(false) };
        limit.renew(Some((max, action)));
        limit
    }

    /// Puts another limit, or none, in place of this one. It is not hit then.
    pub fn renew(&self, limit: Option<(u64, LimitAction)>) {
        let (max, action) = limit.unwrap_or((NONE, LimitAction::Warn));
        self.word.store(max.min(NONE) << 2 | action as u64, Ordering::Relaxed);
        self.hit.store(false, Ordering::Relaxed);
    }

    /// Routes allowed.
    #[inline]
    pub fn max(&self) -> u64 {
        self.both().0
    }

    /// Whether there is a limit at all.
    #[inline]
    pub fn is_set(&self) -> bool {
        self.max() != NONE
    }

    /// Marks it as hit; true for the first caller.
    pub fn strike(&self) -> bool {
        !self.hit.swap(true, Ordering::Relaxed)
    }

    /// Whether it is hit.
    pub fn is_hit(&self) -> bool {
        self.hit.load(Ordering::Relaxed)
    }

    /// What happens beyond it.
    pub fn action(&self) -> LimitAction {
        self.both().1
    }

    /// Counts a route more; false if it is beyond the limit and must be dropped: then it isn't
    /// counted. Over all slices at once, so that the limit is exact. `hit` is for the first route
    /// beyond.
    pub fn admits(&self, gauge: &AtomicU64, hit: impl FnOnce()) -> bool {
        let before = gauge.fetch_add(1, Ordering::Relaxed);
        // Read once: it may be renewed meanwhile.
        let (max, action) = self.both();
        if before < max {
            return true;
        }
        if self.strike() {
            hit();
        }
        let admitted = action == LimitAction::Warn;
        if !admitted {
            gauge.fetch_sub(1, Ordering::Relaxed);
        }
        admitted
    }

    #[inline]
    fn both(&self) -> (u64, LimitAction) {
        let word = self.word.load(Ordering::Relaxed);
        (word >> 2, ACTIONS[(word & 3) as usize])
    }
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
