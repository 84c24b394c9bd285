//! Numbers for things that live as long as the program: the same thing has the same number for every
//! thread, for ever.
//!
//! So a small number can stand for it in records and on other threads. To look up a thing that is known is one
//! load and one comparison; a new one is entered by one compare-and-swap, and nobody waits for anybody.
//!
//! Things stand in a table where the hash of their address puts them, or behind. A place once taken is never
//! given up, so its index is the thing's number.
#![expect(unsafe_code, reason = "a reference is kept in an atomic pointer")]

use core::{fmt, ptr};

use crate::mutant;
use crate::prim::{AtomicPtr, Ordering};

/// Some hundred things, each with a number: as many places as `N`, a power of two from 2 to 65536, best twice as
/// many as there will be things. Number 0 is nobody's.
pub struct Register<T: Sync + 'static, const N: usize> {
    /// Null: free. Written once each, by whoever enters a thing there (Release: publishes what is known of
    /// it); read by anyone (Acquire, where it is followed).
    places: [AtomicPtr<T>; N],
}

/// What came of entering a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registered {
    /// It is new, and nobody else is told so.
    New(u16),
    /// It was there, or another thread has entered it at this moment.
    Known(u16),
    /// There is no room where it could stand.
    Full,
}

impl<T: Sync + 'static, const N: usize> Register<T, N> {
    /// An empty one.
    pub fn new() -> Self {
        const { assert!(N.is_power_of_two() && 1 < N && N <= 1 << 16, "numbers of 16 bits") };
        Self { places: core::array::from_fn(|_| AtomicPtr::new(ptr::null_mut())) }
    }

    /// The number of a thing if it stands at its first place, as nearly all do; else, and if it is unknown,
    /// nothing: [`Register::enter`] knows. Of no thing the number is 0.
    #[inline]
    pub fn glance(&self, thing: Option<&'static T>) -> Option<u16> {
        let thing = thing.map_or(ptr::null(), ptr::from_ref);
        let at = Self::first(thing);
        let there = self.places.get(at)?.load(Ordering::Relaxed);
        // No thing belongs in the place 0, which stays free.
        ptr::eq(there, thing).then_some(at as u16)
    }

    /// The number of a thing, which is entered if it is unknown.
    pub fn enter(&self, thing: &'static T) -> Registered {
        let first = Self::first(thing);
        for step in 0..PROBES.min(N) {
            let at = (first + step) % N;
            let (Some(place), Ok(number)) = (self.places.get(at), u16::try_from(at)) else { break };
            // Number 0 is nobody's.
            if number == 0 {
                continue;
            }
            match claim(place, thing) {
                Ok(()) => return Registered::New(number),
                Err(there) if ptr::eq(there, thing) => return Registered::Known(number),
                Err(_) => {}
            }
        }
        Registered::Full
    }

    /// The thing of this number.
    pub fn find(&self, number: u16) -> Option<&'static T> {
        let thing = self.places.get(usize::from(number))?.load(Ordering::Acquire);
        // SAFETY: it is null, or was made of a reference to what lives for ever and is only shared; the
        // acquire is paired with the release of whoever put it there.
        unsafe { thing.cast_const().as_ref() }
    }

    #[inline]
    fn first(thing: *const T) -> usize {
        thing.addr().wrapping_mul(MIX) >> (usize::BITS - N.trailing_zeros())
    }
}

/// Takes a free place for a thing; if it is taken, says by what.
fn claim<T>(place: &AtomicPtr<T>, thing: &'static T) -> Result<(), *const T> {
    let there = place.load(Ordering::Relaxed);
    if !there.is_null() {
        return Err(there);
    }
    let thing = ptr::from_ref(thing).cast_mut();
    if mutant!("mutant-register-overwrites") {
        place.store(thing, Ordering::Release);
        return Ok(());
    }
    match place.compare_exchange(ptr::null_mut(), thing, Ordering::Release, Ordering::Relaxed) {
        Ok(_) => Ok(()),
        // Who does not look what came before enters the thing twice.
        Err(_) if mutant!("mutant-register-looks-away") => Err(ptr::null()),
        Err(there) => Err(there),
    }
}

impl<T: Sync + 'static, const N: usize> Default for Register<T, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Sync + 'static, const N: usize> fmt::Debug for Register<T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Register").field("places", &N).finish_non_exhaustive()
    }
}

/// Places that are looked at for a thing.
const PROBES: usize = 64;
/// Odd, and without a pattern: 2^64 over the golden ratio.
const MIX: usize = 0x9e37_79b9_7f4a_7c15_u64 as usize;

#[cfg(all(test, not(loom)))]
mod tests {
    use std::collections::HashMap;

    use super::*;

    static THINGS: [[u64; 3]; 1000] = [[0; 3]; 1000];

    fn number<const N: usize>(register: &Register<[u64; 3], N>, thing: usize) -> Option<u16> {
        match register.enter(&THINGS[thing]) {
            Registered::New(number) | Registered::Known(number) => Some(number),
            Registered::Full => None,
        }
    }

    #[test]
    fn every_thing_has_a_number_of_its_own_and_keeps_it() {
        let register = Register::<_, 2048>::new();
        let mut numbers = HashMap::new();
        for (at, thing) in THINGS.iter().enumerate() {
            assert!(matches!(register.enter(thing), Registered::New(_)));
            let number = number(&register, at).unwrap();
            assert!(number != 0 && number < 2048);
            assert_eq!(numbers.insert(number, at), None);
        }
        let mut at_once = 0;
        for (at, thing) in THINGS.iter().enumerate() {
            let known = number(&register, at).unwrap();
            assert_eq!(numbers[&known], at);
            assert!(register.find(known).is_some_and(|found| ptr::eq(found, thing)));
            let glance = register.glance(Some(thing));
            assert!(glance.is_none_or(|number| number == known));
            at_once += u32::from(glance.is_some());
        }
        assert!(at_once > 600, "{at_once}");
    }

    #[test]
    fn nothing_has_no_number_and_a_full_register_says_so() {
        let register = Register::<_, 4>::new();
        assert_eq!(register.glance(None), Some(0));
        assert_eq!((register.find(0), register.find(4)), (None, None));
        assert_eq!(register.glance(Some(&THINGS[0])), None);
        let numbers: Vec<_> = (0..5).map(|thing| number(&register, thing)).collect();
        assert!(numbers[..3].iter().all(Option::is_some), "{numbers:?}");
        assert_eq!(numbers[3..], [None, None]);
        assert_eq!(number(&register, 0), numbers[0]);
    }
}
