//! The elements of lists, but for extended communities.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use core::fmt;
use core::hash::Hash;
use core::net::Ipv4Addr;
use core::str::FromStr;

use super::{ParseCommunityError, fields, number};

/// What a [`super::List`] consists of: a fixed number of bytes on the wire.
pub trait Element:
    Copy + Eq + Ord + Hash + fmt::Debug + fmt::Display + FromStr + Send + Sync + 'static
{
    /// Bytes on the wire.
    const SIZE: usize;

    /// From [`Element::SIZE`] bytes; missing ones read as zero.
    fn read(bytes: &[u8]) -> Self;

    /// Appends [`Element::SIZE`] bytes.
    fn write(self, buf: &mut Vec<u8>);
}

/// A community (RFC 1997). `Display`: `(65002,1)`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Community(pub u32);

impl Community {
    /// From its two halves.
    pub const fn new(asn: u16, data: u16) -> Self {
        Self((asn as u32) << 16 | data as u32)
    }

    /// The upper half.
    pub const fn asn(self) -> u16 {
        (self.0 >> 16) as u16
    }

    /// The lower half.
    pub const fn data(self) -> u16 {
        self.0 as u16
    }
}

/// Communities with a meaning of their own.
pub mod well_known {
    use super::Community;

    /// RFC 8326.
    pub const GRACEFUL_SHUTDOWN: Community = Community(0xffff_0000);
    /// RFC 9494.
    pub const LLGR_STALE: Community = Community(0xffff_0006);
    /// RFC 9494.
    pub const NO_LLGR: Community = Community(0xffff_0007);
    /// RFC 7999.
    pub const BLACKHOLE: Community = Community(0xffff_029a);
    /// RFC 1997.
    pub const NO_EXPORT: Community = Community(0xffff_ff01);
    /// RFC 1997.
    pub const NO_ADVERTISE: Community = Community(0xffff_ff02);
    /// RFC 1997.
    pub const NO_EXPORT_SUBCONFED: Community = Community(0xffff_ff03);
}

impl Element for Community {
    const SIZE: usize = 4;

    #[inline]
    fn read(bytes: &[u8]) -> Self {
        Self(word(bytes))
    }

    #[inline]
    fn write(self, buf: &mut Vec<u8>) {
        buf.extend_from_slice(&self.0.to_be_bytes());
    }
}

impl fmt::Display for Community {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({},{})", self.asn(), self.data())
    }
}

impl fmt::Debug for Community {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Community {
    type Err = ParseCommunityError;

    fn from_str(text: &str) -> Result<Self, ParseCommunityError> {
        let [asn, data] = fields(text)?;
        let half = |text| u16::try_from(number(text)?).map_err(|_| ParseCommunityError);
        Ok(Self::new(half(asn)?, half(data)?))
    }
}

/// A 32-bit identifier written as a dotted quad: router and cluster ids.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quad(pub u32);

impl Element for Quad {
    const SIZE: usize = 4;

    #[inline]
    fn read(bytes: &[u8]) -> Self {
        Self(word(bytes))
    }

    #[inline]
    fn write(self, buf: &mut Vec<u8>) {
        buf.extend_from_slice(&self.0.to_be_bytes());
    }
}

impl fmt::Display for Quad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ipv4Addr::from_bits(self.0).fmt(f)
    }
}

impl fmt::Debug for Quad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Quad {
    type Err = ParseCommunityError;

    fn from_str(text: &str) -> Result<Self, ParseCommunityError> {
        let addr: Ipv4Addr = text.trim().parse().map_err(|_| ParseCommunityError)?;
        Ok(Self(addr.to_bits()))
    }
}

/// A large community (RFC 8092). `Display`: `(65002, 1, 1)`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LargeCommunity {
    /// The global administrator.
    pub asn: u32,
    /// The first local part.
    pub data1: u32,
    /// The second local part.
    pub data2: u32,
}

impl LargeCommunity {
    /// From its three parts.
    pub const fn new(asn: u32, data1: u32, data2: u32) -> Self {
        Self { asn, data1, data2 }
    }
}

impl Element for LargeCommunity {
    const SIZE: usize = 12;

    #[inline]
    fn read(bytes: &[u8]) -> Self {
        let part = |at| word(bytes.get(at..).unwrap_or_default());
        Self::new(part(0), part(4), part(8))
    }

    #[inline]
    fn write(self, buf: &mut Vec<u8>) {
        for part in [self.asn, self.data1, self.data2] {
            buf.extend_from_slice(&part.to_be_bytes());
        }
    }
}

impl fmt::Display for LargeCommunity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({}, {}, {})", self.asn, self.data1, self.data2)
    }
}

impl fmt::Debug for LargeCommunity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for LargeCommunity {
    type Err = ParseCommunityError;

    fn from_str(text: &str) -> Result<Self, ParseCommunityError> {
        let [asn, data1, data2] = fields(text)?;
        Ok(Self::new(number(asn)?, number(data1)?, number(data2)?))
    }
}

#[inline]
fn word(bytes: &[u8]) -> u32 {
    bytes.first_chunk::<4>().map_or(0, |word| u32::from_be_bytes(*word))
}
