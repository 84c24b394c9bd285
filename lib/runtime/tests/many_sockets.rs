//! Ten thousand connections in one loop of a real worker, whose poller is the kernel's. Their other ends are in another
//! process, as a process may often have no more than twenty thousand descriptors.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and waits"
)]

mod common;

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Lines, Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::mpsc::{Sender, channel},
};

use common::{descriptors, eventually, next, runtime, skipped::skip};
use dunlin_runtime::{Address, Class, Context, Loop, Ready, SocketId};

const COUNT: u32 = 10_000;
const NAME: &str = "one_loop_has_ten_thousand_connections";
const PATH: &str = "DUNLIN_MANY_PATH";

/// Sends each connection back what it says, which is its number.
struct Host {
    path: PathBuf,
    listener: SocketId,
    done: Done,
    numbers: HashMap<SocketId, u32>,
}

/// What the host has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Done {
    accepted: u32,
    answered: u32,
    /// Handlers of readiness.
    readies: u32,
}

impl Loop for Host {
    type Message = Sender<Done>;

    fn start(&mut self, cx: &mut Context<'_>) {
        self.listener = cx.listen_unix(&self.path, 0o600).unwrap();
    }

    fn message(&mut self, _: &mut Context<'_>, asker: Sender<Done>) {
        asker.send(self.done).unwrap();
    }

    fn ready(&mut self, cx: &mut Context<'_>, socket: SocketId, _: Ready) {
        self.done.readies += 1;
        if socket == self.listener {
            cx.accept(socket).unwrap();
            self.done.accepted += 1;
            return;
        }
        let mut said = [0; 4];
        if cx.read(socket, &mut said).unwrap() == 0 {
            return cx.close(socket);
        }
        let number = u32::from_be_bytes(said);
        assert_eq!(*self.numbers.entry(socket).or_insert(number), number, "another one's words");
        assert_eq!(cx.write(socket, &said).unwrap(), 4);
        self.done.answered += 1;
    }
}

/// In the other process: connects, and does as its input says, until that ends.
fn be_the_others(path: &Path) {
    dunlin_os::process::raise_descriptor_limit().unwrap();
    let mut streams: Vec<_> = (0..COUNT).map(|_| UnixStream::connect(path).unwrap()).collect();
    println!("\ndone");
    for line in std::io::stdin().lines() {
        let numbers = match line.unwrap().parse() {
            Ok(one) => one..one + 1,
            Err(_) => 0..COUNT,
        };
        for number in numbers.clone() {
            streams[number as usize].write_all(&number.to_be_bytes()).unwrap();
        }
        for number in numbers {
            let mut answer = [0; 4];
            streams[number as usize].read_exact(&mut answer).unwrap();
            assert_eq!(u32::from_be_bytes(answer), number);
        }
        println!("done");
    }
}

/// The process with the other ends.
struct Others {
    child: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
}

impl Others {
    fn start(path: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", NAME, "--nocapture"])
            .env(PATH, path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut others = Self { input: child.stdin.take(), child, output };
        others.done();
        others
    }

    fn done(&mut self) {
        let mut lines = self.output.by_ref().map(Result::unwrap);
        assert!(lines.any(|line| line == "done"), "the other process has ended");
    }

    /// Has one of them say something, or all, and waits for the answers.
    fn say(&mut self, what: &str) {
        writeln!(self.input.as_ref().unwrap(), "{what}").unwrap();
        self.done();
    }

    fn end(mut self) {
        drop(self.input.take());
        assert!(self.child.wait().unwrap().success());
    }
}

fn ask(host: &Address<Sender<Done>>) -> Done {
    let (asker, answer) = channel();
    host.send(Class::Bulk, asker).unwrap();
    next(&answer)
}

#[test]
fn one_loop_has_ten_thousand_connections() {
    if let Some(path) = std::env::var_os(PATH) {
        return be_the_others(Path::new(&path));
    }
    let limit = dunlin_os::process::raise_descriptor_limit().unwrap();
    if limit < u64::from(COUNT) + 100 {
        return skip(NAME, &format!("a process may have only {limit} descriptors"));
    }
    let runtime = runtime(2);
    eventually("both workers are there", || {
        let stats = runtime.stats();
        stats.complete && stats.workers.len() == 2
    });
    let base = descriptors();
    let path = std::env::temp_dir().join(format!("dunlin-many-{}", std::process::id()));
    let host = Host {
        path: path.clone(),
        listener: SocketId::NONE,
        done: Done::default(),
        numbers: HashMap::new(),
    };
    let host = runtime.spawn("host", Class::Control, host);
    host.pin(Some(0));
    // The listener is there.
    ask(&host);
    let mut others = Others::start(&path);
    let on_worker = |worker: usize| {
        let stats = runtime.stats();
        // On its way it is with no worker.
        let host = stats.loops.iter().find(|one| one.id == host.loop_id());
        host.is_some_and(|host| host.worker == worker && host.sockets == COUNT as usize + 1)
    };
    let mut expected = Done { accepted: COUNT, answered: 0, readies: COUNT };
    eventually("all are accepted", || ask(&host) == expected);
    // To and fro with all of them.
    for worker in [0, 1, 0] {
        host.pin(Some(worker));
        eventually("it is there with its sockets", || on_worker(worker));
        others.say("all");
        expected.answered += COUNT;
        expected.readies += COUNT;
        assert_eq!(ask(&host), expected, "each is served once");
        // One among so many that have nothing is found, and nothing else.
        for one in [0, 4711, COUNT - 1] {
            others.say(&one.to_string());
            expected.answered += 1;
            expected.readies += 1;
            assert_eq!(ask(&host), expected);
        }
        for _ in 0..100 {
            assert_eq!(ask(&host), expected, "those that have nothing are not looked at");
        }
    }
    host.stop();
    // The way to the other process is still open, and the runtime may look at a file of the system's just now.
    eventually("all are closed", || descriptors() < base + 10);
    others.end();
    std::fs::remove_file(path).unwrap();
}
