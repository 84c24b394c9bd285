//! The client against a daemon made of a script, and against BIRD where that is installed.

#![allow(clippy::unwrap_used, reason = "a test stops where something fails")]

#[path = "../../../tests/skipped.rs"]
mod skipped;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;

/// A directory of our own, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("dunlinc-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn client(socket: &Path, arguments: &[&str]) -> Output {
    client_with(socket, arguments, "")
}

fn client_with(socket: &Path, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_dunlinc"))
        .arg("-s")
        .arg(socket)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Serves one client: the greeting, then one prepared reply to each command; returns the commands.
fn serve(socket: &Path, replies: &'static [&'static str]) -> thread::JoinHandle<Vec<String>> {
    let listener = UnixListener::bind(socket).unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"0001 BIRD 3.3.2 ready.\n").unwrap();
        let mut commands = Vec::new();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        for reply in replies {
            let Some(Ok(line)) = lines.next() else { break };
            commands.push(line);
            stream.write_all(reply.as_bytes()).unwrap();
        }
        commands
    })
}

#[test]
fn one_command() {
    let scratch = Scratch::new("one");
    let socket = scratch.file("d.ctl");
    let daemon = serve(&socket, &["2002-Name\n1002-a\n b\n0000 \n"]);
    let output = client(&socket, &["sh", "pro"]);
    assert_eq!(text(&output.stdout), "BIRD 3.3.2 ready.\nName\na\nb\n");
    assert!(output.status.success());
    assert_eq!(daemon.join().unwrap(), ["show protocols"]);
}

#[test]
fn verbose_restricted_and_failing() {
    let scratch = Scratch::new("fail");
    let socket = scratch.file("d.ctl");
    let daemon = serve(&socket, &["0016 Access restricted\n", "8007 Access denied\n"]);
    let output = client(&socket, &["-v", "-r", "down"]);
    let expected = "0001 BIRD 3.3.2 ready.\n0016 Access restricted\n8007 Access denied\n";
    assert_eq!(text(&output.stdout), expected);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(daemon.join().unwrap(), ["restrict", "down"]);
}

#[test]
fn scripts_come_by_standard_input() {
    let scratch = Scratch::new("script");
    let socket = scratch.file("d.ctl");
    let daemon = serve(&socket, &["8003 No protocols match\n", "0000 \n"]);
    let output = client_with(&socket, &[], "# a comment\n\ndisable x\nfoo\nsh st\nquit\ndown\n");
    let expected = "BIRD 3.3.2 ready.\nNo protocols match\nNo such command. Press `?' for help.\n\
                    No such command. Press `?' for help.\nIt could be: status, static\n";
    assert_eq!(text(&output.stdout), expected);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(daemon.join().unwrap(), ["disable x"]);
}

#[test]
fn a_daemon_that_hangs_up_is_told() {
    let scratch = Scratch::new("closed");
    let socket = scratch.file("d.ctl");
    let daemon = serve(&socket, &["0007 Shutdown requested\n"]);
    let output = client_with(&socket, &[], "down\nshow status\n");
    daemon.join().unwrap();
    assert!(
        text(&output.stderr).contains("Connection closed by server") || !output.status.success()
    );
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn without_a_daemon() {
    let scratch = Scratch::new("none");
    let socket = scratch.file("none.ctl");
    let output = client(&socket, &["show", "status"]);
    assert_eq!(output.status.code(), Some(1));
    let told = text(&output.stderr);
    assert!(told.contains("none.ctl: No such file or directory"), "{told}");
    assert!(told.contains("Start the daemon"), "{told}");
    // Help needs no daemon.
    let output = client(&socket, &["help", "show", "route"]);
    assert!(output.status.success());
    assert!(text(&output.stdout).contains("noexport"));
}

/// BIRD, ended at the end.
struct Bird(Child);

impl Drop for Bird {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start_bird(scratch: &Scratch) -> Option<Bird> {
    let config = scratch.file("bird.conf");
    let text = "router id 192.0.2.1;\nprotocol device {}\n\
                protocol static s1 { ipv4; route 198.51.100.0/24 blackhole; }\n";
    std::fs::write(&config, text).unwrap();
    let program =
        ["/usr/sbin/bird", "/usr/bin/bird"].into_iter().find(|p| Path::new(p).exists())?;
    let child = Command::new(program)
        .arg("-f")
        .arg("-c")
        .arg(&config)
        .arg("-s")
        .arg(scratch.file("bird.ctl"))
        .arg("-P")
        .arg(scratch.file("bird.pid"))
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    Some(Bird(child))
}

#[test]
fn works_with_bird() {
    let scratch = Scratch::new("bird");
    let Some(mut bird) = start_bird(&scratch) else {
        return skipped::skip("works_with_bird", "BIRD is not installed (Debian: bird2)");
    };
    let socket = scratch.file("bird.ctl");
    let mut tries = 0;
    let output = loop {
        let output = client(&socket, &["show", "status"]);
        if output.status.success() {
            break output;
        }
        assert!(bird.0.try_wait().unwrap().is_none(), "BIRD did not start");
        tries += 1;
        assert!(tries < 2000, "BIRD does not answer");
        thread::yield_now();
    };
    assert!(text(&output.stdout).contains("Router ID is 192.0.2.1"));
    let shown = text(&client(&socket, &["sh", "ro", "all"]).stdout);
    assert!(shown.contains("198.51.100.0/24") && shown.contains("blackhole"), "{shown}");
    let verbose = text(&client(&socket, &["-v", "show", "protocols"]).stdout);
    assert!(verbose.contains("2002-Name") && verbose.contains("\n     s1 "), "{verbose}");
    let wrong = client(&socket, &["show", "protocols", "nobody"]);
    assert_eq!(wrong.status.code(), Some(1));
    let denied = client(&socket, &["-r", "down"]);
    assert!(text(&denied.stdout).contains("Access denied"));
    let down = client(&socket, &["down"]);
    assert!(text(&down.stdout).contains("Shutdown requested") && down.status.success());
    assert!(bird.0.wait().unwrap().success());
}
