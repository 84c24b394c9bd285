//! Random numbers that follow from a seed, and numbers of the environment: a module of each crate here
//! whose tests leave something to chance.

use core::ops::RangeInclusive;
use core::time::Duration;

/// See the module (SplitMix64).
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// Chance from a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Sixty-four bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// A number in a range.
    pub fn within(&mut self, range: RangeInclusive<usize>) -> usize {
        let width = (range.end() - range.start() + 1) as u64;
        range.start() + (self.next_u64() % width) as usize
    }

    /// True this often in a thousand.
    pub fn per_mille(&mut self, often: usize) -> bool {
        self.within(0..=999) < often
    }

    /// A span of this many milliseconds.
    pub fn millis(&mut self, range: RangeInclusive<usize>) -> Duration {
        Duration::from_millis(self.within(range) as u64)
    }

    /// One of these.
    pub fn one_of<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.within(0..=list.len() - 1)]
    }
}

/// The number in a variable of the environment, if it is set.
///
/// # Panics
/// If it is no number.
pub fn variable(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name}={value} is no number")))
}
