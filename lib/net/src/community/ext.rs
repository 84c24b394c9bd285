//! Extended communities (RFC 4360, RFC 5668).
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use core::fmt;
use core::net::Ipv4Addr;
use core::str::FromStr;

use super::element::Element;
use super::{ParseCommunityError, fields, number};

/// The kind word of the filter language: `(KIND, key, value)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EcKind {
    /// `rt`: route target.
    RouteTarget,
    /// `ro`: route origin.
    RouteOrigin,
    /// `generic`: key and value are the two halves as they are.
    Generic,
    /// `unknown N`: the type and sub-type as a number.
    Unknown(u16),
}

impl EcKind {
    /// Type and sub-type with the type's encoding bits (AS, IPv4, 4-octet AS) zero.
    const fn base(self) -> u16 {
        match self {
            Self::RouteTarget => 0x0002,
            Self::RouteOrigin => 0x0003,
            Self::Generic => 0,
            Self::Unknown(kind) => kind,
        }
    }
}

/// An extended community. `Display`: `(rt, 65001, 9)`, `(ro, 10.0.0.1, 9)`,
/// `(unknown 0x4004, 1, 2)`, `(generic, 0x80060000, 0x0)`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExtCommunity(pub u64);

impl ExtCommunity {
    /// As the filter language makes it from an integer key: two-octet AS form if the key fits, else
    /// four-octet AS form with a 16-bit value. `None` if the value does not fit.
    pub fn new(kind: EcKind, key: u32, value: u32) -> Option<Self> {
        if kind == EcKind::Generic {
            return Some(Self(u64::from(key) << 32 | u64::from(value)));
        }
        match u16::try_from(key) {
            Ok(key) => Some(Self::two_octet_as(kind, key, value)),
            Err(_) => Some(Self::wide(kind.base() | 0x0200, key, u16::try_from(value).ok()?)),
        }
    }

    /// As the filter language makes it from an IPv4 key. `None` if the value does not fit 16 bits.
    pub fn with_ip(kind: EcKind, key: Ipv4Addr, value: u32) -> Option<Self> {
        if kind == EcKind::Generic {
            return Self::new(kind, key.to_bits(), value);
        }
        Some(Self::wide(kind.base() | 0x0100, key.to_bits(), u16::try_from(value).ok()?))
    }

    /// The two-octet AS form.
    pub const fn two_octet_as(kind: EcKind, key: u16, value: u32) -> Self {
        Self((kind.base() as u64) << 48 | (key as u64) << 32 | value as u64)
    }

    const fn wide(kind: u16, key: u32, value: u16) -> Self {
        Self((kind as u64) << 48 | (key as u64) << 16 | value as u64)
    }

    /// Type and sub-type.
    pub const fn kind(self) -> u16 {
        (self.0 >> 48) as u16
    }

    /// Propagated to other ASes (RFC 4360 section 2: the T bit is clear).
    pub const fn is_transitive(self) -> bool {
        self.0 >> 62 & 1 == 0
    }
}

impl Element for ExtCommunity {
    const SIZE: usize = 8;

    #[inline]
    fn read(bytes: &[u8]) -> Self {
        Self(bytes.first_chunk::<8>().map_or(0, |word| u64::from_be_bytes(*word)))
    }

    #[inline]
    fn write(self, buf: &mut Vec<u8>) {
        buf.extend_from_slice(&self.0.to_be_bytes());
    }
}

impl fmt::Display for ExtCommunity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let encoding = (self.0 >> 56) as u8;
        // Known encodings are AS, IPv4 and 4-octet AS, each transitive or not.
        if !matches!(encoding, 0x00..=0x02 | 0x40..=0x42) {
            return write!(f, "(generic, {:#x}, {:#x})", self.0 >> 32, self.0 as u32);
        }
        match self.kind() & 0xf0ff {
            0x0002 => f.write_str("(rt, ")?,
            0x0003 => f.write_str("(ro, ")?,
            _ => write!(f, "(unknown {:#x}, ", self.kind())?,
        }
        let wide_key = (self.0 >> 16) as u32;
        match encoding & 0x0f {
            0 => write!(f, "{}, {})", (self.0 >> 32) as u16, self.0 as u32),
            1 => write!(f, "{}, {})", Ipv4Addr::from_bits(wide_key), self.0 as u16),
            _ => write!(f, "{wide_key}, {})", self.0 as u16),
        }
    }
}

impl fmt::Debug for ExtCommunity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ExtCommunity {
    type Err = ParseCommunityError;

    fn from_str(text: &str) -> Result<Self, ParseCommunityError> {
        let [kind, key, value] = fields(text)?;
        let kind = match kind.strip_prefix("unknown ") {
            Some(kind) => {
                EcKind::Unknown(number(kind)?.try_into().map_err(|_| ParseCommunityError)?)
            }
            None if kind == "rt" => EcKind::RouteTarget,
            None if kind == "ro" => EcKind::RouteOrigin,
            None if kind == "generic" => EcKind::Generic,
            None => return Err(ParseCommunityError),
        };
        let value = number(value)?;
        if let EcKind::Unknown(kind) = kind {
            return Self::parse_unknown(kind, key, value);
        }
        match key.parse() {
            Ok(key) => Self::with_ip(kind, key, value),
            // The text does not tell the four-octet AS form of a small AS number from the two-octet
            // one; it reads as the latter, as in the filter language.
            Err(_) => Self::new(kind, number(key)?, value),
        }
        .ok_or(ParseCommunityError)
    }
}

impl ExtCommunity {
    /// The number after `unknown` holds the encoding bits, so it says how to read the key.
    fn parse_unknown(kind: u16, key: &str, value: u32) -> Result<Self, ParseCommunityError> {
        let short = || u16::try_from(value).map_err(|_| ParseCommunityError);
        match kind >> 8 & 0x0f {
            1 => {
                let key: Ipv4Addr = key.parse().map_err(|_| ParseCommunityError)?;
                Ok(Self::wide(kind, key.to_bits(), short()?))
            }
            2 => Ok(Self::wide(kind, number(key)?, short()?)),
            _ => {
                let key = u16::try_from(number(key)?).map_err(|_| ParseCommunityError)?;
                Ok(Self::two_octet_as(EcKind::Unknown(kind), key, value))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_by_encoding() {
        for (bits, text) in [
            (0x0002_fde9_0000_0009, "(rt, 65001, 9)"),
            (0x0003_0929_0607_1639, "(ro, 2345, 101127737)"),
            (0x0103_0203_0405_1a85, "(ro, 2.3.4.5, 6789)"),
            (0x0202_0001_0000_0007, "(rt, 65536, 7)"),
            (0x4004_0001_0000_0002, "(unknown 0x4004, 1, 2)"),
            (0x010c_0102_0304_0000, "(unknown 0x10c, 1.2.3.4, 0)"),
            (0x8006_0000_0000_0000, "(generic, 0x80060000, 0x0)"),
            (0x0702_0000_00fe_80fe, "(generic, 0x7020000, 0xfe80fe)"),
        ] {
            assert_eq!(ExtCommunity(bits).to_string(), text);
            assert_eq!(text.parse(), Ok(ExtCommunity(bits)), "{text}");
        }
    }

    #[test]
    fn made_as_the_filter_language_does() {
        use EcKind::{Generic, RouteTarget, Unknown};
        let new = |kind, key, value| ExtCommunity::new(kind, key, value).map(|ec| ec.0);
        assert_eq!(new(RouteTarget, 10, 20), Some(0x0002_000a_0000_0014));
        assert_eq!(new(RouteTarget, 0x10000, 20), Some(0x0202_0001_0000_0014));
        assert_eq!(new(RouteTarget, 0x10000, 0x10000), None);
        assert_eq!(new(Generic, 1, 2), Some(0x0000_0001_0000_0002));
        assert_eq!(new(Unknown(0x4302), 1, 2), Some(0x4302_0001_0000_0002));
        let ip = ExtCommunity::with_ip(RouteTarget, Ipv4Addr::new(1, 2, 3, 4), 5);
        assert_eq!(ip.map(|ec| ec.0), Some(0x0102_0102_0304_0005));
        assert!(ip.is_some_and(ExtCommunity::is_transitive));
        assert!(!ExtCommunity(0x4002 << 48).is_transitive());
    }
}
