//! Lists of communities: adding, deleting, filtering, in the arena.

use std::net::IpAddr;

use bumpalo::Bump;
use dunlin_net::community::{Community, Element, List};

use super::Fault;
use crate::{
    method::Method,
    types,
    value::{Value, lc_key},
};

/// An element as sets and values know it.
pub(super) trait Member: Element {
    /// Whether a set has this element.
    fn is_in(self, set: &crate::set::Set) -> bool;
    /// The element of a single value.
    fn of(value: Value<'_>) -> Option<Self>;
    /// The list of a list value.
    fn list(value: Value<'_>) -> Option<List<'_, Self>>;
    /// The wire bytes; only `SIZE` of them count.
    fn wire(self) -> [u8; MAX_SIZE];
}

/// The size of the largest element.
const MAX_SIZE: usize = 12;

/// The words at the front.
fn front<const N: usize>(words: [u32; N]) -> [u8; MAX_SIZE] {
    let mut wire = [0; MAX_SIZE];
    for (place, word) in wire.chunks_exact_mut(4).zip(words) {
        place.copy_from_slice(&word.to_be_bytes());
    }
    wire
}

impl Member for Community {
    fn is_in(self, set: &crate::set::Set) -> bool {
        match set.element() {
            types::Element::Ip => set.contains(crate::value::ip_key(IpAddr::V4(self.0.into()))),
            types::Element::Pair | types::Element::Quad => set.contains_u32(self.0),
            _ => false,
        }
    }

    fn of(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Pair(pair) | Value::Quad(pair) | Value::Int(pair) => Some(Self(pair)),
            Value::Ip(IpAddr::V4(ip)) => Some(Self(ip.to_bits())),
            _ => None,
        }
    }

    fn list(value: Value<'_>) -> Option<List<'_, Self>> {
        if let Value::Clist(list) = value { Some(list) } else { None }
    }

    fn wire(self) -> [u8; MAX_SIZE] {
        front([self.0])
    }
}

impl Member for dunlin_net::community::ExtCommunity {
    fn is_in(self, set: &crate::set::Set) -> bool {
        set.element() == types::Element::Ec && set.contains(u128::from(self.0))
    }

    fn of(value: Value<'_>) -> Option<Self> {
        if let Value::Ec(ec) = value { Some(ec) } else { None }
    }

    fn list(value: Value<'_>) -> Option<List<'_, Self>> {
        if let Value::Eclist(list) = value { Some(list) } else { None }
    }

    #[expect(clippy::cast_possible_truncation, reason = "the lower half")]
    fn wire(self) -> [u8; MAX_SIZE] {
        front([(self.0 >> 32) as u32, self.0 as u32])
    }
}

impl Member for dunlin_net::community::LargeCommunity {
    fn is_in(self, set: &crate::set::Set) -> bool {
        set.element() == types::Element::Lc && set.contains(lc_key(self))
    }

    fn of(value: Value<'_>) -> Option<Self> {
        if let Value::Lc(lc) = value { Some(lc) } else { None }
    }

    fn list(value: Value<'_>) -> Option<List<'_, Self>> {
        if let Value::Lclist(list) = value { Some(list) } else { None }
    }

    fn wire(self) -> [u8; MAX_SIZE] {
        front([self.asn, self.data1, self.data2])
    }
}

/// `add`, `delete` and `filter`. What changes nothing gives the same bytes back.
pub(super) fn edit<'v, E: Member>(
    method: Method,
    list: List<'v, E>,
    argument: Value<'v>,
    bump: &'v Bump,
) -> Result<List<'v, E>, Fault> {
    match (method, argument) {
        (Method::Add, _) => add(list, argument, bump),
        (Method::Delete, Value::EmptySet) => Ok(list),
        (Method::Filter, Value::EmptySet) => Ok(List::default()),
        (Method::Delete, Value::Set(set)) => Ok(keep(list, |element| !element.is_in(set), bump)),
        (Method::Filter, Value::Set(set)) => Ok(keep(list, |element| element.is_in(set), bump)),
        _ => match (E::list(argument), E::of(argument)) {
            (Some(other), _) => {
                let wanted = method == Method::Filter;
                Ok(keep(list, |element| other.contains(element) == wanted, bump))
            }
            (None, Some(one)) if method == Method::Delete => {
                Ok(keep(list, |element| element != one, bump))
            }
            _ if method == Method::Delete => Err("Can't delete non-[e|l]clist".into()),
            _ => Err("Can't filter [e|l]clist".into()),
        },
    }
}

fn add<'v, E: Member>(
    list: List<'v, E>,
    argument: Value<'v>,
    bump: &'v Bump,
) -> Result<List<'v, E>, Fault> {
    if let Some(one) = E::of(argument) {
        if list.contains(one) {
            return Ok(list);
        }
        return Ok(List::new(super::join(whole(list), &one.wire()[..E::SIZE], bump)));
    }
    let Some(others) = E::list(argument) else {
        return Err("Can't add non-pair".into());
    };
    let bytes = bump.alloc_slice_fill_copy(whole(list).len() + others.wire().len(), 0);
    let mut length = whole(list).len();
    bytes[..length].copy_from_slice(whole(list));
    for element in others.wire().chunks_exact(E::SIZE) {
        if !bytes[..length].chunks_exact(E::SIZE).any(|old| old == element) {
            bytes[length..length + E::SIZE].copy_from_slice(element);
            length += E::SIZE;
        }
    }
    Ok(List::new(&bytes[..length]))
}

/// The wire bytes without a torn element at the end.
fn whole<E: Element>(list: List<'_, E>) -> &[u8] {
    let bytes = list.wire();
    &bytes[..bytes.len() - bytes.len() % E::SIZE]
}

fn keep<'v, E: Element>(
    list: List<'v, E>,
    mut wanted: impl FnMut(E) -> bool,
    bump: &'v Bump,
) -> List<'v, E> {
    if list.iter().all(&mut wanted) {
        return list;
    }
    let bytes = bump.alloc_slice_fill_copy(list.wire().len(), 0);
    let mut length = 0;
    for (element, wire) in list.iter().zip(list.wire().chunks_exact(E::SIZE)) {
        if wanted(element) {
            bytes[length..length + E::SIZE].copy_from_slice(wire);
            length += E::SIZE;
        }
    }
    List::new(&bytes[..length])
}
