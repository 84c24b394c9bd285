//! Where pieces of texts stand after the texts have changed.

use crate::blocks::Block;
use crate::source::{SourceFile, Span};

/// For each file, what its common blocks have moved by.
#[derive(Debug, Clone, Default)]
pub struct Moves {
    files: Vec<Box<[Move]>>,
    any: bool,
}

/// What stands behind an offset of the old text has moved by so many bytes and lines, modulo 2^32.
#[derive(Debug, Clone, Copy)]
struct Move {
    from: u32,
    bytes: u32,
    lines: u32,
}

impl Moves {
    /// Adds the next file, in which nothing has moved.
    pub fn add_same(&mut self) {
        self.files.push(Box::default());
    }

    /// Adds the next file, which was `old` and is `new`, with these blocks in common.
    pub fn add_changed(&mut self, old: &SourceFile, new: &SourceFile, blocks: &[Block]) {
        let moves: Box<[Move]> =
            blocks.iter().skip(1).map(|block| Move::of(old, new, block)).collect();
        self.any |= moves.iter().any(|moved| (moved.bytes, moved.lines) != (0, 0));
        self.files.push(moves);
    }

    /// Whether everything common stands where it stood.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.any
    }

    /// Where a piece of the old text stands now; it has to be of a common block.
    #[must_use]
    pub fn span(&self, span: Span) -> Span {
        let Some(moved) = self.find(span) else { return span };
        Span {
            start: span.start.wrapping_add(moved.bytes),
            end: span.end.wrapping_add(moved.bytes),
            ..span
        }
    }

    /// The line that a piece of the old text is in now, if it was in this one.
    #[must_use]
    pub fn line(&self, span: Span, line: u32) -> u32 {
        self.find(span).map_or(line, |moved| line.wrapping_add(moved.lines))
    }

    fn find(&self, span: Span) -> Option<&Move> {
        let moves = self.files.get(span.file as usize)?;
        let behind = moves.partition_point(|moved| moved.from <= span.start);
        moves.get(behind.checked_sub(1)?)
    }
}

impl Move {
    fn of(old: &SourceFile, new: &SourceFile, block: &Block) -> Self {
        let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let lines = |file: &SourceFile, at| offset(file.lines_until(at));
        Self {
            // What has no place is said to be at the beginning of the first file, and stays there.
            from: offset(block.old).max(1),
            bytes: offset(block.new).wrapping_sub(offset(block.old)),
            lines: lines(new, block.new).wrapping_sub(lines(old, block.old)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blocks::common;
    use crate::source::SourceMap;

    #[test]
    fn what_is_common_is_found_where_it_stands_now() {
        let (old, new) = ("first\nsecond\nthird\n", "first\none\nmore\nsecond\nth");
        let old = SourceFile::new("f", old.into());
        let statements = [0..5, 6..12, 13..18];
        let blocks = common(old.text().as_bytes(), new.as_bytes(), &statements);
        let changed = old.changed(new.to_owned(), &blocks);
        let mut moves = Moves::default();
        moves.add_same();
        moves.add_changed(&old, &changed, &blocks);
        assert!(!moves.is_empty());
        let (mut before, mut after) = (SourceMap::default(), SourceMap::default());
        for map in [&mut before, &mut after] {
            map.add("other", b"x".to_vec());
        }
        before.add_file(old);
        after.add_file(changed);
        for (start, end) in [(0, 5), (6, 12)] {
            let span = Span { file: 1, start, end };
            let moved = moves.span(span);
            assert_eq!(after.text(moved), before.text(span));
            assert_eq!(moves.line(span, before.line(span, 0)), after.line(moved, 0));
        }
        let elsewhere = Span { file: 0, start: 0, end: 1 };
        assert_eq!(moves.span(elsewhere), elsewhere);
    }

    #[test]
    fn lines_of_a_changed_text_are_those_of_the_text() {
        let old = SourceFile::new("f", "a\nbb\n\nccc\ndd\n#\u{e4}\n\u{e4}\n".into());
        for new in [
            "",
            "\n",
            "a\nbb\n\nccc\ndd\n",
            "a\nbx\n\nccc\ndd\n",
            "a\nbb\n\n\n\nccc\ndd\n",
            "bb\n\nccc\n",
            "a\n#\u{f6}\n\n\u{e4}\n",
        ] {
            let blocks = common(old.text().as_bytes(), new.as_bytes(), &[0..1, 2..4, 6..9, 10..12]);
            let changed = old.changed(new.to_owned(), &blocks);
            let fresh = SourceFile::new("f", new.into());
            for at in 0..=new.len() {
                assert_eq!(changed.lines_until(at), fresh.lines_until(at), "{new:?} {at}");
            }
        }
    }
}
