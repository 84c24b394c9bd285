//! Log files.

use core::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use dunlin_core::config::LogFile;

/// The open log files; a path that is named twice is one file.
#[derive(Debug, Default)]
pub(super) struct LogFiles {
    files: Vec<Output>,
}

/// A file, and what waits to be written to it.
#[derive(Debug)]
struct Output {
    path: PathBuf,
    file: File,
    size: u64,
    /// Beyond this size it becomes the backup.
    rotate: Option<(u64, PathBuf)>,
    pending: Vec<u8>,
}

/// Held text beyond this is written at once.
const ENOUGH: usize = 64 << 10;

impl LogFiles {
    /// Opens a file, seen from `directory`; its number.
    pub(super) fn open(&mut self, config: &LogFile, directory: &Path) -> io::Result<usize> {
        let rotate = config.rotate.as_ref();
        let rotate = rotate.map(|(limit, backup)| (u64::from(*limit), directory.join(backup)));
        self.add(&directory.join(&config.path), rotate)
    }

    /// Opens a file that is never rotated; its number.
    pub(super) fn open_plain(&mut self, path: &Path) -> io::Result<usize> {
        self.add(path, None)
    }

    fn add(&mut self, path: &Path, rotate: Option<(u64, PathBuf)>) -> io::Result<usize> {
        if let Some(index) = self.files.iter().position(|file| file.path == path) {
            return Ok(index);
        }
        let file = append(path)?;
        let size = file.metadata()?.len();
        self.files.push(Output { path: path.to_owned(), file, size, rotate, pending: Vec::new() });
        Ok(self.files.len() - 1)
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
    fn line(&mut self, line: fmt::Arguments<'_>) {
        let before = self.pending.len();
        // Writing to memory cannot fail.
        let _ = self.pending.write_fmt(line);
        let grown = self.size + self.pending.len() as u64;
        if self.rotate.as_ref().is_some_and(|(limit, _)| grown > *limit) {
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
        // A full disk must not stop the daemon.
        if self.file.write_all(&self.pending).is_ok() {
            self.size += self.pending.len() as u64;
        }
        self.pending.clear();
    }

    /// Makes the file the backup. If that cannot be, it grows on.
    fn begin_anew(&mut self) {
        let Some((_, backup)) = &self.rotate else { return };
        if self.size > 0
            && std::fs::rename(&self.path, backup).is_ok()
            && let Ok(file) = append(&self.path)
        {
            self.file = file;
            self.size = 0;
        }
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
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
        let index = files.open(&config, Path::new("")).unwrap();
        assert_eq!(files.open(&config, Path::new("")).unwrap(), index);
        for text in ["one", "two", "three", "four", "five"] {
            files.write(index, format_args!("{}\n", text.repeat(7)));
        }
        files.flush();
        let read = |path| fs::read_to_string(path).unwrap();
        assert_eq!(read(&backup), format!("{}\n", "three".repeat(7)));
        assert_eq!(read(&path), format!("{}\n{}\n", "four".repeat(7), "five".repeat(7)));
        fs::remove_dir_all(&directory).unwrap();
    }
}
