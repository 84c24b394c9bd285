//! There is no lock order to check, as there is no lock.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

/// What a line does that may wait for another thread, if anything; comments may speak of it.
fn waits(line: &str) -> Option<&'static str> {
    let code = line.split("//").next().unwrap_or_default();
    WAITING.into_iter().find(|word| code.contains(word))
}

const WAITING: [&str; 9] = [
    "Mutex",
    "RwLock",
    "Condvar",
    "Barrier",
    "OnceLock",
    "LazyLock",
    "thread::sleep",
    "thread::park(",
    "park_timeout",
];

#[test]
fn the_runtime_has_no_lock_and_no_blocking_wait() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut files = Vec::new();
    for part in ["runtime/src", "sync/src", "mem/src"] {
        sources(&root.join(part), &mut files);
    }
    assert!(files.len() > 50, "{} files looked at", files.len());
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let shipped = text.split("#[cfg(test)]").next().unwrap_or_default();
        let is_test =
            file.ends_with("tests.rs") || file.components().any(|one| one.as_os_str() == "tests");
        for (at, line) in shipped.lines().enumerate().filter(|_| !is_test) {
            // The watcher is no worker: it sleeps between two looks.
            let may_wait = file.ends_with("watch/mod.rs") && waits(line) == Some("park_timeout");
            assert!(may_wait || waits(line).is_none(), "{}:{}: {line}", file.display(), at + 1);
        }
    }
}

#[test]
fn clippy_refuses_locks_and_blocking_calls_everywhere_else() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let lists = std::fs::read_to_string(root.join(".clippy.toml")).unwrap();
    for name in
        ["std::sync::Mutex", "std::sync::RwLock", "std::sync::Condvar", "std::thread::sleep"]
    {
        assert!(lists.contains(name), "{name} is refused");
    }
    let manifest = std::fs::read_to_string(root.join("Cargo.toml")).unwrap();
    for lint in ["disallowed_methods = \"deny\"", "disallowed_types = \"deny\""] {
        assert!(manifest.contains(lint), "{lint}");
    }
}
