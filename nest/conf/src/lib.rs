//! The configuration language, as far as it knows neither protocols nor filters.
//!
//! A configuration is read in three steps, all of them here in their general form:
//!
//! 1. [`source`] reads the files (includes and their globs are expanded in place) and [`lexer`]
//!    cuts them into [`Token`]s. Lexing depends on nothing but the text: keywords are ordinary
//!    names until a parser asks for them, so each protocol crate brings its own words.
//! 2. [`Parser`] is the cursor over those tokens that every section parser uses: it knows
//!    keywords, argument kinds (switch, integer, time, address, prefix ...), blocks with error
//!    recovery at `;` and `}`, and the bound on nesting.
//! 3. [`Symbols`] is the one namespace of a configuration. What a symbol means is the payload
//!    type's business ([`Payload`]); the filter crate supplies it.
//!
//! A configuration that is read again need not be read from its beginning: [`blocks`] tells what two texts have in
//! common, [`Moves`] where what is common stands now, and [`Parser::read_on`] reads single pieces. Who parses
//! the statements decides what of them still holds.
//!
//! # Invariants
//!
//! * No input makes anything here panic; any bytes are a configuration with or without errors.
//! * Parsing never stops at the first error: all errors of a configuration are collected in
//!   [`Diagnostics`], in the order of the text.
//! * The first line of a rendered diagnostic has BIRD's form, `FILE:LINE:COL message`.
//!
//! # Deliberately absent
//!
//! No statement is known here, not even `router id`: those belong to the crates that act on them.

pub mod blocks;
pub mod diagnostics;
pub mod files;
pub mod glob;
pub mod json;
pub mod keywords;
pub mod lexer;
pub mod source;
pub mod symbols;
pub mod token;

mod advice;
mod argument;
mod moves;
mod parser;
mod pattern;
mod render;

pub use argument::Argument;
pub use diagnostics::{Diagnostic, Diagnostics, Severity};
pub use files::{Files, MemoryFiles, OsFiles};
pub use moves::Moves;
pub use parser::{Failed, Outcome, Parsed, Parser};
pub use pattern::{InterfaceClause, InterfacePattern};
pub use render::render;
pub use source::{Position, SourceMap, Span};
pub use symbols::{Payload, Redefined, Symbol, SymbolId, Symbols};
pub use token::{Token, TokenKind};

#[cfg(test)]
mod tests;
