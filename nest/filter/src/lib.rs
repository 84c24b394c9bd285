//! BIRD's filter language: types, compiler, evaluator.
//!
//! The parser compiles filters and functions straight into [`Program`]s: trees in an arena with
//! variables as slots, constants folded (`fold`), sets in the form that is asked fastest (`lookup`,
//! `PrefixSet`) and what is usual as operations in a row (`flat`). A program is immutable and shared; running it ([`run`]) needs a [`Scratch`] of the
//! running loop, and for typical filters allocates nothing but the attribute set that it makes. Programs
//! that are equal but for constants can be run at once ([`Cohort`]).
//!
//! Entry points for configuration sections, all on the one [`Parser`] of a configuration:
//! [`parse_filter_definition`], [`parse_function_definition`], [`parse_define`],
//! [`parse_attribute_definition`], [`parse_eval`] for top-level statements, and
//! [`parse_channel_filter`] behind `import` and `export`.
//!
//! # Invariants
//!
//! * Any program terminates with a verdict, soon: nesting is bounded at compile time and at run time,
//!   loops only go over lists, and calls, rounds of loops and memory of one run are bounded.
//! * Equal programs give equal verdicts for equal inputs ([`Program`]'s equality is by structure).
//! * An error at run time rejects the route and never leaves half of the changes behind.
//!
//! # Deliberately absent
//!
//! ROA and ASPA tables: `roa_check` and `aspa_check` ask whatever the input brings
//! ([`Validation`]) and fail without it. The aggregator's `route` type is refused.

pub mod attribute;
pub mod enums;
mod errors;
pub mod set;

mod build;
mod code;
mod explanation;
mod fingerprint;
mod flat;
mod fold;
mod input;
mod lookup;
mod method;
mod moved;
mod net;
mod ops;
mod parse;
mod prefix_set;
mod program;
#[cfg(test)]
mod random;
mod run;
mod suite;
mod symbol;
mod system;
mod types;
mod value;

pub use attribute::Attribute;
pub use code::Function;
pub use errors::ErrorLog;
pub use explanation::{Explanation, Read, Step, one_line, place};
pub use input::{
    Interfaces, ResolvedHop, RouteInput, RunError, Seen, Silent, Sink, Validation, Validity,
    Verdict,
};
pub use lookup::Form;
pub use moved::{Fixed, Mover};
pub use net::Net;
pub use parse::{
    evaluate, parse_attribute_definition, parse_channel_filter, parse_define, parse_eval,
    parse_expression, parse_filter_definition, parse_function_definition, parse_policy_test,
    parse_route_statements,
};
pub use prefix_set::PrefixSet;
pub use program::{ChannelFilter, Program};
pub use run::{
    Cohort, Counted, CountedLine, Counters, Counts, Scratch, What, apply, apply_for, explain, run,
};
pub use suite::{PolicyTest, Report, Subject};
pub use symbol::Symbol;
pub use system::read_system_names;
pub use types::{Element, EnumType, Type};
pub use value::{Constant, Value};

/// The parser of a configuration whose names mean [`Symbol`]s.
pub type Parser = dunlin_conf::Parser<Symbol>;

/// The names of a configuration.
pub type Symbols = dunlin_conf::Symbols<Symbol>;
