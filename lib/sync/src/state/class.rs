//! Priority classes and sets of them.

use core::fmt;

/// Priority of what is sent to a loop, highest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Class {
    /// Keepalives, hold timers, BFD.
    Liveness = 0,
    /// Commands, state changes.
    Control = 1,
    /// Routes.
    Routing = 2,
    /// Long walks, reads.
    Bulk = 3,
}

impl Class {
    /// All of them, highest first.
    pub const ALL: [Self; 4] = [Self::Liveness, Self::Control, Self::Routing, Self::Bulk];

    /// 0 for the highest.
    #[inline]
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// A set of classes.
#[derive(Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Classes(pub(super) u8);

impl Classes {
    /// None.
    pub const NONE: Self = Self(0);
    /// All four.
    pub const ALL: Self = Self(0b1111);

    /// One class.
    #[inline]
    pub const fn of(class: Class) -> Self {
        Self(1 << class as u8)
    }

    /// These and `class`.
    #[must_use]
    #[inline]
    pub const fn with(self, class: Class) -> Self {
        self.union(Self::of(class))
    }

    /// These but `class`.
    #[must_use]
    #[inline]
    pub const fn without(self, class: Class) -> Self {
        Self(self.0 & !Self::of(class).0)
    }

    /// Those in either.
    #[must_use]
    #[inline]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether `class` is among them.
    #[inline]
    pub const fn contains(self, class: Class) -> bool {
        self.0 & Self::of(class).0 != 0
    }

    /// A bit for each, the most urgent lowest: less than sixteen.
    #[inline]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether there is none.
    #[inline]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The highest.
    #[inline]
    pub const fn highest(self) -> Option<Class> {
        match self.0.trailing_zeros() {
            0 => Some(Class::Liveness),
            1 => Some(Class::Control),
            2 => Some(Class::Routing),
            3 => Some(Class::Bulk),
            _ => None,
        }
    }

    /// Whether one is as high as `class` or higher.
    #[inline]
    pub const fn reaches(self, class: Class) -> bool {
        match self.highest() {
            Some(highest) => highest as u8 <= class as u8,
            None => false,
        }
    }

    /// Highest first.
    pub fn iter(self) -> impl Iterator<Item = Class> {
        Class::ALL.into_iter().filter(move |&class| self.contains(class))
    }
}

impl fmt::Debug for Classes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}
