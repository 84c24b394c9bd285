//! Which worker gets which loop, and how many workers there are. Pure: numbers in, choices out, for the
//! real pool and the simulated one.

use core::time::Duration;

mod auto;
mod eager;
mod gather;
mod relief;

pub(crate) use auto::Auto;
pub(crate) use eager::Eagerness;
pub(crate) use gather::Calm;
pub(crate) use relief::{Balance, Row, relief};

/// A loop and the share of a worker's time that it has used lately.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Load {
    pub(crate) slot: u32,
    pub(crate) used: f32,
}

/// What a loop has used, as a sliding average over windows.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Gauge {
    /// Its time counter when last looked at.
    seen: u64,
    share: f32,
}

impl Gauge {
    pub(crate) fn new(run: u64) -> Self {
        Self { seen: run, share: 0.0 }
    }

    /// Takes the counter at the end of a window of so many nanoseconds; the average now.
    pub(crate) fn look(&mut self, run: u64, window: u64) -> f32 {
        let used = run.saturating_sub(self.seen) as f32 / window.max(1) as f32;
        self.seen = run;
        // The first window counts in full, so that a heavy loop that just came is known as one.
        self.share = if self.share == 0.0 { used } else { (self.share + used) / 2.0 };
        self.share
    }

    pub(crate) fn share(&self) -> f32 {
        self.share
    }
}

/// The position of the worker for one more loop, of these with their load in thousandths and their
/// number of loops: one with clearly less to do, among equals one with fewer loops, the first of those.
pub(crate) fn least(workers: impl Iterator<Item = (u64, usize)>) -> Option<usize> {
    let key = |(load, loops): (u64, usize)| (load / CLEARLY, loops);
    workers.enumerate().min_by_key(|&(_, worker)| key(worker)).map(|(at, _)| at)
}

/// Loads that differ by less than this, in thousandths, are as good as equal.
const CLEARLY: u64 = 250;

/// Which loops a worker gives to `receivers` new workers so that each of `of` workers in all ends
/// up with its part: slot and receiver. Dealt from the heaviest down, so both number and load are
/// shared.
pub(crate) fn share(mut loads: Vec<Load>, receivers: usize, of: usize) -> Vec<(u32, usize)> {
    loads.sort_by(|one, other| other.used.total_cmp(&one.used).then(one.slot.cmp(&other.slot)));
    let (mut owed, mut next) = (of / 2, 0);
    let mut gifts = Vec::new();
    for load in loads {
        owed += receivers;
        if owed >= of && receivers > 0 {
            owed -= of;
            gifts.push((load.slot, next % receivers));
            next += 1;
        }
    }
    gifts
}

/// How often the load is looked at.
const WINDOW: Duration = Duration::from_millis(500);
/// Workers as busy as this have no moment to spare.
const FULL: f32 = 0.95;

#[cfg(test)]
fn loads(used: &[f32]) -> Vec<Load> {
    used.iter().zip(0..).map(|(&used, slot)| Load { slot, used }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_worker_gets_its_part() {
        let gifts = share(loads(&[0.001; 100]), 1, 2);
        assert_eq!(gifts.len(), 50);
        let gifts = share(loads(&[0.001; 100]), 3, 4);
        assert_eq!(gifts.len(), 75);
        for receiver in 0..3 {
            assert_eq!(gifts.iter().filter(|gift| gift.1 == receiver).count(), 25);
        }
        assert_eq!(share(loads(&[]), 1, 2), []);
        assert_eq!(share(loads(&[0.1]), 1, 2).len(), 1);
    }

    #[test]
    fn heavy_loops_are_shared_too() {
        let mut used = vec![0.0; 50];
        used[7] = 0.4;
        used[9] = 0.4;
        let gifts = share(loads(&used), 1, 2);
        let heavy = gifts.iter().filter(|gift| gift.0 == 7 || gift.0 == 9).count();
        assert_eq!(heavy, 1);
    }

    #[test]
    fn a_new_loop_goes_where_there_is_less_to_do_then_where_there_are_fewer() {
        let place = |workers: &[(u64, usize)]| least(workers.iter().copied());
        assert_eq!(place(&[(900, 1), (100, 50)]), Some(1));
        assert_eq!(place(&[(120, 9), (100, 9), (140, 8)]), Some(2));
        assert_eq!(place(&[(0, 3), (0, 3)]), Some(0));
        assert_eq!(place(&[]), None);
    }

    #[test]
    fn a_gauge_follows_what_is_used() {
        let mut gauge = Gauge::new(1000);
        assert_eq!(gauge.look(1500, 1000), 0.5);
        assert_eq!(gauge.look(1500, 1000), 0.25);
        assert_eq!(gauge.look(2500, 0), 500.125, "a window of nothing does not divide by it");
    }
}
