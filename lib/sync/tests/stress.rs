//! Real threads: what the model checker cannot reach by size. Also the thread sanitizer's lane.
#![cfg(not(loom))]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;

use dunlin_sync::{
    Batch, Begin, CachePadded, Class, Classes, EventNode, Inbox, Item, Placement, StateWord,
    WakeWord,
};

const PRODUCERS: usize = 4;
const ROUNDS: u64 = if cfg!(debug_assertions) { 50_000 } else { 200_000 };

/// A message whose drops are counted.
struct Counted {
    producer: usize,
    number: u64,
    dropped: Arc<AtomicU64>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn every_message_arrives_once_and_in_order_and_is_dropped_once() {
    let dropped = Arc::new(AtomicU64::new(0));
    let inbox = Arc::new(Inbox::<Counted>::new());
    let producers: Vec<_> = (0..PRODUCERS)
        .map(|producer| {
            let (inbox, dropped) = (Arc::clone(&inbox), Arc::clone(&dropped));
            thread::spawn(move || {
                for number in 0..ROUNDS {
                    let dropped = Arc::clone(&dropped);
                    inbox.push(Counted { producer, number, dropped }, ());
                }
            })
        })
        .collect();
    let mut next = [0; PRODUCERS];
    // The last quarter is left to the batch's and the inbox's own destructors.
    while next.iter().sum::<u64>() < PRODUCERS as u64 * ROUNDS * 3 / 4 {
        for entry in inbox.take_all().take(100) {
            let Item::Message(message) = entry.item else { panic!("no event was scheduled") };
            assert!(message.number >= next[message.producer], "order of {}", message.producer);
            next[message.producer] = message.number + 1;
        }
        thread::yield_now();
        if producers.iter().all(thread::JoinHandle::is_finished) && inbox.is_empty() {
            break;
        }
    }
    for producer in producers {
        producer.join().unwrap();
    }
    drop(inbox);
    assert_eq!(dropped.load(Ordering::Relaxed), PRODUCERS as u64 * ROUNDS);
}

#[test]
fn events_run_after_every_scheduling_and_are_let_go() {
    let inbox = Arc::new(Inbox::<()>::new());
    let events: Vec<_> = (0..8).map(EventNode::new).collect();
    let written = Arc::new([const { AtomicU64::new(0) }; 8]);
    let running = Arc::new(AtomicUsize::new(PRODUCERS));
    let producers: Vec<_> = (0..PRODUCERS)
        .map(|producer| {
            let (inbox, events) = (Arc::clone(&inbox), events.clone());
            let (written, running) = (Arc::clone(&written), Arc::clone(&running));
            thread::spawn(move || {
                for round in 0..ROUNDS {
                    let at = (round as usize * 7 + producer) % events.len();
                    written[at].fetch_add(1, Ordering::Relaxed);
                    inbox.schedule(&events[at], ());
                    if round % 64 == 0 {
                        events[at].cancel();
                        inbox.schedule(&events[at], ());
                    }
                }
                running.fetch_sub(1, Ordering::Release);
            })
        })
        .collect();
    let (mut seen, mut runs) = ([0; 8], 0_u64);
    loop {
        let finished = running.load(Ordering::Acquire) == 0;
        for entry in inbox.take_all() {
            let Item::Event(id) = entry.item else { panic!("no message was pushed") };
            seen[id as usize] = written[id as usize].load(Ordering::Relaxed);
            runs += 1;
        }
        if finished {
            break;
        }
        thread::yield_now();
    }
    for producer in producers {
        producer.join().unwrap();
    }
    let written: Vec<_> = written.iter().map(|count| count.load(Ordering::Relaxed)).collect();
    assert_eq!(seen.to_vec(), written, "the last run of each follows its last scheduling");
    assert!(runs <= PRODUCERS as u64 * (ROUNDS + ROUNDS / 64 + 1));
    assert!(events.iter().all(|event| Arc::strong_count(event) == 1), "no list holds one");
}

/// A loop as the runtime has it, as far as this crate goes.
struct Looped {
    state: StateWord,
    inbox: Inbox<u64>,
    /// Not atomic on purpose (a load and a store): two runs at a time would lose counts.
    handled: AtomicU64,
}

struct Worker {
    inbox: Inbox<(usize, Class, Placement)>,
    wake: CachePadded<WakeWord>,
    calls: AtomicU64,
}

struct Pool {
    loops: Vec<Looped>,
    workers: Vec<Worker>,
    threads: Vec<std::sync::OnceLock<thread::Thread>>,
    left: AtomicU64,
}

impl Pool {
    fn new(loops: usize, workers: usize, messages: u64) -> Self {
        let looped = |n: usize| Looped {
            state: StateWord::new((n % workers) as u16),
            inbox: Inbox::new(),
            handled: AtomicU64::new(0),
        };
        let worker = |_| Worker {
            inbox: Inbox::new(),
            wake: CachePadded::new(WakeWord::new()),
            calls: AtomicU64::new(0),
        };
        Self {
            loops: (0..loops).map(looped).collect(),
            workers: (0..workers).map(worker).collect(),
            threads: (0..workers).map(|_| std::sync::OnceLock::new()).collect(),
            left: AtomicU64::new(messages),
        }
    }

    fn send(&self, to: usize, class: Class, value: u64) {
        self.loops[to].inbox.push(value, ());
        if let Some(at) = self.loops[to].state.notify(class).placement() {
            self.enqueue(to, class, at);
        }
    }

    fn enqueue(&self, number: usize, class: Class, at: Placement) {
        let worker = &self.workers[at.worker as usize];
        worker.inbox.push((number, class, at), ());
        self.wake(at.worker as usize);
    }

    fn wake(&self, worker: usize) {
        if self.workers[worker].wake.wake() {
            self.workers[worker].calls.fetch_add(1, Ordering::Relaxed);
            if let Some(thread) = self.threads[worker].get() {
                thread.unpark();
            }
        }
    }

    fn work(&self, me: usize) {
        assert!(self.threads[me].set(thread::current()).is_ok(), "a worker starts once");
        let mut batch = Batch::empty();
        loop {
            self.workers[me].wake.begin_turn();
            while batch.refill(&self.workers[me].inbox) {
                for entry in batch.by_ref().take(8) {
                    let Item::Message((number, class, at)) = entry.item else { continue };
                    self.serve(number, class, at);
                }
            }
            if self.left.load(Ordering::Acquire) == 0 {
                (0..self.workers.len()).for_each(|other| self.wake(other));
                return;
            }
            if self.workers[me].wake.prepare_sleep() {
                thread::park();
            }
        }
    }

    fn serve(&self, number: usize, class: Class, at: Placement) {
        let looped = &self.loops[number];
        if let Begin::Run(_) = looped.state.begin_run(class, at) {
            let count = looped.inbox.take_all().count() as u64;
            let before = looped.handled.load(Ordering::Relaxed);
            looped.handled.store(before + count, Ordering::Relaxed);
            if let Some(class) = looped.state.end_run(Classes::NONE) {
                self.enqueue(number, class, at);
            }
            self.left.fetch_sub(count, Ordering::AcqRel);
            if count.is_multiple_of(3) {
                self.pass_on(number, at);
            }
        }
    }

    /// Moves a loop to the next worker.
    fn pass_on(&self, number: usize, at: Placement) {
        if self.loops[number].state.begin_move() {
            let to = (at.worker + 1) % self.workers.len() as u16;
            let moved = self.loops[number].state.finish_move(to);
            if let Some(class) = moved.requeue {
                self.enqueue(number, class, moved.placement);
            }
        }
    }
}

/// The whole path with loops that move all the time; it ends only if no wake-up is lost.
#[test]
fn loops_that_move_between_sleeping_workers_lose_nothing() {
    const LOOPS: usize = 5;
    const WORKERS: usize = 3;
    let rounds = ROUNDS / 5;
    let messages = PRODUCERS as u64 * rounds;
    let pool = Arc::new(Pool::new(LOOPS, WORKERS, messages));
    let start = |run: Box<dyn FnOnce() + Send>| thread::spawn(run);
    let mut threads = Vec::new();
    for me in 0..WORKERS {
        let pool = Arc::clone(&pool);
        threads.push(start(Box::new(move || pool.work(me))));
    }
    for producer in 0..PRODUCERS {
        let pool = Arc::clone(&pool);
        threads.push(start(Box::new(move || {
            for round in 0..rounds {
                let class = Class::ALL[(round as usize + producer) % 4];
                pool.send((round as usize * 3 + producer) % LOOPS, class, round);
                if round % 32 == 0 {
                    thread::yield_now();
                }
            }
        })));
    }
    for thread in threads {
        thread.join().unwrap();
    }
    let handled: u64 = pool.loops.iter().map(|one| one.handled.load(Ordering::Relaxed)).sum();
    assert_eq!(handled, messages);
}
