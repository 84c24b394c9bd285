//! Names for the calls in a crash report: functions and lines, as the program's file and those of its libraries
//! have them.
//!
//! A signal handler cannot look them up: it must not allocate, and debugging information is read from files. So
//! the report has places in files and the files' build ids, and whoever reads it finds the names: `dunlin trace
//! REPORT`, and the next daemon, before the program may have been replaced.

use std::collections::HashMap;
use std::error::Error;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use addr2line::Context;
use addr2line::gimli::{self, EndianSlice};
use dunlin_os::build_id;
use object::read::{Object, ObjectSection as _, ObjectSymbol as _, ReadCache};

/// Where a report has its calls, and the builds of the files that they are in.
const CALLS: &str = "Calls, innermost first";
const BUILDS: &str = "Builds:";
/// What stands before a name.
const INDENT: &str = "      ";

/// Whether this is the text of a report.
pub(crate) fn is_report(text: &str) -> bool {
    text.contains("\ndunlin: ") && text.contains(&format!("\n{CALLS}"))
}

/// Names the calls of the reports in a file.
///
/// # Errors
/// If it cannot be read or written.
pub(crate) fn name_file(path: &Path) -> io::Result<()> {
    let text = fs::read_to_string(path)?;
    let named = named(&text);
    if named == text {
        return Ok(());
    }
    // Whoever reads it meanwhile sees the one or the other.
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    let new = path.with_file_name(name);
    let mode = fs::metadata(path)?.permissions().mode() & 0o777;
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(mode).open(&new)?;
    io::Write::write_all(&mut file, named.as_bytes())?;
    fs::rename(&new, path)
}

/// The text of reports with the names of their calls, a line for each below it; those that have names keep
/// them.
pub(crate) fn named(text: &str) -> String {
    let lines: Vec<(&str, Option<Call<'_>>)> = calls(text).collect();
    let builds = builds(text);
    let mut names: HashMap<Call<'_>, Vec<String>> = HashMap::new();
    for call in lines.iter().filter_map(|(_, call)| *call) {
        names.insert(call, Vec::new());
    }
    for (file, build) in builds {
        let here = names.iter_mut().filter(|(call, _)| call.file == file);
        // Whatever of it cannot be read has no names.
        let _ = find_names(Path::new(file), build, here.map(|(call, names)| (call.offset, names)));
    }
    let mut out = String::with_capacity(text.len() * 2);
    for (line, call) in lines {
        out.push_str(line);
        out.push('\n');
        for name in call.and_then(|call| names.get(&call)).into_iter().flatten() {
            out.push_str(&format!("{INDENT}{name}\n"));
        }
    }
    out
}

/// The lines of a text, with the call that each is, if it has no names yet.
fn calls(text: &str) -> impl Iterator<Item = (&str, Option<Call<'_>>)> {
    let (mut lines, mut in_calls) = (text.lines().peekable(), false);
    core::iter::from_fn(move || {
        let line = lines.next()?;
        in_calls = line.starts_with(CALLS) || in_calls && line.starts_with("  ");
        let has_names = lines.peek().is_some_and(|next| next.starts_with(INDENT));
        Some((line, Call::parse(line).filter(|_| in_calls && !has_names)))
    })
}

/// The builds of files, by their names.
fn builds(text: &str) -> HashMap<&str, &str> {
    let (mut builds, mut in_builds) = (HashMap::new(), false);
    for line in text.lines() {
        in_builds = line == BUILDS || in_builds && line.starts_with("  ");
        if in_builds && let Some((file, build)) = line.trim_start().rsplit_once(' ') {
            builds.insert(file, build);
        }
    }
    builds
}

/// One call of a report: `  #3 0x7f12 /usr/sbin/dunlin+0x1234`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Call<'t> {
    file: &'t str,
    /// An address of the instruction that calls, in the file.
    offset: u64,
}

impl<'t> Call<'t> {
    fn parse(line: &'t str) -> Option<Self> {
        let mut words = line.strip_prefix("  #")?.splitn(3, ' ');
        let (number, _, place) = (words.next()?, words.next()?, words.next()?);
        let number: u32 = number.parse().ok()?;
        let (file, offset) = place.rsplit_once("+0x")?;
        let offset = u64::from_str_radix(offset, 16).ok()?;
        // What is known of a call is where it returns to: behind it.
        Some(Self { file, offset: if number == 0 { offset } else { offset.saturating_sub(1) } })
    }
}

/// Finds the functions at places in a file, the innermost first: of one that was inlined, those it is in as
/// well. Nothing if it is another build.
fn find_names<'n>(
    path: &Path,
    build: &str,
    places: impl Iterator<Item = (u64, &'n mut Vec<String>)>,
) -> Result<(), Box<dyn Error>> {
    let mut places = places.peekable();
    if places.peek().is_none() || build_id::of(path).as_deref() != Some(build) {
        return Ok(());
    }
    // Only what is asked for is read: a program with all that a debugger wants is large.
    let cache = ReadCache::new(File::open(path)?);
    let file = object::File::parse(&cache)?;
    let read = |section: gimli::SectionId| {
        let data = file.section_by_name(section.name()).map(|section| section.data()).transpose();
        data.map(Option::unwrap_or_default)
    };
    let sections = gimli::DwarfSections::load(read)?;
    let endian = gimli::RunTimeEndian::default();
    let functions = Context::from_dwarf(sections.borrow(|data| EndianSlice::new(data, endian)))?;
    for (offset, names) in places {
        let mut frames = functions.find_frames(offset).skip_all_loads()?;
        let mut found = Vec::new();
        while let Some(frame) = frames.next()? {
            let Some(function) = frame.function else { continue };
            let place = frame.location.and_then(|at| at.file.zip(at.line));
            let place = place.map(|(file, line)| format!(" at {}:{line}", short(file)));
            found.push((function.demangle()?.into_owned(), place.unwrap_or_default()));
        }
        // Of the function that the others were inlined into the symbol has the whole path.
        match (found.last_mut(), symbol(&file, offset)) {
            (Some((name, _)), Some(whole)) => *name = whole,
            (None, Some(whole)) => found.push((whole, String::new())),
            (_, None) => {}
        }
        names.extend(found.into_iter().map(|(name, place)| name + &place));
    }
    Ok(())
}

/// The function that the file's tables of symbols have at a place.
fn symbol<'d>(file: &impl Object<'d>, offset: u64) -> Option<String> {
    let mut all = file.symbols().chain(file.dynamic_symbols());
    let symbol = all.find(|symbol| {
        let into = offset.checked_sub(symbol.address());
        into.is_some_and(|into| into < symbol.size())
    })?;
    Some(addr2line::demangle_auto(symbol.name().ok()?.into(), None).into_owned())
}

/// A path of our own sources from their root on.
fn short(file: &str) -> &str {
    let own = env!("CARGO_MANIFEST_DIR");
    let root = own.strip_suffix("sysdep/daemon").unwrap_or(own);
    file.strip_prefix(root).unwrap_or(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(build: &str, offset: usize) -> String {
        let own = std::env::current_exe().unwrap();
        let own = own.display();
        format!(
            "\ndunlin: SIGABRT in thread 1\n{CALLS} (how):\n  #0 0x1 {own}+{offset:#x}\n  #1 0x2 \
             /nonexistent+0x1\n{BUILDS}\n  {own} {build}\nLast records:\n  -0.1 #0 start\nEnd of report\n"
        )
    }

    /// Where a function of this program is in its file.
    fn offset() -> usize {
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        let own = std::env::current_exe().unwrap().display().to_string();
        let first = maps.lines().find(|line| line.ends_with(&own)).unwrap();
        let start = usize::from_str_radix(first.split('-').next().unwrap(), 16).unwrap();
        let function: fn(&str) -> bool = is_report;
        function as usize - start
    }

    #[test]
    fn calls_of_the_same_build_are_named_and_of_another_are_not() {
        let own = build_id::of(&std::env::current_exe().unwrap()).expect("a build id");
        let text = report(&own, offset());
        let with_names = named(&text);
        let names: Vec<_> = with_names.lines().filter(|line| line.starts_with(INDENT)).collect();
        assert!(!names.is_empty(), "{with_names}");
        let last = names.last().unwrap();
        assert!(last.contains("is_report at sysdep/daemon/src/calls.rs:"), "{with_names}");
        let without: Vec<_> = with_names.lines().filter(|line| !line.starts_with(INDENT)).collect();
        assert_eq!(without, text.lines().collect::<Vec<_>>(), "nothing is lost");
        assert_eq!(named(&with_names), with_names, "nothing is named twice");
        let other = report("0123456789abcdef", offset());
        assert_eq!(named(&other), other);
    }

    #[test]
    fn whatever_is_read_is_left_as_it_is() {
        for text in [
            "",
            "\n",
            "  #0 0x1 /bin/sh+0x1\n",
            "Builds:\n  x\n  y z\n",
            "Calls, innermost first:\n  #x\n  #1\n  #1 0x1\n  #1 0x1 a+0xzz\n",
        ] {
            assert_eq!(named(text), text);
        }
        assert!(is_report(&report("0", 0)) && !is_report("dunlin"));
    }

    #[test]
    fn a_call_is_before_where_it_returns_to() {
        let call = |file, offset| Some(Call { file, offset });
        assert_eq!(Call::parse("  #0 0x7f /usr/a b+0x10"), call("/usr/a b", 16));
        assert_eq!(Call::parse("  #12 0x7f /usr/a+b+0x10"), call("/usr/a+b", 15));
        assert_eq!(Call::parse("  #12 0x7f"), None);
    }
}
