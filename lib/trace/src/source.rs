//! Where a reader finds the words: the process's own memory or a file.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};

/// Words by position. Reads happen in the order they are called.
pub(crate) trait Source {
    /// Fills `out` with the words from `at`; false if they are not there.
    fn read(&self, at: usize, out: &mut [u64]) -> bool;

    /// One word, 0 if it is not there.
    fn word(&self, at: usize) -> u64 {
        let mut word = [0];
        self.read(at, &mut word);
        word[0]
    }
}

impl Source for [AtomicU64] {
    fn read(&self, at: usize, out: &mut [u64]) -> bool {
        let Some(words) = self.get(at..).and_then(|rest| rest.get(..out.len())) else {
            return false;
        };
        for (word, out) in words.iter().zip(out) {
            // Acquire: pairs with the release of whoever wrote the word; see the invariants of the crate.
            *out = word.load(Ordering::Acquire);
        }
        true
    }

    fn word(&self, at: usize) -> u64 {
        self.get(at).map_or(0, |word| word.load(Ordering::Acquire))
    }
}

impl Source for [u64] {
    fn read(&self, at: usize, out: &mut [u64]) -> bool {
        let found = self.get(at..).and_then(|rest| rest.get(..out.len()));
        found.is_some_and(|words| {
            out.copy_from_slice(words);
            true
        })
    }
}

/// Bytes of a file that is in memory as a whole.
impl Source for [u8] {
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

impl Source for File {
    fn read(&self, at: usize, out: &mut [u64]) -> bool {
        let mut bytes = vec![0; out.len() * 8];
        if self.read_exact_at(&mut bytes, at as u64 * 8).is_err() {
            return false;
        }
        for (bytes, out) in bytes.as_chunks().0.iter().zip(out) {
            *out = u64::from_ne_bytes(*bytes);
        }
        true
    }
}
