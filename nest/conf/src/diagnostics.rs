//! Errors and warnings, collected in the order of the text.

use std::{fmt, sync::Arc};

use crate::moves::Moves;
use crate::source::{SourceMap, Span};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The configuration cannot be used.
    Error,
    /// The configuration can be used but probably says something else than meant.
    Warning,
    /// The statement is right, and changes nothing.
    NoEffect,
}

/// One message about the configuration. `Display` is BIRD's form: `FILE:LINE:COL message` for
/// errors, and with one more colon for warnings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Name of the file.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: u32,
    /// Byte in the line, from 1.
    pub column: u32,
    /// What is wrong, in BIRD's words where it has some.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Where it is.
    pub span: Span,
    /// An earlier place that matters, and why.
    pub related: Option<(Span, String)>,
    /// What is said instead where the configuration is to run: set if a statement does nothing because it is not
    /// built.
    missing: Option<Box<str>>,
    /// The name that had no meaning, if that is what is wrong.
    pub(crate) undefined: Option<Box<str>>,
    /// Place in the order of the text.
    order: u32,
}

impl Diagnostic {
    /// Adds advice.
    pub fn hint(&mut self, hint: impl Into<String>) -> &mut Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds an earlier place that matters.
    pub fn related(&mut self, span: Span, why: impl Into<String>) -> &mut Self {
        self.related = Some((span, why.into()));
        self
    }

    /// Makes it an error where the configuration is to run, with this text; see [`Diagnostics::refuse_missing`].
    pub fn missing(&mut self, refusal: impl Into<Box<str>>) -> &mut Self {
        self.missing = Some(refusal.into());
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let colon = if self.severity == Severity::Error { "" } else { ":" };
        write!(f, "{}:{}:{}{colon} {}", self.file, self.line, self.column, self.message)
    }
}

/// How many errors are kept; what follows is only counted.
const MAX_ERRORS: usize = 200;
/// How many warnings are kept. A route server says of each of its thousands of members what has no effect.
const MAX_WARNINGS: usize = 100_000;

/// All messages about one configuration.
#[derive(Debug, Clone, Default)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    /// Takes changes to a message that is not kept.
    dropped: Option<Box<Diagnostic>>,
    errors: usize,
    warnings: usize,
}

impl Diagnostics {
    /// Adds a message. `order` is the index of the token that it is about.
    pub fn add(
        &mut self,
        sources: &SourceMap,
        severity: Severity,
        span: Span,
        order: u32,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        let position = sources.position(span);
        let diagnostic = Diagnostic {
            severity,
            file: sources.name(span),
            line: position.line,
            column: position.column,
            message: message.into(),
            hint: None,
            span,
            related: None,
            missing: None,
            undefined: None,
            order,
        };
        let keep = match severity {
            Severity::Error => {
                self.errors += 1;
                self.errors <= MAX_ERRORS
            }
            Severity::Warning | Severity::NoEffect => {
                self.warnings += 1;
                self.warnings <= MAX_WARNINGS
            }
        };
        if !keep {
            return self.dropped.insert(Box::new(diagnostic));
        }
        let index = self.list.len();
        self.list.push(diagnostic);
        &mut self.list[index]
    }

    /// Takes over a warning about a statement that stands somewhere else by now. `order`: how many tokens there
    /// are more in front of it.
    pub fn adopt(&mut self, sources: &SourceMap, moves: &Moves, warning: &Diagnostic, order: u32) {
        let mut warning = warning.clone();
        warning.order = warning.order.wrapping_add(order);
        let span = moves.span(warning.span);
        // Lines may have moved where bytes have not.
        if !moves.is_empty() {
            let position = sources.position(span);
            (warning.line, warning.column, warning.span) = (position.line, position.column, span);
        }
        if let Some((place, _)) = &mut warning.related {
            *place = moves.span(*place);
        }
        self.warnings += 1;
        if self.warnings <= MAX_WARNINGS {
            self.list.push(warning);
        }
    }

    /// Makes errors of all statements that do nothing because they are not built, each with this hint.
    pub fn refuse_missing(&mut self, hint: &str) {
        let (errors, warnings) = (&mut self.errors, &mut self.warnings);
        self.list.retain_mut(|diagnostic| {
            let Some(refusal) = diagnostic.missing.take() else { return true };
            diagnostic.severity = Severity::Error;
            diagnostic.message = refusal.into();
            diagnostic.hint = Some(hint.to_owned());
            *errors += 1;
            *warnings -= 1;
            *errors <= MAX_ERRORS
        });
    }

    /// Puts the messages in the order of the text. The parser does this when it ends.
    pub fn sort(&mut self) {
        self.list.sort_by_key(|diagnostic| diagnostic.order);
    }

    /// All messages kept.
    #[must_use]
    pub fn all(&self) -> &[Diagnostic] {
        &self.list
    }

    /// The errors kept.
    pub fn errors(&self) -> impl Iterator<Item = &Diagnostic> {
        self.list.iter().filter(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// The warnings kept, statements without effect among them.
    pub fn warnings(&self) -> impl Iterator<Item = &Diagnostic> {
        self.list.iter().filter(|diagnostic| diagnostic.severity != Severity::Error)
    }

    /// All messages kept, to be completed.
    pub(crate) fn all_mut(&mut self) -> &mut [Diagnostic] {
        &mut self.list
    }

    /// Whether further errors are only counted.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.errors >= MAX_ERRORS
    }

    /// How many errors and warnings there were that are not kept.
    #[must_use]
    pub fn left_out(&self) -> (usize, usize) {
        (self.errors.saturating_sub(MAX_ERRORS), self.warnings.saturating_sub(MAX_WARNINGS))
    }

    /// Number of errors, those not kept included.
    #[must_use]
    pub fn error_count(&self) -> usize {
        self.errors
    }

    /// Whether the configuration cannot be used.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_an_error_only_where_it_is_to_run() {
        let mut sources = SourceMap::default();
        let file = sources.add("f", b"a;\nb;\nc;\n".to_vec());
        let span = |start| Span { file, start, end: start + 1 };
        let mut all = Diagnostics::default();
        all.add(&sources, Severity::Warning, span(3), 2, "b: has no effect yet").missing("no b");
        all.add(&sources, Severity::Warning, span(0), 0, "odd");
        assert_eq!((all.error_count(), all.warnings().count()), (0, 2));
        all.refuse_missing("leave it out");
        all.sort();
        let errors: Vec<String> = all.errors().map(ToString::to_string).collect();
        assert_eq!(errors, ["f:2:1 no b"]);
        assert_eq!(
            all.errors().next().and_then(|error| error.hint.as_deref()),
            Some("leave it out")
        );
        assert_eq!(all.warnings().map(ToString::to_string).collect::<Vec<_>>(), ["f:1:1: odd"]);
        assert!(all.has_errors());
    }
}
