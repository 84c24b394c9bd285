//! One record: what it says and how it is packed.

use dunlin_sync::ring::{AMENDED, RECORD};

/// What kind of thing a record is about. Below 16 are handlers: what a worker does one after the other, with a
/// begin and an end. From 16 on are notes about something that takes no time. Below 4096.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Site(pub u16);

/// The sites of the runtime: name, number, what records show, and what the record says.
macro_rules! sites {
    ($($(#[doc = $what:literal])+ $name:ident = $number:literal, $shown:literal;)+) => {
        impl Site {
            $($(#[doc = $what])+ pub const $name: Self = Self($number);)+

            /// The name of a site defined here.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some($shown),)+
                    _ => None,
                }
            }

            #[cfg(test)]
            const ALL: &[(Self, &'static str)] = &[$((Self::$name, $shown),)+];
        }
    };
}

sites! {
    /// A loop handled a message.
    MESSAGE = 1, "message";
    /// A loop handled an event.
    EVENT = 2, "event";
    /// A loop handled a timer.
    TIMER = 3, "timer";
    /// A loop handled a socket's readiness.
    READY = 4, "ready";
    /// A loop did a part of long work.
    WORK = 5, "work";
    /// A loop started.
    START = 6, "start";
    /// A loop stopped.
    STOP = 7, "stop";
    /// A job for idle time ran.
    JOB = 8, "job";
    /// A handler called that of an event.
    CALL = 9, "call";
    /// Something another loop asked for was done between two handlers.
    ASK = 10, "ask";
    /// A loop was made; the argument is its worker.
    SPAWN = 16, "spawn";
    /// A loop left this worker; the argument is where it goes and why: see [`move_of`].
    LEAVE = 17, "leave";
    /// A loop came to this worker; the argument is where it was and why: see [`move_of`].
    ARRIVE = 18, "arrive";
    /// The number of workers changed; the argument is the new one.
    RESIZE = 19, "resize";
    /// A worker waited in its poller.
    IDLE = 20, "idle";
    /// A worker was woken by another.
    WAKE = 21, "wake";
    /// A handler ran longer than it may.
    OVERRUN = 22, "overrun";
    /// A liveness deadline was missed.
    LATE = 23, "late";
    /// A handler panicked.
    PANIC = 24, "panic";
}

impl Site {
    /// The first site that is free for the users of the runtime, who name theirs with
    /// [`Recorder::name_site`](crate::Recorder::name_site).
    pub const FIRST_FREE: Self = Self(256);

    /// Whether a worker does it from begin to end, before anything else.
    pub const fn is_handler(self) -> bool {
        self.0 < 16 || self.0 >= Self::FIRST_FREE.0
    }
}

/// The number by which people know the worker of a ring: from one, as in `show threads`, in the log and in the names of
/// threads.
pub const fn worker_number(ring: u16) -> u32 {
    ring as u32 + 1
}

/// What the argument of [`Site::LEAVE`] or [`Site::ARRIVE`] says: the other worker, and why the loop moved, if
/// that is known here.
pub fn move_of(argument: u32) -> (u16, Option<&'static str>) {
    (
        argument as u16,
        REASONS.get((argument >> 16) as usize).copied().filter(|name| !name.is_empty()),
    )
}

/// Why a loop moves, by the numbers of the runtime's `MoveReason`.
const REASONS: [&str; 9] =
    ["", "gathered", "spread", "relief", "grown", "retired", "group", "pinned", "chance"];

/// The priority classes by their numbers, highest first.
pub const CLASSES: [&str; 5] = ["liveness", "control", "routing", "bulk", "idle"];

/// The name of a priority class by its number, highest first.
pub const fn class_name(class: u8) -> &'static str {
    if (class as usize) < CLASSES.len() { CLASSES[class as usize] } else { "-" }
}

/// Names a record, so that what it caused can refer to it: the ring and the low half of the record's number
/// there. Travels with messages and timers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RecordId(u64);

impl RecordId {
    /// No record.
    pub const NONE: Self = Self(0xfff << 32 | 0xffff_ffff);

    #[inline]
    pub(crate) const fn new(ring: u16, index: u64) -> Self {
        Self((ring as u64 & 0xfff) << 32 | index & 0xffff_ffff)
    }

    /// The ring, which is the worker.
    #[inline]
    pub const fn ring(self) -> u16 {
        (self.0 >> 32) as u16
    }

    /// The low half of the record's number in its ring.
    #[inline]
    pub const fn index(self) -> u32 {
        self.0 as u32
    }

    /// Whether it names no record.
    #[inline]
    pub const fn is_none(self) -> bool {
        self.0 == Self::NONE.0
    }

    /// As a number below 2^44, to be kept in a word.
    #[inline]
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// From [`RecordId::to_bits`].
    #[inline]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits & 0xfff_ffff_ffff)
    }
}

impl Default for RecordId {
    fn default() -> Self {
        Self::NONE
    }
}

/// What is to be recorded. Times are readings of [`dunlin_os::clock::ticks`] (or of a simulation's clock).
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// When it began.
    pub at: u64,
    /// When it was asked for or due; `at` if it did not wait.
    pub since: u64,
    /// What it is.
    pub site: Site,
    /// Its priority class, 0 the highest; see [`class_name`].
    pub class: u8,
    /// The loop it happened in, 0 for the worker itself.
    pub loop_id: u32,
    /// The record that caused it.
    pub cause: RecordId,
    /// A number that depends on the site; the low 20 bits are kept.
    pub argument: u32,
    /// Where in the program it was asked for: a number below [`PLACES`], 0 if nobody knows. See
    /// [`Recorder::name_place`](crate::Recorder::name_place).
    pub place: u16,
}

/// Places in the program that can have a number: from 1 on, below this.
pub const PLACES: usize = 1024;

/// A record as a reader sees it. Times are nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// The worker's ring.
    pub ring: u16,
    /// The record's number in its ring, counted from the start of the process.
    pub index: u64,
    /// When it began, on the monotonic clock.
    pub at: u64,
    /// What it is.
    pub site: Site,
    /// Its priority class.
    pub class: u8,
    /// The loop it happened in, 0 for the worker itself.
    pub loop_id: u32,
    /// How long it waited before it began.
    pub delay: u64,
    /// How long it took; `None` if it had not ended.
    pub duration: Option<u64>,
    /// The record that caused it, by ring and number.
    pub cause: Option<(u16, u64)>,
    /// A number that depends on the site.
    pub argument: u32,
    /// Where in the program it was asked for, 0 if nobody knows.
    pub place: u16,
}

/// Spans are kept in units of 16 ticks: to 5 ns or so, up to 20 s or so.
const UNIT: u32 = 4;
/// A span of a record that has not ended.
pub(crate) const RUNNING: u32 = u32::MAX;
const LONGEST: u64 = u32::MAX as u64 - 1;

/// A span of ticks as it is kept.
#[inline]
pub(crate) fn pack_span(from: u64, to: u64) -> u32 {
    (to.saturating_sub(from) >> UNIT).min(LONGEST) as u32
}

/// Ticks of a kept span.
pub(crate) const fn unpack_span(span: u32) -> u64 {
    (span as u64) << UNIT
}

/// The words of a record.
#[inline]
pub(crate) fn pack(entry: &Entry, span: u32) -> [u64; RECORD] {
    let what = u64::from(entry.site.0) << 52 | u64::from(entry.class & 0xf) << 48;
    [
        entry.at,
        what | u64::from(entry.place) << 32 | u64::from(entry.loop_id),
        with_span(u64::from(pack_span(entry.since, entry.at)) << 32, span),
        entry.cause.to_bits() << 20 | u64::from(entry.argument & 0xf_ffff),
    ]
}

/// The word of spans of a record with another duration.
#[inline]
pub(crate) const fn with_span(word: u64, span: u32) -> u64 {
    word & !0xffff_ffff | span as u64
}

/// A record's fields, times still in ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Raw {
    pub(crate) at: u64,
    pub(crate) site: Site,
    pub(crate) class: u8,
    pub(crate) loop_id: u32,
    pub(crate) delay: u64,
    pub(crate) duration: Option<u64>,
    pub(crate) cause: RecordId,
    pub(crate) argument: u32,
    pub(crate) place: u16,
}

pub(crate) const fn unpack(words: [u64; RECORD]) -> Raw {
    let [at, what, spans, why] = words;
    Raw {
        at,
        site: Site((what >> 52) as u16),
        class: (what >> 48) as u8 & 0xf,
        loop_id: what as u32,
        delay: unpack_span((spans >> 32) as u32),
        duration: if spans as u32 == RUNNING { None } else { Some(unpack_span(spans as u32)) },
        cause: RecordId::from_bits(why >> 20),
        argument: why as u32 & 0xf_ffff,
        place: (what >> 32) as u16,
    }
}

// The spans are in the word that a record's end stores again.
const _: () = assert!(AMENDED == 2 && RECORD == 4);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked() {
        let entry = Entry {
            at: 0x1234_5678_9abc,
            since: 0x1234_5678_9abc - 0x7000,
            site: Site(0xfed),
            class: 3,
            loop_id: 0xffff_fffe,
            cause: RecordId::new(4094, 0x1_8765_4321),
            argument: 0xabcde,
            place: 0xfedc,
        };
        let raw = unpack(pack(&entry, pack_span(0, 0x120)));
        assert_eq!((raw.at, raw.site, raw.class), (entry.at, entry.site, 3));
        assert_eq!((raw.loop_id, raw.argument, raw.place), (0xffff_fffe, 0xabcde, 0xfedc));
        assert_eq!((raw.delay, raw.duration), (0x7000, Some(0x120)));
        assert_eq!((raw.cause.ring(), raw.cause.index()), (4094, 0x8765_4321));
        assert_eq!(unpack(pack(&entry, RUNNING)).duration, None);
    }

    #[test]
    fn no_two_sites_share_a_number_or_a_name() {
        for (at, (site, name)) in Site::ALL.iter().enumerate() {
            assert_eq!(site.name(), Some(*name));
            let others = Site::ALL.iter().skip(at + 1);
            assert!(others.clone().all(|(other, shown)| other != site && shown != name), "{name}");
            assert!(*site != Site(0) && site.0 < Site::FIRST_FREE.0);
        }
        assert_eq!(Site::FIRST_FREE.name(), None);
    }

    #[test]
    fn spans_saturate_and_never_look_unfinished() {
        assert_eq!(pack_span(0, u64::MAX), RUNNING - 1);
        assert_eq!(pack_span(10, 5), 0);
    }

    #[test]
    fn no_cause_stays_none() {
        assert!(RecordId::from_bits(RecordId::NONE.to_bits()).is_none());
        assert!(!RecordId::new(0, 0).is_none());
    }
}
