//! The driver of simulated workers.

use core::{
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    time::Duration,
};
use std::{
    io::{self, IoSlice},
    path::Path,
    sync::Arc,
};

use dunlin_sync::{Class, Classes};
use dunlin_trace::{RecordId, Site};

use super::{SimOptions, net::SimNet, recording::Recording};
use crate::{
    clocks::{ClockReading, ClockSource},
    driver::{Done, Driver, Endpoint, Pace, Then, gives_way_from},
    ids::{LoopId, SocketId},
    loop_cell::Runnable,
    options::{ConnectOptions, ListenOptions},
    place::Places,
    runloop::Interest,
    stats::{Gauge, Limits, LoopTimings, Meter},
    time::{Time, nanos},
    worker::engine::split_mix,
};

/// Time, chance and network of the simulation, lent to the handler that runs.
pub(super) struct Engine {
    /// When the running handler began.
    pub(super) now: Time,
    /// What it has taken so far.
    pub(super) consumed: Duration,
    /// When its turn must end.
    pub(super) turn_until: Time,
    /// What the turn is for, and the classes that other loops wait in.
    pub(super) turn_class: Class,
    pub(super) others: Classes,
    /// Something urgent waits for the worker.
    pub(super) urgent: bool,
    pub(super) worker: usize,
    pub(super) net: SimNet,
    pub(super) chance: Chance,
    pub(super) hash: Hash,
    pub(super) handlers: u64,
    pub(super) liveness_late: Duration,
    /// What the running handler has spent as the step of a job.
    pub(super) jobs: Duration,
    /// Nanoseconds the wall clock has been set forward.
    pub(super) wall_set: i64,
    /// Nanoseconds the system has been suspended.
    pub(super) suspended: u64,
    limits: Arc<Limits>,
    /// One for each worker that there has been.
    pub(super) meters: Vec<Meter>,
    pub(super) recording: Recording,
    places: Arc<Places>,
    handler_cost: RangeInclusive<Duration>,
    buffer: Vec<u8>,
}

impl Engine {
    pub(super) fn new(options: &SimOptions, limits: Arc<Limits>, places: Arc<Places>) -> Self {
        Self {
            now: START,
            consumed: Duration::ZERO,
            turn_until: Time::ZERO,
            turn_class: Class::Bulk,
            others: Classes::NONE,
            urgent: false,
            worker: 0,
            net: SimNet::new(options),
            chance: Chance(options.seed),
            hash: Hash(options.seed),
            handlers: 0,
            liveness_late: Duration::ZERO,
            jobs: Duration::ZERO,
            wall_set: 0,
            suspended: 0,
            limits,
            meters: Vec::new(),
            recording: Recording::new(options.recorder.clone()),
            places,
            handler_cost: options.handler_cost.clone(),
            buffer: Vec::new(),
        }
    }
}

impl Engine {
    /// What the running worker measures.
    pub(super) fn meter(&mut self) -> &mut Meter {
        self.meter_of(self.worker)
    }

    /// What a worker measures.
    pub(super) fn meter_of(&mut self, worker: usize) -> &mut Meter {
        while self.meters.len() <= worker {
            self.meters.push(Meter::new(Gauge::new(), Arc::clone(&self.limits)));
        }
        &mut self.meters[worker]
    }

    /// The clocks as they are now.
    pub(super) fn clocks(&self) -> SimClocks {
        let monotonic = self.now.as_nanos();
        let boot = monotonic.saturating_add(self.suspended);
        let wall = nanos(WALL).saturating_add(boot).saturating_add_signed(self.wall_set);
        SimClocks(ClockReading { monotonic, boot, wall })
    }
}

/// The clocks of the simulation at one moment.
pub(super) struct SimClocks(pub(super) ClockReading);

impl ClockSource for SimClocks {
    fn read(&self) -> Option<ClockReading> {
        Some(self.0)
    }
}

impl Driver for Engine {
    fn turn_time(&mut self) -> Time {
        self.now
    }

    fn enter(&mut self, loop_id: LoopId, kind: &'static str) {
        self.meter().enter(loop_id, kind);
    }

    fn begin(&mut self, handler: &Done) -> RecordId {
        if handler.class() == Class::Liveness {
            self.liveness_late = self.liveness_late.max(handler.began.since(handler.since));
        }
        let place = self.places.number(handler.place, handler.site());
        self.meter().begin(handler, place);
        self.recording.begin(self.worker, handler, place)
    }

    fn begin_call(&mut self, handler: &Done) -> RecordId {
        let place = self.places.number(handler.place, handler.site());
        self.meter().begin_call(handler, place);
        self.recording.begin(self.worker, handler, place)
    }

    fn boundary(&mut self, handler: &Done, timings: &mut LoopTimings) -> Pace {
        self.consumed += self.chance.span(&self.handler_cost);
        self.handlers += 1;
        if handler.site() == Site::JOB {
            self.jobs += self.consumed;
        }
        self.hash.add(handler.began.as_nanos());
        self.hash.add(u64::from(handler.loop_id.number()) << 32 | self.worker as u64);
        self.hash.add(u64::from(handler.site().0) << 32 | u64::from(handler.argument()));
        let now = self.now + self.consumed;
        if !self.meter().end(handler, now, timings) {
            self.meter().end_of_note(handler, now, timings);
        }
        self.recording.end(now, RecordId::NONE);
        let is_over = now >= self.turn_until;
        Pace { now, then: if is_over { Then::PauseAndYield } else { Then::Pause } }
    }

    fn tick(&mut self) -> Time {
        self.clock()
    }

    fn end_call(&mut self, caller: RecordId) {
        self.meter().end_call();
        let now = self.now + self.consumed;
        self.recording.end(now, caller);
    }

    fn gives_way_from(&self) -> usize {
        gives_way_from(self.turn_class, self.others)
    }

    fn panicked(&mut self, cell: &Arc<dyn Runnable>) {
        self.meter().abandon();
        self.consumed += self.chance.span(&self.handler_cost);
        let (now, number) = (self.now + self.consumed, cell.header().id().number());
        self.recording.note(self.worker, now, Site::PANIC, number, 0);
    }

    fn clock(&mut self) -> Time {
        // Looking at the clock takes time, so a loop that waits for a moment gets there.
        self.consumed += GLANCE;
        self.now + self.consumed
    }

    fn wall(&mut self) -> Duration {
        Duration::from_nanos(self.clocks().0.wall)
    }

    fn random(&mut self) -> u64 {
        self.chance.next()
    }

    fn over_budget(&mut self) -> bool {
        // What was done since the last question took its time.
        self.consumed += self.chance.span(&(Duration::from_nanos(100)..=Duration::from_micros(5)));
        self.urgent || self.now + self.consumed >= self.turn_until
    }

    fn remaining(&mut self) -> Duration {
        if self.over_budget() {
            Duration::ZERO
        } else {
            self.turn_until.since(self.now + self.consumed)
        }
    }

    fn turn_until(&self) -> Time {
        self.turn_until
    }

    fn consume(&mut self, span: Duration) {
        self.consumed += span;
    }

    fn worker(&self) -> usize {
        self.worker
    }

    fn take_buffer(&mut self) -> Vec<u8> {
        let mut buffer = core::mem::take(&mut self.buffer);
        buffer.resize(READ_BUFFER, 0);
        buffer
    }

    fn put_buffer(&mut self, buffer: Vec<u8>) {
        self.buffer = buffer;
    }

    fn listen(&mut self, local: SocketAddr, _: &ListenOptions) -> io::Result<Endpoint> {
        self.net.listen(self.now, &mut self.chance, local).map(Endpoint::Sim)
    }

    fn listen_unix(&mut self, path: &Path, _: u32) -> io::Result<Endpoint> {
        self.net.listen_unix(path).map(Endpoint::Sim)
    }

    fn connect(&mut self, peer: SocketAddr, options: &ConnectOptions) -> io::Result<Endpoint> {
        let socket = self.net.connect(self.now, &mut self.chance, peer, options.local)?;
        Ok(Endpoint::Sim(socket))
    }

    fn connect_unix(&mut self, path: &Path) -> io::Result<Endpoint> {
        self.net.connect_unix(self.now, &mut self.chance, path).map(Endpoint::Sim)
    }

    fn accept(&mut self, listener: &Endpoint) -> io::Result<(Endpoint, Option<SocketAddr>)> {
        let (socket, peer) = self.net.accept(self.now, &mut self.chance, sim(listener)?)?;
        Ok((Endpoint::Sim(socket), Some(peer)))
    }

    fn read(&mut self, socket: &Endpoint, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.net.read(self.now, &mut self.chance, sim(socket)?, buffer)?;
        self.hash.add_bytes(buffer.get(..count).unwrap_or_default());
        Ok(count)
    }

    fn write(&mut self, socket: &Endpoint, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        let count = self.net.write(self.now, &mut self.chance, sim(socket)?, buffers)?;
        let mut left = count;
        for buffer in buffers {
            let taken = left.min(buffer.len());
            self.hash.add_bytes(buffer.get(..taken).unwrap_or_default());
            left -= taken;
        }
        Ok(count)
    }

    fn socket_error(&mut self, socket: &Endpoint) -> io::Result<()> {
        self.net.take_error(sim(socket)?)
    }

    fn unread(&self, socket: &Endpoint) -> io::Result<usize> {
        self.net.unread(sim(socket)?)
    }

    fn finish_writing(&mut self, socket: &Endpoint) -> io::Result<()> {
        self.net.finish(self.now, &mut self.chance, sim(socket)?)
    }

    fn set_ttl(&mut self, socket: &Endpoint, _: Option<u8>, _: Option<u8>) -> io::Result<()> {
        // Accepted and without effect: simulated hosts are neighbours.
        sim(socket).map(drop)
    }

    fn peer_user(&self, socket: &Endpoint) -> io::Result<(u32, u32)> {
        sim(socket).map(|_| (0, 0))
    }

    fn local_addr(&self, socket: &Endpoint) -> io::Result<SocketAddr> {
        self.net.local_addr(sim(socket)?)
    }

    fn peer_addr(&self, socket: &Endpoint) -> io::Result<SocketAddr> {
        self.net.peer_addr(sim(socket)?)
    }

    fn set_md5(
        &mut self,
        socket: &Endpoint,
        _: IpAddr,
        _: Option<u8>,
        _: Option<&[u8]>,
    ) -> io::Result<()> {
        // Accepted and without effect: a simulated segment cannot be forged.
        sim(socket).map(drop)
    }

    fn register(
        &mut self,
        slot: u32,
        id: SocketId,
        socket: &Endpoint,
        interest: Interest,
    ) -> io::Result<u64> {
        let socket = sim(socket)?;
        self.net.register(socket, self.worker, slot, id, interest);
        Ok(u64::from(socket))
    }

    fn modify(&mut self, key: u64, _: &Endpoint, interest: Interest) -> io::Result<()> {
        self.net.set_interest(key as u32, interest);
        Ok(())
    }

    fn suspend(&mut self, key: u64, _: &Endpoint) {
        self.net.set_suspended(key as u32, true);
    }

    fn resume(&mut self, key: u64, _: &Endpoint, interest: Interest) -> io::Result<()> {
        self.net.set_suspended(key as u32, false);
        self.net.set_interest(key as u32, interest);
        Ok(())
    }

    fn deregister(&mut self, key: u64, _: &Endpoint) {
        self.net.deregister(key as u32);
    }
}

fn sim(socket: &Endpoint) -> io::Result<u32> {
    match socket {
        Endpoint::Sim(socket) => Ok(socket.id()),
        Endpoint::Os(_) | Endpoint::File(_) => {
            Err(io::Error::new(io::ErrorKind::InvalidInput, "a real descriptor in a simulation"))
        }
    }
}

/// The one source of chance.
#[derive(Debug)]
pub(super) struct Chance(pub(super) u64);

impl Chance {
    pub(super) fn next(&mut self) -> u64 {
        split_mix(&mut self.0)
    }

    /// A number below `bound`; 0 if that is 0.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        let bound = bound.max(1) as u128;
        ((u128::from(self.next()) * bound) >> 64) as usize
    }

    /// True this often in a thousand.
    pub(super) fn per_mille(&mut self, often: u32) -> bool {
        often > 0 && self.below(1000) < often as usize
    }

    pub(super) fn span(&mut self, range: &RangeInclusive<Duration>) -> Duration {
        let (least, most) = (nanos(*range.start()), nanos(*range.end()));
        let width = most.saturating_sub(least) as usize;
        Duration::from_nanos(least + self.below(width.saturating_add(1)) as u64)
    }
}

/// All that happened, folded into a number.
#[derive(Debug)]
pub(super) struct Hash(pub(super) u64);

impl Hash {
    pub(super) fn add(&mut self, word: u64) {
        let mixed = u128::from(self.0 ^ word ^ 0x9e37_79b9_7f4a_7c15) * 0xa076_1d64_78bd_642f;
        self.0 = (mixed as u64) ^ (mixed >> 64) as u64 ^ self.0.rotate_left(29);
    }

    pub(super) fn add_bytes(&mut self, bytes: &[u8]) {
        self.add(bytes.len() as u64);
        for chunk in bytes.chunks(8) {
            self.add(chunk.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)));
        }
    }
}

/// When a simulation begins; not zero, which means "unknown" in some places.
const START: Time = Time::from_nanos(1_000_000_000);
/// What a look at the clock takes.
const GLANCE: Duration = Duration::from_nanos(20);
/// 2026-01-01 00:00 UTC.
const WALL: Duration = Duration::from_secs(1_767_225_600);
const READ_BUFFER: usize = 256 * 1024;
