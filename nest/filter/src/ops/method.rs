//! Methods and the functions of the same meaning.

use std::net::IpAddr;

use bumpalo::Bump;
use dunlin_net::{
    Prefix,
    as_path::AsPath,
    community::{Communities, Community, ExtCommunities, LargeCommunities},
};

use super::{Fault, Outcome, concat_values, list, number, path, room, wrong_type};
use crate::{
    method::{Method, Part},
    net::{Net, plain_type},
    types::{Element, EnumType, Type},
    value::Value,
};

/// Applies a method; `argument` is void if it takes none.
pub(crate) fn method<'v>(
    method: Method,
    on: Value<'v>,
    argument: Value<'v>,
    bump: &'v Bump,
) -> Outcome<'v> {
    if matches!(method, Method::Prepend | Method::Add | Method::Delete | Method::Filter) {
        room(bump)?;
    }
    match on {
        Value::Path(path) => of_path(method, path, argument, bump),
        Value::Clist(_) | Value::Eclist(_) | Value::Lclist(_) => {
            of_list(method, on, argument, bump)
        }
        Value::Prefix(net) => of_prefix(method, net),
        Value::Net(net) => of_net(method, net),
        Value::Ip(ip) => of_ip(method, ip, argument),
        _ if method == Method::Append => concat_values(on, argument, bump),
        _ => of_scalar(method, on),
    }
}

/// A method on a value that does not have it.
#[cold]
fn missing(method: Method, on: Type) -> Fault {
    match method {
        Method::Prepend => wrong_type(1, "PATH_PREPEND", Type::Path, on),
        Method::Add => Fault::from("Can't add to non-[e|l]clist"),
        Method::Delete => Fault::from("Can't delete in non-[e|l]clist"),
        Method::Filter => Fault::from("Can't filter non-[e|l]clist"),
        Method::Len => Fault::from("Prefix, path, clist or eclist expected"),
        Method::First => wrong_type(1, "AS_PATH_FIRST", Type::Path, on),
        Method::Last => wrong_type(1, "AS_PATH_LAST", Type::Path, on),
        Method::LastNonaggregated => wrong_type(1, "AS_PATH_LAST_NAG", Type::Path, on),
        Method::Address => wrong_type(1, "IP", Type::Prefix, on),
        Method::Mask => wrong_type(1, "IP_MASK", Type::Ip, on),
        Method::Part(part) => Fault::from(part.message()),
        _ => Fault::from(format!("Method {method:?} applied on {on}")),
    }
}

fn of_prefix(method: Method, net: Prefix) -> Outcome<'static> {
    Ok(match method {
        Method::NetType => Value::Enum(EnumType::Net, plain_type(net)),
        Method::Len => Value::Int(u32::from(net.len())),
        Method::Address => Value::Ip(net.addr()),
        _ => return Err(missing(method, Type::Prefix)),
    })
}

/// A method on a network that is no plain prefix.
fn of_net(method: Method, net: &Net) -> Outcome<'static> {
    const NOWHERE: IpAddr = IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED);
    Ok(match (method, net) {
        (Method::NetType, _) => Value::Enum(EnumType::Net, net.net_type()),
        (Method::Len, _) => Value::Int(net.len()),
        (Method::Address, _) => Value::Ip(net.prefix().map_or(NOWHERE, Prefix::addr)),
        (Method::Part(Part::MaxLen), Net::Roa { max_len, .. }) => Value::Int(u32::from(*max_len)),
        (Method::Part(Part::Asn), Net::Roa { asn, .. } | Net::Aspa(asn)) => Value::Int(*asn),
        (Method::Part(Part::Rd), Net::Vpn(rd, _)) => Value::Rd(*rd),
        (Method::Part(Part::Source), Net::Sadr { source, .. }) => Value::Prefix(*source),
        (Method::Part(Part::Destination), Net::Sadr { destination, .. }) => {
            Value::Prefix(*destination)
        }
        (Method::Part(Part::Mac), Net::Eth(mac, _)) => Value::Mac(*mac),
        (Method::Part(Part::Vlan), Net::Eth(_, vlan)) => {
            Value::Int(u32::from(vlan.unwrap_or_default()))
        }
        _ => return Err(missing(method, Type::Prefix)),
    })
}

fn of_ip<'v>(method: Method, ip: IpAddr, argument: Value<'v>) -> Outcome<'v> {
    match method {
        Method::IsV4 => Ok(Value::Bool(ip.is_ipv4())),
        Method::Mask => {
            let bits = number(argument, 2, "IP_MASK")?;
            let longest = if ip.is_ipv4() { 32 } else { 128 };
            let bits = u8::try_from(bits).ok().filter(|bits| *bits <= longest);
            let prefix = bits.and_then(|bits| Prefix::new(ip, bits));
            prefix.map(|prefix| Value::Ip(prefix.addr())).ok_or("Invalid mask length".into())
        }
        _ => Err(missing(method, Type::Ip)),
    }
}

fn of_scalar<'v>(method: Method, on: Value<'v>) -> Outcome<'v> {
    Ok(Value::Int(match (on, method) {
        (Value::Pair(pair), Method::Asn) => pair >> 16,
        (Value::Pair(pair), Method::Data) => pair & 0xffff,
        (Value::Lc(lc), Method::Asn) => lc.asn,
        (Value::Lc(lc), Method::Data1) => lc.data1,
        (Value::Lc(lc), Method::Data2) => lc.data2,
        _ => return Err(missing(method, on.kind())),
    }))
}

fn of_path<'v>(method: Method, on: AsPath<'v>, argument: Value<'v>, bump: &'v Bump) -> Outcome<'v> {
    let count = |hops: usize| u32::try_from(hops).unwrap_or(u32::MAX);
    Ok(match method {
        Method::Len => Value::Int(count(on.hops())),
        Method::First => Value::Int(on.first().unwrap_or(0)),
        Method::Last => Value::Int(on.last().unwrap_or(0)),
        Method::LastNonaggregated => Value::Int(on.last_nonaggregated().unwrap_or(0)),
        Method::Empty => Value::Path(AsPath::EMPTY),
        Method::Prepend => {
            Value::Path(path::prepend(on, number(argument, 2, "PATH_PREPEND")?, bump))
        }
        Method::Delete | Method::Filter => {
            let delete = method == Method::Delete;
            match argument {
                Value::Int(asn) if delete => {
                    Value::Path(path::keep(on, |other| other != asn, bump))
                }
                Value::Set(set) if set.element() == Element::Int => {
                    let keep = |asn| set.contains_u32(asn) != delete;
                    Value::Path(path::keep(on, keep, bump))
                }
                Value::EmptySet => Value::Path(if delete { on } else { AsPath::EMPTY }),
                _ if delete => return Err("Can't delete non-integer (set)".into()),
                _ => return Err("Can't filter integer".into()),
            }
        }
        _ => return Err(missing(method, Type::Path)),
    })
}

fn of_list<'v>(method: Method, on: Value<'v>, argument: Value<'v>, bump: &'v Bump) -> Outcome<'v> {
    if matches!(method, Method::Add | Method::Delete | Method::Filter) {
        return match on {
            Value::Clist(on) => list::edit(method, on, argument, bump).map(Value::Clist),
            Value::Eclist(on) => list::edit(method, on, argument, bump).map(Value::Eclist),
            Value::Lclist(on) => list::edit(method, on, argument, bump).map(Value::Lclist),
            _ => Err(missing(method, on.kind())),
        };
    }
    let count = |length: usize| Value::Int(u32::try_from(length).unwrap_or(u32::MAX));
    let pair = |found: Option<Community>| found.map_or(Value::Void, |pair| Value::Pair(pair.0));
    Ok(match (on, method) {
        (Value::Clist(on), Method::Len) => count(on.len()),
        (Value::Eclist(on), Method::Len) => count(on.len()),
        (Value::Lclist(on), Method::Len) => count(on.len()),
        (Value::Clist(_), Method::Empty) => Value::Clist(Communities::default()),
        (Value::Eclist(_), Method::Empty) => Value::Eclist(ExtCommunities::default()),
        (Value::Lclist(_), Method::Empty) => Value::Lclist(LargeCommunities::default()),
        (Value::Clist(on), Method::Min) => pair(on.min()),
        (Value::Clist(on), Method::Max) => pair(on.max()),
        (Value::Eclist(on), Method::Min) => on.min().map_or(Value::Void, Value::Ec),
        (Value::Eclist(on), Method::Max) => on.max().map_or(Value::Void, Value::Ec),
        (Value::Lclist(on), Method::Min) => on.min().map_or(Value::Void, Value::Lc),
        (Value::Lclist(on), Method::Max) => on.max().map_or(Value::Void, Value::Lc),
        _ => return Err(missing(method, on.kind())),
    })
}
