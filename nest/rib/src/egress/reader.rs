//! A session's end of the log: what it has been given and not written yet.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::sync::Arc;

use super::Progress;
use crate::MemberId;
use crate::chunk::Chunk;

/// Chunks that wait to be written, and how far the first has been.
#[derive(Debug)]
pub struct LogReader {
    member: MemberId,
    progress: Arc<Progress>,
    chunks: VecDeque<Arc<Chunk>>,
    /// Bytes of the first chunk that are done with.
    offset: usize,
    /// Rest of the message that was being written when the log was left.
    rest: Vec<u8>,
}

impl LogReader {
    /// A reader with nothing to write.
    pub fn new(member: MemberId, progress: Arc<Progress>) -> Self {
        Self { member, progress, chunks: VecDeque::new(), offset: 0, rest: Vec::new() }
    }

    /// Which member this is.
    pub fn member(&self) -> MemberId {
        self.member
    }

    /// More of the log. Returns true if [`super::EgressMessage::Drained`] should be sent, which is
    /// so if nothing in it was for this member.
    #[must_use = "send Drained if true"]
    pub fn push(&mut self, chunk: Arc<Chunk>) -> bool {
        self.chunks.push_back(chunk);
        self.chunks.len() == 1 && self.skip()
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty() && self.rest.is_empty()
    }

    /// Adds what is to be written next to `slices`, up to `most` of them.
    pub fn gather<'a>(&'a self, slices: &mut Vec<IoSlice<'a>>, most: usize) {
        if !self.rest.is_empty() {
            slices.push(IoSlice::new(&self.rest));
        }
        for (index, chunk) in self.chunks.iter().enumerate() {
            let from = if index == 0 { self.offset } else { 0 };
            for range in chunk.ranges(self.member, from) {
                if slices.len() >= most {
                    return;
                }
                if let Some(bytes) = chunk.bytes.get(range) {
                    slices.push(IoSlice::new(bytes));
                }
            }
        }
    }

    /// `written` bytes of what [`gather`](Self::gather) gave have been written. Returns true if
    /// [`super::EgressMessage::Drained`] should be sent.
    #[must_use = "send Drained if true"]
    pub fn advance(&mut self, mut written: usize) -> bool {
        let rest = written.min(self.rest.len());
        self.rest.drain(..rest);
        written -= rest;
        let mut poke = false;
        while written > 0 {
            let Some(chunk) = self.chunks.front() else { break };
            let Some(range) = chunk.ranges(self.member, self.offset).next() else {
                poke |= self.skip();
                continue;
            };
            let step = written.min(range.len());
            written -= step;
            let done = range.start + step;
            let consumed = done - self.offset;
            self.offset = done;
            poke |= self.progress.advance(consumed as u64);
            poke |= self.skip();
        }
        poke
    }

    /// Passes over what is not for this member at the front.
    fn skip(&mut self) -> bool {
        let mut poke = false;
        while let Some(chunk) = self.chunks.front() {
            let end = chunk.bytes.len();
            let next = chunk.ranges(self.member, self.offset).next();
            let start = next.map_or(end, |range| range.start);
            if start > self.offset {
                poke |= self.progress.advance((start - self.offset) as u64);
                self.offset = start;
            }
            if start < end {
                break;
            }
            self.chunks.pop_front();
            self.offset = 0;
        }
        poke
    }

    /// Leaves the log: keeps the rest of the message that has been begun, drops everything after
    /// it. `message_len` gives the length of the message at the start of a byte string. Returns
    /// what was dropped, for [`super::EgressMessage::Detached`].
    pub fn detach(&mut self, message_len: impl Fn(&[u8]) -> usize) -> Vec<(Arc<Chunk>, usize)> {
        let mut dropped = Vec::new();
        let mut from = self.offset;
        let mut consumed = 0;
        if let Some(first) = self.chunks.front() {
            let boundary = boundary_after(&first.bytes, self.offset, message_len);
            if let Some(bytes) = first.bytes.get(self.offset..boundary) {
                self.rest.extend_from_slice(bytes);
            }
            consumed = boundary - self.offset;
            from = boundary;
        }
        for chunk in self.chunks.drain(..) {
            consumed += chunk.bytes.len() - from;
            dropped.push((chunk, from));
            from = 0;
        }
        self.offset = 0;
        // The egress loop starts counting anew when it hears what was dropped.
        let _ = self.progress.advance(consumed as u64);
        dropped
    }
}

/// The first message boundary at or after `offset`.
fn boundary_after(bytes: &[u8], offset: usize, message_len: impl Fn(&[u8]) -> usize) -> usize {
    let mut at = 0;
    while at < offset {
        let Some(rest) = bytes.get(at..) else { break };
        at += message_len(rest).max(1);
    }
    at.min(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::{LogReader, Progress};
    use crate::MemberId;
    use crate::chunk::{Chunk, Recipients, Segment};
    use std::io::IoSlice;
    use std::sync::Arc;

    /// Messages of ten bytes: the first three for everybody but member 1, the rest for all.
    fn chunk() -> Arc<Chunk> {
        let but_one = Recipients::AllBut(MemberId(1), MemberId(1));
        Arc::new(Chunk {
            bytes: (0..60).collect(),
            segments: vec![
                Segment { end: 30, to: but_one },
                Segment { end: 60, to: Recipients::All },
            ],
        })
    }

    fn written(reader: &LogReader) -> Vec<u8> {
        let mut slices: Vec<IoSlice<'_>> = Vec::new();
        reader.gather(&mut slices, 64);
        slices.iter().flat_map(|slice| slice.to_vec()).collect()
    }

    #[test]
    fn segments_of_others_are_passed_over_and_counted() {
        let progress = Arc::new(Progress::default());
        let mut reader = LogReader::new(MemberId(1), Arc::clone(&progress));
        let _ = reader.push(chunk());
        assert_eq!(progress.consumed(), 30);
        assert_eq!(written(&reader), (30..60).collect::<Vec<u8>>());
        let _ = reader.advance(7);
        assert_eq!(progress.consumed(), 37);
        assert_eq!(written(&reader), (37..60).collect::<Vec<u8>>());
        let _ = reader.advance(23);
        assert!(reader.is_empty());
        assert_eq!(progress.consumed(), 60);
    }

    #[test]
    fn leaving_the_log_finishes_the_message_that_was_begun() {
        let progress = Arc::new(Progress::default());
        let mut reader = LogReader::new(MemberId(2), Arc::clone(&progress));
        let _ = reader.push(chunk());
        let _ = reader.push(chunk());
        let _ = reader.advance(25);
        let dropped = reader.detach(|_| 10);
        assert_eq!(written(&reader), (25..30).collect::<Vec<u8>>());
        assert_eq!(dropped.iter().map(|(_, from)| *from).collect::<Vec<_>>(), vec![30, 0]);
        assert_eq!(progress.consumed(), 120);
        let _ = reader.advance(5);
        assert!(reader.is_empty());
    }

    #[test]
    fn leaving_between_messages_keeps_nothing() {
        let mut reader = LogReader::new(MemberId(2), Arc::default());
        let _ = reader.push(chunk());
        let _ = reader.advance(20);
        let dropped = reader.detach(|_| 10);
        assert!(reader.is_empty());
        assert_eq!(dropped.first().map(|(_, from)| *from), Some(20));
    }
}
