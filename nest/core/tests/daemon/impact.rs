//! What a configuration would do, asked of a daemon that goes on as it is.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use dunlin_core::command::{Answer, Session};
use dunlin_rib::barrier::Barrier;
use dunlin_rib::slice::SliceMessage;
use dunlin_runtime::{Class, Context, Loop};

use super::support::Lab;

const OLD: &str = "
    ipv4 table t; filter f { accept; } filter g { accept; }
    protocol device { }
    protocol toy hears { route 10.0.0.0/8; route 10.16.0.0/12; route 10.2.3.0/24; ipv4; }
    protocol toy sends { route 10.34.0.0/24; ipv4 { export all; }; }
    protocol toy called { ipv4 { import filter f; }; }
    protocol toy hard { rigid 1; lax 1; route 10.32.0.0/16; ipv4; }
    protocol toy calm { lax 1; ipv4; description \"a\"; }
    protocol toy same { ipv4; }
    protocol toy asleep { disabled; ipv4; }
    protocol toy tired { ipv4; }
    protocol toy gone { route 10.33.0.0/16; ipv4; }
    protocol toy brood { children 1; ipv4; }
";

const NEW: &str = "
    ipv4 table u; filter f { accept; } filter g { accept; }
    protocol device { }
    protocol toy hears { route 10.0.0.0/8; route 10.16.0.0/12; route 10.2.3.0/24;
        ipv4 { import where net.len > 20; }; }
    protocol toy sends { route 10.34.0.0/24; ipv4 { export where net.len > 1; }; }
    protocol toy called { ipv4 { import filter g; }; }
    protocol toy hard { rigid 2; lax 2; route 10.32.0.0/16; ipv4; }
    protocol toy calm { lax 2; ipv4; description \"b\"; }
    protocol toy same { ipv4; }
    protocol toy asleep { ipv4; }
    protocol toy tired { disabled; ipv4; }
    protocol toy brood { children 1; rigid 1; ipv4; }
    protocol toy fresh { ipv4; }
";

const IMPACT: &str = "0002-Reading configuration from t
1098-Protocol             Effect   Because of
 hears                reload   ipv4 import
   ipv4 import: 2 of 3 routes change: 0 more accepted, 2 fewer, 0 with other attributes
 sends                reload   ipv4 export
   ipv4 export: 4 of 5 routes change: 4 more accepted, 0 fewer, 0 with other attributes
 called               live     ipv4 import
 hard                 restart  rigid, lax
   ipv4: loses 3 imported and 6 exported routes
 calm                 live     description, lax
 asleep               enable   disabled
 tired                disable  disabled
   ipv4: loses 3 imported and 6 exported routes
 brood                restart  rigid
   ipv4: loses 3 imported and 6 exported routes
 kid01                removed  rigid
   ipv4: loses 3 imported and 6 exported routes
 fresh                new
 gone                 removed
   ipv4: loses 3 imported and 6 exported routes
 Tables new: u
 Tables removed: t
 2 protocols stay as they are
0020 Configuration OK
";

fn lab() -> Lab {
    let lab = Lab::start(OLD);
    lab.until("show route count", |answer| answer.starts_with("1007-6 of 6 routes for 6"));
    lab.until("show protocols", |answer| answer.contains("kid01"));
    lab.until("show protocols", |answer| !answer.contains(" start "));
    lab.events_now();
    lab
}

#[test]
fn what_would_happen_is_told_and_nothing_happens() {
    let lab = lab();
    let rows = lab.ask("show protocols");
    for _ in 0..2 {
        lab.write(NEW);
        assert_eq!(lab.ask("configure check impact"), IMPACT);
    }
    assert_eq!(lab.ask("show protocols"), rows);
    assert!(lab.events_now().is_empty());
    assert!(lab.ask("show route count").starts_with("1007-6 of 6 routes for 6"));
    assert_eq!(lab.ask("configure undo"), "0021-Undo requested\n0019 Nothing to do\n");
    // And then it does happen.
    lab.write(NEW);
    assert!(lab.ask("configure").contains("Reconfig"));
    lab.until("configure status", |answer| answer.starts_with("0003"));
    let mut events = lab.events_now();
    events.retain(|event| !event.starts_with("child"));
    events.sort();
    let expected = [
        "change called Hard",
        "change calm Hard",
        "change hears Hard",
        "change sends Hard",
        "start asleep",
        "start brood",
        "start fresh",
        "start hard",
        "stop brood Reconfigured",
        "stop gone Removed",
        "stop hard Reconfigured",
        "stop kid01 Reconfigured",
        "stop tired Disabled",
    ];
    assert_eq!(events, expected);
}

#[test]
fn the_same_for_programs() {
    let lab = lab();
    lab.write(NEW);
    let answer = lab.ask("configure check impact json");
    let text = answer.strip_suffix("0000 \n").unwrap();
    let rows = text.lines().map(|row| row.strip_prefix("1027-").unwrap_or_else(|| &row[1..]));
    let json: String = rows.collect();
    for part in [
        r#"{"protocols":[{"name":"hears","effect":"reload","options":[{"channel":"ipv4","option":"import","effect":"import","detail":null}],"loses":[],"routes":[{"channel":"ipv4","direction":"import","routes":3,"gained":0,"lost":2,"altered":0}]}"#,
        r#"{"name":"hard","effect":"restart","options":[{"channel":null,"option":"rigid","effect":"restart","detail":null},{"channel":null,"option":"lax","effect":"live","detail":null}],"loses":[{"channel":"ipv4","imported":3,"exported":6}],"routes":[]}"#,
        r#"],"untouched":2,"tables":{"new":["u"],"removed":["t"]}}"#,
    ] {
        assert!(json.contains(part), "{json}");
    }
}

#[test]
fn a_wrong_file_is_refused_and_a_refusal_of_the_running_is_a_restart() {
    let lab = lab();
    for command in ["configure check impact", "configure check impact json"] {
        lab.write("protocol device { } nonsense;");
        let answer = lab.ask(command);
        assert!(
            answer.ends_with("8002 t:1:21 syntax error, unexpected CF_SYM_UNDEFINED\n"),
            "{answer}"
        );
    }
    lab.write(&OLD.replace("lax 1; ipv4; description", "lax 13; ipv4; description"));
    let answer = lab.ask("configure check impact \"elsewhere\"");
    assert!(answer.starts_with("0002-Reading configuration from elsewhere\n"), "{answer}");
    assert!(answer.contains("\n calm                 restart  lax\n"), "{answer}");
    assert!(answer.contains("\n 11 protocols stay as they are\n"), "{answer}");
}

/// A client that goes away with the first figures.
struct Leaver {
    session: Option<Session>,
    gone: mpsc::Sender<()>,
}

enum Said {
    Line(&'static str),
    Answer(Answer),
}

impl Loop for Leaver {
    type Message = Said;

    fn message(&mut self, cx: &mut Context<'_>, said: Said) {
        let Some(session) = &mut self.session else { return };
        match said {
            Said::Line(line) => session.line(cx, line),
            Said::Answer(answer) if format!("{answer:?}").contains("Assessed") => {
                self.session = None;
                self.gone.send(()).unwrap();
            }
            Said::Answer(answer) => session.answer(cx, answer),
        }
    }
}

#[test]
fn nothing_goes_on_for_a_client_that_has_gone() {
    let lab = lab();
    lab.write(NEW);
    let seen: Arc<AtomicUsize> = Arc::default();
    let (gone, left) = mpsc::channel();
    let count = Arc::clone(&seen);
    let client = lab.spawn_with("client", |own| {
        let session = lab.session(Arc::new(move |answer| {
            let is_figures = format!("{answer:?}").contains("Assessed");
            count.fetch_add(usize::from(is_figures), Ordering::Relaxed);
            let _ = own.send(Class::Bulk, Said::Answer(answer));
        }));
        Leaver { session: Some(session), gone }
    });
    client.send(Class::Bulk, Said::Line("configure check impact")).unwrap();
    left.recv_timeout(Duration::from_secs(10)).unwrap();
    // Whatever slices had been asked for by then they have answered behind this.
    let (done, all) = mpsc::channel();
    let slices = &lab.rib.slices;
    let barrier = Arc::new(Barrier::new(slices.count(), move || done.send(()).unwrap()));
    slices.send_all(Class::Bulk, || SliceMessage::Barrier(Arc::clone(&barrier)));
    all.recv_timeout(Duration::from_secs(10)).unwrap();
    assert_eq!(seen.load(Ordering::Relaxed), 1);
    // The daemon is as it was.
    lab.write(NEW);
    assert_eq!(lab.ask("configure check impact"), IMPACT);
}
