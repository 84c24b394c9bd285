//! The build id of a program or library: what the linker puts into its file so that one build can be told from
//! another. Names for addresses come from the same build only.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// The build id of a file as hexadecimal digits; none if it is no 64-bit ELF file of this machine's byte order, or
/// has none.
pub fn of(path: &Path) -> Option<String> {
    let file = File::open(path).ok()?;
    let mut header = [0; HEADER];
    file.read_exact_at(&mut header, 0).ok()?;
    let order = if cfg!(target_endian = "little") { 1 } else { 2 };
    if !header.starts_with(b"\x7fELF") || header[4..6] != [2, order] {
        return None;
    }
    let (table, size) = (number::<8>(&header, 32)?, number::<2>(&header, 54)?);
    for at in 0..number::<2>(&header, 56)? {
        let mut part = [0; PART];
        file.read_exact_at(&mut part, table.checked_add(at * size)?).ok()?;
        if number::<4>(&part, 0)? != NOTE {
            continue;
        }
        let length = usize::try_from(number::<8>(&part, 32)?.min(LONGEST)).ok()?;
        let mut notes = vec![0; length];
        file.read_exact_at(&mut notes, number::<8>(&part, 8)?).ok()?;
        if let Some(id) = among(&notes) {
            return Some(id.iter().map(|byte| format!("{byte:02x}")).collect());
        }
    }
    None
}

/// The build id among notes: each has the lengths of its name and of what it says, a kind, then both, filled up to
/// whole words of four bytes.
fn among(mut notes: &[u8]) -> Option<&[u8]> {
    loop {
        let length = |at| usize::try_from(number::<4>(notes, at)?).ok();
        let (name, text, kind) = (length(0)?, length(4)?, number::<4>(notes, 8)?);
        let begin = 12_usize.checked_add(name.checked_next_multiple_of(4)?)?;
        let end = begin.checked_add(text)?;
        if kind == BUILD_ID && notes.get(12..12 + name)? == b"GNU\0" {
            return notes.get(begin..end).filter(|id| !id.is_empty());
        }
        notes = notes.get(end.checked_next_multiple_of(4)?..)?;
    }
}

/// A number of `N` bytes.
fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes: [u8; N] = bytes.get(at..)?.first_chunk().copied()?;
    let mut whole = [0; 8];
    if cfg!(target_endian = "little") {
        whole[..N].copy_from_slice(&bytes);
    } else {
        whole[8 - N..].copy_from_slice(&bytes);
    }
    Some(u64::from_ne_bytes(whole))
}

/// Bytes of the file's header, and of an entry of its table of parts.
const HEADER: usize = 64;
const PART: usize = 56;
/// A part with notes, and the kind of note.
const NOTE: u64 = 4;
const BUILD_ID: u64 = 3;
/// More notes than this are nobody's.
const LONGEST: u64 = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn note(name: &[u8], kind: u32, text: &[u8]) -> Vec<u8> {
        let mut note = Vec::new();
        for word in [name.len() as u32, text.len() as u32, kind] {
            note.extend(word.to_ne_bytes());
        }
        for part in [name, text] {
            note.extend(part);
            note.resize(note.len().next_multiple_of(4), 0);
        }
        note
    }

    #[test]
    fn it_is_found_among_other_notes() {
        let id = [1, 2, 3, 0xff];
        let others = [note(b"Other\0", 3, b"x"), note(b"GNU\0", 1, &[7; 16])].concat();
        assert_eq!(among(&[others.clone(), note(b"GNU\0", 3, &id)].concat()), Some(&id[..]));
        assert_eq!(among(&others), None);
        for end in 0..20 {
            assert_eq!(among(&note(b"GNU\0", 3, &id)[..end.min(19)]), None, "{end}");
        }
        let mut long = note(b"GNU\0", 1, &id);
        long[4..8].copy_from_slice(&u32::MAX.to_ne_bytes());
        assert_eq!(among(&long), None);
    }

    #[test]
    fn what_is_no_program_has_none() {
        assert_eq!(of(Path::new("/proc/self/status")), None);
        assert_eq!(of(Path::new("/nonexistent")), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_program_has_one_and_the_same_by_any_path() {
        let own = of(&std::env::current_exe().unwrap());
        assert_eq!(of(Path::new("/proc/self/exe")), own);
        // A linker may be told to leave it out.
        assert!(own.is_none_or(|id| id.len() >= 16 && id.len() % 2 == 0));
    }
}
