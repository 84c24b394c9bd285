//! Shell patterns: matching of strings, and expansion of file name patterns.

use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};

use crate::files::Files;

/// Whether a pattern (`*`, `?`, `\` before a literal) matches the whole text. This is the
/// pattern of interface names and of the filter language.
#[must_use]
pub fn matches(pattern: &str, text: &str) -> bool {
    fits(pattern, text, false)
}

/// Whether a file name pattern, which has `[a-z]` too, matches the whole name.
#[must_use]
pub fn matches_file(pattern: &str, name: &str) -> bool {
    fits(pattern, name, true)
}

fn fits(pattern: &str, text: &str, classes: bool) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    // Where to go on after the last star if what follows it does not fit.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        if p == pattern.len() && t == text.len() {
            return true;
        }
        if pattern.get(p) == Some(&b'*') {
            retry = Some((p + 1, t));
            p += 1;
            continue;
        }
        if let Some(&byte) = text.get(t)
            && let Some(next) = match_one(pattern, p, byte, classes)
        {
            p = next;
            t += 1;
            continue;
        }
        match retry {
            Some((after, start)) if start < text.len() => {
                retry = Some((after, start + 1));
                (p, t) = (after, start + 1);
            }
            _ => return false,
        }
    }
}

/// Matches one byte against the pattern element at `at`; returns the index of the next element.
fn match_one(pattern: &[u8], at: usize, byte: u8, classes: bool) -> Option<usize> {
    match pattern.get(at)? {
        b'?' => Some(at + 1),
        b'\\' => (pattern.get(at + 1) == Some(&byte)).then_some(at + 2),
        b'[' if classes => match_class(pattern, at, byte),
        literal => (*literal == byte).then_some(at + 1),
    }
}

/// Matches a bracket expression; one that is never closed is a literal bracket.
fn match_class(pattern: &[u8], at: usize, byte: u8) -> Option<usize> {
    let negated = matches!(pattern.get(at + 1), Some(b'!' | b'^'));
    let start = at + 1 + usize::from(negated);
    let Some(length) = pattern.get(start + 1..)?.iter().position(|&c| c == b']') else {
        return (byte == b'[').then_some(at + 1);
    };
    let class = pattern.get(start..start + 1 + length)?;
    let mut found = false;
    let mut i = 0;
    while let Some(&low) = class.get(i) {
        if class.get(i + 1) == Some(&b'-')
            && let Some(&high) = class.get(i + 2)
        {
            found |= (low..=high).contains(&byte);
            i += 3;
        } else {
            found |= low == byte;
            i += 1;
        }
    }
    (found != negated).then_some(start + length + 2)
}

/// Whether a path has pattern characters at all.
#[must_use]
pub fn is_pattern(path: &str) -> bool {
    path.contains(['*', '?', '['])
}

/// The files that a path pattern names, in alphabetical order. Directories are left out, and
/// hidden files too unless the pattern asks for the dot.
///
/// # Errors
/// If a directory cannot be listed: taken for empty, it would make a configuration without its files.
/// One that only the pattern has found has nothing if it is no directory, or not there.
pub fn expand(pattern: &Path, files: &dyn Files) -> io::Result<Vec<PathBuf>> {
    let components: Vec<Component<'_>> = pattern.components().collect();
    let mut found = vec![PathBuf::new()];
    let mut is_found = false;
    for (index, component) in components.iter().enumerate() {
        let last = index + 1 == components.len();
        let name = component.as_os_str().to_str().unwrap_or("");
        if !last && !is_pattern(name) {
            found.iter_mut().for_each(|path| path.push(component));
            continue;
        }
        let mut next = Vec::new();
        // What the pattern names by itself has to be there.
        for path in found.iter().filter(|path| !is_found || files.is_directory(path)) {
            next.extend(children(path, name, files)?);
        }
        (found, is_found) = (next, true);
        found.retain(|path| files.is_directory(path) != last);
    }
    found.sort();
    Ok(found)
}

fn children(directory: &Path, pattern: &str, files: &dyn Files) -> io::Result<Vec<PathBuf>> {
    let names = match files.list(directory) {
        Err(error) if error.kind() == ErrorKind::NotADirectory => return Ok(Vec::new()),
        names => names?,
    };
    let fits = |name: &String| {
        matches_file(pattern, name) && (!name.starts_with('.') || pattern.starts_with('.'))
    };
    Ok(names.into_iter().filter(fits).map(|name| directory.join(name)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::MemoryFiles;

    #[test]
    fn shell_patterns_match_whole_strings() {
        for (pattern, text, expected) in [
            ("eth*", "eth0", true),
            ("eth*", "veth0", false),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("?", "ab", false),
            ("a?c", "abc", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
            ("[ab]x", "bx", true),
            ("[!ab]x", "bx", false),
            ("[a-c]x", "cx", true),
            ("[a-c]x", "dx", false),
            ("[a", "[a", true),
            (r"a\*", "a*", true),
            (r"a\*", "ab", false),
            (r"a\", "a", false),
        ] {
            assert_eq!(matches_file(pattern, text), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn only_file_names_have_classes() {
        assert!(matches("[ab]", "[ab]") && !matches("[ab]", "a") && matches("a?c*", "abcd"));
    }

    #[test]
    fn globs_expand_in_alphabetical_order_without_hidden_files() {
        let files = MemoryFiles::default()
            .with("/etc/b/z.conf", "")
            .with("/etc/b/.hidden.conf", "")
            .with("/etc/b/a.conf", "")
            .with("/etc/a/x.conf", "")
            .with("/etc/a/x.txt", "");
        let names = |pattern: &str| -> Vec<String> {
            let found = expand(Path::new(pattern), &files).unwrap();
            found.iter().map(|path| path.display().to_string()).collect()
        };
        assert_eq!(names("/etc/b/*.conf"), ["/etc/b/a.conf", "/etc/b/z.conf"]);
        assert_eq!(names("/etc/*/*.conf"), ["/etc/a/x.conf", "/etc/b/a.conf", "/etc/b/z.conf"]);
        assert!(names("/etc/b/*.txt").is_empty());
        // What a pattern has found need not have all that follows.
        assert!(names("/etc/*/none/*").is_empty() && names("/e*/none/*").is_empty());
        for missing in ["/none/*", "/none/*/*", "/etc/none/[ab]"] {
            let error = expand(Path::new(missing), &files).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFound, "{missing}");
        }
    }

    /// A file system without descriptors left.
    struct Exhausted;

    impl Files for Exhausted {
        fn read(&self, _: &Path) -> io::Result<Vec<u8>> {
            self.list(Path::new("")).map(|_| Vec::new())
        }
        fn list(&self, _: &Path) -> io::Result<Vec<String>> {
            Err(io::Error::from_raw_os_error(24))
        }
        fn is_directory(&self, _: &Path) -> bool {
            true
        }
    }

    #[test]
    fn a_directory_that_cannot_be_listed_is_an_error_and_not_empty() {
        let error = expand(Path::new("/etc/b/*.conf"), &Exhausted).unwrap_err().to_string();
        assert_eq!(error, "Too many open files (os error 24)");
    }
}
