//! The constants of the language.

use crate::types::EnumType;

/// Names without their start, and their values.
type Names = &'static [(&'static str, u32)];

/// The families of constants: how their names start, their type, the rest of their names.
const FAMILIES: &[(&str, EnumType, Names)] = &[
    ("RTS_", EnumType::Rts, RTS),
    ("RTD_", EnumType::Rtd, RTD),
    ("ROA_", EnumType::Roa, VALIDITY),
    ("ASPA_", EnumType::Aspa, VALIDITY),
    ("ORIGIN_", EnumType::Origin, ORIGIN),
    ("NET_EVPN_", EnumType::NetEvpn, NET_EVPN),
    ("NET_", EnumType::Net, NET),
    ("RA_PREF_", EnumType::RaPreference, RA_PREFERENCE),
    ("MPLS_POLICY_", EnumType::MplsPolicy, MPLS_POLICY),
    ("AF_", EnumType::Af, AF),
    ("KBR_SRC_", EnumType::KernelSource, KERNEL_SOURCE),
    ("SCOPE_", EnumType::Scope, SCOPE),
];

/// The value that an upper-case constant stands for.
#[must_use]
pub fn constant(name: &str) -> Option<(EnumType, u32)> {
    // Most names that are asked for are not of this kind.
    if !name.starts_with(|first: char| first.is_ascii_uppercase()) {
        return None;
    }
    FAMILIES.iter().find_map(|(start, kind, values)| {
        let rest = name.strip_prefix(start)?;
        let (_, value) = values.iter().find(|(name, _)| *name == rest)?;
        Some((*kind, *value))
    })
}

/// The name of the constant that has a value.
#[must_use]
pub fn name(kind: EnumType, value: u32) -> Option<String> {
    let (start, _, values) = FAMILIES.iter().find(|(_, family, _)| *family == kind)?;
    let (name, _) = values.iter().find(|(_, number)| *number == value)?;
    Some(format!("{start}{name}"))
}

/// The names of all constants, for advice.
pub(crate) fn names() -> impl Iterator<Item = String> {
    FAMILIES
        .iter()
        .flat_map(|(start, _, values)| values.iter().map(move |(name, _)| format!("{start}{name}")))
}

const RTS: Names = &[
    ("STATIC", 1),
    ("INHERIT", 2),
    ("DEVICE", 3),
    ("STATIC_DEVICE", 4),
    ("REDIRECT", 5),
    ("RIP", 6),
    ("OSPF", 7),
    ("OSPF_IA", 8),
    ("OSPF_EXT1", 9),
    ("OSPF_EXT2", 10),
    ("BGP", 11),
    ("PIPE", 12),
    ("BABEL", 13),
    ("RPKI", 14),
    ("PERF", 15),
    ("L3VPN", 16),
    ("AGGREGATED", 17),
    ("EVPN", 18),
];

const RTD: Names = &[("UNICAST", 1), ("BLACKHOLE", 2), ("UNREACHABLE", 3), ("PROHIBIT", 4)];

const VALIDITY: Names = &[("UNKNOWN", 0), ("VALID", 1), ("INVALID", 2)];

const ORIGIN: Names = &[("IGP", 0), ("EGP", 1), ("INCOMPLETE", 2)];

const NET: Names = &[
    ("IP4", 1),
    ("IP6", 2),
    ("VPN4", 3),
    ("VPN6", 4),
    ("ROA4", 5),
    ("ROA6", 6),
    ("FLOW4", 7),
    ("FLOW6", 8),
    ("IP6_SADR", 9),
    ("MPLS", 10),
    ("ASPA", 11),
    ("EVPN", 12),
    ("ETH", 13),
    ("NEIGHBOR", 14),
];

const NET_EVPN: Names = &[("EAD", 1), ("MAC", 2), ("IMET", 3), ("ES", 4)];

const RA_PREFERENCE: Names = &[("LOW", 0x18), ("MEDIUM", 0), ("HIGH", 0x08)];

const MPLS_POLICY: Names =
    &[("NONE", 0), ("STATIC", 1), ("PREFIX", 2), ("AGGREGATE", 3), ("VRF", 4)];

const AF: Names = &[("IPV4", 1), ("IPV6", 2)];

const KERNEL_SOURCE: Names = &[("BIRD", 0), ("LOCAL", 1), ("STATIC", 2), ("DYNAMIC", 3)];

const SCOPE: Names = &[("HOST", 0), ("LINK", 1), ("SITE", 2), ("ORGANIZATION", 3), ("UNIVERSE", 4)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_have_their_type() {
        assert_eq!(constant("RTS_BGP"), Some((EnumType::Rts, 11)));
        assert_eq!(constant("NET_EVPN_IMET"), Some((EnumType::NetEvpn, 3)));
        assert_eq!(constant("NET_IP6"), Some((EnumType::Net, 2)));
        assert_eq!(constant("RTD_ROUTER"), None);
    }

    #[test]
    fn values_have_their_names() {
        for constant_name in names() {
            let (kind, value) = constant(&constant_name).unwrap();
            assert_eq!(name(kind, value), Some(constant_name));
        }
        assert_eq!(name(EnumType::Rts, 99), None);
    }
}
