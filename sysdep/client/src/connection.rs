//! The connection to the daemon.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use crate::reply::Line;

/// Bytes asked for at once.
const CHUNK: usize = 65536;

/// An open control socket.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: UnixStream,
    /// Received; what is before `at` has been handed out.
    received: Vec<u8>,
    at: usize,
}

/// What a reply came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It is complete; its last code.
    Complete(u16),
    /// The daemon closed the connection.
    Closed,
}

impl Connection {
    /// Connects to the socket at `path`.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { stream: UnixStream::connect(path)?, received: Vec::new(), at: 0 })
    }

    /// Sends one command.
    pub(crate) fn send(&mut self, command: &str) -> io::Result<()> {
        let mut line = command.replace(['\r', '\n'], " ");
        line.push('\n');
        self.stream.write_all(line.as_bytes())
    }

    /// Reads a whole reply and hands out each line.
    pub(crate) fn reply(
        &mut self,
        mut each: impl FnMut(Line<'_>) -> io::Result<()>,
    ) -> io::Result<End> {
        loop {
            while let Some(line) = self.line() {
                let line = String::from_utf8_lossy(&line);
                let line = Line::read(&line);
                each(line)?;
                if let Line::Coded { code, last: true, .. } = line {
                    return Ok(End::Complete(code));
                }
            }
            if !self.receive()? {
                return Ok(End::Closed);
            }
        }
    }

    /// Reads what has come without being asked for. False if the daemon closed the connection.
    pub(crate) fn notices(
        &mut self,
        mut each: impl FnMut(Line<'_>) -> io::Result<()>,
    ) -> io::Result<bool> {
        self.stream.set_nonblocking(true)?;
        let open = loop {
            match self.receive() {
                Ok(true) => {}
                Ok(false) => break Ok(false),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break Ok(true),
                Err(error) => break Err(error),
            }
        };
        self.stream.set_nonblocking(false)?;
        while let Some(line) = self.line() {
            each(Line::read(&String::from_utf8_lossy(&line)))?;
        }
        open
    }

    /// Takes the next whole line out of what was received, without its end.
    fn line(&mut self) -> Option<Vec<u8>> {
        let rest = self.received.get(self.at..)?;
        let length = rest.iter().position(|&byte| byte == b'\n')?;
        let line = rest.get(..length)?;
        let line = line.strip_suffix(b"\r").unwrap_or(line).to_vec();
        self.at += length + 1;
        Some(line)
    }

    /// Receives more; false at the end of the stream.
    fn receive(&mut self) -> io::Result<bool> {
        self.received.drain(..self.at);
        self.at = 0;
        let old = self.received.len();
        self.received.resize(old + CHUNK, 0);
        let result = loop {
            match self.stream.read(&mut self.received[old..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result,
            }
        };
        let length = *result.as_ref().unwrap_or(&0);
        self.received.truncate(old + length);
        result.map(|length| length > 0)
    }
}

/// Where no daemon answered, and why.
#[derive(Debug)]
pub(crate) struct Unreachable {
    tried: Vec<(PathBuf, io::Error)>,
}

impl Unreachable {
    /// The text for people: what was tried, and how to go on.
    pub(crate) fn explain(&self) -> String {
        let mut text = String::from("dunlinc: no daemon answers. Tried:\n");
        for (path, error) in &self.tried {
            text.push_str(&format!("  {}: {}\n", path.display(), plain(error)));
        }
        let denied =
            |(_, error): &(PathBuf, io::Error)| error.kind() == io::ErrorKind::PermissionDenied;
        if self.tried.iter().any(denied) {
            text.push_str("You may lack the right to use the socket: try as the daemon's user.\n");
        }
        text.push_str(
            "Start the daemon with `dunlin` (`cargo run --release` in its source tree),\n\
             or name its control socket with -s SOCKET.\n",
        );
        text
    }
}

/// The system's words without the number behind them.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

/// Connects to the first of these sockets at which somebody answers. A socket in a directory of somebody
/// else is passed over: who made it may not be the daemon. (One that the user named is taken as it is.)
pub(crate) fn open_first(paths: &[PathBuf], named: bool) -> Result<Connection, Unreachable> {
    let mut tried = Vec::new();
    for path in paths {
        let checked = if named { Ok(()) } else { dunlin_os::place::check_socket_dir(path) };
        match checked.and_then(|()| Connection::open(path)) {
            Ok(connection) => return Ok(connection),
            Err(error) => tried.push((path.clone(), error)),
        }
    }
    Err(Unreachable { tried })
}

#[cfg(test)]
mod tests {
    use super::{Connection, End, open_first};
    use std::io::Write;
    use std::os::unix::net::UnixStream;
    use std::path::PathBuf;

    fn pair() -> (Connection, UnixStream) {
        let (stream, other) = UnixStream::pair().unwrap();
        (Connection { stream, received: Vec::new(), at: 0 }, other)
    }

    #[test]
    fn replies_end_where_they_end() {
        let (mut connection, mut daemon) = pair();
        daemon.write_all(b"1002-a\n b\n0000 \n8003 No\r\n+hey").unwrap();
        let mut seen = Vec::new();
        let mut read = |connection: &mut Connection| {
            connection.reply(|line| {
                seen.extend(line.shown(false));
                Ok(())
            })
        };
        assert_eq!(read(&mut connection).unwrap(), End::Complete(0));
        assert_eq!(read(&mut connection).unwrap(), End::Complete(8003));
        daemon.write_all(b"!\n0013 x").unwrap();
        assert!(
            connection
                .notices(|line| {
                    seen.extend(line.shown(false));
                    Ok(())
                })
                .unwrap()
        );
        drop(daemon);
        assert_eq!(connection.reply(|_| Ok(())).unwrap(), End::Closed);
        assert_eq!(seen, ["a", "b", "No", ">>> hey!"]);
    }

    #[test]
    fn what_was_tried_is_told() {
        let paths = [PathBuf::from("/nonexistent/a.ctl"), PathBuf::from("/nonexistent/b.ctl")];
        let text = open_first(&paths, true).unwrap_err().explain();
        assert!(text.contains("/nonexistent/a.ctl: No such file or directory\n"), "{text}");
        assert!(text.contains("/nonexistent/b.ctl"), "{text}");
        assert!(text.contains("-s SOCKET"), "{text}");
    }
}
