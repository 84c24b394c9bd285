//! The attributes of routes as filters name them.

use dunlin_attr::{AttrId, kind};

use crate::types::{EnumType, Type};

/// An attribute.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Attribute {
    /// `net`
    Net,
    /// `proto`
    Proto,
    /// `source`
    Source,
    /// `gw`
    Gateway,
    /// `ifname`
    InterfaceName,
    /// `ifindex`
    InterfaceIndex,
    /// `weight`
    Weight,
    /// `onlink`
    Onlink,
    /// `dest`
    Dest,
    /// `preference`
    Preference,
    /// `from`
    From,
    /// `igp_metric`
    IgpMetric,
    /// A path attribute of BGP, by its type number, and its type here.
    Bgp(u8, Type),
    /// An attribute outside BGP.
    Extra(AttrId, Type),
    /// One bit of an attribute outside BGP.
    Bit(AttrId, u8),
}

/// Names of attributes that belong to parts that are not built, those parts, and the type.
const MISSING: &[(&str, &str, Type)] = &[
    ("gw_mpls", "MPLS", Type::Int),
    ("gw_mpls_stack", "MPLS", Type::Clist),
    (LABEL_STACK, "MPLS", Type::Clist),
];

const LABEL_STACK: &str = "bgp_mpls_label_stack";

/// Bits of `krt_lock`, by the kernel's numbers of metrics.
const LOCKS: &[(&str, u8)] = &[
    ("mtu", 2),
    ("window", 3),
    ("rtt", 4),
    ("rttvar", 5),
    ("ssthresh", 6),
    ("cwnd", 7),
    ("advmss", 8),
    ("reordering", 9),
    ("hoplimit", 10),
    ("initcwnd", 11),
    ("features", 12),
    ("rto_min", 13),
    ("initrwnd", 14),
    ("quickack", 15),
    ("congctl", 16),
    ("fastopen_no_cookie", 17),
];

/// Bits of `krt_features`.
const FEATURES: &[(&str, u8)] = &[("ecn", 0), ("allfrag", 3)];

/// The part that an attribute of this name would need, if that part is not built.
#[must_use]
pub fn missing(name: &str) -> Option<&'static str> {
    MISSING.iter().find(|(missing, ..)| *missing == name).map(|(_, part, _)| *part)
}

/// Names of attributes, for advice.
#[rustfmt::skip]
const NAMES: &[&str] = &[
    "net", "proto", "source", "gw", "ifname", "ifindex", "weight", "onlink", "dest", "preference",
    "bgp_origin", "bgp_path", "bgp_next_hop", "bgp_med", "bgp_local_pref", "bgp_atomic_aggr",
    "bgp_aggregator", "bgp_community", "bgp_originator_id", "bgp_cluster_list",
    "bgp_ext_community", "bgp_large_community", "bgp_pmsi_tunnel", "bgp_aigp", "bgp_otc",
];

/// The names of the attributes that there are without a definition.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    NAMES.iter().chain(AttrId::NAMES).copied()
}

impl Attribute {
    /// The attribute with this name, apart from those that the configuration defines.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::fixed(name).or_else(|| Self::bgp(name)).or_else(|| Self::extra(name))
    }

    fn fixed(name: &str) -> Option<Self> {
        Some(match name {
            "net" => Self::Net,
            "proto" => Self::Proto,
            "source" => Self::Source,
            "gw" => Self::Gateway,
            "ifname" => Self::InterfaceName,
            "ifindex" => Self::InterfaceIndex,
            "weight" => Self::Weight,
            "onlink" => Self::Onlink,
            "dest" => Self::Dest,
            "preference" => Self::Preference,
            "from" => Self::From,
            "igp_metric" => Self::IgpMetric,
            _ => return None,
        })
    }

    fn bgp(name: &str) -> Option<Self> {
        let (number, kind) = match name.strip_prefix("bgp_")? {
            "origin" => (kind::ORIGIN, Type::Enum(EnumType::Origin)),
            "path" => (kind::AS_PATH, Type::Path),
            "next_hop" => (kind::NEXT_HOP, Type::Ip),
            "med" => (kind::MULTI_EXIT_DISC, Type::Int),
            "local_pref" => (kind::LOCAL_PREF, Type::Int),
            "atomic_aggr" => (kind::ATOMIC_AGGREGATE, Type::Opaque),
            "aggregator" => (kind::AGGREGATOR, Type::Opaque),
            "community" => (kind::COMMUNITIES, Type::Clist),
            "originator_id" => (kind::ORIGINATOR_ID, Type::Quad),
            "cluster_list" => (kind::CLUSTER_LIST, Type::Clist),
            "ext_community" => (kind::EXT_COMMUNITIES, Type::Eclist),
            "large_community" => (kind::LARGE_COMMUNITIES, Type::Lclist),
            "pmsi_tunnel" => (kind::PMSI_TUNNEL, Type::Opaque),
            "aigp" => (kind::AIGP, Type::Opaque),
            "otc" => (kind::ONLY_TO_CUSTOMER, Type::Int),
            _ => return None,
        };
        Some(Self::Bgp(number, kind))
    }

    fn extra(name: &str) -> Option<Self> {
        let bit = |bits: &[(&str, u8)], name: &str| {
            bits.iter().find(|(bit, _)| *bit == name).map(|(_, number)| *number)
        };
        if let Some((_, _, kind)) = MISSING.iter().find(|(missing, ..)| *missing == name) {
            return Some(Self::Extra(AttrId::Custom(name.into()), *kind));
        }
        if let Some(lock) = name.strip_prefix("krt_lock_") {
            return bit(LOCKS, lock).map(|number| Self::Bit(AttrId::KernelLock, number));
        }
        if let Some(feature) = name.strip_prefix("krt_feature_") {
            return bit(FEATURES, feature).map(|number| Self::Bit(AttrId::KernelFeatures, number));
        }
        let id = match name {
            // As BIRD's guide has them.
            "ra_preference" => AttrId::RadvPreference,
            "ra_lifetime" => AttrId::RadvLifetime,
            _ => AttrId::from_name(name)?,
        };
        let kind = match id {
            AttrId::From | AttrId::KernelPrefsrc => Type::Ip,
            AttrId::KernelCongctl => Type::String,
            AttrId::OspfRouterId => Type::Quad,
            AttrId::BabelRouterId | AttrId::AspaProviders => Type::Opaque,
            AttrId::MplsPolicy => Type::Enum(EnumType::MplsPolicy),
            AttrId::RadvPreference => Type::Enum(EnumType::RaPreference),
            _ => Type::Int,
        };
        Some(Self::Extra(id, kind))
    }

    /// The type of its values.
    #[must_use]
    pub fn kind(&self) -> Type {
        match self {
            Self::Net => Type::Prefix,
            Self::Proto | Self::InterfaceName => Type::String,
            Self::Source => Type::Enum(EnumType::Rts),
            Self::Dest => Type::Enum(EnumType::Rtd),
            Self::Gateway | Self::From => Type::Ip,
            Self::InterfaceIndex | Self::Weight | Self::Preference | Self::IgpMetric => Type::Int,
            Self::Onlink | Self::Bit(..) => Type::Bool,
            Self::Bgp(_, kind) | Self::Extra(_, kind) => *kind,
        }
    }

    /// Part of the route itself or its next hop: always there, cannot be unset.
    #[must_use]
    pub fn is_static(&self) -> bool {
        !matches!(
            self,
            Self::Bgp(..) | Self::Extra(..) | Self::Bit(..) | Self::IgpMetric | Self::Preference
        )
    }

    /// Filters cannot set it.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        matches!(self, Self::Net | Self::Proto | Self::InterfaceIndex)
            || self.kind() == Type::Opaque
            || matches!(self, Self::Extra(AttrId::Custom(name), _) if **name == *LABEL_STACK)
    }

    /// A bit of a word that says which attributes a run has changed. Some share one: a word without it
    /// says that this was not changed.
    #[inline]
    pub(crate) const fn bit(&self) -> u64 {
        1 << match self {
            Self::Bgp(number, _) => *number % 48,
            Self::Net | Self::Proto | Self::Source | Self::InterfaceIndex => 48,
            Self::Gateway | Self::InterfaceName | Self::Weight | Self::Onlink | Self::Dest => 49,
            Self::Preference => 50,
            Self::From | Self::IgpMetric => 51,
            // A bit is a change of its word.
            Self::Extra(..) | Self::Bit(..) => 52,
        }
    }

    /// Whether it is the same. Most are told apart by a number.
    #[inline]
    pub(crate) fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Bgp(one, kind), Self::Bgp(other, wanted)) => one == other && kind == wanted,
            (Self::Bgp(..), _) | (_, Self::Bgp(..)) => false,
            _ => self == other,
        }
    }

    /// Its value depends on where the route came from, not only on its attributes.
    pub(crate) fn is_of_source(&self) -> bool {
        matches!(self, Self::Proto | Self::From)
    }

    /// Its value depends on how the next hop was resolved.
    pub(crate) fn is_of_hop(&self) -> bool {
        matches!(
            self,
            Self::Gateway
                | Self::InterfaceName
                | Self::InterfaceIndex
                | Self::IgpMetric
                | Self::Dest
                | Self::Weight
                | Self::Onlink
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_to_attributes_and_types() {
        let kind = |name| Attribute::from_name(name).map(|attribute| attribute.kind());
        assert_eq!(kind("bgp_path"), Some(Type::Path));
        assert_eq!(kind("krt_prefsrc"), Some(Type::Ip));
        assert_eq!(kind("krt_lock_mtu"), Some(Type::Bool));
        assert_eq!(kind("krt_lock_nothing"), None);
        assert_eq!(kind("ospf_router_id"), Some(Type::Quad));
        assert_eq!(kind("scope"), None);
        assert_eq!(Attribute::from_name("ra_lifetime"), Attribute::from_name("radv_lifetime"));
        assert_eq!(kind("ra_preference"), Some(Type::Enum(EnumType::RaPreference)));
        assert_eq!(kind("mpls_policy"), Some(Type::Enum(EnumType::MplsPolicy)));
        assert_eq!(missing("gw_mpls"), Some("MPLS"));
        assert_eq!(kind("gw_mpls"), Some(Type::Int));
        assert!(Attribute::from_name(LABEL_STACK).unwrap().is_read_only());
        for name in names() {
            assert!(kind(name).is_some(), "{name}");
        }
    }
}
