//! What protocols use of the runtime's kit is shown: credit, windows, backlogs, queues, clients, jobs.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use dunlin_runtime::kit::client::{Client, ClientOptions, Target};
use dunlin_runtime::kit::credit::{Credit, Held, Stage};
use dunlin_runtime::kit::flow::{Flow, FlowStats};
use dunlin_runtime::kit::jobs::JobPriority;
use dunlin_runtime::kit::queue::{QueueOptions, WorkQueue};
use dunlin_runtime::{Class, Context, JobId, Loop, Progress, TimerId};

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

/// Has a job of seven steps, one that goes on until the first message, and one that never begins.
struct Idler {
    endless: JobId,
    left: u32,
    is_enough: bool,
}

impl Loop for Idler {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        let tidy = cx.job("tidy", JobPriority::REFRESH);
        self.endless = cx.job("count", JobPriority::LAST);
        let _never_started = cx.job("never", JobPriority::FIRST);
        let _ = (cx.start_job(tidy), cx.start_job(self.endless));
    }

    fn message(&mut self, _: &mut Context<'_>, (): ()) {
        self.is_enough = true;
    }

    fn job(&mut self, _: &mut Context<'_>, job: JobId) -> Progress {
        if job == self.endless {
            return if self.is_enough { Progress::Done } else { Progress::More };
        }
        self.left -= 1;
        if self.left == 3 {
            let begin = dunlin_os::clock::monotonic();
            while dunlin_os::clock::monotonic() - begin < LONGEST {}
        }
        if self.left == 0 { Progress::Done } else { Progress::More }
    }
}

/// What one step takes at least, in nanoseconds.
const LONGEST: u64 = 2_000_000;

/// The words of the line about a job, the loop's number left out.
fn job_row(answer: &str, job: &str) -> Vec<String> {
    let rows = answer.lines().map(|line| Vec::from_iter(line.split_whitespace()));
    let row = rows.map(|mut words| words.split_off(words.len().min(1)));
    let row = row.into_iter().find(|words| words.get(1) == Some(&job)).unwrap_or_default();
    row.into_iter().map(str::to_owned).collect()
}

/// The number behind a key of the object about a job.
fn job_figure(json: &str, job: &str, key: &str) -> u64 {
    let (_, object) = json.split_once(&format!("\"job\":\"{job}\"")).unwrap();
    let (_, value) = object.split_once(&format!("\"{key}\":")).unwrap();
    value.split([',', '}']).next().unwrap().parse().unwrap()
}

/// As in a listing for people: a millisecond at least.
fn for_people(nanos: u64) -> [String; 2] {
    let (tenths, unit) =
        if nanos < 1_000_000_000 { (nanos / 100_000, "ms") } else { (nanos / 100_000_000, "s") };
    [format!("{}.{}", tenths / 10, tenths % 10), unit.to_owned()]
}

#[test]
fn jobs_are_shown_with_all_their_figures() {
    let lab = Lab::start("protocol toy { ipv4; }");
    let idler = lab.spawn("idler", Idler { endless: JobId::NONE, left: 7, is_enough: false });
    let is_done = |job: &'static str| {
        move |answer: &str| job_row(answer, job).get(6).is_some_and(|done| done == "1")
    };
    let text = lab.until("show jobs idler", is_done("tidy"));
    let head = ["Name", "Job", "Class", "Prio", "Waits", "Steps", "Done", "Time", "Longest"];
    assert_eq!(job_row(&text, "Job"), head, "{text}");
    // Waiting for its next step, whenever one looks.
    assert_eq!(job_row(&text, "count")[..5], ["idler", "count", "idle", "7", "yes"], "{text}");
    assert_eq!(job_row(&text, "count")[6], "0", "{text}");
    let never = ["idler", "never", "idle", "0", "no", "0", "0", "0", "ns", "0", "ns"];
    assert_eq!(job_row(&text, "never"), never, "{text}");
    let json = lab.ask("show jobs idler json").replace("\n ", "");
    let begin = "\"name\":\"idler\",\"job\":\"tidy\",\"class\":\"idle\",\"priority\":5,\"waiting\":false,\
                 \"steps\":7,\"completions\":1,\"time_ns\":";
    assert!(json.contains(begin), "{json}");
    let [time, longest] = ["time_ns", "longest_ns"].map(|key| job_figure(&json, "tidy", key));
    assert!(time >= longest && longest >= LONGEST, "{json}");
    // It has ended, so the same stands in both.
    let mut tidy: Vec<String> =
        ["idler", "tidy", "idle", "5", "no", "7", "1"].map(str::to_owned).into();
    tidy.extend([time, longest].map(for_people).into_iter().flatten());
    assert_eq!(job_row(&text, "tidy"), tidy, "{text}{json}");

    idler.send(Class::Control, ()).unwrap();
    let text = lab.until("show jobs idler", is_done("count"));
    assert_eq!(job_row(&text, "count")[4], "no", "{text}");
    let json = lab.ask("show jobs idler json").replace("\n ", "");
    let steps = job_figure(&json, "count", "steps");
    assert!(steps > 0 && job_row(&text, "count")[5] == steps.to_string(), "{text}{json}");
    idler.stop();
    lab.until("show jobs", |answer| !answer.contains("idler"));
}
