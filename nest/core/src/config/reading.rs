//! What is remembered of a reading, so that the next one of the same file need not read all of it again.

use dunlin_conf::lexer::Origins;
use dunlin_conf::{Parsed, Span, Token};

use super::parse::{Loader, Purpose};
use super::{ConfigParser, Kinds};

/// What a statement at the top level does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nature {
    /// It defines names, and everything that comes of it is in their meanings and in the list of protocols: so
    /// it can be taken over.
    Kept,
    /// What comes of it is of use only while the text is read, or depends on a count: it is read each time.
    Read,
    /// It changes what other statements find: it is read each time, and if it changes, everything is.
    Global,
}

/// A statement at the top level.
#[derive(Clone, Copy, Debug)]
pub(super) struct Statement {
    /// From its first token to the end of its last one.
    pub(super) span: Span,
    /// How many tokens are in front of it.
    pub(super) first: u32,
    /// How many tokens it has.
    pub(super) tokens: u32,
    /// How many names it defines.
    pub(super) symbols: u32,
    /// How many protocols.
    pub(super) protocols: u32,
    /// How many warnings were given.
    pub(super) warnings: u32,
    pub(super) nature: Nature,
}

/// A reading that has ended well.
pub(super) struct Reading {
    pub(super) kinds: Kinds,
    pub(super) purpose: Purpose,
    pub(super) origins: Origins,
    /// Where the text begins: the first token.
    pub(super) begin: Span,
    /// What constant expressions took, at most.
    pub(super) work: u64,
    pub(super) statements: Box<[Statement]>,
    /// Whether each statement is in one file, and every warning was kept.
    pub(super) is_whole: bool,
}

/// What is noted while a text is read.
pub(super) struct Notes {
    origins: Origins,
    pub(super) begin: Span,
    pub(super) statements: Vec<Statement>,
    /// Protocols without a name of their own.
    pub(super) numbered: u32,
    is_whole: bool,
}

impl Notes {
    pub(super) fn new(origins: Origins) -> Self {
        let (begin, statements) = (Span::default(), Vec::new());
        Self { origins, begin, statements, numbered: 0, is_whole: true }
    }

    pub(super) fn finish(
        &mut self,
        parser: &ConfigParser,
        kinds: &Kinds,
        purpose: Purpose,
    ) -> Reading {
        let statements = core::mem::take(&mut self.statements);
        Reading {
            kinds: kinds.clone(),
            purpose,
            origins: core::mem::take(&mut self.origins),
            begin: self.begin,
            work: parser.work(),
            statements: statements.into_boxed_slice(),
            is_whole: self.is_whole && parser.diagnostics().left_out() == (0, 0),
        }
    }
}

impl Loader {
    /// Reads a statement and notes what came of it.
    pub(super) fn noted_statement(&mut self) -> Parsed<()> {
        let (start, first) = (self.parser.place(), self.parser.order());
        let (token, numbered) = (self.parser.token(), self.notes.numbered);
        let nature = self.nature();
        let counts = self.counts();
        self.statement()?;
        let (symbols, protocols, warnings) = self.counts();
        let tokens = self.parser.tokens_between(start, self.parser.place());
        let span = self.parser.previous().span;
        if self.notes.origins.has_includes() {
            let apart = |other: &Token| other.span.file != token.span.file;
            self.notes.is_whole &= !tokens.iter().any(apart);
        }
        let statement = Statement {
            span: Span { end: span.end, ..token.span },
            first,
            tokens: number(tokens.len()),
            symbols: number(symbols.saturating_sub(counts.0)),
            protocols: number(protocols - counts.1),
            warnings: number(warnings - counts.2),
            nature: if self.notes.numbered == numbered { nature } else { Nature::Read },
        };
        self.notes.statements.push(statement);
        Ok(())
    }

    /// Names, protocols and warnings so far.
    fn counts(&self) -> (usize, usize, usize) {
        let warnings = self.parser.diagnostics().all().len();
        (self.parser.symbols.count(), self.protocols.len(), warnings)
    }

    fn nature(&self) -> Nature {
        match self.parser.word() {
            Some("filter") if self.parser.word_ahead(1) == Some("stacks") => Nature::Global,
            Some("filter" | "function" | "define" | "protocol") => Nature::Kept,
            Some("template" | "eval" | "bt_test_suite" | "bt_test_same") => Nature::Read,
            _ => Nature::Global,
        }
    }
}

/// Texts have fewer bytes than that.
pub(super) fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
