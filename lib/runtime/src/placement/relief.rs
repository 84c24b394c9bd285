//! Loops go from the busiest worker of a group to those with less to do.
//!
//! Only the busiest gives, so two never give to the same one. It gives what makes it and the receiver
//! more alike without swapping their roles, and for a small difference only if that lasts: loads that
//! merely vary stay put.

use core::time::Duration;

use super::{FULL, Load, WINDOW};
use crate::time::{Time, nanos};

/// A worker as its counters show it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) worker: u16,
    /// Nanoseconds in handlers, ever.
    pub(crate) busy: u64,
    /// Loops that wait for a turn while another has its, on average.
    pub(crate) waiting: f32,
}

/// What a worker remembers to see whether it has more than its part.
#[derive(Debug)]
pub(crate) struct Balance {
    /// When the window began.
    since: Time,
    seen: Vec<Seen>,
    /// Windows in a row that were skewed.
    skewed: u32,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    worker: u16,
    busy: u64,
    /// Its share of time in handlers, a sliding average.
    share: f32,
}

/// How the workers fared lately, as the busiest sees it.
#[derive(Clone, Debug)]
pub(crate) struct View {
    mine: Fared,
    others: Vec<Fared>,
    /// It has been like this for a while.
    lasting: bool,
}

#[derive(Clone, Copy, Debug)]
struct Fared {
    worker: u16,
    share: f32,
    waiting: f32,
}

impl Fared {
    /// Of a worker without a moment to spare, the loops that wait. Of others how many wait is up to how
    /// their timers fall.
    fn queue(&self) -> f32 {
        if self.share >= FULL { self.waiting } else { 0.0 }
    }

    /// What tells busy workers from busier ones.
    fn pressure(&self) -> f32 {
        self.share + self.queue()
    }
}

impl Balance {
    pub(crate) fn new(now: Time) -> Self {
        Self { since: now, seen: Vec::new(), skewed: 0 }
    }

    /// The length of the window, if it has ended.
    pub(crate) fn due(&self, now: Time) -> Option<Duration> {
        Some(now.since(self.since)).filter(|&window| window >= WINDOW)
    }

    /// Takes the counters of all workers at the end of a window. A view if worker `me` is the one to
    /// give, and its share of the time.
    pub(crate) fn look(
        &mut self,
        now: Time,
        me: u16,
        rows: impl Iterator<Item = Row>,
    ) -> (Option<View>, f32) {
        let window = nanos(now.since(self.since)).max(1) as f32;
        let mut seen = Vec::new();
        let mut fared = Vec::new();
        for Row { worker, busy, waiting } in rows {
            let before = self.seen.iter().find(|seen| seen.worker == worker);
            let share = before.map(|before| {
                let share = busy.saturating_sub(before.busy) as f32 / window;
                if before.share < 0.0 { share } else { (share + before.share) / 2.0 }
            });
            seen.push(Seen { worker, busy, share: share.unwrap_or(UNKNOWN) });
            fared.extend(share.map(|share| Fared { worker, share, waiting }));
        }
        (self.since, self.seen) = (now, seen);
        let place = fared.iter().position(|one| one.worker == me);
        let Some(mine) = place.map(|place| fared.remove(place)) else { return (None, 0.0) };
        let view = View { mine, others: fared, lasting: self.skewed > 0 };
        let skewed = view.is_short() && view.is_busiest() && view.is_skewed(SMALL_GAP);
        self.skewed = if skewed { self.skewed + 1 } else { 0 };
        (skewed.then_some(view), mine.share)
    }

    /// Loops have been moved: what was seen is no guide any more.
    pub(crate) fn forget(&mut self) {
        self.skewed = 0;
        self.seen.iter_mut().for_each(|seen| seen.share = UNKNOWN);
    }
}

impl View {
    fn is_busiest(&self) -> bool {
        let mine = (self.mine.pressure(), u16::MAX - self.mine.worker);
        self.others.iter().all(|one| (one.pressure(), u16::MAX - one.worker) < mine)
    }

    /// Whether the worker has so much to do that somebody waits.
    fn is_short(&self) -> bool {
        self.mine.share >= BUSY
    }

    fn is_skewed(&self, gap: f32) -> bool {
        let far = |other: &Fared| {
            let time = self.mine.share - other.share;
            time >= (self.mine.share * gap).max(LEAST_GAP)
                || self.mine.queue() - other.queue() >= QUEUE_GAP
        };
        self.others.iter().any(far)
    }
}

/// Which loops the busiest worker gives, and to whom, if any.
pub(crate) fn relief(mut view: View, mut loads: Vec<Load>) -> Vec<(u32, u16)> {
    let mut gifts = Vec::new();
    if !view.lasting && !view.is_skewed(BIG_GAP) {
        return gifts;
    }
    loads.retain(|load| load.used >= WORTH);
    loads.sort_by(|one, other| one.used.total_cmp(&other.used).then(one.slot.cmp(&other.slot)));
    while gifts.len() < MOST_AT_ONCE && view.is_skewed(SMALL_GAP) {
        let idlest = view.others.iter_mut();
        let idlest = idlest.min_by(|one, other| one.pressure().total_cmp(&other.pressure()));
        let Some(idlest) = idlest else { break };
        let gap = view.mine.share - idlest.share;
        let queued = view.mine.queue() - idlest.queue() >= QUEUE_GAP;
        let most = if queued { view.mine.share * 0.6 } else { gap * 0.6 };
        let Some(place) = loads.iter().rposition(|load| load.used <= most) else { break };
        let load = loads.remove(place);
        gifts.push((load.slot, idlest.worker));
        if queued {
            // Both will have all they can do, and moving one changes the difference by two.
            view.mine.waiting -= 1.0;
            idlest.waiting = idlest.queue() + 1.0;
            idlest.share = idlest.share.max(FULL);
        } else {
            view.mine.share -= load.used;
            idlest.share += load.used;
        }
    }
    gifts
}

/// A worker less busy than this is left alone: its loops don't wait for long.
const BUSY: f32 = 0.5;
/// The difference that is acted upon if it lasts, as a part of the busiest worker's load.
const SMALL_GAP: f32 = 0.16;
/// The difference that is acted upon at once.
const BIG_GAP: f32 = 0.5;
/// Less of a worker's time than this is no difference.
const LEAST_GAP: f32 = 0.08;
/// The difference in waiting loops that is acted upon: moving one changes it by two.
const QUEUE_GAP: f32 = 1.5;
/// The least a loop must use to be worth moving.
const WORTH: f32 = 0.005;
/// Loops that go in one window.
const MOST_AT_ONCE: usize = 32;
/// A share that is not known yet.
const UNKNOWN: f32 = -1.0;

#[cfg(test)]
mod tests {
    use super::{super::loads, *};

    /// What worker 0 gives with these shares and waiting loops of all workers.
    fn of(lasting: bool, workers: &[(f32, f32)], used: &[f32]) -> Vec<(u32, u16)> {
        let fared = |(&(share, waiting), worker)| Fared { worker, share, waiting };
        let mut all: Vec<_> = workers.iter().zip(0..).map(fared).collect();
        let view = View { mine: all.remove(0), others: all, lasting };
        if view.is_short() && view.is_busiest() { relief(view, loads(used)) } else { Vec::new() }
    }

    #[test]
    fn relief_needs_a_reason_and_does_not_swap_the_roles() {
        assert_eq!(of(false, &[(0.9, 0.0), (0.1, 0.0)], &[0.5, 0.3, 0.1]), [(1, 1), (2, 1)]);
        assert_eq!(of(true, &[(0.9, 0.0), (0.8, 0.0)], &[0.05; 18]), [], "both are busy");
        assert_eq!(of(true, &[(0.4, 0.0), (0.0, 0.0)], &[0.2, 0.2]), [], "not short of time");
        assert_eq!(of(true, &[(0.9, 0.0), (0.0, 0.0)], &[0.9]), [], "the other would be as busy");
        assert_eq!(of(true, &[(0.6, 0.0), (0.7, 0.0)], &[0.3, 0.3]), [], "another has more");
    }

    #[test]
    fn a_small_difference_has_to_last() {
        let workers = [(0.7, 0.0), (0.5, 0.0)];
        assert_eq!(of(false, &workers, &[0.1; 7]), []);
        assert_eq!(of(true, &workers, &[0.1; 7]).len(), 1);
    }

    #[test]
    fn of_workers_without_a_moment_to_spare_the_longer_queue_gives() {
        let crowded = |mine, theirs| of(true, &[(0.99, mine), (0.99, theirs)], &[0.33; 3]);
        assert_eq!(crowded(2.0, 0.0).len(), 1);
        assert_eq!(crowded(1.0, 0.0), [], "two and one would become one and two");
        assert_eq!(of(true, &[(0.99, 7.0), (0.99, 0.0), (0.9, 1.0)], &[0.125; 8]).len(), 4);
    }

    #[test]
    fn one_look_shares_a_pile_among_all() {
        let gifts = of(false, &[(0.9, 0.0), (0.0, 0.0), (0.0, 0.0), (0.0, 0.0)], &[0.05; 18]);
        for worker in 1..4 {
            let given = gifts.iter().filter(|gift| gift.1 == worker).count();
            assert!((4..=5).contains(&given), "{gifts:?}");
        }
    }

    #[test]
    fn only_the_busiest_of_all_has_a_view() {
        let at = |millis: u64| Time::from_nanos(millis * 1_000_000);
        let rows = |busy: [u64; 3]| {
            let row = |(busy, worker)| Row { worker, busy: busy * 1_000_000, waiting: 0.0 };
            busy.into_iter().zip(0..).map(row).collect::<Vec<_>>().into_iter()
        };
        for me in 0..3 {
            let mut balance = Balance::new(at(0));
            assert_eq!(balance.due(at(499)), None);
            assert!(balance.look(at(500), me, rows([0; 3])).0.is_none(), "nothing to compare with");
            let (view, share) = balance.look(at(1000), me, rows([300, 450, 450]));
            assert_eq!(view.is_some(), me == 1, "of two alike the first");
            assert_eq!(share, [0.6, 0.9, 0.9][usize::from(me)]);
            let (view, share) = balance.look(at(1500), me, rows([600, 500, 500]));
            assert_eq!(view.is_some(), me == 0, "averages follow");
            assert!((share - [0.6, 0.5, 0.5][usize::from(me)]).abs() < 1e-3);
        }
    }
}
