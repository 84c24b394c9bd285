//! Sockets of the system: streams, handing over, staleness.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    os::unix::net::UnixStream,
    path::PathBuf,
    sync::mpsc::Sender,
};

use common::{descriptors, eventually, next, runtime, told};
use dunlin_runtime::{
    Address, Class, ConnectOptions, Context, Interest, ListenOptions, Loop, OwnedSocket, Ready,
    SocketId,
};

/// Accepts, and hands each connection to a loop of its own.
struct Listener {
    at: Where,
    socket: SocketId,
    told: Sender<Option<SocketAddr>>,
}

enum Where {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl Loop for Listener {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        self.socket = match &self.at {
            Where::Tcp(at) => cx.listen(*at, &ListenOptions::default()).unwrap(),
            Where::Unix(path) => cx.listen_unix(path, 0o600).unwrap(),
        };
        self.told.send(cx.local_addr(self.socket).ok()).unwrap();
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}

    fn ready(&mut self, cx: &mut Context<'_>, socket: SocketId, ready: Ready) {
        assert_eq!(socket, self.socket);
        assert!(ready.readable);
        loop {
            match cx.accept(socket) {
                Ok((connection, _)) => {
                    let connection = cx.release(connection).unwrap();
                    let echo = Echo { socket: SocketId::NONE, pending: Vec::new() };
                    let echo = cx.spawn("echo", Class::Control, echo);
                    echo.send(Class::Control, connection).unwrap();
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

struct Echo {
    socket: SocketId,
    pending: Vec<u8>,
}

impl Echo {
    fn flush(&mut self, cx: &mut Context<'_>) {
        while !self.pending.is_empty() {
            match cx.write(self.socket, &self.pending) {
                Ok(count) => drop(self.pending.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => return cx.stop_self(),
            }
        }
        let interest = if self.pending.is_empty() { Interest::READ } else { Interest::WRITE };
        cx.interest(self.socket, interest).unwrap();
    }
}

impl Loop for Echo {
    type Message = OwnedSocket;

    fn message(&mut self, cx: &mut Context<'_>, socket: OwnedSocket) {
        self.socket = cx.adopt(socket).unwrap();
    }

    fn ready(&mut self, cx: &mut Context<'_>, socket: SocketId, ready: Ready) {
        if ready.readable {
            let mut buffer = cx.take_read_buffer();
            assert_eq!(buffer.len(), 256 * 1024);
            match cx.read(socket, &mut buffer) {
                Ok(0) => cx.stop_self(),
                Ok(count) => self.pending.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => cx.stop_self(),
            }
            cx.put_read_buffer(buffer);
        }
        self.flush(cx);
    }
}

fn exchange(mut write: impl Write + Send, mut read: impl Read, length: usize) {
    let data: Vec<u8> = (0..length).map(|at| (at * 31 % 251) as u8).collect();
    std::thread::scope(|scope| {
        scope.spawn(|| write.write_all(&data).unwrap());
        let mut back = vec![0; length];
        read.read_exact(&mut back).unwrap();
        assert!(back == data);
    });
}

#[test]
fn echo_over_tcp_with_loops_on_two_workers() {
    let before = descriptors();
    let runtime = runtime(2);
    let (told, heard) = told();
    let at = Where::Tcp("127.0.0.1:0".parse().unwrap());
    runtime.spawn("listener", Class::Control, Listener { at, socket: SocketId::NONE, told });
    let address = next(&heard).unwrap();
    let with_listener = descriptors();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let stream = TcpStream::connect(address).unwrap();
                exchange(stream.try_clone().unwrap(), stream, 3_000_000);
            });
        }
    });
    eventually("connections are closed", || descriptors() <= with_listener);
    assert!(runtime.stats().loops.len() <= 9);
    drop(runtime);
    // Other tests of this file run at the same time in this process.
    let _ = before;
}

#[test]
fn echo_over_a_unix_socket() {
    let runtime = runtime(1);
    let path = std::env::temp_dir().join(format!("dunlin-runtime-{}", std::process::id()));
    let (told, heard) = told();
    let at = Where::Unix(path.clone());
    runtime.spawn("listener", Class::Control, Listener { at, socket: SocketId::NONE, told });
    next(&heard);
    let stream = UnixStream::connect(&path).unwrap();
    exchange(stream.try_clone().unwrap(), stream, 1_000_000);
    drop(runtime);
    std::fs::remove_file(&path).unwrap();
}

/// Connects and says how that went.
struct Dialler {
    to: SocketAddr,
    socket: SocketId,
    told: Sender<Result<(), ErrorKind>>,
}

impl Loop for Dialler {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        match cx.connect(self.to, &ConnectOptions::default()) {
            Ok(socket) => self.socket = socket,
            Err(error) => self.told.send(Err(error.kind())).unwrap(),
        }
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}

    fn ready(&mut self, cx: &mut Context<'_>, socket: SocketId, ready: Ready) {
        assert_eq!(socket, self.socket);
        assert!(ready.writable || ready.error);
        let outcome = cx.socket_error(socket).map_err(|error| error.kind());
        cx.close(socket);
        assert!(cx.read(socket, &mut [0]).is_err(), "closed");
        self.told.send(outcome).unwrap();
    }
}

#[test]
fn connecting_succeeds_or_is_refused() {
    let runtime = runtime(1);
    let (told, heard) = told();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let to = listener.local_addr().unwrap();
    let dial = |name| {
        let dialler = Dialler { to, socket: SocketId::NONE, told: told.clone() };
        runtime.spawn(name, Class::Control, dialler)
    };
    dial("one");
    assert_eq!(next(&heard), Ok(()));
    drop(listener);
    dial("two");
    assert_eq!(next(&heard), Err(ErrorKind::ConnectionRefused));
}

/// Two connected pairs; whoever becomes ready first closes the other, which must then never be
/// heard of, and opens a new one that may get the same number.
struct Closer {
    ends: Vec<SocketId>,
    far: Vec<std::os::fd::OwnedFd>,
    told: Sender<&'static str>,
}

impl Closer {
    fn pair(cx: &mut Context<'_>) -> (SocketId, UnixStream) {
        let (near, far) = UnixStream::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        (cx.adopt(OwnedSocket::from_fd(near.into())).unwrap(), far)
    }
}

impl Loop for Closer {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        for _ in 0..16 {
            let (near, mut far) = Self::pair(cx);
            far.write_all(b"x").unwrap();
            self.ends.push(near);
            self.far.push(far.into());
        }
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}

    fn ready(&mut self, cx: &mut Context<'_>, socket: SocketId, ready: Ready) {
        assert!(ready.readable);
        assert!(self.ends.contains(&socket), "stale or silent socket reported");
        assert_eq!(cx.read(socket, &mut [0; 8]).unwrap(), 1);
        for end in self.ends.drain(..) {
            cx.close(end);
        }
        // These take the numbers just freed; nobody has written to them.
        for _ in 0..16 {
            let (_, far) = Self::pair(cx);
            self.far.push(far.into());
        }
        self.told.send("closed").unwrap();
    }
}

#[test]
fn stale_readiness_reaches_nobody() {
    let runtime = runtime(1);
    let (told, heard) = told();
    let closer: Address<()> =
        runtime.spawn("closer", Class::Control, Closer { ends: vec![], far: vec![], told });
    assert_eq!(next(&heard), "closed");
    eventually("idle", || runtime.stats().loops.iter().all(|one| one.sockets == 16));
    assert!(!closer.is_stopped());
}
