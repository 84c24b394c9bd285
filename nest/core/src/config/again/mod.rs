//! Reads a configuration of which another version is in force: only what has changed since.
//!
//! The texts are compared first. Statements whose text is as it was are taken over with all that came of them
//! (the meanings of their names, protocols, warnings), as long as no name that stands in them means something
//! else by now; the others are read as usual, in their place, with the same names known as if all in front of
//! them had been read. Then the result is what reading everything would give, places and lines included;
//! whenever it is not clear that it would be, and whenever something is wrong, there is no result, and
//! everything is read.
//!
//! # Invariants
//!
//! * What a statement means depends on its text, on what the names in its text mean, and on the statements of
//!   [`Nature::Global`], all of which are as they were. Names that it does not have in its text it does not ask for,
//!   but those without a name ask for numbered ones: they are read each time.
//! * A statement that is taken over is followed by what followed it, or ends by itself: with `}` or `;`.

#[cfg(test)]
mod tests;
mod texts;

use core::ops::Range;
use std::path::Path;
use std::sync::Arc;

use dunlin_conf::lexer::{Lexed, count, read_again};
use dunlin_conf::{Failed, Files, Parsed, Span, Symbol, Symbols, TokenKind};
use dunlin_filter::Mover;

use self::texts::{Region, Texts};
use super::parse::{Loader, Purpose};
use super::reading::{Nature, Notes, Reading, Statement, number};
use super::{Config, ConfigParser, Kinds, Meaning};

/// Statements that are read in one go.
const RUN: usize = 64;
/// Pieces that are cut for parsers to look ahead.
const AHEAD: usize = 4;
/// How often the texts may be searched for names whose meaning has changed. Reading everything is not slower then.
const SEARCHES: usize = 12;

/// Reads the files again. Nothing if they have to be read as if for the first time.
pub(super) fn load(
    path: &Path,
    files: &dyn Files,
    kinds: &Kinds,
    purpose: Purpose,
    before: &Config,
) -> Option<Config> {
    let reading = &before.reading;
    let same = reading.purpose == purpose && Arc::ptr_eq(&reading.kinds, kinds);
    if !same || !reading.is_whole {
        return None;
    }
    let texts = Texts::new(before, read_again(path, &reading.origins, files)?)?;
    let mut again = Again::new(before, &texts)?;
    again.begin()?;
    again.statements()?;
    again.loader.finish(path.to_owned(), purpose).0.ok()
}

struct Again<'a> {
    before: &'a Config,
    reading: &'a Reading,
    texts: &'a Texts<'a>,
    mover: Mover<'a>,
    loader: Loader,
    /// The names of before, and how many of them, of the protocols and of the warnings belong to statements
    /// that were dealt with.
    symbols: Vec<&'a Symbol<Meaning>>,
    past: Past,
    /// By statement: a name in it has another meaning by now.
    affected: Vec<bool>,
    /// The next region.
    region: usize,
    /// How many tokens there are more in front of a statement than there were, modulo 2^32.
    order: u32,
    /// Bytes that were searched for names.
    searched: usize,
}

#[derive(Default)]
struct Past {
    symbols: usize,
    protocols: usize,
    warnings: usize,
}

impl<'a> Again<'a> {
    fn new(before: &'a Config, texts: &'a Texts<'a>) -> Option<Self> {
        let reading = &before.reading;
        let lexed = Lexed { sources: texts.sources(), ..Lexed::default() };
        let symbols = Symbols::after(Arc::clone(&before.symbols));
        let mut parser = ConfigParser::new(lexed, symbols);
        // What constant expressions took that are not evaluated now counts as if they were.
        if !parser.spend(u32::try_from(reading.work).ok()?) {
            return None;
        }
        let notes = Notes::new(reading.origins.moved(&texts.moves));
        Some(Self {
            before,
            reading,
            texts,
            mover: Mover::new(&texts.moves),
            loader: Loader::new(parser, reading.kinds.clone(), notes),
            symbols: before.symbols.iter().collect(),
            past: Past::default(),
            affected: vec![false; reading.statements.len()],
            region: 0,
            order: 0,
            searched: 0,
        })
    }

    /// What is there in front of all statements.
    fn begin(&mut self) -> Option<()> {
        let mut begin = self.texts.moves.span(self.reading.begin);
        if let Some(region) = self.texts.regions.first().filter(|region| region.first == 0) {
            if region.old.file != self.reading.begin.file {
                return None;
            }
            self.region = 1;
            let ahead = self.ahead(region.behind);
            self.loader.parser.read_on(region.new, &ahead, 0)?;
            self.region = 0;
            begin = self.loader.parser.token().span;
        }
        self.loader.implicit_tables(begin);
        self.past.symbols = self.loader.parser.symbols.count();
        Some(())
    }

    fn statements(&mut self) -> Option<()> {
        let mut next = 0;
        loop {
            let region = self.texts.regions.get(self.region);
            if let Some(region) = region.filter(|region| region.first == next) {
                self.region += 1;
                self.read_region(region)?;
                next = region.behind;
                continue;
            }
            let Some(statement) = self.reading.statements.get(next) else { return Some(()) };
            if self.can_be_kept(next) && self.keep(statement)? {
                next += 1;
            } else {
                let run = next..self.end_of_run(next);
                self.read_run(run.clone())?;
                next = run.end;
            }
        }
    }

    fn can_be_kept(&self, index: usize) -> bool {
        self.reading.statements[index].nature == Nature::Kept && !self.affected[index]
    }

    // --- What is taken over

    /// Takes over what came of a statement. False if it has to be read after all.
    fn keep(&mut self, statement: &Statement) -> Option<bool> {
        let past = &self.past;
        let symbols = take(&self.symbols, past.symbols, statement.symbols)?;
        let protocols = take(&self.before.protocols, past.protocols, statement.protocols)?;
        let warnings = take(&self.before.warnings, past.warnings, statement.warnings)?;
        let moves = &self.texts.moves;
        let mut meanings = Vec::with_capacity(symbols.len());
        for symbol in symbols {
            let Ok(value) = self.mover.symbol(&symbol.value) else { return Some(false) };
            let (name, span) = (symbol.name.clone(), moves.span(symbol.span));
            meanings.push(Symbol { name, span, value });
        }
        let moved = protocols.iter().map(|protocol| protocol.moved(&mut self.mover));
        let Some(protocols) = moved.collect::<Option<Vec<_>>>() else { return Some(false) };
        self.pass(statement);
        let now = self.now(statement);
        let loader = &mut self.loader;
        for symbol in meanings {
            loader.parser.symbols.adopt(symbol).then_some(())?;
        }
        for protocol in protocols {
            loader.check_others(&protocol);
            loader.protocols.push(protocol);
        }
        for warning in warnings {
            loader.parser.adopt_warning(warning, moves, self.order);
        }
        loader.notes.statements.push(now);
        Some(true)
    }

    /// A statement whose text is as it was, with the places of now.
    fn now(&self, statement: &Statement) -> Statement {
        Statement {
            span: self.texts.moves.span(statement.span),
            first: statement.first.wrapping_add(self.order),
            ..*statement
        }
    }

    /// What came of a statement before is done with; its symbols.
    fn pass(&mut self, statement: &Statement) -> Range<usize> {
        let first = self.past.symbols;
        self.past.symbols += statement.symbols as usize;
        self.past.protocols += statement.protocols as usize;
        self.past.warnings += statement.warnings as usize;
        first..self.past.symbols
    }

    // --- What is read

    /// The end of a run of statements to be read, of which the first is given.
    fn end_of_run(&self, first: usize) -> usize {
        let statements = &self.reading.statements;
        let region =
            self.texts.regions.get(self.region).map_or(statements.len(), |next| next.first);
        let mut end = first + 1;
        while end < region.min(first + RUN) && !self.can_be_kept(end) {
            let (last, next) = (statements[end - 1].span, statements[end].span);
            let gap = last.end..next.start;
            let apart = last.file != next.file || gap.start > gap.end;
            if apart || self.reading.origins.includes_in(last.file, &gap) {
                break;
            }
            end += 1;
        }
        end
    }

    /// Reads statements whose text is as it was.
    fn read_run(&mut self, run: Range<usize>) -> Option<()> {
        let statements = &self.reading.statements[run.clone()];
        let (first, last) = (self.now(statements.first()?), self.now(statements.last()?));
        let piece = Span { end: last.span.end, ..first.span };
        let ahead = self.ahead(run.end);
        let tokens = self.loader.parser.read_on(piece, &ahead, first.first)?;
        for (index, statement) in run.zip(statements) {
            let mark = self.loader.parser.symbols.mark();
            let read = self.read_one(tokens).ok()??;
            let expected = self.now(statement);
            let same = (read.span, read.first, read.tokens)
                == (expected.span, expected.first, expected.tokens);
            let old = self.pass(statement);
            self.settle((index, &expected), mark, old).filter(|()| same)?;
        }
        self.read_one(tokens).ok()?.is_none().then_some(())
    }

    /// Reads the next statement in front of this many tokens; none if there is none.
    fn read_one(&mut self, tokens: usize) -> Parsed<Option<Statement>> {
        let parser = &mut self.loader.parser;
        while parser.place() < tokens && parser.eat(TokenKind::Semicolon) {}
        let start = parser.place();
        if start == tokens {
            return Ok(None);
        }
        self.loader.noted_statement()?;
        let parser = &self.loader.parser;
        let right = (start + 1..=tokens).contains(&parser.place());
        if !right || parser.diagnostics().has_errors() {
            return Err(Failed);
        }
        Ok(self.loader.notes.statements.last().copied())
    }

    /// Finds out what a statement, read again, changes for those behind it.
    fn settle(
        &mut self,
        (index, statement): (usize, &Statement),
        mark: usize,
        old: Range<usize>,
    ) -> Option<()> {
        let read = self.loader.parser.symbols.since(mark);
        let were = self.symbols[old.clone()].iter();
        let same = read.map(|symbol| &symbol.name).eq(were.map(|symbol| &symbol.name));
        if same && !self.affected[index] {
            return Some(());
        }
        if statement.nature == Nature::Global {
            return None;
        }
        self.changed(old, mark, index + 1, statement.span)
    }

    /// Reads a piece of text that is new.
    fn read_region(&mut self, region: &Region) -> Option<()> {
        let statements = &self.reading.statements[region.first..region.behind];
        let first = self.past.symbols;
        for statement in statements {
            self.pass(statement);
        }
        let old = first..self.past.symbols;
        let begin = self.tokens_before(region)?;
        let now = begin.wrapping_add(self.order);
        let ahead = self.ahead(region.behind);
        let tokens = self.loader.parser.read_on(region.new, &ahead, now)?;
        let mark = self.loader.parser.symbols.mark();
        while let Some(read) = self.read_one(tokens).ok()? {
            if read.nature == Nature::Global {
                return None;
            }
        }
        let were = number(count(&self.before.sources, region.old));
        self.order = self.order.wrapping_add(number(tokens)).wrapping_sub(were);
        self.changed(old, mark, region.behind, region.new)
    }

    /// How many tokens there were in front of a region.
    fn tokens_before(&self, region: &Region) -> Option<u32> {
        let statements = &self.reading.statements;
        if region.old.start > 0 {
            let last = statements.get(region.first.checked_sub(1)?)?;
            return Some(last.first + last.tokens);
        }
        let next = statements.get(region.first)?;
        let gap = Span { end: next.span.start, ..region.old };
        next.first.checked_sub(number(count(&self.before.sources, gap)))
    }

    /// What follows a piece of the text: pieces of the text as it is now.
    fn ahead(&self, behind: usize) -> Vec<Span> {
        let (mut next, mut regions) = (behind, self.texts.regions[self.region..].iter().peekable());
        let mut pieces = Vec::with_capacity(AHEAD);
        while pieces.len() < AHEAD {
            if let Some(region) = regions.next_if(|region| region.first == next) {
                pieces.push(region.new);
                next = region.behind;
                continue;
            }
            let Some(statement) = self.reading.statements.get(next) else { break };
            pieces.push(self.texts.moves.span(statement.span));
            next += 1;
        }
        pieces
    }

    // --- What that changes

    /// Names were defined that mean something else than those of before: statements from `next` on that have
    /// one of them in their text have to be read again. `place` is in front of those statements.
    fn changed(&mut self, old: Range<usize>, mark: usize, next: usize, place: Span) -> Option<()> {
        let old = &self.symbols[old];
        let new: Vec<&Symbol<Meaning>> = self.loader.parser.symbols.since(mark).collect();
        let same = |one: &Symbol<Meaning>, all: &[&Symbol<Meaning>]| {
            all.iter().any(|other| one.name == other.name && is_same(&one.value, &other.value))
        };
        let gone = old.iter().filter(|symbol| !same(symbol, &new));
        let come = new.iter().filter(|symbol| !same(symbol, old));
        let mut names: Vec<&str> = gone.chain(come).map(|symbol| &*symbol.name).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let (found, looked) = self.texts.with_name(name, next, place);
            self.searched += looked;
            if self.searched > SEARCHES * self.texts.size() {
                return None;
            }
            found.into_iter().for_each(|index| self.affected[index] = true);
        }
        Some(())
    }
}

/// Whether nothing that a name is used for can tell two meanings apart. Code has places.
fn is_same(one: &Meaning, other: &Meaning) -> bool {
    matches!((one, other), (Meaning::Constant(one), Meaning::Constant(other)) if one == other)
}

fn take<T>(all: &[T], first: usize, count: u32) -> Option<&[T]> {
    all.get(first..first + count as usize)
}
