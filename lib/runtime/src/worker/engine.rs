//! The driver of a real worker: its clock, its poller and the limits of the turn.

use core::{
    net::{IpAddr, SocketAddr},
    sync::atomic::Ordering,
    time::Duration,
};
use std::{
    io::{self, IoSlice, Read, Write},
    os::fd::{AsFd, BorrowedFd},
    path::Path,
    sync::Arc,
};

use dunlin_os::{
    clock::{self, Scale},
    poll::{self, Poller},
    socket::{self, Shutdown, Socket},
};
use dunlin_sync::{Class, Classes};
use dunlin_trace::{Entry, RecordId, Ring, Site};

use crate::{
    driver::{Done, Driver, Endpoint, Pace, Then, gives_way_from},
    ids::{LoopId, SocketId},
    loop_cell::{Counters, Runnable},
    options::{ConnectOptions, ListenOptions},
    place::{PlaceId, Places},
    pool::{LIVENESS_BIT, WorkerShared, local},
    runloop::Interest,
    stats::{LoopTimings, MEASURES, Meter},
    step::Kind,
    time::Time,
    worker::registry::Registry,
};

/// What a worker lends to the loop that runs.
pub(crate) struct Engine {
    pub(crate) shared: Arc<WorkerShared>,
    pub(crate) poller: Poller,
    pub(crate) registry: Registry,
    pub(crate) ring: Ring,
    clock: FineClock,
    /// The last reading of the clock: shared by budget, statistics and recorder.
    pub(crate) now: Time,
    ticks: u64,
    /// The flight record of the running handler.
    record: RecordId,
    /// When the running turn must end at the latest.
    pub(crate) turn_until: Time,
    /// What the turn is for, and the classes that other loops wait in.
    turn_class: Class,
    others: Classes,
    /// When it has used up what it may take; it may be cut short before.
    pub(crate) budget_until: Time,
    /// When another loop's liveness cannot wait any more.
    liveness_at: Time,
    random: u64,
    buffer: Vec<u8>,
    pub(crate) tally: Tally,
    pub(crate) meter: Meter,
    places: Arc<Places>,
}

/// What a worker counts in a turn before it publishes it.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Nanoseconds in steps of jobs.
    pub(crate) jobs: u64,
    pub(crate) liveness_late: u64,
}

impl Engine {
    pub(crate) fn new(
        shared: Arc<WorkerShared>,
        ring: Ring,
        meter: Meter,
        places: Arc<Places>,
    ) -> io::Result<Self> {
        let poller = Poller::new()?;
        poller.add(shared.waker.as_fd(), WAKER_KEY, poll::Interest::READ)?;
        let clock = FineClock::new();
        let (ticks, now) = clock.read();
        Ok(Self {
            shared,
            poller,
            registry: Registry::default(),
            ring,
            clock,
            now,
            ticks,
            record: RecordId::NONE,
            turn_until: Time::ZERO,
            turn_class: Class::Bulk,
            others: Classes::NONE,
            budget_until: Time::ZERO,
            liveness_at: Time::NEVER,
            random: dunlin_os::random::seed()?,
            buffer: Vec::new(),
            tally: Tally::default(),
            meter,
            places,
        })
    }

    /// Reads the clock.
    #[inline]
    pub(crate) fn tick(&mut self) -> Time {
        let (ticks, now) = self.clock.read();
        self.ticks = ticks;
        // Counters of two processors may differ by a little: time does not go back.
        self.now = self.now.max(now);
        self.now
    }

    /// Says what the next turn is for, and in which classes other loops wait.
    #[inline]
    pub(crate) fn set_rank(&mut self, class: Class, others: Classes) {
        (self.turn_class, self.others) = (class, others);
    }

    /// Sets when a turn of so many nanoseconds that begins now must end: when they are used up, when
    /// the poller is to be looked at, or when the liveness of another loop cannot wait any more.
    #[inline]
    pub(crate) fn begin_turn(&mut self, budget: u64, poll_at: Time, liveness_at: Time) {
        self.budget_until = Time::from_nanos(self.now.as_nanos().saturating_add(budget));
        self.turn_until = self.budget_until.min(poll_at).min(liveness_at);
        self.liveness_at = liveness_at;
    }

    /// Whether something waits that does not wait for the end of a turn.
    #[inline]
    fn is_urgent(&self) -> bool {
        (self.shared.urgent.load(Ordering::Relaxed) | local::urgent()) & LIVENESS_BIT != 0
    }

    #[inline(always)]
    fn begin_at(&mut self, handler: &Done, place: PlaceId) -> RecordId {
        if MEASURES {
            self.meter.begin(handler, place);
        }
        if self.ring.is_enabled() { self.record(handler, place) } else { RecordId::NONE }
    }

    #[cold]
    #[inline(never)]
    fn begin_somewhere(&mut self, handler: &Done) -> RecordId {
        let place = self.places.number(handler.place, handler.site());
        self.begin_at(handler, place)
    }

    /// Records the handler that begins.
    #[inline(never)]
    fn record(&mut self, handler: &Done, place: PlaceId) -> RecordId {
        self.record = self.ring.begin(&Entry {
            at: self.ticks,
            since: self.ticks.wrapping_sub(self.clock.ticks_in(handler.waited())),
            site: handler.site(),
            class: handler.class() as u8,
            loop_id: handler.loop_id.number(),
            cause: handler.cause,
            argument: handler.argument(),
            place: place.0,
        });
        self.record
    }

    /// The end of a handler that is to be looked at more closely: the worst of the worker is among these.
    #[cold]
    #[inline(never)]
    fn end_of_note(&mut self, handler: &Done, timings: &mut LoopTimings) -> Pace {
        let (now, waited) = (self.now, handler.waited());
        Counters::raise(&self.shared.counters.longest, handler.took(now));
        if handler.step.is(Kind::Timer) && handler.class() == Class::Liveness {
            self.tally.liveness_late = self.tally.liveness_late.max(waited);
        }
        self.meter.end_of_note(handler, now, timings);
        self.pace()
    }

    /// The end of a handler in a build that measures none: jobs are counted all the same, as their share goes by it.
    #[inline(always)]
    fn end_unmeasured(&mut self, handler: &Done) -> Pace {
        if handler.step.is(Kind::Job) {
            self.tally.jobs += handler.took(self.now);
        }
        self.pace()
    }

    /// What comes next.
    #[inline(always)] // into its two callers, at every handler
    fn pace(&self) -> Pace {
        let now = self.now;
        let is_over = now >= self.turn_until;
        let is_urgent = (is_over && now >= self.liveness_at) || self.is_urgent();
        let then = match (is_urgent, is_over) {
            (true, _) => Then::Interrupt,
            (false, true) => Then::Yield,
            (false, false) => Then::Continue,
        };
        Pace { now, then }
    }

    /// Publishes what was counted.
    pub(crate) fn publish(&mut self) {
        let tally = core::mem::take(&mut self.tally);
        Counters::raise(&self.shared.counters.liveness_late, tally.liveness_late);
    }

    /// Records something about a loop that is not a handler.
    pub(crate) fn note(&mut self, site: Site, loop_id: u32, argument: u32) {
        let (at, cause) = (self.ticks, RecordId::NONE);
        let place = 0;
        self.ring.record(&Entry { at, since: at, site, class: 1, loop_id, cause, argument, place });
    }
}

impl Driver for Engine {
    fn turn_time(&mut self) -> Time {
        self.now
    }

    fn enter(&mut self, loop_id: LoopId, kind: &'static str) {
        self.meter.enter(loop_id, kind);
    }

    // What is seldom is a function of its own, called last, so that this one needs nothing on the stack.
    fn begin(&mut self, handler: &Done) -> RecordId {
        match self.places.glance(handler.place) {
            Some(place) => self.begin_at(handler, place),
            None => self.begin_somewhere(handler),
        }
    }

    #[cold]
    fn begin_call(&mut self, handler: &Done) -> RecordId {
        let place = self.places.number(handler.place, handler.site());
        self.meter.begin_call(handler, place);
        self.record(handler, place)
    }

    // As `begin`.
    fn boundary(&mut self, handler: &Done, timings: &mut LoopTimings) -> Pace {
        let now = self.tick();
        self.ring.end(self.record, self.ticks);
        if !MEASURES {
            return self.end_unmeasured(handler);
        }
        let counters = &self.shared.counters;
        Counters::add(&counters.handlers[handler.class().index()], 1);
        if handler.step.is_message() {
            Counters::add(&counters.messages, 1);
        } else if handler.step.is(Kind::Job) {
            self.tally.jobs += handler.took(now);
        }
        if self.meter.end(handler, now, timings) {
            self.pace()
        } else {
            self.end_of_note(handler, timings)
        }
    }

    fn tick(&mut self) -> Time {
        Self::tick(self)
    }

    fn end_call(&mut self, caller: RecordId) {
        Self::tick(self);
        self.ring.end(self.record, self.ticks);
        self.record = caller;
        self.meter.end_call();
    }

    fn gives_way_from(&self) -> usize {
        gives_way_from(self.turn_class, self.others)
    }

    fn panicked(&mut self, cell: &Arc<dyn Runnable>) {
        self.tick();
        self.meter.abandon();
        self.note(Site::PANIC, cell.header().id().number(), 0);
    }

    fn clock(&mut self) -> Time {
        self.clock.read().1.max(self.now)
    }

    fn wall(&mut self) -> Duration {
        clock::wall()
    }

    fn random(&mut self) -> u64 {
        split_mix(&mut self.random)
    }

    fn over_budget(&mut self) -> bool {
        self.is_urgent() || self.clock.read().1 >= self.turn_until
    }

    fn remaining(&mut self) -> Duration {
        if self.is_urgent() {
            return Duration::ZERO;
        }
        self.turn_until.since(self.clock.read().1)
    }

    fn turn_until(&self) -> Time {
        self.turn_until
    }

    fn consume(&mut self, _: Duration) {}

    fn worker(&self) -> usize {
        self.shared.index.into()
    }

    fn take_buffer(&mut self) -> Vec<u8> {
        let mut buffer = core::mem::take(&mut self.buffer);
        if buffer.len() != READ_BUFFER {
            buffer.resize(READ_BUFFER, 0);
        }
        buffer
    }

    fn put_buffer(&mut self, buffer: Vec<u8>) {
        if buffer.capacity() <= 2 * READ_BUFFER {
            self.buffer = buffer;
        }
    }

    fn listen(&mut self, local: SocketAddr, options: &ListenOptions) -> io::Result<Endpoint> {
        let socket = Socket::listen(
            local,
            &socket::ListenOptions {
                backlog: options.backlog,
                device: options.device.as_deref(),
                freebind: options.free_bind,
            },
        )?;
        if let Some(ttl) = options.ttl {
            socket.set_ttl(ttl)?;
        }
        if let Some(ttl) = options.min_ttl {
            socket.set_min_ttl(ttl)?;
        }
        Ok(Endpoint::Os(socket))
    }

    fn listen_unix(&mut self, path: &Path, mode: u32) -> io::Result<Endpoint> {
        Socket::listen_unix(path, mode).map(Endpoint::Os)
    }

    fn connect(&mut self, peer: SocketAddr, options: &ConnectOptions) -> io::Result<Endpoint> {
        let socket = Socket::connect(
            peer,
            &socket::ConnectOptions {
                local: options.local,
                device: options.device.as_deref(),
                md5: options.md5.as_deref(),
                ttl: options.ttl,
                min_ttl: options.min_ttl,
                freebind: options.free_bind,
            },
        )?;
        Ok(Endpoint::Os(socket))
    }

    fn connect_unix(&mut self, path: &Path) -> io::Result<Endpoint> {
        Socket::connect_unix(path).map(Endpoint::Os)
    }

    fn accept(&mut self, listener: &Endpoint) -> io::Result<(Endpoint, Option<SocketAddr>)> {
        let (socket, peer) = os(listener)?.accept()?;
        if peer.is_some() {
            socket.set_nodelay(true)?;
        }
        Ok((Endpoint::Os(socket), peer))
    }

    fn read(&mut self, socket: &Endpoint, buffer: &mut [u8]) -> io::Result<usize> {
        match socket {
            Endpoint::Os(socket) => socket.read(buffer),
            Endpoint::File(file) => (&*file).read(buffer),
            Endpoint::Sim(_) => Err(simulated()),
        }
    }

    fn write(&mut self, socket: &Endpoint, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        match socket {
            Endpoint::Os(socket) => socket.write_vectored(buffers),
            Endpoint::File(file) => (&*file).write_vectored(buffers),
            Endpoint::Sim(_) => Err(simulated()),
        }
    }

    fn socket_error(&mut self, socket: &Endpoint) -> io::Result<()> {
        os(socket)?.take_error()?.map_or(Ok(()), Err)
    }

    fn unread(&self, socket: &Endpoint) -> io::Result<usize> {
        os(socket)?.pending()
    }

    fn finish_writing(&mut self, socket: &Endpoint) -> io::Result<()> {
        os(socket)?.shutdown(Shutdown::Write)
    }

    fn set_ttl(
        &mut self,
        socket: &Endpoint,
        sent: Option<u8>,
        accepted: Option<u8>,
    ) -> io::Result<()> {
        let socket = os(socket)?;
        sent.map_or(Ok(()), |ttl| socket.set_ttl(ttl))?;
        accepted.map_or(Ok(()), |ttl| socket.set_min_ttl(ttl))
    }

    fn peer_user(&self, socket: &Endpoint) -> io::Result<(u32, u32)> {
        os(socket)?.peer_user()
    }

    fn local_addr(&self, socket: &Endpoint) -> io::Result<SocketAddr> {
        os(socket)?.local_addr()
    }

    fn peer_addr(&self, socket: &Endpoint) -> io::Result<SocketAddr> {
        os(socket)?.peer_addr()
    }

    fn set_md5(
        &mut self,
        socket: &Endpoint,
        peer: IpAddr,
        prefix: Option<u8>,
        key: Option<&[u8]>,
    ) -> io::Result<()> {
        match key {
            Some(key) => os(socket)?.set_md5(peer, prefix, key),
            None => os(socket)?.remove_md5(peer, prefix),
        }
    }

    fn register(
        &mut self,
        slot: u32,
        id: SocketId,
        socket: &Endpoint,
        interest: Interest,
    ) -> io::Result<u64> {
        let fd = descriptor(socket)?;
        let key = self.registry.add(slot, id)?;
        if let Err(error) = self.poller.add(fd, key, wanted(interest)) {
            self.registry.remove(key);
            return Err(error);
        }
        Ok(key)
    }

    fn modify(&mut self, key: u64, socket: &Endpoint, interest: Interest) -> io::Result<()> {
        self.poller.modify(descriptor(socket)?, key, wanted(interest))
    }

    fn suspend(&mut self, _: u64, socket: &Endpoint) {
        if let Ok(fd) = descriptor(socket) {
            // Fails only if the descriptor is in no set, which is what is wanted.
            let _ = self.poller.delete(fd);
        }
    }

    fn resume(&mut self, key: u64, socket: &Endpoint, interest: Interest) -> io::Result<()> {
        self.poller.add(descriptor(socket)?, key, wanted(interest))
    }

    fn deregister(&mut self, key: u64, socket: &Endpoint) {
        if self.registry.find(key).is_some() {
            self.registry.remove(key);
            if let Ok(fd) = descriptor(socket) {
                // Fails only if the descriptor is in no set, which is what is wanted.
                let _ = self.poller.delete(fd);
            }
        }
    }
}

/// The processor's counter in nanoseconds.
pub(crate) struct FineClock {
    scale: Scale,
    /// Ticks per nanosecond times 2^32.
    inverse: u64,
}

impl FineClock {
    pub(crate) fn new() -> Self {
        let scale = *clock::scale();
        let inverse = (1u128 << 64) / u128::from(scale.rate().max(1));
        Self { scale, inverse: u64::try_from(inverse).unwrap_or(u64::MAX) }
    }

    #[inline]
    fn read(&self) -> (u64, Time) {
        #[cfg(test)]
        tests::READS.set(tests::READS.get() + 1);
        let ticks = clock::ticks();
        (ticks, Time::from_nanos(self.scale.monotonic(ticks)))
    }

    /// The time.
    pub(crate) fn now(&self) -> Time {
        self.read().1
    }

    #[inline]
    fn ticks_in(&self, nanos: u64) -> u64 {
        ((u128::from(nanos) * u128::from(self.inverse)) >> 32) as u64
    }
}

/// The next number of a small generator (splitmix64).
pub(crate) fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn os(socket: &Endpoint) -> io::Result<&Socket> {
    match socket {
        Endpoint::Os(socket) => Ok(socket),
        Endpoint::File(_) => Err(io::Error::new(io::ErrorKind::InvalidInput, "not a socket")),
        Endpoint::Sim(_) => Err(simulated()),
    }
}

fn descriptor(socket: &Endpoint) -> io::Result<BorrowedFd<'_>> {
    match socket {
        Endpoint::Os(socket) => Ok(socket.as_fd()),
        Endpoint::File(file) => Ok(file.as_fd()),
        Endpoint::Sim(_) => Err(simulated()),
    }
}

fn simulated() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "a simulated socket on a real worker")
}

fn wanted(interest: Interest) -> poll::Interest {
    poll::Interest { read: interest.read, write: interest.write }
}

/// The poller's key of the worker's own waker; no registration has it.
pub(crate) const WAKER_KEY: u64 = 1 << 63;
/// Length of a worker's read buffer.
const READ_BUFFER: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use core::cell::Cell;
    use std::sync::mpsc::{Sender, channel};

    use super::*;
    use crate::{Context, EventId, Loop, Runtime, RuntimeOptions};

    thread_local! {
        /// Readings of the clock by this thread.
        pub(super) static READS: Cell<u64> = const { Cell::new(0) };
    }

    /// Notes how often the clock is read from one of its handlers to the next.
    struct Reader {
        event: EventId,
        before: u64,
        between: Vec<u64>,
        told: Sender<Vec<u64>>,
    }

    impl Loop for Reader {
        type Message = ();

        fn start(&mut self, cx: &mut Context<'_>) {
            self.event = cx.event(Class::Routing);
            cx.schedule(self.event);
        }

        fn message(&mut self, _: &mut Context<'_>, (): ()) {}

        fn event(&mut self, cx: &mut Context<'_>, _: EventId) {
            let now = READS.get();
            self.between.push(now - self.before);
            self.before = now;
            if self.between.len() == HANDLERS {
                let _ = self.told.send(core::mem::take(&mut self.between));
            } else if self.between.len() < HANDLERS {
                cx.schedule(self.event);
            }
        }
    }

    const HANDLERS: usize = 20_000;

    #[test]
    fn the_clock_is_read_once_between_two_handlers() {
        let runtime = Runtime::new(RuntimeOptions::default()).unwrap();
        let (told, heard) = channel();
        let between = Vec::with_capacity(HANDLERS);
        let reader = Reader { event: EventId::NONE, before: 0, between, told };
        runtime.spawn("reader", Class::Routing, reader);
        let between = heard.recv_timeout(Duration::from_secs(20)).unwrap();
        // More only where a turn ends and the poller is looked at, which is every millisecond.
        let more = between.iter().skip(1).filter(|&&reads| reads != 1).count();
        assert!(between.iter().skip(1).all(|&reads| reads >= 1), "every boundary has its own");
        assert!(more < HANDLERS / 20, "{more} of {HANDLERS}");
    }
}
