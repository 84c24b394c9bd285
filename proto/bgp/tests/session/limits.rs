//! Limits of sessions.

use super::prefixes;
use super::support::daemon::Daemon;
use super::support::speaker::Speaker;

fn session(port: u16, more: &str) -> String {
    format!(
        "protocol bgp a {{ local 127.0.0.1 port {port} as 65000; strict bind; \
         neighbor 127.0.0.2 as 65002; multihop; passive; connect delay time 1; \
         error wait time 1, 1; {more} }}\n"
    )
}

fn connect(daemon: &Daemon, port: u16) -> Speaker {
    let mut a = Speaker::connect("127.0.0.2", &format!("127.0.0.1:{port}"), 65002);
    a.establish();
    daemon.wait_state("a", "up Established");
    a
}

#[test]
fn a_limit_disables_the_session() {
    let more = "ipv4 { import all; export none; import limit 10 action disable; };";
    let daemon = Daemon::start(&session(11797, more));
    let mut a = connect(&daemon, 11797);
    a.announce(&prefixes(11), [127, 0, 0, 2], &[]);
    a.until("the end", |a| a.closed);
    let notification = a.notification.clone().unwrap();
    assert_eq!((notification.code, notification.subcode), (6, 1));
    daemon.wait_state("a", "down Automatic shutdown: Route limit exceeded");
    let line = "a: Channel ipv4 hits route import limit (10), action: disable";
    assert_eq!(daemon.log().iter().filter(|said| said.contains(line)).count(), 1);
}

#[test]
fn a_limit_that_restarts_too_often_disables() {
    let more =
        "restart time 30 s; ipv4 { import all; export none; receive limit 10 action restart; };";
    let daemon = Daemon::start(&session(11815, more));
    // After the first time it waits as after any error.
    for state in ["start Passive       ", "down "] {
        let mut a = connect(&daemon, 11815);
        a.announce(&prefixes(11), [127, 0, 0, 2], &[]);
        a.until("the end", |a| a.closed);
        let notification = a.notification.clone().unwrap();
        assert_eq!((notification.code, notification.subcode), (6, 1));
        daemon.wait_state("a", &format!("{state}Automatic shutdown: Route limit exceeded"));
    }
}

/// Two sessions, of which one gets what the other announces, up to a limit of ten.
fn limited_exports(port: u16, action: &str, more: &str) -> String {
    let limit =
        format!("{more} ipv4 {{ import none; export all; export limit 10 action {action}; }};");
    session(port, "ipv4 { import all; export none; };")
        + &session(port, &limit)
            .replace("bgp a", "bgp b")
            .replace("127.0.0.2 as 65002", "127.0.0.3 as 65003")
}

#[test]
fn an_export_limit_is_a_shutdown_if_it_disables_and_a_reset_if_it_restarts() {
    for (port, action, subcodes) in [(11851, "disable", &[2_u8][..]), (11852, "restart", &[4, 2])] {
        let daemon = Daemon::start(&limited_exports(port, action, "restart time 30 s;"));
        let mut a = connect(&daemon, port);
        a.announce(&prefixes(5), [127, 0, 0, 2], &[]);
        for (time, subcode) in (1..).zip(subcodes) {
            let mut b = Speaker::connect("127.0.0.3", &format!("127.0.0.1:{port}"), 65003);
            b.establish();
            a.announce(&prefixes(5 + 10 * time), [127, 0, 0, 2], &[]);
            b.until("the end", |b| b.closed);
            let notification = b.notification.clone().unwrap();
            assert_eq!(
                (notification.code, notification.subcode),
                (6, *subcode),
                "{action}, {time}"
            );
            let state = if *subcode == 2 { "down " } else { "start Passive       " };
            daemon.wait_state("b", &format!("{state}Automatic shutdown: Route limit exceeded"));
        }
        assert!(!a.closed);
    }
}

#[test]
fn a_limit_changes_while_the_session_goes_on() {
    let with =
        |limit: &str| session(11803, &format!("ipv4 {{ import all; export none; {limit} }};"));
    let daemon = Daemon::start(&with(""));
    let mut a = connect(&daemon, 11803);
    daemon.configure(&with("import limit 100 action block;"));
    a.announce(&prefixes(120), [127, 0, 0, 2], &[]);
    daemon.wait_imported("a", 100);
    daemon.configure(&with("import limit 200 action restart;"));
    a.until("a request for what was kept out", |a| a.refreshes == 1);
    a.announce(&prefixes(120), [127, 0, 0, 2], &[]);
    daemon.wait_imported("a", 120);
    // This one has kept nothing out.
    daemon.configure(&with("import limit 300 action restart;"));
    a.listen(5);
    assert!(!a.closed && a.notification.is_none() && a.refreshes == 1);
    // Exceeded at once.
    daemon.configure(&with("import limit 50 action disable;"));
    a.until("the end", |a| a.closed);
    let notification = a.notification.clone().unwrap();
    assert_eq!((notification.code, notification.subcode), (6, 1));
    let hits = |line: &String| line.split_once("hits route ").map(|(_, hit)| hit.to_owned());
    let said: Vec<_> = daemon.log().iter().filter_map(hits).collect();
    assert_eq!(said, ["import limit (100), action: block", "import limit (50), action: disable"]);
}

#[test]
fn what_a_limit_kept_out_as_filtered_comes_in_with_a_wider_one() {
    let with = |limit: &str| {
        let more = format!("import keep filtered; import limit {limit} action block;");
        session(11816, &format!("ipv4 {{ import all; export none; {more} }};"))
    };
    let daemon = Daemon::start(&with("30"));
    let mut a = connect(&daemon, 11816);
    a.announce(&prefixes(50), [127, 0, 0, 2], &[]);
    daemon.wait_imported("a", 30);
    daemon.configure(&with("40"));
    daemon.wait_imported("a", 40);
    daemon.configure(&with("90"));
    daemon.wait_imported("a", 50);
    a.listen(5);
    assert_eq!(a.refreshes, 0, "nothing is needed from the neighbour");
}

#[test]
fn what_an_export_limit_kept_back_is_sent_with_a_wider_one() {
    let with = |limit: &str| {
        let more = format!("export limit {limit} action block;");
        session(11817, "ipv4 { import all; export none; };")
            + &session(11817, &format!("ipv4 {{ import none; export all; {more} }};"))
                .replace("bgp a", "bgp b")
                .replace("127.0.0.2 as 65002", "127.0.0.3 as 65003")
    };
    let daemon = Daemon::start(&with("30"));
    let mut b = Speaker::connect("127.0.0.3", "127.0.0.1:11817", 65003);
    b.establish();
    let mut a = connect(&daemon, 11817);
    a.announce(&prefixes(50), [127, 0, 0, 2], &[]);
    b.until("as many as may be", |b| b.routes.len() == 30);
    daemon.configure(&with("40"));
    b.until("more", |b| b.routes.len() == 40);
    daemon.configure(&with("90"));
    b.until("all", |b| b.routes.len() == 50);
    assert!(!b.closed);
}
