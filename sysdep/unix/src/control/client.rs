//! One client of a control socket.

use std::io;
use std::sync::Arc;

use dunlin_core::command::{Answer, Session, SessionParts};
use dunlin_core::log::LogClass;
use dunlin_runtime::{Class, Context, EventId, Interest, Loop, OwnedSocket, Ready, SocketId};

use super::Seat;
use super::lines::{Lines, Next};

/// Output beyond this many bytes makes a long listing wait.
const ENOUGH: usize = 64 << 10;

/// Written at once, in whole lines. The kernel takes a piece of this size whole or not at all, and
/// clients that look for the last line of a reply in each read make room for as much.
const PIECE: usize = 4096;

/// See the module.
pub(super) struct Client {
    incoming: Option<(OwnedSocket, SessionParts)>,
    connection: Option<Connection>,
    /// Goes on with what is left of a turn.
    again: EventId,
    _seat: Seat,
}

/// What there is while the client is connected.
struct Connection {
    socket: SocketId,
    session: Session,
    lines: Lines,
    /// The client sends nothing more.
    ended: bool,
    /// A listing waits for room in the output.
    stalled: bool,
    interest: Interest,
}

/// How a turn ended.
enum Turn {
    /// Something has to happen first.
    Wait {
        /// The socket takes no more.
        blocked: bool,
    },
    /// There is more to do, after others.
    Again,
    /// The client has gone.
    Gone,
}

impl Client {
    pub(super) fn new(socket: OwnedSocket, parts: SessionParts, seat: Seat) -> Self {
        let incoming = Some((socket, parts));
        Self { incoming, connection: None, again: EventId::NONE, _seat: seat }
    }

    fn connect(&mut self, cx: &mut Context<'_>) -> Option<Connection> {
        let (socket, mut parts) = self.incoming.take()?;
        let socket = cx.adopt(socket).ok()?;
        let own = cx.own::<Answer>()?;
        parts.answers = Arc::new(move |answer| {
            // A client that has gone needs no answer. A listing is one loop's work among that of
            // others, in small pieces: as bulk work each of its many pieces would wait for the floor
            // of that class while routes are loaded.
            let _ = own.send(Class::Routing, answer);
        });
        say(&parts, "connect");
        Some(Connection {
            socket,
            session: Session::new(parts),
            lines: Lines::default(),
            ended: false,
            stalled: false,
            interest: Interest::READ,
        })
    }

    fn turn(&mut self, cx: &mut Context<'_>) {
        let Some(connection) = &mut self.connection else { return };
        match connection.turn(cx) {
            Turn::Wait { blocked } => {
                if connection.wait(cx, blocked).is_err() {
                    cx.stop_self();
                }
            }
            Turn::Again => {
                cx.schedule(self.again);
            }
            Turn::Gone => cx.stop_self(),
        }
    }
}

impl Connection {
    /// Writes, answers and goes on with listings until nothing of that is possible.
    fn turn(&mut self, cx: &mut Context<'_>) -> Turn {
        loop {
            let Ok(blocked) = self.write(cx) else { return Turn::Gone };
            if self.session.output().len() >= ENOUGH {
                return Turn::Wait { blocked };
            }
            if self.session.is_busy() {
                if !core::mem::take(&mut self.stalled) {
                    return Turn::Wait { blocked };
                }
                self.session.resume(cx);
                self.note_stall();
            } else if !self.command(cx) {
                let done = self.ended && self.session.output().is_empty();
                return if done { Turn::Gone } else { Turn::Wait { blocked } };
            }
            if cx.over_budget() {
                return Turn::Again;
            }
        }
    }

    /// A listing that stopped because the output was full has to be told when there is room.
    fn note_stall(&mut self) {
        self.stalled = self.session.is_busy() && self.session.output().len() >= ENOUGH;
    }

    /// Writes what there is; true if the socket takes no more.
    fn write(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        let output = self.session.output();
        while !output.is_empty() {
            match cx.write(self.socket, output.piece(PIECE)) {
                Ok(count) => output.consume(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    /// Runs the next command, if a whole one is there.
    fn command(&mut self, cx: &mut Context<'_>) -> bool {
        match self.lines.next() {
            None => return false,
            Some(Next::TooLong) => self.session.too_long(),
            Some(Next::Command(line)) => {
                self.session.line(cx, &line);
                self.note_stall();
            }
        }
        true
    }

    /// Reads what there is room for.
    fn read(&mut self, cx: &mut Context<'_>) {
        let mut buffer = cx.take_read_buffer();
        while !self.ended {
            let room = self.lines.room().min(buffer.len());
            let Some(space) = buffer.get_mut(..room).filter(|space| !space.is_empty()) else {
                break;
            };
            match cx.read(self.socket, space) {
                Ok(0) => self.ended = true,
                Ok(count) => self.lines.add(buffer.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => self.ended = true,
            }
        }
        cx.put_read_buffer(buffer);
    }

    /// Says what readiness matters now.
    fn wait(&mut self, cx: &mut Context<'_>, blocked: bool) -> io::Result<()> {
        let read = !self.ended && self.lines.room() > 0;
        let interest = Interest { read, write: blocked };
        if interest != self.interest {
            self.interest = interest;
            cx.interest(self.socket, interest)?;
        }
        Ok(())
    }
}

impl Loop for Client {
    type Message = Answer;

    fn start(&mut self, cx: &mut Context<'_>) {
        self.again = cx.event(Class::Routing);
        self.connection = self.connect(cx);
        if self.connection.is_none() {
            return cx.stop_self();
        }
        self.turn(cx);
    }

    fn message(&mut self, cx: &mut Context<'_>, answer: Answer) {
        if let Some(connection) = &mut self.connection {
            connection.session.answer(cx, answer);
            connection.note_stall();
        }
        self.turn(cx);
    }

    fn event(&mut self, cx: &mut Context<'_>, _event: EventId) {
        self.turn(cx);
    }

    fn ready(&mut self, cx: &mut Context<'_>, _socket: SocketId, ready: Ready) {
        let Some(connection) = &mut self.connection else { return };
        if ready.error && (connection.ended || connection.lines.room() == 0) {
            // Nobody reads any more. With the input full that would not be seen by reading, and be
            // reported again at once.
            return cx.stop_self();
        }
        if ready.readable {
            connection.read(cx);
        }
        self.turn(cx);
    }

    fn stop(&mut self, cx: &mut Context<'_>) {
        if let Some(connection) = &mut self.connection {
            // The last words of a daemon that ends, as far as the socket takes them.
            let _ = connection.write(cx);
        }
    }
}

fn say(parts: &SessionParts, what: &str) {
    if parts.shared.published().config.globals.debug.commands >= 1 {
        parts.shared.log.write(LogClass::Info, format_args!("CLI {what}"));
    }
}
