//! Route limits of a channel: `receive limit`, `import limit`, `export limit`.

use core::sync::atomic::{AtomicBool, Ordering};

/// What happens when a limit is exceeded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
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

/// A limit and whether it is exceeded now.
#[derive(Debug)]
pub struct Limit {
    /// Routes allowed.
    pub max: u64,
    /// What to do beyond.
    pub action: LimitAction,
    /// Set by whoever exceeds it first, so that it is reported once; cleared by reconfiguration.
    /// `Relaxed` read-modify-writes: it publishes nothing but itself.
    hit: AtomicBool,
}

impl Limit {
    /// A limit that is not hit.
    pub fn new(max: u64, action: LimitAction) -> Self {
        Self { max, action, hit: AtomicBool::new(false) }
    }

    /// Marks it as hit; true for the first caller.
    pub fn strike(&self) -> bool {
        !self.hit.swap(true, Ordering::Relaxed)
    }

    /// Whether it is hit.
    pub fn is_hit(&self) -> bool {
        self.hit.load(Ordering::Relaxed)
    }

    /// Whether routes beyond it are dropped.
    pub fn drops(&self) -> bool {
        self.action != LimitAction::Warn
    }
}

/// A channel's import-side limits.
#[derive(Debug, Default)]
pub struct ImportLimits {
    /// On routes kept.
    pub receive: Option<Limit>,
    /// On routes accepted.
    pub import: Option<Limit>,
}
