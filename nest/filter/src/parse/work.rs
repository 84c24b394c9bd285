//! What constant expressions may take, all those of a configuration together: a short text can ask for
//! much, and nobody waits for it.

use dunlin_conf::{Parsed, Span};

use crate::{Parser, value::Value};

/// Bytes of lists and texts that count as much as a call. They are copied faster, but they may stay.
const BYTES: usize = 4;

/// Operands with fewer bytes are short.
const SHORT: usize = 1024;

/// Goes on only while there has not been too much work.
///
/// # Errors
/// If there has been; it is reported.
pub(crate) fn spend(parser: &mut Parser, place: Span, work: u32) -> Parsed<()> {
    if parser.spend(work) {
        return Ok(());
    }
    let error = parser.error(place, "Constant expressions take too long");
    Err(error.because(
        "all of them together have called functions, gone round loops or copied lists too often",
    ))
}

/// An operation goes over its operands. That of short ones is nothing.
///
/// # Errors
/// As [`spend`].
pub(crate) fn over(
    parser: &mut Parser,
    place: Span,
    on: &Value<'_>,
    argument: &Value<'_>,
) -> Parsed<()> {
    let (one, other) = (on.size(), argument.size());
    if one + other < SHORT {
        return Ok(());
    }
    let (one, other) = (one / BYTES, other / BYTES);
    // Each element of one list is looked for in the other.
    let pairs = if argument.is_list() { one.saturating_mul(other) } else { 0 };
    spend(parser, place, u32::try_from(one + other + pairs).unwrap_or(u32::MAX))
}
