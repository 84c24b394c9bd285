//! How many workers a load needs.

use super::{FULL, WINDOW};
use crate::time::{Time, nanos};

/// What is remembered of a group whose number of workers follows its load. More come within a second or
/// two; fewer only after ten seconds with much less to do, one at a time, so that a load that comes and
/// goes does not start and end threads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Auto {
    /// When the window began.
    since: Time,
    /// Nanoseconds all workers had been in handlers by then; none if that is not known.
    busy: Option<u64>,
    /// Workers there were.
    workers: usize,
    /// Windows in a row with too much to do, and with little.
    hot: u32,
    cool: u32,
}

impl Auto {
    pub(crate) fn new(now: Time) -> Self {
        Self { since: now, busy: None, workers: 0, hot: 0, cool: 0 }
    }

    /// Whether a window has ended.
    pub(crate) fn is_due(&self, now: Time) -> bool {
        now.since(self.since) >= WINDOW
    }

    /// When the next window ends.
    pub(crate) fn due(&self) -> Time {
        self.since + WINDOW
    }

    /// Whether it has seen a reason to look again soon.
    pub(crate) fn is_alert(&self) -> bool {
        self.hot > 0
    }

    /// Takes the sum of the workers' time in handlers and of the loops that wait, at the end of a
    /// window; how many workers there should be.
    pub(crate) fn look(
        &mut self,
        now: Time,
        workers: usize,
        busy: u64,
        waiting: f32,
        bounds: (usize, usize),
    ) -> usize {
        let window = now.since(self.since);
        let known = self.busy.filter(|_| self.workers == workers && window < 3 * WINDOW);
        let load = known.map(|before| busy.saturating_sub(before) as f32 / nanos(window) as f32);
        (self.since, self.busy, self.workers) = (now, Some(busy), workers);
        let least = bounds.0.max(1);
        let most = bounds.1.max(least);
        let Some(load) = load else { return workers.clamp(least, most) };
        self.choose(workers, load, waiting).clamp(least, most)
    }

    fn choose(&mut self, workers: usize, load: f32, waiting: f32) -> usize {
        let each = load / workers.max(1) as f32;
        let fewer = load / workers.saturating_sub(1).max(1) as f32;
        self.hot = if each >= HOT { self.hot + 1 } else { 0 };
        self.cool = if workers > 1 && fewer <= COOL { self.cool + 1 } else { 0 };
        if self.hot >= HOT_WINDOWS {
            self.hot = 0;
            let measured = (load / WANTED).ceil() as usize;
            // Without a moment to spare the load may be any: what waits is all there is to go by.
            let queued = if each >= FULL { workers + waiting.ceil() as usize } else { 0 };
            return measured.max(queued).clamp(workers + 1, workers * 2);
        }
        if self.cool >= COOL_WINDOWS {
            self.cool = 0;
            return workers - 1;
        }
        workers
    }
}

/// Workers as busy as this on average are too few.
const HOT: f32 = 0.75;
/// How busy they should be with the new number.
const WANTED: f32 = 0.6;
/// One worker is too many if the others would not be busier than this without it.
const COOL: f32 = 0.45;
/// For so many windows.
const HOT_WINDOWS: u32 = 2;
const COOL_WINDOWS: u32 = 20;

#[cfg(test)]
mod tests {
    use super::*;

    /// A group under a load, in workers' worth, that changes by the window; the number of workers at
    /// the end of each.
    struct Group {
        auto: Auto,
        now: Time,
        busy: f32,
        workers: usize,
        bounds: (usize, usize),
    }

    impl Group {
        fn new(bounds: (usize, usize)) -> Self {
            let auto = Auto::new(Time::ZERO);
            Self { auto, now: Time::ZERO, busy: 0.0, workers: bounds.0, bounds }
        }

        fn run(&mut self, load: f32, windows: usize) -> Vec<usize> {
            let window = |_| {
                self.now += WINDOW;
                assert!(self.auto.is_due(self.now));
                let done = load.min(self.workers as f32);
                self.busy += done * nanos(WINDOW) as f32;
                let waiting = load - done;
                let busy = self.busy as u64;
                self.workers = self.auto.look(self.now, self.workers, busy, waiting, self.bounds);
                self.workers
            };
            (0..windows).map(window).collect()
        }
    }

    #[test]
    fn it_follows_the_load_up_quickly_and_down_slowly() {
        let mut group = Group::new((1, 8));
        assert_eq!(group.run(0.0, 50).last(), Some(&1));
        let up = group.run(4.0, 20);
        assert!(up[11] >= 5, "{up:?}");
        assert!((5..=8).contains(&group.workers), "{up:?}");
        let stays = group.run(4.0, 200);
        assert!(stays.iter().all(|count| *count == group.workers), "{stays:?}");
        let down = group.run(0.2, 200);
        assert!(down[15] == stays[0], "not at once: {down:?}");
        assert_eq!(down.last(), Some(&1));
        assert!(down.windows(2).all(|pair| pair[0] - pair[1] <= 1), "one at a time: {down:?}");
    }

    #[test]
    fn any_steady_load_settles_and_a_varying_one_does_not_toss_it_about() {
        for tenths in 0..80 {
            let mut group = Group::new((1, 16));
            group.run(tenths as f32 / 10.0, 200);
            let settled = group.run(tenths as f32 / 10.0, 400);
            assert!(settled.iter().all(|count| *count == settled[0]), "{tenths}: {settled:?}");
        }
        let mut group = Group::new((1, 16));
        let mut changes = 0;
        for round in 0..500 {
            // Between one and three workers' worth, each for a second and a half.
            let before = group.workers;
            let counts = group.run([1.0, 3.0, 1.5, 2.5][round % 4], 3);
            let after = counts
                .iter()
                .scan(before, |old, new| Some(usize::from(core::mem::replace(old, *new) != *new)));
            changes += after.sum::<usize>();
        }
        assert!(changes <= 8, "{changes} changes in twelve minutes");
    }

    #[test]
    fn bounds_hold_and_extremes_do_no_harm() {
        let mut group = Group::new((2, 4));
        assert!(group.run(0.0, 100).iter().all(|count| *count == 2));
        assert_eq!(group.run(1000.0, 100).last(), Some(&4));
        group.bounds = (6, 3);
        assert_eq!(group.run(1.0, 1), [6], "the lower one holds if they are the wrong way round");
        let mut auto = Auto::new(Time::ZERO);
        assert_eq!(auto.look(Time::ZERO, 0, u64::MAX, f32::MAX, (0, 0)), 1);
        assert_eq!(auto.look(Time::NEVER, 1, 0, f32::MAX, (1, 9)), 1, "long ago says nothing");
    }
}
