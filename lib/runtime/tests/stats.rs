//! What the runtime measures of itself, on threads and on virtual time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]
#![allow(clippy::disallowed_types, reason = "tests collect what workers say")]

mod common;

use std::sync::{Arc, Mutex, mpsc::Sender};

use common::{burn, eventually, next, told, without_places};
use dunlin_runtime::{
    Class, Context, Culprit, Duration, EventId, Handler, HandlerStats, LogRecord, Loop, LoopId,
    Loops, Progress, Rhythm, Runtime, RuntimeHandle, RuntimeOptions, Stats, StatsReply, Survey,
    TimerId, Watch, WorkId,
    sim::{SimOptions, SimRuntime},
};

/// What has been reported.
#[derive(Clone, Default)]
struct Reports(Arc<Mutex<Vec<String>>>);

impl Reports {
    fn sink(&self) -> Arc<dyn dunlin_runtime::LogSink> {
        let reports = self.clone();
        Arc::new(move |record: &LogRecord| reports.0.lock().unwrap().push(record.text.clone()))
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl Reports {
    /// All so far, which are forgotten.
    fn take(&self) -> Vec<String> {
        core::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// A simulation in which nothing is up to chance, and its reports.
fn quiet(workers: usize) -> (SimRuntime, Reports) {
    let reports = Reports::default();
    let micro = Duration::from_micros(1);
    let options = SimOptions {
        workers,
        handler_cost: micro..=micro,
        shuffle: false,
        moves: 0,
        log: Some(reports.sink()),
        ..SimOptions::new(1)
    };
    (SimRuntime::with_options(options), reports)
}

fn handlers(sim: &SimRuntime) -> Vec<HandlerStats> {
    sim.survey(&Survey { loops: Loops::None, handlers: true }).handlers
}

fn of<'h>(all: &'h [HandlerStats], kind: &str, class: Class, handler: Handler) -> &'h HandlerStats {
    let is = |one: &&HandlerStats| (one.kind, one.class, one.handler) == (kind, class, handler);
    all.iter().find(is).unwrap_or_else(|| panic!("no {kind} {class:?} {handler}: {all:#?}"))
}

fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// Is told how long to work in an event of its class.
struct Hog {
    class: Class,
    event: EventId,
    span: Duration,
    real: bool,
}

impl Hog {
    fn new(class: Class, real: bool) -> Self {
        Self { class, event: EventId::NONE, span: Duration::ZERO, real }
    }
}

impl Loop for Hog {
    type Message = Duration;

    fn start(&mut self, cx: &mut Context<'_>) {
        self.event = cx.event(self.class);
    }

    fn message(&mut self, cx: &mut Context<'_>, span: Duration) {
        self.span = span;
        cx.schedule(self.event);
    }

    fn event(&mut self, cx: &mut Context<'_>, _: EventId) {
        if self.real { burn(self.span) } else { cx.sim_consume(self.span) }
    }
}

/// Has a timer after each message.
struct Punctual {
    class: Class,
    timer: TimerId,
    fired: Option<Sender<()>>,
}

impl Loop for Punctual {
    type Message = Duration;

    fn start(&mut self, cx: &mut Context<'_>) {
        self.timer = cx.timer(self.class);
    }

    fn message(&mut self, cx: &mut Context<'_>, after: Duration) {
        cx.arm_after(self.timer, after);
    }

    fn timer(&mut self, _: &mut Context<'_>, _: TimerId) {
        if let Some(fired) = &self.fired {
            fired.send(()).unwrap();
        }
    }
}

#[test]
fn an_overrun_is_counted_and_named_in_every_class() {
    for class in Class::ALL {
        let (mut sim, reports) = quiet(1);
        let hog = sim.spawn("the hog", class, Hog::new(class, false));
        hog.send(Class::Control, millis(40)).unwrap();
        sim.run_for(millis(500));
        assert_eq!(sim.stats().workers[0].overruns, [0; 4], "40 ms are allowed to all");
        hog.send(Class::Control, millis(205)).unwrap();
        sim.run_for(millis(500));
        let mut expected = [0; 4];
        expected[class.index()] = 1;
        assert_eq!(sim.stats().workers[0].overruns, expected);
        let text =
            format!("event 0 of the hog ({}) took 205.0 ms", format!("{class:?}").to_lowercase());
        let said: Vec<_> = reports.all().iter().map(|text| without_places(text)).collect();
        assert_eq!(said, [text]);
        let all = handlers(&sim);
        let stats = of(&all, "Hog", class, Handler::Event);
        assert_eq!(stats.run.count(), 2);
        let longest = stats.longest.unwrap();
        assert!(longest.span >= millis(205) && longest.span < millis(206));
        assert_eq!(longest.who.loop_id, hog.loop_id());
        assert!(stats.run.per_mille(999) >= longest.span);
        assert!(stats.run.per_mille(500) >= millis(40) && stats.run.per_mille(500) < millis(46));
    }
}

#[test]
fn a_late_liveness_timer_says_who_held_the_worker() {
    let (mut sim, reports) = quiet(1);
    let hog = sim.spawn("the hog", Class::Bulk, Hog::new(Class::Bulk, false));
    let punctual = Punctual { class: Class::Liveness, timer: TimerId::NONE, fired: None };
    let punctual = sim.spawn("the punctual", Class::Liveness, punctual);
    punctual.send(Class::Control, millis(10)).unwrap();
    sim.run_for(millis(9));
    hog.send(Class::Control, millis(301)).unwrap();
    sim.run_for(millis(500));
    let all = handlers(&sim);
    let latest = of(&all, "Punctual", Class::Liveness, Handler::Timer).latest.unwrap();
    assert!(latest.span > millis(299) && latest.span < millis(301), "{latest:?}");
    assert_eq!(latest.who.loop_id, punctual.loop_id());
    let Some(Culprit::Handler(who, held)) = latest.culprit else { panic!("{latest:?}") };
    assert_eq!((who.loop_id, who.handler, who.class), (hog.loop_id(), Handler::Event, Class::Bulk));
    assert!(held > millis(300));
    assert_eq!(sim.stats().workers[0].lates, [1, 0, 0, 0]);
    let late: Vec<_> = reports.all().into_iter().filter(|text| text.contains(" late")).collect();
    let late: Vec<_> = late.iter().map(|text| without_places(text)).collect();
    let [late] = &late[..] else { panic!("{late:?}") };
    assert!(late.starts_with("timer 0 of the punctual (liveness) ran "), "{late}");
    assert!(late.ends_with("event 0 of the hog (bulk) held the worker for 301.0 ms"), "{late}");
}

/// The same for all classes, each with a limit of its own, and off.
#[test]
fn what_is_late_is_counted_and_reported_in_every_class() {
    for class in Class::ALL {
        for limit in [None, Some(millis(100)), Some(millis(400))] {
            let (mut sim, reports) = quiet(1);
            let mut watch = Watch::OFF;
            watch.late[class.index()] = limit;
            sim.handle().watch(&watch);
            let hog = sim.spawn("the hog", Class::Bulk, Hog::new(Class::Bulk, false));
            let punctual = Punctual { class, timer: TimerId::NONE, fired: None };
            let punctual = sim.spawn("the punctual", class, punctual);
            punctual.send(Class::Control, millis(10)).unwrap();
            sim.run_for(millis(9));
            hog.send(Class::Control, millis(301)).unwrap();
            sim.run_for(millis(500));
            let mut expected = [0; 4];
            expected[class.index()] = u64::from(limit == Some(millis(100)));
            assert_eq!(sim.stats().workers[0].lates, expected, "{class:?} {limit:?}");
            let said: Vec<_> = reports.all().iter().map(|text| without_places(text)).collect();
            if expected == [0; 4] {
                assert_eq!(said, [""; 0]);
                continue;
            }
            let [late] = &said[..] else { panic!("{said:?}") };
            let who = format!("timer 0 of the punctual ({})", format!("{class:?}").to_lowercase());
            assert!(late.starts_with(&format!("{who} ran ")), "{late}");
            let why = " ms late: event 0 of the hog (bulk) held the worker for 301.0 ms";
            assert!(late.ends_with(why), "{late}");
        }
    }
}

#[test]
fn a_worker_that_was_not_run_in_time_blames_the_system() {
    let (mut sim, _) = quiet(1);
    let punctual = Punctual { class: Class::Liveness, timer: TimerId::NONE, fired: None };
    let punctual = sim.spawn("the punctual", Class::Liveness, punctual);
    punctual.send(Class::Control, millis(10)).unwrap();
    sim.run_for(millis(5));
    sim.block_worker(0, millis(200));
    sim.run_for(millis(500));
    let all = handlers(&sim);
    let latest = of(&all, "Punctual", Class::Liveness, Handler::Timer).latest.unwrap();
    assert!(latest.span > millis(190), "{latest:?}");
    assert_eq!(latest.culprit, Some(Culprit::System));
}

/// Its event is asked for in two places, one of which has it take longer.
struct Twice(EventId, Duration);

impl Loop for Twice {
    type Message = bool;

    fn start(&mut self, cx: &mut Context<'_>) {
        self.0 = cx.event(Class::Bulk);
    }

    fn message(&mut self, cx: &mut Context<'_>, is_long: bool) {
        if is_long {
            self.1 = millis(5);
            cx.schedule(self.0); // the long one
        } else {
            self.1 = millis(1);
            cx.schedule(self.0); // the short one
        }
    }

    fn event(&mut self, cx: &mut Context<'_>, _: EventId) {
        cx.sim_consume(self.1);
    }
}

/// Each worker has histograms of its own for each place in the program that asks for a handler, with the worst of it.
#[test]
fn handlers_are_measured_by_worker_and_by_the_place_that_asked() {
    let line_of = |what: &str| {
        let mut lines = include_str!("stats.rs").lines().zip(1..);
        lines.find(|(line, _)| line.ends_with(what)).map(|(_, number): (_, u32)| number).unwrap()
    };
    let (mut sim, _) = quiet(2);
    let loops = [0, 1].map(|worker| {
        let address = sim.spawn("twice", Class::Bulk, Twice(EventId::NONE, Duration::ZERO));
        address.pin(Some(worker));
        address
    });
    sim.run_for(millis(10));
    for (address, times) in loops.iter().zip([30, 50]) {
        for at in 0..times {
            address.send(Class::Control, at % 10 == 0).unwrap();
            sim.run_for(millis(10));
        }
    }
    let stats = sim.survey(&Survey { loops: Loops::None, handlers: true });
    let all = of(&stats.handlers, "Twice", Class::Bulk, Handler::Event);
    assert_eq!((all.worker, all.run.count()), (None, 80));
    for (line, counts, took) in
        [(line_of("// the long one"), [3, 5], 5), (line_of("// the short one"), [27, 45], 1)]
    {
        for (worker, count) in counts.into_iter().enumerate() {
            let is = |one: &&HandlerStats| {
                let place = sim.handle().place(one.place).map(|place| place.line());
                (one.worker, one.handler, place) == (Some(worker), Handler::Event, Some(line))
            };
            let site = stats.sites.iter().find(is).unwrap();
            assert_eq!((site.kind, site.class), ("Twice", Class::Bulk));
            assert_eq!((site.run.count(), site.wait.count()), (count, count));
            let p50 = site.run.per_mille(500);
            assert!(p50 >= millis(took) && p50 <= millis(took) * 9 / 8, "{p50:?}");
            let longest = site.longest.unwrap();
            assert_eq!(longest.span.as_millis() as u64, took);
            assert_eq!(longest.who.loop_id, loops[worker].loop_id());
        }
    }
    // The sums are those of the places.
    for sum in &stats.handlers {
        let of = |one: &&HandlerStats| {
            (one.kind, one.class, one.handler) == (sum.kind, sum.class, sum.handler)
        };
        let counts = stats.sites.iter().filter(of).map(|one| one.run.count());
        assert_eq!(counts.sum::<u64>(), sum.run.count());
    }
}

/// Of one loop and class one report of a kind in ten seconds, of all together five; the others are counted and told.
#[test]
fn reports_are_throttled_by_loop_and_class_and_say_how_many_were_left_out() {
    let (mut sim, reports) = quiet(1);
    let mut watch = Watch::OFF;
    watch.overrun = [Some(millis(50)); 4];
    sim.handle().watch(&watch);
    let hogs: Vec<_> = (1..=8)
        .map(|number| {
            let class = Class::ALL[number % 4];
            sim.spawn(&format!("hog {number}"), class, Hog::new(class, false))
        })
        .collect();
    let round = |sim: &mut SimRuntime, times: usize| {
        for _ in 0..times {
            hogs.iter().for_each(|hog| hog.send(Class::Control, millis(60)).unwrap());
            sim.run_for(millis(800));
        }
        reports.take()
    };
    let first = round(&mut sim, 3);
    assert_eq!(first.len(), 5, "{first:?}");
    assert!(first.iter().all(|text| text.ends_with(" took 60.0 ms")), "{first:?}");
    sim.run_for(millis(10_000));
    // All but those five are told of: two each of five loops, three each of three.
    let second = round(&mut sim, 1);
    assert_eq!(second.len(), 5, "{second:?}");
    let count = |what: &str| -> u64 {
        let parts = second.iter().filter_map(|text| text.split_once(what));
        let number = |head: &str| head.rsplit(' ').next().and_then(|word| word.parse::<u64>().ok());
        parts.filter_map(|(head, _)| number(head)).sum::<u64>()
    };
    let told = count(" more like this since the last report") + count(" of this kind about others");
    assert_eq!(told, 3 * 8 - 5, "{second:?}");
}

#[test]
fn what_is_reported_can_be_changed_while_it_runs() {
    let (mut sim, reports) = quiet(1);
    let mut watch = Watch::OFF;
    sim.handle().watch(&watch);
    let hog = sim.spawn("the hog", Class::Bulk, Hog::new(Class::Bulk, false));
    hog.send(Class::Control, millis(900)).unwrap();
    sim.run_for(millis(1000));
    assert_eq!(reports.all(), [""; 0]);
    watch.overrun[Class::Bulk.index()] = Some(millis(5));
    sim.handle().watch(&watch);
    hog.send(Class::Control, millis(6)).unwrap();
    sim.run_for(millis(1000));
    let said: Vec<_> = reports.all().iter().map(|text| without_places(text)).collect();
    assert_eq!(said, ["event 0 of the hog (bulk) took 6.0 ms"]);
}

/// Works in pieces.
struct Pieces {
    left: u32,
}

impl Loop for Pieces {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        let work = cx.work(Class::Bulk);
        cx.queue(work);
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}

    fn work(&mut self, _: &mut Context<'_>, _: WorkId) -> Progress {
        self.left -= 1;
        if self.left == 0 { Progress::Done } else { Progress::More }
    }
}

fn ask(handle: &RuntimeHandle, survey: Survey) -> Stats {
    let (sender, receiver) = told();
    handle.survey(survey, StatsReply::new(move |stats| sender.send(stats).unwrap()));
    next(&receiver)
}

/// The same on threads: kinds, classes, waits, and that clearing clears.
#[test]
fn threads_count_by_kind_class_and_handler() {
    let runtime = Runtime::new(RuntimeOptions { threads: 2, ..RuntimeOptions::default() }).unwrap();
    let all = || ask(&runtime.handle(), Survey { loops: Loops::All, handlers: true });
    let (sender, fired) = told();
    let punctual = Punctual { class: Class::Routing, timer: TimerId::NONE, fired: Some(sender) };
    let punctual = runtime.spawn("punctual", Class::Routing, punctual);
    runtime.spawn("pieces", Class::Bulk, Pieces { left: 100 });
    for _ in 0..50 {
        punctual.send(Class::Control, millis(1)).unwrap();
        next(&fired);
    }
    let hog = runtime.spawn("hog", Class::Bulk, Hog::new(Class::Bulk, true));
    hog.send(Class::Control, millis(20)).unwrap();
    eventually("the hog has worked", || {
        all().loops.iter().any(|one| one.kind == "Hog" && one.longest >= millis(20))
    });
    let stats = all();
    assert!(stats.complete);
    let timer = of(&stats.handlers, "Punctual", Class::Routing, Handler::Timer);
    assert_eq!((timer.run.count(), timer.wait.count()), (50, 50));
    assert!(timer.latest.unwrap().span > Duration::ZERO);
    let message = of(&stats.handlers, "Punctual", Class::Control, Handler::Message);
    assert_eq!(message.run.count(), 50);
    assert_eq!(message.wait.count(), 0, "sent by no handler: nobody knows how long they waited");
    let pieces = of(&stats.handlers, "Pieces", Class::Bulk, Handler::Work);
    assert_eq!((pieces.run.count(), pieces.wait.count()), (100, 100));
    let hog = of(&stats.handlers, "Hog", Class::Bulk, Handler::Event);
    assert!(hog.run.sum() >= millis(20));
    let one = stats.loops.iter().find(|one| one.name.as_ref() == "punctual").unwrap();
    assert_eq!(one.sites[Handler::Timer.index()].count, 50);
    assert_eq!(one.handlers, [0, 51, 50, 0]);

    runtime.handle().clear_stats();
    let stats = all();
    let gone = |one: &&HandlerStats| one.handler == Handler::Timer || one.handler == Handler::Work;
    assert_eq!(stats.handlers.iter().filter(gone).count(), 0);
    assert!(stats.loops.iter().all(|one| one.run == Duration::ZERO && one.turns == 0));
    assert!(stats.workers.iter().all(|worker| worker.longest < millis(20) && worker.turns < 10));
}

/// What tells a worker that sleeps from one that does not come back, and from one that gets no processor.
#[test]
fn a_worker_tells_when_it_woke_and_how_long_it_did_not_look() {
    let runtime = Runtime::new(RuntimeOptions { threads: 1, ..RuntimeOptions::default() }).unwrap();
    let hog = runtime.spawn("hog", Class::Bulk, Hog::new(Class::Bulk, true));
    let worker =
        || ask(&runtime.handle(), Survey { loops: Loops::None, handlers: false }).workers[0];
    eventually("it has slept", || worker().woke.is_some());
    hog.send(Class::Control, millis(80)).unwrap();
    eventually("it has worked", || worker().longest >= millis(80));
    let seen = worker();
    assert!(seen.longest_gap >= millis(80), "{seen:?}");
    assert!(seen.run_queue.is_some(), "{seen:?}");
    // It was woken to answer, and nothing waits.
    assert!(seen.woke.unwrap() < Duration::from_secs(20) && seen.oldest.is_none(), "{seen:?}");
    runtime.handle().clear_stats();
    let seen = worker();
    assert!(seen.longest_gap < millis(80) && seen.run_queue.is_some(), "{seen:?}");
    let (sim, _) = quiet(1);
    let seen = sim.stats().workers[0];
    assert_eq!((seen.woke, seen.run_queue), (None, None));
}

#[test]
fn what_loops_own_and_what_waits_for_them_is_told() {
    let (mut sim, _) = quiet(1);
    let punctual = Punctual { class: Class::Liveness, timer: TimerId::NONE, fired: None };
    let punctual = sim.spawn("punctual", Class::Liveness, punctual);
    let hog = sim.spawn("hog", Class::Bulk, Hog::new(Class::Bulk, false));
    sim.run_for(millis(1));
    punctual.send(Class::Control, millis(1000)).unwrap();
    sim.run_for(millis(1));
    for _ in 0..3 {
        hog.send(Class::Bulk, millis(1)).unwrap();
    }
    let page = |after: Option<LoopId>| Loops::Page { after, most: 1, wanted: None, details: true };
    let first = sim.survey(&Survey { loops: page(None), handlers: false });
    let details = first.loops[0].details.as_ref().unwrap();
    let timer = details.timers[0];
    assert_eq!((timer.class, timer.rhythm), (Class::Liveness, Rhythm::Once));
    let left = timer.expires.unwrap().since(sim.now());
    assert!(left > millis(990) && left < millis(1000), "{left:?}");
    assert!(details.events.is_empty() && details.works.is_empty() && details.sockets.is_empty());
    let second = sim.survey(&Survey { loops: page(first.next), handlers: false });
    let hog = &second.loops[0];
    assert_eq!((hog.waiting.urgent, hog.waiting.rest, hog.waiting.more), (0, 3, false));
    let event = hog.details.as_ref().unwrap().events[0];
    assert!(!event.pending && event.since.is_none());
    assert_eq!(second.next, None);
}
