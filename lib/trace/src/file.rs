//! The words of a file.

use std::fs::File;
use std::os::unix::fs::FileExt;

use dunlin_sync::words::Words;

/// A file as words of the machine's own order.
#[derive(Debug)]
pub(crate) struct FileWords(pub(crate) File);

impl Words for FileWords {
    fn read(&self, at: usize, out: &mut [u64]) -> bool {
        let mut bytes = vec![0; out.len() * 8];
        if self.0.read_exact_at(&mut bytes, at as u64 * 8).is_err() {
            return false;
        }
        for (bytes, out) in bytes.as_chunks().0.iter().zip(out) {
            *out = u64::from_ne_bytes(*bytes);
        }
        true
    }
}
