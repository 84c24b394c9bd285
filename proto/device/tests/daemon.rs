//! The device protocol in a daemon, with interfaces out of a script.
#![allow(clippy::unwrap_used, reason = "a test stops where something fails")]

#[path = "../../../nest/core/tests/lab/mod.rs"]
mod lab;

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use dunlin_core::interfaces::{InterfaceSource, InterfaceWatch, Interfaces};
use dunlin_core::protocol::Reply;
use dunlin_runtime::Context;
use lab::{Lab, interface};

/// What the protocol asked of its source.
#[derive(Debug, PartialEq)]
enum Asked {
    Scan(Option<Duration>),
    End,
}

type Changed = Box<dyn Fn(Arc<Interfaces>) + Send>;

/// Hands what it is given to the test.
struct Script {
    asked: Sender<Asked>,
    watches: Sender<(Changed, Reply<String>)>,
}

impl InterfaceSource for Script {
    fn watch(
        &self,
        _cx: &mut Context<'_>,
        scan: Option<Duration>,
        changed: Changed,
        failed: Reply<String>,
    ) -> Box<dyn InterfaceWatch> {
        self.asked.send(Asked::Scan(scan)).unwrap();
        self.watches.send((changed, failed)).unwrap();
        Box::new(Watch(self.asked.clone()))
    }
}

struct Watch(Sender<Asked>);

impl InterfaceWatch for Watch {
    fn scan(&mut self, interval: Option<Duration>) {
        self.0.send(Asked::Scan(interval)).unwrap();
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.0.send(Asked::End);
    }
}

struct Test {
    lab: Lab,
    asked: Receiver<Asked>,
    /// Keeps the reply for failures open.
    _failed: Option<Reply<String>>,
    changed: Changed,
}

fn start(section: &str, first: Result<Vec<&str>, &str>) -> Test {
    let (asked, asks) = mpsc::channel();
    let (watches, watched) = mpsc::channel::<(Changed, Reply<String>)>();
    // The daemon is not up before the first picture, so that has to come from elsewhere.
    let first = first.map(|addresses| Interfaces::new(vec![interface(1, "eth0", &addresses)]));
    let first = first.map_err(str::to_owned);
    let answering = std::thread::spawn(move || {
        let (changed, failed) = watched.recv().unwrap();
        let failed = match first {
            Ok(interfaces) => {
                changed(Arc::new(interfaces));
                Some(failed)
            }
            Err(why) => {
                failed.send(why);
                None
            }
        };
        (changed, failed)
    });
    let script = Arc::new(Script { asked, watches });
    let kinds: dunlin_core::config::Kinds = Arc::new([Arc::new(dunlin_device::Device)]);
    let lab = Lab::start_with(kinds, &config(section), script);
    let (changed, failed) = answering.join().unwrap();
    Test { lab, asked: asks, _failed: failed, changed }
}

fn config(section: &str) -> String {
    format!("router id 1; protocol device d {{ {section} }}")
}

const BOTH: [&str; 2] = ["10.0.0.1/24", "10.0.1.1/24"];

#[test]
fn pictures_reach_commands() {
    let test = start("", Ok(vec!["10.0.0.1/24"]));
    let minute = Asked::Scan(Some(Duration::from_secs(60)));
    assert_eq!(test.asked.recv(), Ok(minute));
    let seen = test.lab.ask("show interfaces summary");
    assert!(seen.contains("eth0       up     10.0.0.1/24"), "{seen}");
    assert!(test.lab.ask("show protocols").contains("d          Device     ---        up "));
    (test.changed)(Arc::new(Interfaces::new(vec![interface(7, "eth7", &["10.7.0.1/24"])])));
    let seen = test.lab.until("show interfaces summary", |text| text.contains("eth7"));
    assert!(!seen.contains("eth0"), "{seen}");
}

#[test]
fn configuration_changes_live() {
    let test = start("scan time 5;", Ok(BOTH.to_vec()));
    assert_eq!(test.asked.recv(), Ok(Asked::Scan(Some(Duration::from_secs(5)))));
    assert!(test.lab.ask("show interfaces summary").contains("10.0.0.1/24"));
    let preferring = "scan time 0; interface \"eth*\" { preferred 10.0.1.1; };";
    test.lab.configure(&config(preferring));
    assert_eq!(test.asked.recv(), Ok(Asked::Scan(None)));
    let seen = test.lab.until("show interfaces summary", |text| text.contains("10.0.1.1/24"));
    assert!(seen.contains("10.0.1.1/24"), "{seen}");
    test.lab.configure(&config(""));
    test.lab.until("show interfaces summary", |text| text.contains("10.0.0.1/24"));
}

#[test]
fn a_failure_is_shown_and_stops_nobody() {
    let test = start("", Err("Out of luck"));
    let seen = test.lab.until("show protocols", |text| text.contains("Out of luck"));
    assert!(seen.contains(" up ") && seen.contains("Error: Out of luck"), "{seen}");
    assert!(test.lab.log.try_iter().any(|line| line == "d: Out of luck"));
}

#[test]
fn a_stopped_instance_ends_its_watch() {
    let test = start("", Ok(BOTH.to_vec()));
    test.lab.ask("disable d");
    test.lab.until("show protocols", |text| text.contains(" down "));
    let asked: Vec<_> = test.asked.try_iter().collect();
    assert_eq!(asked.last(), Some(&Asked::End));
    test.lab.ask("enable d");
    let again = Asked::Scan(Some(Duration::from_secs(60)));
    assert_eq!(test.asked.recv_timeout(Duration::from_secs(5)), Ok(again));
}
