//! Methods: which ones there are, on what, and what they give.

use crate::types::{Element, EnumType, Type};

/// A method, or the function of the same meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Method {
    NetType,
    Len,
    Address,
    Asn,
    Data,
    Data1,
    Data2,
    IsV4,
    Mask,
    First,
    Last,
    LastNonaggregated,
    Empty,
    Prepend,
    Append,
    Add,
    Delete,
    Filter,
    Min,
    Max,
    /// What only some network types have.
    Part(Part),
}

/// What is in the parentheses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Argument {
    None,
    /// A value of this type.
    One(Type),
    /// A value of one of several types, found by [`takes`].
    Some,
}

/// A method of a type: itself, the argument it takes, the type it gives.
pub(crate) type Signature = (Method, Argument, Type);

/// What only some network types have. On the others, asking for it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Part {
    MaxLen,
    Asn,
    Rd,
    Source,
    Destination,
    Mac,
    Vlan,
    EvpnType,
    EvpnTag,
    EvpnEsi,
    RouterIp,
}

/// The names of parts, and their types.
const PARTS: &[(&str, Type, Part)] = &[
    ("maxlen", Type::Int, Part::MaxLen),
    ("asn", Type::Int, Part::Asn),
    ("rd", Type::Rd, Part::Rd),
    ("src", Type::Prefix, Part::Source),
    ("dst", Type::Prefix, Part::Destination),
    ("mac", Type::Mac, Part::Mac),
    ("vlan_id", Type::Int, Part::Vlan),
    ("evpn_type", Type::Enum(EnumType::NetEvpn), Part::EvpnType),
    ("evpn_tag", Type::Int, Part::EvpnTag),
    ("evpn_esi", Type::Bytes, Part::EvpnEsi),
    ("router_ip", Type::Ip, Part::RouterIp),
];

impl Part {
    /// What to say of a network that has no such part.
    pub(crate) const fn message(self) -> &'static str {
        match self {
            Self::MaxLen => "ROA expected",
            Self::Asn => "ROA or ASPA expected",
            Self::Rd => "VPN address expected",
            Self::Source | Self::Destination => "Flow or SADR expected",
            Self::Mac => "EVPN or ETH expected",
            Self::Vlan => "ETH expected",
            Self::EvpnType | Self::EvpnTag | Self::EvpnEsi | Self::RouterIp => "EVPN expected",
        }
    }
}

/// The method of this name on a value of this type.
pub(crate) fn find(name: &str, on: Type) -> Option<Signature> {
    let none = |method, kind| Some((method, Argument::None, kind));
    match (on, name) {
        (Type::Prefix, "type") => none(Method::NetType, Type::Enum(EnumType::Net)),
        (Type::Prefix, "ip") => none(Method::Address, Type::Ip),
        (Type::Prefix, _) if name != "len" => {
            let (_, kind, part) = PARTS.iter().find(|(known, ..)| *known == name)?;
            none(Method::Part(*part), *kind)
        }
        (Type::Ip, "is_v4") => none(Method::IsV4, Type::Bool),
        (Type::Ip, "mask") => Some((Method::Mask, Argument::One(Type::Int), Type::Ip)),
        (Type::Pair | Type::Lc, "asn") => none(Method::Asn, Type::Int),
        (Type::Pair, "data") => none(Method::Data, Type::Int),
        (Type::Lc, "data1") => none(Method::Data1, Type::Int),
        (Type::Lc, "data2") => none(Method::Data2, Type::Int),
        (Type::Path, "first") => none(Method::First, Type::Int),
        (Type::Path, "last") => none(Method::Last, Type::Int),
        (Type::Path, "last_nonaggregated") => none(Method::LastNonaggregated, Type::Int),
        (Type::Path, "prepend") => Some((Method::Prepend, Argument::One(Type::Int), on)),
        (Type::Path, "delete") => Some((Method::Delete, Argument::Some, on)),
        (Type::Path, "filter") => Some((Method::Filter, Argument::Some, on)),
        (Type::Clist | Type::Eclist | Type::Lclist, _) if name != "len" => list(name, on),
        (Type::String | Type::Bytes, "append") => Some((Method::Append, Argument::One(on), on)),
        (Type::Path, "empty") => none(Method::Empty, on),
        (Type::Prefix | Type::Path | Type::Clist | Type::Eclist | Type::Lclist, "len") => {
            none(Method::Len, Type::Int)
        }
        _ => None,
    }
}

fn list(name: &str, on: Type) -> Option<Signature> {
    let item = on.item()?;
    Some(match name {
        "empty" => (Method::Empty, Argument::None, on),
        "add" => (Method::Add, Argument::Some, on),
        "delete" => (Method::Delete, Argument::Some, on),
        "filter" => (Method::Filter, Argument::Some, on),
        "min" => (Method::Min, Argument::None, item),
        "max" => (Method::Max, Argument::None, item),
        _ => return None,
    })
}

/// The method of this name where the type is only known at run time.
pub(crate) fn find_unknown(name: &str) -> Option<Signature> {
    let types =
        [Type::Path, Type::Clist, Type::Prefix, Type::Ip, Type::Pair, Type::Lc, Type::String];
    let (method, argument, _) = types.into_iter().find_map(|kind| find(name, kind))?;
    let argument = if argument == Argument::None { argument } else { Argument::Some };
    Some((method, argument, Type::Unknown))
}

/// The names of the methods of a type, for messages.
pub(crate) fn names(on: Type) -> Vec<&'static str> {
    const ALL: &[&str] = &[
        "type",
        "len",
        "ip",
        "maxlen",
        "asn",
        "rd",
        "src",
        "dst",
        "mac",
        "vlan_id",
        "evpn_type",
        "evpn_tag",
        "evpn_esi",
        "router_ip",
        "is_v4",
        "mask",
        "data",
        "data1",
        "data2",
        "first",
        "last",
        "last_nonaggregated",
        "empty",
        "prepend",
        "append",
        "add",
        "delete",
        "filter",
        "min",
        "max",
    ];
    ALL.iter().copied().filter(|name| find(name, on).is_some()).collect()
}

/// Whether a method of a list or path takes an argument of a type.
pub(crate) fn takes(method: Method, on: Type, argument: Type) -> bool {
    if on == Type::Unknown || argument == Type::Unknown {
        return true;
    }
    let set = |element| argument == Type::Set(element) || argument == Type::EmptySet;
    match (on, method) {
        (Type::Path, Method::Delete) => argument == Type::Int || set(Element::Int),
        (Type::Path, Method::Filter) => set(Element::Int),
        (Type::Clist, Method::Filter) => {
            argument == Type::Clist || set(Element::Pair) || set(Element::Quad) || set(Element::Ip)
        }
        (Type::Clist, Method::Add | Method::Delete) => {
            matches!(argument, Type::Pair | Type::Quad | Type::Int | Type::Ip | Type::Clist)
                || (method == Method::Delete
                    && (set(Element::Pair) || set(Element::Quad) || set(Element::Ip)))
        }
        (Type::Eclist, _) => list_takes(method, Type::Ec, Type::Eclist, Element::Ec, argument),
        (Type::Lclist, _) => list_takes(method, Type::Lc, Type::Lclist, Element::Lc, argument),
        _ => true,
    }
}

fn list_takes(method: Method, item: Type, list: Type, set: Element, argument: Type) -> bool {
    let is_set = argument == Type::Set(set) || argument == Type::EmptySet;
    argument == list
        || (method != Method::Filter && argument == item)
        || (method != Method::Add && is_set)
}
