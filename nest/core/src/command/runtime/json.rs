//! JSON in lines that are short enough for the wire.

use core::fmt::{self, Write};

use super::super::output::Output;

/// Writes one JSON text as rows of a reply. Lines are broken between its tokens only, so all rows
/// together, codes taken off, are the text.
#[derive(Debug, Default)]
pub(in super::super) struct Json {
    line: String,
    /// Something stands before, in each open array or object.
    filled: Vec<bool>,
    /// A key has been written, and its value comes.
    keyed: bool,
}

impl Json {
    /// Begins an object: `{`.
    pub(in super::super) fn object(&mut self, output: &mut Output) {
        self.open(output, '{');
    }

    /// Begins an array: `[`.
    pub(in super::super) fn array(&mut self, output: &mut Output) {
        self.open(output, '[');
    }

    fn open(&mut self, output: &mut Output, bracket: char) {
        self.separate(output);
        self.line.push(bracket);
        self.filled.push(false);
    }

    /// Ends an object.
    pub(in super::super) fn end_object(&mut self) {
        self.filled.pop();
        self.line.push('}');
    }

    /// Ends an array.
    pub(in super::super) fn end_array(&mut self) {
        self.filled.pop();
        self.line.push(']');
    }

    /// A key of the object; its value follows.
    pub(in super::super) fn key(&mut self, output: &mut Output, key: &str) {
        self.separate(output);
        self.quoted(key);
        self.line.push(':');
        self.keyed = true;
    }

    /// A string. What does not fit into a line is cut off.
    pub(in super::super) fn string(&mut self, output: &mut Output, value: &str) {
        self.separate(output);
        self.quoted(value);
    }

    /// A number, `true`, `false` or `null`.
    pub(in super::super) fn bare(&mut self, output: &mut Output, value: impl fmt::Display) {
        self.separate(output);
        // Writing to a string does not fail.
        let _ = write!(self.line, "{value}");
    }

    /// Ends the text.
    pub(in super::super) fn finish(&mut self, output: &mut Output) {
        if !self.line.is_empty() {
            output.row(CODE, &core::mem::take(&mut self.line));
        }
    }

    fn separate(&mut self, output: &mut Output) {
        if core::mem::take(&mut self.keyed) {
            if self.line.len() > LONGEST {
                // A key can be as long as a string.
                self.finish(output);
            }
            return;
        }
        if let Some(filled) = self.filled.last_mut()
            && core::mem::replace(filled, true)
        {
            self.line.push(',');
            if self.line.len() > FULL {
                self.finish(output);
            }
        }
    }

    fn quoted(&mut self, text: &str) {
        self.line.push('"');
        let mut room = LONGEST;
        for c in text.chars() {
            let before = self.line.len();
            match c {
                '"' => self.line.push_str("\\\""),
                '\\' => self.line.push_str("\\\\"),
                c if (c as u32) < 0x20 => {
                    let _ = write!(self.line, "\\u{:04x}", c as u32);
                }
                c => self.line.push(c),
            }
            let used = self.line.len() - before;
            if used > room {
                self.line.truncate(before);
                break;
            }
            room -= used;
        }
        self.line.push('"');
    }
}

/// The code of the rows.
const CODE: u16 = 1027;
/// A line this long is broken at the next comma.
const FULL: usize = 120;
/// Bytes of a string; with a key and what is before it there is room in a line of 512.
const LONGEST: usize = 240;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_put_together_are_the_text() {
        let (mut json, mut output) = (Json::default(), Output::default());
        json.object(&mut output);
        json.key(&mut output, "names");
        json.array(&mut output);
        for number in 0..60 {
            json.string(&mut output, &format!("a \"loop\" \\ {number}"));
        }
        json.end_array();
        json.key(&mut output, "none");
        json.bare(&mut output, "null");
        json.key(&mut output, "long");
        json.string(&mut output, &"\n".repeat(600));
        for key in ["k", "l"] {
            json.key(&mut output, &key.repeat(600));
            json.string(&mut output, &"v".repeat(600));
        }
        json.end_object();
        json.finish(&mut output);
        let text = String::from_utf8(output.piece(usize::MAX - 1).to_vec()).unwrap();
        assert!(text.lines().all(|line| line.len() < 512), "{text}");
        let lines = text.lines().map(|line| line.trim_start_matches("1027-").trim_start());
        let text: String = lines.collect();
        let names: Vec<_> = (0..60).map(|n| format!(r#""a \"loop\" \\ {n}""#)).collect();
        let long = "\\u000a".repeat(LONGEST / 6);
        let [k, l, v] = ["k", "l", "v"].map(|letter| letter.repeat(LONGEST));
        let names = names.join(",");
        let expected =
            format!(r#"{{"names":[{names}],"none":null,"long":"{long}","{k}":"{v}","{l}":"{v}"}}"#);
        assert_eq!(text, expected);
    }
}
