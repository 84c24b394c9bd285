//! Interface patterns: which interfaces a section is about.

use std::{net::IpAddr, sync::Arc};

use dunlin_net::Prefix;

use crate::{
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
        let name = if prefixes && is_ip(self) { None } else { Some(self.string()?) };
        let prefix = if prefixes && is_ip(self) { Some(self.prefix_or_ip()?) } else { None };
        Ok(InterfaceClause { positive, name, prefix })
    }

    /// A prefix, or an address as the prefix of just itself.
    fn prefix_or_ip(&mut self) -> Parsed<Prefix> {
        let ip = self.ip()?;
        if self.at(TokenKind::Slash) { self.prefix_after(ip) } else { Ok(Prefix::host(ip)) }
    }
}
