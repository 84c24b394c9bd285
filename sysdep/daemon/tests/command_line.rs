//! Flags, exit codes and what is said on the terminal.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure is what a test is for")]

mod common;

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use common::{DUNLIN, Place, SMALL, wait_for};

/// Runs a command that ends by itself: exit code, output, errors.
fn run(command: &mut Command) -> (i32, String, String) {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let ended = wait_for(|| child.try_wait().unwrap().is_some());
    if !ended {
        child.kill().unwrap();
    }
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap_or(-1), text(stdout), text(stderr))
}

#[test]
fn version_and_help() {
    let (code, out, _) = run(Command::new(DUNLIN).arg("--version"));
    assert_eq!(code, 0);
    assert!(out.starts_with("Dunlin ") && out.contains("BIRD 3.3.2"), "{out}");
    let (code, out, _) = run(Command::new(DUNLIN).arg("--help"));
    assert_eq!(code, 0);
    for flag in ["-c FILE", "-s SOCKET", "-p", "-P FILE", "--threads", "dunlin trace"] {
        assert!(out.contains(flag), "{flag}");
    }
    let (code, _, error) = run(Command::new(DUNLIN).arg("-Z"));
    assert_eq!(code, 1);
    assert!(error.contains("-Z"), "{error}");
    let (code, _, error) = run(Command::new(DUNLIN).arg("-R"));
    assert_eq!(code, 1);
    assert!(error.contains("graceful restart"), "{error}");
}

#[test]
fn checking_a_configuration() {
    let place = Place::new("check");
    let good = place.write("good.conf", SMALL);
    let (code, out, error) = run(place.command().arg("-p").arg("-c").arg(good));
    assert_eq!((code, out.as_str(), error.as_str()), (0, "", ""));
    let text = "router id 1.2.3.4;\nprotocol device { bogus 1; }\n\nfrobnicate;\n";
    let bad = place.write("bad.conf", text);
    let (code, _, error) = run(place.command().arg("-p").arg("-c").arg(&bad));
    assert_eq!(code, 1);
    let head = format!("dunlin: {}:2:", bad.display());
    assert!(error.starts_with(&head), "{error}");
    assert!(error.contains(&format!("dunlin: {}:4:1", bad.display())), "{error}");
    assert!(error.contains("protocol device { bogus 1; }"), "no snippet: {error}");
    let (code, _, error) = run(place.command().args(["-p", "-c", "missing.conf"]));
    assert_eq!(code, 1);
    assert!(error.contains("missing.conf"), "{error}");
    let (code, _, error) = run(place.command().arg("-p"));
    assert_eq!(code, 0, "the built-in example: {error}");
}

#[test]
fn a_control_socket_in_use_is_left_alone() {
    let place = Place::new("in-use");
    let config = place.write("a.conf", SMALL);
    let socket = place.path("ctl");
    let listener = UnixListener::bind(&socket).unwrap();
    for flag in ["-f", "-P/dev/null"] {
        let (code, _, error) =
            run(place.command().arg(flag).arg("-c").arg(&config).arg("-s").arg(&socket));
        assert_eq!(code, 1, "{error}");
        assert!(error.contains("in use by a running process"), "{error}");
        assert!(error.contains(socket.to_str().unwrap()), "{error}");
    }
    drop(listener);
    assert!(socket.exists());
}

#[test]
fn a_stale_control_socket_is_replaced() {
    let place = Place::new("stale");
    drop(UnixListener::bind(place.path("ctl")).unwrap());
    let mut daemon = place.daemon(SMALL, &[]);
    assert!(daemon.ask("show status").contains("Daemon is up and running"));
    daemon.signal("TERM");
    assert_eq!(daemon.wait().code(), Some(0));
    assert!(!place.path("ctl").exists());
}

#[test]
fn something_else_in_place_of_the_socket_is_left_alone() {
    let place = Place::new("no-socket");
    let file = place.write("ctl", "precious");
    let config = place.write("a.conf", SMALL);
    let (code, _, error) = run(place.command().args(["-f", "-s"]).arg(&file).arg("-c").arg(config));
    assert_eq!(code, 1);
    assert!(error.contains("not a socket"), "{error}");
    assert_eq!(fs::read_to_string(file).unwrap(), "precious");
}

#[test]
fn a_wrong_configuration_starts_nothing() {
    let place = Place::new("wrong");
    let config = place.write("a.conf", "frobnicate;\nprotocol device { }\n");
    for foreground in [true, false] {
        let mut command = place.command();
        command.arg("-c").arg(&config).arg("-s").arg(place.path("ctl"));
        if foreground {
            command.arg("-f");
        }
        let (code, _, error) = run(&mut command);
        assert_eq!(code, 1);
        assert!(error.contains("a.conf:1:"), "{error}");
        assert!(!place.path("ctl").exists());
    }
}

#[test]
fn to_the_background_and_back() {
    let place = Place::new("background");
    let log = place.path("log");
    let config = place.write("a.conf", &SMALL.replace("log stderr all", "log \"log\" all"));
    let mut command = place.command();
    // Pipes would keep the test waiting for the daemon that inherits them.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let (socket, pid) = (place.path("ctl"), place.path("pid"));
    let status = command.args(["-c", "a.conf", "-s", "ctl", "-P", "pid"]).status().unwrap();
    assert!(status.success(), "{status}");
    assert!(config.exists() && socket.exists());
    let number = fs::read_to_string(&pid).unwrap();
    let process = Path::new("/proc").join(number.trim());
    assert!(process.exists());
    // The example has the other trace file's name, so a second daemon can run beside it.
    let mut client = common::Client::connect(&socket);
    assert_eq!(client.greeting(), "0001 BIRD 3.3.2 ready.\n");
    client.send("show status\ndown\n");
    assert!(client.reply().contains("Daemon is up and running"));
    assert!(client.reply().starts_with("0007 "));
    assert!(wait_for(|| !process.exists()), "it does not end");
    assert!(!pid.exists() && !socket.exists());
    let text = fs::read_to_string(&log).unwrap();
    assert!(
        text.contains("<INFO> Started") && text.contains("<INFO> Shutdown completed"),
        "{text}"
    );
}

#[test]
fn traces_of_nothing_are_refused() {
    let place = Place::new("trace");
    let file = place.write("not.trace", "hello");
    let (code, _, error) = run(place.command().arg("trace").arg(file));
    assert_eq!(code, 1);
    assert!(error.contains("not.trace"), "{error}");
}

/// `-d`: everything, once, on standard error, whatever the file says; and what it says goes on.
#[test]
fn debugging_logs_everything_to_standard_error_too() {
    let traced = SMALL.replace("protocol device { }", "protocol device { debug all; }");
    let place = Place::new("debug");
    let log = place.path("log");
    let file = format!("log {log:?} all;\n");
    for logs in [
        "",
        "log stderr { fatal };\n",
        "log stderr all;\n",
        &file,
        &format!("{file}log stderr {{ info }};\n"),
    ] {
        let config = traced.replace("log stderr all;\n", logs);
        let said = |flags: &[&str]| {
            let _ = fs::remove_file(&log);
            let mut daemon = place.daemon(&config, flags);
            daemon.signal("TERM");
            assert_eq!(daemon.wait().code(), Some(0));
            daemon.errors()
        };
        let text = said(&["-d"]);
        for line in ["<TRACE> device1: ", "<INFO> Started", "<INFO> Shutdown requested"] {
            assert!(text.contains(line), "{logs}: {line}: {text}");
        }
        assert_eq!(text.matches("<INFO> Shutdown requested").count(), 1, "{logs}: {text}");
        let in_file = fs::read_to_string(&log).unwrap_or_default();
        assert_eq!(
            in_file.contains("<TRACE> device1: "),
            logs.contains("all") && logs != "log stderr all;\n",
            "{logs}"
        );
        let without = said(&[]);
        assert_eq!(
            without.contains("<TRACE> device1: "),
            logs == "log stderr all;\n",
            "{logs}: {without}"
        );
    }
}
