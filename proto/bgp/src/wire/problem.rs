//! What can be wrong with the routes of an UPDATE, and what follows from it (RFC 7606).

use core::fmt;

use dunlin_net::as_path::AsPathError;

use super::attribute::number;

/// Why the routes of an UPDATE are treated as withdrawn, or why an attribute was left out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Problem {
    /// The Optional or Transitive flag contradicts the attribute's kind.
    Flags(u8),
    /// The attribute has a wrong length.
    Length(u8),
    /// The attribute is longer than any can be once it is written as it is kept.
    TooLong(u8),
    /// The attribute's value means nothing.
    Value(u8),
    /// The attribute came more than once.
    Repeated(u8),
    /// The attribute isn't there but must be.
    Missing(u8),
    /// The attribute has no business on this kind of session.
    Misplaced(u8),
    /// An attribute that isn't optional and that nobody knows.
    Unrecognized(u8),
    /// The last attribute is cut off.
    Truncated,
    /// The AS path is malformed.
    Path(AsPathError),
    /// AS 0 is in the AS path (RFC 7607).
    PathZero,
    /// Confederation segments from outside a confederation.
    PathConfed,
    /// A set in the AS path (RFC 9774).
    PathSet,
    /// The path doesn't begin with the peer's AS, and that is asked for.
    FirstAs,
    /// A next hop that can't be one, or of a family that wasn't agreed upon.
    NextHop,
    /// Our AS is in the path more often than allowed.
    AsLoop,
    /// We are the originator.
    OriginatorLoop,
    /// Our cluster is in the cluster list.
    ClusterLoop,
    /// The route was meant for the neighbour and its customers (RFC 9234).
    Leak,
}

impl Problem {
    /// Whether this is nobody's fault: a loop that the protocol is made to cut.
    pub const fn is_loop(self) -> bool {
        matches!(self, Self::AsLoop | Self::OriginatorLoop | Self::ClusterLoop)
    }

    /// Whether the attributes are well-formed and only their routes aren't wanted: no reason to
    /// doubt what else is in the UPDATE.
    pub const fn is_policy(self) -> bool {
        self.is_loop() || matches!(self, Self::PathSet | Self::FirstAs | Self::TooLong(_))
    }

    /// The UPDATE error subcode that says it best, where only a session reset is left.
    pub const fn subcode(self) -> u8 {
        match self {
            Self::Flags(_) => 4,
            Self::Length(_) | Self::TooLong(_) => 5,
            Self::Unrecognized(_) => 2,
            Self::Missing(_) => 3,
            Self::Path(_) | Self::PathZero | Self::PathConfed | Self::PathSet | Self::FirstAs => 11,
            Self::NextHop => 8,
            Self::Value(number::ORIGIN) => 6,
            Self::Value(_) => 9,
            Self::AsLoop => 7,
            Self::Repeated(_)
            | Self::Misplaced(_)
            | Self::Truncated
            | Self::OriginatorLoop
            | Self::ClusterLoop
            | Self::Leak => 1,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flags(number) => write!(out, "{}: wrong flags", Name(*number)),
            Self::Length(number) => write!(out, "{}: wrong length", Name(*number)),
            Self::TooLong(number) => write!(out, "{}: too long", Name(*number)),
            Self::Value(number) => write!(out, "{}: invalid value", Name(*number)),
            Self::Repeated(number) => write!(out, "{}: more than once", Name(*number)),
            Self::Missing(number) => write!(out, "{}: missing", Name(*number)),
            Self::Misplaced(number) => write!(out, "{}: not on this session", Name(*number)),
            Self::Unrecognized(number) => write!(out, "{}: unknown but well-known", Name(*number)),
            Self::Truncated => out.write_str("attribute list is cut off"),
            Self::Path(error) => write!(out, "AS_PATH: {error}"),
            Self::PathZero => out.write_str("AS_PATH: contains AS 0"),
            Self::PathConfed => out.write_str("AS_PATH: confederation segment from outside"),
            Self::PathSet => out.write_str("AS_PATH: contains an AS_SET"),
            Self::FirstAs => out.write_str("AS_PATH: does not begin with the AS of the neighbor"),
            Self::NextHop => out.write_str("NEXT_HOP: not usable"),
            Self::AsLoop => out.write_str("own AS in AS_PATH"),
            Self::OriginatorLoop => out.write_str("own router ID in ORIGINATOR_ID"),
            Self::ClusterLoop => out.write_str("own cluster ID in CLUSTER_LIST"),
            Self::Leak => out.write_str("ONLY_TO_CUSTOMER: route leak"),
        }
    }
}

/// An attribute's name as the RFCs write it.
struct Name(u8);

impl fmt::Display for Name {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            number::ORIGIN => "ORIGIN",
            number::AS_PATH => "AS_PATH",
            number::NEXT_HOP => "NEXT_HOP",
            number::MED => "MULTI_EXIT_DISC",
            number::LOCAL_PREF => "LOCAL_PREF",
            number::ATOMIC_AGGREGATE => "ATOMIC_AGGREGATE",
            number::AGGREGATOR => "AGGREGATOR",
            number::COMMUNITY => "COMMUNITIES",
            number::ORIGINATOR_ID => "ORIGINATOR_ID",
            number::CLUSTER_LIST => "CLUSTER_LIST",
            number::MP_REACH => "MP_REACH_NLRI",
            number::MP_UNREACH => "MP_UNREACH_NLRI",
            number::EXT_COMMUNITY => "EXTENDED_COMMUNITIES",
            number::AS4_PATH => "AS4_PATH",
            number::AS4_AGGREGATOR => "AS4_AGGREGATOR",
            number::AIGP => "AIGP",
            number::LARGE_COMMUNITY => "LARGE_COMMUNITY",
            number::OTC => "ONLY_TO_CUSTOMER",
            other => return write!(out, "attribute {other}"),
        };
        out.write_str(name)
    }
}
