//! The protocol of the control socket, as clients see it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure is what a test is for")]

mod common;

use std::io::Read as _;
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use common::{Client, Place, SMALL, wait_for};

#[test]
fn pipelined_commands_are_answered_in_order() {
    let place = Place::new("pipeline");
    let daemon = place.daemon(SMALL, &[]);
    let mode = std::fs::metadata(&daemon.socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    let mut client = Client::connect(&daemon.socket);
    client.send("show status\r\neval 1+1\nshow protocols\n");
    for number in 0..200 {
        client.send(&format!("eval {number}\n"));
    }
    assert_eq!(client.greeting(), "0001 BIRD 3.3.2 ready.\n");
    assert!(client.reply().starts_with("1000-BIRD 3.3.2"));
    assert_eq!(client.reply(), "0023 2\n");
    assert!(client.reply().contains("s4 "));
    for number in 0..200 {
        assert_eq!(client.reply(), format!("0023 {number}\n"));
    }
}

#[test]
fn odd_lines_get_an_answer_and_nothing_else() {
    let place = Place::new("odd");
    let daemon = place.daemon(SMALL, &[]);
    let mut client = Client::connect(&daemon.socket);
    client.greeting();
    client.send("\n");
    assert!(client.reply().starts_with("9001 "));
    client.send(&format!("eval {}\n", "x".repeat(5000)));
    assert_eq!(client.reply(), "9000 Command too long\n");
    let text = "a".repeat(4094 - 7);
    client.send(&format!("eval \"{text}\"\n"));
    assert!(client.reply().starts_with("0023 "));
    client.send("eval \u{fffd}\u{1}\n");
    assert!(client.reply().starts_with("9001 "));
    client.stream.set_nonblocking(false).unwrap();
    client.send("show frobnication\n");
    assert!(client.reply().starts_with("9001 syntax error"));
}

#[test]
fn a_client_that_stops_sending_still_gets_its_answers() {
    let place = Place::new("half");
    let daemon = place.daemon(SMALL, &[]);
    let mut client = Client::connect(&daemon.socket);
    client.send("show status\neval 7\n");
    client.stream.shutdown(Shutdown::Write).unwrap();
    let mut text = String::new();
    client.stream.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("0001 ") && text.ends_with("0023 7\n"), "{text}");
}

#[test]
fn clients_come_and_go_and_leave_nothing_behind() {
    let place = Place::new("many");
    let daemon = place.daemon(SMALL, &[]);
    let descriptors = || std::fs::read_dir(format!("/proc/{}/fd", daemon.pid())).unwrap().count();
    assert!(wait_for(|| daemon.ask("eval 1") == "0023 1\n"));
    common::pause(100);
    let before = descriptors();
    for round in 0..50 {
        let mut clients: Vec<Client> = (0..8).map(|_| Client::connect(&daemon.socket)).collect();
        for client in &mut clients {
            client.send("show protocols all\nshow route\n");
        }
        if round % 2 == 0 {
            for client in &mut clients {
                client.greeting();
                client.reply();
                client.reply();
            }
        }
    }
    assert!(wait_for(|| descriptors() <= before), "{before} {}", descriptors());
}

#[test]
fn clients_beyond_the_limit_are_told() {
    let place = Place::new("limit");
    let daemon = place.daemon(SMALL, &[]);
    // Those who asked whether it is up may still be counted.
    let mut clients = Vec::new();
    let refused = loop {
        let mut client = Client::connect(&daemon.socket);
        match client.greeting().as_str() {
            "0001 BIRD 3.3.2 ready.\n" => clients.push(client),
            "8007 Too many clients\n" => break client,
            other => panic!("{other}"),
        }
        assert!(clients.len() <= 256);
    };
    assert!(clients.len() > 250, "{}", clients.len());
    assert_eq!((&refused.stream).read(&mut [0; 16]).unwrap(), 0);
    clients.truncate(10);
    assert!(wait_for(|| Client::connect(&daemon.socket).greeting().starts_with("0001 ")));
}

#[test]
fn extra_sockets_follow_the_configuration() {
    let place = Place::new("extra");
    let extra = place.path("extra.ctl");
    let with = |options: &str| format!("{SMALL}cli \"{}\" {{ {options} }};\n", extra.display());
    let daemon = place.daemon(&with("restrict;"), &[]);
    let ask = |command: &str| {
        let mut client = Client::connect(&extra);
        client.greeting();
        client.send(&format!("{command}\n"));
        client.reply()
    };
    assert!(ask("show status").contains("up and running"));
    assert_eq!(ask("down"), "8007 Access denied\n");
    place.write("dunlin.conf", &with(""));
    assert!(daemon.ask("configure").contains("Reconfigured"));
    assert!(wait_for(|| ask("disable s4").contains("disabled")));
    place.write("dunlin.conf", SMALL);
    assert!(daemon.ask("configure").contains("Reconfigured"));
    assert!(wait_for(|| !extra.exists()));
}

#[test]
fn birdc_of_debian_works() {
    let Ok(version) = Command::new("birdc").arg("--version").output() else {
        panic!("birdc is missing: install bird2");
    };
    drop(version);
    let place = Place::new("birdc");
    let daemon = place.daemon(SMALL, &[]);
    let birdc = |words: &[&str]| {
        let out = Command::new("birdc").arg("-s").arg(&daemon.socket).args(words).output().unwrap();
        (out.status.code(), String::from_utf8(out.stdout).unwrap())
    };
    let (code, out) = birdc(&["show", "status"]);
    assert_eq!(code, Some(0), "{out}");
    assert!(out.starts_with("BIRD 3.3.2 ready.\n"), "{out}");
    assert!(out.contains("Daemon is up and running"), "{out}");
    let (_, out) = birdc(&["show", "protocols"]);
    assert!(out.contains("s4"), "{out}");
    let (_, out) = birdc(&["show", "route"]);
    assert!(out.contains("192.0.2.0/24"), "{out}");
    let (code, out) = birdc(&["-r", "down"]);
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("Access denied"), "{out}");
}
