//! The path and the lists of communities, as bytes: found in the route once, when one of them is wanted
//! first, and replaced with each change.

use std::cell::Cell;

use super::{Machine, tracer::Tracer};
use crate::{
    flat::{PLACES, Place},
    value::Value,
};

/// What is at each [`Place`].
#[derive(Debug, Default)]
pub(super) struct Lists<'s> {
    bytes: [Cell<&'s [u8]>; PLACES],
    /// Whether they have been looked for.
    known: Cell<bool>,
}

impl<'s, T: Tracer> Machine<'s, '_, T> {
    /// The bytes of a path or list as it is now; none if there is none.
    #[inline]
    pub(super) fn bytes(&self, place: Place) -> &'s [u8] {
        if !self.lists.known.get() {
            self.find_lists();
        }
        self.lists.bytes[place as usize].get()
    }

    /// What the route has.
    #[inline(never)]
    fn find_lists(&self) {
        self.lists.known.set(true);
        let Some(input) = self.input else { return };
        for tlv in input.attrs.bgp_view().tlvs() {
            if let Some(place) = Place::of_number(tlv.kind) {
                self.lists.bytes[place as usize].set(tlv.value);
            }
        }
    }

    /// Notes a change of a path or list; void for what is removed.
    pub(super) fn set_listed(&self, place: Place, value: Value<'s>) {
        if !self.lists.known.get() {
            self.find_lists();
        }
        self.lists.bytes[place as usize].set(wire(value));
    }
}

/// The bytes of a path or list.
pub(super) fn wire(value: Value<'_>) -> &[u8] {
    match value {
        Value::Path(path) => path.wire(),
        Value::Clist(list) => list.wire(),
        Value::Eclist(list) => list.wire(),
        Value::Lclist(list) => list.wire(),
        _ => &[],
    }
}
