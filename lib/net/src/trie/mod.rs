//! Tries over prefixes: longest match ([`Lpm`]) and the filter language's prefix sets
//! ([`PrefixSet`]), which have a [`PrefixIndex`] when they are complete.
//!
//! Both are path-compressed binary tries in one arena each: a node is named by a 32-bit index, so
//! it is small and a walk does not chase allocations. Addresses are kept as integers, the two
//! families in tries of their own.

use crate::prefix::{Prefix, Prefix4, Prefix6, mask4, mask6};

mod index;
mod lpm;
mod set;

pub use index::PrefixIndex;
pub use lpm::Lpm;
pub use set::{PrefixSet, SetNode};

/// No node.
const NONE: u32 = u32::MAX;

/// An address as an integer.
trait Bits: Copy + Eq + Ord + core::hash::Hash + core::fmt::Debug + Default {
    const MAX: u8;

    /// The network mask of a length.
    fn mask(len: u8) -> Self;
    fn and(self, other: Self) -> Self;
    fn or(self, other: Self) -> Self;
    fn not(self) -> Self;
    /// The number of leading bits in which both agree.
    fn common(self, other: Self) -> u8;
    /// The bit after `len` leading ones, as an index of a child.
    fn bit(self, len: u8) -> usize;
    /// As many bits after the first `skip` ones, at least one, as a number.
    fn part(self, skip: u8, bits: u8) -> usize;
    /// The next address, if there is one.
    fn after(self) -> Option<Self>;
    /// The prefix of these bits.
    fn prefix(self, len: u8) -> Prefix;

    /// The first `len` bits of both agree.
    #[inline]
    fn agrees(self, other: Self, len: u8) -> bool {
        self.common(other) >= len
    }
}

impl Bits for u32 {
    const MAX: u8 = 32;

    #[inline]
    fn mask(len: u8) -> Self {
        mask4(len)
    }

    #[inline]
    fn and(self, other: Self) -> Self {
        self & other
    }

    #[inline]
    fn or(self, other: Self) -> Self {
        self | other
    }

    #[inline]
    fn not(self) -> Self {
        !self
    }

    #[inline]
    fn common(self, other: Self) -> u8 {
        (self ^ other).leading_zeros() as u8
    }

    #[inline]
    fn bit(self, len: u8) -> usize {
        (self.checked_shl(Self::from(len)).unwrap_or(0) >> 31) as usize
    }

    #[inline]
    fn part(self, skip: u8, bits: u8) -> usize {
        ((self << skip) >> (32 - bits)) as usize
    }

    #[inline]
    fn after(self) -> Option<Self> {
        self.checked_add(1)
    }

    fn prefix(self, len: u8) -> Prefix {
        Prefix::V4(Prefix4::new(self, len).unwrap_or(Prefix4::DEFAULT))
    }
}

impl Bits for u128 {
    const MAX: u8 = 128;

    #[inline]
    fn mask(len: u8) -> Self {
        mask6(len)
    }

    #[inline]
    fn and(self, other: Self) -> Self {
        self & other
    }

    #[inline]
    fn or(self, other: Self) -> Self {
        self | other
    }

    #[inline]
    fn not(self) -> Self {
        !self
    }

    #[inline]
    fn common(self, other: Self) -> u8 {
        (self ^ other).leading_zeros() as u8
    }

    #[inline]
    fn bit(self, len: u8) -> usize {
        (self.checked_shl(u32::from(len)).unwrap_or(0) >> 127) as usize
    }

    #[inline]
    fn part(self, skip: u8, bits: u8) -> usize {
        ((self << skip) >> (128 - bits)) as usize
    }

    #[inline]
    fn after(self) -> Option<Self> {
        self.checked_add(1)
    }

    fn prefix(self, len: u8) -> Prefix {
        Prefix::V6(Prefix6::new(self, len).unwrap_or(Prefix6::DEFAULT))
    }
}
