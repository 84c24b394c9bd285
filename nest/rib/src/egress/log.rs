//! The log's open end: messages are gathered into chunks.

use std::sync::Arc;

use crate::chunk::{Chunk, Recipients, Segment};

/// A chunk is sealed when it has this many bytes.
const CHUNK_BYTES: usize = 64 * 1024;

/// A chunk that is being filled.
#[derive(Debug, Default)]
pub(crate) struct Open {
    pub(crate) bytes: Vec<u8>,
    segments: Vec<Segment>,
}

impl Open {
    /// The bytes to append messages to; call [`close_segment`](Self::close_segment) after.
    pub(crate) fn bytes(&mut self) -> &mut Vec<u8> {
        if self.bytes.capacity() == 0 {
            self.bytes.reserve(CHUNK_BYTES / 8);
        }
        &mut self.bytes
    }

    /// What was appended since the last segment is for these.
    pub(crate) fn close_segment(&mut self, to: Recipients) {
        let end = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        match self.segments.last_mut() {
            Some(last) if last.end == end => {}
            Some(last) if last.to == to => last.end = end,
            None if end == 0 => {}
            _ => self.segments.push(Segment { end, to }),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.bytes.len() >= CHUNK_BYTES
    }

    /// The sealed chunk; this is empty again.
    pub(crate) fn seal(&mut self) -> Option<Arc<Chunk>> {
        if self.is_empty() {
            return None;
        }
        let bytes = core::mem::take(&mut self.bytes);
        let segments = core::mem::take(&mut self.segments);
        Some(Arc::new(Chunk { bytes, segments }))
    }
}
