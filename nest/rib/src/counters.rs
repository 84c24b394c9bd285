//! Counters of one channel, shared by the slices that serve it.
//!
//! Slices add to them once per batch, never per route; readers (`show protocols all`) see a
//! momentary, not a consistent picture.

use core::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($(#[$doc:meta])* $name:ident / $delta:ident { $($(#[$field_doc:meta])* $field:ident),* $(,)? }) => {
        $(#[$doc])*
        ///
        /// Every field: written by slices and egress loops (`Relaxed`, it publishes nothing else),
        /// read by commands.
        #[derive(Debug, Default)]
        pub struct $name { $($(#[$field_doc])* pub $field: AtomicU64),* }

        /// What one batch adds to the counters of the same names.
        #[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
        pub struct $delta { $($(#[$field_doc])* pub $field: u64),* }

        impl $name {
            /// Adds a batch's figures.
            pub fn add(&self, delta: &$delta) {
                $(if delta.$field != 0 { self.$field.fetch_add(delta.$field, Ordering::Relaxed); })*
            }

            /// A momentary copy.
            pub fn read(&self) -> $delta {
                $delta { $($field: self.$field.load(Ordering::Relaxed)),* }
            }
        }

        impl $delta {
            /// What both add.
            #[must_use]
            pub fn plus(&self, other: &Self) -> Self {
                Self { $($field: self.$field.wrapping_add(other.$field)),* }
            }

            /// What was added since `earlier`. Counts that may fall are not below zero.
            #[must_use]
            pub fn since(&self, earlier: &Self) -> Self {
                Self { $($field: self.$field.saturating_sub(earlier.$field)),* }
            }
        }
    };
}

counters!(
    /// What a channel imported, in BIRD's columns.
    ImportCounters / ImportDelta {
        /// Announcements received.
        updates_received,
        /// Announcements refused before the filter (invalid).
        updates_rejected,
        /// Announcements rejected by the import filter.
        updates_filtered,
        /// Announcements that changed nothing.
        updates_ignored,
        /// Announcements dropped by the receive limit.
        updates_receive_limited,
        /// Announcements dropped by the import limit.
        updates_limited,
        /// Announcements accepted.
        updates_accepted,
        /// Withdrawals received.
        withdraws_received,
        /// Withdrawals refused before looking them up (invalid).
        withdraws_rejected,
        /// Withdrawals of routes that were not there.
        withdraws_ignored,
        /// Withdrawals that removed an accepted route.
        withdraws_accepted,
        /// Import filters evaluated (less than routes: verdicts are shared by attribute set).
        filter_runs,
        /// Verdicts used again instead that were remembered from an earlier batch or another network.
        filter_reused,
    }
);

counters!(
    /// What a channel exported, in BIRD's columns, and how much of the work was shared.
    ExportCounters / ExportDelta {
        /// Best-route changes considered.
        updates_received,
        /// Refused before the filter (split horizon, protocol rules).
        updates_rejected,
        /// Rejected by the export filter.
        updates_filtered,
        /// Dropped by the export limit.
        updates_limited,
        /// Announcements accepted.
        updates_accepted,
        /// Withdrawals considered.
        withdraws_received,
        /// Withdrawals sent.
        withdraws_accepted,
        /// Prefixes announced now.
        exported,
    }
);

/// What a group's figures have of the routes of one source. The source's own session is not told of
/// them, so for that session they are rejected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnRoutes {
    /// Networks that the group holds with a route of the source.
    pub held: u64,
    /// Announcements of the source's routes.
    pub updates: u64,
    /// Those of them that took the place of another's route.
    pub replacing: u64,
    /// Withdrawals of the source's routes.
    pub withdraws: u64,
}

impl OwnRoutes {
    /// Of two slices.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            held: self.held + other.held,
            updates: self.updates + other.updates,
            replacing: self.replacing + other.replacing,
            withdraws: self.withdraws + other.withdraws,
        }
    }

    /// What was counted since `earlier`, and what is held now.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            held: self.held,
            updates: self.updates.saturating_sub(earlier.updates),
            replacing: self.replacing.saturating_sub(earlier.replacing),
            withdraws: self.withdraws.saturating_sub(earlier.withdraws),
        }
    }

    /// A group's figures as they are for the source's own session.
    #[must_use]
    pub fn seen_from(&self, group: &ExportDelta) -> ExportDelta {
        ExportDelta {
            updates_rejected: group.updates_rejected + self.updates,
            updates_accepted: group.updates_accepted.saturating_sub(self.updates),
            withdraws_accepted: (group.withdraws_accepted + self.replacing)
                .saturating_sub(self.withdraws),
            exported: group.exported.saturating_sub(self.held),
            ..*group
        }
    }
}

/// Prefix counts of one import channel that rise and fall.
#[derive(Debug, Default)]
pub struct ImportGauges {
    /// Routes kept, filtered ones too. Written by slices, read by limits and commands (`Relaxed`:
    /// a count, it publishes nothing).
    pub received: AtomicU64,
    /// Routes accepted by the import filter. As above.
    pub accepted: AtomicU64,
    /// Accepted routes that are their network's best. As above.
    pub preferred: AtomicU64,
}

impl ImportGauges {
    /// Moves a gauge by a signed amount.
    pub fn shift(gauge: &AtomicU64, by: i64) {
        if by > 0 {
            gauge.fetch_add(by.unsigned_abs(), Ordering::Relaxed);
        } else if by < 0 {
            gauge.fetch_sub(by.unsigned_abs(), Ordering::Relaxed);
        }
    }
}
