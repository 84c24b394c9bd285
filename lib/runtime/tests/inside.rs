//! What a handler may do to timers, events and jobs of its own loop, itself included.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use common::script::{On, everywhere};
use dunlin_runtime::{
    Armed, Cancel, Class, Context, Duration, EventId, Loop, Progress, Scheduling, Time, TimerId,
    WorkId, sim::SimRuntime,
};

const MILLI: Duration = Duration::from_millis(1);

/// Three timers due at once: the first disarms the second and moves the third.
#[test]
fn of_timers_due_at_once_an_earlier_stops_a_later() {
    everywhere(&vec!["first", "third, later"], |told| {
        let (mut timers, mut seen) = (vec![], vec![]);
        move |cx: &mut Context<'_>, on| match on {
            On::Start => {
                let due = cx.now() + MILLI;
                timers = (0..3).map(|_| cx.timer(Class::Control)).collect();
                for timer in &timers {
                    assert_eq!(cx.arm(*timer, due), Armed::Armed);
                }
            }
            On::Timer(timer) if timer == timers[0] => {
                seen.push("first");
                let due = cx.expires(timers[2]).unwrap();
                // All three are due by now, whenever this one runs.
                assert!(due <= cx.now());
                assert_eq!(cx.disarm(timers[1]), Cancel::Cancelled);
                assert_eq!(cx.disarm(timers[1]), Cancel::NotPending);
                assert_eq!(cx.arm_after(timers[2], 5 * MILLI), Armed::Moved { from: due });
            }
            On::Timer(timer) => {
                assert_eq!(timer, timers[2]);
                seen.push("third, later");
                told.send(seen.clone()).unwrap();
            }
            other => unreachable!("{other:?}"),
        }
    });
}

/// A timer disarms, arms, moves and at last removes itself in its own handler.
#[test]
fn a_timer_does_what_it_likes_to_itself() {
    everywhere(&5, |told| {
        let (mut this, mut step, mut due) = (TimerId::NONE, 0, Time::ZERO);
        move |cx: &mut Context<'_>, on| match on {
            On::Start => {
                this = cx.timer(Class::Liveness);
                cx.arm(this, Time::ZERO);
            }
            On::Timer(timer) => {
                assert_eq!(timer, this);
                assert!(cx.now() >= due, "early");
                step += 1;
                match step {
                    1 => {
                        assert_eq!(cx.disarm(timer), Cancel::Running, "expired, so idle");
                        assert_eq!(cx.arm(timer, cx.now()), Armed::Armed);
                        assert_eq!(cx.disarm(timer), Cancel::Cancelled);
                        due = cx.now() + MILLI;
                        assert_eq!(cx.arm(timer, due), Armed::Armed);
                    }
                    2 => {
                        due = cx.now() + MILLI;
                        assert_eq!(cx.restart(timer), Some(Armed::Armed));
                    }
                    3 => {
                        due = cx.now() + 2 * MILLI;
                        assert_eq!(cx.arm_every(timer, 2 * MILLI), Armed::Armed);
                    }
                    4 => {
                        due += 2 * MILLI;
                        let next = cx.expires(timer).unwrap();
                        assert_eq!((next - due).as_nanos() % (2 * MILLI).as_nanos(), 0);
                    }
                    _ => {
                        assert_eq!(cx.disarm(timer), Cancel::Cancelled, "periodic: armed already");
                        cx.arm(timer, cx.now());
                        cx.remove_timer(timer);
                        assert_eq!(cx.arm(timer, cx.now()), Armed::NoSuchTimer);
                        assert_eq!(cx.timers().count(), 0);
                        told.send(step).unwrap();
                    }
                }
            }
            other => unreachable!("{other:?}"),
        }
    });
}

/// One that drifts is due an interval after each time it ran, whatever it consumed.
#[test]
fn a_drifting_timer_counts_from_its_last_expiry_and_an_idle_one_is_listed() {
    everywhere(&(), |told| {
        let (mut idle, mut drifting, mut last) = (TimerId::NONE, TimerId::NONE, None);
        let mut left = 20;
        move |cx: &mut Context<'_>, on| match on {
            On::Start => {
                idle = cx.timer(Class::Control);
                drifting = cx.timer(Class::Routing);
                cx.arm_drifting(drifting, MILLI, MILLI);
            }
            On::Timer(timer) => {
                assert_eq!(timer, drifting);
                let now = cx.now();
                if let Some(last) = last {
                    assert!(now - last >= MILLI / 2, "jitter is at most half the interval");
                }
                let next = cx.expires(timer).unwrap() - now;
                assert!((MILLI / 2..=MILLI * 3 / 2).contains(&next), "{next:?}");
                let list: Vec<_> =
                    cx.timers().map(|one| (one.timer, one.expires, one.expired)).collect();
                assert_eq!(list, [(idle, None, None), (timer, Some(now + next), Some(now))]);
                last = Some(now);
                left -= 1;
                cx.sim_consume(3 * MILLI);
                if left == 0 {
                    cx.disarm(timer);
                    told.send(()).unwrap();
                }
            }
            other => unreachable!("{other:?}"),
        }
    });
}

/// Of events scheduled in one batch an earlier takes back a later, gives up another, and gives up
/// itself; one that schedules itself runs again after those that wait.
/// Asks for each thing twice, in each class.
struct TwiceAsked(Arc<AtomicU64>);

impl Loop for TwiceAsked {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        for class in Class::ALL {
            let (event, work, timer) = (cx.event(class), cx.work(class), cx.timer(class));
            let deferred = cx.event(class);
            for expected in [Scheduling::Scheduled, Scheduling::AlreadyPending] {
                assert_eq!(cx.schedule(event), expected, "{class:?}");
                assert_eq!(cx.queue(work), expected, "{class:?}");
                assert_eq!(cx.defer(deferred), expected, "{class:?}");
            }
            let due = cx.now() + MILLI;
            assert_eq!(cx.arm(timer, due), Armed::Armed);
            assert_eq!(cx.arm(timer, due), Armed::Moved { from: due });
            let shared = cx.event(class);
            let handle = cx.event_handle(shared);
            assert_eq!(handle.schedule(), Scheduling::Scheduled);
            assert_eq!(handle.clone().schedule(), Scheduling::AlreadyPending);
        }
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}

    fn event(&mut self, _: &mut Context<'_>, _: EventId) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn timer(&mut self, _: &mut Context<'_>, _: TimerId) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn work(&mut self, _: &mut Context<'_>, _: WorkId) -> Progress {
        self.0.fetch_add(1, Ordering::Relaxed);
        Progress::Done
    }
}

#[test]
fn what_is_asked_for_twice_is_said_and_runs_once_in_every_class() {
    let runs = Arc::new(AtomicU64::new(0));
    let mut sim = SimRuntime::new(3);
    sim.spawn("twice", Class::Control, TwiceAsked(Arc::clone(&runs)));
    sim.run_for(Duration::from_millis(50));
    // Two events, one shared event, one work and one timer in each of four classes.
    assert_eq!(runs.load(Ordering::Relaxed), 5 * 4);
}

#[test]
fn of_events_in_one_batch_an_earlier_stops_a_later() {
    everywhere(&vec![0, 3, 4, 0], |told| {
        let (mut events, mut seen) = (vec![], vec![]);
        move |cx: &mut Context<'_>, on| match on {
            On::Start => {
                events = (0..5).map(|_| cx.event(Class::Routing)).collect();
                for event in &events {
                    assert_eq!(cx.schedule(*event), Scheduling::Scheduled);
                    assert_eq!(cx.schedule(*event), Scheduling::AlreadyPending);
                }
                assert_eq!(cx.unschedule(events[0]), Cancel::Cancelled);
                assert_eq!(cx.unschedule(events[0]), Cancel::NotPending);
                cx.defer(events[4]);
                // It has kept its place.
                assert_eq!(cx.schedule(events[0]), Scheduling::Scheduled);
            }
            On::Event(event) => {
                let which = events.iter().position(|one| *one == event).unwrap();
                seen.push(which);
                assert_eq!(cx.unschedule(event), Cancel::Running);
                match (which, seen.len()) {
                    (0, 1) => {
                        assert_eq!(cx.unschedule(events[1]), Cancel::Cancelled);
                        cx.remove_event(events[2]);
                        assert_eq!(cx.schedule(events[2]), Scheduling::Gone);
                        assert_eq!(cx.schedule(event), Scheduling::Scheduled);
                        assert_eq!(cx.unschedule(event), Cancel::Cancelled, "the next run");
                        // Behind the others this time.
                        cx.schedule(event);
                    }
                    (3, _) => {
                        cx.schedule(event);
                        cx.remove_event(event);
                        assert_eq!(cx.schedule(event), Scheduling::Gone);
                    }
                    (0, _) => told.send(seen.clone()).unwrap(),
                    _ => {}
                }
            }
            other => unreachable!("{other:?}"),
        }
    });
}

/// An event that always schedules itself lets timers, messages and other events in between.
#[test]
fn an_event_that_schedules_itself_keeps_nobody_out() {
    everywhere(&(), |told| {
        let (mut again, mut other, mut late) = (EventId::NONE, EventId::NONE, 0);
        let mut own = None;
        move |cx: &mut Context<'_>, on| match on {
            On::Start => {
                (again, other) = (cx.event(Class::Control), cx.event(Class::Bulk));
                cx.schedule(again);
                own = cx.own::<u64>();
                let timer = cx.timer(Class::Bulk);
                cx.arm_after(timer, MILLI);
            }
            On::Event(event) if event == again => drop(cx.schedule(event)),
            On::Timer(_) => {
                cx.schedule(other);
            }
            On::Event(_) => own.as_ref().unwrap().send(Class::Bulk, 7).unwrap(),
            On::Message(7) if late == 0 => {
                late = 1;
                cx.unschedule(again);
                told.send(()).unwrap();
            }
            other => unreachable!("{other:?}"),
        }
    });
}

/// A job takes itself back, and another, while it runs.
#[test]
fn jobs_are_taken_back_and_given_up() {
    everywhere(&1, |told| {
        let (mut works, mut ran) = (vec![], 0);
        move |cx: &mut Context<'_>, on| match on {
            On::Start => {
                works = (0..3).map(|_| cx.work(Class::Bulk)).collect::<Vec<WorkId>>();
                for work in &works {
                    assert_eq!(cx.queue(*work), Scheduling::Scheduled);
                    assert_eq!(cx.queue(*work), Scheduling::AlreadyPending);
                }
                let timer = cx.timer(Class::Bulk);
                cx.arm_after(timer, 10 * MILLI);
            }
            On::Work(work) => {
                ran += 1;
                assert_eq!(work, works[0]);
                assert_eq!(cx.unqueue(work), Cancel::Running);
                assert_eq!(cx.unqueue(works[1]), Cancel::Cancelled);
                cx.remove_work(works[2]);
                assert_eq!(cx.queue(works[2]), Scheduling::Gone);
                assert_eq!(cx.unqueue(works[2]), Cancel::NotPending);
            }
            On::Timer(_) => told.send(ran).unwrap(),
            other => unreachable!("{other:?}"),
        }
    });
}
