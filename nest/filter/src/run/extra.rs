//! Values of attributes outside BGP, in both directions.

use std::sync::Arc;

use dunlin_attr as attr;
use dunlin_conf::lexer::Rd;
use dunlin_net::{
    as_path::AsPath,
    community::{Communities, ExtCommunities, ExtCommunity, LargeCommunities},
};

use crate::{
    types::EnumType,
    value::{Constant, Value},
};

const ENUMS: &[EnumType] = &[
    EnumType::Rts,
    EnumType::Origin,
    EnumType::Scope,
    EnumType::Rtd,
    EnumType::Roa,
    EnumType::Net,
    EnumType::RaPreference,
    EnumType::Af,
    EnumType::Aspa,
    EnumType::NetEvpn,
    EnumType::MplsPolicy,
    EnumType::KernelSource,
];

/// What a filter reads where a route holds this.
pub(super) fn read(value: &attr::Value) -> Value<'_> {
    match value {
        attr::Value::Bool(value) => Value::Bool(*value),
        attr::Value::Int(value) => Value::Int(*value),
        attr::Value::Ip(value) => Value::Ip(*value),
        attr::Value::Quad(value) => Value::Quad(*value),
        attr::Value::Pair(value) => Value::Pair(*value),
        attr::Value::Prefix(value) => Value::Prefix(*value),
        attr::Value::Ec(value) => Value::Ec(ExtCommunity(*value)),
        attr::Value::Lc(value) => Value::Lc(*value),
        attr::Value::Rd(value) => Value::Rd(Rd(*value)),
        attr::Value::Enum(code, value) => {
            let kind = ENUMS.iter().find(|kind| kind.code() == u32::from(*code));
            kind.map_or(Value::Opaque, |kind| Value::Enum(*kind, *value))
        }
        attr::Value::String(value) => Value::String(value),
        attr::Value::Bytes(value) => Value::Bytes(value),
        attr::Value::Path(value) => Value::Path(AsPath(value)),
        attr::Value::Communities(value) => Value::Clist(Communities::new(value)),
        attr::Value::ExtCommunities(value) => Value::Eclist(ExtCommunities::new(value)),
        attr::Value::LargeCommunities(value) => Value::Lclist(LargeCommunities::new(value)),
        attr::Value::Asns(_) => Value::Opaque,
        attr::Value::Foreign(value) => {
            value.value::<Constant>().map_or(Value::Opaque, Constant::value)
        }
    }
}

/// What a route holds after a filter has set this; none if routes cannot hold it.
pub(super) fn write(value: Value<'_>) -> Option<attr::Value> {
    Some(match value {
        Value::Bool(value) => attr::Value::Bool(value),
        Value::Int(value) => attr::Value::Int(value),
        Value::Ip(value) => attr::Value::Ip(value),
        Value::Quad(value) => attr::Value::Quad(value),
        Value::Pair(value) => attr::Value::Pair(value),
        Value::Prefix(value) => attr::Value::Prefix(value),
        Value::Ec(value) => attr::Value::Ec(value.0),
        Value::Lc(value) => attr::Value::Lc(value),
        Value::Rd(value) => attr::Value::Rd(value.0),
        Value::Enum(kind, value) => attr::Value::Enum(u16::try_from(kind.code()).ok()?, value),
        Value::String(value) => attr::Value::String(Arc::from(value)),
        Value::Bytes(value) => attr::Value::Bytes(Arc::from(value)),
        Value::Path(value) => attr::Value::Path(Arc::from(value.wire())),
        Value::Clist(value) => attr::Value::Communities(Arc::from(value.wire())),
        Value::Eclist(value) => attr::Value::ExtCommunities(Arc::from(value.wire())),
        Value::Lclist(value) => attr::Value::LargeCommunities(Arc::from(value.wire())),
        Value::Void | Value::Opaque => return None,
        other => {
            let (kind, text) = (other.kind().to_string(), other.to_string());
            attr::Value::Foreign(attr::Foreign::new(&kind, &text, Arc::new(other.to_constant())))
        }
    })
}
