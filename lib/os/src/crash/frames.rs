//! The calls that led to a crash, as addresses in the files they were loaded from.

use std::ops::Range;
use std::path::Path;
use std::sync::OnceLock;

use super::Writer;
use crate::build_id;

/// So many calls are shown at most.
const DEPTH: usize = 64;

/// Where the program and its libraries lie; set once, before a handler may read it.
static MODULES: OnceLock<Vec<Module>> = OnceLock::new();

/// A file that is mapped to be run.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Module {
    name: String,
    memory: Range<usize>,
    /// Its build id, empty if that is not known.
    build: String,
}

/// Does what a signal handler may not: reads where everything lies, and lets the unwinder load what it needs.
pub(super) fn prepare() {
    MODULES.get_or_init(|| {
        let mut modules = parse(&std::fs::read_to_string("/proc/self/maps").unwrap_or_default());
        for module in &mut modules {
            module.build = build_id::of(Path::new(&module.name)).unwrap_or_default();
        }
        modules
    });
    let _ = capture(&mut [0; DEPTH]);
}

/// Writes the calls of this thread, innermost first: `#3 0x7f... NAME+0x1234`. The number behind the
/// name is what `addr2line -e NAME` takes. Async-signal-safe once a hook is installed. Where the unwinder is not
/// known here, nothing is written.
pub fn write_backtrace(out: &mut Writer) {
    let mut frames = [0; DEPTH];
    let count = capture(&mut frames);
    for (number, address) in frames.iter().take(count).enumerate() {
        out.text("  #").decimal(number as u64).text(" ");
        write_address(out, *address);
        out.text("\n");
    }
}

/// Writes which builds of which files the addresses are of: `NAME BUILD`, a line each. Async-signal-safe.
pub fn write_builds(out: &mut Writer) {
    for module in MODULES.get().map_or(&[][..], Vec::as_slice) {
        if !module.build.is_empty() {
            out.text("  ").text(&module.name).text(" ").text(&module.build).text("\n");
        }
    }
}

/// Writes an address, and where it is in which file if that is known.
pub fn write_address(out: &mut Writer, address: usize) {
    out.hex(address as u64);
    let modules = MODULES.get().map_or(&[][..], Vec::as_slice);
    if let Some(module) = modules.iter().find(|module| module.memory.contains(&address)) {
        out.text(" ").text(&module.name).text("+").hex((address - module.memory.start) as u64);
    }
}

/// From the kernel's list of mappings: each file with memory that can be run, from its first byte on.
fn parse(maps: &str) -> Vec<Module> {
    let mut modules: Vec<Module> = Vec::new();
    let mut runs = Vec::new();
    for line in maps.lines() {
        let mut words = line.split_whitespace();
        let (Some(range), Some(access)) = (words.next(), words.next()) else { continue };
        let Some(name) = words.nth(3).filter(|name| name.starts_with('/')) else { continue };
        let number = |text: &str| usize::from_str_radix(text, 16).ok();
        let Some((start, end)) = range.split_once('-') else { continue };
        let (Some(start), Some(end)) = (number(start), number(end)) else { continue };
        match modules.last_mut() {
            Some(last) if last.name == name => last.memory.end = end,
            _ => {
                let build = String::new();
                modules.push(Module { name: name.to_owned(), memory: start..end, build });
            }
        }
        if access.contains('x') {
            runs.push(name);
        }
    }
    modules.retain(|module| runs.contains(&module.name.as_str()));
    modules
}

#[cfg(target_env = "gnu")]
fn capture(frames: &mut [usize; DEPTH]) -> usize {
    // SAFETY: the buffer is as long as said, and an address is as large as a pointer.
    let count = unsafe { libc::backtrace(frames.as_mut_ptr().cast(), DEPTH as libc::c_int) };
    usize::try_from(count).unwrap_or(0)
}

#[cfg(not(target_env = "gnu"))]
fn capture(_frames: &mut [usize; DEPTH]) -> usize {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_whole() {
        let maps = "\
55d000-55e000 r--p 00000000 fe:00 12 /usr/bin/dunlin\n\
55e000-560000 r-xp 00001000 fe:00 12 /usr/bin/dunlin\n\
560000-561000 rw-p 00003000 fe:00 12 /usr/bin/dunlin\n\
600000-700000 rw-p 00000000 00:00 0 [heap]\n\
710000-720000 rw-s 00000000 00:01 7 /run/dunlin.trace\n\
7f0000-7f8000 r-xp 00000000 fe:00 13 /lib/libc.so.6\n\
7f9000-7fa000 rw-p 00000000 00:00 0 \n\
nonsense\n";
        let build = String::new();
        let module =
            |name: &str, memory| Module { name: name.to_owned(), memory, build: build.clone() };
        let (own, libc) = ("/usr/bin/dunlin", "/lib/libc.so.6");
        let expected = [module(own, 0x55_d000..0x56_1000), module(libc, 0x7f_0000..0x7f_8000)];
        assert_eq!(parse(maps), expected);
    }

    #[test]
    #[cfg(target_env = "gnu")]
    fn this_test_is_among_the_calls() {
        prepare();
        let mut frames = [0; DEPTH];
        let count = capture(&mut frames);
        let modules = MODULES.get().unwrap();
        let own = std::env::current_exe().unwrap().display().to_string();
        let inside = |address: &usize| {
            modules.iter().any(|module| module.name == own && module.memory.contains(address))
        };
        assert!(count > 2 && frames[..count].iter().any(inside), "{count} {modules:?}");
    }
}
