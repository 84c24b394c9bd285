//! An event runtime for protocols: many small loops on a few threads, each owning its state, its
//! timers and its sockets; or the same loops on a simulated clock and network.
//!
//! A [`Loop`] runs on one worker at a time. It meets time, chance, sockets and other loops only
//! through the [`Context`] its handlers are given; that is why the same code runs in [`Runtime`]
//! (threads and a kernel) and in [`sim::SimRuntime`] (a seed). It knows nothing of routing: whatever
//! has neighbours, timers and patience can be built on it.
//!
//! ```
//! use dunlin_runtime::{Class, Context, Loop, Runtime, RuntimeOptions};
//!
//! struct Greeter;
//!
//! impl Loop for Greeter {
//!     type Message = String;
//!
//!     fn message(&mut self, cx: &mut Context<'_>, name: String) {
//!         println!("{}: hello, {name}", cx.name());
//!         cx.runtime().shutdown();
//!     }
//! }
//!
//! let runtime = Runtime::new(RuntimeOptions::default())?;
//! let greeter = runtime.spawn("greeter", Class::Control, Greeter);
//! greeter.send(Class::Control, "world".to_owned()).unwrap();
//! runtime.join();
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # Where to read on
//!
//! The [`guide`] teaches the rest, from an echo server to a routing protocol, and says what may be
//! relied upon. [`Loop`] has the handlers, [`Context`] all that a handler can do, [`kit`] what is built
//! above both, [`sim`] how to test.
//!
//! # Invariants
//!
//! In short; [`guide::guarantees`] has all of it, and what is not guaranteed.
//!
//! - Handlers of one loop never overlap, and each sees what the one before it did.
//! - What is sent is handled once, or dropped when its loop stops; messages of one sender in one
//!   class pair stay in order.
//! - Between any two handlers a worker compares the clock with its earliest liveness deadline.
//! - Nothing waits for another thread: not a sender, not a worker, not a loop that moves.
//! - A panic in a handler ends its loop and no other; it is reported, to the loop too.
//! - A name of a timer, event, job, socket or scope carries its loop and a generation: a stale one,
//!   and one of another loop, names nothing.
//! - After a cancellation has been answered the handler is not running and does not run again by
//!   itself, in this loop or in another.
//!
//! # Other threads
//!
//! [`Address`], [`EventHandle`], [`Canceller`] and [`RuntimeHandle`] work from any thread, whether a
//! worker of this runtime or not: they wake a sleeping worker, never wait, and say when the loop
//! has stopped.
//!
//! Deliberately absent: locks, blocking calls, a way to enter another loop.

mod accept;
mod address;
mod agenda;
mod ask;
mod body;
mod cause;
mod clocks;
mod context;
mod dispatch;
mod drain;
mod driver;
mod ending;
mod groups;
pub mod guide;
mod handle;
mod ids;
pub mod kit;
mod lanes;
mod loop_cell;
mod loop_core;
mod moves;
mod options;
mod outcome;
mod panic;
mod place;
mod placement;
mod pool;
mod runloop;
mod runtime;
mod scopes;
pub mod sim;
mod sockets;
mod stats;
mod step;
mod time;
mod timer;
mod watch;
mod wish;
mod worker;

pub use core::time::Duration;

pub use accept::AcceptPause;
pub use address::{Address, EventHandle, Stopped};
pub use ask::Canceller;
pub use clocks::{ClockJump, ClockReading, ClockSource, SystemClocks};
pub use context::{Context, OwnedSocket};
pub use dunlin_mem::Arena;
pub use dunlin_os::thread::parallelism;
pub use dunlin_sync::{Class, Classes};
pub use ending::{Dropped, Stop, StopOutcome, StopReport};
pub use groups::{GroupId, GroupOptions, Threads};
pub use handle::RuntimeHandle;
pub use ids::{EventId, JobId, LoopId, ScopeId, SocketId, TimerId, WorkId};
pub use moves::{MoveReason, MoveRecord};
pub use options::{
    Budgets, ConnectOptions, ListenOptions, LogLevel, LogRecord, LogSink, RuntimeOptions, Watch,
};
pub use outcome::{Armed, Cancel, Cancellation, Scheduling};
pub use panic::{Panic, keep_panic_place};
pub use place::{PlaceId, PlaceInfo};
pub use runloop::{Interest, Loop, Progress, Ready};
pub use runtime::Runtime;
pub use stats::{
    Culprit, GroupStats, Handler, HandlerStats, Hindered, Hindrance, Histogram, LoopDetails,
    LoopStats, Loops, Profile, SiteStats, SocketStats, Stats, StatsReply, StopStats, Survey,
    TaskStats, Timings, Waiting, Wanted, Who, WorkerStats, WorkerTimings, Worst,
};
pub use time::Time;
pub use timer::{Rhythm, TimerInfo};
