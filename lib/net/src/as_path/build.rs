//! Owned AS paths and the filter language's edits.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use super::{AsPath, Segment, SegmentKind};
use crate::wire::Writer;

/// An owned AS path in wire form.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct AsPathBuf {
    bytes: Vec<u8>,
}

/// A segment's count is one byte on the wire.
const SEGMENT_MAX: usize = 255;

impl AsPathBuf {
    /// The empty path.
    pub const fn new() -> Self {
        Self { bytes: Vec::new() }
    }

    /// A path of one sequence (split where a segment would be too long).
    pub fn from_sequence(asns: &[u32]) -> Self {
        let mut path = Self::new();
        path.push_segment(SegmentKind::Sequence, asns.iter().copied());
        path
    }

    /// The view.
    pub fn view(&self) -> AsPath<'_> {
        AsPath(&self.bytes)
    }

    /// The wire bytes.
    pub fn wire(&self) -> &[u8] {
        &self.bytes
    }

    /// The wire bytes, taken.
    pub fn into_wire(self) -> Vec<u8> {
        self.bytes
    }

    /// Appends a segment; none if there are no AS numbers, more than one if there are over 255.
    pub fn push_segment(&mut self, kind: SegmentKind, asns: impl Iterator<Item = u32>) {
        let mut writer = Writer::new(&mut self.bytes);
        let mut asns = asns.peekable();
        while asns.peek().is_some() {
            writer.u8(kind as u8);
            let at = writer.position();
            writer.u8(0);
            let mut count = 0u8;
            for asn in asns.by_ref().take(SEGMENT_MAX) {
                writer.u32(asn);
                count = count.saturating_add(1);
            }
            writer.set_u8(at, count);
        }
    }
}

impl From<AsPath<'_>> for AsPathBuf {
    fn from(path: AsPath<'_>) -> Self {
        Self { bytes: path.0.to_vec() }
    }
}

impl AsPath<'_> {
    /// The path with `asn` before it, in its first sequence if that has room.
    pub fn prepend(self, asn: u32) -> AsPathBuf {
        self.prepend_as(SegmentKind::Sequence, asn, 1)
    }

    /// The path with `asn` before it `count` times, in segments of `kind`.
    pub fn prepend_as(self, kind: SegmentKind, asn: u32, count: usize) -> AsPathBuf {
        let mut segments = self.segments();
        let joined = segments
            .next()
            .filter(|first| first.kind == kind && first.len().saturating_add(count) <= SEGMENT_MAX);
        let more = count.saturating_mul(4).saturating_add(2);
        let mut path = AsPathBuf { bytes: Vec::with_capacity(self.0.len().saturating_add(more)) };
        let added = core::iter::repeat_n(asn, count);
        match joined {
            Some(first) => {
                path.push_segment(kind, added.chain(first.iter()));
                path.bytes.extend_from_slice(segments.0.remaining());
            }
            None => {
                path.push_segment(kind, added);
                path.bytes.extend_from_slice(self.0);
            }
        }
        path
    }

    /// The path without the AS numbers that satisfy the predicate; segments left empty go too.
    pub fn delete(self, mut predicate: impl FnMut(u32) -> bool) -> AsPathBuf {
        self.filter(|asn| !predicate(asn))
    }

    /// The path with only the AS numbers that satisfy the predicate; segments left empty go too.
    pub fn filter(self, mut predicate: impl FnMut(u32) -> bool) -> AsPathBuf {
        let mut path = AsPathBuf { bytes: Vec::with_capacity(self.0.len()) };
        for segment in self.segments() {
            path.push_segment(segment.kind, segment.iter().filter(|asn| predicate(*asn)));
        }
        path
    }

    /// The path without its confederation segments (RFC 5065 section 4.2, on leaving the
    /// confederation).
    pub fn without_confed(self) -> AsPathBuf {
        self.map_segments(|segment| !segment.kind.is_confed())
    }

    fn map_segments(self, keep: impl Fn(Segment<'_>) -> bool) -> AsPathBuf {
        let mut path = AsPathBuf { bytes: Vec::with_capacity(self.0.len()) };
        for segment in self.segments().filter(|segment| keep(*segment)) {
            path.push_segment(segment.kind, segment.iter());
        }
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> AsPathBuf {
        text.parse().unwrap()
    }

    #[test]
    fn prepend_joins_the_first_sequence() {
        assert_eq!(path("2 3").view().prepend(1).to_string(), "1 2 3");
        assert_eq!(path("2 3").view().prepend(1).view().segments().count(), 1);
        assert_eq!(path("").view().prepend(1).to_string(), "1");
        assert_eq!(path("{2} 3").view().prepend(1).to_string(), "1 {2} 3");
        assert_eq!(path("(2) 3").view().prepend(1).to_string(), "1 (2) 3");
        let confed = path("2").view().prepend_as(SegmentKind::ConfedSequence, 9, 2);
        assert_eq!(confed.to_string(), "(9 9) 2");
    }

    #[test]
    fn a_full_sequence_gets_a_new_one_before_it() {
        let full = AsPathBuf::from_sequence(&[7; 255]);
        let longer = full.view().prepend(1);
        assert_eq!(longer.view().hops(), 256);
        assert_eq!(longer.view().segments().map(Segment::len).collect::<Vec<_>>(), [1, 255]);
        let long = AsPathBuf::from_sequence(&[7; 300]);
        assert_eq!(long.view().segments().map(Segment::len).collect::<Vec<_>>(), [255, 45]);
    }

    #[test]
    fn delete_and_filter_drop_empty_segments() {
        let source = path("1 2 {3 4} 2 (5)");
        assert_eq!(source.view().delete(|asn| asn == 2).to_string(), "1 {3 4} (5)");
        assert_eq!(source.view().delete(|asn| asn == 3 || asn == 4).to_string(), "1 2 2 (5)");
        assert_eq!(source.view().filter(|asn| asn == 2).to_string(), "2 2");
        assert_eq!(source.view().without_confed().to_string(), "1 2 {3 4} 2");
    }
}
