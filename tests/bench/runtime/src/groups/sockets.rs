//! A thousand sockets that echo.

use std::{
    io::{ErrorKind, Read, Write},
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::net::UnixStream,
    },
    thread,
    time::{Duration, Instant},
};

use dunlin_os::socket::Socket;
use dunlin_runtime::{Class, Context, Interest, Loop, OwnedSocket, Ready, Runtime, SocketId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    group::{Bar, Contender, Group, Out, contender, figure},
    load::{per, percentile, runtime, tokio},
    system::{process_time, raise_descriptor_limit, thread_time},
};

const ROUND: &str = "there and back";
const COST: &str = "processor time of the server, each";
const WALL: &str = "time, each";

pub const ONE_HOT: Group = Group {
    name: "one-hot",
    about: "one of 1000 unix sockets with traffic: 64 bytes echoed (median of rounds)",
    figures: &[
        figure(ROUND, "us", &[Bar::Times(1.0, "tokio")]),
        figure(COST, "ns", &[Bar::Times(1.0, "tokio")]),
    ],
    contenders: &[
        contender("dunlin", |out| measure(out, &Dunlin(false), one_hot)),
        contender("dunlin recorded", |out| measure(out, &Dunlin(true), one_hot)),
        contender("tokio", |out| measure(out, &Tokio, one_hot)),
        contender("epoll", |out| measure(out, &Epoll, one_hot)),
    ],
};

pub const ALL_HOT: Group = Group {
    name: "all-hot",
    about: "1000 unix sockets, 64 bytes echoed on each, all at once",
    figures: &[figure(COST, "ns", &[Bar::Times(1.0, "tokio")]), figure(WALL, "ns", &[])],
    contenders: ALL,
};

const ALL: &[Contender] = &[
    contender("dunlin", |out| measure(out, &Dunlin(false), all_hot)),
    contender("dunlin recorded", |out| measure(out, &Dunlin(true), all_hot)),
    contender("tokio", |out| measure(out, &Tokio, all_hot)),
    contender("epoll", |out| measure(out, &Epoll, all_hot)),
];

const SOCKETS: usize = 1000;
const ROUNDS: usize = 20_000;
const ALL_ROUNDS: usize = 100;
const BYTES: usize = 64;

/// Echoes on these sockets until they close.
trait Server {
    fn start(&self, sockets: Vec<Socket>) -> Option<Runtime>;
}

fn measure(out: &mut Out, server: &dyn Server, load: fn(&mut Out, &mut [UnixStream])) {
    raise_descriptor_limit();
    let (ours, theirs): (Vec<_>, Vec<_>) = (0..SOCKETS).map(|_| Socket::pair().unwrap()).unzip();
    let mut ours: Vec<_> = ours.into_iter().map(stream).collect();
    ours.iter().for_each(|socket| socket.set_nonblocking(false).unwrap());
    let _runtime = server.start(theirs);
    thread::sleep(Duration::from_millis(50));
    load(out, &mut ours);
}

fn stream(socket: Socket) -> UnixStream {
    OwnedFd::from(socket).into()
}

fn one_hot(out: &mut Out, sockets: &mut [UnixStream]) {
    let mut buffer = [0; BYTES];
    let (all, own) = (process_time(), thread_time());
    let hot = &mut sockets[SOCKETS / 2];
    let mut spans: Vec<_> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            hot.write_all(&[1; BYTES]).unwrap();
            hot.read_exact(&mut buffer).unwrap();
            start.elapsed()
        })
        .collect();
    let server = (process_time() - all) - (thread_time() - own);
    out.say(ROUND, percentile(&mut spans, 50).as_nanos() as f64 / 1000.0);
    out.say(COST, per(server, ROUNDS as u64));
}

fn all_hot(out: &mut Out, sockets: &mut [UnixStream]) {
    let mut buffer = [0; BYTES];
    let (all, own, begun) = (process_time(), thread_time(), Instant::now());
    for _ in 0..ALL_ROUNDS {
        sockets.iter_mut().for_each(|socket| socket.write_all(&[1; BYTES]).unwrap());
        sockets.iter_mut().for_each(|socket| socket.read_exact(&mut buffer).unwrap());
    }
    let count = (ALL_ROUNDS * SOCKETS) as u64;
    let server = (process_time() - all) - (thread_time() - own);
    out.say(COST, per(server, count));
    out.say(WALL, per(begun.elapsed(), count));
}

/// One loop a socket, on one worker.
struct Dunlin(bool);

impl Server for Dunlin {
    fn start(&self, sockets: Vec<Socket>) -> Option<Runtime> {
        let runtime = runtime(1, self.0);
        for socket in sockets {
            let given = Some(OwnedSocket::from_socket(socket));
            runtime.spawn("echo", Class::Routing, Echo { given, pending: Vec::new() });
        }
        Some(runtime)
    }
}

struct Echo {
    given: Option<OwnedSocket>,
    pending: Vec<u8>,
}

impl Loop for Echo {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        cx.adopt(self.given.take().unwrap()).unwrap();
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}

    fn ready(&mut self, cx: &mut Context<'_>, socket: SocketId, ready: Ready) {
        if ready.readable {
            let mut buffer = cx.take_read_buffer();
            match cx.read(socket, &mut buffer) {
                Ok(0) => cx.stop_self(),
                Ok(count) => self.pending.extend_from_slice(&buffer[..count]),
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
            cx.put_read_buffer(buffer);
        }
        if let Ok(count) = cx.write(socket, &self.pending) {
            self.pending.drain(..count);
        }
        let interest = if self.pending.is_empty() { Interest::READ } else { Interest::BOTH };
        cx.interest(socket, interest).unwrap();
    }
}

/// One task a socket, on one thread.
struct Tokio;

impl Server for Tokio {
    fn start(&self, sockets: Vec<Socket>) -> Option<Runtime> {
        thread::spawn(move || {
            tokio().block_on(async move {
                for socket in sockets {
                    let mut socket = tokio::net::UnixStream::from_std(stream(socket)).unwrap();
                    tokio::spawn(async move {
                        let mut buffer = vec![0; 4096];
                        while let Ok(count) = socket.read(&mut buffer).await
                            && count > 0
                        {
                            socket.write_all(&buffer[..count]).await.unwrap();
                        }
                    });
                }
                std::future::pending::<()>().await;
            });
        });
        None
    }
}

/// The system calls alone.
struct Epoll;

impl Server for Epoll {
    fn start(&self, sockets: Vec<Socket>) -> Option<Runtime> {
        let mut sockets: Vec<_> = sockets.into_iter().map(stream).collect();
        thread::spawn(move || {
            // SAFETY: a call without pointers.
            let epoll = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
            for (at, socket) in sockets.iter().enumerate() {
                let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: at as u64 };
                // SAFETY: `event` is valid for a read.
                unsafe {
                    libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, socket.as_raw_fd(), &mut event)
                };
            }
            let mut events = vec![libc::epoll_event { events: 0, u64: 0 }; 256];
            let mut buffer = [0; 4096];
            loop {
                // SAFETY: `events` is valid for so many.
                let count = unsafe { libc::epoll_wait(epoll, events.as_mut_ptr(), 256, -1) };
                for event in events.iter().take(count.max(0) as usize) {
                    let socket = &mut sockets[event.u64 as usize];
                    if let Ok(count) = socket.read(&mut buffer) {
                        socket.write_all(&buffer[..count]).unwrap();
                    }
                }
            }
        });
        None
    }
}
