//! What to do about errors: advice that needs more than the place of the error.

use crate::{
    diagnostics::Diagnostic,
    symbols::{Payload, Symbols},
};

/// The keywords of options whose first words fit at a place, the next one of each.
#[derive(Debug, Default)]
pub(crate) struct Nearly {
    /// The place, as a number of tokens.
    at: usize,
    /// How many words fit.
    right: usize,
    /// What would have fitted next, as messages name it.
    next: Vec<String>,
}

impl Nearly {
    /// Remembers that the first `right` of these words fit at a place.
    pub(crate) fn note(&mut self, at: usize, right: usize, words: &[&str]) {
        if (at, right) > (self.at, self.right) || at < self.at {
            *self = Self { at, right, next: Vec::new() };
        }
        let next = words.get(right).map(|word| word.to_uppercase());
        if right == self.right && next.as_ref().is_some_and(|next| !self.next.contains(next)) {
            self.next.extend(next);
        }
    }

    /// How many words fit at this place, and what would have fitted behind them; once only.
    pub(crate) fn take(&mut self, at: usize) -> Option<(usize, Vec<String>)> {
        let found = self.at == at && self.right > 0;
        found.then(|| (core::mem::take(&mut self.right), core::mem::take(&mut self.next)))
    }
}

/// Says of a name that had no meaning where it is defined, if it is defined further down.
pub(crate) fn defined_later<S: Payload>(diagnostic: &mut Diagnostic, symbols: &Symbols<S>) {
    let Some(name) = diagnostic.undefined.take() else { return };
    if let Some(symbol) = symbols.lookup(&name) {
        diagnostic
            .hint(format!("`{name}` is defined later; names are defined before they are used"))
            .related(symbol.span, "defined here");
    }
}
