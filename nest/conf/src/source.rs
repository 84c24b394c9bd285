//! The texts that a configuration was read from, and places in them.

use std::sync::Arc;

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
    text: Arc<str>,
    line_starts: Box<[u32]>,
}

impl SourceFile {
    /// The name for messages.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The text. Bytes that were not UTF-8 are question marks, so that columns stay right.
    #[must_use]
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }

    fn position(&self, offset: u32) -> Position {
        let line = self.line_starts.partition_point(|&start| start <= offset).max(1);
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
        let text = into_text(bytes);
        let mut line_starts = vec![0];
        line_starts.extend(
            text.bytes()
                .enumerate()
                .filter(|&(_, byte)| byte == b'\n')
                .map(|(index, _)| u32::try_from(index + 1).unwrap_or(u32::MAX)),
        );
        let file = SourceFile {
            name: Arc::from(name),
            text: Arc::from(text),
            line_starts: line_starts.into_boxed_slice(),
        };
        self.files.push(file);
        u32::try_from(self.files.len() - 1).unwrap_or(u32::MAX)
    }

    /// The file with this index.
    #[must_use]
    pub fn file(&self, index: u32) -> Option<&SourceFile> {
        self.files.get(index as usize)
    }

    /// A hash of all texts: 64 bits, FNV-1a. The same texts in the same order have the same, in whatever files.
    #[must_use]
    pub fn digest(&self) -> u64 {
        let bytes = self.files.iter().flat_map(|file| file.text.bytes());
        bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        })
    }

    /// All files, in the order in which they were opened.
    #[must_use]
    pub fn files(&self) -> &[SourceFile] {
        &self.files
    }

    /// The text of a span; empty if the span is of another map.
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

    /// The name of the span's file.
    #[must_use]
    pub fn name(&self, span: Span) -> Arc<str> {
        self.file(span.file).map_or_else(|| Arc::from(""), |file| file.name.clone())
    }
}

/// Text out of any bytes, byte for byte: what is not UTF-8 becomes question marks.
fn into_text(bytes: Vec<u8>) -> String {
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
        // As published with the algorithm.
        assert_eq!(digest(&[]), 0xcbf2_9ce4_8422_2325);
        assert_eq!(digest(&["a"]), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(digest(&["foo", "bar"]), 0x8594_4171_f739_67e8);
        assert_ne!(digest(&["bar", "foo"]), digest(&["foo", "bar"]));
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
    fn bytes_that_are_no_text_keep_their_number() {
        let mut map = SourceMap::default();
        let file = map.add("a", b"a\xff\xfeb".to_vec());
        assert_eq!(map.text(Span { file, start: 0, end: 4 }), "a??b");
    }
}
