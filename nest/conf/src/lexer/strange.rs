//! Characters that the language does not have, and what they probably were to be.

/// Whether no token, blank or comment begins with this character.
pub(super) fn is_strange(sign: char) -> bool {
    match sign {
        '\t' | '\n' | '\r' | '\x0b' | '\x0c' => false,
        '$' | '@' | '^' | '`' | '\\' => true,
        _ => !(' '..='~').contains(&sign),
    }
}

/// What to do about the characters that a text begins with.
pub(super) fn advice(text: &str, starts_file: bool) -> Option<&'static str> {
    Some(match text.chars().next()? {
        '\u{feff}' if starts_file => "the file begins with a byte order mark; save it without one",
        '\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{ab}' | '\u{bb}' => {
            "strings are in straight quotes: \""
        }
        '\u{2018}' | '\u{2019}' => "names are in straight apostrophes: '",
        '\u{2010}'..='\u{2015}' | '\u{2212}' => "this is a dash, not the minus sign -",
        '\u{a0}' | '\u{2000}'..='\u{200b}' | '\u{202f}' | '\u{3000}' => {
            "this looks like a blank and is none; write a plain one"
        }
        '\0'..='\x08' | '\x0e'..='\x1f' | '\x7f' => "is this a text file?",
        sign if sign.is_alphanumeric() => {
            "names have plain letters only; others may stand in strings and comments"
        }
        _ => return None,
    })
}
