//! Names that are put together where nothing may be allocated.

use std::fmt;

use dunlin_sync::names::{NAME, fit};

/// A name put together where nothing may be allocated.
#[derive(Debug)]
pub(crate) struct Short {
    bytes: [u8; NAME],
    length: usize,
}

impl Short {
    pub(crate) const fn new() -> Self {
        Self { bytes: [0; NAME], length: 0 }
    }

    /// Puts so much of the end of `text` before what is there as there is room for.
    pub(crate) fn put_before(&mut self, text: &str) {
        let room = NAME.saturating_sub(self.length);
        let least = text.len().saturating_sub(room);
        let from = (least..=text.len()).find(|from| text.is_char_boundary(*from));
        let kept = text.get(from.unwrap_or(text.len())..).unwrap_or_default().as_bytes();
        self.bytes.copy_within(..self.length, kept.len());
        self.bytes[..kept.len()].copy_from_slice(kept);
        self.length += kept.len();
    }

    pub(crate) fn text(&self) -> &str {
        let written = self.bytes.get(..self.length).unwrap_or_default();
        std::str::from_utf8(written).unwrap_or_default()
    }
}

impl fmt::Write for Short {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = NAME.saturating_sub(self.length);
        let kept = fit(text, room).as_bytes();
        let end = self.length + kept.len();
        self.bytes[self.length..end].copy_from_slice(kept);
        self.length = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_long_path_is_kept() {
        let place = |file: &str| {
            let mut name = Short::new();
            fmt::Write::write_fmt(&mut name, format_args!(":{}", 123)).unwrap();
            name.put_before(file);
            name.text().to_owned()
        };
        assert_eq!(place("nest/core/src/x.rs"), "nest/core/src/x.rs:123");
        let long = format!("{}/å/src/x.rs", "x".repeat(60));
        let kept = place(&long);
        assert!(kept.len() <= NAME && kept.ends_with("xx/å/src/x.rs:123"), "{kept}");
        assert_eq!(place(&"å".repeat(50)), format!("{}:123", "å".repeat(26)));
    }
}
