//! Cuts text into tokens, with includes expanded in place.
//!
//! Always the longest token that fits is taken, as BIRD does: `65000:1` is a route
//! distinguisher, `[=` opens a mask while `[ =` does not, `fc::` is an address and not a name.

mod again;
mod include;
mod literal;
mod strange;

use std::{
    net::Ipv6Addr,
    path::{Path, PathBuf},
    sync::Arc,
};

use self::literal::Literal;
use crate::{
    diagnostics::{Diagnostic, Diagnostics, Severity},
    files::Files,
    source::{SourceMap, Span},
    token::{Token, TokenKind},
};

pub(crate) use self::again::cut;
pub use self::again::{Origins, count, read_again};
pub use self::literal::Rd;

/// The longest name.
pub const MAX_NAME: usize = 64;
/// The longest piece of text in a message.
const MAX_QUOTED: usize = 80;
/// The longest string.
const MAX_STRING: usize = 4095;

/// Values of tokens that are too large to be inside the token.
#[derive(Debug, Clone, Default)]
pub struct Values {
    ip6: Vec<Ipv6Addr>,
    rd: Vec<Rd>,
    mac: Vec<[u8; 6]>,
    bytes: Vec<Arc<[u8]>>,
}

impl Values {
    /// The IPv6 address of a token.
    #[must_use]
    pub fn ip6(&self, index: u32) -> Ipv6Addr {
        self.ip6.get(index as usize).copied().unwrap_or(Ipv6Addr::UNSPECIFIED)
    }

    /// The route distinguisher of a token.
    #[must_use]
    pub fn rd(&self, index: u32) -> Rd {
        self.rd.get(index as usize).copied().unwrap_or_default()
    }

    /// The MAC address of a token.
    #[must_use]
    pub fn mac(&self, index: u32) -> [u8; 6] {
        self.mac.get(index as usize).copied().unwrap_or_default()
    }

    /// The byte string of a token.
    #[must_use]
    pub fn bytes(&self, index: u32) -> Arc<[u8]> {
        self.bytes.get(index as usize).cloned().unwrap_or_default()
    }
}

/// The bytes that a bare name consists of.
const IN_NAME: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        table[byte as usize] = byte.is_ascii_alphanumeric() || byte == b'_';
        byte += 1;
    }
    table
};

/// Few texts have more tokens than one for so many bytes.
const BYTES_FOR_TOKEN: usize = 4;

/// What lexing gives: never a failure, perhaps diagnostics.
#[derive(Debug, Clone, Default)]
pub struct Lexed {
    /// The texts.
    pub sources: SourceMap,
    /// The tokens; the last one is [`TokenKind::End`].
    pub tokens: Vec<Token>,
    /// Values of large tokens.
    pub values: Values,
    /// What was wrong.
    pub diagnostics: Diagnostics,
    /// Where the texts come from.
    pub origins: Origins,
}

/// Reads a file and all that it includes.
#[must_use]
pub fn lex_file(path: &Path, files: &dyn Files) -> Lexed {
    let mut lexer = Lexer { files: Some(files), ..Lexer::default() };
    lexer.open.push(path.to_owned());
    let name = path.display().to_string();
    match files.read(path) {
        Ok(bytes) => lexer.file(&name, path, bytes),
        Err(error) => {
            let file = lexer.out.sources.add(&name, Vec::new());
            let message = format!("Unable to open configuration file {name}: {error}");
            lexer.error(Span { file, start: 0, end: 0 }, message);
        }
    }
    lexer.finish()
}

/// Cuts one text; includes are not allowed in it.
#[must_use]
pub fn lex_text(name: &str, text: &str) -> Lexed {
    let mut lexer = Lexer::default();
    lexer.file(name, Path::new(name), text.as_bytes().to_vec());
    lexer.finish()
}

#[derive(Default)]
struct Lexer<'f> {
    out: Lexed,
    /// None where includes are not allowed.
    files: Option<&'f dyn Files>,
    /// The files that are being read, each included by the one before.
    open: Vec<PathBuf>,
    /// Bytes of included files.
    bytes: usize,
    /// Nothing more is included, and that was said.
    full: bool,
}

/// The place in one file.
struct Cursor<'t> {
    text: &'t str,
    file: u32,
    at: usize,
    /// Only blanks since the line began.
    fresh_line: bool,
}

impl Cursor<'_> {
    fn rest(&self) -> &[u8] {
        self.text.as_bytes().get(self.at..).unwrap_or(&[])
    }

    fn span(&self, length: usize) -> Span {
        let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Span { file: self.file, start: offset(self.at), end: offset(self.at + length) }
    }
}

impl Lexer<'_> {
    fn finish(mut self) -> Lexed {
        let file = self.out.sources.files().first().map_or(0, |file| file.text().len());
        let end = u32::try_from(file).unwrap_or(u32::MAX);
        self.push(TokenKind::End, Span { file: 0, start: end, end });
        self.out
    }

    fn push(&mut self, kind: TokenKind, span: Span) {
        self.out.tokens.push(Token { kind, span });
    }

    fn error(&mut self, span: Span, message: impl Into<String>) -> &mut Diagnostic {
        let order = u32::try_from(self.out.tokens.len()).unwrap_or(u32::MAX);
        self.out.diagnostics.add(&self.out.sources, Severity::Error, span, order, message)
    }

    /// Cuts one file. Its path is what includes in it are relative to.
    fn file(&mut self, name: &str, path: &Path, bytes: Vec<u8>) {
        self.out.origins.paths.push(path.to_owned());
        if u32::try_from(bytes.len()).is_err() {
            let file = self.out.sources.add(name, Vec::new());
            self.error(Span { file, start: 0, end: 0 }, "File too large");
            return;
        }
        let file = self.out.sources.add(name, bytes);
        let Some(text) = self.out.sources.file(file).map(|file| file.text().clone()) else {
            return;
        };
        // Memory that is not used is never touched, so this costs less than growing.
        self.out.tokens.reserve(text.len() / BYTES_FOR_TOKEN);
        let mut cursor = Cursor { text: &text, file, at: 0, fresh_line: true };
        while let Some(&byte) = cursor.rest().first() {
            self.step(&mut cursor, byte, path);
        }
    }

    /// Consumes a token, a blank or a comment: always at least one byte. As a call it would cost a fiftieth of
    /// reading a large configuration.
    #[inline(always)]
    fn step(&mut self, cursor: &mut Cursor<'_>, byte: u8, path: &Path) {
        match byte {
            b'\n' => {
                cursor.at += 1;
                cursor.fresh_line = true;
                return;
            }
            b' ' | b'\t' | b'\r' | 0x0b | 0x0c => {
                let is_blank = |byte: &&u8| matches!(**byte, b' ' | b'\t' | b'\r' | 0x0b | 0x0c);
                cursor.at += cursor.rest().iter().take_while(is_blank).count();
                return;
            }
            b'#' => {
                cursor.at += cursor.rest().iter().take_while(|&&byte| byte != b'\n').count();
                return;
            }
            b'/' if cursor.rest().starts_with(b"/*") => return self.comment(cursor),
            _ => {}
        }
        if cursor.fresh_line && byte == b'i' && self.include(cursor, path) {
            return;
        }
        cursor.fresh_line = false;
        match byte {
            b'"' => self.string(cursor),
            b'\'' => self.quoted_name(cursor),
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'_' => self.word(cursor),
            b':' if cursor.rest().starts_with(b"::") => self.word(cursor),
            _ => self.operator(cursor),
        }
    }

    fn comment(&mut self, cursor: &mut Cursor<'_>) {
        let body = cursor.rest().get(2..).unwrap_or(&[]);
        let end = body.windows(2).position(|pair| pair == b"*/");
        let inside = body.get(..end.unwrap_or(body.len())).unwrap_or(&[]);
        if let Some(nested) = inside.windows(2).position(|pair| pair == b"/*") {
            let start = Cursor { at: cursor.at + 2 + nested, ..*cursor };
            self.error(start.span(2), "Comment nesting not allowed");
        }
        match end {
            Some(end) => cursor.at += end + 4,
            None => {
                self.error(cursor.span(2), "Unterminated comment");
                cursor.at = cursor.text.len();
            }
        }
    }

    fn string(&mut self, cursor: &mut Cursor<'_>) {
        let body = cursor.rest().get(1..).unwrap_or(&[]);
        let length = body.iter().take_while(|&&byte| byte != b'"' && byte != b'\n').count();
        let closed = body.get(length) == Some(&b'"');
        let span = cursor.span(length + 1 + usize::from(closed));
        if !closed {
            self.error(span, "Unterminated string");
        } else if length > MAX_STRING {
            self.error(span, "String too long");
        }
        self.push(if closed { TokenKind::String } else { TokenKind::Invalid }, span);
        cursor.at = span.end as usize;
    }

    fn quoted_name(&mut self, cursor: &mut Cursor<'_>) {
        let body = cursor.rest().get(1..).unwrap_or(&[]);
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte);
        let length = body.iter().take_while(|&&byte| is_part(byte)).count();
        if body.get(length) != Some(&b'\'') {
            let span = cursor.span(1);
            self.error(span, "Unknown character").hint(
                "a name in apostrophes ends with one and has only letters, digits and _ . : -",
            );
            self.push(TokenKind::Invalid, span);
            cursor.at += 1;
            return;
        }
        let span = cursor.span(length + 2);
        self.name(TokenKind::QuotedName, span, length);
        cursor.at = span.end as usize;
    }

    fn name(&mut self, kind: TokenKind, span: Span, length: usize) {
        if length > MAX_NAME {
            self.error(span, "Symbol too long").hint(format!("at most {MAX_NAME} characters"));
        }
        self.push(kind, span);
    }

    /// A name, a number, an address or another literal made of letters, digits, dots and colons.
    fn word(&mut self, cursor: &mut Cursor<'_>) {
        let rest = cursor.rest();
        let name = match rest.first() {
            Some(byte) if byte.is_ascii_alphabetic() || *byte == b'_' => {
                rest.iter().take_while(|byte| IN_NAME[usize::from(**byte)]).count()
            }
            _ => 0,
        };
        match literal::longest(rest) {
            Some((length, literal)) if length >= name => {
                let span = cursor.span(length);
                cursor.at += length;
                self.literal(span, literal);
            }
            _ if name > 0 => {
                let else_colon = name == 4 && rest.starts_with(b"else:");
                let span = cursor.span(name + usize::from(else_colon));
                cursor.at = span.end as usize;
                if else_colon {
                    self.push(TokenKind::ElseColon, span);
                } else {
                    self.name(TokenKind::Name, span, name);
                }
            }
            _ => self.operator(cursor),
        }
    }

    fn literal(&mut self, span: Span, literal: Literal) {
        let values = &mut self.out.values;
        let kind = match literal {
            Literal::Number(Some(number)) => TokenKind::Number(number),
            Literal::Number(None) => return self.invalid_literal(span, "Number out of range"),
            Literal::Ip4(Some(ip)) => TokenKind::Ip4(ip),
            Literal::Ip4(None) => return self.invalid_literal(span, "Invalid IPv4 address"),
            Literal::Ip6(Some(ip)) => TokenKind::Ip6(store(&mut values.ip6, ip)),
            Literal::Ip6(None) => return self.invalid_literal(span, "Invalid IPv6 address"),
            Literal::Rd(Some(rd)) => TokenKind::Rd(store(&mut values.rd, rd)),
            Literal::Rd(None) => {
                return self.invalid_literal(span, "Invalid route distinguisher");
            }
            Literal::Mac(mac) => TokenKind::Mac(store(&mut values.mac, mac)),
            Literal::Bytes(bytes) => TokenKind::Bytes(store(&mut values.bytes, bytes)),
        };
        self.push(kind, span);
    }

    fn invalid_literal(&mut self, span: Span, what: &str) {
        let message = match what {
            "Number out of range" => what.to_owned(),
            _ => format!("{what} {}", shortened(self.out.sources.text(span))),
        };
        self.error(span, message);
        self.push(TokenKind::Invalid, span);
    }

    fn operator(&mut self, cursor: &mut Cursor<'_>) {
        let rest = cursor.rest();
        let pair = rest.get(..2).and_then(two_bytes).map(|kind| (2, kind));
        let found = pair.or_else(|| rest.first().and_then(one_byte).map(|kind| (1, kind)));
        if let Some((length, kind)) = found {
            let span = cursor.span(length);
            self.push(kind, span);
            cursor.at += length;
            return;
        }
        self.unknown(cursor);
    }

    /// Characters that nothing begins with: one message for all in a row.
    fn unknown(&mut self, cursor: &mut Cursor<'_>) {
        let text = cursor.text.get(cursor.at..).unwrap_or("");
        let length = text.find(|sign: char| !strange::is_strange(sign)).unwrap_or(text.len());
        let span = cursor.span(length.max(text.chars().next().map_or(1, char::len_utf8)));
        let hint = strange::advice(text, cursor.at == 0);
        let error = self.error(span, "Unknown character");
        if let Some(hint) = hint {
            error.hint(hint);
        }
        self.push(TokenKind::Invalid, span);
        cursor.at = span.end as usize;
    }
}

/// A piece of text for a message.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_QUOTED) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or("")),
        None => text.to_owned(),
    }
}

fn store<T>(list: &mut Vec<T>, value: T) -> u32 {
    list.push(value);
    u32::try_from(list.len() - 1).unwrap_or(u32::MAX)
}

fn two_bytes(bytes: &[u8]) -> Option<TokenKind> {
    Some(match bytes {
        b"!=" => TokenKind::NotEqual,
        b"<=" => TokenKind::LessEqual,
        b">=" => TokenKind::GreaterEqual,
        b"!~" => TokenKind::NotMatch,
        b"&&" => TokenKind::AndAnd,
        b"||" => TokenKind::OrOr,
        b"++" => TokenKind::PlusPlus,
        b"->" => TokenKind::Arrow,
        b".." => TokenKind::DotDot,
        b"[=" => TokenKind::OpenMask,
        b"=]" => TokenKind::CloseMask,
        _ => return None,
    })
}

fn one_byte(byte: &u8) -> Option<TokenKind> {
    Some(match byte {
        b'=' => TokenKind::Equal,
        b'<' => TokenKind::Less,
        b'>' => TokenKind::Greater,
        b'~' => TokenKind::Match,
        b'!' => TokenKind::Not,
        b'+' => TokenKind::Plus,
        b'-' => TokenKind::Minus,
        b'*' => TokenKind::Star,
        b'/' => TokenKind::Slash,
        b'&' => TokenKind::And,
        b'|' => TokenKind::Or,
        b'.' => TokenKind::Dot,
        b',' => TokenKind::Comma,
        b';' => TokenKind::Semicolon,
        b':' => TokenKind::Colon,
        b'(' => TokenKind::Open,
        b')' => TokenKind::Close,
        b'{' => TokenKind::OpenBrace,
        b'}' => TokenKind::CloseBrace,
        b'[' => TokenKind::OpenBracket,
        b']' => TokenKind::CloseBracket,
        b'?' => TokenKind::Question,
        b'%' => TokenKind::Percent,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
