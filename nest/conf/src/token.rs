//! Tokens.

use std::net::Ipv4Addr;

use crate::source::Span;

/// What a token is. Values that do not fit here are kept by the lexer and named by index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// End of the configuration.
    End,
    /// What no rule of the lexer fits; its error is already reported.
    Invalid,
    /// A name or a keyword, bare.
    Name,
    /// A name in apostrophes.
    QuotedName,
    /// A string; the span has the quotes.
    String,
    /// An unsigned 32-bit number.
    Number(u32),
    /// An IPv4 address.
    Ip4(Ipv4Addr),
    /// An IPv6 address, by index.
    Ip6(u32),
    /// A route distinguisher, by index.
    Rd(u32),
    /// A MAC address, by index.
    Mac(u32),
    /// A byte string, by index.
    Bytes(u32),
    /// `else:`, which starts the default arm of a `case`.
    ElseColon,
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
    /// `~`
    Match,
    /// `!~`
    NotMatch,
    /// `&&`
    AndAnd,
    /// `||`
    OrOr,
    /// `!`
    Not,
    /// `+`
    Plus,
    /// `++`
    PlusPlus,
    /// `-`
    Minus,
    /// `->`
    Arrow,
    /// `*`
    Star,
    /// `/`
    Slash,
    /// `&`
    And,
    /// `|`
    Or,
    /// `.`
    Dot,
    /// `..`
    DotDot,
    /// `,`
    Comma,
    /// `;`
    Semicolon,
    /// `:`
    Colon,
    /// `(`
    Open,
    /// `)`
    Close,
    /// `{`
    OpenBrace,
    /// `}`
    CloseBrace,
    /// `[`
    OpenBracket,
    /// `]`
    CloseBracket,
    /// `[=`
    OpenMask,
    /// `=]`
    CloseMask,
    /// `?`
    Question,
    /// `%`
    Percent,
}

impl TokenKind {
    /// The token's name in syntax errors, except for names and keywords.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Self::End => "end of file",
            Self::Invalid => "invalid text",
            Self::Name | Self::QuotedName => "CF_SYM_UNDEFINED",
            Self::String => "TEXT",
            Self::Number(_) => "NUM",
            Self::Ip4(_) => "IP4",
            Self::Ip6(_) => "IP6",
            Self::Rd(_) => "VPN_RD",
            Self::Mac(_) => "MAC",
            Self::Bytes(_) => "BYTETEXT",
            Self::ElseColon => "ELSECOL",
            Self::NotEqual => "NEQ",
            Self::LessEqual => "LEQ",
            Self::GreaterEqual => "GEQ",
            Self::NotMatch => "NMA",
            Self::AndAnd => "AND",
            Self::OrOr => "OR",
            Self::PlusPlus => "ADDADD",
            Self::DotDot => "DDOT",
            Self::OpenMask => "PO",
            Self::CloseMask => "PC",
            Self::Arrow => "ARROW",
            Self::Equal => "'='",
            Self::Less => "'<'",
            Self::Greater => "'>'",
            Self::Match => "'~'",
            Self::Not => "'!'",
            Self::Plus => "'+'",
            Self::Minus => "'-'",
            Self::Star => "'*'",
            Self::Slash => "'/'",
            Self::And => "'&'",
            Self::Or => "'|'",
            Self::Dot => "'.'",
            Self::Comma => "','",
            Self::Semicolon => "';'",
            Self::Colon => "':'",
            Self::Open => "'('",
            Self::Close => "')'",
            Self::OpenBrace => "'{'",
            Self::CloseBrace => "'}'",
            Self::OpenBracket => "'['",
            Self::CloseBracket => "']'",
            Self::Question => "'?'",
            Self::Percent => "'%'",
        }
    }

    /// Whether this is a bare or quoted name.
    #[inline]
    #[must_use]
    pub fn is_name(self) -> bool {
        matches!(self, Self::Name | Self::QuotedName)
    }
}

/// One token and where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Where it is.
    pub span: Span,
}
