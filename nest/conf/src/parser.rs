//! The cursor over the tokens that all section parsers share.

use std::{
    cell::{Cell, RefCell},
    sync::Arc,
};

use foldhash::fast::RandomState;
use hashbrown::HashSet;

use crate::{
    advice::{self, Nearly},
    diagnostics::{Diagnostic, Diagnostics},
    keywords,
    lexer::{Lexed, MAX_NAME, Values},
    source::{SourceMap, Span},
    symbols::{Payload, Symbol, SymbolId, Symbols},
    token::{Token, TokenKind},
};

mod again;
mod messages;

/// Something could not be parsed; the diagnostic is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failed;

/// What parsing functions return.
pub type Parsed<T> = Result<T, Failed>;

impl Diagnostic {
    /// Adds the reason and gives what a parsing function returns.
    #[must_use]
    pub fn because(&mut self, hint: impl Into<String>) -> Failed {
        self.hint(hint);
        Failed
    }
}

impl From<&mut Diagnostic> for Failed {
    fn from(_: &mut Diagnostic) -> Self {
        Self
    }
}

/// How deep blocks and expressions may nest.
const MAX_DEPTH: u32 = 200;

/// How much work all constant expressions of a configuration may take together: calls and turns of loops.
const MAX_WORK: u64 = 10_000_000;

/// Everything that is left when a parser ends.
#[derive(Debug)]
pub struct Outcome<S> {
    /// The texts.
    pub sources: SourceMap,
    /// The symbols.
    pub symbols: Symbols<S>,
    /// Errors and warnings, in the order of the text.
    pub diagnostics: Diagnostics,
}

/// What a name means: the token, the version of the symbols, and the symbol if it is defined.
#[derive(Debug, Clone, Copy)]
struct Looked {
    at: usize,
    version: u64,
    symbol: Option<SymbolId>,
}

impl Default for Looked {
    fn default() -> Self {
        Self { at: usize::MAX, version: 0, symbol: None }
    }
}

/// A cursor over tokens, with symbols and diagnostics.
#[derive(Debug)]
pub struct Parser<S> {
    sources: SourceMap,
    tokens: Vec<Token>,
    values: Values,
    diagnostics: Diagnostics,
    at: usize,
    /// How many tokens are in front of those at hand.
    earlier: u32,
    depth: u32,
    /// The line that was asked for last: the next one is near it.
    last_line: Cell<u32>,
    /// The name that was looked up last.
    last_name: Cell<Looked>,
    /// Behind the block that was closed last: a statement that ends there needs no recovery, though it failed.
    closed: Option<usize>,
    /// Where the blocks begin that are open.
    blocks: Vec<Span>,
    /// The keywords that came nearest to fitting at a place.
    nearly: RefCell<Nearly>,
    /// Names whose definitions failed: errors at their uses would only follow from that.
    failed: HashSet<Box<str>, RandomState>,
    /// Work that constant expressions took so far.
    work: u64,
    most_work: u64,
    /// The token that the last syntax error was about: one error for each is enough.
    last_error: Option<usize>,
    /// The namespace.
    pub symbols: Symbols<S>,
}

impl<S: Payload> Parser<S> {
    /// A parser at the start of lexed text. The symbols are those known beforehand.
    #[must_use]
    pub fn new(lexed: Lexed, symbols: Symbols<S>) -> Self {
        let Lexed { sources, mut tokens, values, diagnostics, .. } = lexed;
        if tokens.is_empty() {
            tokens.push(Token { kind: TokenKind::End, span: Span::default() });
        }
        Self {
            sources,
            tokens,
            values,
            diagnostics,
            at: 0,
            earlier: 0,
            depth: 0,
            last_line: Cell::new(0),
            last_name: Cell::default(),
            closed: None,
            blocks: Vec::new(),
            nearly: RefCell::default(),
            failed: HashSet::default(),
            work: 0,
            most_work: MAX_WORK,
            last_error: None,
            symbols,
        }
    }

    /// Ends parsing.
    #[must_use]
    pub fn finish(mut self) -> Outcome<S> {
        for diagnostic in self.diagnostics.all_mut() {
            advice::defined_later(diagnostic, &self.symbols);
        }
        self.diagnostics.sort();
        self.symbols.forget_before();
        let Self { sources, symbols, diagnostics, .. } = self;
        Outcome { sources, symbols, diagnostics }
    }

    /// The texts.
    #[must_use]
    pub fn sources(&self) -> &SourceMap {
        &self.sources
    }

    /// What was reported so far.
    #[must_use]
    pub fn diagnostics(&self) -> &Diagnostics {
        &self.diagnostics
    }

    /// Values of large tokens.
    #[must_use]
    pub fn values(&self) -> &Values {
        &self.values
    }

    /// The token at the cursor.
    #[must_use]
    pub fn token(&self) -> Token {
        self.ahead(0)
    }

    /// The token `n` places behind the cursor.
    #[must_use]
    pub fn ahead(&self, n: usize) -> Token {
        let end = Token { kind: TokenKind::End, span: Span::default() };
        self.tokens.get(self.at + n).or(self.tokens.last()).copied().unwrap_or(end)
    }

    /// The token that was consumed last.
    #[must_use]
    pub fn previous(&self) -> Token {
        self.tokens.get(self.at.saturating_sub(1)).copied().unwrap_or(self.token())
    }

    /// The number of tokens consumed so far: strictly growing, good for telling progress.
    #[must_use]
    pub fn place(&self) -> usize {
        self.at
    }

    /// Consumes a token and returns it. The end stays.
    pub fn advance(&mut self) -> Token {
        let token = self.token();
        if self.at + 1 < self.tokens.len() {
            self.at += 1;
        }
        token
    }

    /// Goes back by one token, for a parser that wants to see a word that chose it.
    pub fn back(&mut self) {
        self.at = self.at.saturating_sub(1);
    }

    /// Whether everything was consumed.
    #[must_use]
    pub fn at_end(&self) -> bool {
        self.token().kind == TokenKind::End
    }

    /// The text of a token's span, without quotes if it has some.
    #[must_use]
    pub fn text(&self, span: Span) -> &str {
        let text = self.sources.text(span);
        match text.as_bytes() {
            [b'"', .., b'"'] | [b'\'', .., b'\''] => text.get(1..text.len() - 1).unwrap_or(text),
            _ => text,
        }
    }

    /// The line of a span, for what runs later and reports lines.
    #[must_use]
    pub fn line(&self, span: Span) -> u32 {
        let line = self.sources.line(span, self.last_line.get());
        self.last_line.set(line);
        line
    }

    // --- Tokens

    /// Whether the cursor is at a token of this kind.
    #[must_use]
    pub fn at(&self, kind: TokenKind) -> bool {
        self.token().kind == kind
    }

    /// Consumes a token if it is of this kind.
    pub fn eat(&mut self, kind: TokenKind) -> bool {
        let found = self.at(kind);
        if found {
            self.advance();
        }
        found
    }

    /// Consumes a token that has to be of this kind.
    ///
    /// # Errors
    /// If it is another one.
    pub fn expect(&mut self, kind: TokenKind) -> Parsed<Token> {
        if self.at(kind) { Ok(self.advance()) } else { Err(self.unexpected(&[kind.describe()])) }
    }

    /// Consumes `;`.
    ///
    /// # Errors
    /// If something else is there.
    pub fn semicolon(&mut self) -> Parsed<()> {
        if self.eat(TokenKind::Semicolon) {
            return Ok(());
        }
        let token = self.token();
        let number = matches!(self.previous().kind, TokenKind::Number(_));
        let unit = ["s", "ms", "us"].contains(&self.text(token.span));
        let hint = match token.kind {
            TokenKind::Name if number && unit => Some("this number has no unit: it is in seconds"),
            TokenKind::CloseBrace => Some("the last statement of a block ends with `;` too"),
            _ => None,
        };
        Err(self.unexpected_because(&["';'"], hint))
    }

    // --- Keywords

    /// The keyword at the cursor: a name that no symbol hides.
    #[must_use]
    pub fn word(&self) -> Option<&str> {
        self.word_ahead(0)
    }

    /// The keyword `n` places behind the cursor.
    #[must_use]
    pub fn word_ahead(&self, n: usize) -> Option<&str> {
        let token = self.ahead(n);
        let text = self.text(token.span);
        (token.kind.is_name() && self.look_up(n, text).is_none()).then_some(text)
    }

    /// What the name that is the `n`-th token from the cursor means. Several questions are asked of each token in a
    /// row, so the last answer is remembered.
    fn look_up(&self, n: usize, name: &str) -> Option<&Symbol<S>> {
        let (at, version) = (self.at + n, self.symbols.version());
        let last = self.last_name.get();
        if (last.at, last.version) == (at, version) {
            return last.symbol.and_then(|id| self.symbols.symbol(id));
        }
        let id = self.symbols.lookup_id(name);
        if id.is_none() && self.symbols.is_overlay() {
            return self.symbols.lookup(name);
        }
        self.last_name.set(Looked { at, version, symbol: id });
        id.and_then(|id| self.symbols.symbol(id))
    }

    /// Whether this keyword is at the cursor.
    #[must_use]
    pub fn at_word(&self, word: &str) -> bool {
        self.at_words(&[word])
    }

    /// Whether these keywords follow.
    #[must_use]
    pub fn at_words(&self, words: &[&str]) -> bool {
        match words.iter().enumerate().position(|(n, word)| !self.fits(n, word)) {
            None => true,
            Some(0) => false,
            Some(right) => {
                self.nearly.borrow_mut().note(self.at, right, words);
                false
            }
        }
    }

    /// How many of these keywords, with spaces between them, follow, and whether those are all.
    #[must_use]
    pub fn count_words(&self, words: &str) -> (usize, bool) {
        let mut found = 0;
        for word in words.split(' ').filter(|word| !word.is_empty()) {
            if !self.fits(found, word) {
                return (found, false);
            }
            found += 1;
        }
        (found, true)
    }

    /// Whether the `n`-th token from the cursor is this keyword, and no symbol hides it. Options are tried one after
    /// the other, so most answers are no, and by the length.
    fn fits(&self, n: usize, word: &str) -> bool {
        let token = self.ahead(n);
        let length = (token.span.end - token.span.start) as usize;
        let same = match token.kind {
            TokenKind::Name => length == word.len() && self.sources.text(token.span) == word,
            TokenKind::QuotedName => length == word.len() + 2 && self.text(token.span) == word,
            _ => false,
        };
        same && !self.symbols.is_defined(word)
    }

    /// Consumes a keyword if it is this one.
    pub fn eat_word(&mut self, word: &str) -> bool {
        self.eat_words(&[word])
    }

    /// Consumes all these keywords if they follow, else nothing.
    pub fn eat_words(&mut self, words: &[&str]) -> bool {
        let found = self.at_words(words);
        if found {
            self.at += words.len();
        }
        found
    }

    /// Consumes one of these keywords and returns what it stands for.
    pub fn eat_one_of<T: Copy>(&mut self, words: &[(&str, T)]) -> Option<T> {
        let word = self.word()?;
        let found = words.iter().find(|(text, _)| *text == word)?.1;
        self.advance();
        Some(found)
    }

    /// Consumes a keyword that has to be this one.
    ///
    /// # Errors
    /// If something else is there.
    pub fn expect_word(&mut self, word: &str) -> Parsed<()> {
        if self.eat_word(word) { Ok(()) } else { Err(self.unexpected(&[&word.to_uppercase()])) }
    }

    /// Consumes one of these keywords, which has to be there.
    ///
    /// # Errors
    /// If something else is there.
    pub fn expect_one_of<T: Copy>(&mut self, words: &[(&str, T)]) -> Parsed<T> {
        if let Some(found) = self.eat_one_of(words) {
            return Ok(found);
        }
        let names: Vec<String> = words.iter().map(|(word, _)| word.to_uppercase()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        Err(self.unexpected(&names))
    }

    // --- Symbols

    /// The symbol whose name is at the cursor.
    #[must_use]
    pub fn symbol(&self) -> Option<&Symbol<S>> {
        let token = self.token();
        if token.kind.is_name() { self.look_up(0, self.text(token.span)) } else { None }
    }

    /// Consumes the name of a defined symbol and picks what is wanted out of its meaning.
    ///
    /// # Errors
    /// If there is no such symbol, or it means something else; `what` names what is wanted.
    pub fn known<T>(&mut self, what: &str, pick: impl FnOnce(&S) -> Option<T>) -> Parsed<T> {
        let span = self.token().span;
        let Some(symbol) = self.symbol() else {
            return Err(self.unexpected(&["CF_SYM_KNOWN"]));
        };
        let (name, kind) = (symbol.name.clone(), symbol.value.kind());
        let defined = symbol.span;
        let Some(found) = pick(&symbol.value) else {
            self.advance();
            let error = self.error(span, format!("{what} expected"));
            error.related(defined, format!("`{name}` is a {kind}"));
            return Err(Failed);
        };
        self.advance();
        Ok(found)
    }

    /// Consumes any name, defined or not, for a definition.
    ///
    /// # Errors
    /// If there is no name.
    pub fn name(&mut self) -> Parsed<(Arc<str>, Span)> {
        let token = self.token();
        if !token.kind.is_name() {
            return Err(self.unexpected(&["CF_SYM_UNDEFINED", "CF_SYM_KNOWN"]));
        }
        self.advance();
        Ok((Arc::from(self.text(token.span)), token.span))
    }

    /// Defines a name in the innermost scope; a name that is a keyword gets a warning.
    ///
    /// # Errors
    /// If the scope has the name already.
    pub fn define(&mut self, name: &str, span: Span, value: S) -> Parsed<SymbolId> {
        let known = self.symbols.is_defined(name);
        match self.symbols.define(name, span, value) {
            Ok(id) => {
                if !known && keywords::is_keyword(name) {
                    self.warning(span, format!("Symbol '{name}' overrides existing keyword"))
                        .hint("the keyword cannot be used from here on");
                }
                Ok(id)
            }
            Err(redefined) => {
                self.error(span, format!("Symbol '{name}' already defined"))
                    .related(redefined.previous, "first defined here");
                Err(Failed)
            }
        }
    }

    // --- Structure

    /// Runs a parser one level deeper; fails where nesting gets too deep.
    ///
    /// # Errors
    /// Those of the inner parser, or that the limit is reached.
    pub fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= MAX_DEPTH {
            return Err(self.error_here(format!("Nesting deeper than {MAX_DEPTH} levels")).into());
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    /// Counts work that a constant expression took; false if it was too much, all in all.
    pub fn spend(&mut self, work: u32) -> bool {
        self.work += u64::from(work);
        self.work <= self.most_work
    }

    /// Constant expressions may take so much, all in all: somebody waits for them.
    pub fn limit_work(&mut self, most: u64) {
        self.most_work = most;
    }

    /// Parses `{ option; option; }`. Each call of `option` parses one option without its
    /// semicolon; stray semicolons are skipped; after an error parsing goes on behind the next
    /// semicolon of the block.
    ///
    /// # Errors
    /// If the block does not open or close. Errors of single options do not fail the block.
    pub fn block(&mut self, mut option: impl FnMut(&mut Self) -> Parsed<()>) -> Parsed<()> {
        self.statements(|parser| {
            option(parser)?;
            parser.semicolon()
        })
    }

    /// As [`Parser::block`], but each call consumes its own terminator.
    ///
    /// # Errors
    /// If the block does not open or close.
    pub fn statements(&mut self, mut statement: impl FnMut(&mut Self) -> Parsed<()>) -> Parsed<()> {
        let open = self.expect(TokenKind::OpenBrace)?.span;
        let outer = self.blocks.len();
        self.blocks.push(open);
        let result = self.nested(|parser| {
            loop {
                if parser.eat(TokenKind::Semicolon) {
                    continue;
                }
                if parser.eat(TokenKind::CloseBrace) {
                    parser.ends_here();
                    return Ok(());
                }
                if parser.at_end() {
                    return Err(parser.unexpected(&["'}'"]));
                }
                if statement(parser).is_err() && !parser.recover() {
                    return Err(Failed);
                }
            }
        });
        self.blocks.truncate(outer);
        result
    }

    /// Notes that a statement ends in front of the cursor: if it fails, what follows is not part of it.
    pub fn ends_here(&mut self) {
        self.closed = Some(self.at);
    }

    /// After an error in a statement: goes behind the next `;` of the
    /// block, or in front of the `}` that ends it. False if the block seems never to end,
    /// because something follows that only the top level has.
    pub fn recover(&mut self) -> bool {
        if self.closed.take() == Some(self.at) && !self.at_word("else") {
            return true;
        }
        let mut braces = 0_u32;
        loop {
            let token = self.token();
            match token.kind {
                TokenKind::End => return true,
                TokenKind::Semicolon if braces == 0 => {
                    self.advance();
                    return true;
                }
                TokenKind::OpenBrace => braces += 1,
                TokenKind::CloseBrace if braces == 0 => return true,
                TokenKind::CloseBrace if braces == 1 => {
                    self.advance();
                    braces = 0;
                    if self.at(TokenKind::Semicolon) || self.at_word("else") {
                        continue;
                    }
                    return true;
                }
                TokenKind::CloseBrace => braces -= 1,
                TokenKind::Name if self.is_top_level(token) => return false,
                _ => {}
            }
            self.advance();
        }
    }

    /// After an error in a top-level statement that began at `start`: goes to where the next one
    /// seems to start. Always consumes something.
    pub fn recover_top_level(&mut self, start: usize) {
        loop {
            if self.recover() && self.at(TokenKind::CloseBrace) {
                self.advance();
                self.eat(TokenKind::Semicolon);
            }
            if self.at > start || self.at_end() {
                return;
            }
            self.advance();
        }
    }

    fn is_top_level(&self, token: Token) -> bool {
        keywords::starts_statement(self.text(token.span))
            && self.sources.position(token.span).column == 1
    }

    /// Checks the length of a name from elsewhere, as from the command line.
    #[must_use]
    pub fn is_name(text: &str) -> bool {
        (1..=MAX_NAME).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            && !text.starts_with(|c: char| c.is_ascii_digit())
    }
}
