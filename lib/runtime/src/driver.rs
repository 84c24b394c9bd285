//! What a context needs from whatever runs the loop: a real worker or a simulated one.

use core::{net::SocketAddr, time::Duration};
use std::{
    fs::File,
    io::{self, IoSlice},
    os::fd::{AsFd, AsRawFd},
    path::Path,
    sync::Arc,
};

use dunlin_os::socket::Socket;
use dunlin_sync::{Class, Classes};
use dunlin_trace::{RecordId, Site};

use crate::{
    ids::{LoopId, SocketId},
    loop_cell::Runnable,
    options::{ConnectOptions, ListenOptions},
    place::Place,
    runloop::Interest,
    sim::SimSocket,
    stats::{Handler, LoopTimings},
    step::{Reason, Step},
    time::Time,
};

/// A socket as the driver knows it. Owns what it names: dropping it closes it.
#[derive(Debug)]
pub(crate) enum Endpoint {
    /// A socket of the system.
    Os(Socket),
    /// Any other descriptor: netlink, signals, a pipe.
    File(File),
    /// An end in the simulated network.
    Sim(SimSocket),
}

impl Endpoint {
    /// The descriptor's number, if it has one.
    pub(crate) fn descriptor(&self) -> Option<i32> {
        match self {
            Self::Os(socket) => Some(socket.as_fd().as_raw_fd()),
            Self::File(file) => Some(file.as_fd().as_raw_fd()),
            Self::Sim(_) => None,
        }
    }
}

/// One handler: what it was and why it ran. Place and cause are apart, so that the compiler does not join the reading
/// of the two from a [`Reason`], for which see [`Stamp`](crate::cause::Stamp).
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Done {
    pub(crate) step: Step,
    /// Where it was asked for.
    pub(crate) place: Place,
    /// When it began.
    pub(crate) began: Time,
    /// When it was asked for or due; when it began, if nobody knows.
    pub(crate) since: Time,
    /// The handler that asked for it.
    pub(crate) cause: RecordId,
    pub(crate) loop_id: LoopId,
    /// Whether it is known since when it has waited.
    pub(crate) knows_since: bool,
}

impl Done {
    /// A handler of the loop of this number that begins now.
    #[inline]
    pub(crate) fn new(step: Step, reason: Reason, loop_id: LoopId, now: Time) -> Self {
        let Reason { since, place, cause } = reason;
        let knows_since = since != Time::ZERO;
        let since = if knows_since { since.min(now) } else { now };
        Self { step, loop_id, knows_since, began: now, since, place, cause }
    }

    #[inline]
    pub(crate) fn site(&self) -> Site {
        self.step.site()
    }

    #[inline]
    pub(crate) fn class(&self) -> Class {
        self.step.class()
    }

    #[inline]
    pub(crate) fn handler(&self) -> Handler {
        self.step.handler()
    }

    /// Which timer, event, socket or job.
    #[inline]
    pub(crate) fn argument(&self) -> u32 {
        self.step.number()
    }

    /// How long it took if it ends now, in nanoseconds.
    #[inline]
    pub(crate) fn took(&self, now: Time) -> u64 {
        now.nanos_since(self.began)
    }

    /// How long it waited, in nanoseconds; nothing, if nobody knows.
    #[inline]
    pub(crate) fn waited(&self) -> u64 {
        self.began.nanos_since(self.since)
    }
}

/// What comes after a handler, and when that is. Two words, so that it travels in registers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// When the handler ended.
    pub(crate) now: Time,
    pub(crate) then: Then,
}

/// What comes after a handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// The next handler of the same loop.
    Continue,
    /// The turn is over: what has been deferred, then another loop.
    Yield,
    /// Another loop, which cannot wait even for what has been deferred.
    Interrupt,
    /// Handlers of other workers, which in a simulation come between any two.
    Pause,
    /// As [`Pause`](Self::Pause), and the turn is over as with [`Yield`](Self::Yield).
    PauseAndYield,
}

/// See [`Driver::gives_way_from`], for a turn of this class while loops of the classes `others` wait.
pub(crate) fn gives_way_from(turn: Class, others: Classes) -> usize {
    others.highest().map_or(Class::ALL.len(), |other| turn.max(other).index() + 1)
}

/// Time, randomness and the network of one worker. Sockets given to a driver are of its own kind;
/// anything else is an error, not a panic.
pub(crate) trait Driver {
    /// When the turn began that is about to run handlers.
    fn turn_time(&mut self) -> Time;
    /// A loop of this kind, which is the name of its type, is about to run handlers.
    fn enter(&mut self, loop_id: LoopId, kind: &'static str);
    /// A handler is about to run; its flight record.
    fn begin(&mut self, handler: &Done) -> RecordId;
    /// A handler is about to run that another calls; its flight record.
    fn begin_call(&mut self, handler: &Done) -> RecordId;
    /// A handler has run, of the loop whose timings these are.
    fn boundary(&mut self, handler: &Done, timings: &mut LoopTimings) -> Pace;
    /// Reads the clock in the midst of a handler, which is about to call another.
    fn tick(&mut self) -> Time;
    /// A handler that another called has run; that one's record goes on.
    fn end_call(&mut self, caller: RecordId);
    /// The index of the first class that has to wait, as it is not what the loop got its turn for and
    /// other loops have more urgent things; beyond the last class if none has to.
    fn gives_way_from(&self) -> usize;
    /// A handler of this loop has panicked.
    fn panicked(&mut self, cell: &Arc<dyn Runnable>);

    /// The time right now.
    fn clock(&mut self) -> Time;
    /// Wall-clock time since 1970.
    fn wall(&mut self) -> Duration;
    /// Sixty-four random bits.
    fn random(&mut self) -> u64;
    /// Whether the running handler should give way.
    fn over_budget(&mut self) -> bool;
    /// How much time the running handler has left; zero when it should give way.
    fn remaining(&mut self) -> Duration;
    /// When its time was up, or will be.
    fn turn_until(&self) -> Time;
    /// Lets simulated time pass inside a handler; nothing on real workers.
    fn consume(&mut self, span: Duration);
    /// The worker's index.
    fn worker(&self) -> usize;

    /// The worker's read buffer, empty or stale in content.
    fn take_buffer(&mut self) -> Vec<u8>;
    /// Gives the read buffer back.
    fn put_buffer(&mut self, buffer: Vec<u8>);

    /// A listening TCP socket.
    fn listen(&mut self, local: SocketAddr, options: &ListenOptions) -> io::Result<Endpoint>;
    /// A listening stream socket in the file system.
    fn listen_unix(&mut self, path: &Path, mode: u32) -> io::Result<Endpoint>;
    /// A connecting TCP socket.
    fn connect(&mut self, peer: SocketAddr, options: &ConnectOptions) -> io::Result<Endpoint>;
    /// A connecting stream socket in the file system.
    fn connect_unix(&mut self, path: &Path) -> io::Result<Endpoint>;
    /// Takes a connection.
    fn accept(&mut self, listener: &Endpoint) -> io::Result<(Endpoint, Option<SocketAddr>)>;
    /// Reads what is there.
    fn read(&mut self, socket: &Endpoint, buffer: &mut [u8]) -> io::Result<usize>;
    /// Writes what there is room for.
    fn write(&mut self, socket: &Endpoint, buffers: &[IoSlice<'_>]) -> io::Result<usize>;
    /// Takes the socket's pending error.
    fn socket_error(&mut self, socket: &Endpoint) -> io::Result<()>;
    /// Bytes that have arrived and not been read.
    fn unread(&self, socket: &Endpoint) -> io::Result<usize>;
    /// Ends the stream sent.
    fn finish_writing(&mut self, socket: &Endpoint) -> io::Result<()>;
    /// Sets the time to live sent and the least accepted.
    fn set_ttl(
        &mut self,
        socket: &Endpoint,
        sent: Option<u8>,
        accepted: Option<u8>,
    ) -> io::Result<()>;
    /// User and group at the other end of a unix socket.
    fn peer_user(&self, socket: &Endpoint) -> io::Result<(u32, u32)>;
    /// The address at this end.
    fn local_addr(&self, socket: &Endpoint) -> io::Result<SocketAddr>;
    /// The address at the other end.
    fn peer_addr(&self, socket: &Endpoint) -> io::Result<SocketAddr>;
    /// Sets the TCP MD5 key for `peer`, or for a prefix of this length; or takes it away.
    fn set_md5(
        &mut self,
        socket: &Endpoint,
        peer: core::net::IpAddr,
        prefix: Option<u8>,
        key: Option<&[u8]>,
    ) -> io::Result<()>;

    /// Starts watching a socket of the running loop; the answer names the registration.
    fn register(
        &mut self,
        slot: u32,
        id: SocketId,
        socket: &Endpoint,
        interest: Interest,
    ) -> io::Result<u64>;
    /// Changes what is watched for.
    fn modify(&mut self, key: u64, socket: &Endpoint, interest: Interest) -> io::Result<()>;
    /// Stops watching for a while; not even errors are reported.
    fn suspend(&mut self, key: u64, socket: &Endpoint);
    /// Watches again.
    fn resume(&mut self, key: u64, socket: &Endpoint, interest: Interest) -> io::Result<()>;
    /// Stops watching. Readiness already reported is dropped.
    fn deregister(&mut self, key: u64, socket: &Endpoint);
}
