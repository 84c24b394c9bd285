//! The system's log.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::Arc;

use dunlin_core::log::LogClass;
use dunlin_core::timeformat::strftime;
use dunlin_os::{clock, process};

use super::sinks::Line;

/// Where the system takes messages.
const SOCKET: &str = "/dev/log";

/// Facility 3: system daemons.
const FACILITY: u8 = 3;

/// A way to the system's log, opened when needed and again when it was closed.
#[derive(Debug)]
pub(super) struct Syslog {
    name: Arc<str>,
    socket: Option<UnixDatagram>,
}

impl Syslog {
    pub(super) fn new(name: Arc<str>) -> Self {
        Self { name, socket: None }
    }

    /// Sends one message; a system that does not listen loses it.
    pub(super) fn write(&mut self, line: &Line<'_>) {
        let datagram = datagram(&self.name, process::id(), line);
        for _ in 0..2 {
            if self.socket.is_none() {
                self.socket = connect(Path::new(SOCKET)).ok();
            }
            let Some(socket) = &self.socket else { return };
            match socket.send(datagram.as_bytes()) {
                Ok(_) => return,
                // The receiver was restarted.
                Err(_) => self.socket = None,
            }
        }
    }
}

fn connect(path: &Path) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.connect(path)?;
    // A receiver that hangs must not fill the queue for the other destinations.
    socket.set_write_timeout(Some(core::time::Duration::from_millis(100)))?;
    Ok(socket)
}

/// As in RFC 3164, without the host's name, which local receivers do not expect.
fn datagram(name: &str, process: u32, line: &Line<'_>) -> String {
    let Line { class, wall, text, .. } = *line;
    let priority = FACILITY << 3 | severity(class);
    let time = strftime("%b %e %T", wall, clock::zone_offset(wall.0));
    format!("<{priority}>{time} {name}[{process}]: <{}> {text}", class.mark())
}

const fn severity(class: LogClass) -> u8 {
    match class {
        LogClass::Debug | LogClass::Trace => 7,
        LogClass::Info => 6,
        LogClass::Remote | LogClass::Warning => 4,
        LogClass::Error | LogClass::Auth => 3,
        LogClass::Fatal | LogClass::Bug => 2,
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use dunlin_core::timeformat::WallTime;

    use super::*;

    #[test]
    fn datagrams_are_of_rfc_3164() {
        let wall = WallTime(Duration::from_secs(1_795_355_255));
        let line = Line { class: LogClass::Warning, wall, head: "ignored", text: "odd" };
        let text = datagram("dunlin", 77, &line);
        let time = strftime("%b %e %T", wall, clock::zone_offset(wall.0));
        assert_eq!(text, format!("<28>{time} dunlin[77]: <WARN> odd"));
        assert_eq!(time.len(), 15);
    }
}
