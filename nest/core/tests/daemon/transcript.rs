//! Every command there is, with its whole answer: `transcript.txt` is what a client sees.
//!
//! In the file a line that begins with `> ` is a command, what follows is the answer up to the next
//! one, byte for byte. In answers to commands marked with `>#` figures that differ from run to run
//! (digits, and the blanks around them) are written as `#`. There is one network only, for their order
//! is by chance.

use super::support::Lab;

const CONFIG: &str = "
    ipv4 table t1;
    timeformat route iso long; timeformat protocol iso long; timeformat base iso long;
    define SIZE = 3; filter f { accept; } function g() { return 1; }
    function is_near(bgppath p) -> bool
    { return p.len < 2 || p.first = 65002; }
    filter from_peer {
      if ! is_near(bgp_path) then reject \"far: \", bgp_path;
      bgp_local_pref = 80 + SIZE;
      accept;
    }
    template toy base { }
    protocol device { }
    protocol toy a { description \"first\"; route 10.0.0.0/8; route 192.0.2.0/24;
        ipv4 { import limit 10 action block; import keep filtered; export filter f;
               import where net != 10.0.0.0/8; }; }
    protocol toy b { disabled; ipv4 { table t1; }; ipv6; }
    protocol toy peer1 { learnt 192.0.2.0/24 \"65002 64999\";
        ipv4 { preference 100; import filter from_peer;
               export where source = RTS_BGP || net.len > 24; }; }
    protocol toy broke { broken; ipv4; }
";

const TRANSCRIPT: &str = include_str!("transcript.txt");

#[test]
fn every_command_answers_as_written() {
    let lab = Lab::start(CONFIG);
    lab.until("show route count", |answer| answer.starts_with("1007-2 of 2"));
    let mut actual = String::new();
    for line in TRANSCRIPT.lines().filter(|line| line.starts_with('>')) {
        let (mark, command) = line.split_once(' ').unwrap_or((line, ""));
        if command.starts_with("configure") {
            lab.write(CONFIG);
        }
        // What the command before has begun is done.
        let moving = ["start", "stop", "flush"];
        lab.until("show protocols", |answer| !answer.split(' ').any(|word| moving.contains(&word)));
        let answer = lab.ask(command);
        let answer = if mark == ">#" { masked(&answer) } else { answer };
        let answer = if command.starts_with("show places") { kinds_only(&answer) } else { answer };
        let answer =
            if command.starts_with("show events") { without_sites(&answer) } else { answer };
        actual.push_str(&format!("{line}\n{answer}"));
    }
    assert!(actual == TRANSCRIPT, "the answers are now:\n{actual}");
}

/// Handlers without what was measured by place: which there are hangs on chance.
fn without_sites(text: &str) -> String {
    let cut = |text: &str, from: &str, to: &str, word: &str| match text.split_once(from) {
        None => text.to_owned(),
        Some((head, rest)) => {
            let (_, tail) = rest.split_once(to).unwrap_or_default();
            format!("{head}{from}{word}{to}{tail}")
        }
    };
    let text = cut(text, " Max Asked at\n", "0000 \n", " SITES\n");
    cut(&text, "\"sites\":[", "],\"silent_workers\"", "SITES")
}

/// Of places in the program only what they ask for, each once.
fn kinds_only(text: &str) -> String {
    let (rows, others): (Vec<&str>, Vec<&str>) =
        text.lines().partition(|line| line.contains("#rs"));
    let kind = |row: &&str| {
        let mut words = row.rsplit(|c: char| !c.is_alphabetic());
        words.find(|word| !word.is_empty()).unwrap_or_default().to_owned()
    };
    let kinds: std::collections::BTreeSet<String> = rows.iter().map(kind).collect();
    let kinds = Vec::from_iter(kinds).join(" ");
    let (last, first) = others.split_last().unwrap_or((&"", &[]));
    format!("{}\nROWS {kinds}\n{last}\n", first.join("\n"))
}

/// Figures, with the blanks before them and a unit of time behind, as `#`. JSON has a line for each
/// object, as where its lines end hangs on the figures. Who was the slowest is up to chance, too.
fn masked(text: &str) -> String {
    let is_json = text.starts_with("1027-{");
    if is_json {
        let (rows, last) = text.trim_end_matches('\n').rsplit_once('\n').unwrap_or((text, ""));
        let rows: String = rows
            .lines()
            .map(|row| {
                row.get(5..).map_or(row, |rest| match row.as_bytes() {
                    [b' ', ..] => row.get(1..).unwrap_or_default(),
                    _ => rest,
                })
            })
            .collect();
        let rows = rows.replace("},{", "},\n {").replace(":[{", ":[\n {");
        return format!("{}{last}\n", without_names(&figures_masked(&format!("1027-{rows}"))));
    }
    without_names(&figures_masked(text))
}

/// Whose handlers took longest, and who kept others waiting, as `who` and `why`: that is different each time.
fn without_names(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let is_worst = line.starts_with(" \tl");
        let cut = |text: &str, from: &str, to: &str, word: &str| -> String {
            let mut parts = text.split(from);
            let mut out = parts.next().unwrap_or_default().to_owned();
            for part in parts {
                let rest = part.find(to).and_then(|at| part.get(at..)).unwrap_or_default();
                out = format!("{out}{from}{word}{rest}");
            }
            out
        };
        let line = match is_worst {
            // "longest run: SPAN at TIME, WHOSE".
            true => format!("{}, whose", line.split(", ").next().unwrap_or_default()),
            false if line.contains("\"span_ns\"") => {
                let line = cut(line, "\"handler\":", ",", "what");
                let line = cut(&line, "\"name\":", ",", "who");
                let line = cut(&line, "\"asked_at\":", ",", "PLACE");
                cut(&line, "\"culprit\":", "}", "why")
            }
            false => line.to_owned(),
        };
        out.push_str(&line);
        out.push('\n');
    }
    for unit in ["# ns", "# us", "# ms"] {
        out = out.replace(unit, "# s");
    }
    out
}

fn figures_masked(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        // The code at the beginning stays.
        let (code, rest) = line.split_at(line.len().min(5));
        out.push_str(code);
        let mut blanks = String::new();
        for c in rest.chars() {
            match c {
                ' ' => blanks.push(' '),
                '0'..='9' | '.' => {
                    blanks.clear();
                    if !out.ends_with('#') {
                        out.push('#');
                    }
                }
                c => {
                    out.push_str(core::mem::take(&mut blanks).get(..1).unwrap_or_default());
                    out.push(c);
                }
            }
        }
        out.push('\n');
    }
    out
}

#[test]
fn every_command_of_the_table_is_there() {
    let lab = Lab::start(CONFIG);
    for command in dunlin_commands::COMMANDS {
        let words = command.words.join(" ");
        let line = match words.as_str() {
            "enable" | "disable" | "restart" | "reload" => format!("{words} a"),
            "debug" => "debug a off".to_owned(),
            "threads" => "threads 1".to_owned(),
            "eval" => "eval 1".to_owned(),
            "filter counters" => "filter counters on".to_owned(),
            "show filter" => "show filter counters".to_owned(),
            "timeformat" => "timeformat iso short".to_owned(),
            words => words.to_owned(),
        };
        if line.starts_with("configure") {
            lab.write(CONFIG);
        }
        let answer = lab.ask_elsewhere(&line);
        let hidden = command.is_hidden();
        assert_eq!(answer.starts_with("9001 There is no"), hidden, "{line}: {answer}");
        assert!(hidden || !answer.starts_with("900"), "{line}: {answer}");
    }
}
