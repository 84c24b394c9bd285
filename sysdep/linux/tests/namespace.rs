//! The watcher against a real kernel: each test runs in a network namespace of its own, as an ordinary
//! user would be in one.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where something fails")]

#[path = "../../../tests/skipped.rs"]
mod skipped;

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use dunlin_core::interfaces::{InterfaceSource, InterfaceWatch, Interfaces};
use dunlin_core::protocol::Reply;
use dunlin_linux::NetlinkInterfaces;
use dunlin_runtime::{Address, Class, Context, Loop, Runtime, RuntimeOptions};

const PATIENCE: Duration = Duration::from_secs(10);
const INSIDE: &str = "DUNLIN_LINUX_NAMESPACE";

/// Runs `test` of this file in a child in a new user and network namespace; true in that child.
fn is_inside(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let possible = Command::new("unshare")
        .args(["-rn", "ip", "link"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if !possible.is_ok_and(|status| status.success()) {
        skipped::skip(test, "no namespaces here (unshare -rn ip link)");
        return false;
    }
    let status = Command::new("unshare")
        .arg("-rn")
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, "1")
        .status()
        .unwrap();
    assert!(status.success(), "{test} failed in its namespace");
    false
}

fn ip(arguments: &str) {
    let status = Command::new("ip").args(arguments.split_whitespace()).status().unwrap();
    assert!(status.success(), "ip {arguments}");
}

/// Starts a watch and holds it.
struct Holder {
    pictures: Sender<Arc<Interfaces>>,
    scan: Option<Duration>,
    watch: Option<Box<dyn InterfaceWatch>>,
}

enum HolderMessage {
    /// Keep the worker busy until told to go on.
    Block(Receiver<()>),
    /// End the watch.
    Drop,
}

impl Loop for Holder {
    type Message = HolderMessage;

    fn start(&mut self, cx: &mut Context<'_>) {
        let pictures = self.pictures.clone();
        let changed = move |picture| {
            let _ = pictures.send(picture);
        };
        let failed = Reply::new(|why: String| panic!("{why}"));
        self.watch = Some(NetlinkInterfaces.watch(cx, self.scan, Box::new(changed), failed));
    }

    fn message(&mut self, _cx: &mut Context<'_>, message: HolderMessage) {
        match message {
            HolderMessage::Block(until) => until.recv().unwrap(),
            HolderMessage::Drop => self.watch = None,
        }
    }
}

struct Lab {
    runtime: Runtime,
    holder: Address<HolderMessage>,
    pictures: Receiver<Arc<Interfaces>>,
}

impl Lab {
    fn start(scan: Option<Duration>) -> Self {
        let runtime = Runtime::new(RuntimeOptions { threads: 1, ..<_>::default() }).unwrap();
        let (sender, pictures) = mpsc::channel();
        let holder = Holder { pictures: sender, scan, watch: None };
        let holder = runtime.spawn("holder", Class::Control, holder);
        Self { runtime, holder, pictures }
    }

    /// Waits for a picture that is right.
    fn until(&self, what: &str, right: impl Fn(&Interfaces) -> bool) -> Arc<Interfaces> {
        loop {
            match self.pictures.recv_timeout(PATIENCE) {
                Ok(picture) if right(&picture) => return picture,
                Ok(_) => {}
                Err(error) => panic!("{what}: {error}"),
            }
        }
    }
}

fn addresses(picture: &Interfaces, name: &str) -> Vec<String> {
    let list = picture.by_name(name).map(|interface| &*interface.addresses).unwrap_or_default();
    list.iter().map(|entry| format!("{} {}", entry.address, entry.prefix)).collect()
}

#[test]
fn changes_are_seen() {
    if !is_inside("changes_are_seen") {
        return;
    }
    let lab = Lab::start(None);
    let first = lab.until("first picture", |_| true);
    let names: Vec<_> = first.iter().map(|interface| &*interface.name).collect();
    assert_eq!(names, ["lo"]);
    ip("link set lo up");
    lab.until("lo up", |now| addresses(now, "lo").len() == 2);
    ip("link add v0 type veth peer name v1");
    ip("link set v0 mtu 1400 up");
    let seen =
        lab.until("v0", |now| now.by_name("v0").is_some_and(|i| i.mtu == 1400 && i.flags.admin_up));
    let v0 = seen.by_name("v0").unwrap();
    assert!(v0.flags.broadcast && !v0.flags.link_up && !v0.flags.loopback);
    ip("link set v1 up");
    lab.until("link", |now| now.by_name("v0").is_some_and(|i| i.is_up()));
    ip("addr add 192.0.2.1/24 dev v0");
    ip("addr add 192.0.2.2/24 dev v0");
    ip("addr add 2001:db8::1/64 dev v0 nodad");
    ip("addr add 198.51.100.1 peer 198.51.100.2 dev v0");
    let seen = lab.until("addresses", |now| {
        addresses(now, "v0").iter().filter(|text| !text.starts_with("fe80")).count() == 4
    });
    let v0 = seen.by_name("v0").unwrap();
    let find =
        |text: &str| *v0.addresses.iter().find(|entry| entry.address.to_string() == text).unwrap();
    assert!(find("192.0.2.2").secondary && !find("192.0.2.1").secondary);
    assert_eq!(find("198.51.100.1").opposite, "198.51.100.2".parse().ok());
    assert_eq!(find("2001:db8::1").prefix.to_string(), "2001:db8::/64");
    // The kernel takes the secondary address along, or makes it the first.
    ip("addr del 192.0.2.1/24 dev v0");
    lab.until("address gone", |now| !addresses(now, "v0").iter().any(|a| a.contains("192.0.2.1 ")));
    ip("link add br0 type bridge");
    ip("link set v1 master br0");
    lab.until("master", |now| {
        let bridge = now.by_name("br0").map(|i| i.index);
        bridge.is_some() && now.by_name("v1").map(|i| i.master) == bridge
    });
    ip("link set v1 nomaster");
    lab.until("no master", |now| now.by_name("v1").is_some_and(|i| i.master == 0));
    ip("link set v0 down");
    ip("link set v0 name w0");
    lab.until("renamed", |now| now.by_name("w0").is_some() && now.by_name("v0").is_none());
    ip("link del w0");
    lab.until("gone", |now| now.by_name("w0").is_none() && now.by_name("v1").is_none());
    lab.runtime.shutdown();
}

#[test]
fn lost_notifications_lead_to_a_new_scan() {
    if !is_inside("lost_notifications_lead_to_a_new_scan") {
        return;
    }
    let lab = Lab::start(None);
    lab.until("first picture", |_| true);
    ip("link add d0 type veth peer name d1");
    lab.until("d0", |now| now.by_name("d0").is_some());
    // Far more changes than the socket's buffer holds, while nobody reads.
    let (go_on, until) = mpsc::channel();
    lab.holder.send(Class::Control, HolderMessage::Block(until)).unwrap();
    let mut batch = String::new();
    for change in 0..8000 {
        let (a, b) = (change / 200, change % 200 + 1);
        batch.push_str(&format!("addr add 10.{a}.{b}.1/24 dev d0\n"));
        if change % 2 == 0 {
            batch.push_str(&format!("addr del 10.{a}.{b}.1/24 dev d0\n"));
        }
    }
    let path = std::env::temp_dir().join(format!("dunlin-batch-{}", std::process::id()));
    std::fs::write(&path, batch).unwrap();
    ip(&format!("-batch {}", path.display()));
    std::fs::remove_file(&path).unwrap();
    go_on.send(()).unwrap();
    let last = lab.until("all that is left", |now| addresses(now, "d0").len() == 4000);
    assert!(addresses(&last, "d0").contains(&"10.39.200.1 10.39.200.0/24".to_owned()));
    lab.runtime.shutdown();
}

#[test]
fn scans_are_quiet_and_a_dropped_watch_ends() {
    if !is_inside("scans_are_quiet_and_a_dropped_watch_ends") {
        return;
    }
    let lab = Lab::start(Some(Duration::from_millis(20)));
    lab.until("first picture", |_| true);
    // Scans that find nothing new say nothing.
    assert!(lab.pictures.recv_timeout(Duration::from_millis(200)).is_err());
    ip("link set lo up");
    lab.until("lo up", |now| addresses(now, "lo").len() == 2);
    lab.holder.send(Class::Control, HolderMessage::Drop).unwrap();
    while lab.runtime.stats().loops.iter().any(|l| &*l.name == "interfaces") {
        std::thread::park_timeout(Duration::from_millis(1));
    }
    ip("link set lo down");
    assert!(lab.pictures.recv_timeout(Duration::from_millis(100)).is_err());
    lab.runtime.shutdown();
}
