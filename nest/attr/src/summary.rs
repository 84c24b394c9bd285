//! What is read from the wire bytes once, when a set is made.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use dunlin_net::as_path::AsPath;
use dunlin_net::community::Communities;

use crate::bgp::{CanonicalError, Tlv, Tlvs, is_foreign, kind};

/// Which attributes a set has: one bit each, so that a look costs no walk over the wire bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Present(u16);

impl Present {
    /// ORIGIN.
    pub const ORIGIN: Self = Self(1);
    /// AS_PATH.
    pub const AS_PATH: Self = Self(1 << 1);
    /// MULTI_EXIT_DISC.
    pub const MED: Self = Self(1 << 2);
    /// LOCAL_PREF.
    pub const LOCAL_PREF: Self = Self(1 << 3);
    /// COMMUNITIES.
    pub const COMMUNITIES: Self = Self(1 << 4);
    /// A community of the well-known range 65535:x (NO_EXPORT, LLGR_STALE …).
    pub const WELL_KNOWN: Self = Self(1 << 5);
    /// EXTENDED COMMUNITIES.
    pub const EXT_COMMUNITIES: Self = Self(1 << 6);
    /// LARGE_COMMUNITY.
    pub const LARGE_COMMUNITIES: Self = Self(1 << 7);
    /// ORIGINATOR_ID.
    pub const ORIGINATOR_ID: Self = Self(1 << 8);
    /// CLUSTER_LIST.
    pub const CLUSTER_LIST: Self = Self(1 << 9);
    /// AIGP.
    pub const AIGP: Self = Self(1 << 10);
    /// ONLY_TO_CUSTOMER.
    pub const ONLY_TO_CUSTOMER: Self = Self(1 << 11);
    /// An attribute of a type without a bit of its own.
    pub const OTHER: Self = Self(1 << 12);
    /// A confederation segment in the AS path.
    pub const CONFED: Self = Self(1 << 13);
    /// An AS_SET or AS_CONFED_SET in the AS path.
    pub const AS_SET: Self = Self(1 << 14);

    /// All bits of the other are set.
    #[inline]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Any bit of the other is set.
    #[inline]
    pub const fn any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The bits of both.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// What best-route selection compares, read from the wire bytes once.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Summary {
    pub(crate) local_pref: u32,
    pub(crate) med: u32,
    pub(crate) neighbour_as: u32,
    pub(crate) path_hops: u16,
    pub(crate) origin: u8,
    pub(crate) present: Present,
}

impl Summary {
    /// Scans well-formed bytes; what does not fit its type counts as absent.
    pub(crate) fn scan(wire: &[u8]) -> Self {
        let mut summary = Self::default();
        for tlv in Tlvs::new(wire) {
            summary.take(tlv);
        }
        summary
    }

    /// Scans and checks.
    pub(crate) fn check(wire: &[u8]) -> Result<Self, CanonicalError> {
        let mut summary = Self::default();
        let mut tlvs = Tlvs::new(wire);
        let mut before = None;
        for tlv in tlvs.by_ref() {
            if before.is_some_and(|before| tlv.kind <= before) {
                return Err(CanonicalError::Order(tlv.kind));
            }
            before = Some(tlv.kind);
            summary.take(tlv);
            if is_foreign(tlv.kind) {
                return Err(CanonicalError::Foreign(tlv.kind));
            }
        }
        // A truncated attribute stops the walk before it.
        if tlvs.remaining().is_empty() { Ok(summary) } else { Err(CanonicalError::Truncated) }
    }

    fn take(&mut self, tlv: Tlv<'_>) {
        let word = || <[u8; 4]>::try_from(tlv.value).ok().map(u32::from_be_bytes);
        let bit = match tlv.kind {
            kind::ORIGIN => {
                self.origin = tlv.value.first().copied().unwrap_or_default();
                Present::ORIGIN
            }
            kind::AS_PATH => {
                self.take_path(AsPath(tlv.value));
                Present::AS_PATH
            }
            kind::MULTI_EXIT_DISC => {
                let Some(med) = word() else { return };
                self.med = med;
                Present::MED
            }
            kind::LOCAL_PREF => {
                let Some(local_pref) = word() else { return };
                self.local_pref = local_pref;
                Present::LOCAL_PREF
            }
            kind::COMMUNITIES => {
                if Communities::new(tlv.value).any(|community| community.asn() == u16::MAX) {
                    self.present = self.present.with(Present::WELL_KNOWN);
                }
                Present::COMMUNITIES
            }
            kind::EXT_COMMUNITIES => Present::EXT_COMMUNITIES,
            kind::LARGE_COMMUNITIES => Present::LARGE_COMMUNITIES,
            kind::ORIGINATOR_ID => Present::ORIGINATOR_ID,
            kind::CLUSTER_LIST => Present::CLUSTER_LIST,
            kind::AIGP => Present::AIGP,
            kind::ONLY_TO_CUSTOMER => Present::ONLY_TO_CUSTOMER,
            _ => Present::OTHER,
        };
        self.present = self.present.with(bit);
    }

    fn take_path(&mut self, path: AsPath<'_>) {
        self.path_hops = u16::try_from(path.hops()).unwrap_or(u16::MAX);
        self.neighbour_as = path.neighbour().unwrap_or_default();
        for segment in path.segments() {
            if segment.kind.is_confed() {
                self.present = self.present.with(Present::CONFED);
            }
            if segment.kind.is_set() {
                self.present = self.present.with(Present::AS_SET);
            }
        }
    }
}
