//! Readiness: once or as a level, in classes, fairly, and never to the wrong socket.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]
#![allow(clippy::disallowed_methods, reason = "tests watch workers from outside")]

mod common;

use std::{
    collections::BTreeMap,
    io::{ErrorKind, Write},
    net::SocketAddr,
    os::unix::net::UnixStream,
    sync::mpsc::{Receiver, Sender, channel},
};

use common::{
    next, runtime,
    script::{On, Script},
};
use dunlin_runtime::{
    Class, Context, Duration, Interest, ListenOptions, Loop, OwnedSocket, Ready, Runtime, SocketId,
    TimerId, sim::SimRuntime,
};

/// An end in this loop, and the other one.
fn pair(cx: &mut Context<'_>) -> (SocketId, UnixStream) {
    let (near, far) = UnixStream::pair().unwrap();
    near.set_nonblocking(true).unwrap();
    (cx.adopt(OwnedSocket::from_fd(near.into())).unwrap(), far)
}

/// One that has something to read.
fn hot(cx: &mut Context<'_>) -> (SocketId, UnixStream) {
    let (near, mut far) = pair(cx);
    far.write_all(b"x").unwrap();
    (near, far)
}

fn polls(runtime: &Runtime) -> u64 {
    runtime.stats().workers.iter().map(|one| one.polls).sum()
}

/// What the one-shot socket is told to do.
#[derive(Clone, Copy)]
enum Shot {
    Arm(Interest),
    Level(Interest),
    Read,
}

/// Reports, and does what it is told, in its handler if told to do so before.
struct Once {
    socket: SocketId,
    far: Sender<UnixStream>,
    in_handler: Vec<Shot>,
    told: Sender<Ready>,
}

enum Say {
    Now(Shot),
    /// In the next report's handler.
    Then(Shot),
    Done(Sender<()>),
}

impl Once {
    fn spawn(runtime: &Runtime) -> (dunlin_runtime::Address<Say>, UnixStream, Receiver<Ready>) {
        let ((far, fars), (told, heard)) = (channel(), channel());
        let once = Self { socket: SocketId::NONE, far, in_handler: vec![], told };
        let once = runtime.spawn("once", Class::Control, once);
        (once, next(&fars), heard)
    }

    fn act(&mut self, cx: &mut Context<'_>, shot: Shot) {
        match shot {
            Shot::Arm(interest) => cx.interest_once(self.socket, interest).unwrap(),
            Shot::Level(interest) => cx.interest(self.socket, interest).unwrap(),
            Shot::Read => drop(cx.read(self.socket, &mut [0; 64])),
        }
    }
}

impl Loop for Once {
    type Message = Say;

    fn start(&mut self, cx: &mut Context<'_>) {
        let (near, far) = pair(cx);
        self.socket = near;
        cx.interest_once(near, Interest::READ).unwrap();
        self.far.send(far).unwrap();
    }

    fn message(&mut self, cx: &mut Context<'_>, message: Say) {
        match message {
            Say::Now(shot) => self.act(cx, shot),
            Say::Then(shot) => self.in_handler.push(shot),
            Say::Done(told) => told.send(()).unwrap(),
        }
    }

    fn ready(&mut self, cx: &mut Context<'_>, _: SocketId, ready: Ready) {
        for shot in core::mem::take(&mut self.in_handler) {
            self.act(cx, shot);
        }
        // A level is told on and on, to the end.
        let _ = self.told.send(ready);
    }
}

/// Nothing is reported while the worker goes round a few times, and it does not spin.
fn is_silent(
    runtime: &Runtime,
    once: &dunlin_runtime::Address<Say>,
    heard: &Receiver<Ready>,
) -> bool {
    let before = polls(runtime);
    for _ in 0..10 {
        let (told, done) = channel();
        once.send(Class::Bulk, Say::Done(told)).unwrap();
        next(&done);
        std::thread::sleep(Duration::from_millis(3));
    }
    let polls = polls(runtime) - before;
    assert!(polls < 1000, "{polls} looks at the poller with nothing to do");
    heard.try_recv().is_err()
}

#[test]
fn one_shot_readiness_is_reported_once_until_armed_again() {
    let runtime = runtime(1);
    let (once, mut far, heard) = Once::spawn(&runtime);
    assert!(is_silent(&runtime, &once, &heard));
    far.write_all(b"x").unwrap();
    let readable = Ready { readable: true, ..Ready::default() };
    assert_eq!(next(&heard), readable);
    // It stays readable.
    assert!(is_silent(&runtime, &once, &heard), "spent");
    once.send(Class::Control, Say::Now(Shot::Arm(Interest::READ))).unwrap();
    assert_eq!(next(&heard), readable, "out of the poller and in again");
    // Read and armed in the handler, as is usual.
    for shot in [Shot::Read, Shot::Arm(Interest::READ)] {
        once.send(Class::Control, Say::Then(shot)).unwrap();
    }
    once.send(Class::Control, Say::Now(Shot::Arm(Interest::READ))).unwrap();
    assert_eq!(next(&heard), readable);
    assert!(is_silent(&runtime, &once, &heard), "nothing to read");
    far.write_all(b"y").unwrap();
    assert_eq!(next(&heard), readable);
    once.send(Class::Control, Say::Now(Shot::Arm(Interest::BOTH))).unwrap();
    assert_eq!(next(&heard), Ready { readable: true, writable: true, error: false });
    assert!(is_silent(&runtime, &once, &heard));
    // Back to a level: reported on and on.
    once.send(Class::Control, Say::Now(Shot::Level(Interest::READ))).unwrap();
    for _ in 0..5 {
        assert_eq!(next(&heard), readable);
    }
}

#[test]
fn an_error_after_the_one_shot_does_not_make_the_worker_spin() {
    let runtime = runtime(1);
    let (once, far, heard) = Once::spawn(&runtime);
    drop(far);
    let gone = next(&heard);
    assert!(gone.readable && gone.error, "{gone:?}");
    assert!(is_silent(&runtime, &once, &heard));
    once.send(Class::Control, Say::Now(Shot::Arm(Interest::NONE))).unwrap();
    assert!(next(&heard).error, "errors are reported whatever the interest is");
    assert!(is_silent(&runtime, &once, &heard));
}

/// In a simulation: an accepted connection in one-shot mode, whose loop moves about.
#[test]
fn one_shot_readiness_in_the_simulation() {
    for seed in 0..20 {
        let (told, heard) = channel();
        let mut sim = SimRuntime::new(seed);
        let at: SocketAddr = "10.0.0.1:179".parse().unwrap();
        let (mut listener, mut connection, mut again) = (SocketId::NONE, None, TimerId::NONE);
        let server = Script(move |cx: &mut Context<'_>, on| match on {
            On::Start => {
                listener = cx.listen(at, &ListenOptions::default()).unwrap();
                again = cx.timer(Class::Control);
            }
            On::Ready(socket, _) if socket == listener => {
                let accepted = cx.accept(socket).unwrap().0;
                connection = Some(accepted);
                cx.interest_once(accepted, Interest::READ).unwrap();
            }
            On::Ready(socket, ready) => {
                assert_eq!(Some(socket), connection);
                assert!(ready.readable);
                told.send(cx.now()).unwrap();
                // Nothing is read: it stays ready.
                cx.arm_after(again, Duration::from_millis(50));
            }
            On::Timer(_) => cx.interest_once(connection.unwrap(), Interest::READ).unwrap(),
            other => unreachable!("{other:?}"),
        });
        sim.spawn("server", Class::Control, server);
        sim.run_for(Duration::from_millis(1));
        let client = Script(move |cx: &mut Context<'_>, on| match on {
            On::Start => drop(cx.connect(at, &Default::default()).unwrap()),
            On::Ready(socket, _) => {
                cx.socket_error(socket).unwrap();
                cx.write(socket, b"hello").unwrap();
                cx.interest(socket, Interest::READ).unwrap();
            }
            other => unreachable!("{other:?}"),
        });
        sim.spawn("client", Class::Control, client);
        sim.run_for(Duration::from_millis(520));
        let times: Vec<_> = heard.try_iter().collect();
        assert!((9..=11).contains(&times.len()), "seed {seed}: {times:?}");
        let spans = times.windows(2).map(|two| two[1] - two[0]);
        assert!(spans.min().unwrap() >= Duration::from_millis(50), "seed {seed}");
    }
}

#[test]
fn reads_of_a_low_class_wait_for_all_others() {
    let runtime = runtime(1);
    let (told, heard) = channel();
    let (mut sockets, mut seen) = (vec![], vec![]);
    let script = Script(move |cx: &mut Context<'_>, on| match on {
        On::Start => {
            sockets = (0..60).map(|_| hot(cx)).collect();
            for (low, _) in sockets.iter().step_by(2) {
                cx.socket_class(*low, Class::Bulk).unwrap();
            }
        }
        On::Ready(socket, _) => {
            assert_eq!(cx.read(socket, &mut [0; 8]).unwrap(), 1);
            let which = sockets.iter().position(|one| one.0 == socket).unwrap();
            seen.push(which % 2);
            if seen.len() == 60 {
                told.send(seen.clone()).unwrap();
            }
        }
        other => unreachable!("{other:?}"),
    });
    runtime.spawn("script", Class::Control, script);
    let seen = next(&heard);
    assert!(seen[..30].iter().all(|class| *class == 1), "{seen:?}");
}

#[test]
fn reads_of_a_low_class_are_not_starved() {
    let runtime = runtime(1);
    let (told, heard) = channel();
    let (mut low, mut fars, mut others) = (SocketId::NONE, vec![], 0u64);
    let mut times = 0;
    let script = Script(move |cx: &mut Context<'_>, on| match on {
        On::Start => {
            for _ in 0..50 {
                let (near, far) = hot(cx);
                fars.push(far);
                low = near;
            }
            cx.socket_class(low, Class::Bulk).unwrap();
        }
        // Nobody reads: all stay hot.
        On::Ready(socket, _) if socket == low => {
            times += 1;
            if times == 100 {
                told.send(others).unwrap();
            }
        }
        On::Ready(..) => others += 1,
        other => unreachable!("{other:?}"),
    });
    runtime.spawn("script", Class::Control, script);
    let others = next(&heard);
    assert!(others <= 100 * 49 * 4, "served {others} others for 100 times");
}

/// A thousand sockets that are always readable, in so many loops: how often each was served.
fn service_ratio(loops: usize) -> f64 {
    const SOCKETS: usize = 1000;
    dunlin_os::process::raise_descriptor_limit().unwrap();
    let runtime = runtime(1);
    let each = SOCKETS / loops;
    let (told, heard) = channel();
    for _ in 0..loops {
        let told = told.clone();
        let (mut kept, mut counts) = (vec![], BTreeMap::new());
        let mut served = 0u64;
        let script = Script(move |cx: &mut Context<'_>, on| match on {
            On::Start => {
                // One readable pair, and as many descriptors of its end as there are sockets.
                let (near, mut far) = UnixStream::pair().unwrap();
                near.set_nonblocking(true).unwrap();
                far.write_all(b"x").unwrap();
                for _ in 0..each {
                    let end = near.try_clone().unwrap();
                    let socket = cx.adopt(OwnedSocket::from_fd(end.into())).unwrap();
                    counts.insert(socket, 0u64);
                }
                kept.push((near, far));
            }
            On::Ready(socket, _) => {
                *counts.get_mut(&socket).unwrap() += 1;
                served += 1;
                if served == 200 * each as u64 {
                    let most = counts.values().max().copied().unwrap();
                    let least = counts.values().min().copied().unwrap();
                    told.send((most, least)).unwrap();
                }
            }
            other => unreachable!("{other:?}"),
        });
        runtime.spawn("hot", Class::Control, script);
    }
    let ends: Vec<_> = (0..loops).map(|_| next(&heard)).collect();
    let most = ends.iter().map(|end| end.0).max().unwrap();
    let least = ends.iter().map(|end| end.1).min().unwrap();
    most as f64 / least.max(1) as f64
}

#[test]
fn a_thousand_hot_sockets_are_served_alike() {
    for loops in [1, 50, 1000] {
        let ratio = service_ratio(loops);
        println!("{loops} loops: most to least {ratio:.2}");
        assert!(ratio <= 2.0, "{loops} loops: {ratio}");
    }
}

/// Closes, opens, replaces sockets at random from their handlers; the numbers are used again at once.
struct Churn {
    /// Every socket that is open, its other end, and whether it has something to read.
    open: BTreeMap<SocketId, (UnixStream, bool)>,
    left: u32,
    told: Sender<u32>,
}

impl Churn {
    fn add(&mut self, cx: &mut Context<'_>) {
        let is_hot = cx.random().is_multiple_of(2);
        let (near, far) = if is_hot { hot(cx) } else { pair(cx) };
        self.open.insert(near, (far, is_hot));
    }

    fn any(&self, cx: &mut Context<'_>) -> SocketId {
        let at = cx.random() as usize % self.open.len();
        *self.open.keys().nth(at).unwrap()
    }

    fn close(&mut self, cx: &mut Context<'_>, socket: SocketId) {
        cx.close(socket);
        self.open.remove(&socket).unwrap();
        assert_eq!(cx.read(socket, &mut [0; 1]).unwrap_err().kind(), ErrorKind::NotFound);
    }
}

impl Loop for Churn {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        for _ in 0..32 {
            self.add(cx);
        }
        let timer = cx.timer(Class::Control);
        cx.arm_every(timer, Duration::from_millis(1));
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}

    fn ready(&mut self, cx: &mut Context<'_>, socket: SocketId, ready: Ready) {
        let Some((far, is_hot)) = self.open.get_mut(&socket) else {
            panic!("readiness of a socket that is closed");
        };
        assert!(*is_hot && ready.readable, "readiness of another socket");
        match cx.random() % 8 {
            0 => self.close(cx, socket),
            1 => {
                let other = self.any(cx);
                self.close(cx, other);
                self.add(cx);
            }
            2 => {
                for socket in self.open.keys().copied().collect::<Vec<_>>() {
                    self.close(cx, socket);
                }
            }
            3 => {
                assert_eq!(cx.read(socket, &mut [0; 8]).unwrap(), 1);
                *is_hot = false;
            }
            4 => {
                // Out of this loop and in again, under another name.
                let socket_now = cx.release(socket).unwrap();
                let again = cx.adopt(socket_now).unwrap();
                let entry = self.open.remove(&socket).unwrap();
                self.open.insert(again, entry);
            }
            5 => {
                cx.interest(socket, Interest::NONE).unwrap();
                cx.interest_once(socket, Interest::READ).unwrap();
                cx.interest(socket, Interest::READ).unwrap();
            }
            _ => {
                // Too late for what it was told, and heard of the next time.
                far.write_all(b"y").unwrap();
                self.close(cx, socket);
            }
        }
        while self.open.len() < 32 {
            self.add(cx);
        }
        self.left = self.left.saturating_sub(1);
        if self.left == 0 {
            self.told.send(0).unwrap();
            cx.stop_self();
        }
    }

    /// Something may have become silent: heat it.
    fn timer(&mut self, cx: &mut Context<'_>, _: TimerId) {
        let socket = self.any(cx);
        let (far, is_hot) = self.open.get_mut(&socket).unwrap();
        if !*is_hot {
            far.write_all(b"z").unwrap();
            *is_hot = true;
        }
    }
}

#[test]
fn sockets_closed_opened_and_replaced_in_handlers_never_get_what_is_another_s() {
    let runtime = runtime(2);
    let (told, heard) = channel();
    for _ in 0..4 {
        let churn = Churn { open: BTreeMap::new(), left: 5_000, told: told.clone() };
        runtime.spawn("churn", Class::Control, churn);
    }
    for _ in 0..4 {
        next(&heard);
    }
}
