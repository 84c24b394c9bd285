//! `~`

use std::net::IpAddr;

use dunlin_conf::glob;
use dunlin_net::community::{Communities, Community};

use super::Fault;
use crate::{
    types::{Element, Type},
    value::{Value, lc_key},
};

/// Whether the left value matches the right one.
pub(crate) fn matches(a: Value<'_>, b: Value<'_>) -> Result<bool, Fault> {
    Ok(match (a, b) {
        (Value::Prefix(net), Value::PrefixSet(set)) => set.contains(net),
        (Value::Net(net), Value::PrefixSet(set)) => {
            net.in_sets().is_some_and(|prefix| set.contains(prefix))
        }
        (Value::Prefix(net), Value::Prefix(outer)) => outer.contains(net),
        (Value::Net(net), Value::Net(outer)) => outer.contains(net),
        (Value::Prefix(_), Value::Net(_)) | (Value::Net(_), Value::Prefix(_)) => false,
        (Value::Ip(ip), Value::Prefix(prefix)) => prefix.contains_addr(ip),
        (Value::Ip(ip), Value::Net(net)) => {
            net.prefix().is_some_and(|prefix| prefix.contains_addr(ip))
        }
        (Value::Path(path), Value::Mask(mask)) => mask.matches(path),
        (Value::Int(asn), Value::Path(path)) => path.contains(asn),
        (Value::Path(path), Value::Set(set)) if set.element() == Element::Int => {
            path.any(|asn| set.contains_u32(asn))
        }
        (Value::Pair(pair) | Value::Quad(pair) | Value::Int(pair), Value::Clist(list)) => {
            in_clist(pair, list)
        }
        (Value::Ip(IpAddr::V4(ip)), Value::Clist(list)) => in_clist(ip.to_bits(), list),
        (Value::Ec(ec), Value::Eclist(list)) => list.contains(ec),
        (Value::Lc(lc), Value::Lclist(list)) => list.contains(lc),
        (Value::Clist(list), Value::Set(set)) => match set.element() {
            Element::Pair | Element::Quad => list.any(|pair| set.contains_u32(pair.0)),
            Element::Ip => list.any(|quad| set.contains(quad_key(quad.0))),
            _ => return Err(UNKNOWN.into()),
        },
        (Value::Eclist(list), Value::Set(set)) if set.element() == Element::Ec => {
            list.any(|ec| set.contains(u128::from(ec.0)))
        }
        (Value::Lclist(list), Value::Set(set)) if set.element() == Element::Lc => {
            list.any(|lc| set.contains(lc_key(lc)))
        }
        (Value::String(text), Value::String(pattern)) => glob::matches(pattern, text),
        (Value::Int(key) | Value::Pair(key), Value::Set(set)) if set.element().of() == a.kind() => {
            set.contains_u32(key)
        }
        (Value::Quad(quad), Value::Set(set)) if set.element() == Element::Ip => {
            set.contains(quad_key(quad))
        }
        (Value::Ip(IpAddr::V4(ip)), Value::Set(set)) if set.element() == Element::Quad => {
            set.contains_u32(ip.to_bits())
        }
        (Value::Void, _) => return Err(UNKNOWN.into()),
        (_, Value::EmptySet) => false,
        (_, Value::Set(set)) if set.element().of() == a.kind() => {
            a.key().is_some_and(|key| set.contains(key))
        }
        _ => return Err(UNKNOWN.into()),
    })
}

const UNKNOWN: &str = "~ applied on unknown type pair";

fn in_clist(pair: u32, list: Communities<'_>) -> bool {
    list.contains(Community(pair))
}

fn quad_key(quad: u32) -> u128 {
    crate::value::ip_key(IpAddr::V4(quad.into()))
}

/// Whether a match of two types can succeed at all.
pub(crate) fn can_match(a: Type, b: Type) -> bool {
    match (a, b) {
        (Type::Unknown, _) | (_, Type::Unknown | Type::EmptySet) => true,
        (Type::Prefix, Type::PrefixSet | Type::Prefix) | (Type::Ip, Type::Prefix) => true,
        (Type::Path, Type::Mask | Type::Set(Element::Int)) | (Type::Int, Type::Path) => true,
        (Type::Pair | Type::Quad | Type::Int | Type::Ip, Type::Clist) => true,
        (Type::Ec, Type::Eclist) | (Type::Lc, Type::Lclist) => true,
        (Type::Clist, Type::Set(Element::Pair | Element::Quad | Element::Ip)) => true,
        (Type::Eclist, Type::Set(Element::Ec)) | (Type::Lclist, Type::Set(Element::Lc)) => true,
        (Type::String, Type::String) => true,
        (Type::Quad, Type::Set(Element::Ip)) | (Type::Ip, Type::Set(Element::Quad)) => true,
        (_, Type::Set(element)) => element.of() == a,
        _ => false,
    }
}
