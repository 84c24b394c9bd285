//! Where a loop is to run, as anybody may ask and as its worker looks at once a turn.

use dunlin_sync::PairWord;

use crate::groups::GroupId;

/// A group, and a worker of it to stay with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) group: GroupId,
    pub(crate) pin: Option<u16>,
}

/// A [`Wish`] that many may change and the loop's worker reads. Whoever changes it notifies the loop afterwards, so
/// that its worker looks at the end of that turn.
#[derive(Debug)]
pub(crate) struct WishCell {
    /// Group and worker.
    pair: PairWord,
}

impl WishCell {
    pub(crate) fn new(group: GroupId) -> Self {
        Self { pair: PairWord::new(group.0, NOT_PINNED) }
    }

    #[inline]
    pub(crate) fn get(&self) -> Wish {
        let (group, pin) = self.pair.get();
        Wish { group: GroupId(group), pin: Some(pin).filter(|&pin| pin != NOT_PINNED) }
    }

    /// True if that is something else than before.
    pub(crate) fn set_group(&self, group: GroupId) -> bool {
        self.pair.set_first(group.0)
    }

    /// True if that is something else than before.
    pub(crate) fn set_pin(&self, pin: Option<u16>) -> bool {
        self.pair.set_second(pin.unwrap_or(NOT_PINNED))
    }
}

const NOT_PINNED: u16 = u16::MAX;

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
