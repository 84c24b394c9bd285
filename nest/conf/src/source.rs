//! The texts that a configuration was read from, and places in them.

use std::sync::Arc;

use crate::blocks::Block;

/// A piece of the text of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Span {
    /// Index of the file in the [`SourceMap`].
    pub file: u32,
    /// Offset of the first byte.
    pub start: u32,
    /// Offset behind the last byte.
    pub end: u32,
}

impl Span {
    /// The span from the start of `self` to the end of `other`, if both are in one file.
    #[inline]
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        if self.file == other.file && other.end >= self.start {
            Self { end: other.end, ..self }
        } else {
            self
        }
    }
}

/// A place as people count: lines and byte columns from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position {
    /// Line, from 1.
    pub line: u32,
    /// Byte in the line, from 1 (a tab is one byte).
    pub column: u32,
}

/// One file: its name as shown in messages and its text.
#[derive(Debug, Clone)]
pub struct SourceFile {
    name: Arc<str>,
    text: Arc<String>,
    line_starts: Arc<[u32]>,
}

impl SourceFile {
    /// A file of this name.
    #[must_use]
    pub fn new(name: &str, bytes: Vec<u8>) -> Self {
        let text = into_text(bytes);
        let mut line_starts = vec![0];
        line_ends(&text, 0..text.len(), &mut line_starts);
        Self { name: Arc::from(name), text: Arc::new(text), line_starts: line_starts.into() }
    }

    /// The same file with another text, which has these blocks in common with this one: see
    /// [`common`](crate::blocks::common).
    #[must_use]
    pub fn changed(&self, text: String, blocks: &[Block]) -> Self {
        let mut line_starts = Vec::with_capacity(self.line_starts.len() + 64);
        line_starts.push(0);
        let mut end = 0;
        for block in blocks {
            line_ends(&text, end..block.new, &mut line_starts);
            end = block.new_end();
            let by = offset(block.new).wrapping_sub(offset(block.old));
            let behind = |at: usize| self.line_starts.partition_point(|start| *start <= offset(at));
            let own = self.line_starts.get(behind(block.old)..behind(block.old_end()));
            line_starts.extend(own.unwrap_or(&[]).iter().map(|start| start.wrapping_add(by)));
        }
        line_ends(&text, end..text.len(), &mut line_starts);
        Self { name: self.name.clone(), text: Arc::new(text), line_starts: line_starts.into() }
    }

    /// The name for messages.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The text. Bytes that were not UTF-8 are question marks, so that columns stay right.
    #[must_use]
    pub fn text(&self) -> &Arc<String> {
        &self.text
    }

    /// The line of an offset, from 0. Near a line that is known from before it is found at once.
    fn line(&self, offset: u32, near: usize) -> usize {
        /// A statement rarely has more lines.
        const NEAR: usize = 8;
        let starts = self.line_starts.get(near..).unwrap_or(&[]);
        if starts.first().is_some_and(|&start| start <= offset) {
            let next = starts.iter().take(NEAR).position(|&start| start > offset);
            if let Some(next) = next {
                return near + next - 1;
            }
            if starts.len() <= NEAR {
                return near + starts.len() - 1;
            }
        }
        self.line_starts.partition_point(|&start| start <= offset).max(1) - 1
    }

    /// How many lines begin up to an offset.
    pub(crate) fn lines_until(&self, at: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= offset(at))
    }

    fn position(&self, offset: u32) -> Position {
        let line = self.line(offset, usize::MAX) + 1;
        let start = self.line_starts.get(line - 1).copied().unwrap_or(0);
        Position { line: u32::try_from(line).unwrap_or(u32::MAX), column: offset - start + 1 }
    }
}

/// All files of a configuration. A file included twice is in it twice.
#[derive(Debug, Clone, Default)]
pub struct SourceMap {
    files: Vec<SourceFile>,
}

impl SourceMap {
    /// Adds a text and returns the index of its file.
    pub fn add(&mut self, name: &str, bytes: Vec<u8>) -> u32 {
        self.add_file(SourceFile::new(name, bytes))
    }

    /// Adds a file and returns its index.
    pub fn add_file(&mut self, file: SourceFile) -> u32 {
        self.files.push(file);
        u32::try_from(self.files.len() - 1).unwrap_or(u32::MAX)
    }

    /// The file with this index.
    #[inline]
    #[must_use]
    pub fn file(&self, index: u32) -> Option<&SourceFile> {
        self.files.get(index as usize)
    }

    /// A hash of all texts: 64 bits. The same texts in the same order have the same, in whatever files.
    #[must_use]
    pub fn digest(&self) -> u64 {
        let mut digest = Digest::default();
        self.files.iter().for_each(|file| digest.write(file.text.as_bytes()));
        digest.finish()
    }

    /// All files, in the order in which they were opened.
    #[must_use]
    pub fn files(&self) -> &[SourceFile] {
        &self.files
    }

    /// The text of a span; empty if the span is of another map.
    #[inline]
    #[must_use]
    pub fn text(&self, span: Span) -> &str {
        self.file(span.file)
            .and_then(|file| file.text.get(span.start as usize..span.end as usize))
            .unwrap_or("")
    }

    /// Where a span starts.
    #[must_use]
    pub fn position(&self, span: Span) -> Position {
        self.file(span.file).map_or_else(Position::default, |file| file.position(span.start))
    }

    /// The line in which a span starts, from 1. `near` is a line of the same file that was given before, or
    /// anything.
    #[inline]
    #[must_use]
    pub fn line(&self, span: Span, near: u32) -> u32 {
        let near = usize::try_from(near).unwrap_or(0).saturating_sub(1);
        let line = self.file(span.file).map_or(0, |file| file.line(span.start, near) + 1);
        u32::try_from(line).unwrap_or(u32::MAX)
    }

    /// The name of the span's file.
    #[must_use]
    pub fn name(&self, span: Span) -> Arc<str> {
        self.file(span.file).map_or_else(|| Arc::from(""), |file| file.name.clone())
    }
}

/// A hash of bytes, eight at a time, wherever they are cut.
#[derive(Default)]
struct Digest {
    hash: u64,
    /// Bytes that are not eight yet, and how many.
    pending: u64,
    count: u32,
    total: u64,
}

impl Digest {
    fn write(&mut self, mut bytes: &[u8]) {
        self.total += bytes.len() as u64;
        while self.count > 0
            && let [byte, rest @ ..] = bytes
        {
            self.byte(*byte);
            bytes = rest;
        }
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.word(u64::from_le_bytes(*word)));
        rest.iter().for_each(|byte| self.byte(*byte));
    }

    fn byte(&mut self, byte: u8) {
        self.pending |= u64::from(byte) << (8 * self.count);
        self.count += 1;
        if self.count == 8 {
            let word = core::mem::take(&mut self.pending);
            self.count = 0;
            self.word(word);
        }
    }

    fn word(&mut self, word: u64) {
        let mixed = (self.hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.hash = mixed ^ mixed >> 29;
    }

    fn finish(mut self) -> u64 {
        let (pending, total) = (self.pending, self.total);
        self.word(pending);
        self.word(total);
        self.hash
    }
}

fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// Adds the starts of the lines that begin behind each end of a line in a piece of a text.
fn line_ends(text: &str, piece: core::ops::Range<usize>, starts: &mut Vec<u32>) {
    let from = piece.start;
    if let Some(text) = text.get(piece.clone()) {
        return starts.extend(text.match_indices('\n').map(|(at, _)| offset(from + at + 1)));
    }
    // It begins or ends within a character.
    let bytes = text.as_bytes().get(piece).unwrap_or(&[]).iter().enumerate();
    starts.extend(bytes.filter(|(_, byte)| **byte == b'\n').map(|(at, _)| offset(from + at + 1)));
}

/// Text out of any bytes, byte for byte: what is not UTF-8 becomes question marks.
#[must_use]
pub fn into_text(bytes: Vec<u8>) -> String {
    match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let bytes = error.into_bytes();
            let mut text = String::with_capacity(bytes.len());
            for chunk in bytes.utf8_chunks() {
                text.push_str(chunk.valid());
                text.extend(std::iter::repeat_n('?', chunk.invalid().len()));
            }
            text
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_of_the_texts_in_their_order() {
        let digest = |texts: &[&str]| {
            let mut map = SourceMap::default();
            texts.iter().for_each(|text| _ = map.add("name", text.as_bytes().to_vec()));
            map.digest()
        };
        let whole = "router id 1; protocol device { }";
        for cut in 0..whole.len() {
            let (head, tail) = whole.split_at(cut);
            assert_eq!(digest(&[head, tail]), digest(&[whole]), "{cut}");
            if cut > 0 {
                assert_ne!(digest(&[tail, head]), digest(&[whole]), "{cut}");
            }
        }
        assert_ne!(digest(&["a\0"]), digest(&["a"]));
    }

    #[test]
    fn positions_count_lines_and_bytes_from_one() {
        let mut map = SourceMap::default();
        let file = map.add("a", b"one\n\ttwo\n".to_vec());
        let at = |start| map.position(Span { file, start, end: start });
        assert_eq!(at(0), Position { line: 1, column: 1 });
        assert_eq!(at(4), Position { line: 2, column: 1 });
        assert_eq!(at(5), Position { line: 2, column: 2 });
        assert_eq!(at(9), Position { line: 3, column: 1 });
    }

    #[test]
    fn a_line_is_the_same_from_wherever_it_is_looked_for() {
        let mut map = SourceMap::default();
        let text: String = (0..40).map(|length| "x".repeat(length % 5) + "\n").collect();
        let end = u32::try_from(text.len()).unwrap();
        let file = map.add("a", text.into_bytes());
        for start in 0..=end {
            let span = Span { file, start, end: start };
            let expected = map.position(span).line;
            for near in 0..=45 {
                assert_eq!(map.line(span, near), expected, "{start} from {near}");
            }
        }
        assert_eq!(map.line(Span { file: 7, start: 0, end: 0 }, 1), 0);
    }

    #[test]
    fn bytes_that_are_no_text_keep_their_number() {
        let mut map = SourceMap::default();
        let file = map.add("a", b"a\xff\xfeb".to_vec());
        assert_eq!(map.text(Span { file, start: 0, end: 4 }), "a??b");
    }
}
