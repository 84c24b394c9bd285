//! Interface patterns: which interfaces a section is about.

use std::{net::IpAddr, sync::Arc};

use dunlin_net::Prefix;

use crate::{
    argument::Argument,
    glob,
    parser::{Parsed, Parser},
    symbols::Payload,
    token::TokenKind,
};

/// One clause of a pattern.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct InterfaceClause {
    /// Whether matching interfaces are meant, or excluded by a leading `-`.
    pub positive: bool,
    /// Shell pattern for the name; none fits all names.
    pub name: Option<Arc<str>>,
    /// A prefix that an address of the interface must lie in; none fits all.
    pub prefix: Option<Prefix>,
}

/// A list of clauses; the first that fits decides.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct InterfacePattern {
    /// The clauses in order.
    pub clauses: Vec<InterfaceClause>,
}

impl InterfacePattern {
    /// Whether an interface with this name and these addresses is meant. No fit: it is not.
    #[must_use]
    pub fn matches(&self, name: &str, addresses: &[IpAddr]) -> bool {
        let fits = |clause: &&InterfaceClause| {
            clause.name.as_ref().is_none_or(|pattern| glob::matches(pattern, name))
                && clause.prefix.is_none_or(|prefix| {
                    addresses.iter().any(|address| prefix.contains_addr(*address))
                })
        };
        self.clauses.iter().find(fits).is_some_and(|clause| clause.positive)
    }

    /// Whether addresses of interfaces matter.
    #[must_use]
    pub fn has_prefixes(&self) -> bool {
        self.clauses.iter().any(|clause| clause.prefix.is_some())
    }
}

impl<S: Payload> Parser<S> {
    /// An interface pattern of names only.
    ///
    /// # Errors
    /// If there is none; the diagnostic is recorded.
    pub fn interface_names(&mut self) -> Parsed<InterfacePattern> {
        self.interface_clauses(false)
    }

    /// An interface pattern where clauses may have prefixes.
    ///
    /// # Errors
    /// If there is none; the diagnostic is recorded.
    pub fn interface_pattern(&mut self) -> Parsed<InterfacePattern> {
        self.interface_clauses(true)
    }

    fn interface_clauses(&mut self, prefixes: bool) -> Parsed<InterfacePattern> {
        let mut pattern = InterfacePattern::default();
        loop {
            pattern.clauses.push(self.interface_clause(prefixes)?);
            if !self.eat(TokenKind::Comma) {
                return Ok(pattern);
            }
        }
    }

    fn interface_clause(&mut self, prefixes: bool) -> Parsed<InterfaceClause> {
        let positive = !self.eat(TokenKind::Minus);
        let is_ip =
            |parser: &Self| matches!(parser.token().kind, TokenKind::Ip4(_) | TokenKind::Ip6(_));
        let addresses = |argument| matches!(argument, Argument::Ip(_) | Argument::Prefix(_));
        let is_first = prefixes && (is_ip(self) || self.named_constant().is_some_and(addresses));
        let name = if is_first { None } else { Some(self.string()?) };
        // A name can only be that of a constant here.
        let is_there = is_first || prefixes && (is_ip(self) || self.symbol().is_some());
        let prefix = if is_there { Some(self.prefix_or_ip()?) } else { None };
        Ok(InterfaceClause { positive, name, prefix })
    }

    /// A prefix, or an address as the prefix of just itself; or a constant that is one of them.
    fn prefix_or_ip(&mut self) -> Parsed<Prefix> {
        let span = self.token().span;
        if self.symbol().is_some() {
            let prefix = match self.named_constant() {
                Some(Argument::Ip(ip)) => Prefix::host(ip),
                Some(Argument::Prefix(prefix)) => prefix,
                _ => {
                    let text = "IP address or network constant expected";
                    return Err(self.error(span, text).into());
                }
            };
            self.advance();
            return Ok(prefix);
        }
        let ip = self.ip()?;
        if self.at(TokenKind::Slash) { self.prefix_after(ip) } else { Ok(Prefix::host(ip)) }
    }
}
