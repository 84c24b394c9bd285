//! What the configuration says about a session.

use core::time::Duration;

use super::negotiate::Required;
use crate::wire::capability::{Capabilities, Role};

/// Who the neighbour is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Neighbor {
    /// The AS with this number.
    As(u32),
    /// Whoever is in our AS.
    Internal,
    /// Whoever is in another AS.
    External,
}

/// Durations of a session. Zero means "not at all" where that makes sense.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Timers {
    /// Hold time that we propose.
    pub hold: Duration,
    /// Least hold time that we agree to.
    pub min_hold: Duration,
    /// Hold time until an OPEN came.
    pub startup_hold: Duration,
    /// Time between KEEPALIVEs; a third of the hold time if not given.
    pub keepalive: Option<Duration>,
    /// Least time between KEEPALIVEs.
    pub min_keepalive: Duration,
    /// How long nothing may be sent (RFC 9687); twice the hold time if not given.
    pub send_hold: Option<Duration>,
    /// From the start of the session to the first connection attempt.
    pub connect_delay: Duration,
    /// How long a connection attempt may take.
    pub connect_retry: Duration,
    /// Wait after an error: at first, and at most after repeated errors.
    pub error_wait: (Duration, Duration),
    /// After so long without an error, earlier ones are forgotten.
    pub error_forget: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            hold: seconds(240),
            min_hold: Duration::ZERO,
            startup_hold: seconds(240),
            keepalive: None,
            min_keepalive: Duration::ZERO,
            send_hold: None,
            connect_delay: seconds(5),
            connect_retry: seconds(120),
            error_wait: (seconds(60), seconds(300)),
            error_forget: seconds(300),
        }
    }
}

/// The causes of a received Cease after which the session stays down.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CeaseMask(pub u16);

impl CeaseMask {
    /// What the plain switch means: all but a connection collision.
    pub const SWITCH: Self = Self(0x1ff & !(1 << 7));

    /// Whether a Cease with this subcode is meant. Unknown ones count as a plain Cease.
    pub const fn contains(self, subcode: u8) -> bool {
        let bit = if subcode <= 8 { subcode } else { 0 };
        self.0 >> bit & 1 != 0
    }
}

/// Everything the state machine must know of the configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Our AS on this session.
    pub local_as: u32,
    /// Who the neighbour is.
    pub neighbor: Neighbor,
    /// Our BGP identifier.
    pub router_id: u32,
    /// Never connect, wait for the neighbour.
    pub passive: bool,
    /// Durations.
    pub timers: Timers,
    /// What we say that we can do.
    pub capabilities: Capabilities,
    /// After a neighbour's "unsupported optional parameter", try without capabilities.
    pub capability_fallback: bool,
    /// What the neighbour must be able to do.
    pub required: Required,
    /// Our role (RFC 9234).
    pub role: Option<Role>,
    /// Stay down after an error.
    pub disable_after_error: bool,
    /// Stay down after these Ceases.
    pub disable_after_cease: CeaseMask,
}
