//! The operations on values. The compiler folds constants with them, the evaluator runs them.
//!
//! Results that need memory are put into the arena of the run.

mod compare;
mod list;
mod matching;
mod method;
mod path;

use std::borrow::Cow;

use bumpalo::Bump;
use dunlin_net::community::{EcKind, ExtCommunity, LargeCommunity};

use crate::{
    code::{Binary, Unary},
    types::Type,
    value::Value,
};

pub(crate) use self::{
    compare::can_be_equal,
    matching::{can_match, matches},
    method::method,
};

/// Why an operation has no result. Boxed, so that results stay small.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault(pub(crate) Box<Cow<'static, str>>);

impl From<&'static str> for Fault {
    fn from(message: &'static str) -> Self {
        Self(Box::new(Cow::Borrowed(message)))
    }
}

impl From<String> for Fault {
    fn from(message: String) -> Self {
        Self(Box::new(Cow::Owned(message)))
    }
}

/// The result of an operation.
pub(crate) type Outcome<'v> = Result<Value<'v>, Fault>;

/// An operand has the wrong type.
#[cold]
pub(crate) fn wrong_type(number: u8, of: &str, wanted: Type, found: Type) -> Fault {
    Fault::from(type_message(number, of, wanted, found))
}

/// The text for an operand of the wrong type.
pub(crate) fn type_message(number: u8, of: &str, wanted: Type, found: Type) -> String {
    format!("Argument {number} of {of} must be of type {wanted}, got type {found}")
}

impl Binary {
    /// The operation's name in messages.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Add => "ADD",
            Self::Subtract => "SUBTRACT",
            Self::Multiply => "MULTIPLY",
            Self::Divide => "DIVIDE",
            Self::BitAnd => "BITAND",
            Self::BitOr => "BITOR",
            Self::Concat => "CONCAT",
            Self::Equal => "EQ",
            Self::NotEqual => "NEQ",
            Self::Less | Self::Greater => "LT",
            Self::LessEqual | Self::GreaterEqual => "LTE",
            Self::Match => "MATCH",
            Self::NotMatch => "NOT_MATCH",
            Self::Pair => "PAIR_CONSTRUCT",
        }
    }
}

impl Unary {
    /// The operation's name in messages.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Not => "NOT",
            Self::Defined => "DEFINED",
            Self::Format => "FORMAT",
            Self::FromHex => "FROM_HEX",
        }
    }
}

/// The longest string or bytestring that is made, in bytes. Constants that double, each out of the one
/// before, are many runs.
const MAX_TEXT: usize = 65_535;

/// What is said of both.
const TOO_MUCH: &str = "Too much memory in one run";

/// Bytes that a run, or the folding of one body, may have made before it may make no more.
pub(crate) const MAX_MEMORY: usize = 16 << 20;

/// Whether more values may be made.
pub(crate) fn room(bump: &Bump) -> Result<(), Fault> {
    if bump.allocated_bytes() > MAX_MEMORY {
        return Err(TOO_MUCH.into());
    }
    Ok(())
}

/// The value as a bool.
pub(crate) fn truth(value: Value<'_>, number: u8, of: &str) -> Result<bool, Fault> {
    if let Value::Bool(value) = value {
        Ok(value)
    } else {
        Err(wrong_type(number, of, Type::Bool, value.kind()))
    }
}

/// The value as a number.
pub(crate) fn number(value: Value<'_>, number: u8, of: &str) -> Result<u32, Fault> {
    if let Value::Int(value) = value {
        Ok(value)
    } else {
        Err(wrong_type(number, of, Type::Int, value.kind()))
    }
}

/// An operator with two operands.
pub(crate) fn binary<'v>(op: Binary, a: Value<'v>, b: Value<'v>, bump: &'v Bump) -> Outcome<'v> {
    let result = match op {
        Binary::Equal => compare::same(a, b),
        Binary::NotEqual => !compare::same(a, b),
        Binary::Match => matches(a, b)?,
        Binary::NotMatch => !matches(a, b)?,
        Binary::Less => compare::order(a, b)?.is_lt(),
        Binary::LessEqual => compare::order(a, b)?.is_le(),
        Binary::Greater => compare::order(a, b)?.is_gt(),
        Binary::GreaterEqual => compare::order(a, b)?.is_ge(),
        Binary::Concat => return concat_values(a, b, bump),
        Binary::Pair => return pair(a, b),
        Binary::Add
        | Binary::Subtract
        | Binary::Multiply
        | Binary::Divide
        | Binary::BitAnd
        | Binary::BitOr => return arithmetic(op, a, b),
    };
    Ok(Value::Bool(result))
}

fn arithmetic<'v>(op: Binary, a: Value<'v>, b: Value<'v>) -> Outcome<'v> {
    let (a, b) = (number(a, 1, op.name())?, number(b, 2, op.name())?);
    Ok(Value::Int(match op {
        Binary::Add => a.wrapping_add(b),
        Binary::Subtract => a.wrapping_sub(b),
        Binary::Multiply => a.wrapping_mul(b),
        Binary::BitAnd => a & b,
        Binary::BitOr => a | b,
        _ => a.checked_div(b).ok_or("Mother told me not to divide by 0")?,
    }))
}

fn pair<'v>(a: Value<'v>, b: Value<'v>) -> Outcome<'v> {
    let name = Binary::Pair.name();
    let (a, b) = (number(a, 1, name)?, number(b, 2, name)?);
    match (u16::try_from(a), u16::try_from(b)) {
        (Ok(a), Ok(b)) => Ok(Value::Pair(u32::from(a) << 16 | u32::from(b))),
        _ => Err("Can't operate with value out of bounds in pair constructor".into()),
    }
}

pub(crate) fn concat_values<'v>(a: Value<'v>, b: Value<'v>, bump: &'v Bump) -> Outcome<'v> {
    room(bump)?;
    match (a, b) {
        (Value::String(a), Value::String(b)) if a.len() + b.len() > MAX_TEXT => {
            Err(TOO_MUCH.into())
        }
        (Value::Bytes(a), Value::Bytes(b)) if a.len() + b.len() > MAX_TEXT => Err(TOO_MUCH.into()),
        (Value::String(a), Value::String(b)) => {
            let text = join(a.as_bytes(), b.as_bytes(), bump);
            Ok(Value::String(std::str::from_utf8(text).unwrap_or_default()))
        }
        (Value::Bytes(a), Value::Bytes(b)) => Ok(Value::Bytes(join(a, b, bump))),
        (Value::Bytes(_), other) => {
            Err(wrong_type(2, Binary::Concat.name(), Type::Bytes, other.kind()))
        }
        (Value::String(_), other) => {
            Err(wrong_type(2, Binary::Concat.name(), Type::String, other.kind()))
        }
        (other, _) => Err(wrong_type(1, Binary::Concat.name(), Type::String, other.kind())),
    }
}

/// Both pieces, one behind the other.
pub(crate) fn join<'v>(a: &[u8], b: &[u8], bump: &'v Bump) -> &'v [u8] {
    let bytes = bump.alloc_slice_fill_copy(a.len() + b.len(), 0);
    let (start, end) = bytes.split_at_mut(a.len());
    start.copy_from_slice(a);
    end.copy_from_slice(b);
    bytes
}

/// An operator with one operand.
pub(crate) fn unary<'v>(op: Unary, a: Value<'v>, bump: &'v Bump) -> Outcome<'v> {
    match op {
        Unary::Not => Ok(Value::Bool(!truth(a, 1, op.name())?)),
        Unary::Defined => Ok(Value::Bool(is_defined(a))),
        Unary::Format => {
            room(bump)?;
            let text = a.to_string();
            if text.len() > MAX_TEXT {
                return Err(TOO_MUCH.into());
            }
            Ok(Value::String(bump.alloc_str(&text)))
        }
        Unary::FromHex => {
            let Value::String(text) = a else {
                return Err(wrong_type(1, op.name(), Type::String, a.kind()));
            };
            from_hex(text, bump)
        }
    }
}

/// Whether there is a value. Paths and lists count only if there is something in them.
fn is_defined(value: Value<'_>) -> bool {
    match value {
        Value::Void => false,
        Value::Path(path) => !path.is_empty(),
        Value::Clist(list) => !list.is_empty(),
        Value::Eclist(list) => !list.is_empty(),
        Value::Lclist(list) => !list.is_empty(),
        _ => true,
    }
}

fn from_hex<'v>(text: &str, bump: &'v Bump) -> Outcome<'v> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let bytes: Vec<u8> = text.bytes().filter(|byte| !b":- ".contains(byte)).collect();
    let decoded: Option<Vec<u8>> = bytes
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        })
        .collect();
    let decoded = decoded.ok_or("Invalid hex string")?;
    Ok(Value::Bytes(bump.alloc_slice_copy(&decoded)))
}

/// `(kind, key, value)`
pub(crate) fn ec<'v>(kind: EcKind, key: Value<'v>, value: Value<'v>) -> Outcome<'v> {
    let value = number(value, 2, "EC_CONSTRUCT")?;
    let (built, key) = match key {
        Value::Int(key) => (ExtCommunity::new(kind, key, value), "ASN"),
        Value::Ip(std::net::IpAddr::V4(ip)) => (ExtCommunity::with_ip(kind, ip, value), "IP"),
        Value::Quad(key) => (ExtCommunity::with_ip(kind, key.into(), value), "IP"),
        other => {
            return Err(Fault::from(format!(
                "Argument 1 of EC constructor must be integer or IPv4 address, got {}",
                other.kind()
            )));
        }
    };
    built.map(Value::Ec).ok_or_else(|| {
        Fault::from(format!(
            "4-byte value {value} can't be used with 4-byte {key} in extended community"
        ))
    })
}

/// `(asn, data1, data2)`
pub(crate) fn lc<'v>(a: Value<'v>, b: Value<'v>, c: Value<'v>) -> Outcome<'v> {
    let name = "LC_CONSTRUCT";
    let (a, b, c) = (number(a, 1, name)?, number(b, 2, name)?, number(c, 3, name)?);
    Ok(Value::Lc(LargeCommunity::new(a, b, c)))
}
