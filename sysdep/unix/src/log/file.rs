//! Log files.
//!
//! One that cannot be opened, as while no descriptor is left, is tried again while there is something to
//! write to it. Until then lines go where they went before, or wait; how many found no room is said.

use core::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use dunlin_core::config::LogFile;
use dunlin_os::clock;

/// The open log files; a path that is named twice is one file.
#[derive(Debug, Default)]
pub(super) struct LogFiles {
    files: Vec<Output>,
}

/// A file, and what waits to be written to it.
#[derive(Debug)]
struct Output {
    path: PathBuf,
    /// What the path names, or named before it has to be opened again; none if it never was.
    file: Option<File>,
    size: u64,
    /// Beyond this size it becomes the backup.
    rotate: Option<(u64, PathBuf)>,
    pending: Vec<u8>,
    /// It has to be opened, which was last tried then: nanoseconds of the monotonic clock.
    tried: Option<u64>,
    /// Lines that found no file and no room.
    lost: u64,
}

/// Held text beyond this is written at once.
const ENOUGH: usize = 64 << 10;

/// How often a file that cannot be opened is tried again, in nanoseconds.
const AGAIN: u64 = 1_000_000_000;

impl LogFiles {
    /// Opens a file, seen from `directory`; its number, and whether it is open.
    pub(super) fn open(&mut self, config: &LogFile, directory: &Path) -> (usize, io::Result<()>) {
        let rotate = config.rotate.as_ref();
        let rotate = rotate.map(|(limit, backup)| (u64::from(*limit), directory.join(backup)));
        self.add(&directory.join(&config.path), rotate)
    }

    /// Opens a file that is never rotated; its number, and whether it is open.
    pub(super) fn open_plain(&mut self, path: &Path) -> (usize, io::Result<()>) {
        self.add(path, None)
    }

    fn add(&mut self, path: &Path, rotate: Option<(u64, PathBuf)>) -> (usize, io::Result<()>) {
        if let Some(index) = self.files.iter().position(|file| file.path == path) {
            return (index, Ok(()));
        }
        let mut output = Output::new(path.to_owned(), rotate);
        let opened = output.open();
        self.files.push(output);
        (self.files.len() - 1, opened)
    }

    /// Whether a file is open.
    pub(super) fn is_open(&self, index: usize) -> bool {
        self.files.get(index).is_some_and(|output| output.file.is_some())
    }

    /// These replace others: what cannot be opened again goes on where it was.
    pub(super) fn take_over(&mut self, old: &mut Self) {
        for output in self.files.iter_mut().filter(|output| output.file.is_none()) {
            if let Some(old) = old.files.iter_mut().find(|old| old.path == output.path) {
                (output.file, output.size, output.lost) = (old.file.take(), old.size, old.lost);
                output.pending = core::mem::take(&mut old.pending);
            }
        }
    }

    /// How many lines were lost in files that are open by now; they are told once.
    pub(super) fn take_lost(&mut self) -> u64 {
        let open = self.files.iter_mut().filter(|output| output.file.is_some());
        open.map(|output| core::mem::take(&mut output.lost)).sum()
    }

    /// Adds a line to a file.
    pub(super) fn write(&mut self, index: usize, line: fmt::Arguments<'_>) {
        if let Some(file) = self.files.get_mut(index) {
            file.line(line);
        }
    }

    /// Writes what was held.
    pub(super) fn flush(&mut self) {
        self.files.iter_mut().for_each(Output::flush);
    }
}

impl Output {
    fn new(path: PathBuf, rotate: Option<(u64, PathBuf)>) -> Self {
        Self { path, file: None, size: 0, rotate, pending: Vec::new(), tried: None, lost: 0 }
    }

    /// Opens what the path names now. What was open stays so if that cannot be.
    fn open(&mut self) -> io::Result<()> {
        self.tried = Some(clock::monotonic());
        let file = OpenOptions::new().append(true).create(true).open(&self.path)?;
        self.size = file.metadata()?.len();
        (self.file, self.tried) = (Some(file), None);
        Ok(())
    }

    fn open_again(&mut self) {
        if self.tried.is_some_and(|tried| clock::monotonic().saturating_sub(tried) >= AGAIN) {
            // It is tried once more then.
            let _ = self.open();
        }
    }

    fn line(&mut self, line: fmt::Arguments<'_>) {
        if self.file.is_none() && self.pending.len() >= ENOUGH {
            self.flush();
            if self.file.is_none() {
                self.lost += 1;
                return;
            }
        }
        let before = self.pending.len();
        // Writing to memory cannot fail.
        let _ = self.pending.write_fmt(line);
        let grown = self.size + self.pending.len() as u64;
        let full = self.rotate.as_ref().is_some_and(|(limit, _)| grown > *limit);
        if full && self.tried.is_none() {
            // The new line begins the new file.
            let line = self.pending.split_off(before);
            self.flush();
            self.begin_anew();
            self.pending = line;
        }
        if self.pending.len() >= ENOUGH {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        self.open_again();
        let Some(file) = &mut self.file else { return };
        // A full disk must not stop the daemon.
        if file.write_all(&self.pending).is_ok() {
            self.size += self.pending.len() as u64;
        }
        self.pending.clear();
    }

    /// Makes the file the backup and begins a new one. If the first cannot be, it grows on; until the
    /// second can be, the backup does.
    fn begin_anew(&mut self) {
        let Some((_, backup)) = &self.rotate else { return };
        if self.size > 0 && std::fs::rename(&self.path, backup).is_ok() {
            // It is tried again then.
            let _ = self.open();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn files_are_rotated() {
        let directory = std::env::temp_dir().join(format!("dunlin-rotate-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let (path, backup) = (directory.join("log"), directory.join("backup"));
        let mut files = LogFiles::default();
        let config = LogFile { path: path.clone(), rotate: Some((60, backup.clone())) };
        let index = files.open(&config, Path::new("")).0;
        assert_eq!(files.open(&config, Path::new("")).0, index);
        for text in ["one", "two", "three", "four", "five"] {
            files.write(index, format_args!("{}\n", text.repeat(7)));
        }
        files.flush();
        let read = |path| fs::read_to_string(path).unwrap();
        assert_eq!(read(&backup), format!("{}\n", "three".repeat(7)));
        assert_eq!(read(&path), format!("{}\n{}\n", "four".repeat(7), "five".repeat(7)));
        fs::remove_dir_all(&directory).unwrap();
    }

    /// A folder that is not there stands in for a system that opens nothing.
    #[test]
    fn what_cannot_be_opened_waits_and_is_tried_again() {
        let directory = std::env::temp_dir().join(format!("dunlin-late-{}", std::process::id()));
        let path = directory.join("log");
        let mut files = LogFiles::default();
        let config = LogFile { path: path.clone(), rotate: None };
        let (index, opened) = files.open(&config, Path::new(""));
        assert!(opened.is_err() && !files.is_open(index));
        let line = "x".repeat(1023);
        for _ in 0..100 {
            files.write(index, format_args!("{line}\n"));
        }
        files.flush();
        fs::create_dir_all(&directory).unwrap();
        files.flush();
        assert!(!files.is_open(index), "not at once");
        assert_eq!(files.take_lost(), 0, "not told before it can be read");
        files.files[index].tried = Some(0);
        files.flush();
        assert!(files.is_open(index));
        assert_eq!((files.take_lost(), files.take_lost()), (36, 0));
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 64);
        fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn what_cannot_be_opened_again_goes_on_where_it_was() {
        let directory = std::env::temp_dir().join(format!("dunlin-keep-{}", std::process::id()));
        let (path, moved) = (directory.join("log/log"), directory.join("moved"));
        fs::create_dir_all(directory.join("log")).unwrap();
        let config = LogFile { path: path.clone(), rotate: Some((100, directory.join("backup"))) };
        let (mut old, mut new) = (LogFiles::default(), LogFiles::default());
        let index = old.open(&config, Path::new("")).0;
        fs::rename(directory.join("log"), &moved).unwrap();
        assert!(new.open(&config, Path::new("")).1.is_err());
        new.take_over(&mut old);
        for _ in 0..3 {
            new.write(index, format_args!("{}\n", "y".repeat(59)));
        }
        new.flush();
        assert_eq!(fs::read_to_string(moved.join("log")).unwrap().lines().count(), 3);
        fs::create_dir(directory.join("log")).unwrap();
        new.files[index].tried = Some(0);
        new.write(index, format_args!("here again\n"));
        new.flush();
        assert_eq!(fs::read_to_string(&path).unwrap(), "here again\n");
        fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn a_backup_grows_on_until_there_is_a_new_file() {
        let directory = std::env::temp_dir().join(format!("dunlin-anew-{}", std::process::id()));
        fs::create_dir_all(directory.join("log")).unwrap();
        let (path, backup) = (directory.join("log/log"), directory.join("backup"));
        let mut files = LogFiles::default();
        let config = LogFile { path: path.clone(), rotate: Some((60, backup.clone())) };
        let index = files.open(&config, Path::new("")).0;
        files.write(index, format_args!("one\n"));
        files.flush();
        // As if opening had failed after the renaming.
        fs::rename(&path, &backup).unwrap();
        files.files[index].tried = Some(clock::monotonic());
        files.write(index, format_args!("{}\n", "two".repeat(30)));
        files.flush();
        assert_eq!(fs::read_to_string(&backup).unwrap().lines().count(), 2);
        files.files[index].tried = Some(0);
        files.write(index, format_args!("three\n"));
        files.flush();
        assert_eq!(fs::read_to_string(&path).unwrap(), "three\n");
        fs::remove_dir_all(&directory).unwrap();
    }
}
