//! Reading and writing big-endian wire bytes without any way to panic.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use core::fmt;

/// The input ended before the value did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Truncated;

impl fmt::Display for Truncated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("truncated")
    }
}

impl core::error::Error for Truncated {}

/// A cursor over bytes. Each read takes from the front or fails and takes nothing.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    #[inline]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// One byte.
    #[inline]
    pub fn u8(&mut self) -> Result<u8, Truncated> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    /// Two bytes.
    #[inline]
    pub fn u16(&mut self) -> Result<u16, Truncated> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    /// Four bytes.
    #[inline]
    pub fn u32(&mut self) -> Result<u32, Truncated> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    /// Eight bytes.
    #[inline]
    pub fn u64(&mut self) -> Result<u64, Truncated> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    /// Sixteen bytes.
    #[inline]
    pub fn u128(&mut self) -> Result<u128, Truncated> {
        Ok(u128::from_be_bytes(self.array()?))
    }

    /// Exactly `N` bytes, by value.
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Truncated> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(Truncated)?;
        self.rest = rest;
        Ok(*head)
    }

    /// The next `count` bytes, borrowed.
    #[inline]
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Truncated> {
        let (head, rest) = self.rest.split_at_checked(count).ok_or(Truncated)?;
        self.rest = rest;
        Ok(head)
    }

    /// A reader over the next `count` bytes.
    #[inline]
    pub fn sub(&mut self, count: usize) -> Result<Self, Truncated> {
        self.take(count).map(Self::new)
    }

    /// Skips `count` bytes.
    #[inline]
    pub fn skip(&mut self, count: usize) -> Result<(), Truncated> {
        self.take(count).map(|_| ())
    }

    /// The next byte, not taken.
    #[inline]
    pub fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Everything that is left; the reader is empty afterwards.
    #[inline]
    pub fn rest(&mut self) -> &'a [u8] {
        core::mem::take(&mut self.rest)
    }

    /// Everything that is left, not taken.
    #[inline]
    pub const fn remaining(&self) -> &'a [u8] {
        self.rest
    }

    /// The number of bytes left.
    #[inline]
    pub const fn len(&self) -> usize {
        self.rest.len()
    }

    /// Nothing is left.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }
}

/// Appends big-endian values to a vector that it borrows.
#[derive(Debug)]
pub struct Writer<'a> {
    buf: &'a mut Vec<u8>,
}

impl<'a> Writer<'a> {
    /// Appends to `buf`.
    #[inline]
    pub const fn new(buf: &'a mut Vec<u8>) -> Self {
        Self { buf }
    }

    /// One byte.
    #[inline]
    pub fn u8(&mut self, value: u8) {
        self.buf.push(value);
    }

    /// Two bytes.
    #[inline]
    pub fn u16(&mut self, value: u16) {
        self.buf.extend_from_slice(&value.to_be_bytes());
    }

    /// Four bytes.
    #[inline]
    pub fn u32(&mut self, value: u32) {
        self.buf.extend_from_slice(&value.to_be_bytes());
    }

    /// Eight bytes.
    #[inline]
    pub fn u64(&mut self, value: u64) {
        self.buf.extend_from_slice(&value.to_be_bytes());
    }

    /// Bytes as they are.
    #[inline]
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.buf.extend_from_slice(bytes);
    }

    /// The length of the whole buffer: where the next byte goes.
    #[inline]
    pub const fn position(&self) -> usize {
        self.buf.len()
    }

    /// Leaves room for a 16-bit value to be given to [`Writer::set_u16`] later.
    #[inline]
    pub fn reserve_u16(&mut self) -> usize {
        let at = self.position();
        self.u16(0);
        at
    }

    /// Overwrites two bytes at `at`; `false` if they were never written.
    #[inline]
    pub fn set_u16(&mut self, at: usize, value: u16) -> bool {
        match self.buf.get_mut(at..).and_then(|tail| tail.first_chunk_mut::<2>()) {
            Some(place) => {
                *place = value.to_be_bytes();
                true
            }
            None => false,
        }
    }

    /// Overwrites one byte at `at`; `false` if it was never written.
    #[inline]
    pub fn set_u8(&mut self, at: usize, value: u8) -> bool {
        self.buf.get_mut(at).map(|place| *place = value).is_some()
    }

    /// Writes a 16-bit count of the bytes written since `at` (from [`Writer::reserve_u16`]) into
    /// that place; `false` if the count does not fit.
    #[inline]
    pub fn close_u16(&mut self, at: usize) -> bool {
        let body = self.position().saturating_sub(at.saturating_add(2));
        u16::try_from(body).is_ok_and(|count| self.set_u16(at, count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_take_in_order_and_fail_without_taking() {
        let mut reader = Reader::new(&[1, 0, 2, 0, 0, 0, 3, 9, 8]);
        assert_eq!(reader.u8(), Ok(1));
        assert_eq!(reader.u16(), Ok(2));
        assert_eq!(reader.u32(), Ok(3));
        assert_eq!(reader.u32(), Err(Truncated));
        assert_eq!(reader.peek(), Some(9));
        assert_eq!(reader.take(3), Err(Truncated));
        assert_eq!(reader.take(2), Ok(&[9, 8][..]));
        assert!(reader.is_empty());
    }

    #[test]
    fn lengths_are_patched_and_bad_places_refused() {
        let mut buf = Vec::new();
        let mut writer = Writer::new(&mut buf);
        let at = writer.reserve_u16();
        writer.bytes(b"abc");
        assert!(writer.close_u16(at));
        assert!(!writer.set_u16(4, 1));
        assert!(!writer.set_u8(5, 1));
        assert_eq!(buf, [0, 3, b'a', b'b', b'c']);
    }
}
