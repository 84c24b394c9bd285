//! What protocols use of the runtime's kit is shown: credit, windows, backlogs, queues, clients.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use dunlin_runtime::kit::client::{Client, ClientOptions, Target};
use dunlin_runtime::kit::credit::{Credit, Held, Stage};
use dunlin_runtime::kit::flow::{Flow, FlowStats};
use dunlin_runtime::kit::queue::{QueueOptions, WorkQueue};
use dunlin_runtime::{Class, Context, Loop, TimerId};

use super::support::Lab;

/// A member that a group has left behind.
struct Behind;

impl Flow for Behind {
    fn stats(&self) -> FlowStats {
        let behind = Some(7);
        FlowStats { behind, ..FlowStats::bytes("ipv4 to the neighbour".into(), 4, 90, Some(100)) }
    }
}

/// A backlog that nobody is stopped by.
struct Backlog;

impl Flow for Backlog {
    fn stats(&self) -> FlowStats {
        let name = "networks to encode".into();
        FlowStats { unit: "networks", ..FlowStats::bytes(name, 3, 12, None) }
    }
}

/// Has one of everything.
struct User {
    directory: std::path::PathBuf,
    held: Option<Held<2>>,
    credit: Option<Arc<Credit<2>>>,
    shown: (Arc<Behind>, Arc<Backlog>),
    queue: Option<WorkQueue<()>>,
    client: Option<Client>,
}

impl Loop for User {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        let event = cx.event(Class::Routing);
        let credit = cx.credit("routes to the tables", 100, event);
        self.held = Some(credit.take(150));
        assert!(credit.wait_if_full(Stage::<1>, cx.now()));
        self.credit = Some(credit);
        cx.show_flow(&self.shown.0);
        cx.show_flow(&self.shown.1);
        let mut queue = WorkQueue::new(cx, "changes", Class::Bulk, QueueOptions::default());
        queue.plug(cx);
        queue.push(cx, ());
        self.queue = Some(queue);
        let (target, hour) =
            (Target::Unix(self.directory.join("no-one")), Duration::from_secs(3600));
        let options = ClientOptions { first: hour, most: hour, ..ClientOptions::default() };
        let mut client = Client::new(cx, "cache", target, options);
        let _ = client.start(cx);
        self.client = Some(client);
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {}

    fn timer(&mut self, cx: &mut Context<'_>, timer: TimerId) {
        let _ = self.client.as_mut().unwrap().timer(cx, timer);
    }
}

#[test]
fn what_loops_use_of_the_kit_is_shown() {
    let lab = Lab::start("protocol toy { ipv4; }");
    let user = User {
        directory: std::env::temp_dir().join("dunlin-nobody-is-here"),
        held: None,
        credit: None,
        shown: (Arc::new(Behind), Arc::new(Backlog)),
        queue: None,
        client: None,
    };
    let user = lab.spawn("user", user);
    let words = |answer: &str, row: usize| -> Vec<String> {
        let line = answer.lines().nth(row).unwrap_or_default();
        line.split_whitespace().skip(1).map(str::to_owned).collect()
    };
    let answer = lab.until("show clients user", |answer| answer.contains("waiting"));
    let row = words(&answer, 1);
    assert_eq!(row[..3], ["user", "cache", "waiting"], "{answer}");
    assert_eq!(row[row.len() - 4..], ["1", "0", "1", "1"], "{answer}");
    let json = lab.ask("show clients user json").replace("\n ", "");
    for part in ["\"state\":\"waiting\"", "\"attempts\":1", "\"connections\":0", "\"failures\":1"] {
        assert!(json.contains(part), "{json}");
    }
    let flow = lab.ask("show flow user");
    let (credit, window, backlog) = (words(&flow, 1), words(&flow, 2), words(&flow, 3));
    let start = ["user", "routes", "to", "the", "tables", "2", "150", "100", "bytes"];
    assert_eq!(credit[..9], start, "{flow}");
    assert_eq!(credit[credit.len() - 2..], ["1", "-"], "{flow}");
    assert_eq!(window[5..], ["4", "90", "100", "bytes", "-", "0", "7"], "{flow}");
    assert_eq!(backlog[4..], ["3", "12", "-", "networks", "-", "0", "-"], "{flow}");
    // Lines end between any two tokens.
    let json = lab.ask("show flow user json").replace("\n ", "");
    assert!(json.contains("\"limit\":null,\"unit\":\"networks\",\"stopped_ns\":null"), "{json}");
    assert!(json.contains("\"behind\":7"), "{json}");
    let queues = lab.ask("show queues user");
    let line = queues.lines().find(|line| line.contains("changes")).unwrap();
    assert!(line.contains("plugged"), "{queues}");
    user.stop();
    lab.until("show clients", |answer| !answer.contains("cache"));
}
