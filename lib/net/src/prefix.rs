//! Prefixes and the keys of tables. Host bits are zero by construction.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

use crate::key::{NetKey, NetType};

/// An IPv4 prefix.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix4 {
    addr: u32,
    len: u8,
}

impl Prefix4 {
    /// `0.0.0.0/0`.
    pub const DEFAULT: Self = Self { addr: 0, len: 0 };

    /// The prefix of `len` bits that `addr` lies in; `None` if `len` is above 32.
    #[inline]
    pub const fn new(addr: u32, len: u8) -> Option<Self> {
        if len > 32 { None } else { Some(Self { addr: addr & mask4(len), len }) }
    }

    /// The /32 of an address.
    #[inline]
    pub const fn host(addr: Ipv4Addr) -> Self {
        Self { addr: addr.to_bits(), len: 32 }
    }

    /// The network address in host order.
    #[inline]
    pub const fn bits(self) -> u32 {
        self.addr
    }

    /// The network address.
    #[inline]
    pub const fn addr(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.addr)
    }

    /// The prefix length.
    #[expect(clippy::len_without_is_empty, reason = "a prefix length is not a count of elements")]
    #[inline]
    pub const fn len(self) -> u8 {
        self.len
    }

    /// `other` is this prefix or lies inside it.
    #[inline]
    pub const fn contains(self, other: Self) -> bool {
        other.len >= self.len && (other.addr ^ self.addr) & mask4(self.len) == 0
    }

    /// The address lies inside.
    #[inline]
    pub const fn contains_addr(self, addr: Ipv4Addr) -> bool {
        (addr.to_bits() ^ self.addr) & mask4(self.len) == 0
    }
}

/// An IPv6 prefix. Aligned to one byte, so that table entries can pack it.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix6 {
    addr: [u8; 16],
    len: u8,
}

impl Prefix6 {
    /// `::/0`.
    pub const DEFAULT: Self = Self { addr: [0; 16], len: 0 };

    /// The prefix of `len` bits that `addr` lies in; `None` if `len` is above 128.
    #[inline]
    pub const fn new(addr: u128, len: u8) -> Option<Self> {
        if len > 128 { None } else { Some(Self { addr: (addr & mask6(len)).to_be_bytes(), len }) }
    }

    /// The /128 of an address.
    #[inline]
    pub const fn host(addr: Ipv6Addr) -> Self {
        Self { addr: addr.octets(), len: 128 }
    }

    /// The network address in host order.
    #[inline]
    pub const fn bits(self) -> u128 {
        u128::from_be_bytes(self.addr)
    }

    /// The network address in wire order.
    #[inline]
    pub const fn octets(&self) -> &[u8; 16] {
        &self.addr
    }

    /// The network address.
    #[inline]
    pub const fn addr(self) -> Ipv6Addr {
        Ipv6Addr::from_bits(self.bits())
    }

    /// The prefix length.
    #[expect(clippy::len_without_is_empty, reason = "a prefix length is not a count of elements")]
    #[inline]
    pub const fn len(self) -> u8 {
        self.len
    }

    /// `other` is this prefix or lies inside it.
    #[inline]
    pub const fn contains(self, other: Self) -> bool {
        other.len >= self.len && (other.bits() ^ self.bits()) & mask6(self.len) == 0
    }

    /// The address lies inside.
    #[inline]
    pub const fn contains_addr(self, addr: Ipv6Addr) -> bool {
        (addr.to_bits() ^ self.bits()) & mask6(self.len) == 0
    }
}

/// A prefix of either family.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Prefix {
    /// IPv4.
    V4(Prefix4),
    /// IPv6.
    V6(Prefix6),
}

impl Prefix {
    /// The prefix of `len` bits that `addr` lies in; `None` if `len` is too long for the family.
    #[inline]
    pub const fn new(addr: IpAddr, len: u8) -> Option<Self> {
        match addr {
            IpAddr::V4(addr) => match Prefix4::new(addr.to_bits(), len) {
                Some(prefix) => Some(Self::V4(prefix)),
                None => None,
            },
            IpAddr::V6(addr) => match Prefix6::new(addr.to_bits(), len) {
                Some(prefix) => Some(Self::V6(prefix)),
                None => None,
            },
        }
    }

    /// As [`Prefix::new`], but `None` too if `addr` has host bits set.
    #[inline]
    pub fn strict(addr: IpAddr, len: u8) -> Option<Self> {
        Self::new(addr, len).filter(|prefix| prefix.addr() == addr)
    }

    /// The prefix that holds just this address.
    #[inline]
    pub const fn host(addr: IpAddr) -> Self {
        match addr {
            IpAddr::V4(addr) => Self::V4(Prefix4::host(addr)),
            IpAddr::V6(addr) => Self::V6(Prefix6::host(addr)),
        }
    }

    /// The network address.
    #[inline]
    pub const fn addr(self) -> IpAddr {
        match self {
            Self::V4(prefix) => IpAddr::V4(prefix.addr()),
            Self::V6(prefix) => IpAddr::V6(prefix.addr()),
        }
    }

    /// The prefix length.
    #[expect(clippy::len_without_is_empty, reason = "a prefix length is not a count of elements")]
    #[inline]
    pub const fn len(self) -> u8 {
        match self {
            Self::V4(prefix) => prefix.len,
            Self::V6(prefix) => prefix.len,
        }
    }

    /// 32 or 128.
    #[inline]
    pub const fn max_len(self) -> u8 {
        match self {
            Self::V4(_) => 32,
            Self::V6(_) => 128,
        }
    }

    /// An IPv4 prefix.
    #[inline]
    pub const fn is_v4(self) -> bool {
        matches!(self, Self::V4(_))
    }

    /// `ipv4` or `ipv6`.
    #[inline]
    pub const fn net_type(self) -> NetType {
        match self {
            Self::V4(_) => NetType::Ip4,
            Self::V6(_) => NetType::Ip6,
        }
    }

    /// `other` is this prefix or lies inside it; prefixes of two families never do.
    #[inline]
    pub const fn contains(self, other: Self) -> bool {
        match (self, other) {
            (Self::V4(outer), Self::V4(inner)) => outer.contains(inner),
            (Self::V6(outer), Self::V6(inner)) => outer.contains(inner),
            (Self::V4(_), Self::V6(_)) | (Self::V6(_), Self::V4(_)) => false,
        }
    }

    /// The address lies inside.
    #[inline]
    pub const fn contains_addr(self, addr: IpAddr) -> bool {
        self.contains(Self::host(addr))
    }

    /// The seeded hash of the whole prefix.
    #[inline]
    pub fn hash(self) -> u64 {
        match self {
            Self::V4(prefix) => NetKey::hash(prefix),
            Self::V6(prefix) => NetKey::hash(prefix),
        }
    }

    /// The slice that owns this prefix, when there are `mask + 1` slices (a power of two).
    #[inline]
    pub fn slice(self, mask: u32) -> u32 {
        match self {
            Self::V4(prefix) => prefix.slice(mask),
            Self::V6(prefix) => prefix.slice(mask),
        }
    }
}

impl From<Prefix4> for Prefix {
    fn from(prefix: Prefix4) -> Self {
        Self::V4(prefix)
    }
}

impl From<Prefix6> for Prefix {
    fn from(prefix: Prefix6) -> Self {
        Self::V6(prefix)
    }
}

/// Why a text is not a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParsePrefixError {
    /// No `/`, or no address before it, or no number after it.
    Syntax,
    /// The length is above 32 or 128.
    Length,
    /// Bits beyond the length are set.
    HostBits,
}

impl fmt::Display for ParsePrefixError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Syntax => "not a prefix",
            Self::Length => "prefix length out of range",
            Self::HostBits => "address has bits set beyond the prefix length",
        })
    }
}

impl core::error::Error for ParsePrefixError {}

impl FromStr for Prefix {
    type Err = ParsePrefixError;

    fn from_str(text: &str) -> Result<Self, ParsePrefixError> {
        let (addr, len) = text.split_once('/').ok_or(ParsePrefixError::Syntax)?;
        let addr: IpAddr = addr.parse().map_err(|_| ParsePrefixError::Syntax)?;
        if len.is_empty() || len.len() > 3 || !len.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(ParsePrefixError::Syntax);
        }
        let len: u8 = len.parse().map_err(|_| ParsePrefixError::Length)?;
        let prefix = Self::new(addr, len).ok_or(ParsePrefixError::Length)?;
        if prefix.addr() == addr { Ok(prefix) } else { Err(ParsePrefixError::HostBits) }
    }
}

impl FromStr for Prefix4 {
    type Err = ParsePrefixError;

    fn from_str(text: &str) -> Result<Self, ParsePrefixError> {
        Self::from_network(text.parse::<Prefix>()?.into()).ok_or(ParsePrefixError::Syntax)
    }
}

impl FromStr for Prefix6 {
    type Err = ParsePrefixError;

    fn from_str(text: &str) -> Result<Self, ParsePrefixError> {
        Self::from_network(text.parse::<Prefix>()?.into()).ok_or(ParsePrefixError::Syntax)
    }
}

impl fmt::Display for Prefix4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.addr(), self.len)
    }
}

impl fmt::Display for Prefix6 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.addr(), self.len)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(prefix) => prefix.fmt(f),
            Self::V6(prefix) => prefix.fmt(f),
        }
    }
}

impl fmt::Debug for Prefix4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for Prefix6 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The network mask of a length up to 32.
#[inline]
pub const fn mask4(len: u8) -> u32 {
    if len == 0 { 0 } else { u32::MAX << (32 - len as u32) }
}

/// The network mask of a length up to 128.
#[inline]
pub const fn mask6(len: u8) -> u128 {
    if len == 0 { 0 } else { u128::MAX << (128 - len as u32) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(text: &str) -> Prefix {
        text.parse().unwrap()
    }

    #[test]
    fn text_round_trips() {
        for text in
            ["0.0.0.0/0", "10.0.0.0/8", "192.0.2.1/32", "::/0", "2001:db8::/32", "fe80::1/128"]
        {
            assert_eq!(prefix(text).to_string(), text);
        }
    }

    #[test]
    fn bad_text_is_named() {
        use ParsePrefixError::{HostBits, Length, Syntax};
        for (text, error) in [
            ("10.0.0.0", Syntax),
            ("10.0.0.0/", Syntax),
            ("10.0.0.0/+8", Syntax),
            ("x/8", Syntax),
            ("10.0.0.0/33", Length),
            ("::/129", Length),
            ("::/999", Length),
            ("10.0.0.1/8", HostBits),
            ("2001:db8::1/32", HostBits),
        ] {
            assert_eq!(text.parse::<Prefix>(), Err(error), "{text}");
        }
    }

    #[test]
    fn host_bits_are_cleared_and_sizes_hold() {
        assert_eq!(Prefix4::new(0x0a01_0203, 8), Prefix4::new(0x0a00_0000, 8));
        assert_eq!(Prefix6::new(u128::MAX, 0), Some(Prefix6::DEFAULT));
        assert_eq!(Prefix4::new(0, 33), None);
        assert_eq!(size_of::<Prefix4>(), 8);
        assert_eq!(size_of::<Prefix6>(), 17);
        assert_eq!(align_of::<Prefix6>(), 1);
    }

    #[test]
    fn containment() {
        assert!(prefix("10.0.0.0/8").contains(prefix("10.1.0.0/16")));
        assert!(prefix("10.0.0.0/8").contains(prefix("10.0.0.0/8")));
        assert!(!prefix("10.1.0.0/16").contains(prefix("10.0.0.0/8")));
        assert!(!prefix("0.0.0.0/0").contains(prefix("::/0")));
        assert!(prefix("::/0").contains(prefix("ff00::/8")));
    }

    #[test]
    fn order_is_by_address_then_length() {
        let mut list = ["10.0.0.0/16", "10.0.0.0/8", "9.0.0.0/8"].map(prefix);
        list.sort();
        assert_eq!(list, ["9.0.0.0/8", "10.0.0.0/8", "10.0.0.0/16"].map(prefix));
    }
}
