//! Address families (AFI and SAFI, RFC 4760) and small sets of them.

use core::fmt;

/// An address family: the AFI and SAFI of RFC 4760.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Family {
    /// Address family identifier.
    pub afi: u16,
    /// Subsequent address family identifier.
    pub safi: u8,
}

/// AFI of IPv4.
pub const AFI_IPV4: u16 = 1;
/// AFI of IPv6.
pub const AFI_IPV6: u16 = 2;

impl Family {
    /// IPv4 unicast.
    pub const IPV4: Self = Self { afi: AFI_IPV4, safi: 1 };
    /// IPv6 unicast.
    pub const IPV6: Self = Self { afi: AFI_IPV6, safi: 1 };

    /// The family of these two numbers.
    pub const fn new(afi: u16, safi: u8) -> Self {
        Self { afi, safi }
    }

    /// The carried family of this kind, if Dunlin carries it.
    pub const fn carried(self) -> Option<Carried> {
        match (self.afi, self.safi) {
            (1, 1) => Some(Carried::Ipv4),
            (2, 1) => Some(Carried::Ipv6),
            _ => None,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match (self.afi, self.safi) {
            (1, 1) => "ipv4",
            (2, 1) => "ipv6",
            (1, 2) => "ipv4-mc",
            (2, 2) => "ipv6-mc",
            (1, 4) => "ipv4-mpls",
            (2, 4) => "ipv6-mpls",
            (1, 128) => "vpn4-mpls",
            (2, 128) => "vpn6-mpls",
            (1, 129) => "vpn4-mc",
            (2, 129) => "vpn6-mc",
            (1, 133) => "flow4",
            (2, 133) => "flow6",
            (25, 70) => "evpn",
            _ => return write!(out, "<{}/{}>", self.afi, self.safi),
        };
        out.write_str(name)
    }
}

/// The families whose routes Dunlin carries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Carried {
    /// IPv4 unicast, in the classic fields of an UPDATE or in MP attributes.
    Ipv4,
    /// IPv6 unicast, in MP attributes.
    Ipv6,
}

impl Carried {
    /// Every carried family, in the order of their numbers.
    pub const ALL: [Self; 2] = [Self::Ipv4, Self::Ipv6];

    /// The numbers of this family.
    pub const fn family(self) -> Family {
        match self {
            Self::Ipv4 => Family::IPV4,
            Self::Ipv6 => Family::IPV6,
        }
    }

    const fn bit(self) -> u8 {
        match self {
            Self::Ipv4 => 1,
            Self::Ipv6 => 2,
        }
    }
}

impl fmt::Display for Carried {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.family().fmt(out)
    }
}

/// A set of carried families.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct FamilySet(u8);

impl FamilySet {
    /// No family.
    pub const NONE: Self = Self(0);

    /// This set with `family` in it.
    #[must_use]
    pub const fn with(self, family: Carried) -> Self {
        Self(self.0 | family.bit())
    }

    /// Whether `family` is in the set.
    pub const fn contains(self, family: Carried) -> bool {
        self.0 & family.bit() != 0
    }

    /// Whether no family is in the set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The families that are in both sets.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The families in the set, in the order of their numbers.
    pub fn iter(self) -> impl Iterator<Item = Carried> {
        Carried::ALL.into_iter().filter(move |family| self.contains(*family))
    }
}

impl FromIterator<Carried> for FamilySet {
    fn from_iter<I: IntoIterator<Item = Carried>>(families: I) -> Self {
        families.into_iter().fold(Self::NONE, Self::with)
    }
}
