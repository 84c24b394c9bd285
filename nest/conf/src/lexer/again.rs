//! Reads texts again: their files, and single pieces of them.

use core::ops::Range;
use std::path::{Path, PathBuf};

use super::{Cursor, Lexed, Lexer};
use crate::{
    files::{Files, MAX_FILE},
    glob,
    moves::Moves,
    source::{SourceMap, Span},
};

/// Where the texts of a configuration come from: enough to read them again without cutting them.
#[derive(Debug, Clone, Default)]
pub struct Origins {
    /// The path of each file of the [`SourceMap`](crate::SourceMap).
    pub(super) paths: Vec<PathBuf>,
    includes: Vec<Include>,
}

#[derive(Debug, Clone)]
struct Include {
    /// The statement.
    span: Span,
    pattern: PathBuf,
    /// The files that it stood for.
    found: Box<[PathBuf]>,
}

impl Origins {
    pub(super) fn note(&mut self, span: Span, pattern: PathBuf, found: &[PathBuf]) {
        self.includes.push(Include { span, pattern, found: found.into() });
    }

    /// The same for texts that have moved.
    #[must_use]
    pub fn moved(&self, moves: &Moves) -> Self {
        let mut moved = self.clone();
        moved.includes.iter_mut().for_each(|include| include.span = moves.span(include.span));
        moved
    }

    /// Whether some file includes others.
    #[must_use]
    pub fn has_includes(&self) -> bool {
        !self.includes.is_empty()
    }

    /// Whether something is included in a piece of a file.
    #[must_use]
    pub fn includes_in(&self, file: u32, piece: &Range<u32>) -> bool {
        let inside = |span: &Span| span.file == file && piece.contains(&span.start);
        self.includes.iter().any(|include| inside(&include.span))
    }
}

/// The files of a configuration that was read from a path, as they are now. Nothing if others are included than
/// were, or some cannot be read: then all of it has to be read from the start.
#[must_use]
pub fn read_again(path: &Path, origins: &Origins, files: &dyn Files) -> Option<Vec<Vec<u8>>> {
    if origins.paths.first().is_none_or(|first| first != path) {
        return None;
    }
    for include in &origins.includes {
        let is_pattern = include.pattern.to_str().is_none_or(glob::is_pattern);
        if is_pattern && *glob::expand(&include.pattern, files).ok()? != *include.found {
            return None;
        }
    }
    let texts = origins.paths.iter().map(|path| files.read(path));
    let texts: Vec<Vec<u8>> = texts.collect::<Result<_, _>>().ok()?;
    let included: usize = texts.iter().skip(1).map(Vec::len).sum();
    let fit = texts.iter().all(|text| u32::try_from(text.len()).is_ok());
    (fit && included <= MAX_FILE).then_some(texts)
}

/// How many tokens there are in a piece of a text, which has to begin and end between two of them.
#[must_use]
pub fn count(sources: &SourceMap, piece: Span) -> usize {
    let mut lexed = Lexed { sources: sources.clone(), ..Lexed::default() };
    cut(&mut lexed, piece, usize::MAX);
    lexed.tokens.len()
}

/// Cuts a piece of a text that is known, up to `most` tokens; whether it ends where a token or a blank does.
/// Nothing may be included in it.
pub(crate) fn cut(lexed: &mut Lexed, piece: Span, most: usize) -> bool {
    let Some(text) = lexed.sources.file(piece.file).map(|file| file.text().clone()) else {
        return false;
    };
    let (at, end) = (piece.start as usize, (piece.end as usize).min(text.len()));
    let fresh_line = at.checked_sub(1).is_none_or(|last| text.as_bytes().get(last) == Some(&b'\n'));
    let mut lexer = Lexer { out: core::mem::take(lexed), ..Lexer::default() };
    let mut cursor = Cursor { text: &text, file: piece.file, at, fresh_line };
    while cursor.at < end
        && lexer.out.tokens.len() < most
        && let Some(&byte) = cursor.rest().first()
    {
        lexer.step(&mut cursor, byte, Path::new(""));
    }
    *lexed = lexer.out;
    cursor.at <= end
}
