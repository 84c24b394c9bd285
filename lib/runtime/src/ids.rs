//! Names of things a loop owns. Each carries its loop and a generation, so a name outlives its thing
//! harmlessly, and names nothing in another loop.

use core::fmt;

/// A slot of one loop and how often it has been given out. Two words, so that it travels in registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    /// The slot's index above, its generation below.
    slot: u64,
    pub(crate) owner: LoopId,
}

impl Key {
    pub(crate) const NONE: Self = Self::new(LoopId(u32::MAX), u32::MAX, u32::MAX);

    #[inline]
    pub(crate) const fn new(owner: LoopId, index: u32, generation: u32) -> Self {
        Self { slot: (index as u64) << 32 | generation as u64, owner }
    }

    /// What [`slot`](Self::slot) has told of a key of this loop.
    #[inline]
    pub(crate) const fn of_slot(owner: LoopId, slot: u64) -> Self {
        Self { slot, owner }
    }

    /// Index and generation, in one word.
    #[inline]
    pub(crate) const fn slot(self) -> u64 {
        self.slot
    }

    #[inline]
    pub(crate) const fn index(self) -> u32 {
        (self.slot >> 32) as u32
    }

    #[inline]
    pub(crate) const fn generation(self) -> u32 {
        self.slot as u32
    }
}

/// Anything a loop owns, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Thing {
    Timer(Key),
    Event(Key),
    Work(Key),
    Job(Key),
    Socket(Key),
    Scope(Key),
}

macro_rules! id {
    ($(#[$meta:meta])* $name:ident, $prefix:literal) => {
        $(#[$meta])*
        ///
        /// Only this loop knows it by the name: in another loop it names nothing, as it does in this
        /// one when the thing is gone. What is asked for then does not happen, and the answer says so.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub(crate) Key);

        impl $name {
            /// Names nothing, now and later; what a field holds before the loop has started.
            pub const NONE: Self = Self(Key::NONE);

            /// Its number in its loop; used again for another once it has been given up.
            pub const fn number(self) -> u32 {
                self.0.index()
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::NONE
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, " {}.{}"), self.0.index(), self.0.generation())
            }
        }
    };
}

id! {
    /// A timer of this loop.
    TimerId, "timer"
}
id! {
    /// An event of this loop.
    EventId, "event"
}
id! {
    /// A long job of this loop.
    WorkId, "work"
}
id! {
    /// A job of this loop for idle time.
    JobId, "job"
}
id! {
    /// A scope of this loop: an owner of other things.
    ScopeId, "scope"
}
id! {
    /// A socket of this loop.
    SocketId, "socket"
}

/// A loop, unique over the life of its runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LoopId(pub(crate) u32);

impl LoopId {
    /// The number shown to people.
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl fmt::Display for LoopId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
