//! The small enumerations that filters see.

use core::fmt;

/// Where a route came from: the filter's `source`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Rts {
    /// RTS_STATIC
    Static = 1,
    /// RTS_INHERIT
    Inherit,
    /// RTS_DEVICE
    Device,
    /// RTS_STATIC_DEVICE
    StaticDevice,
    /// RTS_REDIRECT
    Redirect,
    /// RTS_RIP
    Rip,
    /// RTS_OSPF
    Ospf,
    /// RTS_OSPF_IA
    OspfIa,
    /// RTS_OSPF_EXT1
    OspfExt1,
    /// RTS_OSPF_EXT2
    OspfExt2,
    /// RTS_BGP
    Bgp,
    /// RTS_PIPE
    Pipe,
    /// RTS_BABEL
    Babel,
    /// RTS_RPKI
    Rpki,
    /// RTS_L3VPN
    L3vpn,
    /// RTS_AGGREGATED
    Aggregated,
}

impl Rts {
    /// Every source, in order of their numbers.
    pub const ALL: [Self; 16] = [
        Self::Static,
        Self::Inherit,
        Self::Device,
        Self::StaticDevice,
        Self::Redirect,
        Self::Rip,
        Self::Ospf,
        Self::OspfIa,
        Self::OspfExt1,
        Self::OspfExt2,
        Self::Bgp,
        Self::Pipe,
        Self::Babel,
        Self::Rpki,
        Self::L3vpn,
        Self::Aggregated,
    ];

    /// The constant of the filter language.
    pub const fn constant(self) -> &'static str {
        match self {
            Self::Static => "RTS_STATIC",
            Self::Inherit => "RTS_INHERIT",
            Self::Device => "RTS_DEVICE",
            Self::StaticDevice => "RTS_STATIC_DEVICE",
            Self::Redirect => "RTS_REDIRECT",
            Self::Rip => "RTS_RIP",
            Self::Ospf => "RTS_OSPF",
            Self::OspfIa => "RTS_OSPF_IA",
            Self::OspfExt1 => "RTS_OSPF_EXT1",
            Self::OspfExt2 => "RTS_OSPF_EXT2",
            Self::Bgp => "RTS_BGP",
            Self::Pipe => "RTS_PIPE",
            Self::Babel => "RTS_BABEL",
            Self::Rpki => "RTS_RPKI",
            Self::L3vpn => "RTS_L3VPN",
            Self::Aggregated => "RTS_AGGREGATED",
        }
    }

    /// The source with this number.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|source| *source as u32 == number)
    }
}

/// The word in `show route all`.
impl fmt::Display for Rts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Static => "static",
            Self::Inherit => "inherit",
            Self::Device => "device",
            Self::StaticDevice => "static-device",
            Self::Redirect => "redirect",
            Self::Rip => "RIP",
            Self::Ospf => "OSPF",
            Self::OspfIa => "OSPF-IA",
            Self::OspfExt1 => "OSPF-E1",
            Self::OspfExt2 => "OSPF-E2",
            Self::Bgp => "BGP",
            Self::Pipe => "pipe",
            Self::Babel => "Babel",
            Self::Rpki => "RPKI",
            Self::L3vpn => "L3VPN",
            Self::Aggregated => "aggregated",
        })
    }
}

/// What is done with matching packets: the filter's `dest`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(u8)]
pub enum Dest {
    /// RTD_UNICAST: forwarded to the next hop.
    #[default]
    Unicast = 1,
    /// RTD_BLACKHOLE: dropped in silence.
    Blackhole,
    /// RTD_UNREACHABLE: answered with host unreachable.
    Unreachable,
    /// RTD_PROHIBIT: answered with administratively prohibited.
    Prohibit,
}

impl Dest {
    /// Every destination, in order of their numbers.
    pub const ALL: [Self; 4] = [Self::Unicast, Self::Blackhole, Self::Unreachable, Self::Prohibit];

    /// The constant of the filter language.
    pub const fn constant(self) -> &'static str {
        match self {
            Self::Unicast => "RTD_UNICAST",
            Self::Blackhole => "RTD_BLACKHOLE",
            Self::Unreachable => "RTD_UNREACHABLE",
            Self::Prohibit => "RTD_PROHIBIT",
        }
    }

    /// The destination with this number.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|dest| *dest as u32 == number)
    }
}

/// The word in `show route`.
impl fmt::Display for Dest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unicast => "unicast",
            Self::Blackhole => "blackhole",
            Self::Unreachable => "unreachable",
            Self::Prohibit => "prohibited",
        })
    }
}

/// The ORIGIN attribute (RFC 4271 section 4.3); the lower the better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Origin {
    /// ORIGIN_IGP
    Igp = 0,
    /// ORIGIN_EGP
    Egp = 1,
    /// ORIGIN_INCOMPLETE
    Incomplete = 2,
}

impl Origin {
    /// Every origin, in order of their numbers.
    pub const ALL: [Self; 3] = [Self::Igp, Self::Egp, Self::Incomplete];

    /// The origin with this number.
    pub const fn from_wire(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Igp),
            1 => Some(Self::Egp),
            2 => Some(Self::Incomplete),
            _ => None,
        }
    }

    /// The constant of the filter language.
    pub const fn constant(self) -> &'static str {
        match self {
            Self::Igp => "ORIGIN_IGP",
            Self::Egp => "ORIGIN_EGP",
            Self::Incomplete => "ORIGIN_INCOMPLETE",
        }
    }

    /// The letter in `show route`.
    pub const fn letter(self) -> char {
        match self {
            Self::Igp => 'i',
            Self::Egp => 'e',
            Self::Incomplete => '?',
        }
    }
}

/// The word in `show route all`.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Igp => "IGP",
            Self::Egp => "EGP",
            Self::Incomplete => "Incomplete",
        })
    }
}
