//! The timers of one loop, without a loop.

use super::*;

fn at(nanos: u64) -> Time {
    Time::from_nanos(nanos)
}

fn drain(timers: &mut Timers, now: Time) -> Vec<TimerId> {
    core::iter::from_fn(|| timers.expire_rest(now)).map(|e| e.timer).collect()
}

#[test]
fn order_is_by_moment_then_by_arming() {
    let mut timers = Timers::new(LoopId(1));
    let ids: Vec<_> = (0..4).map(|_| timers.create(Class::Control)).collect();
    timers.arm(ids[0], at(0), at(30));
    timers.arm(ids[1], at(0), at(10));
    timers.arm(ids[2], at(0), at(20));
    timers.arm(ids[3], at(0), at(10));
    assert_eq!(drain(&mut timers, at(9)), []);
    assert_eq!(drain(&mut timers, at(20)), [ids[1], ids[3], ids[2]]);
    assert_eq!(timers.next_rest(), at(30));
}

#[test]
fn move_and_disarm() {
    let mut timers = Timers::new(LoopId(1));
    let timer = timers.create(Class::Liveness);
    timers.arm(timer, at(0), at(10));
    timers.arm(timer, at(0), at(50));
    assert_eq!(timers.expire_liveness(at(49)), None);
    assert_eq!(timers.expires(timer), Some(at(50)));
    timers.arm(timer, at(0), at(5));
    assert!(timers.disarm(timer));
    assert!(!timers.disarm(timer));
    assert_eq!(timers.expire_liveness(at(1000)), None);
}

#[test]
fn periods_do_not_drift_and_missed_ones_collapse() {
    let mut timers = Timers::new(LoopId(1));
    let timer = timers.create(Class::Routing);
    timers.arm_every(timer, at(0), Duration::from_micros(10));
    assert_eq!(drain(&mut timers, at(10_500)), [timer]);
    assert_eq!(timers.expires(timer), Some(at(20_000)));
    assert_eq!(drain(&mut timers, at(45_000)), [timer]);
    assert_eq!(timers.expires(timer), Some(at(50_000)));
}

#[test]
fn a_removed_timers_name_names_nothing() {
    let mut timers = Timers::new(LoopId(1));
    let old = timers.create(Class::Routing);
    timers.arm(old, at(0), at(1));
    timers.remove(old);
    let new = timers.create(Class::Routing);
    assert_ne!(old, new);
    timers.arm(old, at(0), at(1));
    assert_eq!(timers.next_rest(), Time::NEVER);
    assert_eq!(timers.len(), 1);
}

#[test]
fn arming_says_what_it_did() {
    let mut timers = Timers::new(LoopId(1));
    let timer = timers.create(Class::Control);
    assert_eq!(timers.restart(timer, at(0), 0), None, "never armed");
    assert_eq!(timers.arm(timer, at(0), at(10)), Armed::Armed);
    assert_eq!(timers.arm(timer, at(0), at(5)), Armed::Moved { from: at(10) });
    let period = Duration::from_micros(1);
    assert_eq!(timers.arm_every(timer, at(2), period), Armed::Moved { from: at(5) });
    assert_eq!(
        timers.arm_drifting(timer, at(3), period, period, 0),
        Armed::Moved { from: at(1002) }
    );
    assert_eq!(timers.expires(timer), Some(at(503)), "half the interval is the most jitter");
    timers.remove(timer);
    assert_eq!(timers.arm(timer, at(0), at(10)), Armed::NoSuchTimer);
    assert_eq!(timers.restart(timer, at(0), 0), Some(Armed::NoSuchTimer));
    assert_eq!(timers.set_interval(timer, period, 0), Some(Armed::NoSuchTimer));
}

#[test]
fn drifting_timers_go_on_from_when_they_expired() {
    let mut timers = Timers::new(LoopId(1));
    let timer = timers.create(Class::Control);
    let interval = Duration::from_micros(10);
    timers.arm_drifting(timer, at(0), interval, Duration::ZERO, u64::MAX);
    let expired = timers.expire_rest(at(12_345)).unwrap();
    assert!(expired.drifts);
    assert_eq!(expired.due, at(10_000));
    timers.drift(timer, at(12_345), u64::MAX);
    assert_eq!(timers.expires(timer), Some(at(22_345)));
}

#[test]
fn jitter_is_uniform_and_at_most_half_the_interval() {
    let mut timers = Timers::new(LoopId(1));
    let timer = timers.create(Class::Control);
    let interval = Duration::from_micros(100);
    let mut seed = 3;
    let mut counts = [0u32; 10];
    for _ in 0..100_000 {
        let random = crate::worker::engine::split_mix(&mut seed);
        timers.arm_drifting(timer, at(0), interval, Duration::from_secs(1), random);
        let after = timers.expires(timer).unwrap().as_nanos();
        assert!((50_000..=150_000).contains(&after), "{after}");
        counts[(after - 50_000) as usize * 10 / 100_001] += 1;
    }
    assert!(counts.iter().all(|count| (9_500..10_500).contains(count)), "{counts:?}");
}

#[test]
fn a_changed_interval_counts_from_when_the_span_began() {
    let mut timers = Timers::new(LoopId(1));
    let timer = timers.create(Class::Control);
    let (long, short) = (Duration::from_micros(60), Duration::from_micros(10));
    assert_eq!(timers.set_interval(timer, short, 0), None, "idle");
    timers.arm(timer, at(0), at(5));
    assert_eq!(timers.set_interval(timer, short, 0), None, "once");
    timers.arm_every(timer, at(0), long);
    assert_eq!(drain(&mut timers, at(60_000)), [timer]);
    let moved = Some(Armed::Moved { from: at(120_000) });
    assert_eq!(timers.set_interval(timer, short, 0), moved);
    assert_eq!(timers.expires(timer), Some(at(70_000)));
    assert_eq!(drain(&mut timers, at(75_000)), [timer]);
    assert_eq!(timers.expires(timer), Some(at(80_000)));
    timers.arm_drifting(timer, at(80_000), long, Duration::ZERO, 0);
    timers.set_interval(timer, short, 0);
    assert_eq!(timers.expires(timer), Some(at(90_000)));
}

#[test]
fn a_restart_waits_as_long_again() {
    let mut timers = Timers::new(LoopId(1));
    let timer = timers.create(Class::Control);
    timers.arm(timer, at(100), at(190));
    assert_eq!(timers.restart(timer, at(150), 0), Some(Armed::Moved { from: at(190) }));
    assert_eq!(timers.expires(timer), Some(at(240)));
    assert_eq!(drain(&mut timers, at(240)), [timer]);
    assert_eq!(timers.restart(timer, at(300), 0), Some(Armed::Armed));
    assert_eq!(timers.expires(timer), Some(at(390)));
    timers.arm_every(timer, at(400), Duration::from_micros(1));
    timers.disarm(timer);
    assert_eq!(timers.restart(timer, at(450), 0), Some(Armed::Armed));
    assert_eq!(timers.expires(timer), Some(at(1450)), "on a grid of its own");
}

#[test]
fn slack_brings_timers_together_and_none_is_early_or_later_than_its_slack() {
    let mut timers = Timers::new(LoopId(1));
    let slack = Duration::from_nanos(100);
    let mut expiries = std::collections::BTreeSet::new();
    for due in 1000..1128 {
        let timer = timers.create(Class::Control);
        assert!(timers.set_slack(timer, slack));
        timers.arm(timer, at(0), at(due));
        let when = timers.expires(timer).unwrap();
        assert!((due..due + 100).contains(&when.as_nanos()));
        expiries.insert(when);
    }
    // 64 is the greatest power of two in 100.
    assert_eq!(expiries.into_iter().collect::<Vec<_>>(), [at(1024), at(1088), at(1152)]);
    let timer = timers.create(Class::Control);
    timers.set_slack(timer, Duration::MAX);
    timers.arm(timer, at(0), Time::NEVER);
    assert_eq!(timers.expires(timer), Some(Time::NEVER));
}

#[test]
fn slack_does_not_make_a_period_drift() {
    let mut timers = Timers::new(LoopId(1));
    let timer = timers.create(Class::Control);
    timers.set_slack(timer, Duration::from_nanos(512));
    timers.arm_every(timer, at(0), Duration::from_nanos(1100));
    for round in 1..1000 {
        let when = timers.expires(timer).unwrap();
        let due = round * 1100;
        assert!((due..due + 512).contains(&when.as_nanos()), "round {round}");
        assert_eq!(drain(&mut timers, when), [timer]);
    }
}

#[test]
fn the_list_has_armed_and_idle_ones() {
    let mut timers = Timers::new(LoopId(1));
    let [idle, armed, gone] = [(); 3].map(|()| timers.create(Class::Bulk));
    timers.remove(gone);
    timers.arm_every(armed, at(0), Duration::from_micros(1));
    drain(&mut timers, at(1500));
    let list: Vec<_> = timers.list().collect();
    assert_eq!(list.iter().map(|one| one.timer).collect::<Vec<_>>(), [idle, armed]);
    assert_eq!((list[0].expires, list[0].expired), (None, None));
    assert_eq!((list[1].expires, list[1].expired), (Some(at(2000)), Some(at(1500))));
    assert_eq!(list[1].rhythm, Rhythm::Anchored { period: Duration::from_micros(1) });
}

/// What the model knows of a timer.
#[derive(Clone, Copy, Debug)]
struct Known {
    when: u64,
    arming: u64,
    /// When it is due, if it is periodic.
    periodic: Option<u64>,
}

/// Random operations, those a handler may do among them, against a list of what is armed.
#[test]
fn random_operations_agree_with_a_model() {
    for seed in 0..20 {
        let mut model = Model::new(seed);
        for _ in 0..5_000 {
            model.operation();
        }
    }
}

struct Model {
    timers: Timers,
    ids: Vec<TimerId>,
    known: Vec<Option<Known>>,
    slack: Vec<u64>,
    now: u64,
    armings: u64,
    seed: u64,
}

impl Model {
    fn new(seed: u64) -> Self {
        let mut timers = Timers::new(LoopId(1));
        let class = |at| if at % 2 == 0 { Class::Liveness } else { Class::Routing };
        let ids = (0..32).map(|at| timers.create(class(at))).collect();
        let (known, slack) = (vec![None; 32], vec![0; 32]);
        Self { timers, ids, known, slack, now: 1, armings: 0, seed }
    }

    fn next(&mut self, below: u64) -> u64 {
        crate::worker::engine::split_mix(&mut self.seed) % below
    }

    fn operation(&mut self) {
        let which = self.next(32) as usize;
        let id = self.ids[which];
        let now = at(self.now);
        match self.next(8) {
            0 => {
                let expected = self.known[which].take().is_some();
                assert_eq!(self.timers.disarm(id), expected);
            }
            1 => {
                self.slack[which] = self.next(3) * 64;
                self.timers.set_slack(id, Duration::from_nanos(self.slack[which]));
            }
            2 => {
                let period = 1000 + self.next(1000);
                let armed = self.timers.arm_every(id, now, Duration::from_nanos(period));
                self.note(which, self.now + period, Some(period), armed);
            }
            3 => {
                let class = if which.is_multiple_of(2) { Class::Liveness } else { Class::Routing };
                self.timers.remove(id);
                self.ids[which] = self.timers.create(class);
                (self.known[which], self.slack[which]) = (None, 0);
                assert_eq!(self.timers.arm(id, now, now), Armed::NoSuchTimer);
            }
            4 | 5 => {
                self.now += self.next(700);
                self.expire();
            }
            _ => {
                let when = (self.now + self.next(2000)).saturating_sub(200);
                let armed = self.timers.arm(id, now, at(when));
                self.note(which, when, None, armed);
            }
        }
        for (known, id) in self.known.iter().zip(&self.ids) {
            assert_eq!(self.timers.expires(*id), known.map(|known| at(known.when)));
        }
    }

    fn note(&mut self, which: usize, due: u64, period: Option<u64>, armed: Armed) {
        let when = self.put_off(which, due);
        self.armings += 1;
        let new = Known { when, arming: self.armings, periodic: period.map(|_| due) };
        let expected = match self.known[which].replace(new) {
            Some(before) => Armed::Moved { from: at(before.when) },
            None => Armed::Armed,
        };
        assert_eq!(armed, expected);
    }

    fn put_off(&self, which: usize, due: u64) -> u64 {
        let slack = self.slack[which];
        due.next_multiple_of(if slack == 0 { 1 } else { 1 << slack.ilog2() })
    }

    /// Everything due expires, in order, and nothing else; an earlier one may disarm a later one.
    fn expire(&mut self) {
        loop {
            let liveness = self.next(2) == 0;
            let of_class = |which: usize| which.is_multiple_of(2) == liveness;
            let due = self.known.iter().enumerate().filter_map(|(which, known)| {
                let known = known.filter(|known| known.when <= self.now && of_class(which))?;
                Some((known.when, known.arming, which))
            });
            let expected = due.min().map(|(when, _, which)| (which, when));
            let now = at(self.now);
            let expired = match liveness {
                true => self.timers.expire_liveness(now),
                false => self.timers.expire_rest(now),
            };
            let got = expired.map(|one| {
                assert!(one.due <= now, "early");
                (self.ids.iter().position(|id| *id == one.timer).unwrap(), one.due.as_nanos())
            });
            assert_eq!(got, expected);
            let Some((which, _)) = got else { return };
            self.went_off(which);
            if self.next(4) == 0 {
                let other = self.next(32) as usize;
                let id = self.ids[other];
                assert_eq!(self.timers.disarm(id), self.known[other].take().is_some());
            }
        }
    }

    fn went_off(&mut self, which: usize) {
        let Some(known) = self.known[which].take() else { return };
        let Some(due) = known.periodic else { return };
        // A model does not divide: it counts on until the next one is ahead.
        let when = self.timers.expires(self.ids[which]).unwrap().as_nanos();
        let Rhythm::Anchored { period } = self.timers.slot(self.ids[which]).unwrap().rhythm else {
            panic!("it was periodic");
        };
        let mut next = due;
        while next <= self.now {
            next += period.as_nanos() as u64;
        }
        assert_eq!(when, self.put_off(which, next));
        self.armings += 1;
        self.known[which] = Some(Known { when, arming: self.armings, periodic: Some(next) });
    }
}

#[test]
fn random_operations_keep_the_heap() {
    let mut timers = Timers::new(LoopId(1));
    let ids: Vec<_> = (0..64).map(|_| timers.create(Class::Bulk)).collect();
    let mut model = vec![None; 64];
    let mut seed = 1u64;
    let mut next = || {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        seed >> 33
    };
    for _ in 0..20_000 {
        let which = (next() % 64) as usize;
        match next() % 4 {
            0 => assert_eq!(timers.disarm(ids[which]), model[which].take().is_some()),
            1 => {
                let now = at(next() % 1000);
                let got = timers.expire_rest(now).map(|e| e.due);
                let due = model.iter().flatten().min().copied().filter(|due| *due <= now);
                assert_eq!(got, due);
                for (slot, id) in model.iter_mut().zip(&ids) {
                    *slot = timers.expires(*id);
                }
            }
            _ => {
                let when = at(next() % 1000);
                timers.arm(ids[which], at(0), when);
                model[which] = Some(when);
            }
        }
        assert_eq!(
            timers.next_rest(),
            model.iter().flatten().min().copied().unwrap_or(Time::NEVER)
        );
    }
}
