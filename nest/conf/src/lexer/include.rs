//! `include "path";`: the files are read in place, even in the middle of another construct.

use std::path::{Path, PathBuf};

use super::{Cursor, Lexer};
use crate::{
    files::{Files, MAX_FILE},
    glob,
    source::Span,
};

/// How deep includes may nest.
const MAX_DEPTH: usize = 8;
/// How many files may be included in all: with eight levels, few files can ask for any number.
const MAX_FILES: usize = 100_000;

impl Lexer<'_> {
    /// Handles an include at the cursor; false if there is none.
    pub(super) fn include(&mut self, cursor: &mut Cursor<'_>, path: &Path) -> bool {
        let Some((pattern, length)) = statement(cursor.rest()) else { return false };
        let span = cursor.span(length);
        cursor.at += length;
        let Ok(pattern) = std::str::from_utf8(&pattern) else { return true };
        let Some(files) = self.files else {
            self.error(span, "Include not allowed here");
            return true;
        };
        if self.open.len() > MAX_DEPTH {
            self.error(span, format!("Max include depth ({MAX_DEPTH}) reached"));
            return true;
        }
        let base = path.parent().unwrap_or(Path::new(""));
        let full = base.join(pattern);
        let found = match glob::is_pattern(pattern) {
            true => glob::expand(&full, files),
            false => Ok(vec![full]),
        };
        let found = found.unwrap_or_else(|error| {
            self.error(
                span,
                format!("Unable to match pattern {}: {error}", base.join(pattern).display()),
            );
            Vec::new()
        });
        self.out.origins.note(span, base.join(pattern), &found);
        for path in found {
            if self.may_include(&path, span) {
                self.one(&path, span, files);
            }
        }
        true
    }

    /// Whether another file can be read; not if it is being read already.
    fn may_include(&mut self, path: &Path, span: Span) -> bool {
        if self.open.iter().any(|open| open == path) {
            self.error(span, format!("Max include depth ({MAX_DEPTH}) reached"))
                .hint(format!("{} includes itself", path.display()));
            return false;
        }
        if self.full {
            return false;
        }
        self.full = self.out.sources.files().len() > MAX_FILES || self.bytes > MAX_FILE;
        if self.full {
            self.error(span, "Too many included files")
                .hint(format!("at most {MAX_FILES} files and {} MiB", MAX_FILE >> 20));
        }
        !self.full
    }

    fn one(&mut self, path: &Path, span: Span, files: &dyn Files) {
        let name = path.display().to_string();
        match files.read(path) {
            Ok(bytes) => {
                self.bytes += bytes.len();
                self.open.push(PathBuf::from(path));
                self.file(&name, path, bytes);
                self.open.pop();
            }
            Err(error) => {
                self.error(span, format!("Unable to open included file {name}: {error}"));
            }
        }
    }
}

/// Recognises the whole statement: gives the path and the length of the statement.
fn statement(rest: &[u8]) -> Option<(Vec<u8>, usize)> {
    let blanks = |at: usize| {
        at + rest.iter().skip(at).take_while(|byte| matches!(byte, b' ' | b'\t')).count()
    };
    if !rest.starts_with(b"include") {
        return None;
    }
    let open = blanks("include".len());
    if rest.get(open) != Some(&b'"') {
        return None;
    }
    let body = rest.get(open + 1..)?;
    let length = body.iter().position(|&byte| byte == b'"' || byte == b'\n')?;
    let close = open + 1 + length;
    if rest.get(close) != Some(&b'"') {
        return None;
    }
    let end = blanks(close + 1);
    (rest.get(end) == Some(&b';')).then(|| (body[..length].to_vec(), end + 1))
}
