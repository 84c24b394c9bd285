//! Seeds, and chance that follows from them.

use core::ops::RangeInclusive;
use core::time::Duration;

/// Runs a scenario once for each seed, and for the first one again. Its answer is the trace hash of
/// the run.
///
/// # Panics
/// If the same seed gives two traces, or two seeds the same: then something else than the seed
/// decides what happens, or nothing is left to it.
pub fn each_seed(name: &str, usual: u64, run: impl Fn(u64) -> u64) {
    // Peers choose most keys, so daemons hash with a random seed. Here all must be as it was.
    dunlin_net::hash::seed(0x0d_0b11);
    let seeds: Vec<u64> = match (variable("DUNLIN_SIM_SEED"), variable("DUNLIN_SIM_SEEDS")) {
        (Some(one), _) => vec![one],
        (None, count) => (1..=count.unwrap_or(usual)).collect(),
    };
    let mut traces: Vec<u64> = seeds.iter().map(|seed| run(*seed)).collect();
    if let Some(first) = seeds.first() {
        assert_eq!(traces[0], run(*first), "{name}: DUNLIN_SIM_SEED={first} gives two traces");
    }
    let fold = traces.iter().fold(0_u64, |fold, trace| fold.rotate_left(7) ^ trace);
    println!("{name}: {} seeds, traces {fold:#018x}", seeds.len());
    traces.sort_unstable();
    traces.dedup();
    assert_eq!(traces.len(), seeds.len(), "{name}: seeds with the same trace");
}

fn variable(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name}={value} is no number")))
}

/// Random numbers of a test, apart from those of the simulation.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// Chance from a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0xd134_2543_de82_ef95) ^ 0x5eed)
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
