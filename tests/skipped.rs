//! Tests that a machine may not let run: a module of each crate that has some.
//!
//! To the test runner they have passed, as it knows nothing else. So they say in a list that they did not run: `tests/unit` prints
//! it, and `tests/named-tests` counts them as skipped.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::panic::Location;

/// Where the list is, if one is kept.
const LIST: &str = "DUNLIN_SKIPPED";

/// Says that this test, of the file that calls, has not been run, and why.
#[track_caller]
pub(crate) fn skip(test: &str, reason: &str) {
    let line = format!("skip {}::{test}: {reason}\n", Location::caller().file());
    eprint!("{line}");
    let Some(list) = std::env::var_os(LIST) else { return };
    let file = OpenOptions::new().create(true).append(true).open(&list);
    let written = file.and_then(|mut file| file.write_all(line.as_bytes()));
    assert!(written.is_ok(), "{}: {written:?}", list.display());
}
