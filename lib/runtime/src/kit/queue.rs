//! Work queues: items that one loop has to see to, first in, first out, as many in a turn as the budget
//! allows.
//!
//! The loop owns the [`WorkQueue`], implements [`Process`], and passes on what belongs to the queue:
//!
//! ```text
//! fn timer(&mut self, cx: &mut Context<'_>, timer: TimerId) {
//!     self.queue.timer(cx, timer);
//! }
//! fn work(&mut self, cx: &mut Context<'_>, work: WorkId) -> Progress {
//!     WorkQueue::run(self, cx, |own| &mut own.queue)
//! }
//! ```
//!
//! An item that has to be tried again is tried again `retries` times at most, so it is run `1 + retries`
//! times in all; then it is given up. To be requeued is no trial and has no limit.

use core::{
    cmp::Reverse,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};
use std::{
    collections::{BinaryHeap, VecDeque},
    sync::Arc,
};

use dunlin_sync::Class;

use crate::{
    context::Context,
    ids::{TimerId, WorkId},
    loop_cell::Counters,
    runloop::Progress,
    time::Time,
};

/// How a queue behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueOptions {
    /// How long the first item of an empty queue waits, so that others may join it.
    pub hold: Duration,
    /// How often an item is tried again.
    pub retries: u32,
    /// How long a blocked queue waits before it tries by itself; without, until
    /// [`WorkQueue::unblock`].
    pub blocked: Option<Duration>,
}

impl Default for QueueOptions {
    fn default() -> Self {
        Self { hold: Duration::ZERO, retries: 3, blocked: None }
    }
}

/// What came of an item's run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is done.
    Success,
    /// It goes to the end of the queue; not a failure.
    Requeue,
    /// It failed, and is tried again at the end of the queue, this much later.
    Retry(Duration),
    /// It cannot be run now, nor can those behind it: the queue stops, with this item first.
    Blocked,
    /// It failed for good.
    Error,
}

/// How an item has left the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completion {
    /// By [`Verdict::Success`].
    Success,
    /// By [`Verdict::Error`].
    Error,
    /// It was to be tried again, once too often.
    GivenUp,
}

/// What a loop does with the items of a queue.
pub trait Process<T> {
    /// Runs an item. One item is small; the budget is asked between items.
    fn process(&mut self, cx: &mut Context<'_>, item: &mut T) -> Verdict;

    /// An item has left the queue.
    fn completed(&mut self, cx: &mut Context<'_>, item: T, completion: Completion) {
        let _ = (cx, item, completion);
    }

    /// The queue has become empty.
    fn drained(&mut self, cx: &mut Context<'_>) {
        let _ = cx;
    }
}

/// A queue of items of one loop. See the module.
#[derive(Debug)]
pub struct WorkQueue<T> {
    options: QueueOptions,
    items: VecDeque<Item<T>>,
    /// To be tried again when their time comes.
    later: BinaryHeap<Reverse<Later<T>>>,
    /// Tells those apart that are due at once.
    sequence: u64,
    class: Class,
    /// Made when it is first needed: most queues never wait.
    timer: TimerId,
    work: WorkId,
    state: State,
    plugged: bool,
    counters: Arc<QueueCounters>,
}

#[derive(Debug)]
struct Item<T> {
    value: T,
    /// Times it has been tried again.
    retries: u32,
}

#[derive(Debug)]
struct Later<T> {
    due: Time,
    sequence: u64,
    item: Item<T>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing is to run.
    Idle,
    /// The first item is held until then.
    Held(Time),
    /// The work is queued.
    Running,
    /// Until then, or until somebody says so.
    Blocked(Option<Time>),
}

impl<T> WorkQueue<T> {
    /// A queue of the loop that `cx` is of, worked off in `class`.
    pub fn new(cx: &mut Context<'_>, name: &str, class: Class, options: QueueOptions) -> Self {
        let counters = Arc::new(QueueCounters { name: name.into(), ..QueueCounters::default() });
        counters.hold.store(crate::time::nanos(options.hold), Ordering::Relaxed);
        cx.core.queues.add(Arc::downgrade(&counters));
        Self {
            options,
            items: VecDeque::new(),
            later: BinaryHeap::new(),
            sequence: 0,
            class,
            timer: TimerId::NONE,
            work: cx.work(class),
            state: State::Idle,
            plugged: false,
            counters,
        }
    }

    /// Adds an item at the end.
    #[track_caller]
    pub fn push(&mut self, cx: &mut Context<'_>, value: T) {
        self.items.push_back(Item { value, retries: 0 });
        self.wake(cx);
    }

    /// Items in the queue, those that wait to be tried again included.
    pub fn len(&self) -> usize {
        self.items.len() + self.later.len()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The items that wait for their turn, first to last, but for those that wait to be tried again. A
    /// new item may be joined with one of them instead of being added.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.items.iter_mut().map(|item| &mut item.value)
    }

    /// Runs nothing until [`unplug`](Self::unplug). What is added waits.
    #[track_caller]
    pub fn plug(&mut self, cx: &mut Context<'_>) {
        self.plugged = true;
        self.settle(cx);
    }

    /// Goes on.
    #[track_caller]
    pub fn unplug(&mut self, cx: &mut Context<'_>) {
        self.plugged = false;
        self.wake(cx);
        self.settle(cx);
    }

    /// What blocked the queue is over.
    #[track_caller]
    pub fn unblock(&mut self, cx: &mut Context<'_>) {
        if let State::Blocked(_) = self.state {
            self.state = State::Idle;
            self.go(cx);
        }
    }

    /// Takes everything out, without running or completing it.
    #[track_caller]
    pub fn clear(&mut self, cx: &mut Context<'_>) -> Vec<T> {
        let later = core::mem::take(&mut self.later).into_sorted_vec().into_iter().rev();
        let later = later.map(|Reverse(later)| later.item);
        let items = self.items.drain(..).chain(later).map(|item| item.value).collect();
        self.state = State::Idle;
        let _ = cx.unqueue(self.work);
        self.settle(cx);
        items
    }

    /// What it has done.
    pub fn stats(&self) -> QueueStats {
        self.counters.stats()
    }

    /// Passes a timer on; true if it was the queue's.
    pub fn timer(&mut self, cx: &mut Context<'_>, timer: TimerId) -> bool {
        if timer != self.timer || timer == TimerId::NONE {
            return false;
        }
        let now = cx.now();
        while self.later.peek().is_some_and(|Reverse(later)| later.due <= now) {
            if let Some(Reverse(later)) = self.later.pop() {
                self.items.push_back(later.item);
            }
        }
        let is_due = match self.state {
            State::Held(until) | State::Blocked(Some(until)) => until <= now,
            State::Idle => true,
            State::Running | State::Blocked(None) => false,
        };
        if is_due {
            self.state = State::Idle;
            self.go(cx);
        }
        self.settle(cx);
        true
    }

    /// Runs items until there are none, one blocks the queue, or the budget is spent. `queue` finds
    /// this queue in its loop.
    pub fn run<L: Process<T>>(
        owner: &mut L,
        cx: &mut Context<'_>,
        queue: fn(&mut L) -> &mut Self,
    ) -> Progress {
        let mut ran = 0;
        let mut spent = false;
        while let Some(mut item) = queue(owner).take(spent) {
            ran += 1;
            let verdict = owner.process(cx, &mut item.value);
            if let Some((item, completion)) = queue(owner).judge(cx, item, verdict) {
                owner.completed(cx, item, completion);
            }
            spent = cx.over_budget();
        }
        let own = queue(owner);
        own.counters.note_run(ran);
        let may_go_on = matches!(own.state, State::Running | State::Idle);
        let more = may_go_on && !own.items.is_empty() && !own.plugged;
        if may_go_on {
            own.state = if more { State::Running } else { State::Idle };
        }
        own.settle(cx);
        if more {
            Counters::add(&own.counters.yields, 1);
            return Progress::More;
        }
        if ran > 0 && own.is_empty() {
            owner.drained(cx);
        }
        Progress::Done
    }

    /// The next item to run.
    fn take(&mut self, spent: bool) -> Option<Item<T>> {
        let may_run = !spent && !self.plugged && self.state == State::Running;
        may_run.then(|| self.items.pop_front()).flatten()
    }

    /// Sees to an item that has run; what has left the queue.
    fn judge(
        &mut self,
        cx: &Context<'_>,
        mut item: Item<T>,
        verdict: Verdict,
    ) -> Option<(T, Completion)> {
        let counters = &self.counters;
        Counters::add(&counters.items_run, 1);
        match verdict {
            Verdict::Success => {
                Counters::add(&counters.successes, 1);
                Some((item.value, Completion::Success))
            }
            Verdict::Error => {
                Counters::add(&counters.errors, 1);
                Some((item.value, Completion::Error))
            }
            Verdict::Retry(_) if item.retries >= self.options.retries => {
                Counters::add(&counters.given_up, 1);
                Some((item.value, Completion::GivenUp))
            }
            Verdict::Retry(after) => {
                Counters::add(&counters.retries, 1);
                item.retries += 1;
                if after.is_zero() {
                    self.items.push_back(item);
                } else {
                    self.sequence += 1;
                    let (due, sequence) = (cx.now() + after, self.sequence);
                    self.later.push(Reverse(Later { due, sequence, item }));
                }
                None
            }
            Verdict::Requeue => {
                Counters::add(&counters.requeues, 1);
                self.items.push_back(item);
                None
            }
            Verdict::Blocked => {
                Counters::add(&counters.blocked, 1);
                self.items.push_front(item);
                self.state = State::Blocked(self.options.blocked.map(|after| cx.now() + after));
                None
            }
        }
    }

    /// Something has come, or may run again.
    #[track_caller]
    fn wake(&mut self, cx: &mut Context<'_>) {
        if self.state == State::Idle && !self.plugged && !self.items.is_empty() {
            if self.options.hold.is_zero() {
                self.go(cx);
            } else {
                self.state = State::Held(cx.now() + self.options.hold);
            }
        }
        self.settle(cx);
    }

    #[track_caller]
    fn go(&mut self, cx: &mut Context<'_>) {
        if !self.items.is_empty() && !self.plugged {
            self.state = State::Running;
            let _ = cx.queue(self.work);
        }
    }

    /// Arms the timer for what comes next, and shows what there is.
    #[track_caller]
    fn settle(&mut self, cx: &mut Context<'_>) {
        let state = match self.state {
            State::Held(until) | State::Blocked(Some(until)) => until,
            State::Idle | State::Running | State::Blocked(None) => Time::NEVER,
        };
        let later = self.later.peek().map_or(Time::NEVER, |Reverse(later)| later.due);
        match state.min(later) {
            Time::NEVER if self.timer == TimerId::NONE => {}
            Time::NEVER => _ = cx.disarm(self.timer),
            due => {
                if self.timer == TimerId::NONE {
                    self.timer = cx.timer(self.class);
                }
                let _ = cx.arm(self.timer, due);
            }
        }
        let counters = &self.counters;
        counters.items.store(self.items.len() as u64, Ordering::Relaxed);
        counters.later.store(self.later.len() as u64, Ordering::Relaxed);
        let is_blocked = matches!(self.state, State::Blocked(_));
        let flags = u64::from(self.plugged) | u64::from(is_blocked) << 1;
        counters.flags.store(flags, Ordering::Relaxed);
    }
}

/// A queue of no loop: what is added to it does not run. What a field holds before the loop has started.
impl<T> Default for WorkQueue<T> {
    fn default() -> Self {
        Self {
            options: QueueOptions::default(),
            items: VecDeque::new(),
            later: BinaryHeap::new(),
            sequence: 0,
            class: Class::Bulk,
            timer: TimerId::NONE,
            work: WorkId::NONE,
            state: State::Idle,
            plugged: false,
            counters: Arc::default(),
        }
    }
}

impl<T> PartialEq for Later<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<T> Eq for Later<T> {}

impl<T> PartialOrd for Later<T> {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Later<T> {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        (self.due, self.sequence).cmp(&(other.due, other.sequence))
    }
}

/// A queue, as people see it. Counts are from the start of the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueStats {
    /// Its name.
    pub name: Arc<str>,
    /// Items that wait for their turn.
    pub items: u64,
    /// Items that wait for the time to be tried again.
    pub later: u64,
    /// How long the first item is held.
    pub hold: Duration,
    /// Somebody has plugged it.
    pub is_plugged: bool,
    /// An item has blocked it.
    pub is_blocked: bool,
    /// Times it had a turn and ran something.
    pub runs: u64,
    /// Times it gave way with items left.
    pub yields: u64,
    /// Items run, each as often as it was.
    pub items_run: u64,
    /// The most items in one turn.
    pub best: u64,
    /// Items that ended with success.
    pub successes: u64,
    /// Items that ended with an error.
    pub errors: u64,
    /// Items that were tried too often.
    pub given_up: u64,
    /// Times an item went to the end.
    pub requeues: u64,
    /// Times an item was put off to be tried again.
    pub retries: u64,
    /// Times an item blocked the queue.
    pub blocked: u64,
}

impl QueueStats {
    /// Items in a turn, on average.
    pub fn average(&self) -> f64 {
        if self.runs == 0 { 0.0 } else { self.items_run as f64 / self.runs as f64 }
    }
}

/// What a queue counts. Written by the loop's worker, read by anyone, relaxed.
#[derive(Debug, Default)]
pub(crate) struct QueueCounters {
    name: Arc<str>,
    items: AtomicU64,
    later: AtomicU64,
    hold: AtomicU64,
    /// 1: plugged; 2: blocked.
    flags: AtomicU64,
    runs: AtomicU64,
    yields: AtomicU64,
    items_run: AtomicU64,
    best: AtomicU64,
    successes: AtomicU64,
    errors: AtomicU64,
    given_up: AtomicU64,
    requeues: AtomicU64,
    retries: AtomicU64,
    blocked: AtomicU64,
}

impl QueueCounters {
    fn note_run(&self, items: u64) {
        if items > 0 {
            Counters::add(&self.runs, 1);
            Counters::raise(&self.best, items);
        }
    }

    pub(crate) fn stats(&self) -> QueueStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let flags = read(&self.flags);
        QueueStats {
            name: Arc::clone(&self.name),
            items: read(&self.items),
            later: read(&self.later),
            hold: Duration::from_nanos(read(&self.hold)),
            is_plugged: flags & 1 != 0,
            is_blocked: flags & 2 != 0,
            runs: read(&self.runs),
            yields: read(&self.yields),
            items_run: read(&self.items_run),
            best: read(&self.best),
            successes: read(&self.successes),
            errors: read(&self.errors),
            given_up: read(&self.given_up),
            requeues: read(&self.requeues),
            retries: read(&self.retries),
            blocked: read(&self.blocked),
        }
    }
}
