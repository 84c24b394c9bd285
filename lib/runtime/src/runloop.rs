//! What a loop is.

use crate::{
    clocks::ClockJump,
    context::Context,
    ids::{EventId, JobId, SocketId, TimerId, WorkId},
    panic::Panic,
};

/// State that one worker at a time runs, by way of these handlers. A handler is short, never
/// blocks, and reaches the world only through its [`Context`].
///
/// Handlers of one loop never overlap, and each sees all that the one before it did, on whichever
/// worker they run.
pub trait Loop: Send + 'static {
    /// What other loops may send to this one.
    type Message: Send + 'static;

    /// First handler of all.
    fn start(&mut self, cx: &mut Context<'_>) {
        let _ = cx;
    }

    /// A message has come. Messages of one sender in one class pair (liveness and control; routing
    /// and bulk) come in the order sent.
    fn message(&mut self, cx: &mut Context<'_>, message: Self::Message);

    /// A timer has expired; it is disarmed now unless periodic.
    fn timer(&mut self, cx: &mut Context<'_>, timer: TimerId) {
        let _ = (cx, timer);
    }

    /// A scheduled event runs.
    fn event(&mut self, cx: &mut Context<'_>, event: EventId) {
        let _ = (cx, event);
    }

    /// A socket is ready for what its interest asks for. Readiness is a level: it is reported
    /// again as long as it holds.
    fn ready(&mut self, cx: &mut Context<'_>, socket: SocketId, ready: Ready) {
        let _ = (cx, socket, ready);
    }

    /// A piece of a long job: does some of it, asks [`Context::over_budget`] as it goes, and
    /// says whether there is more. [`Progress::More`] queues it again behind everything else.
    fn work(&mut self, cx: &mut Context<'_>, work: WorkId) -> Progress {
        let _ = (cx, work);
        Progress::Done
    }

    /// A step of a job for idle time: a bounded piece, a fraction of a millisecond, that asks
    /// [`Context::over_budget`] as it goes. [`Progress::More`] has it wait for its next step.
    fn job(&mut self, cx: &mut Context<'_>, job: JobId) -> Progress {
        let _ = (cx, job);
        Progress::Done
    }

    /// The wall clock was set, or the system was suspended: for loops that asked by
    /// [`Context::watch_clock`].
    fn clock_jumped(&mut self, cx: &mut Context<'_>, jump: &ClockJump) {
        let _ = (cx, jump);
    }

    /// Last handler of all; what the loop owns goes right after. Not after a panic.
    fn stop(&mut self, cx: &mut Context<'_>) {
        let _ = cx;
    }

    /// Whether the process is nothing without this loop. If so a panic in one of its handlers is
    /// reported as [`LogLevel::Fatal`](crate::LogLevel::Fatal), and whoever takes such reports has
    /// to end the process. Of another loop it is an error, and the others live on.
    fn is_essential(&self) -> bool {
        false
    }

    /// A handler of this loop has panicked: the last call before what the loop owns is dropped. The
    /// state may be half changed, so this tells the loop's owner, as far as that needs nothing but
    /// what never changes. What others must lose with the loop belongs into destructors.
    fn panicked(&mut self, panic: &Panic) {
        let _ = panic;
    }
}

/// How far a long job has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Finished until queued again.
    Done,
    /// To be continued.
    More,
}

/// What a socket is ready for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ready {
    /// A read (or accept) will not block. Also set at end of stream and on errors.
    pub readable: bool,
    /// A write will not block, or an outgoing connection is decided.
    pub writable: bool,
    /// The socket has failed or the peer has hung up; reading or `socket_error` tells more.
    pub error: bool,
}

/// What readiness a loop wants to hear of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interest {
    /// Tell when a read will not block.
    pub read: bool,
    /// Tell when a write will not block.
    pub write: bool,
}

impl Interest {
    /// Neither; errors are reported all the same.
    pub const NONE: Self = Self { read: false, write: false };
    /// Reading only.
    pub const READ: Self = Self { read: true, write: false };
    /// Writing only.
    pub const WRITE: Self = Self { read: false, write: true };
    /// Reading and writing.
    pub const BOTH: Self = Self { read: true, write: true };
}
