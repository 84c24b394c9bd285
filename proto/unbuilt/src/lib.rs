//! Protocols whose grammar is complete and checked, and that are not built: one module of `grammars` each.
//!
//! A module says in a [`Grammar`] which statements its protocol has, of which types and ranges, and what must
//! fit together. Reading a section that is not `disabled` warns that the protocol is not there, and starting it
//! is an error that names it: none of them is ever a protocol that does nothing. Who builds one takes its module
//! into a crate of its own and makes a typed configuration out of what was said.

mod grammar;
mod grammars;
mod kind;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use dunlin_core::protocol::ProtocolKind;

pub use grammar::Grammar;
pub use kind::Declared;

/// All of them.
pub fn kinds() -> impl Iterator<Item = Arc<dyn ProtocolKind>> {
    grammars::ALL.iter().map(|grammar| Arc::new(Declared(grammar)) as Arc<dyn ProtocolKind>)
}
