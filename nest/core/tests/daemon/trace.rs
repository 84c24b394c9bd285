//! `show trace` over full rings: what is shown, and that no handler does much at a time.

#![allow(clippy::unwrap_used, reason = "a failure is what a test is for")]

use dunlin_trace::{Entry, Options, RecordId, Ring, Site};

use super::support::Lab;

const CONFIG: &str = "protocol toy a { ipv4; }";

/// Fills as many rings, with ten loops and two classes.
fn fill(lab: &Lab, rings: u16) -> Vec<Ring> {
    (1..=10).for_each(|number| lab.recorder.name_loop(number, &format!("loop{number}")));
    let mut rings: Vec<Ring> = (0..rings).map(|ring| lab.recorder.ring(ring).unwrap()).collect();
    for at in 0..u64::from(Options::default().records) {
        for ring in &mut rings {
            let (class, loop_id) = (1 + u8::from(at % 8 != 0), 1 + at as u32 % 10);
            let site = Site::MESSAGE;
            let (cause, argument) = (RecordId::NONE, 0);
            ring.record(&Entry { at, since: at, site, class, loop_id, cause, argument, place: 0 });
        }
    }
    rings
}

fn lines(answer: &str) -> Vec<&str> {
    let lines: Vec<_> = answer.lines().collect();
    assert_eq!(lines.last(), Some(&"0000 "), "{answer}");
    lines[..lines.len() - 1].to_vec()
}

#[test]
fn no_handler_shows_more_than_a_little_of_full_rings() {
    let lab = Lab::start(CONFIG);
    let _rings = fill(&lab, 4);
    let all = 4 * (Options::default().records as usize - 1);
    for (command, shown) in [
        ("show trace", 100),
        ("show trace all", all),
        ("show trace all class control", all / 8),
        ("show trace last 50 loop loop3", 50),
        ("show trace all json", all),
    ] {
        let before = lab.terminal_messages();
        let answer = lab.ask(command);
        let handlers = lab.terminal_messages() - before;
        let count = lines(&answer).len();
        // Two lines of heading.
        assert!(count.abs_diff(shown) <= 6, "{command}: {count}");
        assert!(handlers as usize * 128 >= shown, "{command}: {handlers} handlers");
        if !command.contains("json") && shown > 100 {
            // Copying, looking and showing are turns of their own.
            assert!(handlers as usize > shown / 128 + 4, "{command}: {handlers} handlers");
        }
    }
}

#[test]
fn forms_and_filters() {
    let lab = Lab::start(CONFIG);
    let _rings = fill(&lab, 2);
    let last = |command: &str| -> Vec<String> {
        let answer = lab.ask(command);
        lines(&answer).into_iter().skip(2).map(str::to_owned).collect()
    };
    let text = last("show trace 2");
    assert_eq!(text.len(), 2);
    assert!(text[0].contains(" w1 #32767 message loop8 [8] routing waited 0 ns"), "{text:?}");
    assert!(text[1].contains(" w2 #32767 message loop8 [8] routing"), "{text:?}");
    assert_eq!(last("show trace last 2"), text);
    assert_eq!(last("show trace 1 worker 1"), text[..1]);
    let text = last("show trace 3 class control loop \"loop*\"");
    assert!(text.len() == 3 && text.iter().all(|line| line.contains(" control ")), "{text:?}");
    for command in
        ["show trace loop loop3 last 4", "show trace loop \"*3\" 4", "show trace 4 loop 3"]
    {
        let text = last(command);
        assert!(
            text.len() == 4 && text.iter().all(|line| line.contains(" loop3 [3] ")),
            "{text:?}"
        );
    }
    assert!(last("show trace loop nobody").is_empty());
    let json = lab.ask("show trace json 1");
    let lines = lines(&json);
    assert!(lines[0].starts_with("1027-{\"process\":"), "{json}");
    assert!(lines[1].contains("\"worker\":2,\"record\":32767,\"site\":\"message\""), "{json}");
    for wrong in ["show trace class none", "show trace loop", "show trace 1 2 x", "show trace last"]
    {
        assert!(lab.ask(wrong).starts_with("9001 "), "{wrong}");
    }
}
