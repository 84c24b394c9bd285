//! Diagnostics for programs.

use std::fmt::Write;

use crate::diagnostics::Diagnostic;

/// A string as JSON has it, quotes included.
#[must_use]
pub fn string(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for sign in text.chars() {
        match sign {
            '"' | '\\' => quoted.extend(['\\', sign]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            // Writing to a string cannot fail.
            sign if sign.is_control() => _ = write!(quoted, "\\u{:04x}", u32::from(sign)),
            sign => quoted.push(sign),
        }
    }
    quoted.push('"');
    quoted
}

/// One message as an object: `file`, `line`, `column` and `length` (in bytes, from 1), `text`, and `hint` or
/// null.
#[must_use]
pub fn object(diagnostic: &Diagnostic) -> String {
    let length = diagnostic.span.end.saturating_sub(diagnostic.span.start).max(1);
    format!(
        "{{\"file\": {}, \"line\": {}, \"column\": {}, \"length\": {length}, \"text\": {}, \"hint\": {}}}",
        string(&diagnostic.file),
        diagnostic.line,
        diagnostic.column,
        string(&diagnostic.message),
        diagnostic.hint.as_deref().map_or_else(|| "null".to_owned(), string),
    )
}
