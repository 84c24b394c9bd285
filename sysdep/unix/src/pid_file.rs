//! The file that says which process the daemon is.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// A pid file; removed when this is dropped, unless it holds another process's number.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
    file: File,
    written: bool,
}

impl PidFile {
    /// Opens the file, while the daemon may still do so and can still complain.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        let describe = |error: io::Error| {
            let text = format!("Cannot open pid file {}: {error}", path.display());
            io::Error::new(error.kind(), text)
        };
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(false).open(path).map_err(describe)?;
        Ok(Self { path: std::path::absolute(path).map_err(describe)?, file, written: false })
    }

    /// Writes this process's number, once it has the one it keeps.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        writeln!(self.file, "{}", dunlin_os::process::id())?;
        self.written = true;
        Ok(())
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        let empty = self.file.metadata().is_ok_and(|data| data.len() == 0);
        if self.written || empty {
            // It has gone already, or it stays behind; neither matters to a process that ends.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::PidFile;

    #[test]
    fn it_is_there_while_the_daemon_runs() {
        let path = std::env::temp_dir().join(format!("dunlin-pid-{}", std::process::id()));
        std::fs::write(&path, "an old and longer text\n").unwrap();
        let mut file = PidFile::open(&path).unwrap();
        file.write().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
        drop(file);
        assert!(!path.exists());
        drop(PidFile::open(&path).unwrap());
        assert!(!path.exists(), "an empty file of a daemon that did not start");
        std::fs::write(&path, "1\n").unwrap();
        drop(PidFile::open(&path).unwrap());
        assert!(path.exists(), "a file of somebody else");
        std::fs::remove_file(&path).unwrap();
        assert!(PidFile::open("/nowhere/pid".as_ref()).is_err());
    }
}
