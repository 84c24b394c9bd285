//! Prefixes in UPDATEs: checked once as a whole, then read without any way to fail.

use dunlin_net::{Prefix4, Prefix6};

use super::family::Carried;

/// The bytes of well-formed prefixes of one family.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Nlri<'a> {
    bytes: &'a [u8],
    count: u32,
    family: Carried,
}

impl<'a> Nlri<'a> {
    /// No prefix.
    pub const fn none(family: Carried) -> Self {
        Self { bytes: &[], count: 0, family }
    }

    /// Checks the lengths of all prefixes; `None` if one is too long for its family or is cut off.
    pub fn new(bytes: &'a [u8], family: Carried) -> Option<Self> {
        let longest = match family {
            Carried::Ipv4 => 32,
            Carried::Ipv6 => 128,
        };
        let (mut rest, mut count) = (bytes, 0);
        while let Some((&length, tail)) = rest.split_first() {
            if length > longest {
                return None;
            }
            rest = tail.get(octets(length)..)?;
            count += 1;
        }
        Some(Self { bytes, count, family })
    }

    /// The family.
    pub const fn family(&self) -> Carried {
        self.family
    }

    /// The number of prefixes.
    pub const fn len(&self) -> u32 {
        self.count
    }

    /// No prefix.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The prefixes, if they are IPv4.
    pub fn ipv4(&self) -> Nlri4<'a> {
        Nlri4 { rest: if self.family == Carried::Ipv4 { self.bytes } else { &[] } }
    }

    /// The prefixes, if they are IPv6.
    pub fn ipv6(&self) -> Nlri6<'a> {
        Nlri6 { rest: if self.family == Carried::Ipv6 { self.bytes } else { &[] } }
    }
}

/// Octets that a prefix of this length takes.
const fn octets(length: u8) -> usize {
    (length as usize).div_ceil(8)
}

/// Reads IPv4 prefixes.
#[derive(Clone, Debug)]
pub struct Nlri4<'a> {
    rest: &'a [u8],
}

impl Iterator for Nlri4<'_> {
    type Item = Prefix4;

    #[inline]
    fn next(&mut self) -> Option<Prefix4> {
        let (&length, tail) = self.rest.split_first()?;
        let address = match tail.first_chunk::<4>() {
            // Bits of the next prefix may be in it; the prefix drops them.
            Some(octets) => u32::from_be_bytes(*octets),
            None => tail_bits4(tail),
        };
        self.rest = tail.get(octets(length)..)?;
        Prefix4::new(address, length)
    }
}

fn tail_bits4(tail: &[u8]) -> u32 {
    let mut octets = [0; 4];
    octets.iter_mut().zip(tail).for_each(|(to, from)| *to = *from);
    u32::from_be_bytes(octets)
}

/// Reads IPv6 prefixes.
#[derive(Clone, Debug)]
pub struct Nlri6<'a> {
    rest: &'a [u8],
}

impl Iterator for Nlri6<'_> {
    type Item = Prefix6;

    #[inline]
    fn next(&mut self) -> Option<Prefix6> {
        let (&length, tail) = self.rest.split_first()?;
        let address = match tail.first_chunk::<16>() {
            Some(octets) => u128::from_be_bytes(*octets),
            None => tail_bits6(tail),
        };
        self.rest = tail.get(octets(length)..)?;
        Prefix6::new(address, length)
    }
}

fn tail_bits6(tail: &[u8]) -> u128 {
    let mut octets = [0; 16];
    octets.iter_mut().zip(tail).for_each(|(to, from)| *to = *from);
    u128::from_be_bytes(octets)
}

/// A prefix that can be written into an UPDATE.
pub trait Encode: Copy {
    /// The family it belongs to.
    const FAMILY: Carried;

    /// Appends its length and as many octets as that needs.
    fn put(self, out: &mut Vec<u8>);
}

impl Encode for Prefix4 {
    const FAMILY: Carried = Carried::Ipv4;

    #[inline]
    fn put(self, out: &mut Vec<u8>) {
        let [a, b, c, d] = self.bits().to_be_bytes();
        let bytes = [self.len(), a, b, c, d];
        out.extend_from_slice(bytes.get(..=octets(self.len())).unwrap_or(&bytes));
    }
}

impl Encode for Prefix6 {
    const FAMILY: Carried = Carried::Ipv6;

    #[inline]
    fn put(self, out: &mut Vec<u8>) {
        let all = self.octets();
        out.push(self.len());
        out.extend_from_slice(all.get(..octets(self.len())).unwrap_or(all));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn prefixes_are_read_with_host_bits_dropped() {
        let bytes = [8, 10, 24, 192, 0, 2, 9, 10, 0xff, 0, 32, 1, 2, 3, 4];
        let nlri = Nlri::new(&bytes, Carried::Ipv4).unwrap();
        assert_eq!(nlri.len(), 5);
        let read: Vec<String> = nlri.ipv4().map(|prefix| prefix.to_string()).collect();
        assert_eq!(read, ["10.0.0.0/8", "192.0.2.0/24", "10.128.0.0/9", "0.0.0.0/0", "1.2.3.4/32"]);
        assert_eq!(nlri.ipv6().count(), 0);
    }

    #[test]
    fn bad_lengths_are_refused() {
        for bytes in [&[33, 1, 2, 3, 4, 5][..], &[8], &[24, 1, 2]] {
            assert_eq!(Nlri::new(bytes, Carried::Ipv4), None, "{bytes:?}");
        }
        assert_eq!(Nlri::new(&[129; 30], Carried::Ipv6), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            for family in Carried::ALL {
                if let Some(nlri) = Nlri::new(&bytes, family) {
                    let read = nlri.ipv4().count() + nlri.ipv6().count();
                    prop_assert_eq!(read, nlri.len() as usize);
                }
            }
        }

        #[test]
        fn what_is_written_is_read(v4: Vec<(u32, u8)>, v6: Vec<(u128, u8)>) {
            let v4: Vec<_> =
                v4.iter().filter_map(|(bits, len)| Prefix4::new(*bits, len % 33)).collect();
            let v6: Vec<_> =
                v6.iter().filter_map(|(bits, len)| Prefix6::new(*bits, len % 129)).collect();
            let (mut bytes4, mut bytes6) = (Vec::new(), Vec::new());
            v4.iter().for_each(|prefix| prefix.put(&mut bytes4));
            v6.iter().for_each(|prefix| prefix.put(&mut bytes6));
            prop_assert!(Nlri::new(&bytes4, Carried::Ipv4).unwrap().ipv4().eq(v4));
            prop_assert!(Nlri::new(&bytes6, Carried::Ipv6).unwrap().ipv6().eq(v6));
        }
    }
}
