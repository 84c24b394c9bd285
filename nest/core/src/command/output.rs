//! Replies in BIRD's wire form.

/// Most bytes of a line, code included.
const MAX_LINE: usize = 512;

/// Memory kept while nothing waits.
const IDLE: usize = 8 << 10;

/// One line of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its code.
    pub code: u16,
    /// Its text.
    pub text: String,
}

impl Line {
    /// A line.
    pub fn new(code: u16, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }
}

/// Bytes on their way to the client.
#[derive(Debug, Default)]
pub struct Output {
    bytes: Vec<u8>,
    /// How much of it has been written.
    written: usize,
    /// Code of the last line that was not the last of its reply.
    code: Option<u16>,
}

impl Output {
    /// A line with more to follow. The code is left out where it repeats.
    pub fn row(&mut self, code: u16, text: &str) {
        if self.code == Some(code) {
            self.line(" ", text);
        } else {
            self.code = Some(code);
            self.line(&format!("{code:04}-"), text);
        }
    }

    /// The last line of a reply.
    pub fn last(&mut self, code: u16, text: &str) {
        self.code = None;
        self.line(&format!("{code:04} "), text);
    }

    /// All lines of a reply.
    pub fn reply(&mut self, lines: &[Line]) {
        let Some((last, rows)) = lines.split_last() else {
            return self.last(0, "");
        };
        for line in rows {
            self.row(line.code, &line.text);
        }
        self.last(last.code, &last.text);
    }

    /// A line that belongs to no reply.
    pub fn asynchronous(&mut self, text: &str) {
        self.line("+", text);
    }

    fn line(&mut self, head: &str, text: &str) {
        self.bytes.extend_from_slice(head.as_bytes());
        let room = MAX_LINE - head.len() - 1;
        let cut = (0..=room.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
        let text = text.get(..cut.unwrap_or(0)).unwrap_or_default();
        // A line break inside a text would be read as the start of another line.
        self.bytes.extend(text.bytes().map(|b| if b == b'\n' || b == b'\r' { b' ' } else { b }));
        self.bytes.push(b'\n');
    }

    /// Bytes that wait to be written.
    pub fn len(&self) -> usize {
        self.bytes.len() - self.written
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The next piece to write: whole lines, at most `limit` bytes if a line is no longer than
    /// that. Clients look for the last line of a reply in what one read gives them.
    pub fn piece(&self, limit: usize) -> &[u8] {
        let rest = self.bytes.get(self.written..).unwrap_or_default();
        let Some(head) = rest.get(..limit) else { return rest };
        match head.iter().rposition(|byte| *byte == b'\n') {
            Some(end) => &head[..=end],
            None => head,
        }
    }

    /// So many bytes have been written.
    pub fn consume(&mut self, count: usize) {
        self.written += count;
        if self.written >= self.bytes.len() {
            self.bytes.clear();
            self.written = 0;
            // A client that had a long listing may stay for days.
            self.bytes.shrink_to(IDLE);
        } else if self.written > 1 << 16 {
            self.bytes.drain(..self.written);
            self.written = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Line, Output};

    fn text(output: &Output) -> String {
        String::from_utf8(output.piece(usize::MAX - 1).to_vec()).unwrap()
    }

    #[test]
    fn repeated_codes_are_left_out() {
        let mut output = Output::default();
        output.row(1007, "a");
        output.row(1007, "b");
        output.row(1008, "c");
        output.last(0, "");
        output.row(1008, "d");
        assert_eq!(text(&output), "1007-a\n b\n1008-c\n0000 \n1008-d\n");
    }

    #[test]
    fn the_last_line_shows_its_code_even_if_it_repeats() {
        let mut output = Output::default();
        output.reply(&[Line::new(1027, "a"), Line::new(1027, "b")]);
        assert_eq!(text(&output), "1027-a\n1027 b\n");
    }

    #[test]
    fn long_lines_are_cut_and_line_breaks_go() {
        let mut output = Output::default();
        output.row(1, &"ü".repeat(400));
        assert!(output.len() <= 512);
        output.consume(output.len());
        output.last(1, "a\nb");
        assert_eq!(text(&output), "0001 a b\n");
    }

    #[test]
    fn pieces_end_with_lines() {
        let mut output = Output::default();
        output.row(1, "aaaa");
        output.row(1, "bbbb");
        assert_eq!(output.piece(12), b"0001-aaaa\n");
        output.consume(10);
        assert_eq!(output.piece(12), b" bbbb\n");
    }
}
