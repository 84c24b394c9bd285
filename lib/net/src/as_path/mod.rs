//! AS paths over wire bytes with 4-octet AS numbers (RFC 4271 section 4.3, RFC 5065, RFC 6793).
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use core::fmt;

use crate::wire::Reader;

mod build;
mod mask;
mod text;

pub use build::AsPathBuf;
pub use mask::{Mask, MaskError, MaskItem};
pub use text::ParsePathError;

/// The kind of a path segment, by its number on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum SegmentKind {
    /// AS_SET: unordered, counts as one hop.
    Set = 1,
    /// AS_SEQUENCE.
    Sequence = 2,
    /// AS_CONFED_SEQUENCE: counts as no hop.
    ConfedSequence = 3,
    /// AS_CONFED_SET: unordered, counts as no hop.
    ConfedSet = 4,
}

impl SegmentKind {
    /// The kind of a wire number.
    pub const fn from_wire(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Set),
            2 => Some(Self::Sequence),
            3 => Some(Self::ConfedSequence),
            4 => Some(Self::ConfedSet),
            _ => None,
        }
    }

    /// A set of either kind.
    pub const fn is_set(self) -> bool {
        matches!(self, Self::Set | Self::ConfedSet)
    }

    /// A confederation segment of either kind.
    pub const fn is_confed(self) -> bool {
        matches!(self, Self::ConfedSequence | Self::ConfedSet)
    }
}

/// One segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment<'a> {
    /// Its kind.
    pub kind: SegmentKind,
    asns: &'a [u8],
}

impl<'a> Segment<'a> {
    /// The number of AS numbers in it.
    pub const fn len(self) -> usize {
        self.asns.len() / 4
    }

    /// No AS number in it (malformed on the wire, RFC 7606 section 7.2).
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The AS numbers in wire order.
    pub fn iter(self) -> impl DoubleEndedIterator<Item = u32> + ExactSizeIterator + Clone + 'a {
        let (asns, _) = self.asns.as_chunks::<4>();
        asns.iter().map(|asn| u32::from_be_bytes(*asn))
    }

    /// The first AS number.
    pub fn first(self) -> Option<u32> {
        self.asns.first_chunk::<4>().map(|asn| u32::from_be_bytes(*asn))
    }

    /// The last AS number.
    pub fn last(self) -> Option<u32> {
        self.asns.last_chunk::<4>().map(|asn| u32::from_be_bytes(*asn))
    }
}

/// Why bytes are not an AS path (RFC 7606 section 7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AsPathError {
    /// A segment kind other than 1 to 4.
    SegmentKind(u8),
    /// A segment longer than what is left, or a lone byte at the end.
    Truncated,
    /// A segment without AS numbers.
    EmptySegment,
}

impl fmt::Display for AsPathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SegmentKind(kind) => write!(f, "unknown AS path segment type {kind}"),
            Self::Truncated => f.write_str("AS path segment overruns the attribute"),
            Self::EmptySegment => f.write_str("empty AS path segment"),
        }
    }
}

impl core::error::Error for AsPathError {}

/// A view of an AS path. `Display` writes `65001 65002 {1 2} (3) ({4})`.
///
/// Reading stops at the first malformed segment; [`AsPath::validate`] says whether there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct AsPath<'a>(pub &'a [u8]);

impl<'a> AsPath<'a> {
    /// The path without segments.
    pub const EMPTY: AsPath<'static> = AsPath(&[]);

    /// The view of well-formed bytes.
    pub fn new(bytes: &'a [u8]) -> Result<Self, AsPathError> {
        let path = Self(bytes);
        path.validate()?;
        Ok(path)
    }

    /// Checks every segment.
    pub fn validate(self) -> Result<(), AsPathError> {
        let mut reader = Reader::new(self.0);
        while !reader.is_empty() {
            let (Ok(kind), Ok(count)) = (reader.u8(), reader.u8()) else {
                return Err(AsPathError::Truncated);
            };
            SegmentKind::from_wire(kind).ok_or(AsPathError::SegmentKind(kind))?;
            if count == 0 {
                return Err(AsPathError::EmptySegment);
            }
            reader
                .skip(usize::from(count).saturating_mul(4))
                .map_err(|_| AsPathError::Truncated)?;
        }
        Ok(())
    }

    /// The wire bytes.
    pub const fn wire(self) -> &'a [u8] {
        self.0
    }

    /// No segments.
    pub const fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The segments in order.
    pub const fn segments(self) -> Segments<'a> {
        Segments(Reader::new(self.0))
    }

    /// Every AS number, those in sets and confederation segments too.
    pub fn iter(self) -> impl Iterator<Item = u32> + Clone + 'a {
        self.segments().flat_map(Segment::iter)
    }

    /// The length that routes are compared by (RFC 4271 section 9.1.2.2 a, RFC 5065 section 5.3):
    /// a set is one hop, confederation segments are none. This is the filter's `.len`.
    pub fn hops(self) -> usize {
        self.segments().fold(0usize, |hops, segment| {
            hops.saturating_add(match segment.kind {
                SegmentKind::Sequence => segment.len(),
                SegmentKind::Set => 1,
                SegmentKind::ConfedSequence | SegmentKind::ConfedSet => 0,
            })
        })
    }

    /// The first AS number, if the path starts with a sequence. The filter's `.first`.
    pub fn first(self) -> Option<u32> {
        self.segments().next().filter(|segment| segment.kind == SegmentKind::Sequence)?.first()
    }

    /// The neighbouring AS: the first one outside the confederation, unless it is in a set. What MED
    /// is comparable within (RFC 4271 section 9.1.2.2 c, RFC 5065 section 5.3).
    pub fn neighbour(self) -> Option<u32> {
        self.segments()
            .find(|segment| !segment.kind.is_confed())
            .filter(|segment| segment.kind == SegmentKind::Sequence)?
            .first()
    }

    /// The last AS number (the origin), unless the path ends in a set. The filter's `.last`.
    pub fn last(self) -> Option<u32> {
        self.segments().last().filter(|segment| !segment.kind.is_set())?.last()
    }

    /// The last AS number before the first set. The filter's `.last_nonaggregated`.
    pub fn last_nonaggregated(self) -> Option<u32> {
        self.segments().take_while(|segment| !segment.kind.is_set()).last()?.last()
    }

    /// The AS number occurs anywhere.
    pub fn contains(self, asn: u32) -> bool {
        self.iter().any(|other| other == asn)
    }

    /// Any AS number satisfies the predicate. The filter's `path ~ int set`.
    pub fn any(self, predicate: impl FnMut(u32) -> bool) -> bool {
        self.iter().any(predicate)
    }

    /// There is a set of either kind.
    pub fn has_set(self) -> bool {
        self.segments().any(|segment| segment.kind.is_set())
    }

    /// There is a confederation segment of either kind.
    pub fn has_confed(self) -> bool {
        self.segments().any(|segment| segment.kind.is_confed())
    }

    /// How often the AS number occurs: for loop detection with a tolerance.
    pub fn count(self, asn: u32) -> usize {
        self.iter().filter(|other| *other == asn).count()
    }
}

/// The segments of a path.
#[derive(Clone, Debug)]
pub struct Segments<'a>(Reader<'a>);

impl<'a> Iterator for Segments<'a> {
    type Item = Segment<'a>;

    #[inline]
    fn next(&mut self) -> Option<Segment<'a>> {
        let kind = SegmentKind::from_wire(self.0.u8().ok()?)?;
        let count = usize::from(self.0.u8().ok()?);
        let asns = self.0.take(count.checked_mul(4)?).ok()?;
        Some(Segment { kind, asns })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(text: &str) -> AsPathBuf {
        text.parse().unwrap()
    }

    #[test]
    fn golden_bytes() {
        let bytes = [2, 2, 0, 0, 0xfd, 0xe9, 0, 1, 0, 0, 1, 1, 0, 0, 0, 7];
        let path = AsPath::new(&bytes).unwrap();
        assert_eq!(path.to_string(), "65001 65536 {7}");
        assert_eq!(path.hops(), 3);
        assert_eq!(path.first(), Some(65001));
        assert_eq!(path.last(), None);
        assert_eq!(path.last_nonaggregated(), Some(65536));
    }

    #[test]
    fn malformed_paths_are_named() {
        assert_eq!(AsPath::new(&[5, 1, 0, 0, 0, 1]), Err(AsPathError::SegmentKind(5)));
        assert_eq!(AsPath::new(&[2, 0]), Err(AsPathError::EmptySegment));
        assert_eq!(AsPath::new(&[2, 2, 0, 0, 0, 1]), Err(AsPathError::Truncated));
        assert_eq!(AsPath::new(&[2]), Err(AsPathError::Truncated));
        assert!(AsPath::new(&[]).is_ok());
    }

    #[test]
    fn lengths_and_ends() {
        for (text, hops, first, neighbour, last, nonaggregated) in [
            ("", 0, None, None, None, None),
            ("1", 1, Some(1), Some(1), Some(1), Some(1)),
            ("1 2 3", 3, Some(1), Some(1), Some(3), Some(3)),
            ("1 {2 3}", 2, Some(1), Some(1), None, Some(1)),
            ("{2 3} 4", 2, None, None, Some(4), None),
            ("(9 8) 1 2", 2, None, Some(1), Some(2), Some(2)),
            ("({9 8}) 1 2", 2, None, Some(1), Some(2), None),
            ("(9) {1}", 1, None, None, None, Some(9)),
        ] {
            let path = path(text);
            let path = path.view();
            assert_eq!(path.hops(), hops, "{text}");
            assert_eq!(path.first(), first, "{text}");
            assert_eq!(path.neighbour(), neighbour, "{text}");
            assert_eq!(path.last(), last, "{text}");
            assert_eq!(path.last_nonaggregated(), nonaggregated, "{text}");
        }
    }

    #[test]
    fn membership() {
        let path = path("1 {2 3} (4)");
        assert!(path.view().contains(3) && path.view().contains(4) && !path.view().contains(5));
        assert!(path.view().any(|asn| asn > 3));
        assert!(path.view().has_set() && path.view().has_confed());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let path = AsPath(&bytes);
            let _ = (path.hops(), path.first(), path.neighbour(), path.last(), path.last_nonaggregated());
            let _ = (path.to_string(), path.validate(), path.prepend(1), path.delete(|asn| asn == 0));
        }
    }
}
