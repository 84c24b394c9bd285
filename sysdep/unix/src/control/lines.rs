//! Cutting what a client sends into commands.

/// The longest command, without the end of its line.
pub(super) const MAX_COMMAND: usize = 4094;

/// Bytes of commands that wait for their turn; more stay in the socket.
pub(super) const MAX_WAITING: usize = 16 << 10;

/// Bytes received and not yet used.
#[derive(Debug, Default)]
pub(super) struct Lines {
    bytes: Vec<u8>,
    /// The beginning of `bytes` that has been used.
    used: usize,
    /// The beginning that is known to hold no end of a line.
    searched: usize,
    /// The rest of a line that was too long is being passed over.
    skipping: bool,
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A command.
    Command(String),
    /// A command that is too long; said once for each.
    TooLong,
}

impl Lines {
    /// How many more bytes there is room for.
    pub(super) fn room(&self) -> usize {
        MAX_WAITING.saturating_sub(self.bytes.len() - self.used)
    }

    /// Takes what was received.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next command, if a whole one is there.
    pub(super) fn next(&mut self) -> Option<Next> {
        loop {
            let start = self.searched.max(self.used);
            let found = self.bytes.get(start..)?.iter().position(|byte| *byte == b'\n');
            let Some(offset) = found else {
                self.searched = self.bytes.len();
                return self.unfinished();
            };
            let end = start + offset;
            let line = text(self.bytes.get(self.used..end).unwrap_or_default());
            self.used = end + 1;
            self.tidy();
            if core::mem::take(&mut self.skipping) {
                continue;
            }
            return Some(line.map_or(Next::TooLong, Next::Command));
        }
    }

    /// There is no end of a line: drops what is too long already.
    fn unfinished(&mut self) -> Option<Next> {
        let waiting = self.bytes.len() - self.used;
        let skipping = self.skipping;
        if skipping || waiting > MAX_COMMAND + 1 {
            self.used = self.bytes.len();
            self.skipping = true;
        }
        self.tidy();
        (self.skipping && !skipping).then_some(Next::TooLong)
    }

    /// Gives memory back when nothing waits, and forgets what is used now and then.
    fn tidy(&mut self) {
        if self.used == self.bytes.len() {
            *self = Self { skipping: self.skipping, ..Self::default() };
        } else if self.used >= MAX_WAITING {
            self.bytes.drain(..self.used);
            self.searched = self.searched.saturating_sub(self.used);
            self.used = 0;
        }
    }
}

/// A line as text, without carriage returns; nothing if it is too long.
fn text(line: &[u8]) -> Option<String> {
    let line: Vec<u8> = line.iter().copied().filter(|byte| *byte != b'\r').collect();
    (line.len() <= MAX_COMMAND).then(|| String::from_utf8_lossy(&line).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(lines: &mut Lines) -> Vec<Next> {
        std::iter::from_fn(|| lines.next()).collect()
    }

    fn command(text: &str) -> Next {
        Next::Command(text.to_owned())
    }

    #[test]
    fn pieces_make_lines() {
        let mut lines = Lines::default();
        for byte in b"show status\r\n\nshow " {
            lines.add(&[*byte]);
        }
        assert_eq!(all(&mut lines), [command("show status"), command("")]);
        lines.add(b"route\nx");
        assert_eq!(all(&mut lines), [command("show route")]);
        assert_eq!(lines.room(), MAX_WAITING - 1);
    }

    #[test]
    fn the_limit_is_exact() {
        for (length, expected) in [(4093, true), (4094, true), (4095, false), (9000, false)] {
            let mut lines = Lines::default();
            let line = "a".repeat(length);
            lines.add(line.as_bytes());
            lines.add(b"\nnext\n");
            let first = if expected { Next::Command(line) } else { Next::TooLong };
            assert_eq!(all(&mut lines), [first, command("next")], "{length}");
        }
    }

    #[test]
    fn a_long_line_is_named_once_however_it_comes() {
        let mut lines = Lines::default();
        let mut found = Vec::new();
        for _ in 0..100 {
            lines.add(&[b'x'; 1000]);
            found.extend(all(&mut lines));
        }
        lines.add(b"\nshow status\n");
        found.extend(all(&mut lines));
        assert_eq!(found, [Next::TooLong, command("show status")]);
        assert_eq!(lines.bytes.capacity(), 0);
    }

    #[test]
    fn a_carriage_return_at_the_limit_does_not_count() {
        let mut lines = Lines::default();
        let line = "b".repeat(MAX_COMMAND);
        lines.add(format!("{line}\r").as_bytes());
        assert_eq!(all(&mut lines), []);
        lines.add(b"\n");
        assert_eq!(all(&mut lines), [Next::Command(line)]);
    }

    #[test]
    fn memory_stays_bounded_while_commands_stream() {
        let mut lines = Lines::default();
        for _ in 0..10_000 {
            lines.add(b"show status\nshow");
            let mut found = 0;
            while lines.next().is_some() {
                found += 1;
            }
            assert_eq!(found, 1);
            lines.add(b"\n");
            assert!(lines.next().is_some());
        }
        assert!(lines.bytes.capacity() <= 4 * MAX_WAITING);
    }
}
