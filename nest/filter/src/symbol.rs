//! What names of a configuration mean.

use std::sync::{Arc, LazyLock};

use dunlin_conf::{Argument, Parsed, Payload, TokenKind};
use dunlin_net::NetType;

use crate::{
    Parser,
    attribute::{self, Attribute},
    code::Function,
    enums, parse,
    program::Program,
    system::system_constant,
    types::Type,
    value::{Constant, Value},
};

/// Functions of the language.
const FUNCTIONS: &[&str] = &[
    "defined",
    "format",
    "from_hex",
    "prepend",
    "append",
    "add",
    "delete",
    "filter",
    "unset",
    "roa_check",
    "aspa_check",
    "aspa_check_upstream",
    "aspa_check_downstream",
    "bt_assert",
    "bt_check_assign",
];

/// What older releases of BIRD had, and what to do about it.
const GONE: &[(&str, &str)] = &[
    ("scope", "BIRD 3 has no attribute of this name"),
    ("cast", "BIRD 2 and 3 have no attribute of this name"),
    ("RTD_ROUTER", "it is RTD_UNICAST now"),
    ("RTD_DEVICE", "it is RTD_UNICAST now"),
    ("RTD_MULTIPATH", "it is RTD_UNICAST now"),
    ("RTS_DUMMY", "BIRD 2 and 3 have no such source"),
    ("RTS_PIM", "BIRD has no such source"),
    ("and", "write &&"),
    ("or", "write ||"),
    ("not", "write !"),
];

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

    fn number(name: &str) -> Option<u32> {
        system_constant(name)
    }

    fn words() -> Vec<&'static str> {
        static CONSTANTS: LazyLock<Vec<String>> = LazyLock::new(|| enums::names().collect());
        let constants = CONSTANTS.iter().map(String::as_str);
        attribute::names().chain(constants).chain(FUNCTIONS.iter().copied()).collect()
    }

    fn gone(name: &str) -> Option<&'static str> {
        GONE.iter().find(|(gone, _)| *gone == name).map(|(_, advice)| *advice)
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
