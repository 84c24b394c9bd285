//! Where a loop is to run, as anybody may ask and as its worker looks at once a turn.

use core::sync::atomic::{AtomicU32, Ordering};

use crate::groups::GroupId;

/// A group, and a worker of it to stay with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) group: GroupId,
    pub(crate) pin: Option<u16>,
}

/// A [`Wish`] that many may change and the loop's worker reads.
#[derive(Debug)]
pub(crate) struct WishCell {
    /// Group in the low half, worker in the high one. Written by whoever wishes, who notifies the loop
    /// afterwards, which publishes it; read by the loop's worker at the end of that turn. Relaxed.
    word: AtomicU32,
}

impl WishCell {
    pub(crate) fn new(group: GroupId) -> Self {
        Self { word: AtomicU32::new(pack(Wish { group, pin: None })) }
    }

    #[inline]
    pub(crate) fn get(&self) -> Wish {
        unpack(self.word.load(Ordering::Relaxed))
    }

    /// True if that is something else than before.
    pub(crate) fn set_group(&self, group: GroupId) -> bool {
        self.change(|wish| Wish { group, ..wish })
    }

    /// True if that is something else than before.
    pub(crate) fn set_pin(&self, pin: Option<u16>) -> bool {
        self.change(|wish| Wish { pin: pin.filter(|&worker| worker != NOT_PINNED), ..wish })
    }

    fn change(&self, next: impl Fn(Wish) -> Wish) -> bool {
        let next = |word| pack(next(unpack(word)));
        let mut before = self.get();
        loop {
            let (old, new) = (pack(before), next(pack(before)));
            let order = Ordering::Relaxed;
            match self.word.compare_exchange_weak(old, new, order, order) {
                Ok(_) => return old != new,
                Err(newer) => before = unpack(newer),
            }
        }
    }
}

const NOT_PINNED: u16 = u16::MAX;

const fn pack(wish: Wish) -> u32 {
    let pin = match wish.pin {
        Some(worker) => worker,
        None => NOT_PINNED,
    };
    (pin as u32) << 16 | wish.group.0 as u32
}

const fn unpack(word: u32) -> Wish {
    let pin = (word >> 16) as u16;
    Wish { group: GroupId(word as u16), pin: if pin == NOT_PINNED { None } else { Some(pin) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn group_and_pin_do_not_disturb_each_other() {
        let cell = WishCell::new(GroupId::DEFAULT);
        assert_eq!(cell.get(), Wish { group: GroupId::DEFAULT, pin: None });
        assert!(cell.set_pin(Some(7)));
        assert!(!cell.set_pin(Some(7)));
        assert!(cell.set_group(GroupId(2)));
        assert!(!cell.set_group(GroupId(2)), "the same again is nothing");
        assert_eq!(cell.get(), Wish { group: GroupId(2), pin: Some(7) });
        assert!(cell.set_pin(None));
        assert_eq!(cell.get(), Wish { group: GroupId(2), pin: None });
    }
}
