//! Diagnostics for people: BIRD's line first, then the place in the text.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::{
    diagnostics::{Diagnostic, Severity},
    source::{SourceMap, Span},
};

/// Of lines longer than this only a piece around the place is shown.
const MAX_LINE: usize = 400;
/// How much of a long line is shown on either side of its mark.
const AROUND: usize = 40;
/// The longest mark in a long line.
const MAX_MARK: usize = 40;

/// The message in BIRD's form, followed by the lines it is about, where there are some.
#[must_use]
pub fn render(diagnostic: &Diagnostic, sources: &SourceMap) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning | Severity::NoEffect => Level::WARNING,
    };
    if let Some(piece) = Piece::of(sources, diagnostic.span) {
        return format!("{diagnostic}\n{}", piece.render(diagnostic));
    }
    let mut groups = Vec::new();
    let primary = excerpt(sources, diagnostic.span);
    let label = diagnostic.hint.as_deref().unwrap_or("");
    let mut group = Group::with_title(level.primary_title(&diagnostic.message));
    if let Some(excerpt) = &primary {
        let annotation = AnnotationKind::Primary.span(excerpt.range.clone());
        let annotation = if label.is_empty() { annotation } else { annotation.label(label) };
        group = group.element(excerpt.snippet().annotation(annotation));
    }
    groups.push(group);
    let related = diagnostic.related.as_ref();
    let earlier = related.and_then(|(span, why)| Some((excerpt(sources, *span)?, why)));
    if let Some((excerpt, why)) = &earlier {
        let annotation = AnnotationKind::Context.span(excerpt.range.clone());
        let group = Level::NOTE.secondary_title(why.as_str());
        groups.push(group.element(excerpt.snippet().annotation(annotation)));
    }
    format!("{diagnostic}\n{}\n", Renderer::plain().render(&groups))
}

/// Part of a line that is too long to be shown.
struct Piece<'s> {
    text: &'s str,
    /// Where the piece and what is marked begin and end in the line.
    start: usize,
    mark: Range<usize>,
    end: usize,
    length: usize,
}

impl<'s> Piece<'s> {
    /// The piece around a span; none if its line is short.
    fn of(sources: &'s SourceMap, span: Span) -> Option<Self> {
        let text = sources.file(span.file)?.text();
        let column = sources.position(span).column as usize - 1;
        let begin = (span.start as usize).checked_sub(column)?;
        let rest = text.get(begin..)?;
        let length = rest.find('\n').unwrap_or(rest.len());
        let line = rest.get(..length).filter(|line| line.len() > MAX_LINE)?;
        let boundary = |from: usize| {
            let from = from.min(length);
            (from..=length).find(|at| line.is_char_boundary(*at)).unwrap_or(length)
        };
        let marked = (span.end.saturating_sub(span.start) as usize).clamp(1, MAX_MARK);
        let mark = boundary(column)..boundary(column + marked);
        let (start, end) = (boundary(column.saturating_sub(AROUND)), boundary(mark.end + AROUND));
        Some(Self { text: line.get(start..end)?, start, mark, end, length })
    }

    fn render(&self, diagnostic: &Diagnostic) -> String {
        let front = if self.start > 0 { "..." } else { "" };
        let back = if self.end < self.length { "..." } else { "" };
        let plain = |text: &str| -> String {
            text.chars().map(|sign| if sign.is_control() { ' ' } else { sign }).collect()
        };
        let before = plain(self.text.get(..self.mark.start - self.start).unwrap_or(""));
        let blanks = " ".repeat(front.len() + before.chars().count());
        let marked = self.text.get(self.mark.start - self.start..self.mark.end - self.start);
        let marks = "^".repeat(marked.unwrap_or("").chars().count().max(1));
        let level = if diagnostic.severity == Severity::Error { "error" } else { "warning" };
        let number = diagnostic.line.to_string();
        let margin = " ".repeat(number.len());
        let hint = diagnostic.hint.as_deref().unwrap_or("");
        let heading = format!(
            "{level}: {}\n{margin}--> {}:{number}:{}",
            diagnostic.message, diagnostic.file, diagnostic.column
        );
        let text = plain(self.text);
        let mark = format!("{blanks}{marks} {hint}");
        format!(
            "{heading}\n{margin} |\n{number} | {front}{text}{back}\n{margin} | {}\n",
            mark.trim_end()
        )
    }
}

/// One line of a file with a marked part.
struct Excerpt {
    name: String,
    line: String,
    number: usize,
    range: Range<usize>,
}

impl Excerpt {
    fn snippet<'a, T: Clone>(&'a self) -> Snippet<'a, T> {
        Snippet::source(self.line.as_str()).line_start(self.number).path(self.name.as_str())
    }
}

fn excerpt(sources: &SourceMap, span: Span) -> Option<Excerpt> {
    let file = sources.file(span.file)?;
    let position = sources.position(span);
    let number = position.line as usize;
    let column = (position.column as usize).checked_sub(1)?;
    let start = (span.start as usize).checked_sub(column)?;
    let line = file.text().get(start..)?.lines().next().unwrap_or("");
    if line.len() > MAX_LINE {
        return None;
    }
    let end = (column + (span.end.saturating_sub(span.start)) as usize).min(line.len());
    let range = column.min(line.len())..end.max(column.min(line.len()));
    Some(Excerpt { name: file.name().to_string(), line: line.to_owned(), number, range })
}
