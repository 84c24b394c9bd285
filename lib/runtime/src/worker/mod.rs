//! A worker: one thread, one poller, and the loops placed on it.

pub(crate) mod budget;
mod crew;
pub(crate) mod deadlines;
pub(crate) mod engine;
mod home;
mod idle;
mod moves;
mod number;
pub(crate) mod queue;
mod registry;
mod reports;
mod spread;
mod turn;

use core::{sync::atomic::Ordering, time::Duration};
use std::{collections::HashMap, io, sync::Arc, thread::JoinHandle};

use dunlin_mem::Arena;
use dunlin_os::poll::Events;
use dunlin_sync::{Batch, Item};
use dunlin_trace::{Ring, worker_number};

pub(crate) use moves::SETTLED;
pub(crate) use spread::{GATHERED_AT_ONCE, STAY};

use crate::{
    dispatch::{RunEntry, Ticket, look_at_clocks},
    ending::Stop,
    groups::GroupId,
    ids::LoopId,
    kit::idle::Idle,
    loop_cell::{Counters, Runnable, notify_dyn},
    moves::MoveLog,
    placement::{Auto, Balance, Calm, Eagerness, Gauge},
    pool::{Command, Injected, Pool, WorkerShared, handler_stats, local, worker_stats},
    runloop::Ready,
    stats::{Meter, Part, Survey, WorkerStats},
    time::Time,
    worker::{
        budget::Turns,
        deadlines::DeadlineHeap,
        engine::{Engine, WAKER_KEY},
        queue::RunQueue,
    },
};

/// What a worker's thread has to itself.
pub(crate) struct Worker {
    pool: Arc<Pool>,
    engine: Engine,
    arena: Arena,
    events: Events,
    queue: RunQueue<Ticket>,
    inbox: Batch<Injected>,
    loops: Vec<Option<Resident>>,
    free: Vec<u32>,
    liveness: DeadlineHeap,
    rest: DeadlineHeap,
    /// Loops with jobs waiting.
    idle: Idle,
    /// When the poller was last looked at.
    polled: Time,
    /// The last sleep was short and another thread ended it: it pays to look around for a moment
    /// before the next.
    spins: bool,
    /// Which reports may be made now.
    reports: reports::Reports,
    stage: Stage,
    /// How loops are stopped, once they are.
    how: Stop,
    home: home::Home,
    turns: Turns,
    balance: Balance,
    calm: Calm,
    eager: Eagerness,
    /// When it last had nothing to do.
    rested: Time,
    /// Groups whose number of workers follows the load; worker 0 only.
    autos: HashMap<GroupId, Auto>,
    /// Loops that came here lately.
    arrivals: MoveLog,
    /// The threads of the other workers; worker 0 only.
    threads: HashMap<u16, JoinHandle<()>>,
    /// No group is started before; worker 0 only.
    no_start_until: Time,
}

/// A loop that is with this worker.
struct Resident {
    cell: Arc<dyn Runnable>,
    loop_id: LoopId,
    /// What it uses.
    gauge: Gauge,
    arrived: Time,
    /// Since when it is with no other worker, that is when it left that; zero for one made here.
    here_since: Time,
}

/// What a worker is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Working,
    /// Gives every loop away, then ends.
    Retiring,
    /// Stops every loop, then ends.
    Stopping,
}

impl Worker {
    /// The part of a worker that may fail to be made; not necessarily on the worker's thread.
    pub(crate) fn prepare(pool: &Pool, shared: &Arc<WorkerShared>) -> io::Result<Engine> {
        let recorder = pool.options.recorder.as_ref();
        let ring = recorder.and_then(|recorder| recorder.ring(shared.index).ok());
        let ring = ring.unwrap_or(Ring::disabled());
        let meter = Meter::new(Arc::clone(&shared.gauge), Arc::clone(&pool.limits));
        Engine::new(Arc::clone(shared), ring, meter, Arc::clone(&pool.places))
    }

    /// A worker for the calling thread to [`run`](Self::run).
    pub(crate) fn new(pool: Arc<Pool>, engine: Engine) -> Self {
        let home = home::Home::new(&pool.table(), engine.shared.index);
        Self {
            turns: home.turns(&pool.options.budgets),
            home,
            pool,
            arena: Arena::new(ARENA_CAP),
            events: Events::with_capacity(EVENTS),
            queue: RunQueue::new(),
            inbox: Batch::empty(),
            loops: Vec::new(),
            free: Vec::new(),
            liveness: DeadlineHeap::default(),
            rest: DeadlineHeap::default(),
            idle: Idle::new(),
            polled: engine.now,
            spins: false,
            reports: reports::Reports::new(),
            stage: Stage::Working,
            how: Stop::NOW,
            balance: Balance::new(engine.now),
            calm: Calm::new(engine.now),
            eager: Eagerness::new(engine.now),
            rested: engine.now,
            autos: HashMap::new(),
            arrivals: MoveLog::default(),
            threads: HashMap::new(),
            no_start_until: Time::ZERO,
            engine,
        }
    }

    /// Works until retired or shut down.
    pub(crate) fn run(mut self) {
        local::enter(self.pool.mark(), self.engine.shared.index);
        self.engine.ring.take_over();
        self.engine.shared.thread.store(dunlin_os::thread::id(), Ordering::Relaxed);
        // A wish: without it a worker that wakes waits for longer behind others.
        let _ = dunlin_os::thread::set_slice(SLICE);
        self.polled = self.engine.tick();
        let started = self.polled.as_nanos();
        self.engine.shared.counters.started.store(started, Ordering::Relaxed);
        while !self.is_finished() {
            self.engine.shared.wake.begin_turn();
            self.take_inbox();
            local::drain(&mut self.queue);
            self.fire_deadlines();
            self.pay_floor();
            if let Some(ticket) = self.queue.pop() {
                self.turn(ticket);
                if self.engine.now >= self.polled + POLL_INTERVAL {
                    self.look(Some(Duration::ZERO));
                    self.consider_spread();
                    self.consider_balance();
                    self.consider_number();
                }
            } else if !self.is_finished() && !self.use_idle_time() {
                self.wait();
            }
        }
        self.end();
    }

    /// Nothing to run: sleeps until something comes.
    fn wait(&mut self) {
        if self.spins && self.spin() {
            self.rested = self.engine.now;
            return;
        }
        self.consider_balance();
        self.consider_gathering();
        self.consider_number();
        let next = self.liveness.first().min(self.rest.first()).min(self.number_due());
        let now = self.engine.tick();
        let timeout = (next != Time::NEVER).then(|| next.since(now));
        let longest = self.home.wakeup_time();
        let timeout = Some(timeout.map_or(longest, |timeout| timeout.min(longest)));
        if self.engine.shared.wake.prepare_sleep() {
            Counters::add(&self.engine.shared.counters.sleeps, 1);
            self.engine.shared.counters.waiting.store(0, Ordering::Relaxed);
            let woken = self.look(timeout);
            self.engine.meter.woke(self.engine.now);
            let woke = self.engine.now.as_nanos();
            self.engine.shared.counters.woke.store(woke, Ordering::Relaxed);
            let slept = self.engine.now.since(now);
            Counters::add(&self.engine.shared.counters.idle, slept.as_nanos() as u64);
            self.spins = woken && slept < SHORT_SLEEP;
            if slept >= LONG_SLEEP {
                self.engine.shared.set_load(0.0);
            }
        } else {
            self.look(Some(Duration::ZERO));
        }
        self.rested = self.engine.now;
    }

    /// Looks around for a moment for what another thread is about to send; true if it has.
    fn spin(&mut self) -> bool {
        let start = self.engine.tick();
        while self.engine.tick().since(start) < SPIN {
            if !self.engine.shared.inbox.is_empty() {
                return true;
            }
            core::hint::spin_loop();
        }
        false
    }

    /// Waits in the poller and hands out readiness; true if another thread ended the wait.
    fn look(&mut self, timeout: Option<Duration>) -> bool {
        let counters = &self.engine.shared.counters;
        Counters::add(&counters.polls, 1);
        Counters::raise(&counters.longest_gap, self.engine.now.nanos_since(self.polled));
        let mut woken = false;
        if let Err(error) = self.engine.poller.wait(&mut self.events, timeout) {
            let number = worker_number(self.index());
            self.pool.warn(format!("the poller of worker {number}: {error}"));
        }
        self.polled = self.engine.tick();
        self.engine.shared.counters.seen.store(self.polled.as_nanos(), Ordering::Relaxed);
        look_at_clocks(&*self.pool, self.polled, &*self.pool.options.clocks);
        for event in self.events.iter() {
            if event.key == WAKER_KEY {
                // Left readable at worst, which costs a turn.
                let _ = self.engine.shared.waker.drain();
                woken = true;
                continue;
            }
            let Some((slot, socket)) = self.engine.registry.find(event.key) else { continue };
            let resident = self.loops.get(slot as usize).and_then(Option::as_ref);
            let Some(resident) = resident else { continue };
            let ready =
                Ready { readable: event.readable, writable: event.writable, error: event.error };
            if let Some(class) = resident.cell.mark_ready(socket, ready, &mut self.engine) {
                notify_dyn(&resident.cell, class);
            }
        }
        woken
    }

    /// Sees to what other threads have sent.
    fn take_inbox(&mut self) {
        if self.engine.shared.inbox.is_empty() {
            return;
        }
        self.engine.shared.urgent.store(0, Ordering::Relaxed);
        self.inbox = self.engine.shared.inbox.take_all();
        while let Some(entry) = self.inbox.next() {
            match entry.item {
                Item::Message(Injected::Run(entry)) => self.accept(&entry),
                Item::Message(Injected::Command(command)) => self.obey(command),
                Item::Event(_) => {}
            }
        }
    }

    /// Another thread wants a loop run.
    fn accept(&mut self, entry: &RunEntry) {
        let header = entry.cell.header();
        // If not, the loop has moved since, and whoever took it in has made a new entry.
        if header.state().placement() == entry.at {
            self.queue.push(entry.class, Ticket::new(header, entry.class, entry.at));
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Adopt { cell, from } => self.adopt(cell, from),
            Command::Share { to, of } => self.share(&to, of),
            Command::Retire => self.retire(),
            Command::Retired { index, moves } => self.forget(index, &moves),
            Command::Resize { group, threads } => self.resize(group, threads),
            Command::SetGroups { groups } => self.set_groups(groups),
            Command::Regroup => self.regroup(),
            Command::Count { group } => self.consider_group(group),
            Command::Report(collector) => {
                self.account();
                collector.answer(self.part(collector.survey()));
            }
            Command::ClearStats => self.clear_stats(),
            Command::Shutdown { how } => self.shut_down(how),
        }
    }

    /// What this worker knows of itself and its loops, as far as it is asked for.
    fn part(&self, survey: &Survey) -> Part {
        let shared = &self.engine.shared;
        let cells = self.loops.iter().flatten().map(|one| (one.loop_id, &one.cell));
        Part {
            worker: WorkerStats {
                waiting: Some(self.queue.lengths()),
                oldest: self.oldest(),
                // It gets on, and answers: the watcher will see that.
                hindered: None,
                ..worker_stats(shared, self.home.group)
            },
            page: survey.loops.pick(cells, &self.engine),
            handlers: if survey.handlers { handler_stats(shared) } else { Vec::new() },
            moves: self.arrivals.iter().cloned().collect(),
            now: self.engine.now,
        }
    }

    /// The age of what waits longest for one of its loops.
    fn oldest(&self) -> Option<Duration> {
        let now = self.engine.now;
        let waiting = self.queue.iter().filter_map(|ticket| turn::resident_of(&self.loops, ticket));
        let oldest = waiting.filter_map(|resident| resident.cell.oldest(now)).min();
        oldest.map(|oldest| now.since(oldest))
    }

    /// Forgets what has been measured.
    fn clear_stats(&mut self) {
        self.account();
        self.engine.meter.clear();
        self.engine.shared.clear_counters();
        for resident in self.loops.iter().flatten() {
            resident.cell.clear_stats();
        }
    }

    fn index(&self) -> u16 {
        self.engine.shared.index
    }

    fn resident_count(&self) -> usize {
        self.loops.len() - self.free.len()
    }

    /// Brings the published counters up to date.
    fn account(&mut self) {
        let now = self.engine.tick();
        self.engine.shared.counters.seen.store(now.as_nanos(), Ordering::Relaxed);
    }
}

/// How much the arena keeps.
const ARENA_CAP: usize = 256 * 1024;
/// Readiness taken from the poller at once.
const EVENTS: usize = 256;
/// A busy worker looks at its sockets this often.
pub(crate) const POLL_INTERVAL: Duration = Duration::from_millis(1);
/// How long a worker keeps its processor when others want it at a time: the least there is, so
/// that one that wakes comes before threads that calculate.
const SLICE: Duration = Duration::from_micros(100);
/// A sleep this short, ended by another thread, suggests that more comes soon.
const SHORT_SLEEP: Duration = Duration::from_micros(50);
/// After a sleep this long what a worker did before says nothing of what it has to do.
const LONG_SLEEP: Duration = Duration::from_millis(100);
/// How long to look around before sleeping then.
const SPIN: Duration = Duration::from_micros(5);
