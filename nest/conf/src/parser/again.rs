//! Reads pieces of texts of which the rest is known.

use core::cell::{Cell, RefCell};
use core::mem::take;

use super::{Looked, Parser};
use crate::{
    advice::Nearly,
    diagnostics::Diagnostic,
    lexer::{Lexed, cut},
    moves::Moves,
    source::Span,
    symbols::Payload,
    token::{Token, TokenKind},
};

/// More than any parser looks ahead.
const AHEAD: usize = 16;

impl<S: Payload> Parser<S> {
    /// Puts the cursor at the beginning of a piece of the text, as if all in front of it had been read: that was
    /// `earlier` tokens. `ahead` is what follows, to be looked at. Gives the number of tokens of the piece, or
    /// nothing if there is something wrong with them.
    pub fn read_on(&mut self, piece: Span, ahead: &[Span], earlier: u32) -> Option<usize> {
        self.tokens.clear();
        let mut right = self.cut(piece, usize::MAX);
        let own = self.tokens.len();
        for piece in ahead {
            let most = own + AHEAD;
            right &= self.cut(*piece, most) || self.tokens.len() >= most;
        }
        let end = Token { kind: TokenKind::End, span: Span { start: piece.end, ..piece } };
        self.tokens.push(end);
        self.forget_place(earlier);
        (right && !self.diagnostics.has_errors()).then_some(own)
    }

    fn cut(&mut self, piece: Span, most: usize) -> bool {
        let mut lexed = Lexed {
            sources: take(&mut self.sources),
            tokens: take(&mut self.tokens),
            values: take(&mut self.values),
            diagnostics: take(&mut self.diagnostics),
            ..Lexed::default()
        };
        let right = cut(&mut lexed, piece, most);
        let Lexed { sources, tokens, values, diagnostics, .. } = lexed;
        (self.sources, self.tokens) = (sources, tokens);
        (self.values, self.diagnostics) = (values, diagnostics);
        right
    }

    /// What is remembered of single tokens is of others now.
    fn forget_place(&mut self, earlier: u32) {
        (self.at, self.earlier) = (0, earlier);
        (self.closed, self.last_error) = (None, None);
        self.last_name = Cell::new(Looked::default());
        self.nearly = RefCell::new(Nearly::default());
    }

    /// How many tokens of the configuration are in front of the cursor.
    #[must_use]
    pub fn order(&self) -> u32 {
        self.earlier.saturating_add(u32::try_from(self.at).unwrap_or(u32::MAX))
    }

    /// Takes over a warning of an earlier reading, about a statement in front of which there are `order` more
    /// tokens now, modulo 2^32.
    pub fn adopt_warning(&mut self, warning: &Diagnostic, moves: &Moves, order: u32) {
        self.diagnostics.adopt(&self.sources, moves, warning, order);
    }

    /// The work that constant expressions took so far.
    #[must_use]
    pub fn work(&self) -> u64 {
        self.work
    }

    /// The tokens between two places, the first one included: those that were read last.
    #[must_use]
    pub fn tokens_between(&self, from: usize, to: usize) -> &[Token] {
        self.tokens.get(from..to).unwrap_or(&[])
    }
}
