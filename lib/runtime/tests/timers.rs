//! Timers: order, accuracy, and liveness that does not wait.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]
#![allow(clippy::disallowed_methods, reason = "tests keep workers busy and watch them")]

mod common;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
    mpsc::Sender,
};

use common::{burn, eventually, next, runtime, told};
use dunlin_runtime::{
    Address, Cancel, Class, Context, Duration, EventId, Loop, Runtime, Stats, Time, TimerId,
};

/// After how many milliseconds each timer is due; the third is of liveness.
const SPANS: [Duration; 5] = [ms(30), ms(10), ms(20), ms(0), ms(10)];

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

struct Order {
    begun: Time,
    timers: Vec<TimerId>,
    moved: TimerId,
    cancelled: TimerId,
    seen: Vec<usize>,
    told: Sender<Vec<usize>>,
}

impl Loop for Order {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        let now = cx.now();
        self.begun = now;
        for (place, after) in SPANS.into_iter().enumerate() {
            let timer = cx.timer(if place == 2 { Class::Liveness } else { Class::Routing });
            cx.arm(timer, now + after);
            self.timers.push(timer);
        }
        self.moved = cx.timer(Class::Control);
        cx.arm(self.moved, now + Duration::from_millis(1));
        cx.arm(self.moved, now + Duration::from_millis(25));
        self.cancelled = cx.timer(Class::Control);
        cx.arm(self.cancelled, now + Duration::from_millis(26));
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}

    fn timer(&mut self, cx: &mut Context<'_>, timer: TimerId) {
        assert_ne!(timer, self.cancelled);
        if timer == self.moved {
            assert_eq!(cx.disarm(self.cancelled), Cancel::Cancelled);
            assert_eq!(cx.disarm(self.cancelled), Cancel::NotPending);
            return;
        }
        let place = self.timers.iter().position(|known| *known == timer).unwrap();
        assert!(cx.now() >= self.begun + SPANS[place], "early");
        self.seen.push(place);
        if place == 0 {
            self.told.send(self.seen.clone()).unwrap();
        }
    }
}

#[test]
fn timers_expire_in_order() {
    let runtime = runtime(1);
    let (told, heard) = told();
    let none = TimerId::NONE;
    let order = Order {
        begun: Time::ZERO,
        timers: vec![],
        moved: none,
        cancelled: none,
        seen: vec![],
        told,
    };
    runtime.spawn("order", Class::Routing, order);
    // The liveness timer goes before others that are due, so before more of them on a machine that
    // is late itself.
    let (live, others): (Vec<_>, Vec<_>) = next(&heard).into_iter().partition(|&place| place == 2);
    assert_eq!((live, others), (vec![2], vec![3, 1, 4, 0]));
}

struct Periodic {
    timer: TimerId,
    start: Time,
    lateness: Vec<Duration>,
    told: Sender<Vec<Duration>>,
}

const PERIOD: Duration = Duration::from_millis(2);

impl Loop for Periodic {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        self.timer = cx.timer(Class::Liveness);
        self.start = cx.now();
        cx.arm_every(self.timer, PERIOD);
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}

    fn timer(&mut self, cx: &mut Context<'_>, timer: TimerId) {
        let since = cx.now() - self.start;
        let due = cx.expires(timer).unwrap() - self.start - PERIOD;
        assert_eq!(due.as_nanos() % PERIOD.as_nanos(), 0, "anchored");
        assert!(since >= due, "early");
        self.lateness.push(since - due);
        if self.lateness.len() == 100 {
            cx.disarm(timer);
            self.told.send(core::mem::take(&mut self.lateness)).unwrap();
        }
    }
}

#[test]
fn periodic_timers_are_anchored_and_never_early() {
    let runtime = runtime(1);
    let (told, heard) = told();
    let periodic = Periodic { timer: TimerId::NONE, start: Time::ZERO, lateness: Vec::new(), told };
    runtime.spawn("periodic", Class::Control, periodic);
    let mut lateness = next(&heard);
    lateness.sort();
    println!("lateness of an idle worker: median {:?}, worst {:?}", lateness[50], lateness[99]);
    // The machine may be busy with other things; the best tells what the runtime does.
    assert!(lateness[0] < Duration::from_millis(1));
}

/// Keeps its worker busy with events of a millisecond each.
struct Bulk {
    left: usize,
    event: EventId,
    seen: Arc<Seen>,
}

/// What bulk handlers tell of themselves.
#[derive(Default)]
struct Seen {
    count: AtomicU64,
    /// When the last one began.
    last: AtomicU64,
}

impl Loop for Bulk {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        self.event = cx.event(Class::Bulk);
        cx.schedule(self.event);
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}

    fn event(&mut self, cx: &mut Context<'_>, event: EventId) {
        self.seen.last.store(cx.now().as_nanos(), Ordering::Relaxed);
        self.seen.count.fetch_add(1, Ordering::Relaxed);
        burn(Duration::from_millis(1));
        self.left -= 1;
        if self.left > 0 {
            cx.schedule(event);
        }
    }
}

fn bulk(runtime: &Runtime, left: usize, seen: &Arc<Seen>) -> Address<()> {
    let (event, seen) = (EventId::NONE, Arc::clone(seen));
    runtime.spawn("bulk", Class::Bulk, Bulk { left, event, seen })
}

struct Live {
    timer: TimerId,
    due: Time,
    seen: Arc<Seen>,
    told: Sender<Duration>,
}

impl Loop for Live {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        self.timer = cx.timer(Class::Liveness);
        self.due = cx.now() + Duration::from_millis(10);
        cx.arm(self.timer, self.due);
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}

    fn timer(&mut self, cx: &mut Context<'_>, _: TimerId) {
        // True whatever the machine does: only what ran already when the timer became due was
        // waited for.
        let last = Time::from_nanos(self.seen.last.load(Ordering::Relaxed));
        assert!(last <= self.due, "a handler began {:?} after the timer was due", last - self.due);
        let _ = self.told.send(cx.now() - self.due);
        self.due = cx.now() + Duration::from_millis(10);
        cx.arm(self.timer, self.due);
    }
}

#[test]
fn a_liveness_timer_is_late_by_one_bulk_handler_at_most() {
    let runtime = runtime(1);
    let (told, heard) = told();
    let seen = Arc::new(Seen::default());
    // 1000 events of 1 ms before it, of one loop and of a hundred.
    bulk(&runtime, 500, &seen);
    for _ in 0..100 {
        bulk(&runtime, 5, &seen);
    }
    let live = Live { timer: TimerId::NONE, due: Time::ZERO, seen, told };
    let live = runtime.spawn("live", Class::Liveness, live);
    let mut lateness: Vec<_> = (0..50).map(|_| next(&heard)).collect();
    lateness.sort();
    println!("behind bulk events: median {:?}, worst {:?}", lateness[25], lateness[49]);
    assert!(!live.is_stopped(), "a handler has panicked");
}

struct Hears {
    seen: Arc<Seen>,
    told: Sender<u64>,
}

impl Loop for Hears {
    type Message = ();

    fn message(&mut self, _: &mut Context<'_>, (): ()) {
        self.told.send(self.seen.count.load(Ordering::Relaxed)).unwrap();
    }
}

#[test]
fn a_liveness_message_waits_for_one_bulk_handler_at_most() {
    let runtime = runtime(1);
    let (told, heard) = told();
    let seen = Arc::new(Seen::default());
    let hears = Hears { seen: Arc::clone(&seen), told };
    let hears = runtime.spawn("hears", Class::Liveness, hears);
    for _ in 0..10 {
        bulk(&runtime, 50, &seen);
    }
    for _ in 0..30 {
        std::thread::sleep(Duration::from_millis(5));
        hears.send(Class::Liveness, ()).unwrap();
        let sent = seen.count.load(Ordering::Relaxed);
        let heard = next(&heard);
        // One may have looked for urgent things just before it was sent, and then begun.
        assert!(heard <= sent + 1, "{} bulk handlers went first", heard - sent);
    }
}

#[test]
fn bulk_gets_its_floor_and_times_add_up() {
    /// Floods itself with control work.
    struct Flood(EventId);
    impl Loop for Flood {
        type Message = ();
        fn start(&mut self, cx: &mut Context<'_>) {
            self.0 = cx.event(Class::Control);
            cx.schedule(self.0);
        }
        fn message(&mut self, _: &mut Context<'_>, (): ()) {}
        fn event(&mut self, cx: &mut Context<'_>, event: EventId) {
            cx.schedule(event);
        }
    }
    let runtime = runtime(1);
    let first = runtime.stats();
    runtime.spawn("flood", Class::Control, Flood(EventId::NONE));
    let bulk = bulk(&runtime, 10, &Arc::default());
    eventually("bulk has run", || {
        let stats = runtime.stats();
        stats.loops.iter().any(|one| one.id == bulk.loop_id() && one.handlers[3] == 10)
    });
    let then = runtime.stats();
    let worker = then.workers[0];
    println!("{worker:?}");
    assert!(worker.busy > worker.overhead);
    let spent = |stats: &Stats| {
        let worker = stats.workers[0];
        worker.busy + worker.overhead + worker.idle
    };
    assert_eq!(spent(&then) - spent(&first), then.now.since(first.now));
}
