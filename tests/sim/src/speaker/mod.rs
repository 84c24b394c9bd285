//! A neighbour that does as the test says and writes down what it is told.
//!
//! It speaks through `dunlin_bgp`'s wire code and has a state machine of its own, small enough to
//! be trusted: connect, OPEN, KEEPALIVE, its whole table, End-of-RIB; after a loss again.

mod receive;
mod seen;
mod send;

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use dunlin_bgp::wire::decode::Decoder;
use dunlin_bgp::wire::frame::KEEPALIVE;
use dunlin_bgp::wire::notification::code;
use dunlin_bgp::wire::{Carried, Notification};
use dunlin_net::Prefix;
use dunlin_runtime::{
    AcceptPause, Address, Class, ConnectOptions, Context, Interest, ListenOptions, Loop, Ready,
    SocketId, Time, TimerId,
};

pub use seen::{Loss, Seen, make_version};

use crate::model::Path;

/// The port of BGP.
pub const PORT: u16 = 179;

/// A speaker's side of a session.
#[derive(Clone, Debug)]
pub struct SpeakerSpec {
    /// Its AS.
    pub asn: u32,
    /// Its address.
    pub local: IpAddr,
    /// Its next hop for IPv6.
    pub local6: IpAddr,
    /// Where its daemon is.
    pub daemon: IpAddr,
    /// The hold time it wants, in seconds.
    pub hold: u16,
    /// It waits for the daemon to connect.
    pub listens: bool,
    /// Notes when each route was first heard of.
    pub clocks: bool,
    /// Stays away until told otherwise.
    pub absent: bool,
}

/// How fast a speaker reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Whatever is there.
    Full,
    /// So many bytes, so often.
    Slow(usize, Duration),
    /// Not at all.
    Stopped,
}

/// Networks and the path by which they are announced.
pub type Announcement = (Vec<Prefix>, Path);

/// What a speaker is told.
#[derive(Clone, Debug)]
pub enum SpeakerMessage {
    /// Announce these.
    Announce(Vec<Announcement>),
    /// Withdraw these.
    Withdraw(Vec<Prefix>),
    /// Read as fast as that.
    Pace(Pace),
    /// Close the connection without a word; connect again soon.
    Drop,
    /// Close the connection and stay away, or come back.
    Up(bool),
    /// Send nothing any more, or go on.
    Silent(bool),
    /// Ask for everything again.
    Refresh(Carried),
}

/// What the test holds of a speaker.
#[derive(Clone, Debug)]
pub struct Speaker {
    /// What it is.
    pub spec: SpeakerSpec,
    /// The way to it.
    pub address: Address<SpeakerMessage>,
    /// What it has written down.
    pub seen: Arc<Mutex<Seen>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Idle,
    Connecting,
    OpenSent,
    OpenConfirm,
    Established,
}

#[derive(Debug)]
struct Timers {
    keepalive: TimerId,
    hold: TimerId,
    retry: TimerId,
    pace: TimerId,
}

/// See the module.
#[derive(Debug)]
pub struct SpeakerLoop {
    spec: SpeakerSpec,
    seen: Arc<Mutex<Seen>>,
    /// What it announces.
    table: BTreeMap<Prefix, Path>,
    phase: Phase,
    listener: SocketId,
    socket: SocketId,
    timers: Timers,
    pause: AcceptPause,
    pace: Pace,
    wanted: bool,
    silent: bool,
    /// The hold time agreed upon.
    hold: Duration,
    heard: Time,
    input: Vec<u8>,
    out: Vec<u8>,
    /// How much of `out` has been taken.
    taken: usize,
    blocked: Option<Time>,
    decoder: Decoder,
}

impl SpeakerLoop {
    /// A speaker that connects when its loop starts.
    pub fn new(spec: SpeakerSpec, seen: Arc<Mutex<Seen>>) -> Self {
        let none = TimerId::NONE;
        Self {
            wanted: !spec.absent,
            spec,
            seen,
            table: BTreeMap::new(),
            phase: Phase::Idle,
            listener: SocketId::NONE,
            socket: SocketId::NONE,
            timers: Timers { keepalive: none, hold: none, retry: none, pace: none },
            pause: AcceptPause::default(),
            pace: Pace::Full,
            silent: false,
            hold: Duration::ZERO,
            heard: Time::ZERO,
            input: Vec::new(),
            out: Vec::new(),
            taken: 0,
            blocked: None,
            decoder: Decoder::default(),
        }
    }

    fn note(&self, what: impl FnOnce(&mut Seen)) {
        what(&mut self.seen.lock().unwrap());
    }

    fn is_up(&self) -> bool {
        self.phase == Phase::Established
    }

    fn connect(&mut self, cx: &mut Context<'_>) {
        if !self.wanted || self.phase != Phase::Idle || self.spec.listens {
            return;
        }
        let local = Some(SocketAddr::new(self.spec.local, 0));
        let options = ConnectOptions { local, ..ConnectOptions::default() };
        let to = SocketAddr::new(self.spec.daemon, PORT);
        match cx.connect(to, &options) {
            Ok(socket) => {
                self.socket = socket;
                self.phase = Phase::Connecting;
            }
            // No descriptor is left.
            Err(_) => self.connect_later(cx),
        }
    }

    fn accept(&mut self, cx: &mut Context<'_>) {
        loop {
            let socket = match cx.accept(self.listener) {
                Ok((socket, _)) => socket,
                Err(error) => {
                    self.pause.failed(cx, self.listener, &error);
                    return;
                }
            };
            if self.phase == Phase::Idle && self.wanted {
                self.socket = socket;
                self.begin(cx);
            } else {
                cx.close(socket);
            }
        }
    }

    /// There is a connection.
    fn begin(&mut self, cx: &mut Context<'_>) {
        self.phase = Phase::OpenSent;
        self.heard = cx.now();
        self.open();
        cx.arm_after(self.timers.hold, Duration::from_secs(1));
        self.flush(cx);
    }

    /// Both OPENs are good.
    fn confirm(&mut self, cx: &mut Context<'_>, theirs: u16) {
        self.phase = Phase::OpenConfirm;
        self.hold = Duration::from_secs(u64::from(self.spec.hold.min(theirs)));
        self.put(&KEEPALIVE);
        cx.arm_every(self.timers.keepalive, self.hold / 3);
    }

    fn establish(&mut self, cx: &mut Context<'_>) {
        self.phase = Phase::Established;
        let now = cx.now();
        self.note(|seen| seen.begin(now));
        self.put_table();
        self.set_pace(cx, self.pace);
    }

    /// The connection is over.
    fn lost(&mut self, cx: &mut Context<'_>, why: &str) {
        let was_up = self.is_up();
        cx.close(self.socket);
        self.socket = SocketId::NONE;
        self.phase = Phase::Idle;
        self.input.clear();
        self.out.clear();
        self.taken = 0;
        self.blocked = None;
        for timer in [self.timers.keepalive, self.timers.hold, self.timers.pace] {
            cx.disarm(timer);
        }
        let at = cx.now();
        self.note(|seen| seen.end(was_up, Loss { at, why: why.to_owned() }));
        self.connect_later(cx);
    }

    fn connect_later(&mut self, cx: &mut Context<'_>) {
        let wait = Duration::from_millis(200 + cx.random() % 800);
        cx.arm_after(self.timers.retry, wait);
    }

    fn set_pace(&mut self, cx: &mut Context<'_>, pace: Pace) {
        self.pace = pace;
        if let Pace::Slow(_, every) = pace {
            cx.arm_every(self.timers.pace, every);
        } else {
            cx.disarm(self.timers.pace);
        }
        if pace == Pace::Full {
            self.heard = cx.now();
        }
        self.update_interest(cx);
    }

    fn update_interest(&self, cx: &mut Context<'_>) {
        if !matches!(self.phase, Phase::Idle | Phase::Connecting) {
            let read = self.pace == Pace::Full || !self.is_up();
            let interest = Interest { read, write: self.blocked.is_some() };
            // The connection may have gone in the meantime; reading tells.
            let _ = cx.interest(self.socket, interest);
        }
    }

    /// Whether the daemon has been silent for too long; what waits in the socket counts.
    fn check_hold(&mut self, cx: &mut Context<'_>) {
        let limit = if self.hold.is_zero() { Duration::from_secs(30) } else { self.hold };
        if self.pace != Pace::Stopped && cx.now().since(self.heard) > limit {
            self.read(cx, usize::MAX);
            if self.phase != Phase::Idle && cx.now().since(self.heard) > limit {
                self.refuse(cx, Notification::new(code::HOLD, 0), "hold time expired here");
            }
        }
        if self.phase != Phase::Idle {
            cx.arm_after(self.timers.hold, Duration::from_millis(500));
        }
    }

    fn go(&mut self, cx: &mut Context<'_>, up: bool) {
        self.wanted = up;
        if up {
            self.connect(cx);
        } else if self.phase != Phase::Idle {
            self.lost(cx, "told to");
        }
    }
}

impl Loop for SpeakerLoop {
    type Message = SpeakerMessage;

    fn start(&mut self, cx: &mut Context<'_>) {
        self.timers = Timers {
            keepalive: cx.timer(Class::Liveness),
            hold: cx.timer(Class::Liveness),
            retry: cx.timer(Class::Liveness),
            pace: cx.timer(Class::Liveness),
        };
        self.pause.start(cx);
        if self.spec.listens {
            let at = SocketAddr::new(self.spec.local, PORT);
            self.listener = cx.listen(at, &ListenOptions::default()).expect("a free address");
        }
        self.connect(cx);
    }

    fn message(&mut self, cx: &mut Context<'_>, message: SpeakerMessage) {
        match message {
            SpeakerMessage::Announce(list) => self.announce(list, cx.now()),
            SpeakerMessage::Withdraw(nets) => self.withdraw(&nets),
            SpeakerMessage::Pace(pace) => self.set_pace(cx, pace),
            SpeakerMessage::Drop if self.phase != Phase::Idle => self.lost(cx, "dropped"),
            SpeakerMessage::Drop => {}
            SpeakerMessage::Up(up) => self.go(cx, up),
            SpeakerMessage::Silent(silent) => self.silent = silent,
            SpeakerMessage::Refresh(family) => self.ask_refresh(family),
        }
        self.flush(cx);
    }

    fn timer(&mut self, cx: &mut Context<'_>, timer: TimerId) {
        if timer == self.timers.keepalive {
            self.put(&KEEPALIVE);
        } else if timer == self.timers.hold {
            self.check_hold(cx);
        } else if timer == self.timers.retry {
            self.connect(cx);
        } else if timer == self.timers.pace
            && let Pace::Slow(bytes, _) = self.pace
        {
            self.read(cx, bytes);
        } else {
            self.pause.timer(cx, timer);
        }
        self.flush(cx);
    }

    fn ready(&mut self, cx: &mut Context<'_>, socket: SocketId, ready: Ready) {
        if socket == self.listener {
            return self.accept(cx);
        }
        if self.phase == Phase::Connecting {
            return match cx.socket_error(socket) {
                Ok(()) => self.begin(cx),
                Err(error) => self.lost(cx, &error.to_string()),
            };
        }
        if ready.readable || ready.error {
            self.read(cx, usize::MAX);
        }
        self.flush(cx);
    }
}
