//! Where a program keeps its control socket when nobody says where: the same list for the daemon that makes
//! it and for the client that looks for it.

use std::env;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::process;

/// The places of a program's control socket, in the order in which they are tried:
/// `$XDG_RUNTIME_DIR/NAME.ctl`, `/tmp/NAME-UID/NAME.ctl`, `/run/NAME/NAME.ctl`.
pub fn control_sockets(name: &str) -> Vec<PathBuf> {
    places(name, env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).as_deref(), process::user())
}

fn places(name: &str, runtime_dir: Option<&Path>, user: u32) -> Vec<PathBuf> {
    let file = format!("{name}.ctl");
    let runtime_dir = runtime_dir.filter(|path| path.is_absolute());
    let mut list: Vec<PathBuf> = runtime_dir.map(|path| path.join(&file)).into_iter().collect();
    list.push(Path::new("/tmp").join(format!("{name}-{user}")).join(&file));
    list.push(Path::new("/run").join(name).join(&file));
    list
}

/// Makes the directory of a control socket, for this user alone, if it is not there yet.
///
/// # Errors
/// If it cannot be made, or is not a directory that belongs to this user or root: in `/tmp` anybody may
/// have made it before us.
pub fn make_socket_dir(socket: &Path) -> io::Result<()> {
    let Some(dir) = socket.parent().filter(|dir| !dir.as_os_str().is_empty()) else {
        return Ok(());
    };
    match DirBuilder::new().mode(0o700).create(dir) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => check_socket_dir(socket),
        Err(error) => Err(error),
    }
}

/// Checks that a control socket's directory belongs to this user or to root, so that what answers there is
/// what it seems to be.
///
/// # Errors
/// If it belongs to somebody else or cannot be looked at.
pub fn check_socket_dir(socket: &Path) -> io::Result<()> {
    let Some(dir) = socket.parent().filter(|dir| !dir.as_os_str().is_empty()) else {
        return Ok(());
    };
    let metadata = fs::symlink_metadata(dir)?;
    let owner = metadata.uid();
    if metadata.is_dir() && (owner == 0 || owner == process::user()) {
        return Ok(());
    }
    let text = format!("{} is not a directory of this user", dir.display());
    Err(io::Error::new(io::ErrorKind::PermissionDenied, text))
}

#[cfg(test)]
mod tests {
    use super::{check_socket_dir, make_socket_dir, places};
    use std::path::Path;

    #[test]
    fn places_in_order() {
        let list = places("dunlin", Some(Path::new("/run/user/7")), 7);
        let list: Vec<_> = list.iter().map(|path| path.to_str().unwrap()).collect();
        assert_eq!(
            list,
            ["/run/user/7/dunlin.ctl", "/tmp/dunlin-7/dunlin.ctl", "/run/dunlin/dunlin.ctl"]
        );
        assert_eq!(places("x", Some(Path::new("relative")), 0)[0], Path::new("/tmp/x-0/x.ctl"));
    }

    #[test]
    fn directories_are_made_once_and_checked() {
        let dir = std::env::temp_dir().join(format!("dunlin-place-{}", std::process::id()));
        let socket = dir.join("x.ctl");
        make_socket_dir(&socket).unwrap();
        make_socket_dir(&socket).unwrap();
        check_socket_dir(&socket).unwrap();
        std::fs::remove_dir(&dir).unwrap();
        std::fs::write(&dir, "").unwrap();
        assert!(make_socket_dir(&socket).is_err());
        std::fs::remove_file(&dir).unwrap();
        assert!(check_socket_dir(Path::new("here.ctl")).is_ok());
    }
}
