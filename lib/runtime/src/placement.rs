//! Which worker gets which loop. Pure: numbers in, choices out.

use core::time::Duration;

/// The position of the least of these loads, the first among equals.
pub(crate) fn least(loads: impl Iterator<Item = usize>) -> Option<usize> {
    loads.enumerate().min_by_key(|&(_, load)| load).map(|(at, _)| at)
}

/// A loop and what it has used lately.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) slot: u32,
    pub(crate) used: Duration,
}

/// Which loops a worker gives to `receivers` new workers so that each of `of` workers in all ends
/// up with its part: slot and receiver. Dealt from the heaviest down, so both number and load are
/// shared.
pub(crate) fn share(mut loads: Vec<Load>, receivers: usize, of: usize) -> Vec<(u32, usize)> {
    loads.sort_by_key(|load| (core::cmp::Reverse(load.used), load.slot));
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

/// How a worker fared in a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Fared {
    /// Time in handlers.
    pub(crate) busy: Duration,
    /// Loops that waited for a turn while another had its, on average.
    pub(crate) waiting: f32,
}

/// Whether a worker hands a loop to another, and which: the heaviest that makes the two more alike.
/// Nothing is moved unless the worker is short of time and the other has much more, or is as busy
/// but with far fewer loops at it; so loads that merely vary stay put.
pub(crate) fn relief(window: Duration, mine: Fared, theirs: Fared, loads: &[Load]) -> Option<u32> {
    if mine.busy < window.mul_f32(BUSY) {
        return None;
    }
    let gap = mine.busy.saturating_sub(theirs.busy);
    let most = if gap >= window.mul_f32(GAP) {
        gap.mul_f32(0.6)
    } else if mine.waiting - theirs.waiting >= QUEUE_GAP {
        mine.busy.mul_f32(0.6)
    } else {
        return None;
    };
    let fits = |load: &&Load| load.used <= most && load.used >= window.mul_f32(WORTH);
    loads.iter().filter(fits).max_by_key(|load| load.used).map(|load| load.slot)
}

/// A worker this busy is short of time.
const BUSY: f32 = 0.6;
/// The least difference that is acted upon.
const GAP: f32 = 0.3;
/// The least difference in waiting loops that is acted upon: moving one changes it by two.
const QUEUE_GAP: f32 = 1.5;
/// The least a loop must use to be worth moving.
const WORTH: f32 = 0.02;

#[cfg(test)]
mod tests {
    use super::*;

    fn loads(used: &[u64]) -> Vec<Load> {
        let load = |(slot, &used): (usize, &u64)| Load {
            slot: slot as u32,
            used: Duration::from_millis(used),
        };
        used.iter().enumerate().map(load).collect()
    }

    #[test]
    fn a_new_worker_gets_its_part() {
        let gifts = share(loads(&[1; 100]), 1, 2);
        assert_eq!(gifts.len(), 50);
        let gifts = share(loads(&[1; 100]), 3, 4);
        assert_eq!(gifts.len(), 75);
        for receiver in 0..3 {
            assert_eq!(gifts.iter().filter(|gift| gift.1 == receiver).count(), 25);
        }
        assert_eq!(share(loads(&[]), 1, 2), []);
        assert_eq!(share(loads(&[1]), 1, 2).len(), 1);
    }

    #[test]
    fn heavy_loops_are_shared_too() {
        let mut used = vec![0; 50];
        used[7] = 400;
        used[9] = 400;
        let gifts = share(loads(&used), 1, 2);
        let heavy = gifts.iter().filter(|gift| gift.0 == 7 || gift.0 == 9).count();
        assert_eq!(heavy, 1);
    }

    #[test]
    fn relief_needs_a_reason_and_does_not_swap_the_roles() {
        let window = Duration::from_secs(1);
        let fared = |busy, waiting| Fared { busy: Duration::from_millis(busy), waiting };
        let of = |mine, theirs, used: &[u64]| {
            relief(window, fared(mine, 0.0), fared(theirs, 0.0), &loads(used))
        };
        assert_eq!(of(900, 100, &[500, 300, 100]), Some(1));
        assert_eq!(of(900, 800, &[500, 300, 100]), None, "both are busy");
        assert_eq!(of(500, 0, &[500]), None, "not short of time");
        assert_eq!(of(900, 0, &[900]), None, "the other would be as busy");
        let crowded = |mine, theirs| {
            relief(window, fared(990, mine), fared(990, theirs), &loads(&[330, 330, 330]))
        };
        assert_eq!(crowded(2.0, 0.0), Some(2));
        assert_eq!(crowded(1.0, 0.0), None, "two and one would become one and two");
    }
}
