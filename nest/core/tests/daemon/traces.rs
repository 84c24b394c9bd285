//! What is traced of routes: flags of protocols, channels and tables, in the configuration and by command.
#![expect(clippy::panic, reason = "a test stops where something fails")]

use std::time::Duration;

use super::support::Lab;

const PATIENCE: Duration = Duration::from_secs(10);

const CONFIG: &str = "
    ipv4 table t1;
    protocol device { }
    protocol toy a { debug { routes }; route 10.0.0.0/8; ipv4; }
    protocol toy b { route 10.1.0.0/16; ipv4 { debug { filters };
        import where net.len > 20; }; }
    protocol toy c { route 10.2.0.0/16; ipv4 { import none; }; }
";

/// Lines of the log up to one that ends so; those of routes.
fn lines_to(lab: &Lab, last: &str) -> Vec<String> {
    let mut lines = Vec::new();
    while let Ok(line) = lab.log.recv_timeout(PATIENCE) {
        let is_last = line.ends_with(last);
        if [" > ", ": best ", ": no route "].iter().any(|mark| line.contains(mark)) {
            lines.push(line);
        }
        if is_last {
            return lines;
        }
    }
    panic!("{last} was never logged: {lines:?}");
}

/// Whether some line ends so.
fn has(lines: &[String], end: &str) -> bool {
    lines.iter().any(|line| line.ends_with(end))
}

#[test]
fn protocols_and_channels_say_what_their_flags_choose() {
    let lab = Lab::start(CONFIG);
    // The filter and where in the text it decides.
    let rejected = "b.ipv4 > filtered out 10.1.0.0/16 blackhole at t:6:22";
    let mut lines = lines_to(&lab, rejected);
    let added = "a.ipv4 > added [best] 10.0.0.0/8 blackhole";
    if !has(&lines, added) {
        lines.extend(lines_to(&lab, added));
    }
    assert!(!lines.iter().any(|line| line.contains("c.ipv4")), "{lines:?}");
}

#[test]
fn flags_change_by_command_and_by_configuration_without_a_restart() {
    let lab = Lab::start(CONFIG);
    lab.until("show route count", |answer| answer.contains("1 of 1"));
    assert_eq!(lab.ask("debug c { filters }"), "0000 \n");
    lab.ask("restart c");
    lines_to(&lab, "c.ipv4 > filtered out 10.2.0.0/16 blackhole");
    assert_eq!(lab.ask("debug \"*\" off"), "0000 \n");
    assert_eq!(lab.ask("debug b.ipv4 off"), "0000 \n");
    assert_eq!(lab.ask("debug a.ipv4 { routes }"), "0000 \n");
    assert!(lab.ask("debug a.ipv6 all").starts_with("9001 a has no channel ipv6"));
    lab.ask("restart b");
    lab.until("show protocols b", |answer| answer.contains(" up "));
    lab.ask("restart a");
    let lines = lines_to(&lab, "a.ipv4 > added [best] 10.0.0.0/8 blackhole");
    assert!(!lines.iter().any(|line| line.contains("b.ipv4")), "{lines:?}");
    // A configuration in which nothing else has changed.
    lab.configure(&CONFIG.replace("import none", "import none; debug { filters }"));
    lab.ask("restart c");
    lines_to(&lab, "c.ipv4 > filtered out 10.2.0.0/16 blackhole");
}

#[test]
fn tables_say_what_their_flags_choose() {
    let text =
        format!("debug tables {{ states, routes }}; ipv4 table quiet {{ debug off; }}; {CONFIG}");
    let lab = Lab::start(&text);
    let lines = lines_to(&lab, "master4: best 10.0.0.0/8 blackhole from a");
    assert!(!lines.iter().any(|line| line.contains("quiet")), "{lines:?}");
    lab.ask("disable a");
    lines_to(&lab, "master4: no route 10.0.0.0/8");
    lab.configure(&text.replace("ipv4 table t1;", ""));
    lines_to(&lab, "t1: removed");
    // It was started again.
    lab.until("show route count", |answer| answer.contains("1 of 1"));
    lab.log.try_iter().for_each(drop);
    lab.configure(&text.replace("debug tables { states, routes }", "debug tables { states }"));
    lines_to(&lab, "t1: added");
    lab.ask("restart a");
    let lines = lines_to(&lab, "a.ipv4 > added [best] 10.0.0.0/8 blackhole");
    assert!(!lines.iter().any(|line| line.contains("best 10")), "{lines:?}");
}
