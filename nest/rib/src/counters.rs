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
