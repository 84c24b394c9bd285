//! The daemon's side of the conversation: lines with codes.

/// One line of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line<'a> {
    /// `NNNN-text`: a line, more follow. `NNNN text`: the last one.
    Coded {
        /// The code.
        code: u16,
        /// It ends the reply.
        last: bool,
        /// What it says.
        text: &'a str,
    },
    /// ` text`: a line with the code of the one before.
    More(&'a str),
    /// `+text`: said by itself, not part of the reply.
    Notice(&'a str),
    /// Nothing that the protocol knows.
    Strange(&'a str),
}

impl<'a> Line<'a> {
    /// Reads a line, which has no end of line any more.
    pub(crate) fn read(line: &'a str) -> Self {
        if let Some(text) = line.strip_prefix(' ') {
            return Self::More(text);
        }
        if let Some(text) = line.strip_prefix('+') {
            return Self::Notice(text);
        }
        let coded = line.split_at_checked(4).and_then(|(digits, rest)| {
            let code =
                digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())??;
            let last = match rest.chars().next() {
                Some(' ') => true,
                Some('-') => false,
                _ => return None,
            };
            Some(Self::Coded { code, last, text: rest.get(1..)? })
        });
        coded.unwrap_or(Self::Strange(line))
    }

    /// What a person sees of it, if anything; the codes too with `verbose`.
    pub(crate) fn shown(self, verbose: bool) -> Option<String> {
        match self {
            Self::Coded { code, last, text } if verbose => {
                Some(format!("{code:04}{}{text}", if last { ' ' } else { '-' }))
            }
            Self::Coded { code: 0, .. } => None,
            Self::Coded { text, .. } | Self::Strange(text) => Some(text.to_owned()),
            Self::More(text) if verbose => Some(format!("     {text}")),
            Self::More(text) => Some(text.to_owned()),
            Self::Notice(text) => Some(format!(">>> {text}")),
        }
    }
}

/// Whether a code says that the command failed.
pub(crate) fn is_failure(code: u16) -> bool {
    code >= 8000
}

#[cfg(test)]
mod tests {
    use super::Line;

    fn shown(line: &str) -> (Option<String>, Option<String>) {
        (Line::read(line).shown(false), Line::read(line).shown(true))
    }

    fn both(plain: &str, verbose: &str) -> (Option<String>, Option<String>) {
        (Some(plain.to_owned()), Some(verbose.to_owned()))
    }

    #[test]
    fn as_birdc_shows_them() {
        assert_eq!(shown("0000 "), (None, Some("0000 ".to_owned())));
        assert_eq!(shown("0013 Up"), both("Up", "0013 Up"));
        assert_eq!(shown("1002-a  b"), both("a  b", "1002-a  b"));
        assert_eq!(shown(" \tmore"), both("\tmore", "     \tmore"));
        assert_eq!(shown("+news"), both(">>> news", ">>> news"));
        assert_eq!(shown("9001 é"), both("é", "9001 é"));
    }

    #[test]
    fn strange_lines_are_shown_as_they_are() {
        for line in ["", "12", "1234", "1234x", "12é4 x", "+123", "abcd text"] {
            let read = Line::read(line);
            assert!(!matches!(read, Line::Coded { .. }), "{line}");
        }
    }

    #[test]
    fn the_last_line_is_known() {
        assert_eq!(
            Line::read("8003 No protocols match"),
            Line::Coded { code: 8003, last: true, text: "No protocols match" }
        );
        assert!(matches!(Line::read("8003-x"), Line::Coded { last: false, .. }));
    }
}
