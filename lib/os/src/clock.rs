//! The clocks. Only this module reads one; everybody else is told the time.
#![expect(unsafe_code, reason = "the cycle counter is an intrinsic or an instruction; localtime_r")]

use std::sync::OnceLock;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds of the system's monotonic clock (`CLOCK_MONOTONIC`); about 20 ns a call.
pub fn monotonic() -> u64 {
    read(ClockId::Monotonic)
}

/// The wall clock as the time since 1970-01-01 00:00 UTC. For display only: it jumps.
pub fn wall() -> Duration {
    let now = clock_gettime(ClockId::Realtime);
    Duration::new(now.tv_sec.try_into().unwrap_or(0), now.tv_nsec.try_into().unwrap_or(0))
}

/// How many seconds local time is ahead of UTC at `wall` ([`wall()`]).
pub fn zone_offset(wall: Duration) -> i32 {
    let time = wall.as_secs() as libc::time_t;
    // SAFETY: zero is a valid `tm`: numbers, and a null pointer for the zone's name.
    let mut local: libc::tm = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are valid for the call, which keeps neither.
    let result = unsafe { libc::localtime_r(&raw const time, &raw mut local) };
    if result.is_null() { 0 } else { i32::try_from(local.tm_gmtoff).unwrap_or(0) }
}

/// The processor's counter where it runs at one rate on every core, else [`monotonic`]; about half the cost
/// of [`monotonic`]. [`scale`] turns it into nanoseconds. Reads are not ordered with the loads around them.
#[inline]
pub fn ticks() -> u64 {
    if counter::usable() { counter::read() } else { ticks_of_system() }
}

/// Apart, so that who reads the counter does not make room for a call.
#[cold]
#[inline(never)]
fn ticks_of_system() -> u64 {
    monotonic()
}

/// The rate of [`ticks`] and where it stood at the start of the process; measured once, which takes about a
/// millisecond the first time.
pub fn scale() -> &'static Scale {
    static SCALE: OnceLock<Scale> = OnceLock::new();
    SCALE.get_or_init(Scale::measure)
}

/// Turns ticks into nanoseconds of the monotonic clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scale {
    ticks: u64,
    monotonic: u64,
    /// Nanoseconds per tick times 2^32.
    rate: u64,
}

impl Scale {
    /// Ticks that are nanoseconds of the monotonic clock already, as a simulation has them.
    pub const IDENTITY: Self = Self { ticks: 0, monotonic: 0, rate: 1 << 32 };

    /// From its three numbers, as a trace file keeps them: `ticks` and `monotonic` read together, and the
    /// nanoseconds per tick times 2^32.
    pub const fn new(ticks: u64, monotonic: u64, rate: u64) -> Self {
        Self { ticks, monotonic, rate }
    }

    /// The reading of [`ticks`] that goes with [`Scale::origin`].
    pub const fn origin_ticks(&self) -> u64 {
        self.ticks
    }

    /// The monotonic time at which [`ticks`] read [`Scale::origin_ticks`].
    pub const fn origin(&self) -> u64 {
        self.monotonic
    }

    /// Nanoseconds per tick times 2^32.
    pub const fn rate(&self) -> u64 {
        self.rate
    }

    /// How many nanoseconds `ticks` ticks last.
    #[inline]
    pub const fn nanoseconds(&self, ticks: u64) -> u64 {
        ((ticks as u128 * self.rate as u128) >> 32) as u64
    }

    /// The monotonic time at a reading of [`ticks`].
    #[inline]
    pub const fn monotonic(&self, ticks: u64) -> u64 {
        if ticks >= self.ticks {
            self.monotonic.saturating_add(self.nanoseconds(ticks - self.ticks))
        } else {
            self.monotonic.saturating_sub(self.nanoseconds(self.ticks - ticks))
        }
    }

    /// How many ticks last `nanoseconds`.
    pub const fn ticks_in(&self, nanoseconds: u64) -> u64 {
        if self.rate == 0 { 0 } else { (((nanoseconds as u128) << 32) / self.rate as u128) as u64 }
    }

    fn measure() -> Self {
        if !counter::usable() {
            return Self::IDENTITY;
        }
        let (first_ticks, first) = pair();
        let (mut last_ticks, mut last) = pair();
        while last.saturating_sub(first) < CALIBRATION {
            (last_ticks, last) = pair();
        }
        let ticks = last_ticks.wrapping_sub(first_ticks).max(1);
        let rate = (u128::from(last - first) << 32) / u128::from(ticks);
        Self { ticks: first_ticks, monotonic: first, rate: rate as u64 }
    }
}

/// How long the counter's rate is measured: an error of 50 ns in the pairs is 50 parts per million.
const CALIBRATION: u64 = 1_000_000;

/// [`ticks`] and [`monotonic`] read together: the closest of a few tries.
pub fn pair() -> (u64, u64) {
    let mut best = (u64::MAX, 0, 0);
    for _ in 0..4 {
        let before = ticks();
        let now = monotonic();
        let width = ticks().saturating_sub(before);
        if width < best.0 {
            best = (width, before + width / 2, now);
        }
    }
    (best.1, best.2)
}

/// The clocks of the system at one moment, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Together {
    /// As [`monotonic`].
    pub monotonic: u64,
    /// As [`monotonic`], and it goes on while the system is suspended. Where there is no such clock, the same.
    pub boot: u64,
    /// As [`wall()`].
    pub wall: u64,
}

/// Reads the clocks within 100 us; `None` if this thread was interrupted a few times on end.
pub fn together() -> Option<Together> {
    (0..4).find_map(|_| {
        let monotonic = monotonic();
        let together = Together { monotonic, boot: boot(), wall: read(ClockId::Realtime) };
        (self::monotonic() - monotonic < 100_000).then_some(together)
    })
}

fn boot() -> u64 {
    #[cfg(target_os = "linux")]
    return read(ClockId::Boottime);
    #[cfg(not(target_os = "linux"))]
    return monotonic();
}

#[inline]
fn read(clock: ClockId) -> u64 {
    let now = clock_gettime(clock);
    (now.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(now.tv_nsec as u64)
}

/// Processor time this thread has used, in nanoseconds.
pub(crate) fn thread_cpu() -> u64 {
    read(ClockId::ThreadCPUTime)
}

#[cfg(target_arch = "x86_64")]
mod counter {
    use core::arch::x86_64::{__cpuid, _rdtsc};
    use std::sync::atomic::{AtomicU8, Ordering};

    /// 0 not looked at, 1 usable, 2 not. Written by whoever looks first, always with the same value; relaxed,
    /// since it publishes nothing else.
    static USABLE: AtomicU8 = AtomicU8::new(0);

    #[inline]
    pub(super) fn usable() -> bool {
        match USABLE.load(Ordering::Relaxed) {
            0 => look(),
            found => found == 1,
        }
    }

    #[cold]
    fn look() -> bool {
        let invariant =
            __cpuid(0x8000_0000).eax >= 0x8000_0007 && __cpuid(0x8000_0007).edx & (1 << 8) != 0;
        USABLE.store(if invariant { 1 } else { 2 }, Ordering::Relaxed);
        invariant
    }

    #[inline]
    pub(super) fn read() -> u64 {
        // SAFETY: every x86-64 processor has the instruction, and Linux leaves it open to user mode.
        unsafe { _rdtsc() }
    }
}

#[cfg(target_arch = "aarch64")]
mod counter {
    #[inline]
    pub(super) fn usable() -> bool {
        true
    }

    #[inline]
    pub(super) fn read() -> u64 {
        let ticks: u64;
        // SAFETY: reads the virtual counter, which Linux leaves open to user mode; touches no memory.
        unsafe { core::arch::asm!("mrs {}, cntvct_el0", out(reg) ticks, options(nomem, nostack)) };
        ticks
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod counter {
    #[inline]
    pub(super) fn usable() -> bool {
        false
    }

    #[inline]
    pub(super) fn read() -> u64 {
        super::monotonic()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn monotonic_never_goes_back() {
        let mut last = monotonic();
        for _ in 0..10_000 {
            let now = monotonic();
            assert!(now >= last);
            last = now;
        }
    }

    #[test]
    fn scaled_ticks_follow_the_monotonic_clock() {
        let scale = scale();
        let start = monotonic();
        while monotonic() < start + 20_000_000 {}
        let (ticks, now) = pair();
        let difference = scale.monotonic(ticks).abs_diff(now);
        assert!(difference < 1_000_000, "off by {difference} ns");
    }

    #[test]
    fn clocks_read_together_agree_with_those_read_alone() {
        let before = (monotonic(), wall().as_nanos() as u64);
        let together = std::iter::repeat_with(together).flatten().next().unwrap();
        assert!((before.0..=monotonic()).contains(&together.monotonic));
        assert!((before.1..=wall().as_nanos() as u64).contains(&together.wall));
        assert!(together.boot >= together.monotonic);
    }

    #[test]
    fn identity_changes_nothing() {
        assert_eq!(Scale::IDENTITY.monotonic(12_345), 12_345);
        assert_eq!(Scale::IDENTITY.ticks_in(7), 7);
    }
}
