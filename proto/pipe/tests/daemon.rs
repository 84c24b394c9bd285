//! Pipes in a daemon, with routes put straight into the tables.
#![allow(clippy::unwrap_used, reason = "a test stops where something fails")]

#[path = "../../../nest/core/tests/lab/mod.rs"]
mod lab;

use std::sync::Arc;

use dunlin_attr::{Attrs, AttrsBuilder, Dest, Rts};
use dunlin_net::{Prefix4, Roa4};
use dunlin_rib::import::ImportBuilder;
use dunlin_rib::limits::LimitKind;
use dunlin_rib::source::{ChannelEvents, SourceSpec};
use dunlin_rib::{Source, SourceId, TableId};
use lab::Lab;

fn start(pipes: &str) -> Lab {
    Lab::start(Arc::new([Arc::new(dunlin_pipe::PipeProtocol)]), &config(pipes))
}

fn config(pipes: &str) -> String {
    format!("router id 1; ipv4 table a; ipv4 table b; ipv4 table c; {pipes}")
}

/// Ids of tables: `master4` and `master6` come first.
const A: u16 = 2;
const B: u16 = 3;

struct Deaf;

impl ChannelEvents for Deaf {
    fn limit_hit(&self, _: SourceId, _: LimitKind) {}
    fn filter_error(&self, _: SourceId, _: &str) {}
    fn filter_print(&self, _: SourceId, _: &str) {}
}

fn source(lab: &Lab, name: &str, table: u16) -> Arc<Source> {
    let mut source = Source::new(SourceSpec {
        id: lab.rib.source_id(),
        table: TableId(table),
        protocol: name.into(),
        kind: Rts::Static,
        events: Arc::new(Deaf),
    });
    source.preference = 200;
    Arc::new(source)
}

/// Somebody who announces routes in a table.
struct Feeder {
    builder: ImportBuilder<Prefix4>,
    attrs: Arc<Attrs>,
}

impl Feeder {
    fn new(lab: &Lab, name: &str, table: u16) -> Self {
        let builder = ImportBuilder::new(lab.rib.slices.clone(), source(lab, name, table), None);
        let mut attrs = AttrsBuilder::new(Rts::Static);
        attrs.set_dest(Dest::Blackhole);
        attrs.set_preference(200);
        Self { builder, attrs: attrs.finish() }
    }

    fn announce(&mut self, nets: &[&str]) {
        for net in nets {
            self.builder.announce(net.parse().unwrap(), 0, &self.attrs);
        }
        self.builder.flush();
    }

    fn withdraw(&mut self, nets: &[&str]) {
        for net in nets {
            self.builder.withdraw(net.parse().unwrap(), 0);
        }
        self.builder.flush();
    }
}

/// The networks of a table and who brought each route, sorted.
fn routes(answer: &str) -> Vec<String> {
    let mut net = String::new();
    let mut list = Vec::new();
    for line in answer.lines() {
        let Some((before, after)) = line.split_once(" [") else { continue };
        let text = before.trim_start_matches("1007-").trim_start();
        if text.contains('/') {
            net = text.split(' ').next().unwrap().to_owned();
        }
        list.push(format!("{net} {}", after.split(' ').next().unwrap()));
    }
    list.sort();
    list
}

#[track_caller]
fn expect(lab: &Lab, table: &str, expected: &[&str]) {
    lab.expect_read(&format!("show route table {table}"), routes, expected);
}

#[test]
fn both_ways_through_filters() {
    let lab = start(
        "protocol pipe p { table a; peer table b; import where net.len > 16; \
         export where net.len < 24; }",
    );
    let mut one = Feeder::new(&lab, "one", A);
    let mut two = Feeder::new(&lab, "two", B);
    one.announce(&["10.1.0.0/16", "10.2.2.0/24"]);
    two.announce(&["10.3.0.0/16", "10.4.4.0/24", "10.1.0.0/16"]);
    expect(&lab, "a", &["10.1.0.0/16 one", "10.2.2.0/24 one", "10.4.4.0/24 two"]);
    let in_b = ["10.1.0.0/16 one", "10.1.0.0/16 two", "10.3.0.0/16 two", "10.4.4.0/24 two"];
    expect(&lab, "b", &in_b);
    one.withdraw(&["10.1.0.0/16"]);
    expect(&lab, "b", &in_b[1..]);
}

#[test]
fn all_routes_of_a_network_are_shown_as_exported() {
    let lab = start("protocol pipe p { table a; peer table b; }");
    let mut one = Feeder::new(&lab, "one", A);
    let mut two = Feeder::new(&lab, "two", A);
    one.announce(&["10.1.0.0/16", "10.2.0.0/16"]);
    two.announce(&["10.1.0.0/16"]);
    let both = ["10.1.0.0/16 one", "10.1.0.0/16 two", "10.2.0.0/16 one"];
    expect(&lab, "b", &both);
    lab.expect_read("show route export p", routes, &both);
    let best = lab.ask("show route export p primary");
    assert_eq!(routes(&best).len(), 2, "{best}");
}

#[test]
fn what_passes_is_said_if_it_is_traced() {
    let lab = start(
        "protocol pipe p { table a; peer table b; debug { routes, filters }; import none; \
         export where net.len < 24; }",
    );
    let said = |end: &str| {
        let patience = core::time::Duration::from_secs(10);
        let mut lines = core::iter::from_fn(|| lab.log.recv_timeout(patience).ok());
        assert!(lines.any(|line| line == end), "{end} was never logged");
    };
    let mut one = Feeder::new(&lab, "one", A);
    one.announce(&["10.1.0.0/16"]);
    said("p.ipv4 < added [best] 10.1.0.0/16 blackhole");
    one.announce(&["10.2.2.0/24"]);
    said("p.ipv4 < filtered out 10.2.2.0/24 blackhole");
    one.withdraw(&["10.1.0.0/16"]);
    said("p.ipv4 < removed [best] 10.1.0.0/16 blackhole");
}

#[test]
fn origins_pass_and_what_asks_them_passes_anew() {
    let text = "roa4 table ra { digest settle time 1 ms 5 ms; }; roa4 table rb; \
                protocol pipe roas { table ra; peer table rb; import none; \
                export where net.asn = 65001; } \
                protocol pipe p { table a; peer table b; import none; \
                export where roa_check(ra, net, 65001) != ROA_INVALID; } \
                protocol pipe q { table a; peer table c; import none; rpki reload off; \
                export where roa_check(ra, net, 65001) != ROA_INVALID; }";
    let lab = start(text);
    let mut one = Feeder::new(&lab, "one", A);
    one.announce(&["10.1.0.0/16", "10.2.0.0/16"]);
    let both = ["10.1.0.0/16 one", "10.2.0.0/16 one"];
    expect(&lab, "b", &both);
    // `ra` comes behind the three tables that each configuration here has.
    let origins = source(&lab, "origins", B + 2);
    let mut builder = ImportBuilder::<Roa4>::new(lab.rib.slices.clone(), origins, None);
    let roa = |prefix: &str, asn: u32| Roa4::new(prefix.parse().unwrap(), 16, asn).unwrap();
    builder.announce(roa("10.1.0.0/16", 65002), 0, &one.attrs);
    builder.announce(roa("10.2.0.0/16", 65001), 0, &one.attrs);
    builder.flush();
    expect(&lab, "rb", &["10.2.0.0/16-16 origins"]);
    expect(&lab, "b", &both[1..]);
    expect(&lab, "c", &both);
    builder.withdraw(roa("10.1.0.0/16", 65002), 0);
    builder.flush();
    expect(&lab, "b", &both);
    lab.down();
}

#[test]
fn a_new_filter_changes_what_is_there() {
    let pipe = |filter: &str| {
        format!("protocol pipe p {{ table a; peer table b; import none; export {filter}; }}")
    };
    let lab = start(&pipe("all"));
    let mut one = Feeder::new(&lab, "one", A);
    one.announce(&["10.1.0.0/16", "10.2.2.0/24"]);
    expect(&lab, "b", &["10.1.0.0/16 one", "10.2.2.0/24 one"]);
    lab.configure(&config(&pipe("where net.len = 24")));
    expect(&lab, "b", &["10.2.2.0/24 one"]);
    lab.configure(&config(&pipe("filter { bgp_med = 5; accept; }")));
    expect(&lab, "b", &["10.1.0.0/16 one", "10.2.2.0/24 one"]);
    let all = lab.until("show route table b all", |text| text.matches("bgp_med: 5").count() == 2);
    assert_eq!(all.matches("bgp_med: 5").count(), 2, "{all}");
    assert!(lab.ask("show protocols p").contains("a <=> b"));
}

#[test]
fn other_tables_are_another_pipe() {
    let lab = start("protocol pipe p { table a; peer table b; }");
    let mut one = Feeder::new(&lab, "one", A);
    one.announce(&["10.1.0.0/16"]);
    expect(&lab, "b", &["10.1.0.0/16 one"]);
    lab.configure(&config("protocol pipe p { table a; peer table c; }"));
    expect(&lab, "b", &[]);
    expect(&lab, "c", &["10.1.0.0/16 one"]);
    assert!(lab.until("show protocols p", |text| text.contains(" up ")).contains("a <=> c"));
}

#[test]
fn disabled_and_enabled() {
    let lab = start("protocol pipe p { table a; peer table b; }");
    let mut one = Feeder::new(&lab, "one", A);
    one.announce(&["10.1.0.0/16"]);
    expect(&lab, "b", &["10.1.0.0/16 one"]);
    lab.ask("disable p");
    expect(&lab, "b", &[]);
    let down = lab.until("show protocols all p", |text| text.contains("state:   DOWN"));
    assert!(down.contains("Peer table:     b"), "{down}");
    lab.ask("enable p");
    expect(&lab, "b", &["10.1.0.0/16 one"]);
    lab.down();
}

#[test]
fn generations_end_chains() {
    let lab = start(
        "protocol pipe p { table a; peer table b; max generation 1; } \
         protocol pipe q { table b; peer table c; max generation 1; } \
         protocol pipe r { table a; peer table c; max generation 2; }",
    );
    let mut one = Feeder::new(&lab, "one", A);
    one.announce(&["10.1.0.0/16"]);
    // Through p alone; through r alone; q refuses what came through a pipe already.
    expect(&lab, "b", &["10.1.0.0/16 one"]);
    expect(&lab, "c", &["10.1.0.0/16 one"]);
    let q = lab.ask("show protocols all q");
    assert!(q.contains("Routes:         0 imported, 0 exported"), "{q}");
}

const NETS: [&str; 4] = ["10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16", "10.4.0.0/16"];

#[test]
fn limits_hold_each_way_and_change_in_place() {
    let pipe = |limits: &str| format!("protocol pipe p {{ table a; peer table b; {limits} }}");
    let lab = start(&pipe("export limit 2 action block; import limit 1 action block;"));
    let shows = |text: &str| {
        let answer = lab.until("show protocols all p", |answer| answer.contains(text));
        assert!(answer.contains(text), "no {text:?} in {answer}");
    };
    let mut one = Feeder::new(&lab, "one", A);
    let mut two = Feeder::new(&lab, "two", B);
    one.announce(&NETS);
    two.announce(&["10.5.0.0/16", "10.6.0.0/16"]);
    shows("Routes:         1 imported, 2 exported");
    shows("Import limit:   1 [HIT]\n       Action:       block");
    shows("Export limit:   2 [HIT]\n       Action:       block");
    // A wider one lets in what the narrow one kept out; the other way stays as it is.
    lab.configure(&config(&pipe("export limit 3 action block; import limit 1 action block;")));
    shows("Routes:         1 imported, 3 exported");
    lab.configure(&config(&pipe("import limit 2 action warn;")));
    shows("Routes:         2 imported, 4 exported");
    // One that is exceeded already is hit at once.
    lab.configure(&config(&pipe("export limit 3 action disable;")));
    shows("Route limit exceeded");
    expect(&lab, "b", &["10.5.0.0/16 two", "10.6.0.0/16 two"]);
    let log: Vec<String> = lab.log.try_iter().collect();
    for text in ["import limit (1), action: block", "export limit (3), action: disable"] {
        let line = format!("p: Channel main hits route {text}");
        assert_eq!(log.iter().filter(|other| **other == line).count(), 1, "{line}: {log:?}");
    }
    assert!(!log.iter().any(|line| line.starts_with("Restarting")), "{log:?}");
    lab.down();
}

#[test]
fn a_limit_restarts_a_pipe_and_then_disables_it() {
    let lab = start("protocol pipe p { table a; peer table b; export limit 3 action restart; }");
    let mut one = Feeder::new(&lab, "one", A);
    one.announce(&NETS);
    // The clock of these tests stands still: the second time is too soon.
    let shown = lab.until("show protocols all p", |text| text.contains(" down "));
    assert!(shown.contains("Last autorestart:"), "{shown}");
    expect(&lab, "b", &[]);
}

#[test]
fn figures_and_what_is_not_exported() {
    let lab = start("protocol pipe p { table a; peer table b; export where net.len = 16; }");
    let mut one = Feeder::new(&lab, "one", A);
    one.announce(&["10.1.0.0/16", "10.2.2.0/24"]);
    expect(&lab, "b", &["10.1.0.0/16 one"]);
    // What comes while the new pipe is still being fed counts twice, so the sums are what is sure.
    let figures = |all: &str, row: &str| -> Vec<u32> {
        let line = all.lines().find(|line| line.trim_start().starts_with(row)).unwrap_or_default();
        line.split_whitespace().filter_map(|field| field.parse().ok()).collect()
    };
    let right = |all: &str| {
        let (import, export) = (figures(all, "Import updates:"), figures(all, "Export updates:"));
        let adds_up = |row: &[u32]| row.len() == 5 && row[0] == row[1..].iter().sum::<u32>();
        all.contains("Routes:         0 imported, 1 exported")
            && adds_up(&import)
            && adds_up(&export)
            && import[1] == import[0]
            && export[2] >= 1
            && export[4] == 1
    };
    // The route that is rejected shows in no table that could be waited for.
    let all = lab.until("show protocols all p", right);
    assert!(right(&all), "{all}");
    let kept = lab.ask("show route table a noexport p");
    assert!(kept.contains("10.2.2.0/24") && !kept.contains("10.1.0.0/16"), "{kept}");
    let sent = lab.ask("show route table a export p");
    assert!(!sent.contains("10.2.2.0/24") && sent.contains("10.1.0.0/16"), "{sent}");
}
