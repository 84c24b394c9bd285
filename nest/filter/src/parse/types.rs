//! Names of types.

use dunlin_conf::{Parsed, TokenKind};

use crate::{
    Parser,
    types::{EnumType, Type},
};

/// Whether a declaration starts at the cursor: a type, then a name.
pub(super) fn at_type(parser: &Parser) -> bool {
    let Some(word) = parser.word() else { return false };
    let is_type = word == "enum" || Type::from_name(word).is_some();
    is_type && parser.ahead(1).kind.is_name()
}

/// A type: `int`, `prefix set`, `enum rts` ...
pub(super) fn parse_type(parser: &mut Parser) -> Parsed<Type> {
    let Some(word) = parser.word() else { return Err(parser.unexpected(&[])) };
    let kind = if word == "enum" {
        parser.advance();
        let name = parser.text(parser.token().span);
        EnumType::from_name(name).map(Type::Enum)
    } else {
        Type::from_name(word)
    };
    let Some(kind) = kind else {
        return Err(parser.unexpected_because(&[], Some("a type is needed here")));
    };
    let span = parser.advance().span;
    if kind == Type::Route {
        let error = parser.error(span, "Type route is not supported yet");
        return Err(error.because("it belongs to the aggregator, which is not built"));
    }
    // `set` makes a set type only where a name or the end of the type follows.
    if !parser.at_word("set") {
        return Ok(kind);
    }
    let set = match kind {
        Type::Prefix => Some(Type::PrefixSet),
        kind => kind.element().map(Type::Set),
    };
    match set {
        Some(set) => {
            parser.advance();
            Ok(set)
        }
        None if parser.ahead(1).kind == TokenKind::Semicolon => Ok(kind),
        None => Err(parser.error_here(format!("There are no sets of type {kind}")).into()),
    }
}
