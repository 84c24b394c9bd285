//! Control sockets: who listens.
//!
//! Invariants:
//! * A socket that another process listens on is never taken away from it; one that a dead process
//!   left behind is.
//! * A client has a loop of its own, so a slow one costs its output queue and nothing else.

mod client;
mod lines;

use std::io;
use std::path::{Path, PathBuf};

use dunlin_core::command::SessionParts;
use dunlin_core::log::LogClass;
use dunlin_os::socket::Socket;
use dunlin_runtime::{
    AcceptPause, Address, Class, Context, Loop, OwnedSocket, Ready, RuntimeHandle, SocketId,
    TimerId,
};

use self::client::Client;

/// Owner and group may use a control socket.
const MODE: u32 = 0o660;

/// Clients of one socket at a time.
const MAX_CLIENTS: usize = 256;

/// A control socket that is open but not served yet: clients that connect wait. Dropping it
/// removes the socket.
#[derive(Debug)]
pub struct Opened {
    path: PathBuf,
    socket: Option<Socket>,
}

impl Opened {
    /// Opens the socket at `path`.
    ///
    /// # Errors
    /// If another process uses it, or it cannot be made.
    pub fn new(path: &Path) -> io::Result<Self> {
        let socket = Socket::listen_unix(path, MODE).map_err(|error| {
            let text = if error.kind() == io::ErrorKind::AddrInUse {
                format!("Control socket {} is in use by a running process", path.display())
            } else {
                format!("Cannot open control socket {}: {error}", path.display())
            };
            io::Error::new(error.kind(), text)
        })?;
        Ok(Self { path: path.to_owned(), socket: Some(socket) })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Serves clients from now on.
    pub fn serve(mut self, runtime: &RuntimeHandle, parts: SessionParts) -> Served {
        let path = self.path.clone();
        let opened = self.socket.take().map(OwnedSocket::from_socket);
        let address = runtime.spawn_with("control", Class::Control, |own| Listener {
            own,
            path: path.clone(),
            opened,
            parts,
            clients: 0,
            pause: AcceptPause::default(),
        });
        Served { path, address }
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        if self.socket.is_some() {
            // It stays behind then; whoever comes next replaces it.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// A control socket that is served; dropping it ends that and removes the socket. Clients that are
/// connected stay.
#[derive(Debug)]
pub struct Served {
    path: PathBuf,
    address: Address<Notice>,
}

impl Served {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Later clients get these.
    pub fn change(&self, parts: SessionParts) {
        // Without a listener the daemon is ending.
        let _ = self.address.send(Class::Control, Notice::Parts(Box::new(parts)));
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.address.stop();
        // If it has gone already, so much the better.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// What a listener is told.
#[derive(Debug)]
enum Notice {
    /// Later clients get these.
    Parts(Box<SessionParts>),
    /// A client has gone.
    Gone,
}

/// A client's place among the clients that there may be, given back when it is dropped.
struct Seat(Address<Notice>);

impl Drop for Seat {
    fn drop(&mut self) {
        // Without a listener nobody counts.
        let _ = self.0.send(Class::Control, Notice::Gone);
    }
}

/// The loop that accepts clients.
struct Listener {
    own: Address<Notice>,
    path: PathBuf,
    opened: Option<OwnedSocket>,
    parts: SessionParts,
    clients: usize,
    pause: AcceptPause,
}

impl Listener {
    fn accept(&mut self, cx: &mut Context<'_>, listener: SocketId) -> io::Result<()> {
        loop {
            let (client, _) = cx.accept(listener)?;
            self.pause.worked();
            if self.clients >= MAX_CLIENTS {
                // It fits into the empty socket, or the client does not learn why.
                let _ = cx.write(client, b"8007 Too many clients\n");
                cx.close(client);
                self.say(LogClass::Warning, "too many clients");
                continue;
            }
            self.clients += 1;
            let seat = Seat(self.own.clone());
            let client = Client::new(cx.release(client)?, self.parts.clone(), seat);
            cx.spawn("client", Class::Control, client);
        }
    }

    fn say(&self, class: LogClass, what: &str) {
        let path = self.path.display();
        self.parts.shared.log.write(class, format_args!("Control socket {path}: {what}"));
    }
}

impl Loop for Listener {
    type Message = Notice;

    fn start(&mut self, cx: &mut Context<'_>) {
        self.pause.start(cx);
        if let Some(Err(error)) = self.opened.take().map(|socket| cx.adopt(socket)) {
            self.say(LogClass::Error, &error.to_string());
        }
    }

    fn message(&mut self, _cx: &mut Context<'_>, notice: Notice) {
        match notice {
            Notice::Parts(parts) => self.parts = *parts,
            Notice::Gone => self.clients = self.clients.saturating_sub(1),
        }
    }

    fn ready(&mut self, cx: &mut Context<'_>, socket: SocketId, _ready: Ready) {
        if let Err(error) = self.accept(cx, socket)
            && self.pause.failed(cx, socket, &error)
        {
            let wait = AcceptPause::SPAN;
            self.say(LogClass::Error, &format!("cannot accept, tries every {wait:?}: {error}"));
        }
    }

    fn timer(&mut self, cx: &mut Context<'_>, timer: TimerId) {
        self.pause.timer(cx, timer);
    }
}
