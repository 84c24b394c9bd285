//! Tells the program which compiler made it, for crash reports.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=RUSTC");
    let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let said = Command::new(compiler).arg("--version").output();
    let version = said.ok().and_then(|out| String::from_utf8(out.stdout).ok());
    // "rustc 1.90.0 (1159e78c4 2025-09-14)": the first two words.
    let words: Vec<&str> = version.as_deref().unwrap_or("rustc").split(' ').take(2).collect();
    println!("cargo:rustc-env=DUNLIN_RUSTC={}", words.join(" ").trim());
}
