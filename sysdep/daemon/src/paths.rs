//! Where things are.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

/// The name the program was called by: it stands in front of lines on standard error.
pub(crate) fn program_name(argument: Option<OsString>) -> String {
    let path = argument.map(PathBuf::from).unwrap_or_default();
    path.file_name().map_or_else(|| "dunlin".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// The control socket where none is given: a place that needs no root, the same in the client.
pub(crate) fn default_socket() -> io::Result<PathBuf> {
    if let Some(directory) = std::env::var_os("XDG_RUNTIME_DIR").filter(|path| !path.is_empty()) {
        let directory = PathBuf::from(directory);
        if directory.is_dir() {
            return Ok(directory.join("dunlin.ctl"));
        }
    }
    let directory = PathBuf::from(format!("/tmp/dunlin-{}", dunlin_os::process::user()));
    make_private(&directory)?;
    Ok(directory.join("dunlin.ctl"))
}

/// Makes a directory that is nobody else's.
fn make_private(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
    match std::fs::DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        other => other?,
    }
    let metadata = std::fs::symlink_metadata(directory)?;
    if metadata.is_dir() && metadata.uid() == dunlin_os::process::user() {
        return Ok(());
    }
    let text = format!("{} belongs to somebody else", directory.display());
    Err(io::Error::new(io::ErrorKind::PermissionDenied, text))
}
