//! What is said of configurations that are wrong or odd: each file of `diagnostics` beside what `-p` says of
//! it and as what it exits. `DUNLIN_BLESS=1` writes that down anew, to be read before it is committed.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure is what a test is for")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::DUNLIN;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/diagnostics")
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
    let mut files = 0;
    for entry in fs::read_dir(folder()).unwrap() {
        let file = entry.unwrap().path();
        if file.extension().is_none_or(|end| end != "conf") {
            continue;
        }
        files += 1;
        let (now, kept) = (said(&file), file.with_extension("said"));
        if bless {
            fs::write(&kept, now).unwrap();
        } else if fs::read_to_string(&kept).unwrap_or_default() != now {
            differing.push(format!("== {}\n{now}", file.display()));
        }
    }
    assert!(files > 15 && differing.is_empty(), "{}", differing.join("\n"));
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
    for entry in fs::read_dir(folder()).unwrap() {
        let file = entry.unwrap().path();
        if file.extension().is_some_and(|end| end == "conf") {
            for line in said(&file).lines().filter(|line| line.starts_with("dunlin: ")) {
                assert_eq!(form(line), Some(true), "{}: {line}", file.display());
            }
        }
    }
}
