//! Many BGP speakers on one epoll loop in one thread, so that the harness
//! takes as little as possible of the processor it shares with the daemon.

use crate::rib::{Rib, state};
use crate::table::Index;
use crate::wire::{self, Net};
use anyhow::{Result, bail};
use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum State {
    Down,
    Connecting,
    OpenSent,
    Up,
}

pub struct Session {
    pub local: Ipv4Addr,
    pub asn: u32,
    pub v6: bool,
    pub hold: u16,
    /// Should be up; a session that falls is dialled again.
    pub wanted: bool,
    pub state: State,
    /// Sent again when the daemon asks with ROUTE-REFRESH.
    pub table: Rc<Vec<u8>>,
    pub rib: Option<Rib>,
    pub refreshes: u32,
    sock: Option<TcpStream>,
    inb: Vec<u8>,
    out: VecDeque<(Rc<Vec<u8>>, usize)>,
    armed: bool,
    keepalive_at: Instant,
    /// When to dial; while the session comes up: when to give up and dial again.
    retry_at: Instant,
}

/// So many sessions come up at a time, as some daemons' queue of new
/// connections is short, and each gets so long for it.
const DIALLING: usize = 8;
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Default)]
pub struct Counters {
    pub updates: u64,
    pub bytes: u64,
    pub announced: u64,
    pub withdrawn: u64,
    pub unknown: u64,
    pub keepalives: u64,
}

/// Makes the UPDATE for a prefix and a sequence number.
type MakeUpdate = Box<dyn Fn(&Net, u16) -> Vec<u8>>;

/// A steady stream of single-prefix UPDATEs, traced by a sequence number in a
/// community; measures the delay to every receiver and the gaps between arrivals.
pub struct Trickle {
    pub speaker: usize,
    pub nets: Vec<Net>,
    pub make: MakeUpdate,
    pub period: Duration,
    pub on: bool,
    next: Instant,
    seq: u16,
    pub sent: u64,
    sent_at: Vec<Option<Instant>>,
    /// Per receiver: which sequence numbers have arrived, and the last arrival.
    got: Vec<Vec<u64>>,
    last: Vec<Option<Instant>>,
    pub delays_us: Vec<u32>,
    pub worst_gap: Duration,
}

impl Trickle {
    pub fn new(speaker: usize, nets: Vec<Net>, rate: u32, make: MakeUpdate) -> Trickle {
        Trickle {
            speaker,
            nets,
            make,
            period: Duration::from_secs(1) / rate,
            on: false,
            next: Instant::now(),
            seq: 0,
            sent: 0,
            sent_at: vec![None; 65536],
            got: Vec::new(),
            last: Vec::new(),
            delays_us: Vec::new(),
            worst_gap: Duration::ZERO,
        }
    }

    pub fn start(&mut self) {
        self.on = true;
        self.next = Instant::now();
    }

    /// Forgets what was measured so far, not what is under way.
    pub fn clear(&mut self) {
        self.delays_us.clear();
        self.worst_gap = Duration::ZERO;
        self.last.iter_mut().for_each(|l| *l = None);
    }

    fn arrived(&mut self, receiver: usize, seq: u16, now: Instant) {
        if self.got.len() <= receiver {
            self.got.resize(receiver + 1, vec![0; 1024]);
            self.last.resize(receiver + 1, None);
        }
        let (word, bit) = (seq as usize / 64, 1u64 << (seq % 64));
        let Some(sent) = self.sent_at[seq as usize] else {
            return;
        };
        if self.got[receiver][word] & bit != 0 {
            return;
        }
        self.got[receiver][word] |= bit;
        self.delays_us.push((now - sent).as_micros() as u32);
        if let Some(last) = self.last[receiver].replace(now) {
            self.worst_gap = self.worst_gap.max(now - last);
        }
    }

    /// The longest silence still under way counts as a gap too.
    pub fn close_gaps(&mut self, now: Instant) {
        for last in self.last.iter().flatten() {
            self.worst_gap = self.worst_gap.max(now - *last);
        }
    }
}

pub struct Engine {
    ep: RawFd,
    dut: SocketAddrV4,
    buf: Vec<u8>,
    pub s: Vec<Session>,
    pub index: Rc<Index>,
    pub rx: Counters,
    pub last_update: Instant,
    pub trickle: Option<Trickle>,
    /// Sessions that fell though nobody asked them to, with the reason.
    pub fallen: Vec<String>,
    pub trace: bool,
}

impl Engine {
    pub fn new(dut: SocketAddrV4, index: Rc<Index>) -> Engine {
        // SAFETY: a call without pointers.
        let ep = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        assert!(ep >= 0);
        Engine {
            ep,
            dut,
            buf: vec![0; 1 << 18],
            s: Vec::new(),
            index,
            rx: Counters::default(),
            last_update: Instant::now(),
            trickle: None,
            fallen: Vec::new(),
            trace: std::env::var_os("BGPLOAD_TRACE").is_some(),
        }
    }

    pub fn add(&mut self, local: Ipv4Addr, asn: u32, v6: bool, hold: u16, rib: Option<Rib>) {
        let now = Instant::now();
        self.s.push(Session {
            local,
            asn,
            v6,
            hold,
            wanted: false,
            state: State::Down,
            table: Rc::default(),
            rib,
            refreshes: 0,
            sock: None,
            inb: Vec::new(),
            out: VecDeque::new(),
            armed: false,
            keepalive_at: now,
            retry_at: now,
        });
    }

    pub fn mismatch(&self) -> usize {
        let up = self.s.iter().filter(|s| s.wanted);
        up.filter_map(|s| s.rib.as_ref()).map(|r| r.mismatch).sum()
    }

    /// Whether everything that was to be sent has been.
    pub fn all_sent(&self) -> bool {
        self.s.iter().all(|s| s.out.is_empty())
    }

    pub fn all_up(&self) -> bool {
        self.s.iter().all(|s| !s.wanted || s.state == State::Up)
    }

    /// Closes a session on purpose: Cease/Administrative Reset, then FIN.
    pub fn drop_session(&mut self, i: usize) {
        let s = &mut self.s[i];
        s.wanted = false;
        if let Some(sock) = s.sock.as_mut() {
            let mut m = vec![0xff; 16];
            m.extend_from_slice(&[0, 21, wire::NOTIFICATION, 6, 4]);
            let _ = sock.write(&m);
        }
        s.reset();
    }

    pub fn send(&mut self, i: usize, data: Rc<Vec<u8>>) {
        self.s[i].out.push_back((data, 0));
        self.flush(i);
    }

    /// Announces (again) the table of session `i`.
    pub fn send_table(&mut self, i: usize) {
        let table = self.s[i].table.clone();
        if !table.is_empty() {
            self.send(i, table);
        }
    }

    fn dial(&mut self, i: usize) -> Result<()> {
        let s = &mut self.s[i];
        // SAFETY: addresses and options are valid for a read of the lengths given, and nobody else has the descriptor that
        // `sock` takes over.
        unsafe {
            let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
            let fd = libc::socket(libc::AF_INET, kind, 0);
            if fd < 0 {
                bail!("socket: {}", std::io::Error::last_os_error());
            }
            let sock = TcpStream::from_raw_fd(fd);
            let from = sockaddr(SocketAddrV4::new(s.local, 0));
            let to = sockaddr(self.dut);
            let len = size_of::<libc::sockaddr_in>() as u32;
            // The port is chosen at connect, or 200 peers would use up the range.
            let one = 1i32;
            libc::setsockopt(fd, libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, ptr(&one), 4);
            libc::setsockopt(fd, libc::IPPROTO_TCP, libc::TCP_NODELAY, ptr(&one), 4);
            if libc::bind(fd, ptr(&from).cast(), len) < 0 {
                bail!("bind {}: {}", s.local, std::io::Error::last_os_error());
            }
            let r = libc::connect(fd, ptr(&to).cast(), len);
            let e = std::io::Error::last_os_error();
            if r < 0 && e.raw_os_error() != Some(libc::EINPROGRESS) {
                bail!("connect from {}: {e}", s.local);
            }
            s.sock = Some(sock);
        }
        s.state = State::Connecting;
        s.retry_at = Instant::now() + PATIENCE;
        s.armed = true;
        self.watch(i, libc::EPOLL_CTL_ADD);
        Ok(())
    }

    fn watch(&self, i: usize, op: i32) {
        let s = &self.s[i];
        let out = if s.armed { libc::EPOLLOUT } else { 0 };
        let mut ev = libc::epoll_event { events: (libc::EPOLLIN | out) as u32, u64: i as u64 };
        let fd = s.sock.as_ref().expect("open socket").as_raw_fd();
        // SAFETY: `ev` is valid for a read.
        assert!(unsafe { libc::epoll_ctl(self.ep, op, fd, &mut ev) } == 0);
    }

    fn flush(&mut self, i: usize) {
        let s = &mut self.s[i];
        if !matches!(s.state, State::OpenSent | State::Up) {
            return;
        }
        while let (Some((data, at)), Some(sock)) = (s.out.front_mut(), s.sock.as_mut()) {
            match sock.write(&data[*at..]) {
                Ok(n) => *at += n,
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Err(e) => return self.fell(i, &format!("write: {e}")),
            }
            if *at == data.len() {
                s.out.pop_front();
            }
        }
        if s.armed == s.out.is_empty() {
            s.armed = !s.armed;
            self.watch(i, libc::EPOLL_CTL_MOD);
        }
    }

    fn fell(&mut self, i: usize, why: &str) {
        let s = &mut self.s[i];
        if self.trace {
            eprintln!("session {} ({:?}): {why}", s.local, s.state);
        }
        if s.wanted && s.state == State::Up {
            self.fallen.push(format!("{}: {why}", s.local));
        }
        s.reset();
    }

    /// Waits for I/O at most `wait`, then does whatever is due.
    pub fn poll(&mut self, wait: Duration) -> Result<()> {
        let mut wait = wait;
        if let Some(t) = self.trickle.as_ref().filter(|t| t.on) {
            wait = wait.min(t.next.saturating_duration_since(Instant::now()));
        }
        let mut evs = [libc::epoll_event { events: 0, u64: 0 }; 256];
        let ts =
            libc::timespec { tv_sec: wait.as_secs() as i64, tv_nsec: wait.subsec_nanos() as i64 };
        // epoll_pwait2, for time-outs below a millisecond.
        // SAFETY: `evs` is valid for so many, and `ts` for a read; there is no signal mask.
        let n = unsafe {
            libc::syscall(libc::SYS_epoll_pwait2, self.ep, evs.as_mut_ptr(), 256, &ts, 0usize, 8)
        };
        for ev in &evs[..n.max(0) as usize] {
            let i = ev.u64 as usize;
            if self.s[i].sock.is_none() {
                continue;
            }
            if self.s[i].state == State::Connecting {
                self.connected(i);
            } else if ev.events & libc::EPOLLOUT as u32 != 0 {
                self.flush(i);
            }
            if self.s[i].sock.is_some() && ev.events & !(libc::EPOLLOUT as u32) != 0 {
                self.read(i);
            }
        }
        self.timers()
    }

    fn timers(&mut self) -> Result<()> {
        let now = Instant::now();
        let mut dialling = self.s.iter().filter(|s| s.coming_up()).count();
        for i in 0..self.s.len() {
            let s = &mut self.s[i];
            if s.state == State::Up && s.hold > 0 && now >= s.keepalive_at {
                s.keepalive_at = now + Duration::from_secs(s.hold as u64) / 3;
                // A session with data under way shows life anyway.
                if s.out.is_empty() {
                    self.send(i, Rc::new(wire::keepalive()));
                }
            } else if s.wanted && s.state == State::Down && now >= s.retry_at {
                if dialling < DIALLING {
                    self.dial(i)?;
                    dialling += 1;
                }
            } else if s.coming_up() && now >= s.retry_at {
                self.fell(i, "no answer");
            }
        }
        let Some(mut t) = self.trickle.take() else {
            return Ok(());
        };
        while t.on && t.next <= now {
            let msg = (t.make)(&t.nets[t.sent as usize % t.nets.len()], t.seq);
            t.sent_at[t.seq as usize] = Some(Instant::now());
            for got in &mut t.got {
                got[t.seq as usize / 64] &= !(1 << (t.seq % 64));
            }
            self.send(t.speaker, Rc::new(msg));
            t.seq = t.seq.wrapping_add(1);
            t.sent += 1;
            t.next += t.period;
        }
        self.trickle = Some(t);
        Ok(())
    }

    fn connected(&mut self, i: usize) {
        let s = &mut self.s[i];
        let err = s.sock.as_ref().and_then(|k| k.take_error().ok()).flatten();
        if let Some(e) = err {
            return self.fell(i, &format!("connect: {e}"));
        }
        s.state = State::OpenSent;
        let open = wire::open(s.asn, s.hold, s.local, s.v6);
        self.send(i, Rc::new(open));
    }

    fn read(&mut self, i: usize) {
        let n = match self.s[i].sock.as_mut().expect("open socket").read(&mut self.buf) {
            Ok(0) => return self.fell(i, "closed by the daemon"),
            Ok(n) => n,
            Err(e) if e.kind() == ErrorKind::WouldBlock => return,
            Err(e) => return self.fell(i, &format!("read: {e}")),
        };
        let now = Instant::now();
        let mut data = std::mem::take(&mut self.s[i].inb);
        data.extend_from_slice(&self.buf[..n]);
        let mut at = 0;
        while let Some(h) = data.get(at..at + wire::HEADER) {
            let len = u16::from_be_bytes([h[16], h[17]]) as usize;
            let Some(body) = data.get(at + wire::HEADER..at + len) else {
                break;
            };
            let kind = h[18];
            at += len;
            if let Err(why) = self.message(i, kind, body, now) {
                return self.fell(i, &why);
            }
        }
        data.drain(..at);
        self.s[i].inb = data;
    }

    fn message(&mut self, i: usize, kind: u8, body: &[u8], now: Instant) -> Result<(), String> {
        match kind {
            wire::OPEN => self.send(i, Rc::new(wire::keepalive())),
            wire::KEEPALIVE => {
                self.rx.keepalives += 1;
                let s = &mut self.s[i];
                if s.state == State::OpenSent {
                    s.state = State::Up;
                    s.keepalive_at = now + Duration::from_secs(s.hold as u64) / 3;
                }
            }
            wire::UPDATE => {
                let u = wire::parse_update(body).ok_or("malformed UPDATE")?;
                self.update(i, body.len() + wire::HEADER, &u, now).ok_or("malformed NLRI")?;
            }
            wire::ROUTE_REFRESH => {
                self.s[i].refreshes += 1;
                self.send_table(i);
            }
            _ => {
                let code = body.get(..2).unwrap_or(&[0, 0]);
                return Err(format!("NOTIFICATION {}/{}", code[0], code[1]));
            }
        }
        Ok(())
    }

    fn update(&mut self, i: usize, size: usize, u: &wire::Update, now: Instant) -> Option<()> {
        self.rx.updates += 1;
        self.rx.bytes += size as u64;
        let Some(rib) = self.s[i].rib.as_mut() else {
            return Some(());
        };
        if u.eor {
            return Some(());
        }
        if let (Some(seq), Some(t)) = (u.seq, self.trickle.as_mut()) {
            t.arrived(i, seq, now);
        }
        self.last_update = now;
        let digest = match rib.digests {
            Some(_) => wire::digest(u.attrs)?,
            None => 0,
        };
        let (rx, index) = (&mut self.rx, &self.index);
        let up = state(u.path_len, u.marker);
        for (b, v6, st) in [
            (u.withdrawn4, false, 0),
            (u.withdrawn6, true, 0),
            (u.announced4, false, up),
            (u.announced6, true, up),
        ] {
            wire::each_net(b, v6, |net| {
                *(if st == 0 { &mut rx.withdrawn } else { &mut rx.announced }) += 1;
                match index.get(&net) {
                    Some(id) => rib.set(id, st, digest),
                    None => rx.unknown += 1,
                }
            })?;
        }
        Some(())
    }

    /// Runs until `done` or the time is up; tells whether it was done.
    pub fn until(
        &mut self,
        limit: Duration,
        mut done: impl FnMut(&Engine) -> bool,
    ) -> Result<bool> {
        let end = Instant::now() + limit;
        while !done(self) {
            if Instant::now() >= end {
                return Ok(false);
            }
            self.poll(Duration::from_millis(10))?;
        }
        Ok(true)
    }

    pub fn run_for(&mut self, time: Duration) -> Result<()> {
        self.until(time, |_| false).map(|_| ())
    }

    /// Runs until every receiver has what it should, and has kept it for
    /// `quiet` without another UPDATE. Returns when that state was reached.
    pub fn converge(&mut self, limit: Duration, quiet: Duration) -> Result<Option<Instant>> {
        let start = Instant::now();
        let (mut zero, mut shown) = (None, start);
        while start.elapsed() < limit {
            self.poll(Duration::from_millis(10))?;
            if let Some(why) = self.fallen.first() {
                bail!("session fell: {why}");
            }
            let now = Instant::now();
            if self.mismatch() > 0 {
                zero = None;
            } else {
                let at = *zero.get_or_insert(now);
                let steady = self.trickle.as_ref().is_some_and(|t| t.on);
                if now - at >= quiet && (steady || now - self.last_update >= quiet) {
                    return Ok(zero);
                }
            }
            if self.trace && now - shown > Duration::from_secs(1) {
                shown = now;
                eprintln!(
                    "{:?}: {} to go, {} announced",
                    now - start,
                    self.mismatch(),
                    self.rx.announced
                );
            }
        }
        Ok(None)
    }
}

impl Session {
    fn coming_up(&self) -> bool {
        matches!(self.state, State::Connecting | State::OpenSent)
    }

    fn reset(&mut self) {
        self.sock = None;
        self.state = State::Down;
        self.inb.clear();
        self.out.clear();
        self.armed = false;
        self.retry_at = Instant::now() + Duration::from_millis(200);
        if let Some(rib) = self.rib.as_mut() {
            rib.clear();
        }
    }
}

fn sockaddr(a: SocketAddrV4) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as u16,
        sin_port: a.port().to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(a.ip().octets()) },
        sin_zero: [0; 8],
    }
}

fn ptr<T>(v: &T) -> *const libc::c_void {
    std::ptr::from_ref(v).cast()
}
