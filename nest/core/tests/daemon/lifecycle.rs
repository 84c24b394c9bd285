//! Starting, stopping and reconfiguring instances.

use super::support::Lab;
use dunlin_core::manager::Signal;

/// What there is to undo after a change has been undone.
const NO_UNDO: &str = "0021-Undo requested\n0019 Nothing to do\n";

const BEGIN: &str = "protocol device { }\n";

fn lab(text: &str) -> Lab {
    Lab::start(&format!("{BEGIN}{text}"))
}

fn configure(lab: &Lab, text: &str, command: &str) -> String {
    lab.write(&format!("{BEGIN}{text}"));
    lab.ask(command)
}

#[test]
fn control_of_instances() {
    let lab = lab("protocol toy a { ipv4; } protocol toy b { disabled; ipv4; }");
    assert_eq!(lab.events_to("start a"), ["start device1", "start a"]);
    assert_eq!(lab.ask("disable b"), "0008 b: already disabled\n");
    assert_eq!(lab.ask("enable a"), "0010 a: already enabled\n");
    assert_eq!(lab.ask("enable b"), "0011 b: enabled\n");
    assert_eq!(lab.events_to("start b"), ["start b"]);
    assert_eq!(lab.ask("disable a \" bye\""), "0009 a: disabled\n");
    assert_eq!(lab.events_to("stop a CommandDisable bye"), ["stop a CommandDisable bye"]);
    let down = lab.until("show protocols all a", |answer| answer.contains(" down "));
    assert!(down.contains("\n1006-  Message:             bye\n"), "{down}");
    assert_eq!(lab.ask("restart b"), "0012 b: restarted\n");
    assert_eq!(lab.events_to("start b"), ["stop b CommandRestart", "start b"]);
    assert_eq!(lab.ask("restart a"), "0008 a: already disabled\n");
    let every = lab.ask("disable \"*\"");
    assert!(every.starts_with("0009-device1: disabled\n0008-a: already disabled\n"), "{every}");
    assert!(every.ends_with("\n0000 \n"), "{every}");
    assert_eq!(lab.ask("disable \"x*\""), "8003 No protocols match\n");
}

#[test]
fn reload_of_filters() {
    let lab = lab("protocol toy a { ipv4; } protocol toy b { disabled; ipv4; }");
    lab.until("show protocols a", |answer| answer.contains(" up "));
    lab.events_now();
    assert_eq!(lab.ask("reload filters in a"), "0015 a: reloading\n");
    assert_eq!(lab.ask("reload a"), "0015 a: reloading\n");
    assert_eq!(lab.events_now(), ["reload a In", "reload a In", "reload a Out"]);
    assert_eq!(lab.ask("reload filters b"), "0008 b: is not UP\n");
    assert_eq!(lab.ask("reload bgp in a").get(..7), Some("8006 a:"));
}

#[test]
fn only_what_changed_is_touched() {
    let old = "protocol toy a { ipv4; } protocol toy b { ipv4; lax 1; }
        protocol toy c { ipv4; rigid 1; } protocol toy d { ipv4; }";
    let lab = lab(old);
    lab.events_to("start d");
    let new = "protocol toy a { ipv4; } protocol toy e { ipv4; } protocol toy b { ipv4; lax 2; }
        protocol toy c { ipv4; rigid 2; }";
    let answer = configure(&lab, new, "configure");
    assert!(
        answer == "0002-Reading configuration from t\n0003 Reconfigured\n"
            || answer == "0002-Reading configuration from t\n0004 Reconfiguration in progress\n",
        "{answer}"
    );
    let mut events = lab.events_to("start c");
    events.sort();
    assert_eq!(
        events,
        ["change b Hard", "start c", "start e", "stop c Reconfigured", "stop d Removed"]
    );
    let rows = lab.until("show protocols", |answer| !answer.contains(" d "));
    let names: Vec<_> =
        rows.lines().skip(1).filter_map(|line| line.get(1..)?.split_whitespace().next()).collect();
    assert_eq!(names.join(" "), "002-device1 a e b c 000");
    assert_eq!(configure(&lab, new, "configure").lines().last(), Some("0003 Reconfigured"));
    assert!(lab.events_now().is_empty());
}

#[test]
fn table_filter_and_disabled_changes() {
    let lab = lab("protocol toy a { ipv4; } protocol toy b { ipv4 { import all; }; }
        protocol toy c { ipv4; } protocol toy d { disabled; ipv4; }");
    lab.events_to("start c");
    let new = "ipv4 table t; protocol toy a { ipv4 { table t; }; }
        protocol toy b { ipv4 { import where net.len > 9; }; }
        protocol toy c { disabled; ipv4; } protocol toy d { ipv4; }";
    configure(&lab, new, "configure soft");
    let mut events = lab.events_to("start a");
    events
        .extend(lab.until("show protocols a", |a| a.contains(" up ")).get(..0).map(str::to_owned));
    events.retain(|event| !event.is_empty());
    events.sort();
    assert_eq!(
        events,
        ["change b Soft", "start a", "start d", "stop a Reconfigured", "stop c Disabled"]
    );
    lab.until("show protocols c", |answer| answer.contains(" down "));
    assert!(lab.ask("show route table t").starts_with("1007-Table t:\n"));
    // Named by the file, an instance that a command has disabled comes back.
    lab.ask("disable b");
    lab.until("show protocols b", |answer| answer.contains(" down "));
    configure(&lab, new, "configure");
    lab.until("show protocols b", |answer| answer.contains(" up "));
}

#[test]
fn check_undo_confirm_timeout() {
    let lab = lab("protocol toy a { ipv4; }");
    lab.events_to("start a");
    let check = configure(&lab, "protocol toy b { ipv4; }", "configure check");
    assert_eq!(check, "0002-Reading configuration from t\n0020 Configuration OK\n");
    let wrong = configure(&lab, "protocol toy b { ipv5; }\nlog nowhere all;", "configure");
    assert_eq!(
        wrong,
        "0002-Reading configuration from t\n8002-t:2:18 syntax error, unexpected \
         CF_SYM_UNDEFINED\n8002 t:3:5 syntax error, unexpected CF_SYM_UNDEFINED, \
         expecting STDERR or SYSLOG or TEXT\n"
    );
    assert_eq!(lab.ask("configure undo"), NO_UNDO);
    let zero = configure(&lab, "protocol toy a { ipv4; }", "configure timeout 0");
    assert!(!zero.contains("Undo scheduled"), "{zero}");
    assert_eq!(lab.ask("configure status"), "0003-Daemon is up and running\n0000 \n");
    let timed = configure(&lab, "protocol toy b { ipv4; }", "configure timeout 200");
    assert!(timed.contains("\n0022-Undo scheduled in 200 s\n"), "{timed}");
    lab.until("configure status", |answer| {
        answer.starts_with("0003-Daemon is up and running\n0022-Configuration unconfirmed, undo in")
    });
    assert_eq!(lab.ask("configure confirm"), "0018 Reconfiguration confirmed\n");
    assert_eq!(lab.ask("configure confirm"), "0019 Nothing to do\n");
    assert!(lab.ask("configure undo").starts_with("0021-Undo requested\n"));
    lab.until("show protocols a", |answer| answer.contains(" up "));
    assert_eq!(lab.ask("configure undo"), NO_UNDO);
}

/// A daemon in the middle of a change: `slow` is on its way out and stays there until it is looked at.
fn changing() -> Lab {
    let lab = lab("protocol toy slow { stubborn; ipv4; }");
    lab.events_to("start slow");
    let answer = configure(&lab, "protocol toy b { ipv4; }", "configure");
    assert!(answer.ends_with("\n0004 Reconfiguration in progress\n"), "{answer}");
    assert_eq!(lab.ask("configure status"), "0004-Reconfiguration in progress\n0000 \n");
    lab
}

/// Lets the change go on, and waits until it is done.
fn release(lab: &Lab) {
    lab.ask("show protocols all slow");
    lab.until("configure status", |answer| answer.starts_with("0003"));
}

/// The names of the protocols but the device.
fn names(lab: &Lab) -> Vec<String> {
    let rows = lab.ask("show protocols");
    let words = rows.lines().skip(1).map(|row| row.trim_start_matches("1002-").trim_start());
    let names = words.filter_map(|row| row.split(' ').next());
    names.filter(|name| !["device1", "0000"].contains(name)).map(str::to_owned).collect()
}

#[test]
fn one_change_waits_for_the_one_before() {
    const QUEUED: &str = "\n0005 Reconfiguration already in progress, queueing new config\n";
    let lab = changing();
    let answer = configure(&lab, "protocol toy c { ipv4; }", "configure");
    assert!(answer.ends_with(QUEUED), "{answer}");
    assert!(lab.ask("configure status").starts_with("0005-Reconfiguration in progress, next"));
    // The one that waited is forgotten for a newer one.
    let answer = configure(&lab, "protocol toy d { ipv4; }", "configure timeout 100");
    assert!(answer.contains("\n0022-Undo scheduled in 100 s\n0005 "), "{answer}");
    release(&lab);
    assert_eq!(names(&lab), ["d"]);
    // What was skipped is skipped on the way back, too.
    assert!(lab.ask("configure undo").starts_with("0021-Undo requested\n000"));
    lab.until("configure status", |answer| answer == "0003-Daemon is up and running\n0000 \n");
    assert_eq!(names(&lab), ["b"]);
    assert_eq!(lab.ask("configure undo"), NO_UNDO);
}

#[test]
fn what_waits_is_undone_first_and_then_what_is_under_way() {
    let lab = changing();
    configure(&lab, "protocol toy c { ipv4; }", "configure timeout 100");
    let answer = lab.ask("configure undo");
    let removed = "0017 Reconfiguration already in progress, removing queued config\n";
    assert_eq!(answer, format!("0021-Undo requested\n{removed}"));
    assert_eq!(lab.ask("configure status"), "0004-Reconfiguration in progress\n0000 \n");
    let answer = lab.ask("configure undo");
    assert!(answer.starts_with("0021-Undo requested\n0005 "), "{answer}");
    assert_eq!(lab.ask("configure undo"), NO_UNDO);
    release(&lab);
    lab.until("show protocols slow", |answer| answer.contains(" up "));
    assert_eq!(names(&lab), ["slow"]);
    assert_eq!(lab.ask("configure undo"), NO_UNDO);
}

#[test]
fn a_timeout_that_ends_during_the_change_takes_it_back() {
    let lab = lab("protocol toy slow { stubborn; ipv4; }");
    lab.events_to("start slow");
    configure(&lab, "protocol toy b { ipv4; }", "configure timeout 1");
    lab.until("configure status", |answer| answer.starts_with("0005"));
    release(&lab);
    lab.until("show protocols", |answer| answer.contains(" slow ") && answer.contains(" up "));
    assert_eq!(names(&lab), ["slow"]);
}

#[test]
fn files_are_those_that_the_daemon_was_started_with() {
    let lab = lab("protocol toy a { ipv4; }");
    let answer = configure(&lab, "protocol toy b { ipv4; }", "configure \"other\"");
    assert!(answer.starts_with("0002-Reading configuration from other\n"), "{answer}");
    let answer = configure(&lab, "protocol toy a { ipv4; }", "configure");
    assert!(answer.starts_with("0002-Reading configuration from t\n"), "{answer}");
}

#[test]
fn a_configuration_that_comes_during_the_end_is_ignored() {
    let lab = lab("protocol toy slow { stubborn; ipv4; }");
    lab.events_to("start slow");
    assert_eq!(lab.ask("down"), "0007 Shutdown requested\n");
    lab.until("configure status", |answer| answer.starts_with("0006-Shutdown in progress"));
    let answer = configure(&lab, "protocol toy b { ipv4; }", "configure timeout 5");
    assert!(answer.ends_with("\n0006 Reconfiguration ignored, shutting down\n"), "{answer}");
    assert!(!answer.contains("0022"), "{answer}");
    lab.ask("show protocols all slow");
    assert_eq!(lab.code(), 0);
}

#[test]
fn reloads_are_logged_by_channel_and_names_of_filters_do_not_matter() {
    let lab = lab("filter f { accept; } filter g { if net.len < 9 then reject; accept; }
        function h() -> bool { return net.len > 9; }
        protocol toy a { ipv4 { import filter f; export filter g; }; ipv6 { import where h(); }; }
        protocol toy b { ipv4 { import filter g; }; }");
    lab.until("show protocols", |answer| answer.matches(" up ").count() == 3);
    let log = |lab: &Lab| -> Vec<String> {
        let lines = lab.log.try_iter().filter(|line| line.contains("hannel"));
        lines.collect()
    };
    log(&lab);
    // Other names, another layout, another way to write a constant.
    let renamed = "filter x { accept; } filter y { # comment
            if net.len < 3 * 3 then { reject; }
            accept; }
        function z() -> bool { return net.len > 10 - 1; }
        protocol toy a { ipv4 { import filter x; export filter y; }; ipv6 { import where z(); }; }
        protocol toy b { ipv4 { import filter y; }; }";
    assert!(configure(&lab, renamed, "configure").ends_with("0003 Reconfigured\n"));
    assert!(log(&lab).is_empty());
    let shown = lab.ask("show protocols all b");
    assert!(shown.contains("Input filter:   y\n"), "{shown}");
    // A function reaches the channels whose filters call it, a constant those that use it.
    let called = renamed.replace("10 - 1", "10");
    configure(&lab, &called, "configure");
    assert_eq!(log(&lab), ["Reloading channel a.ipv6 for import"]);
    configure(&lab, &called.replace("3 * 3", "3 * 4"), "configure");
    assert_eq!(
        log(&lab),
        ["Reloading channel a.ipv4 for export", "Reloading channel b.ipv4 for import"]
    );
    configure(&lab, &called, "configure soft");
    assert_eq!(log(&lab), ["Channel a.ipv4 changed export", "Channel b.ipv4 changed import"]);
}

#[test]
fn what_nobody_confirms_is_undone() {
    let lab = lab("protocol toy a { ipv4; }");
    configure(&lab, "protocol toy b { ipv4; }", "configure timeout 1");
    lab.until("show protocols", |answer| answer.contains(" b "));
    let mut all = String::new();
    lab.until("show protocols", |answer| {
        all.push_str(answer);
        answer.contains(" a ")
    });
    assert!(all.contains("\n+Config timeout expired, starting undo\n"), "{all}");
}

#[test]
fn a_change_that_fails_leaves_a_pending_undo_alone() {
    let lab = lab("protocol toy a { ipv4; }");
    configure(&lab, "protocol toy b { ipv4; }", "configure timeout 2");
    lab.until("show protocols", |answer| answer.contains(" b "));
    for (text, command, end) in [
        ("nonsense;", "configure timeout 100", "\n8002 t:"),
        ("nonsense;", "configure", "\n8002 t:"),
        ("protocol toy c { ipv4; }", "configure check", "\n0020 Configuration OK"),
    ] {
        lab.write(&format!("{BEGIN}{text}"));
        let answer = lab.ask_elsewhere(command);
        assert!(answer.contains(end), "{command}: {answer}");
    }
    let status = lab.ask("configure status");
    let left = status.split("undo in ").nth(1).and_then(|rest| rest.split(' ').next());
    assert!(left.is_some_and(|left| left.parse::<f32>().unwrap() < 2.0), "{status}");
    let mut all = String::new();
    lab.until("show protocols", |answer| {
        all.push_str(answer);
        answer.contains(" a ")
    });
    assert!(all.contains("\n+Config timeout expired, starting undo\n"), "{all}");
}

#[test]
fn an_instance_that_panics_is_down_and_can_be_started_again() {
    let text = "protocol toy a { fragile; ipv4; route 10.0.0.0/8; } protocol toy b { ipv4; }";
    let lab = lab(text);
    lab.until("show route count", |answer| answer.starts_with("1007-1 of 1"));
    for way in ["configure", "enable a", "restart a", "disable a"] {
        lab.events_now();
        assert_eq!(lab.ask("reload bgp in a"), "0015 a: broken\n");
        lab.until("show protocols a", |answer| {
            answer.contains(" down ") && answer.contains("Error: panicked: as it was told")
        });
        lab.until("show route count", |answer| answer.starts_with("1007-0 of 0"));
        assert_eq!(lab.ask("reload a"), "0008 a: is not UP\n");
        match way {
            "configure" => {
                let answer = configure(&lab, text, "configure");
                assert!(answer.ends_with("\n0003 Reconfigured\n"), "{answer}");
            }
            "disable a" => {
                assert_eq!(lab.ask(way), "0009 a: disabled\n");
                assert_eq!(lab.ask("enable a"), "0011 a: enabled\n");
            }
            _ => _ = lab.ask(way),
        }
        assert_eq!(lab.events_to("start a").last().unwrap(), "start a");
        lab.until("show route count", |answer| answer.starts_with("1007-1 of 1"));
    }
}

#[test]
fn an_instance_that_panics_as_it_stops_is_gone_all_the_same() {
    let lab = lab("protocol toy a { fragile; ipv4; route 10.0.0.0/8; }");
    lab.until("show route count", |answer| answer.starts_with("1007-1 of 1"));
    assert_eq!(lab.ask("reload bgp out a"), "0015 a: breaks when it stops\n");
    assert_eq!(lab.ask("disable a"), "0009 a: disabled\n");
    lab.until("show protocols a", |answer| answer.contains(" down "));
    configure(&lab, "protocol toy b { ipv4; }", "configure");
    let rows =
        lab.until("show protocols", |answer| answer.contains(" b ") && !answer.contains(" a "));
    assert!(rows.contains(" b          Toy        ---        up "), "{rows}");
    assert_eq!(lab.ask("configure status"), "0003-Daemon is up and running\n0000 \n");
}

#[test]
fn children_come_and_go_with_their_parent() {
    let lab = lab("protocol toy a { children 2; ipv4; } protocol toy b { ipv4; }");
    lab.events_to("child kid02 1");
    let rows = lab.until("show protocols", |answer| answer.contains("kid02"));
    let order: Vec<_> = ["a  ", "kid01", "kid02", "b  "].map(|name| rows.find(name)).to_vec();
    assert!(order.is_sorted() && order.iter().all(Option::is_some), "{rows}");
    lab.events_now();
    configure(
        &lab,
        "protocol toy a { children 2; lax 1; ipv4; } protocol toy b { ipv4; }",
        "configure",
    );
    assert_eq!(
        lab.events_to("change kid02 Hard"),
        ["change a Hard", "change kid01 Hard", "change kid02 Hard"]
    );
    assert_eq!(lab.ask("disable kid01"), "0009 kid01: disabled\n");
    lab.until("show protocols", |answer| !answer.contains("kid01"));
    configure(&lab, "protocol toy b { ipv4; }", "configure");
    lab.until("show protocols", |answer| !answer.contains("kid02") && !answer.contains(" a  "));
    assert!(!lab.ask("show protocols").contains("kid"), "none for a parent that has gone");
}

#[test]
fn orderly_shutdown() {
    let lab = lab("protocol toy a { ipv4; route 10.0.0.0/8; }");
    lab.events_to("start a");
    assert_eq!(lab.ask("down"), "0007 Shutdown requested\n");
    assert_eq!(lab.code(), 0);
    assert_eq!(lab.events_now(), ["stop a Shutdown", "stop device1 Shutdown"]);
}

#[test]
fn signals() {
    let lab = lab("protocol toy a { ipv4; }");
    lab.events_to("start a");
    lab.write(&format!("{BEGIN}protocol toy b {{ ipv4; }}"));
    lab.signal(Signal::Configure);
    lab.events_to("start b");
    lab.signal(Signal::Shutdown("SIGTERM"));
    assert_eq!(lab.code(), 0);
}
