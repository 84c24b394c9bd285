//! What two texts have in common: long runs of equal bytes, in the same order in both.
//!
//! Most changes of a configuration touch a few of its statements. What is equal in front of them and behind
//! them is found by comparing bytes; between two changes, by looking for how the next statements begin. What
//! is not found to be common only costs time: it is read again.

use core::ops::Range;

/// A run of bytes that are equal in both texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// Where it is in the old text.
    pub old: usize,
    /// Where it is in the new text.
    pub new: usize,
    /// How many bytes it has.
    pub length: usize,
}

impl Block {
    /// Its end in the old text.
    #[must_use]
    pub const fn old_end(&self) -> usize {
        self.old + self.length
    }

    /// Its end in the new text.
    #[must_use]
    pub const fn new_end(&self) -> usize {
        self.new + self.length
    }
}

/// Bytes at the beginning of a statement by which it is looked for.
const HEAD: usize = 64;
/// How far ahead a statement is looked for: what was put in front of it is rarely longer.
const FAR: usize = 1 << 20;
/// Statements that are looked for behind one change.
const TRIES: usize = 16;
/// Statements that are not found, after which nothing more is looked for.
const MISSES: usize = 64;

/// The common blocks, in their order. `statements` are where the old text has statements, in order. The first
/// block begins both texts and the last one ends both, if only with no bytes; in between none is empty.
#[must_use]
pub fn common(old: &[u8], new: &[u8], statements: &[Range<usize>]) -> Vec<Block> {
    let first = Block { old: 0, new: 0, length: equal_begin(old, new) };
    let mut blocks = vec![first];
    if first.length == old.len() && old.len() == new.len() {
        return blocks;
    }
    let tail = equal_end(&old[first.length..], &new[first.length..]);
    let ends = (old.len() - tail, new.len() - tail);
    let mut misses = 0;
    let mut last = first;
    while let Some(block) = next(old, new, last, ends, statements, &mut misses) {
        blocks.push(block);
        last = block;
    }
    let tail = tail.min(old.len() - last.old_end()).min(new.len() - last.new_end());
    blocks.push(Block { old: old.len() - tail, new: new.len() - tail, length: tail });
    blocks
}

/// The next block behind a change that ends before the common end of both texts begins.
fn next(
    old: &[u8],
    new: &[u8],
    last: Block,
    ends: (usize, usize),
    statements: &[Range<usize>],
    misses: &mut usize,
) -> Option<Block> {
    let behind = statements.partition_point(|statement| statement.start < last.old_end());
    let window = new.get(last.new_end()..ends.1)?;
    let window = &window[..window.len().min(FAR)];
    for statement in statements.get(behind..)?.iter().take(TRIES) {
        if statement.start >= ends.0 || *misses >= MISSES {
            return None;
        }
        let head = &old[statement.start..statement.end.min(statement.start + HEAD)];
        if let Some(at) = Finder::new(head).find(window, 0) {
            let (old_at, new_at) = (statement.start, last.new_end() + at);
            let length = equal_begin(&old[old_at..], &new[new_at..]);
            return Some(Block { old: old_at, new: new_at, length });
        }
        *misses += 1;
    }
    None
}

/// Compared at once: compilers make good code of comparing slices.
const PIECE: usize = 4096;

fn equal_begin(one: &[u8], other: &[u8]) -> usize {
    let pieces = one.chunks(PIECE).zip(other.chunks(PIECE));
    let equal = pieces.take_while(|(one, other)| one == other);
    let at = equal.map(|(piece, _)| piece.len()).sum::<usize>();
    at + one[at..].iter().zip(&other[at..]).take_while(|(one, other)| one == other).count()
}

fn equal_end(one: &[u8], other: &[u8]) -> usize {
    let pieces = one.rchunks(PIECE).zip(other.rchunks(PIECE));
    let equal = pieces.take_while(|(one, other)| one == other);
    let length = equal.map(|(piece, _)| piece.len()).sum::<usize>();
    let (one, other) = (&one[..one.len() - length], &other[..other.len() - length]);
    let rest = one.iter().rev().zip(other.iter().rev()).take_while(|(one, other)| one == other);
    length + rest.count()
}

/// Looks for a piece of text. It leaps by the length of that piece where it can (Horspool's way), so long names
/// are found fast in long texts.
#[derive(Debug)]
pub struct Finder<'w> {
    what: &'w [u8],
    leaps: [usize; 256],
}

impl<'w> Finder<'w> {
    /// For this piece.
    #[must_use]
    pub fn new(what: &'w [u8]) -> Self {
        let mut leaps = [what.len(); 256];
        let before = what.get(..what.len().saturating_sub(1)).unwrap_or(&[]);
        for (at, byte) in before.iter().enumerate() {
            leaps[usize::from(*byte)] = before.len() - at;
        }
        Self { what, leaps }
    }

    /// Where it is in a text for the first time from an offset on.
    #[must_use]
    pub fn find(&self, text: &[u8], from: usize) -> Option<usize> {
        let (&last, before) = self.what.split_last()?;
        let mut end = from + before.len();
        while let Some(&byte) = text.get(end) {
            if byte == last && text[end - before.len()..end] == *before {
                return Some(end - before.len());
            }
            end += self.leaps[usize::from(byte)];
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The statements of a text are its words.
    fn words(text: &str) -> Vec<Range<usize>> {
        let begins = |at: &usize| at.is_multiple_of(8);
        (0..text.len()).filter(begins).map(|at| at..(at + 7).min(text.len())).collect()
    }

    fn check(old: &str, new: &str) -> Vec<Block> {
        let blocks = common(old.as_bytes(), new.as_bytes(), &words(old));
        let mut at = (0, 0);
        for block in &blocks {
            assert!(block.old >= at.0 && block.new >= at.1, "{blocks:?}");
            let text = |all: &str, from: usize| all[from..from + block.length].to_owned();
            assert_eq!(text(old, block.old), text(new, block.new));
            at = (block.old_end(), block.new_end());
        }
        assert_eq!((blocks[0].old, blocks[0].new), (0, 0));
        assert_eq!(at, (old.len(), new.len()), "{blocks:?}");
        blocks
    }

    #[test]
    fn equal_texts_are_one_block() {
        for text in ["", "word-00 word-01", &"x".repeat(3 * PIECE)] {
            assert_eq!(check(text, text).len(), 1);
        }
    }

    #[test]
    fn what_is_between_two_changes_is_common() {
        let old: String = (0..900).map(|word| format!("wd{word:04} \n")).collect();
        let changed = old.replace("wd0300", "W").replace("wd0600", "longer-word");
        let blocks = check(&old, &changed);
        assert_eq!(blocks.len(), 3);
        let common: usize = blocks.iter().map(|block| block.length).sum();
        assert!(common > old.len() - 40, "{common} of {}", old.len());
        // Words that are gone, and some that are new.
        let inserted =
            old.replace("wd0100 \nwd0101 \nwd0102 \n", "").replace("wd0500", "a\nb\nwd0500");
        assert_eq!(check(&old, &inserted).len(), 3);
    }

    #[test]
    fn any_two_texts_have_blocks() {
        let texts = [
            "",
            "a",
            "aaaaaaaaaaaaaaaaaaaa",
            "aaaaaaaabaaaaaaaaaaa",
            "wd0001 \nwd0002 \n",
            "wd0002 \nwd0001 \n",
        ];
        for old in texts {
            for new in texts {
                check(old, new);
            }
        }
    }

    #[test]
    fn what_is_looked_for_is_found_where_it_is_first() {
        let text = "abcabdabcabc abd";
        for from in 0..text.len() {
            for to in from + 1..=text.len() {
                let what = &text[from..to];
                let finder = Finder::new(what.as_bytes());
                for start in 0..=text.len() {
                    let expected = text[start..].find(what).map(|at| start + at);
                    assert_eq!(finder.find(text.as_bytes(), start), expected, "{what}");
                }
            }
        }
        for what in ["abcd", "x", ""] {
            assert_eq!(Finder::new(what.as_bytes()).find(b"abc", 0), None);
        }
    }
}
