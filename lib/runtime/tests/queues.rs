//! Work queues, on real workers and in the simulation.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;

use std::sync::mpsc::{Receiver, Sender};

use common::{next, runtime, told};
use dunlin_runtime::{
    Address, Class, Context, Duration, Loop, Progress, TimerId, WorkId,
    kit::queue::{Completion, Process, QueueOptions, QueueStats, Verdict, WorkQueue},
    sim::{SimOptions, SimRuntime},
};

/// An item: its name, and what comes of each of its runs; the last of that for ever.
#[derive(Clone)]
struct Task {
    name: &'static str,
    verdicts: Vec<Verdict>,
    takes: Duration,
}

fn task(name: &'static str, verdicts: &[Verdict]) -> Task {
    Task { name, verdicts: verdicts.to_vec(), takes: Duration::ZERO }
}

enum Order {
    Push(Vec<Task>),
    Plug,
    Unplug,
    Unblock,
    Clear,
    /// Renames what waits.
    Rename(&'static str),
}

/// A loop with a queue, which tells what happens to its items and when, in microseconds.
struct Shop {
    options: QueueOptions,
    queue: Option<WorkQueue<Task>>,
    told: Sender<(u64, String)>,
}

impl Shop {
    fn queue(&mut self) -> &mut WorkQueue<Task> {
        self.queue.as_mut().unwrap()
    }

    fn tell(&self, cx: &Context<'_>, what: String) {
        self.told.send((cx.now().as_nanos() / 1000, what)).unwrap();
    }
}

impl Loop for Shop {
    type Message = Order;

    fn start(&mut self, cx: &mut Context<'_>) {
        self.queue = Some(WorkQueue::new(cx, "shop", Class::Routing, self.options));
    }

    fn message(&mut self, cx: &mut Context<'_>, order: Order) {
        let queue = self.queue.as_mut().unwrap();
        match order {
            Order::Push(tasks) => tasks.into_iter().for_each(|task| queue.push(cx, task)),
            Order::Plug => queue.plug(cx),
            Order::Unplug => queue.unplug(cx),
            Order::Unblock => queue.unblock(cx),
            Order::Rename(name) => queue.iter_mut().for_each(|task| task.name = name),
            Order::Clear => {
                let names: Vec<_> = queue.clear(cx).iter().map(|task| task.name).collect();
                self.tell(cx, format!("cleared {}", names.join(" ")));
            }
        }
    }

    fn timer(&mut self, cx: &mut Context<'_>, timer: TimerId) {
        assert!(self.queue().timer(cx, timer));
    }

    fn work(&mut self, cx: &mut Context<'_>, _: WorkId) -> Progress {
        WorkQueue::run(self, cx, Self::queue)
    }
}

impl Process<Task> for Shop {
    fn process(&mut self, cx: &mut Context<'_>, task: &mut Task) -> Verdict {
        self.tell(cx, task.name.to_owned());
        cx.sim_consume(task.takes);
        if task.name == "plugs" {
            self.queue().plug(cx);
        }
        if task.verdicts.len() > 1 { task.verdicts.remove(0) } else { task.verdicts[0] }
    }

    fn completed(&mut self, cx: &mut Context<'_>, task: Task, completion: Completion) {
        self.tell(cx, format!("{} {completion:?}", task.name));
    }

    fn drained(&mut self, cx: &mut Context<'_>) {
        self.tell(cx, "drained".to_owned());
    }
}

struct World {
    sim: SimRuntime,
    shop: Address<Order>,
    heard: Receiver<(u64, String)>,
}

impl World {
    fn new(options: QueueOptions) -> Self {
        let mut sim =
            SimRuntime::with_options(SimOptions { workers: 1, moves: 0, ..SimOptions::new(21) });
        let (told, heard) = told();
        let shop = sim.spawn("shop", Class::Routing, Shop { options, queue: None, told });
        sim.run_for(Duration::from_millis(1));
        Self { sim, shop, heard }
    }

    fn order(&mut self, order: Order, millis: u64) -> Vec<String> {
        self.order_timed(order, millis).into_iter().map(|(_, what)| what).collect()
    }

    /// What is told within that time, each after so many microseconds.
    fn order_timed(&mut self, order: Order, millis: u64) -> Vec<(u64, String)> {
        let began = self.sim.now().as_nanos() / 1000;
        self.shop.send(Class::Control, order).unwrap();
        self.sim.run_for(Duration::from_millis(millis));
        self.heard.try_iter().map(|(when, what)| (when - began, what)).collect()
    }

    fn stats(&self) -> QueueStats {
        self.sim.stats().loops[0].queues[0].clone()
    }
}

const SUCCESS: &[Verdict] = &[Verdict::Success];

#[test]
fn first_in_first_out_after_the_hold() {
    let hold = Duration::from_millis(50);
    let mut world = World::new(QueueOptions { hold, ..QueueOptions::default() });
    assert!(world.order(Order::Push(vec![task("a", SUCCESS), task("b", SUCCESS)]), 30).is_empty());
    assert_eq!(world.stats().items, 2);
    // The hold is the first item's; who joins waits for the rest of it.
    let told = world.order_timed(Order::Push(vec![task("c", &[Verdict::Error])]), 30);
    let names: Vec<&str> = told.iter().map(|(_, what)| &**what).collect();
    assert_eq!(names, ["a", "a Success", "b", "b Success", "c", "c Error", "drained"]);
    assert!((19_500..21_000).contains(&told[0].0), "{told:?}");
    let stats = world.stats();
    assert_eq!((stats.runs, stats.best, stats.items_run), (1, 3, 3));
    assert_eq!((stats.successes, stats.errors, stats.items), (2, 1, 0));
    assert_eq!((&*stats.name, stats.hold), ("shop", hold));
}

#[test]
fn an_item_is_tried_once_and_again_as_often_as_is_said() {
    for retries in [0, 1, 4] {
        let mut world = World::new(QueueOptions { retries, ..QueueOptions::default() });
        let later = Duration::from_millis(10);
        let again = task("again", &[Verdict::Retry(later)]);
        let told = world.order_timed(Order::Push(vec![again, task("other", SUCCESS)]), 200);
        let tries: Vec<u64> =
            told.iter().filter(|(_, what)| what == "again").map(|(when, _)| *when).collect();
        assert_eq!(tries.len(), 1 + retries as usize, "tried once, and {retries} times more");
        assert!(tries.windows(2).all(|two| (10_000..10_500).contains(&(two[1] - two[0]))));
        let ends: Vec<&str> =
            told.iter().map(|(_, what)| &**what).filter(|what| what.contains(' ')).collect();
        let expected = ["other Success", "again GivenUp"];
        assert!(ends.iter().all(|end| expected.contains(end)) && ends.len() == 2, "{ends:?}");
        let stats = world.stats();
        assert_eq!((stats.retries, stats.given_up), (u64::from(retries), 1));
        assert_eq!((stats.later, stats.items), (0, 0));
    }
}

#[test]
fn success_is_not_tried_again() {
    let mut world = World::new(QueueOptions::default());
    let once = task("once", &[Verdict::Retry(Duration::ZERO), Verdict::Success]);
    let told = world.order(Order::Push(vec![once]), 10);
    assert_eq!(told, ["once", "once", "once Success", "drained"]);
}

#[test]
fn to_be_requeued_is_no_failure() {
    let mut world = World::new(QueueOptions { retries: 0, ..QueueOptions::default() });
    let mut verdicts = vec![Verdict::Requeue; 5];
    verdicts.push(Verdict::Success);
    let told = world.order(Order::Push(vec![task("a", &verdicts), task("b", SUCCESS)]), 10);
    assert_eq!(told[..4], ["a", "b", "b Success", "a"]);
    assert_eq!(told[told.len() - 2..], ["a Success", "drained"]);
    assert_eq!(world.stats().requeues, 5);
}

#[test]
fn a_blocked_queue_waits_with_its_first_item() {
    let blocked = [Verdict::Blocked, Verdict::Success];
    let mut world = World::new(QueueOptions::default());
    let tasks = || vec![task("a", &blocked), task("b", SUCCESS)];
    assert_eq!(world.order(Order::Push(tasks()), 1000), ["a"]);
    assert!(world.stats().is_blocked);
    assert!(world.order(Order::Push(vec![task("c", SUCCESS)]), 1000).is_empty());
    let told = world.order(Order::Unblock, 10);
    assert_eq!(told, ["a", "a Success", "b", "b Success", "c", "c Success", "drained"]);
    // By itself, if it is told to.
    let options =
        QueueOptions { blocked: Some(Duration::from_millis(20)), ..QueueOptions::default() };
    let mut world = World::new(options);
    let told = world.order_timed(Order::Push(tasks()), 30);
    assert!(told[1].0 >= 20_000 && told.len() == 6, "{told:?}");
    assert_eq!(world.stats().blocked, 1);
}

#[test]
fn a_plugged_queue_takes_and_does_not_run() {
    let mut world = World::new(QueueOptions::default());
    assert!(world.order(Order::Plug, 1).is_empty());
    assert!(world.order(Order::Push(vec![task("a", SUCCESS)]), 100).is_empty());
    assert!(world.stats().is_plugged);
    assert_eq!(world.order(Order::Unplug, 1), ["a", "a Success", "drained"]);
    let later = task("later", &[Verdict::Retry(Duration::from_secs(1))]);
    assert_eq!(world.order(Order::Push(vec![later]), 1), ["later"]);
    world.order(Order::Plug, 1);
    let told = world.order(Order::Push(vec![task("b", SUCCESS)]), 2000);
    assert!(told.is_empty(), "plugged though its time has come: {told:?}");
    assert_eq!(world.order(Order::Clear, 1), ["cleared b later"]);
    assert_eq!(world.order(Order::Unplug, 1), Vec::<String>::new());
    assert_eq!(world.order(Order::Push(vec![task("c", SUCCESS)]), 1).len(), 3);
}

#[test]
fn a_queue_plugged_by_one_of_its_items_stops_behind_it() {
    let mut world = World::new(QueueOptions::default());
    let told = world.order(Order::Push(vec![task("plugs", SUCCESS), task("a", SUCCESS)]), 100);
    assert_eq!(told, ["plugs", "plugs Success"]);
    assert_eq!(world.order(Order::Unplug, 1), ["a", "a Success", "drained"]);
}

#[test]
fn it_gives_way_when_the_budget_is_spent() {
    let mut world = World::new(QueueOptions::default());
    let takes = Duration::from_micros(100);
    let tasks = (0..200).map(|_| Task { takes, ..task("slow", SUCCESS) }).collect();
    world.order(Order::Push(tasks), 100);
    let stats = world.stats();
    assert_eq!((stats.items_run, stats.successes), (200, 200));
    assert!(stats.runs > 1 && stats.yields == stats.runs - 1, "{stats:?}");
    assert!(stats.best < 200 && stats.average() > 1.0);
}

#[test]
fn on_a_real_worker_too() {
    let runtime = runtime(2);
    let (told, heard) = told();
    let options = QueueOptions { hold: Duration::from_millis(5), ..QueueOptions::default() };
    let shop = runtime.spawn("shop", Class::Routing, Shop { options, queue: None, told });
    let again = task("again", &[Verdict::Retry(Duration::from_millis(2))]);
    let tasks = vec![task("a", &[Verdict::Requeue, Verdict::Success]), again];
    shop.send(Class::Control, Order::Push(tasks)).unwrap();
    let mut seen = Vec::new();
    while seen.last().is_none_or(|last| last != "drained") {
        seen.push(next(&heard).1);
    }
    assert_eq!(seen.iter().filter(|what| *what == "again").count(), 4);
    assert_eq!(seen.iter().filter(|what| *what == "a").count(), 2);
    let stats = &runtime.stats().loops[0].queues[0];
    assert_eq!((stats.successes, stats.given_up, stats.retries), (1, 1, 3));
}

#[test]
fn a_queue_has_no_timer_before_it_waits() {
    let mut world = World::new(QueueOptions::default());
    let timers = |world: &World| world.sim.stats().loops[0].timers;
    assert_eq!(world.order(Order::Push(vec![task("a", SUCCESS)]), 10).len(), 3);
    assert_eq!(timers(&world), 0);
    let later = [Verdict::Retry(Duration::from_millis(5)), Verdict::Success];
    assert_eq!(world.order(Order::Push(vec![task("b", &later)]), 50).last().unwrap(), "drained");
    assert_eq!(timers(&world), 1);
}

#[test]
fn what_waits_can_be_changed_where_it_is() {
    let mut world = World::new(QueueOptions::default());
    world.order(Order::Plug, 1);
    world.order(Order::Push(vec![task("a", SUCCESS), task("b", SUCCESS)]), 1);
    assert!(world.order(Order::Rename("c"), 1).is_empty());
    let told = world.order(Order::Unplug, 10);
    assert_eq!(told, ["c", "c Success", "c", "c Success", "drained"]);
}
