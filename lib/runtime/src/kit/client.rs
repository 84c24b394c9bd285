//! A client that connects, and connects again.
//!
//! The loop owns a [`Client`] and passes on its socket's readiness and its timer; what has come of it is
//! said by [`Happened`]. After [`Happened::Connected`] the loop sends all its state anew, and then says
//! [`Client::synced`]. Whatever goes wrong, up to what is read, is a failure: the client waits, twice as
//! long each time up to a cap, less a part that is up to chance, so that many clients of one server do
//! not come back together. The count of failures goes to zero only after the connection has been in
//! sync for a while; a server that accepts and breaks off does not get every client at full speed.

use core::{
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};
use std::{io, path::PathBuf, sync::Arc};

use dunlin_sync::Class;

use crate::{
    context::Context,
    ids::{SocketId, TimerId},
    loop_cell::Counters,
    options::ConnectOptions,
    runloop::{Interest, Ready},
    time::Time,
};

/// Where to connect.
#[derive(Clone, Debug)]
pub enum Target {
    /// To a TCP port.
    Tcp(SocketAddr, ConnectOptions),
    /// To a path in the file system.
    Unix(PathBuf),
}

/// How a client behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientOptions {
    /// How long a connection may take to come about.
    pub connect: Duration,
    /// How long to wait after the first failure.
    pub first: Duration,
    /// How long to wait at most, however many failures there were.
    pub most: Duration,
    /// Up to how many parts in a hundred the wait is shorter than that, by chance.
    pub jitter: u8,
    /// How long a connection is in sync until all failures are forgotten.
    pub stable: Duration,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first: Duration::from_secs(1),
            most: Duration::from_secs(60),
            jitter: 25,
            stable: Duration::from_secs(30),
        }
    }
}

impl ClientOptions {
    /// How long to wait after so many failures in a row; `chance` decides about the jitter.
    fn wait(&self, failures: u32, chance: u64) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        let longest = self.first.saturating_mul(1 << doublings).min(self.most);
        let part = longest.mul_f64(f64::from(self.jitter.min(100)) / 100.0);
        longest - part.mul_f64((chance >> 11) as f64 / (1u64 << 53) as f64)
    }
}

/// What a client is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientState {
    /// It has not been started, or has been stopped.
    #[default]
    Idle,
    /// A connection is on its way.
    Connecting,
    /// Connected; the loop is telling its state anew.
    Syncing,
    /// Connected and in sync.
    Up,
    /// Waiting to connect again.
    Waiting,
}

/// What has happened to a client.
#[derive(Debug)]
pub enum Happened {
    /// Nothing the loop has to see to.
    Nothing,
    /// There is a connection: send all state anew, then say [`Client::synced`].
    Connected(SocketId),
    /// The connection is ready for something.
    Ready(SocketId, Ready),
    /// The connection, or the attempt, is gone. The client tries again by itself.
    Failed(io::Error),
}

/// See the module.
#[derive(Debug)]
pub struct Client {
    target: Target,
    options: ClientOptions,
    state: ClientState,
    socket: SocketId,
    timer: TimerId,
    /// In a row.
    failures: u32,
    counters: Arc<ClientCounters>,
}

impl Client {
    /// A client of the loop that `cx` is of, idle. Its timer is of the control class.
    pub fn new(cx: &mut Context<'_>, name: &str, target: Target, options: ClientOptions) -> Self {
        let counters = Arc::new(ClientCounters { name: name.into(), ..ClientCounters::default() });
        cx.core.clients.add(Arc::downgrade(&counters));
        Self {
            target,
            options,
            state: ClientState::Idle,
            socket: SocketId::NONE,
            timer: cx.timer(Class::Control),
            failures: 0,
            counters,
        }
    }

    /// Connects, now; nothing if it is at it already. Tells of an attempt that failed at once.
    pub fn start(&mut self, cx: &mut Context<'_>) -> Happened {
        match self.state {
            ClientState::Idle | ClientState::Waiting => self.connect(cx),
            ClientState::Connecting | ClientState::Syncing | ClientState::Up => Happened::Nothing,
        }
    }

    /// Closes the connection and does not connect again.
    pub fn stop(&mut self, cx: &mut Context<'_>) {
        self.close(cx);
        let _ = cx.disarm(self.timer);
        self.failures = 0;
        self.enter(cx, ClientState::Idle);
    }

    /// Connects to somewhere else from the next attempt on.
    pub fn set_target(&mut self, target: Target) {
        self.target = target;
    }

    /// All state has been told: the connection is as good as the one before.
    pub fn synced(&mut self, cx: &mut Context<'_>) {
        if self.state == ClientState::Syncing {
            self.enter(cx, ClientState::Up);
            let _ = cx.arm_after(self.timer, self.options.stable);
        }
    }

    /// The loop has found the connection broken, or what comes from it wrong.
    pub fn failed(&mut self, cx: &mut Context<'_>, error: io::Error) -> Happened {
        match self.state {
            ClientState::Idle | ClientState::Waiting => Happened::Nothing,
            ClientState::Connecting | ClientState::Syncing | ClientState::Up => {
                self.close(cx);
                self.failures = self.failures.saturating_add(1);
                Counters::add(&self.counters.failed, 1);
                let wait = self.options.wait(self.failures, cx.random());
                let _ = cx.arm_after(self.timer, wait);
                self.enter(cx, ClientState::Waiting);
                Happened::Failed(error)
            }
        }
    }

    /// Passes readiness on; [`Happened::Nothing`] if the socket is not the client's.
    pub fn ready(&mut self, cx: &mut Context<'_>, socket: SocketId, ready: Ready) -> Happened {
        if socket != self.socket {
            return Happened::Nothing;
        }
        if self.state != ClientState::Connecting {
            return Happened::Ready(socket, ready);
        }
        let outcome = cx.socket_error(socket);
        let outcome = outcome.and_then(|()| cx.interest(socket, Interest::READ));
        if let Err(error) = outcome {
            return self.failed(cx, error);
        }
        let _ = cx.disarm(self.timer);
        Counters::add(&self.counters.connections, 1);
        self.enter(cx, ClientState::Syncing);
        Happened::Connected(socket)
    }

    /// Passes a timer on; [`Happened::Nothing`] if it is not the client's.
    pub fn timer(&mut self, cx: &mut Context<'_>, timer: TimerId) -> Happened {
        if timer != self.timer {
            return Happened::Nothing;
        }
        match self.state {
            ClientState::Waiting => self.connect(cx),
            ClientState::Connecting => self.failed(cx, io::ErrorKind::TimedOut.into()),
            ClientState::Up => {
                self.failures = 0;
                self.enter(cx, ClientState::Up);
                Happened::Nothing
            }
            ClientState::Syncing | ClientState::Idle => Happened::Nothing,
        }
    }

    /// What it is about.
    pub fn state(&self) -> ClientState {
        self.state
    }

    /// The connection, if there is one.
    pub fn socket(&self) -> Option<SocketId> {
        matches!(self.state, ClientState::Syncing | ClientState::Up).then_some(self.socket)
    }

    /// What it has done.
    pub fn stats(&self) -> ClientStats {
        self.counters.stats()
    }

    fn connect(&mut self, cx: &mut Context<'_>) -> Happened {
        Counters::add(&self.counters.attempts, 1);
        self.enter(cx, ClientState::Connecting);
        let opened = match &self.target {
            Target::Tcp(address, options) => cx.connect(*address, options),
            Target::Unix(path) => cx.connect_unix(path),
        };
        match opened {
            Ok(socket) => {
                self.socket = socket;
                let _ = cx.arm_after(self.timer, self.options.connect);
                Happened::Nothing
            }
            Err(error) => self.failed(cx, error),
        }
    }

    fn close(&mut self, cx: &mut Context<'_>) {
        cx.close(core::mem::take(&mut self.socket));
    }

    fn enter(&mut self, cx: &Context<'_>, state: ClientState) {
        let counters = &self.counters;
        if self.state != state {
            counters.since.store(cx.now().as_nanos(), Ordering::Relaxed);
        }
        self.state = state;
        let next = match state {
            ClientState::Waiting => cx.expires(self.timer).unwrap_or(Time::NEVER),
            _ => Time::NEVER,
        };
        counters.next.store(next.as_nanos(), Ordering::Relaxed);
        counters.failures.store(self.failures.into(), Ordering::Relaxed);
        counters.state.store(state as u64, Ordering::Relaxed);
    }
}

/// A client, as people see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientStats {
    /// Its name.
    pub name: Arc<str>,
    /// What it is about.
    pub state: ClientState,
    /// Since when.
    pub since: Time,
    /// When it tries again, if it waits.
    pub next: Option<Time>,
    /// Attempts to connect, in all.
    pub attempts: u64,
    /// Attempts that came about, in all.
    pub connections: u64,
    /// Failures of attempts and connections, in all.
    pub failed: u64,
    /// Failures since the last connection that was stable.
    pub failures: u32,
}

/// What a client counts. Written by the loop's worker, read by anyone, relaxed.
#[derive(Debug, Default)]
pub(crate) struct ClientCounters {
    name: Arc<str>,
    state: AtomicU64,
    since: AtomicU64,
    next: AtomicU64,
    attempts: AtomicU64,
    connections: AtomicU64,
    failed: AtomicU64,
    failures: AtomicU64,
}

impl ClientCounters {
    pub(crate) fn stats(&self) -> ClientStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let state = match read(&self.state) {
            1 => ClientState::Connecting,
            2 => ClientState::Syncing,
            3 => ClientState::Up,
            4 => ClientState::Waiting,
            _ => ClientState::Idle,
        };
        let next = Time::from_nanos(read(&self.next));
        ClientStats {
            name: Arc::clone(&self.name),
            state,
            since: Time::from_nanos(read(&self.since)),
            next: (state == ClientState::Waiting).then_some(next),
            attempts: read(&self.attempts),
            connections: read(&self.connections),
            failed: read(&self.failed),
            failures: u32::try_from(read(&self.failures)).unwrap_or(u32::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_cap_and_jitter_only_shortens_them() {
        let options = ClientOptions::default();
        let seconds = [1, 2, 4, 8, 16, 32, 60, 60];
        for (failures, seconds) in (1..).zip(seconds) {
            let longest = Duration::from_secs(seconds);
            assert_eq!(options.wait(failures, 0), longest);
            for chance in [u64::MAX / 3, u64::MAX] {
                let wait = options.wait(failures, chance);
                assert!(wait < longest && wait >= longest.mul_f64(0.7499), "{wait:?}");
            }
        }
        assert_eq!(options.wait(u32::MAX, 0), options.most);
        let none = ClientOptions { jitter: 0, ..options };
        assert_eq!(none.wait(3, u64::MAX), Duration::from_secs(4));
        let all = ClientOptions { jitter: 255, ..options };
        assert!(all.wait(3, u64::MAX) < Duration::from_millis(1));
    }
}
