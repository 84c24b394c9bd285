//! Sockets of the system: handed over, paused, left with bytes in them, ended in every way.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;

use std::{
    io::{ErrorKind, Read, Write},
    os::unix::net::UnixStream,
    sync::mpsc::{Receiver, Sender},
};

use common::{eventually, next, runtime, told};
use dunlin_runtime::{
    Address, Class, Context, Duration, Interest, Loop, OwnedSocket, Ready, Runtime, SocketId,
    TimerId,
};

/// What a [`Holder`] tells.
#[derive(Debug, PartialEq)]
enum Told {
    Bytes(Vec<u8>),
    End,
    Failed(ErrorKind),
    /// So much was written before there was no more room.
    Full(usize),
    Writable,
    Adopted,
}

/// What a [`Holder`] is told.
enum Order {
    Adopt(OwnedSocket),
    /// Hand it on after every read.
    HandTo(Address<Self>),
    Interest(Interest),
    /// As `Interest`, by way of a timer.
    InterestLater(Interest),
    /// Write until there is no more room.
    Fill,
    Write(Vec<u8>),
    Close,
}

/// Has a socket and does with it as it is told.
struct Holder {
    socket: SocketId,
    next: Option<Address<Order>>,
    timer: TimerId,
    later: Interest,
    told: Sender<Told>,
}

impl Holder {
    fn spawn(runtime: &Runtime, worker: usize) -> (Address<Order>, Receiver<Told>) {
        let (told, heard) = told();
        (Self::spawn_with(runtime, worker, told), heard)
    }

    fn spawn_with(runtime: &Runtime, worker: usize, told: Sender<Told>) -> Address<Order> {
        let (socket, timer, later) = (SocketId::NONE, TimerId::NONE, Interest::NONE);
        let holder = Self { socket, next: None, timer, later, told };
        let address = runtime.spawn("holder", Class::Control, holder);
        address.pin(Some(worker));
        address
    }

    fn tell(&self, told: Told) {
        self.told.send(told).unwrap();
    }
}

impl Loop for Holder {
    type Message = Order;

    fn start(&mut self, cx: &mut Context<'_>) {
        self.timer = cx.timer(Class::Control);
    }

    fn message(&mut self, cx: &mut Context<'_>, order: Order) {
        match order {
            Order::Adopt(socket) => {
                self.socket = cx.adopt(socket).unwrap();
                self.tell(Told::Adopted);
            }
            Order::HandTo(next) => self.next = Some(next),
            Order::Interest(interest) => cx.interest(self.socket, interest).unwrap(),
            Order::InterestLater(interest) => {
                self.later = interest;
                cx.arm(self.timer, cx.now());
            }
            Order::Fill => {
                let mut taken = 0;
                while let Ok(count) = cx.write(self.socket, &[b'x'; 10_000]) {
                    taken += count;
                }
                self.tell(Told::Full(taken));
            }
            Order::Write(bytes) => match cx.write(self.socket, &bytes) {
                Ok(count) => self.tell(Told::Full(count)),
                Err(error) => self.tell(Told::Failed(error.kind())),
            },
            Order::Close => cx.close(self.socket),
        }
    }

    fn timer(&mut self, cx: &mut Context<'_>, _: TimerId) {
        cx.interest(self.socket, self.later).unwrap();
    }

    fn ready(&mut self, cx: &mut Context<'_>, socket: SocketId, ready: Ready) {
        if ready.writable && !ready.readable {
            self.tell(Told::Writable);
            return cx.interest(socket, Interest::NONE).unwrap();
        }
        let mut buffer = [0; 64];
        match cx.read(socket, &mut buffer) {
            Ok(0) => {
                self.tell(Told::End);
                cx.close(socket);
            }
            Ok(count) => {
                self.tell(Told::Bytes(buffer[..count].to_vec()));
                if let Some(next) = &self.next {
                    let socket = cx.release(socket).unwrap();
                    next.send(Class::Control, Order::Adopt(socket)).unwrap();
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => {
                self.tell(Told::Failed(error.kind()));
                cx.close(socket);
            }
        }
    }
}

/// A pair of which one end is a holder's.
fn given(holder: &Address<Order>, heard: &Receiver<Told>) -> UnixStream {
    let (near, far) = UnixStream::pair().unwrap();
    near.set_nonblocking(true).unwrap();
    holder.send(Class::Control, Order::Adopt(OwnedSocket::from_fd(near.into()))).unwrap();
    assert_eq!(next(heard), Told::Adopted);
    far.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    far
}

fn order(holder: &Address<Order>, order: Order) {
    holder.send(Class::Control, order).unwrap();
}

#[test]
fn a_socket_goes_from_worker_to_worker_while_bytes_come() {
    let runtime = runtime(2);
    let (told, heard) = told();
    let holders = [0, 1].map(|worker| Holder::spawn_with(&runtime, worker, told.clone()));
    for (holder, other) in [(0, 1), (1, 0)] {
        order(&holders[holder], Order::HandTo(holders[other].clone()));
    }
    let mut far = given(&holders[0], &heard);
    let writer = std::thread::spawn(move || {
        for number in 0..10_000_u32 {
            far.write_all(&number.to_be_bytes()).unwrap();
        }
    });
    let (mut bytes, mut taken_over) = (Vec::new(), 0);
    loop {
        match next(&heard) {
            Told::Bytes(some) => bytes.extend(some),
            Told::Adopted => taken_over += 1,
            Told::End => break,
            other => panic!("{other:?}"),
        }
    }
    writer.join().unwrap();
    let expected: Vec<u8> = (0..10_000_u32).flat_map(u32::to_be_bytes).collect();
    assert!(bytes == expected, "{} bytes, in order and nothing twice", bytes.len());
    assert!(taken_over > 500, "after every read: {taken_over}");
}

#[test]
fn what_came_during_a_pause_is_reported_at_its_end() {
    let runtime = runtime(1);
    let (holder, heard) = Holder::spawn(&runtime, 0);
    let mut far = given(&holder, &heard);
    order(&holder, Order::Interest(Interest::NONE));
    order(&holder, Order::Write(b"paused".to_vec()));
    assert_eq!(next(&heard), Told::Full(6));
    far.write_all(b"abc").unwrap();
    assert!(heard.recv_timeout(Duration::from_millis(50)).is_err(), "paused");
    order(&holder, Order::Interest(Interest::READ));
    assert_eq!(next(&heard), Told::Bytes(b"abc".to_vec()), "though nothing new has come");
    order(&holder, Order::InterestLater(Interest::BOTH));
    assert_eq!(next(&heard), Told::Writable, "changed by a timer, and by its own handler");
    far.write_all(b"d").unwrap();
    assert!(heard.recv_timeout(Duration::from_millis(50)).is_err(), "paused by its own handler");
    order(&holder, Order::InterestLater(Interest::READ));
    assert_eq!(next(&heard), Told::Bytes(b"d".to_vec()));
}

#[test]
fn an_end_comes_after_the_last_bytes_and_a_hang_up_is_heard_without_interest() {
    let runtime = runtime(1);
    let (holder, heard) = Holder::spawn(&runtime, 0);
    let mut far = given(&holder, &heard);
    far.write_all(b"last words").unwrap();
    drop(far);
    assert_eq!(next(&heard), Told::Bytes(b"last words".to_vec()));
    assert_eq!(next(&heard), Told::End);
    // Nobody wants to read, and the other end goes.
    let far = given(&holder, &heard);
    order(&holder, Order::Interest(Interest::NONE));
    order(&holder, Order::Write(b"x".to_vec()));
    assert_eq!(next(&heard), Told::Full(1));
    drop(far);
    let over = next(&heard);
    assert!(matches!(over, Told::End | Told::Failed(ErrorKind::ConnectionReset)), "{over:?}");
    // Writing to one that has gone is an error, not a signal.
    let far = given(&holder, &heard);
    drop(far);
    order(&holder, Order::Write(b"x".to_vec()));
    let told = [next(&heard), heard.recv_timeout(Duration::from_secs(1)).unwrap_or(Told::End)];
    let failed = told.iter().any(|told| {
        matches!(
            told,
            Told::Failed(
                ErrorKind::BrokenPipe
                    | ErrorKind::NotConnected
                    | ErrorKind::NotFound
                    | ErrorKind::InvalidInput
            )
        )
    });
    assert!(failed, "{told:?}");
}

#[test]
fn what_was_written_before_a_close_arrives_whole() {
    let runtime = runtime(1);
    let (holder, heard) = Holder::spawn(&runtime, 0);
    let mut far = given(&holder, &heard);
    order(&holder, Order::Fill);
    let Told::Full(taken) = next(&heard) else { panic!("filled") };
    assert!(taken > 10_000, "the last write was partial: {taken}");
    order(&holder, Order::Close);
    let mut bytes = Vec::new();
    far.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes.len(), taken);
}

#[test]
fn hundreds_of_sockets_in_one_loop_are_all_served() {
    let runtime = runtime(1);
    let (holder, heard) = Holder::spawn(&runtime, 0);
    let mut far: Vec<_> = (0..300).map(|_| given(&holder, &heard)).collect();
    for round in 0..5_u8 {
        for end in &mut far {
            end.write_all(&[round]).unwrap();
        }
        for _ in 0..300 {
            assert_eq!(next(&heard), Told::Bytes(vec![round]));
        }
    }
    holder.stop();
    eventually("stopped", || holder.is_stopped());
    for mut end in far {
        assert_eq!(end.read(&mut [0]).unwrap(), 0, "closed with its loop");
    }
}
