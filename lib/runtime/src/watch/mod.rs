//! The watcher: a thread of its own that looks at the workers, and says what holds one up while it
//! still does.
//!
//! It reads what the workers publish and what the kernel says of their threads; nobody waits for it.
//! It is no worker: it may sleep, and it does the formatting that a worker must not.

mod judge;
mod names;
mod pulse;
mod watched;

use core::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};
use std::{
    io,
    sync::{Arc, mpsc},
    thread::{JoinHandle, Thread},
};

use dunlin_os::thread;
use dunlin_sync::{Inbox, Item};

use self::{names::Names, pulse::Pulse, watched::Watched};
use crate::{
    dispatch::Dispatch,
    ids::LoopId,
    options::{LogLevel, LogRecord},
    pool::{Collector, Pool},
    stats::{About, Running, Throttle, Who, millis},
    time::Time,
    worker::engine::FineClock,
};

pub(crate) use judge::Verdict;

/// What others tell the watcher.
pub(crate) struct WatchPost {
    news: Inbox<News>,
    /// The runtime ends. Written by its owner, read by the watcher; relaxed, as unparking publishes it.
    ending: AtomicBool,
}

/// Something the watcher is told.
enum News {
    /// A loop is there.
    Came(LoopId, Arc<str>),
    /// A loop has gone.
    Went(LoopId),
    /// If some worker does not answer, put the picture together without it.
    Survey(Arc<Collector>),
}

impl WatchPost {
    pub(crate) fn new() -> Self {
        Self { news: Inbox::new(), ending: AtomicBool::new(false) }
    }

    /// A loop is there.
    pub(crate) fn came(&self, loop_id: LoopId, name: Arc<str>) {
        self.news.push(News::Came(loop_id, name), ());
    }

    /// A loop has gone.
    pub(crate) fn went(&self, loop_id: LoopId) {
        self.news.push(News::Went(loop_id), ());
    }

    /// A picture is being taken.
    pub(crate) fn survey(&self, collector: Arc<Collector>) {
        self.news.push(News::Survey(collector), ());
    }
}

/// The owner's end of the watcher.
#[derive(Debug)]
pub(crate) struct WatchThread {
    join: Option<JoinHandle<()>>,
    thread: Thread,
}

impl WatchThread {
    /// Starts watching.
    pub(crate) fn start(pool: &Arc<Pool>) -> io::Result<Self> {
        let mut watcher = Watcher::new(Arc::clone(pool));
        let (ready, is_ready) = mpsc::channel();
        let join = thread::spawn("watcher", Some(STACK), move || {
            watcher.pulse.begins();
            drop(ready);
            watcher.run();
        })?;
        // Whoever counts the process's descriptors from now on finds those of the watcher among them.
        let _: Result<(), _> = is_ready.recv();
        Ok(Self { thread: join.thread().clone(), join: Some(join) })
    }

    /// Ends it, and waits for that.
    pub(crate) fn end(&mut self, pool: &Pool) {
        pool.watch_post.ending.store(true, Ordering::Relaxed);
        self.thread.unpark();
        if let Some(join) = self.join.take() {
            // If it panicked, that has been said.
            let _ = join.join();
        }
    }
}

struct Watcher {
    pool: Arc<Pool>,
    clock: FineClock,
    pulse: Pulse,
    /// By index of the worker.
    watched: Vec<Option<Watched>>,
    names: Names,
    /// Pictures being taken, and until when the workers have time to answer.
    surveys: Vec<(Time, Arc<Collector>)>,
    throttle: Throttle<{ Verdict::KINDS }>,
}

impl Watcher {
    fn new(pool: Arc<Pool>) -> Self {
        let clock = FineClock::new();
        Self {
            pool,
            pulse: Pulse::new(clock.now()),
            clock,
            watched: Vec::new(),
            names: Names::default(),
            surveys: Vec::new(),
            throttle: Throttle::new(),
        }
    }

    fn run(&mut self) {
        while !self.pool.watch_post.ending.load(Ordering::Relaxed) {
            let pause = self.look();
            self.pulse.rests(pause);
            std::thread::park_timeout(pause);
        }
        self.take_news(Time::ZERO);
        for (_, collector) in core::mem::take(&mut self.surveys) {
            collector.finish(&self.pool.table());
        }
    }

    /// Looks at everything once; when to look again.
    fn look(&mut self) -> Duration {
        let now = self.clock.now();
        let stood = self.pulse.goes_on(now);
        self.take_news(now);
        self.finish_surveys(now);
        let table = self.pool.table();
        self.watched.resize_with(table.slots.len(), || None);
        let mut pause = IDLE_PAUSE;
        for (index, slot) in table.slots.iter().enumerate() {
            let Some(shared) = slot else {
                self.watched[index] = None;
                continue;
            };
            let watched = self.watched[index].take().filter(|watched| watched.is_of(shared));
            let mut watched = watched.unwrap_or_else(|| Watched::new(shared));
            if let Some(verdict) = watched.look(shared, now, stood, &self.pool.limits) {
                self.report(index, verdict, now);
            }
            if watched.is_busy() {
                pause = BUSY_PAUSE;
            }
            self.watched[index] = Some(watched);
        }
        pause
    }

    fn take_news(&mut self, now: Time) {
        for entry in self.pool.watch_post.news.take_all() {
            let Item::Message(news) = entry.item else { continue };
            match news {
                News::Came(loop_id, name) => self.names.came(loop_id, name),
                News::Went(loop_id) => self.names.went(loop_id),
                News::Survey(collector) => self.surveys.push((now + PATIENCE, collector)),
            }
        }
    }

    fn finish_surveys(&mut self, now: Time) {
        let pool = &self.pool;
        self.surveys.retain(|(until, collector)| {
            if collector.is_done() {
                return false;
            }
            let waits = now < *until;
            if !waits {
                collector.finish(&pool.table());
            }
            waits
        });
    }

    fn report(&mut self, index: usize, verdict: Verdict, now: Time) {
        let about = match verdict {
            Verdict::Held { running, .. } | Verdict::GivenUp { running, .. } => {
                About::handler(running.who)
            }
            Verdict::Stalled { .. } | Verdict::Gone => About::Worker(index),
        };
        let Some(held) = self.throttle.admit(verdict.kind(), about, now) else { return };
        let worker = format!("worker {}", index + 1);
        let text = match verdict {
            Verdict::Held { running, span, by } => {
                let what = self.name(running.who);
                let asked = self.asked_by(running);
                let span = millis(span);
                format!("{what} has been running on {worker} for {span}, {by}{asked}")
            }
            Verdict::Stalled { span, by } => {
                let span = millis(span);
                format!("{worker} has had something to do for {span} and does nothing: {by}")
            }
            Verdict::Gone => format!("the thread of {worker} has ended, its loops do not run"),
            Verdict::GivenUp { running, span } => {
                let what = self.name(running.who);
                let span = millis(span);
                format!("{what} has been running on {worker} for {span}: the watchdog's timeout")
            }
        };
        let (level, loop_id) = match verdict {
            Verdict::GivenUp { running, .. } => (LogLevel::Fatal, Some(running.who.loop_id)),
            Verdict::Held { running, .. } => (LogLevel::Warning, Some(running.who.loop_id)),
            Verdict::Stalled { .. } => (LogLevel::Warning, None),
            Verdict::Gone => (LogLevel::Error, None),
        };
        let text = held.after(text);
        self.pool.log(&LogRecord { level, loop_id, loop_name: None, text });
    }

    fn name(&self, who: Who) -> String {
        who.describe(self.names.of(who.loop_id), self.pool.places.find(who.place))
    }

    /// Who asked for a handler, as far as the flight recorder knows.
    fn asked_by(&self, running: Running) -> String {
        let Some(recorder) = &self.pool.options.recorder else { return String::new() };
        if running.cause.is_none() {
            return String::new();
        }
        let snapshot = recorder.snapshot();
        let Some(cause) = snapshot.named(running.cause) else { return String::new() };
        let site = snapshot.site_name(cause.site).unwrap_or("something".into());
        let name = snapshot.loop_name(cause.loop_id);
        let name = name.unwrap_or("a loop that is gone".to_owned());
        format!(", asked for by a handler of {name} ({site})")
    }
}

/// How long it sleeps while some worker is in a handler, or should be.
const BUSY_PAUSE: Duration = Duration::from_millis(10);
/// How long it sleeps while all workers do.
const IDLE_PAUSE: Duration = Duration::from_millis(30);
/// How long workers have to answer to a survey.
const PATIENCE: Duration = Duration::from_millis(500);
/// Bytes; it formats, and copies the flight recorder.
const STACK: usize = 256 * 1024;
