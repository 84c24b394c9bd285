//! Seeds, and chance that follows from them.

use crate::chance::{Chance, variable};

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

/// Chance of a test, apart from that of a simulation with the same seed.
pub fn chance(seed: u64) -> Chance {
    Chance::new(seed.wrapping_mul(0xd134_2543_de82_ef95) ^ 0x5eed)
}
