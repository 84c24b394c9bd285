//! Diagnostics for people: BIRD's line first, then the place in the text.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::{
    diagnostics::{Diagnostic, Severity},
    source::{SourceMap, Span},
};

/// Lines longer than this are not shown.
const MAX_LINE: usize = 400;

/// The message in BIRD's form, followed by the lines it is about, where there are some.
#[must_use]
pub fn render(diagnostic: &Diagnostic, sources: &SourceMap) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
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
