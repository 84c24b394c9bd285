//! A daemon under test: its files, its process, its control socket.

#![allow(dead_code, reason = "each test file uses a part")]

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// The daemon's binary.
pub(crate) const DUNLIN: &str = env!("CARGO_BIN_EXE_dunlin");

/// How long anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A configuration that needs nothing: no port, no right.
pub(crate) const SMALL: &str = "log stderr all;\nrouter id 192.0.2.1;\nprotocol device { }\n\
    protocol static s4 { ipv4; route 192.0.2.0/24 blackhole; }\n";

/// A directory of the test's own, removed at its end.
pub(crate) struct Place(PathBuf);

impl Place {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("dunlin-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// A command with the daemon's environment inside this directory.
    pub(crate) fn command(&self) -> Command {
        self.prepare(Command::new(DUNLIN))
    }

    /// As [`Self::command`], but a shell runs this, with the daemon and its arguments as its own.
    pub(crate) fn command_by(&self, script: &str) -> Command {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(script).arg(DUNLIN);
        self.prepare(shell)
    }

    fn prepare(&self, mut command: Command) -> Command {
        command.current_dir(&self.0).env("XDG_RUNTIME_DIR", &self.0);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// A running daemon with this configuration, once it answers.
    pub(crate) fn daemon(&self, config: &str, flags: &[&str]) -> Daemon {
        let config = self.write("dunlin.conf", config);
        let socket = self.path("ctl");
        let mut command = self.command();
        command.arg("-f").arg("-c").arg(config).arg("-s").arg(&socket).args(flags);
        Daemon::start(command, socket)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A daemon in the foreground; killed at the end if it still runs.
pub(crate) struct Daemon {
    child: Child,
    pub(crate) socket: PathBuf,
}

impl Daemon {
    /// Starts it and does not wait.
    pub(crate) fn begin(mut command: Command, socket: PathBuf) -> Self {
        Self { child: command.spawn().unwrap(), socket }
    }

    /// Starts it and waits until it answers.
    pub(crate) fn start(command: Command, socket: PathBuf) -> Self {
        let mut daemon = Self::begin(command, socket);
        let ready = wait_for(|| {
            if let Some(status) = daemon.child.try_wait().unwrap() {
                panic!("ended with {status}: {}", daemon.errors());
            }
            UnixStream::connect(&daemon.socket).is_ok()
        });
        assert!(ready, "no control socket");
        assert!(
            wait_for(|| daemon.ask("show status").contains("up and running")),
            "{}",
            daemon.ask("show status")
        );
        daemon
    }

    /// Runs a command; the whole reply.
    pub(crate) fn ask(&self, command: &str) -> String {
        let mut client = Client::connect(&self.socket);
        client.greeting();
        client.send(&format!("{command}\n"));
        client.reply()
    }

    /// Runs a command whose answer is JSON.
    pub(crate) fn ask_json(&self, command: &str) -> serde_json::Value {
        let reply = self.ask(command);
        let (rows, last) = reply.trim_end_matches('\n').rsplit_once('\n').unwrap_or_default();
        assert_eq!(last, "0000 ", "{reply}");
        // A row begins with its code or, where that repeats, with a blank.
        let text: String =
            rows.lines().map(|row| row.strip_prefix(' ').unwrap_or(&row[5..])).collect();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, name: &str) {
        let (signal, process) = (format!("-{name}"), self.pid().to_string());
        assert!(Command::new("kill").args([signal, process]).status().unwrap().success());
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        let ended = wait_for(|| {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        assert!(ended, "it does not end");
        status.unwrap()
    }

    /// What it wrote to standard error; only after its end.
    pub(crate) fn errors(&mut self) -> String {
        let mut text = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        text
    }

    /// What it wrote to standard output; only after its end.
    pub(crate) fn output(&mut self) -> String {
        let mut text = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        text
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A connection to a control socket.
pub(crate) struct Client {
    pub(crate) stream: UnixStream,
    received: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(path: &Path) -> Self {
        let stream = UnixStream::connect(path).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { stream, received: Vec::new() }
    }

    /// The greeting, which is one line.
    pub(crate) fn greeting(&mut self) -> String {
        self.reply()
    }

    pub(crate) fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).unwrap();
    }

    /// Everything up to and with the next last line.
    pub(crate) fn reply(&mut self) -> String {
        loop {
            if let Some(end) = end_of_reply(&self.received) {
                let rest = self.received.split_off(end);
                let reply = std::mem::replace(&mut self.received, rest);
                return String::from_utf8(reply).unwrap();
            }
            let mut buffer = [0; 65536];
            let count = match self.stream.read(&mut buffer) {
                // The process was stopped for a moment.
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result.unwrap(),
            };
            assert!(count > 0, "closed after {:?}", String::from_utf8_lossy(&self.received));
            self.received.extend_from_slice(&buffer[..count]);
        }
    }
}

/// Where a reply ends: behind a line of four digits and a space.
fn end_of_reply(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        at += line.len();
        let last = line.ends_with(b"\n")
            && line.len() >= 6
            && line[..4].iter().all(u8::is_ascii_digit)
            && line[4] == b' ';
        if last {
            return Some(at);
        }
    }
    None
}

/// Asks again until it is true; false after a while.
pub(crate) fn wait_for(mut condition: impl FnMut() -> bool) -> bool {
    let tries = PATIENCE.as_millis() / 20;
    for _ in 0..tries {
        if condition() {
            return true;
        }
        pause(20);
    }
    false
}

/// Lets time pass.
pub(crate) fn pause(milliseconds: u64) {
    let (_sender, receiver) = std::sync::mpsc::channel::<()>();
    let _ = receiver.recv_timeout(Duration::from_millis(milliseconds));
}

/// A TCP port that nobody uses at the moment.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
