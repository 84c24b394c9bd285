//! Names: stale ones and those of other loops name nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::{io::ErrorKind, os::unix::net::UnixStream, sync::mpsc::Sender};

use common::{next, runtime, told};
use dunlin_runtime::{
    Class, Context, Duration, EventId, Interest, Loop, OwnedSocket, Progress, SocketId, TimerId,
    WorkId,
};

/// One thing of each kind.
#[derive(Clone, Copy, Debug)]
struct Names {
    timer: TimerId,
    event: EventId,
    work: WorkId,
    socket: SocketId,
}

impl Names {
    fn make(cx: &mut Context<'_>) -> (Self, UnixStream) {
        let (near, far) = UnixStream::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        let names = Self {
            timer: cx.timer(Class::Control),
            event: cx.event(Class::Control),
            work: cx.work(Class::Control),
            socket: cx.adopt(OwnedSocket::from_fd(near.into())).unwrap(),
        };
        (names, far)
    }

    /// Uses every name in a loop where it names nothing.
    fn try_all(self, cx: &mut Context<'_>) {
        cx.arm_after(self.timer, Duration::ZERO);
        cx.arm_every(self.timer, Duration::from_millis(1));
        assert_eq!(cx.expires(self.timer), None);
        cx.disarm(self.timer);
        cx.remove_timer(self.timer);
        cx.schedule(self.event);
        let handle = cx.event_handle(self.event);
        assert!(!handle.is_pending());
        cx.remove_event(self.event);
        cx.queue(self.work);
        cx.remove_work(self.work);
        let unknown = ErrorKind::NotFound;
        let mut buffer = [0; 8];
        assert_eq!(cx.read(self.socket, &mut buffer).unwrap_err().kind(), unknown);
        assert_eq!(cx.write(self.socket, b"x").unwrap_err().kind(), unknown);
        assert_eq!(cx.interest(self.socket, Interest::BOTH).unwrap_err().kind(), unknown);
        assert_eq!(cx.release(self.socket).unwrap_err().kind(), unknown);
        cx.close(self.socket);
    }
}

/// Makes one of each, so that foreign names have something to be mistaken for.
struct Owner {
    names: Option<Names>,
    far: Option<UnixStream>,
    ran: Vec<&'static str>,
    told: Sender<(Names, Vec<&'static str>)>,
}

impl Owner {
    fn new(told: Sender<(Names, Vec<&'static str>)>) -> Self {
        Self { names: None, far: None, ran: vec![], told }
    }
}

impl Loop for Owner {
    type Message = Option<Names>;

    fn start(&mut self, cx: &mut Context<'_>) {
        let (names, far) = Names::make(cx);
        (self.names, self.far) = (Some(names), Some(far));
    }

    fn message(&mut self, cx: &mut Context<'_>, message: Option<Names>) {
        match message {
            Some(foreign) => foreign.try_all(cx),
            None => self.told.send((self.names.unwrap(), self.ran.clone())).unwrap(),
        }
    }

    fn timer(&mut self, _: &mut Context<'_>, _: TimerId) {
        self.ran.push("timer");
    }

    fn event(&mut self, _: &mut Context<'_>, _: EventId) {
        self.ran.push("event");
    }

    fn work(&mut self, _: &mut Context<'_>, _: WorkId) -> Progress {
        self.ran.push("work");
        Progress::Done
    }
}

#[test]
fn a_name_of_another_loop_names_nothing() {
    let runtime = runtime(1);
    let (told, heard) = told();
    let spawn = |name| runtime.spawn(name, Class::Control, Owner::new(told.clone()));
    let (one, other) = (spawn("one"), spawn("other"));
    let ask = |of: &dunlin_runtime::Address<Option<Names>>| {
        of.send(Class::Bulk, None).unwrap();
        next(&heard)
    };
    let (names, _) = ask(&one);
    assert_ne!(names.timer, ask(&other).0.timer, "the same slot of another loop");
    other.send(Class::Bulk, Some(names)).unwrap();
    // What had been scheduled by mistake would run before the second answer.
    ask(&other);
    assert_eq!(ask(&other).1, [""; 0]);
    assert_eq!(ask(&one).1, [""; 0]);
    let stats = runtime.stats();
    assert!(stats.loops.iter().all(|one| one.timers == 1 && one.sockets == 1), "{stats:?}");
}

/// Removes one of each and makes new ones, which get the same slots.
struct Reuses {
    told: Sender<Vec<&'static str>>,
    ran: Vec<&'static str>,
    far: Vec<UnixStream>,
}

impl Loop for Reuses {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        let (old, far) = Names::make(cx);
        cx.remove_timer(old.timer);
        cx.remove_event(old.event);
        cx.remove_work(old.work);
        cx.close(old.socket);
        let (new, far_new) = Names::make(cx);
        self.far = vec![far, far_new];
        old.try_all(cx);
        assert_eq!(cx.unread(new.socket).unwrap_err().kind(), ErrorKind::InvalidInput, "a file");
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {
        self.told.send(self.ran.clone()).unwrap();
    }

    fn timer(&mut self, _: &mut Context<'_>, _: TimerId) {
        self.ran.push("timer");
    }

    fn event(&mut self, _: &mut Context<'_>, _: EventId) {
        self.ran.push("event");
    }

    fn work(&mut self, _: &mut Context<'_>, _: WorkId) -> Progress {
        self.ran.push("work");
        Progress::Done
    }
}

#[test]
fn a_stale_name_names_nothing_though_its_slot_is_used_again() {
    let runtime = runtime(1);
    let (told, heard) = told();
    let reuses = Reuses { told, ran: vec![], far: vec![] };
    let reuses = runtime.spawn("reuses", Class::Control, reuses);
    for _ in 0..3 {
        reuses.send(Class::Bulk, ()).unwrap();
        assert_eq!(next(&heard), [""; 0]);
    }
}
