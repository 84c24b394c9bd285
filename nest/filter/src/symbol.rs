//! What names of a configuration mean.

use std::sync::Arc;

use dunlin_conf::{Argument, Parsed, Payload, TokenKind};
use dunlin_net::NetType;

use crate::{
    Parser,
    attribute::Attribute,
    code::Function,
    parse,
    program::Program,
    types::Type,
    value::{Constant, Value},
};

/// The meaning of a name.
#[derive(Debug, Clone)]
pub enum Symbol {
    /// From `define`.
    Constant(Constant),
    /// A variable or parameter: its slot and type.
    Variable(u16, Type),
    /// A function.
    Function(Arc<Function>),
    /// The function whose body is being parsed: parameters and result, if that is known.
    Unfinished(Arc<[Type]>, Option<Type>),
    /// A filter.
    Filter(Arc<Program>),
    /// From `attribute`.
    Attribute(Attribute),
    /// A routing table, and its number in whatever list its owner keeps.
    Table(NetType, u32),
    /// Something of another kind (protocol, template ...), and its number in its owner's list.
    Other(&'static str, u32),
}

impl Payload for Symbol {
    fn constant(&self) -> Option<Argument> {
        if let Self::Constant(constant) = self { Some(argument(constant)) } else { None }
    }

    fn parse_expression(parser: &mut Parser) -> Parsed<Argument> {
        parse::constant(parser).map(|constant| argument(&constant))
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Constant(_) => "constant",
            Self::Variable(..) => "variable",
            Self::Function(_) | Self::Unfinished(..) => "function",
            Self::Filter(_) => "filter",
            Self::Attribute(_) => "custom attribute",
            Self::Table(..) => "routing table",
            Self::Other(kind, _) => kind,
        }
    }
}

/// A constant as options see it.
fn argument(constant: &Constant) -> Argument {
    match constant.value() {
        Value::Bool(value) => Argument::Bool(value),
        Value::Int(value) => Argument::Int(value),
        Value::Ip(value) => Argument::Ip(value),
        Value::Quad(value) => Argument::Quad(value),
        Value::Prefix(value) => Argument::Prefix(value),
        Value::String(value) => Argument::String(Arc::from(value)),
        Value::Bytes(value) => Argument::Bytes(Arc::from(value)),
        Value::Rd(value) => Argument::Rd(value),
        Value::Mac(value) => Argument::Mac(value),
        other => Argument::Other(other.kind().name()),
    }
}

/// Whether the name at the cursor has this meaning, without consuming it.
pub(crate) fn at_symbol(parser: &Parser, fits: impl FnOnce(&Symbol) -> bool) -> bool {
    parser.token().kind != TokenKind::End && parser.symbol().is_some_and(|s| fits(&s.value))
}
