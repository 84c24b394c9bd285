//! Words by position, wherever they are: in memory that others write meanwhile, in a copy, or in a file.

use crate::mutant;
use crate::prim::{AtomicU64, Ordering};

/// 64-bit words by position. Reads happen in the order in which they are called.
pub trait Words {
    /// Fills `out` with the words from `at`; false if they are not there.
    fn read(&self, at: usize, out: &mut [u64]) -> bool;

    /// One word, 0 if it is not there.
    fn word(&self, at: usize) -> u64 {
        let mut word = [0];
        self.read(at, &mut word);
        word[0]
    }
}

/// Stores words from the last to the first, so that whoever sees the first sees all.
pub fn publish(place: &[AtomicU64], words: &[u64]) {
    let order = if mutant!("mutant-relaxed-words") { Ordering::Relaxed } else { Ordering::Release };
    let store = |(place, word): (&AtomicU64, &u64)| place.store(*word, order);
    if mutant!("mutant-words-forward") {
        return place.iter().zip(words).for_each(store);
    }
    place.iter().zip(words).rev().for_each(store);
}

impl Words for [AtomicU64] {
    fn read(&self, at: usize, out: &mut [u64]) -> bool {
        let Some(words) = self.get(at..).and_then(|rest| rest.get(..out.len())) else {
            return false;
        };
        for (word, out) in words.iter().zip(out) {
            // Acquire: pairs with the release of whoever wrote the word.
            *out = word.load(Ordering::Acquire);
        }
        true
    }

    fn word(&self, at: usize) -> u64 {
        self.get(at).map_or(0, |word| word.load(Ordering::Acquire))
    }
}

impl<W: Words + ?Sized> Words for &W {
    fn read(&self, at: usize, out: &mut [u64]) -> bool {
        (**self).read(at, out)
    }

    fn word(&self, at: usize) -> u64 {
        (**self).word(at)
    }
}

impl Words for [u64] {
    fn read(&self, at: usize, out: &mut [u64]) -> bool {
        let found = self.get(at..).and_then(|rest| rest.get(..out.len()));
        found.is_some_and(|words| {
            out.copy_from_slice(words);
            true
        })
    }
}

/// Bytes, as words of the machine's own order.
impl Words for [u8] {
    fn read(&self, at: usize, out: &mut [u64]) -> bool {
        let Some(start) = at.checked_mul(8) else { return false };
        let found = self.get(start..).and_then(|rest| rest.get(..out.len() * 8));
        found.is_some_and(|bytes| {
            for (bytes, out) in bytes.as_chunks().0.iter().zip(out) {
                *out = u64::from_ne_bytes(*bytes);
            }
            true
        })
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn words_are_where_they_were_put_and_nowhere_else() {
        let memory: Vec<_> = (0..4).map(|_| AtomicU64::new(0)).collect();
        publish(&memory[1..], &[7, 8]);
        let copy: Vec<u64> = (0..4).map(|at| memory.as_slice().word(at)).collect();
        assert_eq!(copy, [0, 7, 8, 0]);
        let bytes: Vec<u8> = copy.iter().flat_map(|word| word.to_ne_bytes()).collect();
        let read = |words: &dyn Words, at| {
            let mut out = [1; 2];
            words.read(at, &mut out).then_some(out)
        };
        for words in [&copy.as_slice() as &dyn Words, &memory.as_slice(), &bytes.as_slice()] {
            assert_eq!((read(words, 1), read(words, 3)), (Some([7, 8]), None));
            assert_eq!((read(words, usize::MAX), words.word(2), words.word(4)), (None, 8, 0));
        }
    }
}
