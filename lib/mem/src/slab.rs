//! A slab: values in numbered slots, found again by a 32-bit handle.

use core::fmt;
use core::hash::{Hash, Hasher};
use core::marker::PhantomData;
use core::mem::replace;
use core::num::NonZeroU32;
use core::ops::{Index, IndexMut};

/// Values in numbered slots. Insertion, removal and access take constant time; a vacated slot is the
/// first to be used again.
///
/// Slots are in chunks of 2^`BITS`, each allocated when first needed, so growth never copies (but for
/// the first chunk, which starts small, for the thousands of slabs that stay so). A slot is as large as
/// `T` if `T` has an invalid value to spare and four bytes besides: that is so if it has a
/// [`Handle`], a reference, `Box`, `Arc`, `bool` or enum in it. [`Slab::SLOT`] lets an owner assert it.
///
/// A handle that is stale finds whatever has taken its slot: owners that can hold stale handles put a
/// generation into `T`.
pub struct Slab<T, const BITS: u32 = 10> {
    chunks: Vec<Vec<Slot<T>>>,
    /// The slot vacated last, if any.
    vacant: Option<Handle<T>>,
    /// Occupied slots.
    len: u32,
}

/// The number of a slot of a slab of `T`. An `Option` of it is four bytes as well.
#[repr(transparent)]
pub struct Handle<T> {
    /// The complement of the number, so that zero is to spare.
    complement: NonZeroU32,
    of: PhantomData<fn() -> T>,
}

enum Slot<T> {
    Occupied(T),
    /// Vacant, and the next vacant one, as a link in its raw form.
    Vacant(Option<Handle<T>>),
}

impl<T, const BITS: u32> Slab<T, BITS> {
    /// Slots in a chunk.
    const CHUNK: usize = {
        assert!(BITS > 0 && BITS < 32, "a chunk has between 2 and 2^31 slots");
        1 << BITS
    };

    /// Bytes a slot takes.
    pub const SLOT: usize = size_of::<Slot<T>>();

    /// An empty slab. Allocates nothing yet.
    pub const fn new() -> Self {
        Self { chunks: Vec::new(), vacant: None, len: 0 }
    }

    /// Puts a value into a slot.
    pub fn insert(&mut self, value: T) -> Handle<T> {
        let handle = self.next_handle();
        if let Some(slot) = self.slot_mut(handle) {
            if let Slot::Vacant(next) = replace(slot, Slot::Occupied(value)) {
                self.vacant = next;
            }
        } else {
            self.extend(value);
        }
        self.len += 1;
        handle
    }

    /// The handle that [`insert`](Self::insert) will return next, for values that know their own.
    ///
    /// # Panics
    ///
    /// If 2^32 - 1 slots are occupied.
    pub fn next_handle(&self) -> Handle<T> {
        self.vacant.unwrap_or_else(|| {
            #[expect(clippy::expect_used, reason = "memory ends before 32-bit numbers do")]
            Handle::new(self.slots()).expect("a slab has at most 2^32 - 1 slots")
        })
    }

    /// Takes a value out; none if the slot is vacant.
    pub fn remove(&mut self, handle: Handle<T>) -> Option<T> {
        let next = self.vacant;
        let slot = self.slot_mut(handle)?;
        if matches!(slot, Slot::Vacant(_)) {
            return None;
        }
        let Slot::Occupied(value) = replace(slot, Slot::Vacant(next)) else {
            return None;
        };
        self.vacant = Some(handle);
        self.len -= 1;
        Some(value)
    }

    /// The value in a slot; none if it is vacant.
    #[inline]
    pub fn get(&self, handle: Handle<T>) -> Option<&T> {
        let (chunk, slot) = Self::split(handle);
        match self.chunks.get(chunk)?.get(slot)? {
            Slot::Occupied(value) => Some(value),
            Slot::Vacant(_) => None,
        }
    }

    /// The value in a slot; none if it is vacant.
    #[inline]
    pub fn get_mut(&mut self, handle: Handle<T>) -> Option<&mut T> {
        match self.slot_mut(handle)? {
            Slot::Occupied(value) => Some(value),
            Slot::Vacant(_) => None,
        }
    }

    /// Whether the slot is occupied.
    pub fn contains(&self, handle: Handle<T>) -> bool {
        self.get(handle).is_some()
    }

    /// Values in the slab.
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether there is no value in it.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Slots ever used, so the most values there were at a time.
    pub fn slots(&self) -> usize {
        match self.chunks.last() {
            Some(last) => (self.chunks.len() - 1) * Self::CHUNK + last.len(),
            None => 0,
        }
    }

    /// Bytes it holds, used or not.
    pub fn memory(&self) -> usize {
        let slots: usize = self.chunks.iter().map(Vec::capacity).sum();
        slots * Self::SLOT + self.chunks.capacity() * size_of::<Vec<Slot<T>>>()
    }

    /// Drops all values and gives all memory back.
    pub fn clear(&mut self) {
        *self = Self::new();
    }

    /// Puts a value into a slot never used before.
    fn extend(&mut self, value: T) {
        let full = self.chunks.last().is_none_or(|last| last.len() == Self::CHUNK);
        if full {
            let room = if self.chunks.is_empty() { 0 } else { Self::CHUNK };
            self.chunks.push(Vec::with_capacity(room));
        }
        if let Some(last) = self.chunks.last_mut() {
            last.push(Slot::Occupied(value));
        }
    }

    #[inline]
    fn slot_mut(&mut self, handle: Handle<T>) -> Option<&mut Slot<T>> {
        let (chunk, slot) = Self::split(handle);
        self.chunks.get_mut(chunk)?.get_mut(slot)
    }

    /// The chunk, and the slot in it.
    #[inline]
    fn split(handle: Handle<T>) -> (usize, usize) {
        (handle.index() >> BITS, handle.index() & (Self::CHUNK - 1))
    }
}

impl<T, const BITS: u32> Index<Handle<T>> for Slab<T, BITS> {
    type Output = T;

    /// # Panics
    ///
    /// If the slot is vacant.
    #[inline]
    #[expect(
        clippy::expect_used,
        reason = "as for a slice: for handles the owner knows to be live"
    )]
    fn index(&self, handle: Handle<T>) -> &T {
        self.get(handle).expect("the handle is live")
    }
}

impl<T, const BITS: u32> IndexMut<Handle<T>> for Slab<T, BITS> {
    #[inline]
    #[expect(
        clippy::expect_used,
        reason = "as for a slice: for handles the owner knows to be live"
    )]
    fn index_mut(&mut self, handle: Handle<T>) -> &mut T {
        self.get_mut(handle).expect("the handle is live")
    }
}

impl<T, const BITS: u32> Default for Slab<T, BITS> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, const BITS: u32> fmt::Debug for Slab<T, BITS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Slab");
        shown.field("len", &self.len).field("slots", &self.slots()).finish_non_exhaustive()
    }
}

impl<T> Handle<T> {
    /// The handle of the slot with this number; none for numbers no slot can have.
    #[inline]
    pub const fn new(index: usize) -> Option<Self> {
        if index >= u32::MAX as usize {
            return None;
        }
        match NonZeroU32::new(!(index as u32)) {
            Some(complement) => Some(Self { complement, of: PhantomData }),
            None => None,
        }
    }

    /// The number of the slot: small, and good to index a vector kept alongside.
    #[inline]
    pub const fn index(self) -> usize {
        !self.complement.get() as usize
    }
}

impl<T> Clone for Handle<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Handle<T> {}

impl<T> PartialEq for Handle<T> {
    fn eq(&self, other: &Self) -> bool {
        self.complement == other.complement
    }
}

impl<T> Eq for Handle<T> {}

impl<T> PartialOrd for Handle<T> {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Handle<T> {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.index().cmp(&other.index())
    }
}

impl<T> Hash for Handle<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.complement.hash(state);
    }
}

impl<T> fmt::Debug for Handle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.index())
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    /// About what a route is: handles and numbers, nothing owned.
    #[expect(dead_code, reason = "only its size matters")]
    struct RouteLike {
        attributes: Handle<Rc<str>>,
        next: Option<Handle<Self>>,
        source: u32,
        path: u32,
    }

    #[test]
    fn a_slot_costs_no_more_than_its_value() {
        assert_eq!(size_of::<Option<Handle<u8>>>(), 4);
        assert_eq!(Slab::<RouteLike>::SLOT, size_of::<RouteLike>());
        assert_eq!(Slab::<String>::SLOT, size_of::<String>());
        assert_eq!(Slab::<(Box<u8>, u32)>::SLOT, 16);
    }

    #[test]
    fn a_vacated_slot_is_used_again_first() {
        let mut slab = Slab::<_, 2>::new();
        let handles: Vec<_> = (0..10).map(|value| slab.insert(value)).collect();
        assert_eq!(slab.remove(handles[3]), Some(3));
        assert_eq!(slab.remove(handles[3]), None);
        assert_eq!(slab.remove(handles[7]), Some(7));
        assert_eq!((slab.get(handles[7]), slab.len(), slab.slots()), (None, 8, 10));
        assert_eq!(slab.next_handle(), handles[7]);
        assert_eq!(slab.insert(70), handles[7]);
        assert_eq!(slab.insert(30), handles[3]);
        assert_eq!(slab.insert(100).index(), 10);
        assert_eq!((slab[handles[7]], slab[handles[3]], slab[handles[9]]), (70, 30, 9));
    }

    #[test]
    fn growth_does_not_move_what_is_beyond_the_first_chunk() {
        let mut slab = Slab::<_, 3>::new();
        for value in 0..9_u64 {
            slab.insert(value);
        }
        let (first, ninth) = (Handle::new(0).unwrap(), Handle::new(8).unwrap());
        let before = (&raw const slab[first], &raw const slab[ninth]);
        for value in 9..1000 {
            slab.insert(value);
        }
        assert_eq!(before, (&raw const slab[first], &raw const slab[ninth]));
    }

    #[test]
    fn values_are_dropped_once() {
        let witness = Rc::new(());
        let mut slab = Slab::<_, 2>::new();
        let handles: Vec<_> = (0..9).map(|_| slab.insert(Rc::clone(&witness))).collect();
        drop(slab.remove(handles[4]));
        assert_eq!(Rc::strong_count(&witness), 9);
        slab.clear();
        assert_eq!((Rc::strong_count(&witness), slab.memory()), (1, 0));
    }

    #[test]
    fn numbers_that_no_slot_has_make_no_handle() {
        assert!(Handle::<u8>::new(u32::MAX as usize).is_none());
        assert!(Handle::<u8>::new(usize::MAX).is_none());
        assert_eq!(Handle::<u8>::new(u32::MAX as usize - 1).map(Handle::index), Some(0xFFFF_FFFE));
    }

    #[test]
    #[should_panic(expected = "live")]
    fn indexing_a_vacant_slot_panics() {
        let mut slab = Slab::<_, 4>::new();
        let handle = slab.insert(1);
        slab.remove(handle);
        let _ = slab[handle];
    }
}
