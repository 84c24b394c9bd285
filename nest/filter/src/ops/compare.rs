//! `=` and `<`.

use std::cmp::Ordering;

use super::Fault;
use crate::{net::plain_type, types::Type, value::Value};

/// Whether values of two types can be equal at all.
pub(crate) fn can_be_equal(a: Type, b: Type) -> bool {
    let vague = |kind: Type| matches!(kind, Type::Void | Type::Unknown | Type::Opaque);
    let address = |kind: Type| matches!(kind, Type::Ip | Type::Quad);
    a.fits(b) || b.fits(a) || vague(a) || vague(b) || (address(a) && address(b))
}

/// Whether two values are equal. Values of different types are not, apart from addresses and
/// quads, and empty sets of all types.
pub(super) fn same(a: Value<'_>, b: Value<'_>) -> bool {
    match (a, b) {
        (Value::Void, Value::Void) | (Value::EmptySet, Value::EmptySet) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Int(a), Value::Int(b))
        | (Value::Pair(a), Value::Pair(b))
        | (Value::Quad(a), Value::Quad(b)) => a == b,
        (Value::Enum(kind, a), Value::Enum(other, b)) => kind == other && a == b,
        (Value::Ip(a), Value::Ip(b)) => a == b,
        (Value::Ip(ip), Value::Quad(quad)) | (Value::Quad(quad), Value::Ip(ip)) => {
            ip == std::net::IpAddr::V4(quad.into())
        }
        (Value::Rd(a), Value::Rd(b)) => a == b,
        (Value::Mac(a), Value::Mac(b)) => a == b,
        (Value::Prefix(a), Value::Prefix(b)) => a == b,
        (Value::Net(a), Value::Net(b)) => a == b,
        (Value::Ec(a), Value::Ec(b)) => a == b,
        (Value::Lc(a), Value::Lc(b)) => a == b,
        (Value::String(a), Value::String(b)) => a == b,
        (Value::Bytes(a), Value::Bytes(b)) => a == b,
        (Value::Mask(a), Value::Mask(b)) => a == b,
        (Value::Path(a), Value::Path(b)) => a == b,
        (Value::Clist(a), Value::Clist(b)) => a == b,
        (Value::Eclist(a), Value::Eclist(b)) => a == b,
        (Value::Lclist(a), Value::Lclist(b)) => a == b,
        (Value::Set(a), Value::Set(b)) => a == b,
        (Value::PrefixSet(a), Value::PrefixSet(b)) => a == b,
        (Value::PrefixSet(set), Value::EmptySet) | (Value::EmptySet, Value::PrefixSet(set)) => {
            set.is_empty()
        }
        _ => false,
    }
}

/// How two values of one type are ordered.
pub(super) fn order(a: Value<'_>, b: Value<'_>) -> Result<Ordering, Fault> {
    let order = match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => a.cmp(&b),
        (Value::Int(a), Value::Int(b))
        | (Value::Pair(a), Value::Pair(b))
        | (Value::Quad(a), Value::Quad(b)) => a.cmp(&b),
        (Value::Prefix(a), Value::Prefix(b)) => a.cmp(&b),
        (Value::Net(a), Value::Net(b)) => a.cmp(b),
        (Value::Prefix(a), Value::Net(b)) => plain_type(a).cmp(&b.net_type()),
        (Value::Net(a), Value::Prefix(b)) => a.net_type().cmp(&plain_type(b)),
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Path(a), Value::Path(b)) => a.cmp(&b),
        _ => match (a.key(), b.key()) {
            (Some(one), Some(other)) if a.kind() == b.kind() => one.cmp(&other),
            _ => return Err("Can't compare values of incompatible types".into()),
        },
    };
    Ok(order)
}
