//! Basic values that options take: a literal, a constant's name, or an expression in parentheses.

use std::{net::IpAddr, ops::RangeInclusive, sync::Arc, time::Duration};

use dunlin_net::Prefix;

use crate::{
    lexer::Rd,
    parser::{Parsed, Parser},
    source::Span,
    symbols::Payload,
    token::TokenKind,
};

/// A basic value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Argument {
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Int(u32),
    /// An address.
    Ip(IpAddr),
    /// Four octets that are no address.
    Quad(u32),
    /// A prefix.
    Prefix(Prefix),
    /// A string.
    String(Arc<str>),
    /// A byte string.
    Bytes(Arc<[u8]>),
    /// A route distinguisher.
    Rd(Rd),
    /// A MAC address.
    Mac([u8; 6]),
    /// A value that no option takes, with the name of its type.
    Other(&'static str),
}

impl<S: Payload> Parser<S> {
    /// Parses a literal of the wanted kind, a constant or an expression in parentheses.
    ///
    /// `literal` takes the token at the cursor if it fits; `fits` picks the value out of a
    /// constant; `what` is the kind's name in messages.
    fn argument<T>(
        &mut self,
        expecting: &[&str],
        what: &str,
        literal: impl FnOnce(&mut Self, TokenKind) -> Option<T>,
        fits: impl FnOnce(Argument) -> Option<T>,
    ) -> Parsed<T> {
        let token = self.token();
        if let Some(value) = literal(self, token.kind) {
            self.advance();
            return Ok(value);
        }
        let value = if token.kind == TokenKind::Open {
            self.advance();
            let value = self.nested(S::parse_expression)?;
            self.expect(TokenKind::Close)?;
            Some(value)
        } else if let Some(symbol) = self.symbol() {
            let value = symbol.value.constant();
            let kind = symbol.value.kind();
            if value.is_none() {
                let name = self.text(token.span).to_owned();
                return Err(self
                    .error(token.span, format!("{what} constant expected"))
                    .because(format!("`{name}` is a {kind}")));
            }
            self.advance();
            value
        } else {
            None
        };
        let Some(value) = value else {
            return Err(self.unexpected(expecting));
        };
        let span = token.span.to(self.previous().span);
        fits(value).ok_or_else(|| self.error(span, format!("{what} expected")).into())
    }

    /// The value of the constant whose name is at the cursor.
    #[must_use]
    pub fn named_constant(&self) -> Option<Argument> {
        self.symbol().and_then(|symbol| symbol.value.constant())
    }

    /// A number, or a name that is as good as one.
    fn number_literal(&mut self, kind: TokenKind) -> Option<u32> {
        match kind {
            TokenKind::Number(number) => Some(number),
            _ => self.word().and_then(S::number),
        }
    }

    /// A number.
    ///
    /// # Errors
    /// If there is none; so with all that follow. The diagnostic is recorded.
    pub fn integer(&mut self) -> Parsed<u32> {
        self.argument(&["NUM", "CF_SYM_KNOWN", "'('"], "Number", Self::number_literal, |value| {
            if let Argument::Int(number) = value { Some(number) } else { None }
        })
    }

    /// A number in a range; `what` names the option in the message.
    ///
    /// # Errors
    /// If there is none in the range.
    pub fn integer_in(&mut self, what: &str, range: RangeInclusive<u32>) -> Parsed<u32> {
        let start = self.token().span;
        let number = self.integer()?;
        if range.contains(&number) {
            return Ok(number);
        }
        let (low, high) = (range.start(), range.end());
        let span = start.to(self.previous().span);
        Err(self.error(span, format!("{what} must be in range {low}-{high}")).into())
    }

    /// A number of seconds.
    ///
    /// # Errors
    /// If there is none.
    pub fn seconds(&mut self) -> Parsed<Duration> {
        Ok(Duration::from_secs(u64::from(self.integer()?)))
    }

    /// A number with its unit, `s`, `ms` or `us`.
    ///
    /// # Errors
    /// If there is none, or no unit.
    pub fn time(&mut self) -> Parsed<Duration> {
        let number = u64::from(self.integer()?);
        let unit = [
            ("s", Duration::from_secs as fn(u64) -> Duration),
            ("ms", Duration::from_millis),
            ("us", Duration::from_micros),
        ];
        match self.eat_one_of(&unit) {
            Some(scale) => Ok(scale(number)),
            None => Err(self.unexpected_because(
                &["S", "MS", "US"],
                Some("this time has no default unit: write s, ms or us behind the number"),
            )),
        }
    }

    /// A switch: `on`, `yes`, `true`, `off`, `no`, `false`, a bool constant, or nothing for on.
    ///
    /// # Errors
    /// If something else is there.
    pub fn switch(&mut self) -> Parsed<bool> {
        let words = [
            ("on", true),
            ("yes", true),
            ("true", true),
            ("off", false),
            ("no", false),
            ("false", false),
        ];
        if let Some(value) = self.eat_one_of(&words) {
            return Ok(value);
        }
        let token = self.token();
        match token.kind {
            TokenKind::Semicolon | TokenKind::CloseBrace => Ok(true),
            TokenKind::Number(number) => {
                self.advance();
                self.warning(token.span, "Number argument for switch option deprecated")
                    .hint(if number == 0 { "write off" } else { "write on" });
                Ok(number != 0)
            }
            _ => self.argument(
                &["NUM", "CF_SYM_KNOWN", "'('"],
                "Bool",
                |_, _| None,
                |value| match value {
                    Argument::Bool(value) => Some(value),
                    Argument::Int(number) => Some(number != 0),
                    _ => None,
                },
            ),
        }
    }

    fn ip_literal(&self, kind: TokenKind) -> Option<IpAddr> {
        match kind {
            TokenKind::Ip4(ip) => Some(IpAddr::V4(ip)),
            TokenKind::Ip6(index) => Some(IpAddr::V6(self.values().ip6(index))),
            _ => None,
        }
    }

    /// An address of either family.
    ///
    /// # Errors
    /// If there is none.
    pub fn ip(&mut self) -> Parsed<IpAddr> {
        self.argument(
            &["IP4", "IP6", "CF_SYM_KNOWN", "'('"],
            "IP address",
            |parser, kind| parser.ip_literal(kind),
            |value| if let Argument::Ip(ip) = value { Some(ip) } else { None },
        )
    }

    /// A prefix. Host bits must be zero.
    ///
    /// # Errors
    /// If there is none.
    pub fn prefix(&mut self) -> Parsed<Prefix> {
        if self.ip_literal(self.token().kind).is_some() {
            let ip = self.ip()?;
            return self.prefix_after(ip);
        }
        self.argument(
            &["IP4", "IP6", "CF_SYM_KNOWN", "'('"],
            "Prefix",
            |_, _| None,
            |value| if let Argument::Prefix(prefix) = value { Some(prefix) } else { None },
        )
    }

    /// The rest of a prefix, from the slash on; the address literal was just consumed.
    ///
    /// # Errors
    /// If there is no length, or the length does not fit the address.
    pub fn prefix_after(&mut self, ip: IpAddr) -> Parsed<Prefix> {
        let start = self.previous().span;
        self.expect(TokenKind::Slash)?;
        let token = self.token();
        let TokenKind::Number(length) = token.kind else {
            return Err(self.unexpected(&["NUM"]));
        };
        self.advance();
        self.check_prefix(ip, length, start, token.span)
    }

    fn check_prefix(&mut self, ip: IpAddr, length: u32, start: Span, end: Span) -> Parsed<Prefix> {
        let family = if ip.is_ipv4() { "IPv4" } else { "IPv6" };
        let Some(prefix) = u8::try_from(length).ok().and_then(|length| Prefix::new(ip, length))
        else {
            let longest = if ip.is_ipv4() { 32 } else { 128 };
            return Err(self
                .error(end, format!("Invalid prefix length {length}"))
                .because(format!("an {family} prefix has at most {longest} bits")));
        };
        if prefix.addr() == ip {
            return Ok(prefix);
        }
        let written = self.text(start.to(end)).to_owned();
        let message = format!("Invalid {family} prefix {written}, maybe you wanted {prefix}");
        Err(self.error(end, message).because("the bits behind the prefix length must be zero"))
    }

    /// A string.
    ///
    /// # Errors
    /// If there is none.
    pub fn string(&mut self) -> Parsed<Arc<str>> {
        self.argument(
            &["TEXT", "CF_SYM_KNOWN", "'('"],
            "String",
            |parser, kind| {
                let span = parser.token().span;
                (kind == TokenKind::String).then(|| Arc::from(parser.text(span)))
            },
            |value| if let Argument::String(text) = value { Some(text) } else { None },
        )
    }

    /// A byte string.
    ///
    /// # Errors
    /// If there is none.
    pub fn bytes(&mut self) -> Parsed<Arc<[u8]>> {
        self.argument(
            &["BYTETEXT", "CF_SYM_KNOWN", "'('"],
            "Bytestring",
            |parser, kind| match kind {
                TokenKind::Bytes(index) => Some(parser.values().bytes(index)),
                _ => None,
            },
            |value| if let Argument::Bytes(bytes) = value { Some(bytes) } else { None },
        )
    }

    /// An id: a number or a dotted quad.
    ///
    /// # Errors
    /// If there is none.
    pub fn id(&mut self) -> Parsed<u32> {
        self.argument(
            &[],
            "Number or IPv4 address",
            |parser, kind| match kind {
                TokenKind::Ip4(ip) => Some(u32::from(ip)),
                _ => parser.number_literal(kind),
            },
            |value| match value {
                Argument::Int(number) | Argument::Quad(number) => Some(number),
                Argument::Ip(IpAddr::V4(ip)) => Some(u32::from(ip)),
                _ => None,
            },
        )
    }
}
