//! Telling many of something, in order, with a barrier: reconfiguration, a change of interfaces or of
//! policy, shutdown.
//!
//! A loop owns the [`FanOut`]. Subscribers have priorities; those of the best (0) are told first, and
//! those of the next only when all of the former have answered. Who is told gets a [`Notice`] with the
//! thing itself and an [`Answer`], to be given when the subscriber is done, however long that takes. An
//! answer that is dropped counts, too, as "gone": so whoever dies in between, or never reads the message,
//! holds up nobody.
//!
//! One broadcast is one *generation*. A second one during the first waits for its end
//! ([`FanOut::broadcast`]) or takes its place ([`FanOut::supersede`]); answers to an older
//! generation no longer count. Who subscribes during a broadcast is part of it if its priority's turn
//! has not come; who unsubscribes is no longer waited for.
//!
//! What has happened is told by [`FanOut::poll`], to be called in the loop's event and timer handlers.

use core::{fmt, time::Duration};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use dunlin_sync::{Class, Inbox, Item};

use crate::{
    address::EventHandle,
    context::Context,
    ids::{EventId, TimerId},
    time::Time,
};

/// What one subscriber is told.
#[derive(Debug)]
pub struct Notice<T> {
    /// The thing itself.
    pub what: T,
    /// The number of the broadcast.
    pub generation: u64,
    /// To be given when the subscriber is done.
    pub answer: Answer,
}

/// An answer that is owed. Dropping it says "gone".
pub struct Answer {
    to: Option<(Arc<Inbox<Answered>>, EventHandle)>,
    subscriber: SubscriberId,
    generation: u64,
}

struct Answered {
    subscriber: SubscriberId,
    generation: u64,
    is_done: bool,
}

impl Answer {
    /// The subscriber has done what it had to.
    #[track_caller]
    pub fn done(mut self) {
        self.send(true);
    }

    #[track_caller]
    fn send(&mut self, is_done: bool) {
        let Some((inbox, event)) = self.to.take() else { return };
        let (subscriber, generation) = (self.subscriber, self.generation);
        inbox.push(Answered { subscriber, generation, is_done }, ());
        event.schedule();
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.send(false);
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({} of generation {})", self.subscriber.0, self.generation)
    }
}

/// A subscriber, unique over the life of its [`FanOut`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriberId(u64);

/// What happens to those who have not answered when their time is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overdue {
    /// They are reported, again and again, and waited for.
    Wait,
    /// They are reported, and the broadcast goes on without them.
    GoOn,
}

/// How one receiver fared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receiver {
    /// Who.
    pub subscriber: SubscriberId,
    /// Its name.
    pub name: Arc<str>,
    /// Its priority.
    pub priority: u8,
    /// What came of it.
    pub fate: Fate,
    /// From being told until that.
    pub took: Duration,
}

/// What came of telling a receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It has answered.
    Done,
    /// It has gone without an answer, or has unsubscribed.
    Gone,
    /// Its time was up, and the broadcast went on.
    Overdue,
    /// Another broadcast took this one's place before it answered.
    Superseded,
}

/// What has happened to a broadcast.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// These have not answered in time; names and how long they have had.
    Overdue {
        /// The number of the broadcast.
        generation: u64,
        /// Their names.
        names: Vec<Arc<str>>,
        /// How long they have had.
        waited: Duration,
    },
    /// It is over.
    Finished {
        /// The number of the broadcast.
        generation: u64,
        /// Those who were told, in the order of their answers.
        receivers: Vec<Receiver>,
        /// It ended because another took its place; some may not have been told.
        is_superseded: bool,
        /// From the first being told to the end.
        took: Duration,
    },
}

/// See the module.
pub struct FanOut<T> {
    subscribers: BTreeMap<(u8, SubscriberId), Subscriber<T>>,
    next_subscriber: u64,
    next_generation: u64,
    waiting: VecDeque<(u64, T)>,
    current: Option<Round<T>>,
    answers: Arc<Inbox<Answered>>,
    event: EventId,
    handle: EventHandle,
    timer: TimerId,
    limit: Duration,
    overdue: Overdue,
    reports: Vec<Report>,
}

struct Subscriber<T> {
    name: Arc<str>,
    tell: Box<dyn FnMut(Notice<T>) + Send>,
}

/// A broadcast under way.
struct Round<T> {
    generation: u64,
    what: T,
    began: Time,
    /// The priority that has been told last.
    priority: Option<u8>,
    /// When it was.
    told: Time,
    /// When those who owe were last reported, or told.
    looked: Time,
    /// Those who owe an answer.
    owing: BTreeMap<SubscriberId, (Arc<str>, u8)>,
    receivers: Vec<Receiver>,
}

impl<T: Clone> FanOut<T> {
    /// A fan-out of the loop that `cx` is of. Its event and timer are of `class`. Those of one priority
    /// have `limit` to answer.
    pub fn new(cx: &mut Context<'_>, class: Class, limit: Duration, overdue: Overdue) -> Self {
        let event = cx.event(class);
        Self {
            subscribers: BTreeMap::new(),
            next_subscriber: 0,
            next_generation: 1,
            waiting: VecDeque::new(),
            current: None,
            answers: Arc::new(Inbox::new()),
            event,
            handle: cx.event_handle(event),
            timer: cx.timer(class),
            limit,
            overdue,
            reports: Vec::new(),
        }
    }

    /// Has `tell` called for each broadcast from now on; mostly it sends the notice on to a loop. Those
    /// of one priority are told in the order they subscribed.
    pub fn subscribe(
        &mut self,
        name: &str,
        priority: u8,
        tell: impl FnMut(Notice<T>) + Send + 'static,
    ) -> SubscriberId {
        let id = SubscriberId(self.next_subscriber);
        self.next_subscriber += 1;
        let subscriber = Subscriber { name: name.into(), tell: Box::new(tell) };
        self.subscribers.insert((priority, id), subscriber);
        id
    }

    /// Tells it no more, and waits no more for its answer. False if it was not subscribed.
    pub fn unsubscribe(&mut self, cx: &mut Context<'_>, id: SubscriberId) -> bool {
        let before = self.subscribers.len();
        self.subscribers.retain(|(_, other), _| *other != id);
        self.settle(id, Fate::Gone, cx.now());
        self.go_on_and_tell(cx);
        self.subscribers.len() < before
    }

    /// Tells all, after the broadcasts that were asked for before; the number of this one.
    #[track_caller]
    pub fn broadcast(&mut self, cx: &mut Context<'_>, what: T) -> u64 {
        let generation = self.next_generation;
        self.next_generation += 1;
        self.waiting.push_back((generation, what));
        self.go_on_and_tell(cx);
        generation
    }

    /// Tells all, at once: broadcasts that wait are dropped, and one that is under way ends. Each is
    /// reported as superseded. The number of this one.
    #[track_caller]
    pub fn supersede(&mut self, cx: &mut Context<'_>, what: T) -> u64 {
        let now = cx.now();
        if let Some(mut round) = self.current.take() {
            round.end_all(Fate::Superseded, now);
            self.reports.push(round.report(now, true));
        }
        for (generation, _) in self.waiting.drain(..) {
            let (receivers, took) = (Vec::new(), Duration::ZERO);
            let is_superseded = true;
            self.reports.push(Report::Finished { generation, receivers, is_superseded, took });
        }
        self.broadcast(cx, what)
    }

    /// The number of the broadcast under way.
    pub fn generation(&self) -> Option<u64> {
        self.current.as_ref().map(|round| round.generation)
    }

    /// Who owes an answer just now.
    pub fn owing(&self) -> impl Iterator<Item = &str> {
        self.current.iter().flat_map(|round| round.owing.values().map(|(name, _)| &**name))
    }

    /// Whether the event is the fan-out's.
    pub fn has_event(&self, event: EventId) -> bool {
        self.event == event
    }

    /// Whether the timer is the fan-out's.
    pub fn has_timer(&self, timer: TimerId) -> bool {
        self.timer == timer
    }

    /// Looks at answers and the clock, tells those whose turn has come, and says what has happened. To
    /// be called when [`has_event`](Self::has_event) or [`has_timer`](Self::has_timer); at other
    /// times it does no harm.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Vec<Report> {
        let now = cx.now();
        for entry in self.answers.take_all() {
            let Item::Message(answered) = entry.item else { continue };
            if self.generation() == Some(answered.generation) {
                let fate = if answered.is_done { Fate::Done } else { Fate::Gone };
                self.settle(answered.subscriber, fate, now);
            }
        }
        self.look_at_clock(now);
        self.go_on(cx);
        core::mem::take(&mut self.reports)
    }

    fn settle(&mut self, id: SubscriberId, fate: Fate, now: Time) {
        if let Some(round) = &mut self.current {
            round.end(id, fate, now);
        }
    }

    fn look_at_clock(&mut self, now: Time) {
        let Some(round) = &mut self.current else { return };
        if round.owing.is_empty() || now.since(round.looked) < self.limit {
            return;
        }
        let waited = now.since(round.told);
        round.looked = now;
        let generation = round.generation;
        let names = round.owing.values().map(|(name, _)| Arc::clone(name)).collect();
        self.reports.push(Report::Overdue { generation, names, waited });
        if self.overdue == Overdue::GoOn {
            round.end_all(Fate::Overdue, now);
        }
    }

    /// Tells those whose turn has come, until somebody has to be waited for.
    #[track_caller]
    fn go_on(&mut self, cx: &mut Context<'_>) {
        let now = cx.now();
        loop {
            let Some(round) = &mut self.current else {
                let Some((generation, what)) = self.waiting.pop_front() else { break };
                self.current = Some(Round::new(generation, what, now));
                continue;
            };
            if !round.owing.is_empty() {
                break;
            }
            let after = round.priority.map_or(0, |priority| u16::from(priority) + 1);
            let next = self.subscribers.keys().find(|key| u16::from(key.0) >= after);
            let Some(priority) = next.map(|key| key.0) else {
                let round = self.current.take();
                self.reports.extend(round.map(|round| round.report(now, false)));
                continue;
            };
            self.tell(priority, now);
        }
        match &self.current {
            Some(round) => _ = cx.arm(self.timer, round.looked + self.limit),
            None => _ = cx.disarm(self.timer),
        }
    }

    /// Goes on, outside of [`poll`](Self::poll), which is to tell what has happened.
    #[track_caller]
    fn go_on_and_tell(&mut self, cx: &mut Context<'_>) {
        self.go_on(cx);
        if !self.reports.is_empty() {
            let _ = cx.schedule(self.event);
        }
    }

    fn tell(&mut self, priority: u8, now: Time) {
        let Some(round) = &mut self.current else { return };
        round.priority = Some(priority);
        (round.told, round.looked) = (now, now);
        for ((_, id), subscriber) in self
            .subscribers
            .range_mut((priority, SubscriberId(0))..=(priority, SubscriberId(u64::MAX)))
        {
            round.owing.insert(*id, (Arc::clone(&subscriber.name), priority));
            let to = Some((Arc::clone(&self.answers), self.handle.clone()));
            let generation = round.generation;
            let answer = Answer { to, subscriber: *id, generation };
            (subscriber.tell)(Notice { what: round.what.clone(), generation, answer });
        }
    }
}

impl<T> Round<T> {
    fn new(generation: u64, what: T, now: Time) -> Self {
        Self {
            generation,
            what,
            began: now,
            priority: None,
            told: now,
            looked: now,
            owing: BTreeMap::new(),
            receivers: Vec::new(),
        }
    }

    fn end(&mut self, id: SubscriberId, fate: Fate, now: Time) {
        if let Some((name, priority)) = self.owing.remove(&id) {
            let took = now.since(self.told);
            self.receivers.push(Receiver { subscriber: id, name, priority, fate, took });
        }
    }

    fn end_all(&mut self, fate: Fate, now: Time) {
        while let Some(id) = self.owing.keys().next().copied() {
            self.end(id, fate, now);
        }
    }

    fn report(self, now: Time, is_superseded: bool) -> Report {
        Report::Finished {
            generation: self.generation,
            receivers: self.receivers,
            is_superseded,
            took: now.since(self.began),
        }
    }
}

impl<T> fmt::Debug for FanOut<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FanOut")
            .field("subscribers", &self.subscribers.len())
            .field("generation", &self.current.as_ref().map(|round| round.generation))
            .finish_non_exhaustive()
    }
}
