//! Values: borrowed while a filter runs, owned as constants.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
};

use dunlin_conf::lexer::Rd;
use dunlin_net::{
    Prefix,
    as_path::{AsPath, Mask},
    community::{
        Communities, Community, ExtCommunities, ExtCommunity, LargeCommunities, LargeCommunity,
    },
};

use crate::{
    net::Net,
    prefix_set::PrefixSet,
    set::Set,
    types::{Element, EnumType, Type},
};

/// A value during a run. Texts, paths and lists are borrowed: from the route, from the program, or
/// from the run's arena. Lists and paths are in wire form.
#[derive(Debug, Clone, Copy)]
pub enum Value<'v> {
    /// No value.
    Void,
    /// `TRUE` or `FALSE`.
    Bool(bool),
    /// A number.
    Int(u32),
    /// Two 16-bit numbers.
    Pair(u32),
    /// Four octets.
    Quad(u32),
    /// An address.
    Ip(IpAddr),
    /// A route distinguisher.
    Rd(Rd),
    /// A MAC address.
    Mac([u8; 6]),
    /// A prefix.
    Prefix(Prefix),
    /// A network that is no plain prefix.
    Net(&'v Net),
    /// An extended community.
    Ec(ExtCommunity),
    /// A large community.
    Lc(LargeCommunity),
    /// One of an enumeration.
    Enum(EnumType, u32),
    /// A string.
    String(&'v str),
    /// A byte string.
    Bytes(&'v [u8]),
    /// A path mask.
    Mask(&'v Mask),
    /// An AS path.
    Path(AsPath<'v>),
    /// Communities.
    Clist(Communities<'v>),
    /// Extended communities.
    Eclist(ExtCommunities<'v>),
    /// Large communities.
    Lclist(LargeCommunities<'v>),
    /// A set of single values.
    Set(&'v Set),
    /// A prefix set.
    PrefixSet(&'v PrefixSet),
    /// `[]`
    EmptySet,
    /// There is something, but of no type that filters can handle.
    Opaque,
}

impl Value<'_> {
    /// The type of the value.
    #[must_use]
    pub fn kind(&self) -> Type {
        match self {
            Self::Void => Type::Void,
            Self::Bool(_) => Type::Bool,
            Self::Int(_) => Type::Int,
            Self::Pair(_) => Type::Pair,
            Self::Quad(_) => Type::Quad,
            Self::Ip(_) => Type::Ip,
            Self::Rd(_) => Type::Rd,
            Self::Mac(_) => Type::Mac,
            Self::Prefix(_) | Self::Net(_) => Type::Prefix,
            Self::Ec(_) => Type::Ec,
            Self::Lc(_) => Type::Lc,
            Self::Enum(kind, _) => Type::Enum(*kind),
            Self::String(_) => Type::String,
            Self::Bytes(_) => Type::Bytes,
            Self::Mask(_) => Type::Mask,
            Self::Path(_) => Type::Path,
            Self::Clist(_) => Type::Clist,
            Self::Eclist(_) => Type::Eclist,
            Self::Lclist(_) => Type::Lclist,
            Self::Set(set) => Type::Set(set.element()),
            Self::PrefixSet(_) => Type::PrefixSet,
            Self::EmptySet => Type::EmptySet,
            Self::Opaque => Type::Opaque,
        }
    }

    /// Whether it is a list of communities.
    pub(crate) fn is_list(&self) -> bool {
        matches!(self, Self::Clist(_) | Self::Eclist(_) | Self::Lclist(_))
    }

    /// Bytes of a value that has no fixed size.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::String(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
            Self::Path(path) => path.wire().len(),
            Self::Clist(list) => list.wire().len(),
            Self::Eclist(list) => list.wire().len(),
            Self::Lclist(list) => list.wire().len(),
            Self::Set(set) => set.memory(),
            Self::PrefixSet(set) => set.memory(),
            _ => 0,
        }
    }

    /// The value as a number that orders values of its type and that sets are made of.
    #[must_use]
    pub fn key(&self) -> Option<u128> {
        Some(match self {
            Self::Int(n) | Self::Pair(n) | Self::Quad(n) | Self::Enum(_, n) => u128::from(*n),
            Self::Ip(ip) => ip_key(*ip),
            Self::Rd(rd) => u128::from(rd.0),
            Self::Mac(mac) => mac.iter().fold(0, |key, octet| key << 8 | u128::from(*octet)),
            Self::Ec(ec) => u128::from(ec.0),
            Self::Lc(lc) => lc_key(*lc),
            _ => return None,
        })
    }

    /// The owned form.
    #[must_use]
    pub fn to_constant(&self) -> Constant {
        match *self {
            Self::Void | Self::Opaque => Constant::Void,
            Self::Bool(value) => Constant::Bool(value),
            Self::Int(value) => Constant::Int(value),
            Self::Pair(value) => Constant::Pair(value),
            Self::Quad(value) => Constant::Quad(value),
            Self::Ip(value) => Constant::Ip(value),
            Self::Rd(value) => Constant::Rd(value),
            Self::Mac(value) => Constant::Mac(value),
            Self::Prefix(value) => Constant::Prefix(value),
            Self::Net(value) => Constant::Net(Arc::new(*value)),
            Self::Ec(value) => Constant::Ec(value),
            Self::Lc(value) => Constant::Lc(value),
            Self::Enum(kind, value) => Constant::Enum(kind, value),
            Self::String(value) => Constant::String(Arc::from(value)),
            Self::Bytes(value) => Constant::Bytes(Arc::from(value)),
            Self::Mask(value) => Constant::Mask(Arc::new(value.clone())),
            Self::Path(value) => Constant::Path(Arc::from(value.wire())),
            Self::Clist(value) => Constant::Clist(Arc::from(value.wire())),
            Self::Eclist(value) => Constant::Eclist(Arc::from(value.wire())),
            Self::Lclist(value) => Constant::Lclist(Arc::from(value.wire())),
            Self::Set(value) => Constant::Set(Arc::new(value.clone())),
            Self::PrefixSet(value) => Constant::PrefixSet(Arc::new(value.clone())),
            Self::EmptySet => Constant::EmptySet,
        }
    }
}

/// Addresses of both families as one kind of number; IPv4 is where the IPv4-mapped ones are.
#[must_use]
pub(crate) fn ip_key(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().to_bits(),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

/// The address of a key.
#[must_use]
pub(crate) fn key_ip(key: u128) -> IpAddr {
    let ip = Ipv6Addr::from_bits(key);
    ip.to_ipv4_mapped().map_or(IpAddr::V6(ip), IpAddr::V4)
}

/// Large communities as one number.
#[must_use]
pub(crate) fn lc_key(lc: LargeCommunity) -> u128 {
    u128::from(lc.asn) << 64 | u128::from(lc.data1) << 32 | u128::from(lc.data2)
}

/// The large community of a key.
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "the three words of the key")]
pub(crate) fn key_lc(key: u128) -> LargeCommunity {
    LargeCommunity::new((key >> 64) as u32, (key >> 32) as u32, key as u32)
}

/// The form in which `print`, `format` and `eval` show values.
impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Void => f.write_str("(void)"),
            Self::Bool(value) => f.write_str(if *value { "TRUE" } else { "FALSE" }),
            Self::Int(value) => write!(f, "{value}"),
            Self::Pair(value) => write!(f, "{}", Community(*value)),
            Self::Quad(value) => write!(f, "{}", Ipv4Addr::from(*value)),
            Self::Ip(value) => write!(f, "{value}"),
            Self::Rd(value) => write!(f, "{value}"),
            Self::Mac(mac) => {
                let [a, b, c, d, e, g] = mac;
                write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
            }
            Self::Prefix(value) => write!(f, "{value}"),
            Self::Net(value) => write!(f, "{value}"),
            Self::Ec(value) => write!(f, "{value}"),
            Self::Lc(value) => write!(f, "{value}"),
            Self::Enum(kind, value) => write!(f, "(enum {:x}){value}", kind.code()),
            Self::String(value) => f.write_str(value),
            Self::Bytes(value) => {
                for (index, byte) in value.iter().enumerate() {
                    write!(f, "{}{byte:02x}", if index == 0 { "" } else { ":" })?;
                }
                Ok(())
            }
            Self::Mask(value) => write!(f, "{value}"),
            Self::Path(value) => write!(f, "(path {value})"),
            Self::Clist(value) => write!(f, "(clist {value})"),
            Self::Eclist(value) => write!(f, "(eclist {value})"),
            Self::Lclist(value) => write!(f, "(lclist {value})"),
            Self::Set(value) => write!(f, "{value}"),
            Self::PrefixSet(value) => write!(f, "{value}"),
            Self::EmptySet => f.write_str("[]"),
            Self::Opaque => f.write_str("(opaque)"),
        }
    }
}

/// An owned value, as in a `define`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Constant {
    /// No value.
    Void,
    /// `TRUE` or `FALSE`.
    Bool(bool),
    /// A number.
    Int(u32),
    /// Two 16-bit numbers.
    Pair(u32),
    /// Four octets.
    Quad(u32),
    /// An address.
    Ip(IpAddr),
    /// A route distinguisher.
    Rd(Rd),
    /// A MAC address.
    Mac([u8; 6]),
    /// A prefix.
    Prefix(Prefix),
    /// A network that is no plain prefix.
    Net(Arc<Net>),
    /// An extended community.
    Ec(ExtCommunity),
    /// A large community.
    Lc(LargeCommunity),
    /// One of an enumeration.
    Enum(EnumType, u32),
    /// A string.
    String(Arc<str>),
    /// A byte string.
    Bytes(Arc<[u8]>),
    /// A path mask.
    Mask(Arc<Mask>),
    /// An AS path in wire form.
    Path(Arc<[u8]>),
    /// Communities in wire form.
    Clist(Arc<[u8]>),
    /// Extended communities in wire form.
    Eclist(Arc<[u8]>),
    /// Large communities in wire form.
    Lclist(Arc<[u8]>),
    /// A set of single values.
    Set(Arc<Set>),
    /// A prefix set.
    PrefixSet(Arc<PrefixSet>),
    /// `[]`
    EmptySet,
}

impl Constant {
    /// The borrowed form.
    #[must_use]
    pub fn value(&self) -> Value<'_> {
        match self {
            Self::Void => Value::Void,
            Self::Bool(value) => Value::Bool(*value),
            Self::Int(value) => Value::Int(*value),
            Self::Pair(value) => Value::Pair(*value),
            Self::Quad(value) => Value::Quad(*value),
            Self::Ip(value) => Value::Ip(*value),
            Self::Rd(value) => Value::Rd(*value),
            Self::Mac(value) => Value::Mac(*value),
            Self::Prefix(value) => Value::Prefix(*value),
            Self::Net(value) => Value::Net(value),
            Self::Ec(value) => Value::Ec(*value),
            Self::Lc(value) => Value::Lc(*value),
            Self::Enum(kind, value) => Value::Enum(*kind, *value),
            Self::String(value) => Value::String(value),
            Self::Bytes(value) => Value::Bytes(value),
            Self::Mask(value) => Value::Mask(value),
            Self::Path(value) => Value::Path(AsPath(value)),
            Self::Clist(value) => Value::Clist(Communities::new(value)),
            Self::Eclist(value) => Value::Eclist(ExtCommunities::new(value)),
            Self::Lclist(value) => Value::Lclist(LargeCommunities::new(value)),
            Self::Set(value) => Value::Set(value),
            Self::PrefixSet(value) => Value::PrefixSet(value),
            Self::EmptySet => Value::EmptySet,
        }
    }

    /// The type of the value.
    #[must_use]
    pub fn kind(&self) -> Type {
        self.value().kind()
    }

    /// The value that a variable of a type has before it is set.
    #[must_use]
    pub fn initial(kind: Type) -> Self {
        match kind {
            Type::Path => Self::Path(Arc::from([])),
            Type::Clist => Self::Clist(Arc::from([])),
            Type::Eclist => Self::Eclist(Arc::from([])),
            Type::Lclist => Self::Lclist(Arc::from([])),
            _ => Self::Void,
        }
    }

    /// What the value becomes where another type is wanted: an IPv4 address a quad, a set of them a
    /// set of quads, `[]` a set of any type.
    #[must_use]
    pub fn promoted(self, wanted: Type) -> Self {
        match (self, wanted) {
            (Self::Ip(IpAddr::V4(ip)), Type::Quad) => Self::Quad(ip.to_bits()),
            (Self::EmptySet, Type::PrefixSet) => Self::PrefixSet(Arc::default()),
            (Self::Set(set), Type::Set(Element::Quad)) => {
                let quads = set.as_quads().map(Arc::new);
                Self::Set(quads.unwrap_or(set))
            }
            (value, _) => value,
        }
    }
}

impl fmt::Display for Constant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value().fmt(f)
    }
}
