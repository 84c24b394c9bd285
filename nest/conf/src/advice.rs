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
    /// What would have fitted next, as messages name it, each with the end of a line behind it. Most places are
    /// looked at in vain, so that this is one text that keeps its room.
    next: String,
}

impl Nearly {
    /// Remembers that the first `right` of these words fit at a place.
    pub(crate) fn note(&mut self, at: usize, right: usize, words: &[&str]) {
        if (at, right) > (self.at, self.right) || at < self.at {
            (self.at, self.right) = (at, right);
            self.next.clear();
        }
        let Some(next) = words.get(right).filter(|_| right == self.right) else { return };
        if !self.next.lines().any(|known| known.eq_ignore_ascii_case(next)) {
            self.next.extend(next.chars().map(|letter| letter.to_ascii_uppercase()));
            self.next.push('\n');
        }
    }

    /// How many words fit at this place, and what would have fitted behind them; once only.
    pub(crate) fn take(&mut self, at: usize) -> Option<(usize, Vec<String>)> {
        let found = self.at == at && self.right > 0;
        found.then(|| {
            let words = self.next.lines().map(str::to_owned).collect();
            self.next.clear();
            (core::mem::take(&mut self.right), words)
        })
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

#[cfg(test)]
mod tests {
    use super::Nearly;

    #[test]
    fn the_words_of_the_longest_fit_are_remembered_in_the_room_of_those_before() {
        let mut nearly = Nearly::default();
        nearly.note(3, 1, &["scan", "time"]);
        nearly.note(3, 1, &["scan", "Time"]);
        nearly.note(3, 1, &["scan", "interval"]);
        let room = (nearly.next.capacity(), nearly.next.as_ptr());
        nearly.note(3, 0, &["other"]);
        nearly.note(5, 1, &["a", "b"]);
        nearly.note(5, 2, &["a", "c", "d"]);
        nearly.note(5, 1, &["a", "e"]);
        assert_eq!((nearly.next.capacity(), nearly.next.as_ptr()), room);
        assert_eq!(nearly.take(4), None);
        assert_eq!(nearly.take(5), Some((2, vec!["D".to_owned()])));
        assert_eq!(nearly.take(5), None);
    }
}
