//! An echo server: one loop listens, each connection has a loop of its own.
//!
//! `cargo run -p dunlin-runtime --example echo`, then `nc 127.0.0.1 7007`.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use dunlin_runtime::{
    Class, Context, Interest, ListenOptions, Loop, OwnedSocket, Ready, Runtime, RuntimeOptions,
    SocketId, TimerId,
};

/// A connection without bytes for so long is closed.
const PATIENCE: Duration = Duration::from_secs(10);

/// Accepts connections.
pub(crate) struct Listener(pub(crate) SocketAddr);

impl Loop for Listener {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        if let Err(error) = cx.listen(self.0, &ListenOptions::default()) {
            eprintln!("cannot listen on {}: {error}", self.0);
            cx.runtime().shutdown();
        }
    }

    fn message(&mut self, _cx: &mut Context<'_>, (): ()) {}

    fn ready(&mut self, cx: &mut Context<'_>, socket: SocketId, _ready: Ready) {
        while let Ok((connection, peer)) = cx.accept(socket) {
            // From here on the connection belongs to a loop of its own, on whichever worker.
            if let Ok(connection) = cx.release(connection) {
                cx.spawn(&format!("echo {peer}"), Class::Control, Echo::new(connection));
            }
        }
    }
}

/// One connection.
struct Echo {
    given: Option<OwnedSocket>,
    handles: Option<(SocketId, TimerId)>,
    /// What has been read and not yet written.
    pending: Vec<u8>,
}

impl Echo {
    fn new(socket: OwnedSocket) -> Self {
        Self { given: Some(socket), handles: None, pending: Vec::new() }
    }

    /// Reads what is there.
    fn read(&mut self, cx: &mut Context<'_>, socket: SocketId) -> io::Result<()> {
        let mut buffer = cx.take_read_buffer();
        let result = cx.read(socket, &mut buffer);
        if let Ok(count) = result {
            self.pending.extend(buffer.iter().take(count));
        }
        cx.put_read_buffer(buffer);
        match result {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Writes what there is room for. While some is left, nothing more is read.
    fn write(&mut self, cx: &mut Context<'_>, socket: SocketId) -> io::Result<()> {
        while !self.pending.is_empty() {
            match cx.write(socket, &self.pending) {
                Ok(count) => drop(self.pending.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        cx.interest(socket, if self.pending.is_empty() { Interest::READ } else { Interest::WRITE })
    }
}

impl Loop for Echo {
    type Message = ();

    fn start(&mut self, cx: &mut Context<'_>) {
        let adopted = self.given.take().and_then(|socket| cx.adopt(socket).ok());
        let Some(socket) = adopted else { return cx.stop_self() };
        let timer = cx.timer(Class::Control);
        cx.arm_after(timer, PATIENCE);
        self.handles = Some((socket, timer));
    }

    fn message(&mut self, _cx: &mut Context<'_>, (): ()) {}

    fn ready(&mut self, cx: &mut Context<'_>, socket: SocketId, ready: Ready) {
        let read = if ready.readable { self.read(cx, socket) } else { Ok(()) };
        if read.and_then(|()| self.write(cx, socket)).is_err() {
            // The socket and the timer go with the loop.
            return cx.stop_self();
        }
        if let Some((_, timer)) = self.handles {
            cx.arm_after(timer, PATIENCE);
        }
    }

    fn timer(&mut self, cx: &mut Context<'_>, _timer: TimerId) {
        cx.stop_self();
    }
}

fn main() -> io::Result<()> {
    let runtime = Runtime::new(RuntimeOptions { threads: 2, ..RuntimeOptions::default() })?;
    let address = SocketAddr::from(([127, 0, 0, 1], 7007));
    runtime.spawn("listener", Class::Control, Listener(address));
    runtime.join();
    Ok(())
}
