//! What is said of configurations that are wrong or odd: each file of `diagnostics` beside what `-p` says of
//! it and as what it exits. `DUNLIN_BLESS=1` writes that down anew, to be read before it is committed.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure is what a test is for")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{DUNLIN, Place};
use serde_json::Value;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/diagnostics")
}

/// The configurations there.
fn files() -> impl Iterator<Item = PathBuf> {
    let files = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|file| file.extension().is_some_and(|end| end == "conf"))
}

/// What `-p` says of a file, the folder's name taken out.
fn said(file: &Path) -> String {
    let done = Command::new(DUNLIN).args(["-p", "-c"]).arg(file).output().unwrap();
    assert!(done.stdout.is_empty());
    let folder = format!("{}/", folder().display());
    let text = String::from_utf8(done.stderr).unwrap().replace(&folder, "");
    format!("exit {}\n{text}", done.status.code().unwrap())
}

#[test]
fn every_error_has_its_place_its_line_and_advice() {
    let bless = std::env::var_os("DUNLIN_BLESS").is_some();
    let mut differing = Vec::new();
    let mut count = 0;
    for file in files() {
        count += 1;
        let (now, kept) = (said(&file), file.with_extension("said"));
        if bless {
            fs::write(&kept, now).unwrap();
        } else if fs::read_to_string(&kept).unwrap_or_default() != now {
            differing.push(format!("== {}\n{now}", file.display()));
        }
    }
    assert!(count > 15 && differing.is_empty(), "{}", differing.join("\n"));
}

#[test]
fn every_message_begins_as_birds() {
    let form = |line: &str| {
        let rest = line.strip_prefix("dunlin: ")?;
        let (_, rest) = rest.split_once(".conf:")?;
        let (number, rest) = rest.split_once(':')?;
        let (column, _) = rest.split_once([' ', ':'])?;
        Some(number.parse::<u32>().is_ok() && column.parse::<u32>().is_ok())
    };
    for file in files() {
        for line in said(&file).lines().filter(|line| line.starts_with("dunlin: ")) {
            assert_eq!(form(line), Some(true), "{}: {line}", file.display());
        }
    }
}

/// What `--json` says of a file, and as what it exits.
fn said_to_programs(flag: &str, file: &Path) -> (Option<i32>, String) {
    let done = Command::new(DUNLIN).args([flag, "--json", "-c"]).arg(file).output().unwrap();
    assert!(done.stderr.is_empty(), "{}", String::from_utf8_lossy(&done.stderr));
    (done.status.code(), String::from_utf8(done.stdout).unwrap())
}

/// The first lines of all messages, as people get them.
fn first_lines(document: &Value) -> Vec<String> {
    let lists = [("errors", ""), ("warnings", ":"), ("without_effect", ":")];
    let messages = lists.into_iter().flat_map(|(list, colon)| {
        let place = |one: &Value, key: &str| one[key].as_u64().unwrap();
        document[list].as_array().unwrap().iter().map(move |one| {
            let (file, text) = (one["file"].as_str().unwrap(), one["text"].as_str().unwrap());
            assert!(place(one, "length") > 0 && (one["hint"].is_null() || one["hint"].is_string()));
            format!("dunlin: {file}:{}:{}{colon} {text}", place(one, "line"), place(one, "column"))
        })
    });
    let mut lines: Vec<String> = messages.collect();
    lines.sort();
    lines
}

#[test]
fn programs_are_told_the_same_as_people() {
    let mut hints = 0;
    for file in files() {
        let (code, text) = said_to_programs("-p", &file);
        let document: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(document["accepted"].as_bool(), Some(code == Some(0)));
        let done = Command::new(DUNLIN).args(["-p", "-c"]).arg(&file).output().unwrap();
        let people = String::from_utf8(done.stderr).unwrap();
        let mut lines: Vec<&str> =
            people.lines().filter(|line| line.starts_with("dunlin: ")).collect();
        lines.sort_unstable();
        assert_eq!(first_lines(&document), lines);
        hints += text.matches("\"hint\": \"").count();
    }
    assert!(hints > 20, "{hints}");
}

#[test]
fn whatever_is_in_a_message_programs_can_read_it() {
    let place = Place::new("json");
    let file = place
        .write("odd \"name\".conf", "define x = \"\u{1}\\\u{fc}\u{2028}\";\neval \u{201c}\ty;\n");
    let (code, text) = said_to_programs("-p", &file);
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(code, Some(1));
    assert_eq!(document["errors"][0]["file"].as_str(), file.to_str());
    let wrong: String = (0..300).map(|n| format!("eval x{n};\n")).collect();
    let file = place.write("many.conf", &wrong);
    let (_, text) = said_to_programs("-p", &file);
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["errors"].as_array().map(Vec::len), Some(200));
    assert_eq!(document["errors_left_out"].as_u64(), Some(100));
}

/// Text blocks of a page of the manual, without and with a word behind their beginning.
fn blocks<'p>(page: &'p str, word: &str) -> Vec<&'p str> {
    let parts = page.split("\n```").skip(1).step_by(2);
    parts.filter_map(|part| part.strip_prefix(word)?.strip_prefix('\n')).collect()
}

#[test]
fn the_manual_shows_what_is_said() {
    let page = include_str!("../../../doc/manual/configuration.md");
    let place = Place::new("manual");
    let text =
        blocks(page, "bird-refused").into_iter().find(|text| text.contains("rejct")).unwrap();
    // The example is shown without what says how it is refused.
    let text: String =
        text.lines().map(|line| line.split("   # ").next().unwrap().to_owned() + "\n").collect();
    let file = place.write("dunlin.conf", &text);
    let named = |text: String| text.replace(file.to_str().unwrap(), "/etc/dunlin.conf");
    let done = Command::new(DUNLIN).args(["-p", "-c"]).arg(&file).output().unwrap();
    let people = named(String::from_utf8(done.stderr).unwrap());
    let shown = people.trim_end().lines().map(|line| format!("    {line}\n")).collect::<String>();
    assert!(page.contains(&format!("\n\n{shown}\n")), "{people}");
    let programs = named(said_to_programs("-p", &file).1);
    let shown = format!("$ dunlin -p --json -c FILE\n{programs}");
    assert!(blocks(page, "").contains(&shown.trim_end()), "{programs}");

    let page = include_str!("../../../doc/manual/filters.md");
    let text = blocks(page, "bird-test").into_iter().find(|text| text.contains("is_ours")).unwrap();
    let file = place.write("test.conf", text);
    let done = Command::new(DUNLIN).args(["--test", "-c"]).arg(&file).output().unwrap();
    let people = String::from_utf8(done.stdout).unwrap();
    let shown = format!("$ dunlin --test -c FILE\n{people}");
    assert!(blocks(page, "").contains(&shown.trim_end()), "{people}");
}

#[test]
fn suites_are_reported_to_programs() {
    let place = Place::new("suites");
    let file = place.write(
        "suites.conf",
        "protocol device { }\nfunction good() { bt_assert(1 = 1); }\n\
         function bad() { print \"so \\x\"; bt_assert(net = 10.0.0.0/8); }\n\
         bt_test_suite(good, \"good\");\nbt_test_suite(bad, \"bad\", 11.0.0.0/8);\n",
    );
    let (code, text) = said_to_programs("--test", &file);
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(code, Some(1));
    let figures = (&document["accepted"], &document["passed"], &document["failed"]);
    assert_eq!(figures, (&true.into(), &1.into(), &1.into()));
    let [good, bad] = document["suites"].as_array().unwrap().as_slice() else { panic!("{text}") };
    assert_eq!(
        (&good["suite"], &good["passed"], &good["checks"]),
        (&"good".into(), &true.into(), &1.into())
    );
    assert_eq!((&bad["passed"], &bad["printed"][0]), (&false.into(), &"so \\x".into()));
    assert!(
        bad["failures"][0].as_str().unwrap().contains("net = 10.0.0.0/8: it is 11.0.0.0/8"),
        "{text}"
    );
}
