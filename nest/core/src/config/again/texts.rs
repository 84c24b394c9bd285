//! The texts of a configuration beside those of the reading before: what is common and where it stands now.

use core::ops::Range;

use dunlin_conf::blocks::{Block, Finder, common};
use dunlin_conf::source::{SourceFile, into_text};
use dunlin_conf::{Moves, SourceMap, Span};

use super::super::Config;
use super::super::reading::{Nature, Statement, number};

/// A piece of a file that has to be read as if for the first time.
#[derive(Debug)]
pub(super) struct Region {
    /// The first statement that was in it, or that is behind it if none was.
    pub(super) first: usize,
    /// The one behind it.
    pub(super) behind: usize,
    /// Where it was.
    pub(super) old: Span,
    /// Where it is.
    pub(super) new: Span,
}

/// All files, old and new.
pub(super) struct Texts<'a> {
    statements: &'a [Statement],
    files: Vec<File>,
    pub(super) moves: Moves,
    /// In the order of the text.
    pub(super) regions: Vec<Region>,
}

/// A file.
struct File {
    new: SourceFile,
    /// What it has in common with the one before.
    blocks: Vec<Block>,
    /// Its statements, as numbers of all.
    own: Vec<usize>,
}

impl<'a> Texts<'a> {
    /// Nothing if it is not clear which statements have changed, or such have that others depend on.
    pub(super) fn new(before: &'a Config, bytes: Vec<Vec<u8>>) -> Option<Self> {
        let statements = &*before.reading.statements;
        let mut own: Vec<Vec<usize>> = vec![Vec::new(); bytes.len()];
        for (index, statement) in statements.iter().enumerate() {
            own.get_mut(statement.span.file as usize)?.push(index);
        }
        let mut texts =
            Self { statements, files: Vec::new(), moves: Moves::default(), regions: Vec::new() };
        for ((old, bytes), own) in before.sources.files().iter().zip(bytes).zip(own) {
            texts.add(old, bytes, own)?;
        }
        texts.regions.sort_by_key(|region| region.first);
        let pairs = texts.regions.windows(2);
        let apart =
            |pair: &[Region]| pair[0].first < pair[1].first && pair[0].behind <= pair[1].first;
        let includes = |region: &Region| {
            before.reading.origins.includes_in(region.old.file, &(region.old.start..region.old.end))
        };
        let global = |region: &Region| {
            let were = &statements[region.first..region.behind];
            were.iter().any(|statement| statement.nature == Nature::Global)
        };
        let clear = pairs.clone().all(apart)
            && !texts.regions.iter().any(|region| includes(region) || global(region));
        clear.then_some(texts)
    }

    fn add(&mut self, old: &SourceFile, bytes: Vec<u8>, own: Vec<usize>) -> Option<()> {
        let text = into_text(bytes);
        if text == **old.text() {
            let blocks = vec![Block { old: 0, new: 0, length: text.len() }];
            self.moves.add_same();
            self.files.push(File { new: old.clone(), blocks, own });
            return Some(());
        }
        // Where in the text the statements of an empty file are, is not known.
        if own.is_empty() {
            return None;
        }
        let place = |index: &usize| {
            let span = self.statements[*index].span;
            span.start as usize..span.end as usize
        };
        let places: Vec<Range<usize>> = own.iter().map(place).collect();
        let blocks = common(old.text().as_bytes(), text.as_bytes(), &places);
        let new = old.changed(text, &blocks);
        self.moves.add_changed(old, &new, &blocks);
        let regions = Cut { file: number(self.files.len()), places: &places, own: &own };
        self.regions.extend(regions.regions(old.text(), new.text(), &blocks)?);
        self.files.push(File { new, blocks, own });
        Some(())
    }

    /// The new texts.
    pub(super) fn sources(&self) -> SourceMap {
        let mut sources = SourceMap::default();
        for file in &self.files {
            sources.add_file(file.new.clone());
        }
        sources
    }

    /// How many bytes there are in all.
    pub(super) fn size(&self) -> usize {
        self.files.iter().map(|file| file.new.text().len()).sum()
    }

    /// The statements from this one on that have a name in their text, and how many bytes had to be looked at.
    /// A name in a comment or string counts too. `from`: a place in front of that statement.
    pub(super) fn with_name(&self, name: &str, first: usize, from: Span) -> (Vec<usize>, usize) {
        let finder = Finder::new(name.as_bytes());
        let (mut found, mut looked) = (Vec::new(), 0);
        for (index, file) in self.files.iter().enumerate() {
            if file.own.last().is_none_or(|last| *last < first) {
                continue;
            }
            let text = file.new.text().as_bytes();
            let mut at = if number(index) == from.file { from.end as usize } else { 0 };
            looked += text.len().saturating_sub(at);
            while let Some(place) = finder.find(text, at) {
                at = place + 1;
                if is_name(text, place..place + name.len()) {
                    found.extend(self.statement_at(file, place).filter(|found| *found >= first));
                }
            }
        }
        (found, looked)
    }

    /// The statement that has a place of the new text in it, unless it is in a region.
    fn statement_at(&self, file: &File, place: usize) -> Option<usize> {
        let behind = file.blocks.partition_point(|block| block.new <= place);
        let block = file.blocks.get(behind.checked_sub(1)?)?;
        let old = number(block.old + (place < block.new_end()).then(|| place - block.new)?);
        let start = |index: &usize| self.statements[*index].span.start;
        let behind = file.own.partition_point(|index| start(index) <= old);
        let index = *file.own.get(behind.checked_sub(1)?)?;
        (old < self.statements[index].span.end).then_some(index)
    }
}

/// A file whose regions are wanted.
struct Cut<'c> {
    file: u32,
    /// Where its statements were.
    places: &'c [Range<usize>],
    /// Their numbers among all.
    own: &'c [usize],
}

impl Cut<'_> {
    /// What is between the statements that are wholly in a block each, their own neighbours included.
    fn regions(&self, old: &str, new: &str, blocks: &[Block]) -> Option<Vec<Region>> {
        let mut regions = Vec::new();
        // Behind the last statement that stays: how many there were, the old and the new place.
        let mut at = (0, 0, 0);
        for (number, block) in blocks.iter().enumerate() {
            // In front of the first statement there has to be something: places that mean nothing are there.
            let begin = block.old.max(usize::from(number > 0));
            let first = self.places.partition_point(|place| place.start < begin).max(at.0);
            let behind = self.places.partition_point(|place| place.end <= block.old_end());
            if first >= behind {
                continue;
            }
            let start = self.places[first].start;
            if number > 0 {
                let ends = (start, start - block.old + block.new);
                regions.push(self.region(at, first, ends)?);
            }
            let end = self.places[behind - 1].end;
            at = (behind, end, end - block.old + block.new);
        }
        if old.get(at.1..) != new.get(at.2..) {
            regions.push(self.region(at, self.own.len(), (old.len(), new.len()))?);
        }
        Some(regions)
    }

    fn region(
        &self,
        (at, old_start, new_start): (usize, usize, usize),
        behind: usize,
        (old_end, new_end): (usize, usize),
    ) -> Option<Region> {
        let span = |start: usize, end: usize| Span {
            file: self.file,
            start: number(start),
            end: number(end),
        };
        // Behind the last one of the file, it is in front of whatever follows that.
        let of = |index: usize| match self.own.get(index) {
            Some(index) => Some(*index),
            None => self.own.last().map(|last| last + 1),
        };
        let first = of(at)?;
        let behind = first + (behind - at);
        Some(Region { first, behind, old: span(old_start, old_end), new: span(new_start, new_end) })
    }
}

/// Whether what is there can be a name by itself. In doubt it can: a number may stand right in front of a name.
fn is_name(text: &[u8], place: Range<usize>) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    if text.get(place.end).is_some_and(is_part) {
        return false;
    }
    let before = text.get(..place.start).unwrap_or(&[]);
    let run = before.iter().rev().take_while(|byte| is_part(byte)).count();
    let (before, run) = before.split_at(before.len() - run);
    match run.first() {
        None => true,
        Some(first) => first.is_ascii_digit() || matches!(before.last(), Some(b':' | b'.')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_no_part_of_another() {
        let found = |text: &str, name: &str| {
            let at = text.find(name).unwrap();
            is_name(text.as_bytes(), at..at + name.len())
        };
        for text in ["AS1", "f(AS1)", "'AS1'", "10AS1;", "x = 2001:db8::1AS1", "-AS1 ", "0x1AS1"] {
            assert!(found(text, "AS1"), "{text}");
        }
        for text in ["AS10", "xAS1", "AS1_2", "from_AS1", "x1AS1"] {
            assert!(!found(text, "AS1"), "{text}");
        }
    }
}
