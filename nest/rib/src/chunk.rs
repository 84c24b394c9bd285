//! A piece of an export group's log: whole messages, and for whom each run of them is.

use std::sync::Arc;

use crate::MemberId;

/// For whom a segment is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipients {
    /// Everybody.
    All,
    /// Everybody but these (the second often repeats the first).
    AllBut(MemberId, MemberId),
    /// These, in ascending order.
    Only(Arc<[MemberId]>),
}

impl Recipients {
    /// Whether `member` is meant.
    pub fn includes(&self, member: MemberId) -> bool {
        match self {
            Self::All => true,
            Self::AllBut(a, b) => member != *a && member != *b,
            Self::Only(list) => list.binary_search(&member).is_ok(),
        }
    }
}

/// Whole messages for the same recipients.
#[derive(Clone, Debug)]
pub struct Segment {
    /// Offset of the first byte after it.
    pub end: u32,
    /// For whom.
    pub to: Recipients,
}

/// Sealed bytes of the log. Never changes; members share it.
#[derive(Debug)]
pub struct Chunk {
    /// Whole messages.
    pub bytes: Vec<u8>,
    /// Cover `bytes` without gaps, in order.
    pub segments: Vec<Segment>,
}

impl Chunk {
    /// Byte ranges meant for `member` at or after `from`, neighbours joined.
    pub fn ranges(&self, member: MemberId, from: usize) -> Ranges<'_> {
        Ranges { chunk: self, member, index: self.segment_at(from), at: from }
    }

    fn segment_at(&self, offset: usize) -> usize {
        self.segments.partition_point(|segment| segment.end as usize <= offset)
    }
}

/// See [`Chunk::ranges`].
#[derive(Debug)]
pub struct Ranges<'a> {
    chunk: &'a Chunk,
    member: MemberId,
    index: usize,
    at: usize,
}

impl Iterator for Ranges<'_> {
    type Item = core::ops::Range<usize>;

    fn next(&mut self) -> Option<Self::Item> {
        let segments = &self.chunk.segments;
        while let Some(segment) = segments.get(self.index) {
            if segment.to.includes(self.member) {
                break;
            }
            self.at = segment.end as usize;
            self.index += 1;
        }
        let start = self.at;
        while let Some(segment) = segments.get(self.index) {
            if !segment.to.includes(self.member) {
                break;
            }
            self.at = segment.end as usize;
            self.index += 1;
        }
        (self.at > start).then_some(start..self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::{Chunk, Recipients, Segment};
    use crate::MemberId;

    fn chunk() -> Chunk {
        let only: std::sync::Arc<[MemberId]> = vec![MemberId(1), MemberId(4)].into();
        Chunk {
            bytes: vec![0; 40],
            segments: vec![
                Segment { end: 10, to: Recipients::All },
                Segment { end: 20, to: Recipients::AllBut(MemberId(1), MemberId(1)) },
                Segment { end: 30, to: Recipients::Only(only) },
                Segment { end: 40, to: Recipients::All },
            ],
        }
    }

    fn ranges(member: u16, from: usize) -> Vec<core::ops::Range<usize>> {
        chunk().ranges(MemberId(member), from).collect()
    }

    #[test]
    fn neighbouring_segments_join() {
        assert_eq!(ranges(1, 0), vec![0..10, 20..40]);
        assert_eq!(ranges(2, 0), vec![0..20, 30..40]);
        assert_eq!(ranges(4, 0), vec![0..40]);
    }

    #[test]
    fn starts_inside_a_segment() {
        assert_eq!(ranges(1, 5), vec![5..10, 20..40]);
        assert_eq!(ranges(1, 35), vec![35..40]);
        assert_eq!(ranges(1, 40), Vec::<core::ops::Range<usize>>::new());
    }
}
