//! Who has to wait for whom, and for how long, on virtual time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use dunlin_runtime::{
    Class, Context, Duration, EventId, GroupOptions, Loop, Time, TimerId,
    sim::{SimOptions, SimRuntime},
};

const MICRO: Duration = Duration::from_micros(1);
const MILLI: Duration = Duration::from_millis(1);

/// One worker and handlers that take what they say.
fn one_worker(seed: u64, change: impl FnOnce(&mut SimOptions)) -> SimRuntime {
    let mut options = SimOptions::new(seed);
    options.workers = 1;
    options.moves = 0;
    options.shuffle = false;
    options.handler_cost = Duration::from_nanos(100)..=Duration::from_nanos(100);
    change(&mut options);
    SimRuntime::with_options(options)
}

/// What a loop did, as the test sees it.
#[derive(Default)]
struct Seen {
    /// Handlers, by class.
    handlers: [AtomicU64; 4],
    /// The longest that something of a class waited, in nanoseconds.
    waited: [AtomicU64; 4],
}

impl Seen {
    fn handlers(&self, class: Class) -> u64 {
        self.handlers[class.index()].load(Ordering::Relaxed)
    }

    fn waited(&self, class: Class) -> Duration {
        Duration::from_nanos(self.waited[class.index()].load(Ordering::Relaxed))
    }

    fn note(&self, class: Class, since: Time, now: Time) {
        self.handlers[class.index()].fetch_add(1, Ordering::Relaxed);
        let waited = now.since(since).as_nanos() as u64;
        self.waited[class.index()].fetch_max(waited, Ordering::Relaxed);
    }
}

/// Has so many events of each class that come again and again, or once, each of which takes `cost`;
/// and a liveness timer, which schedules a control event every time.
struct Many {
    counts: [usize; 4],
    again: bool,
    cost: Duration,
    pulse: Option<Duration>,
    seen: Arc<Seen>,
    ranges: VecDeque<(EventId, Class)>,
    timer: TimerId,
    urgent: EventId,
    asked: Time,
}

impl Many {
    fn new(counts: [usize; 4], again: bool, cost: Duration, pulse: Option<Duration>) -> Self {
        Self {
            counts,
            again,
            cost,
            pulse,
            seen: Arc::default(),
            ranges: VecDeque::new(),
            timer: TimerId::NONE,
            urgent: EventId::NONE,
            asked: Time::ZERO,
        }
    }

    fn spawn(self, sim: &SimRuntime, class: Class) -> Arc<Seen> {
        let seen = Arc::clone(&self.seen);
        sim.spawn("many", class, self);
        seen
    }
}

impl Loop for Many {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        for class in Class::ALL {
            for at in 0..self.counts[class.index()] {
                let event = cx.event(class);
                cx.schedule(event);
                if at == 0 {
                    self.ranges.push_back((event, class));
                }
            }
        }
        if let Some(pulse) = self.pulse {
            self.urgent = cx.event(Class::Control);
            self.timer = cx.timer(Class::Liveness);
            cx.arm_every(self.timer, pulse);
        }
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}

    fn timer(&mut self, cx: &mut Context<'_>, timer: TimerId) {
        let due = cx.expires(timer).unwrap() - self.pulse.unwrap();
        self.seen.note(Class::Liveness, due, cx.now());
        self.asked = cx.now();
        cx.schedule(self.urgent);
    }

    fn event(&mut self, cx: &mut Context<'_>, event: EventId) {
        if event == self.urgent && self.pulse.is_some() {
            return self.seen.note(Class::Control, self.asked, cx.now());
        }
        let (_, class) = *self.ranges.iter().rfind(|(first, _)| *first <= event).unwrap();
        self.seen.note(class, cx.now(), cx.now());
        cx.sim_consume(self.cost);
        if self.again {
            cx.schedule(event);
        }
    }
}

#[test]
fn a_million_bulk_events_delay_nothing_else_and_get_their_floor_under_a_flood() {
    let mut sim = one_worker(1, |_| {});
    let bulk = Many::new([0, 0, 0, 1_000_000], false, 10 * MICRO, Some(7 * MILLI));
    let bulk = bulk.spawn(&sim, Class::Bulk);
    let watch = Many::new([0; 4], true, MICRO, Some(5 * MILLI)).spawn(&sim, Class::Control);
    sim.run_for(Duration::from_secs(1));
    for (seen, what) in [(&bulk, "the same loop"), (&watch, "another loop")] {
        let (live, control) = (seen.waited(Class::Liveness), seen.waited(Class::Control));
        assert!(live <= 12 * MICRO, "liveness of {what} waited {live:?}: more than a handler");
        assert!(
            control <= 2 * MILLI,
            "control of {what} waited {control:?}: more than a turn or two"
        );
        assert!(seen.handlers(Class::Control) > 100);
    }
    let alone = bulk.handlers(Class::Bulk);
    assert!(alone > 90_000, "{alone} in a second with nothing else to do");
    // Three loops that could take all the time there is.
    let routing = [1, 2, 3]
        .map(|_| Many::new([0, 0, 4, 0], true, 20 * MICRO, None).spawn(&sim, Class::Routing));
    sim.run_for(Duration::from_secs(3));
    let share = (bulk.handlers(Class::Bulk) - alone) as f64 * 10.1e-6 / 3.0;
    assert!((0.02..0.06).contains(&share), "bulk got {share} of the time");
    assert!(routing.iter().all(|one| one.handlers(Class::Routing) > 30_000));
    for seen in [&bulk, &watch] {
        assert!(seen.waited(Class::Liveness) <= 25 * MICRO, "one routing handler");
    }
    assert!(watch.waited(Class::Control) <= 2 * MILLI);
}

#[test]
fn within_a_loop_every_class_gets_its_part_too() {
    let mut sim = one_worker(2, |_| {});
    let one = Many::new([0, 2000, 2000, 2000], true, 10 * MICRO, Some(5 * MILLI));
    let one = one.spawn(&sim, Class::Bulk);
    sim.run_for(Duration::from_secs(4));
    let [control, routing, bulk] =
        [Class::Control, Class::Routing, Class::Bulk].map(|class| one.handlers(class));
    let all = control + routing + bulk;
    assert!(all > 350_000, "{all}");
    assert!(bulk * 20 > all && bulk * 10 < all, "{bulk} of {all}: a floor, no more");
    assert!(control * 5 > all * 2 && routing * 5 > all * 2, "{control} {routing} of {all}");
    assert!(one.waited(Class::Liveness) <= 12 * MICRO);
}

#[test]
fn a_flood_of_liveness_starves_nobody() {
    let mut sim = one_worker(3, |_| {});
    let flood = Many::new([4, 0, 0, 0], true, 20 * MICRO, None).spawn(&sim, Class::Liveness);
    let others = Many::new([0, 1, 1, 1], true, 20 * MICRO, None).spawn(&sim, Class::Bulk);
    sim.run_for(Duration::from_secs(2));
    assert!(flood.handlers(Class::Liveness) > 50_000);
    for class in [Class::Control, Class::Routing, Class::Bulk] {
        assert!(others.handlers(class) > 50, "{class:?}: {}", others.handlers(class));
    }
}

/// Notes who had the worker, and hogs it.
struct Alternating {
    number: u64,
    last: Arc<AtomicU64>,
    switches: Arc<AtomicU64>,
    event: EventId,
}

impl Loop for Alternating {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        self.event = cx.event(Class::Routing);
        cx.schedule(self.event);
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}

    fn event(&mut self, cx: &mut Context<'_>, event: EventId) {
        if self.last.swap(self.number, Ordering::Relaxed) != self.number {
            self.switches.fetch_add(1, Ordering::Relaxed);
        }
        cx.sim_consume(50 * MICRO);
        cx.schedule(event);
    }
}

/// Changes between two loops that never have enough, in a second.
fn switches(change: impl FnOnce(&mut SimOptions), pulse: Option<Duration>, loops: u64) -> u64 {
    let mut sim = one_worker(4, change);
    let (last, switches) = (Arc::default(), Arc::default());
    for number in 0..loops {
        let (last, switches) = (Arc::clone(&last), Arc::clone(&switches));
        let event = EventId::NONE;
        sim.spawn("hog", Class::Routing, Alternating { number, last, switches, event });
    }
    if pulse.is_some() {
        Many::new([0; 4], true, MICRO, pulse).spawn(&sim, Class::Liveness);
    }
    sim.run_for(Duration::from_secs(1));
    switches.load(Ordering::Relaxed)
}

#[test]
fn a_turn_that_was_cut_short_is_finished_before_others_begin() {
    let undisturbed = switches(|_| {}, None, 2);
    assert!((900..=1050).contains(&undisturbed), "{undisturbed}: turns of a millisecond");
    // Each turn is interrupted six times.
    let disturbed = switches(|_| {}, Some(150 * MICRO), 2);
    assert!((700..=1100).contains(&disturbed), "{disturbed}");
}

#[test]
fn a_groups_times_make_turns_longer_and_shorter() {
    let group = |max_time, min_time, max_latency| {
        let groups =
            vec![GroupOptions { max_time, min_time, max_latency, ..GroupOptions::new("worker") }];
        move |options: &mut SimOptions| options.groups = groups
    };
    let long = switches(group(20 * MILLI, MILLI, 1000 * MILLI), None, 2);
    assert!((40..=60).contains(&long), "{long}: turns of 20 ms");
    let short = switches(group(200 * MICRO, 100 * MICRO, 1000 * MILLI), None, 2);
    assert!((4000..=5500).contains(&short), "{short}: turns of 0.2 ms");
    let crowded = switches(group(20 * MILLI, MILLI, 60 * MILLI), None, 11);
    assert!(
        (270..=370).contains(&crowded),
        "{crowded}: ten wait, so half of the latency is shared"
    );
    let bounded = switches(group(20 * MILLI, 5 * MILLI, 60 * MILLI), None, 11);
    assert!((180..=210).contains(&bounded), "{bounded}: a share of 3 ms would be too short a turn");
}

/// Tells how long a message took.
struct Asked(Arc<AtomicU64>);

impl Loop for Asked {
    type Message = Time;

    fn message(&mut self, cx: &mut Context<'_>, sent: Time) {
        self.0.fetch_max(cx.now().since(sent).as_nanos() as u64, Ordering::Relaxed);
    }
}

#[test]
fn a_loop_that_stands_far_back_is_raised_by_something_more_urgent() {
    let mut sim = one_worker(5, |_| {});
    let many = |_| Many::new([0, 0, 0, 3], true, 100 * MICRO, None).spawn(&sim, Class::Bulk);
    let hogs: Vec<_> = (0..200).map(many).collect();
    let (bulk, control) = (Arc::default(), Arc::default());
    let slow = sim.spawn("slow", Class::Bulk, Asked(Arc::clone(&bulk)));
    let raised = sim.spawn("raised", Class::Bulk, Asked(Arc::clone(&control)));
    sim.run_for(MILLI);
    for _ in 0..20 {
        slow.send(Class::Bulk, sim.now()).unwrap();
        raised.send(Class::Bulk, sim.now()).unwrap();
        sim.run_for(2 * MILLI);
        raised.send(Class::Control, sim.now()).unwrap();
        sim.run_for(300 * MILLI);
    }
    let waited = |of: &Arc<AtomicU64>| Duration::from_nanos(of.load(Ordering::Relaxed));
    assert!(waited(&bulk) > 50 * MILLI, "behind two hundred turns: {:?}", waited(&bulk));
    // The bulk message goes with the control one, two milliseconds after it was sent.
    assert!(waited(&control) < 4 * MILLI, "{:?}", waited(&control));
    assert!(hogs.iter().all(|hog| hog.handlers(Class::Bulk) > 0));
}
