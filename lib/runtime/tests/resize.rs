//! Growing and shrinking under load. One test to a process: it counts threads and descriptors.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::Sender,
    },
};

use common::{descriptors, eventually, is_sanitized, next, runtime, status, told};
use dunlin_runtime::{
    Address, Class, Context, Duration, ListenOptions, Loop, Ready, Runtime, SocketId, Time, TimerId,
};

/// Counts messages of each sender and passes on a share of them.
struct Node {
    peers: Vec<Address<Word>>,
    received: Arc<AtomicU64>,
    last: [u64; 4],
    ticks: Arc<AtomicU64>,
    timer: TimerId,
}

enum Word {
    Peers(Vec<Address<Self>>),
    Number { from: usize, count: u64, hops: u8 },
}

impl Loop for Node {
    type Message = Word;

    fn start(&mut self, cx: &mut Context<'_>) {
        self.timer = cx.timer(Class::Routing);
        cx.arm_every(self.timer, Duration::from_millis(5));
    }

    fn message(&mut self, cx: &mut Context<'_>, message: Word) {
        match message {
            Word::Peers(peers) => self.peers = peers,
            Word::Number { from, count, hops } => {
                if hops == 3 {
                    assert!(count > self.last[from], "in order");
                    self.last[from] = count;
                }
                self.received.fetch_add(1, Ordering::Relaxed);
                if hops > 0 {
                    let peer = cx.random() as usize % self.peers.len();
                    let word = Word::Number { from, count, hops: hops - 1 };
                    self.peers[peer].send(Class::Routing, word).unwrap();
                }
            }
        }
    }

    fn timer(&mut self, _: &mut Context<'_>, _: TimerId) {
        self.ticks.fetch_add(1, Ordering::Relaxed);
    }
}

/// Echoes on one connection, whatever worker it is on.
struct Echo {
    listener: SocketId,
    told: Sender<std::net::SocketAddr>,
    workers: Arc<AtomicU64>,
}

impl Loop for Echo {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        let at = "127.0.0.1:0".parse().unwrap();
        self.listener = cx.listen(at, &ListenOptions::default()).unwrap();
        self.told.send(cx.local_addr(self.listener).unwrap()).unwrap();
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}

    fn ready(&mut self, cx: &mut Context<'_>, socket: SocketId, _: Ready) {
        self.workers.fetch_or(1 << cx.worker(), Ordering::Relaxed);
        if socket == self.listener {
            cx.accept(socket).unwrap();
            return;
        }
        let mut buffer = [0; 64];
        match cx.read(socket, &mut buffer) {
            Ok(0) => cx.close(socket),
            Ok(count) => assert_eq!(cx.write(socket, &buffer[..count]).unwrap(), count),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
        }
    }
}

/// Eight loops that echo, each with a connection to it and the workers it has run on.
fn echoes(runtime: &Runtime) -> Vec<(TcpStream, Arc<AtomicU64>)> {
    let (told, heard) = told();
    let connect = |_| {
        let workers = Arc::new(AtomicU64::new(0));
        let told = told.clone();
        let echo = Echo { listener: SocketId::NONE, told, workers: Arc::clone(&workers) };
        runtime.spawn("echo", Class::Control, echo);
        let mut stream = TcpStream::connect(next(&heard)).unwrap();
        stream.set_nodelay(true).unwrap();
        // Connected is not yet accepted, and the descriptors are counted afterwards.
        stream.write_all(b"hello").unwrap();
        stream.read_exact(&mut [0; 5]).unwrap();
        (stream, workers)
    };
    (0..8).map(connect).collect()
}

#[test]
fn fifty_resizes_under_load_lose_nothing_and_leave_nothing_behind() {
    let runtime = runtime(1);
    let received = Arc::new(AtomicU64::new(0));
    let ticks = Arc::new(AtomicU64::new(0));
    let nodes: Vec<_> = (0..40)
        .map(|_| {
            let (received, ticks) = (Arc::clone(&received), Arc::clone(&ticks));
            let node = Node { peers: vec![], received, last: [0; 4], ticks, timer: TimerId::NONE };
            runtime.spawn("node", Class::Routing, node)
        })
        .collect();
    for node in &nodes {
        node.send(Class::Control, Word::Peers(nodes.clone())).unwrap();
    }
    let echoes = echoes(&runtime);
    eventually("one worker", || runtime.stats().workers.len() == 1);
    let base = (status("Threads:"), descriptors());
    let handle = runtime.handle();
    let mut memory = 0;

    let done = AtomicBool::new(false);
    let sent = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for from in 0..4 {
            let (nodes, done, sent, received) = (&nodes, &done, &sent, &received);
            scope.spawn(move || {
                let mut count = 0;
                while !done.load(Ordering::Relaxed) {
                    count += 1;
                    let node = &nodes[count as usize % nodes.len()];
                    node.send(Class::Routing, Word::Number { from, count, hops: 3 }).unwrap();
                    sent.fetch_add(4, Ordering::Relaxed);
                    // Bounded, so that the test measures moves and not queues.
                    while sent.load(Ordering::Relaxed) > received.load(Ordering::Relaxed) + 4000 {
                        std::thread::yield_now();
                    }
                }
            });
        }
        for (stream, _) in &echoes {
            let done = &done;
            scope.spawn(move || {
                let (mut write, mut read) = (stream, stream);
                let mut count = 0u64;
                while !done.load(Ordering::Relaxed) {
                    count += 1;
                    write.write_all(&count.to_be_bytes()).unwrap();
                    let mut back = [0; 8];
                    read.read_exact(&mut back).unwrap();
                    assert_eq!(u64::from_be_bytes(back), count);
                }
            });
        }
        for round in 0..50 {
            let threads = [4, 1, 8, 2, 1][round % 5];
            handle.resize(threads);
            if round % 7 == 3 {
                handle.resize(threads + 1);
                handle.resize(threads);
            }
            if round % 3 != 0 {
                eventually("resized", || {
                    let stats = runtime.stats();
                    stats.workers.len() == threads && stats.loops.len() == 48
                });
            }
            if round == 10 {
                memory = status("VmRSS:");
            }
        }
        handle.resize(1);
        eventually("one worker", || runtime.stats().workers.len() == 1);
        done.store(true, Ordering::Relaxed);
    });
    eventually("all received", || received.load(Ordering::Relaxed) == sent.load(Ordering::Relaxed));
    let ticked = ticks.load(Ordering::Relaxed);
    eventually("timers go on", || ticks.load(Ordering::Relaxed) > ticked + 400);
    let visited = echoes.iter().map(|(_, workers)| workers.load(Ordering::Relaxed).count_ones());
    let visited: Vec<_> = visited.collect();
    let stats = runtime.stats();
    println!(
        "{} messages, moves {}, workers each echo ran on {visited:?}, memory {memory} -> {} KiB",
        sent.load(Ordering::Relaxed),
        stats.workers[0].moved_in,
        status("VmRSS:"),
    );
    assert!(visited.iter().any(|count| *count > 1), "sockets move");
    eventually("threads as before", || status("Threads:") == base.0);
    eventually("descriptors as before", || descriptors() == base.1);
    assert!(is_sanitized() || status("VmRSS:") < memory + 4096, "memory as before");
    let _ = Time::ZERO;
}
