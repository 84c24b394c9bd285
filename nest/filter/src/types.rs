//! The types of the filter language.

use std::fmt;

/// A type. `Unknown` is the type of what is only known at run time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Type {
    /// Not known before the run.
    Unknown,
    /// No value at all.
    Void,
    /// `bool`
    Bool,
    /// `int`
    Int,
    /// `pair`
    Pair,
    /// `quad`
    Quad,
    /// `ip`
    Ip,
    /// `rd`
    Rd,
    /// `mac`
    Mac,
    /// `prefix`
    Prefix,
    /// `ec`
    Ec,
    /// `lc`
    Lc,
    /// `string`
    String,
    /// `bytestring`
    Bytes,
    /// `bgpmask`
    Mask,
    /// `bgppath`
    Path,
    /// `clist`
    Clist,
    /// `eclist`
    Eclist,
    /// `lclist`
    Lclist,
    /// `enum X`
    Enum(EnumType),
    /// Sets of single values.
    Set(Element),
    /// `prefix set`
    PrefixSet,
    /// `[]`, which is an empty set of any type.
    EmptySet,
    /// `route`
    Route,
    /// Attributes that can only be tested and removed.
    Opaque,
}

/// What a set is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Element {
    /// `int set`
    Int,
    /// `pair set`
    Pair,
    /// `quad set`
    Quad,
    /// `ip set`
    Ip,
    /// `rd set`
    Rd,
    /// `mac set`
    Mac,
    /// `ec set`
    Ec,
    /// `lc set`
    Lc,
    /// `enum X set`
    Enum(EnumType),
}

/// The enumerations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EnumType {
    /// Source of a route.
    Rts,
    /// BGP origin.
    Origin,
    /// Scope of an address.
    Scope,
    /// Kind of destination.
    Rtd,
    /// Result of `roa_check`.
    Roa,
    /// Type of a network.
    Net,
    /// Router preference of router advertisements.
    RaPreference,
    /// Address family.
    Af,
    /// Result of `aspa_check`.
    Aspa,
    /// EVPN route type.
    NetEvpn,
    /// MPLS label policy.
    MplsPolicy,
    /// Origin of a kernel route.
    KernelSource,
}

impl EnumType {
    /// The number by which values of this type are printed.
    #[must_use]
    pub const fn code(self) -> u32 {
        match self {
            Self::Rts => 0x30,
            Self::Origin => 0x31,
            Self::Scope => 0x32,
            Self::Rtd => 0x34,
            Self::Roa => 0x35,
            Self::Net => 0x36,
            Self::RaPreference => 0x37,
            Self::Af => 0x38,
            Self::Aspa => 0x39,
            Self::NetEvpn => 0x3a,
            Self::MplsPolicy => 0x3b,
            Self::KernelSource => 0x3c,
        }
    }

    /// The type with this name, as in `enum NAME`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "rts" => Self::Rts,
            "bgp_origin" | "origin" => Self::Origin,
            "scope" => Self::Scope,
            "rtd" => Self::Rtd,
            "roa" => Self::Roa,
            "nettype" | "net" => Self::Net,
            "ra_preference" => Self::RaPreference,
            "af" => Self::Af,
            "aspa" => Self::Aspa,
            "net_evpn" => Self::NetEvpn,
            "mpls_policy" => Self::MplsPolicy,
            "kbr_source" | "krt_source" => Self::KernelSource,
            _ => return None,
        })
    }

    /// The type's name in messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rts => "enum rts",
            Self::Origin => "enum bgp_origin",
            Self::Scope => "enum scope",
            Self::Rtd => "enum rtd",
            Self::Roa => "enum roa",
            Self::Net => "enum nettype",
            Self::RaPreference => "enum ra_preference",
            Self::Af => "enum af",
            Self::Aspa => "enum aspa",
            Self::NetEvpn => "enum net_evpn",
            Self::MplsPolicy => "enum mpls_policy",
            Self::KernelSource => "enum kbr_source",
        }
    }
}

impl Element {
    /// The type of one element.
    #[must_use]
    pub const fn of(self) -> Type {
        match self {
            Self::Int => Type::Int,
            Self::Pair => Type::Pair,
            Self::Quad => Type::Quad,
            Self::Ip => Type::Ip,
            Self::Rd => Type::Rd,
            Self::Mac => Type::Mac,
            Self::Ec => Type::Ec,
            Self::Lc => Type::Lc,
            Self::Enum(kind) => Type::Enum(kind),
        }
    }
}

impl Type {
    /// The set type of this type, if sets of it exist.
    #[must_use]
    pub const fn element(self) -> Option<Element> {
        Some(match self {
            Self::Int => Element::Int,
            Self::Pair => Element::Pair,
            Self::Quad => Element::Quad,
            Self::Ip => Element::Ip,
            Self::Rd => Element::Rd,
            Self::Mac => Element::Mac,
            Self::Ec => Element::Ec,
            Self::Lc => Element::Lc,
            Self::Enum(kind) => Element::Enum(kind),
            _ => return None,
        })
    }

    /// The element type of a list that `for` goes over.
    #[must_use]
    pub const fn item(self) -> Option<Self> {
        Some(match self {
            Self::Path => Self::Int,
            Self::Clist => Self::Pair,
            Self::Eclist => Self::Ec,
            Self::Lclist => Self::Lc,
            _ => return None,
        })
    }

    /// Whether a value of type `self` may stand where `wanted` is wanted, as far as is known
    /// before the run.
    #[must_use]
    pub fn fits(self, wanted: Self) -> bool {
        self == wanted
            || matches!((self, wanted), (Self::Unknown, _) | (_, Self::Unknown))
            || (self == Self::EmptySet && matches!(wanted, Self::Set(_) | Self::PrefixSet))
    }

    /// The type's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Void => "void",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Pair => "pair",
            Self::Quad => "quad",
            Self::Ip => "ip",
            Self::Rd => "rd",
            Self::Mac => "mac",
            Self::Prefix => "prefix",
            Self::Ec => "ec",
            Self::Lc => "lc",
            Self::String => "string",
            Self::Bytes => "bytestring",
            Self::Mask => "bgpmask",
            Self::Path => "bgppath",
            Self::Clist => "clist",
            Self::Eclist => "eclist",
            Self::Lclist => "lclist",
            Self::Enum(kind) => kind.name(),
            Self::Set(Element::Int) => "int set",
            Self::Set(Element::Pair) => "pair set",
            Self::Set(Element::Quad) => "quad set",
            Self::Set(Element::Ip) => "ip set",
            Self::Set(Element::Rd) => "rd set",
            Self::Set(Element::Mac) => "mac set",
            Self::Set(Element::Ec) => "ec set",
            Self::Set(Element::Lc) => "lc set",
            Self::Set(Element::Enum(_)) => "enum set",
            Self::PrefixSet => "prefix set",
            Self::EmptySet => "set",
            Self::Route => "route",
            Self::Opaque => "opaque",
        }
    }

    /// The type that one word names, apart from `enum X` and sets.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "bool" => Self::Bool,
            "int" => Self::Int,
            "pair" => Self::Pair,
            "quad" => Self::Quad,
            "ip" => Self::Ip,
            "rd" => Self::Rd,
            "mac" => Self::Mac,
            "prefix" => Self::Prefix,
            "ec" => Self::Ec,
            "lc" => Self::Lc,
            "string" => Self::String,
            "bytestring" => Self::Bytes,
            "bgpmask" => Self::Mask,
            "bgppath" => Self::Path,
            "clist" => Self::Clist,
            "eclist" => Self::Eclist,
            "lclist" => Self::Lclist,
            "route" => Self::Route,
            _ => return None,
        })
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
