//! What may be relied upon, and what may not. Each holds on real workers and in the simulator.
//!
//! # One at a time
//!
//! Handlers of one loop never overlap. Each sees what the one before did, on whichever worker they run, and
//! what the sender of its message or event had done before it sent. A handler runs to its end: nothing
//! interrupts it, and nothing else of the loop runs meanwhile but what it calls itself
//! ([`run_now`](crate::Context::run_now)).
//!
//! # Order
//!
//! Messages of one sender to one loop come in the order sent, within each of two pairs of classes: liveness
//! and control, routing and bulk. That holds while either loop moves to another worker. A thread that is no
//! worker is a sender like any other.
//!
//! *Not guaranteed:* any order between the pairs (control overtakes routing, that is what classes are for),
//! between senders, or between messages and timers, events or sockets. A liveness message does not overtake
//! control messages to the same loop: they are one queue.
//!
//! # Exactly once
//!
//! A message that was accepted is handled once, or dropped with the loop when that stops. `send` gives it
//! back if the loop has stopped already. An event runs at least once after each time it was scheduled, and at
//! most once for all schedulings before it runs; scheduling it from its own handler runs it again. A
//! timer that was armed once expires once; expiries of a periodic one that were missed collapse into one.
//! Readiness is a level: it is told again until what it is about has been done.
//!
//! *Not guaranteed:* that a message is ever handled. Its loop may stop first: whoever must know asks for an
//! answer, and drops what it holds when the answer's channel does.
//!
//! # Classes
//!
//! A worker runs its loops by the most urgent thing each has: liveness, control, routing, bulk. A loop that
//! gets something more urgent while it waits is moved up, and does not wait for its place. No class starves: one that
//! was passed over often or for long enough gets a turn.
//!
//! Within a loop liveness timers and messages of liveness and control come first, up to 64 in a row. The rest goes
//! in rounds, the higher class first: each kind (events, sockets, timers, messages, work) may do what stood there
//! when its part of the round began. So classes order the work of a loop, but its own bulk work is not held
//! back for ever by its own routing work.
//!
//! # How late a liveness timer can be
//!
//! Between any two handlers the worker compares the clock with the earliest liveness deadline of all its
//! loops, and looks whether a liveness message has come from another thread. So a liveness timer is late by
//! the handler that runs when it is due, and by other liveness handlers that are due before it. Nothing that merely
//! waits counts, however much it is. Timers are never early.
//!
//! *Not guaranteed:* anything while one handler runs. A handler that needs long asks
//! [`over_budget`](crate::Context::over_budget) and goes on another time; one that takes over 100 ms is reported. And nobody
//! can do anything about a system that gives the thread no processor.
//!
//! # Cancelling
//!
//! What a loop takes back of its own ([`disarm`](crate::Context::disarm),
//! [`unschedule`](crate::Context::unschedule), [`unqueue`](crate::Context::unqueue)) does not run, even if it was
//! due or next: the answer ([`Cancel`](crate::Cancel)) is exact. A closed socket is not heard of again. A
//! name that outlives its thing names nothing: it cannot reach what came after. Closing a scope
//! ([`close_scope`](crate::Context::close_scope)) gives up all that was made in it, in time for its own number.
//!
//! What another loop owns is cancelled by a [`Canceller`](crate::Canceller), which asks and never waits: so
//! two loops that cancel each other cannot stand still. When the completion is called the handler is not
//! running, and does not run until it is armed or scheduled again; it tells what came of it
//! ([`Cancellation`](crate::Cancellation)), also if the loop has stopped.
//!
//! *Not guaranteed:* how soon a busy loop gets to it: after the handler that runs.
//!
//! # Stopping
//!
//! [`stop`](crate::Address::stop) lets the running handler end, then runs what that has deferred, then
//! [`Loop::stop`](crate::Loop::stop); what the loop owns is dropped right after. Messages that were waiting
//! are dropped unhandled. After that `send` gives messages back and event handles do nothing.
//!
//! *Not guaranteed:* any order in which loops stop when the runtime is shut down. See [`ending`](super::ending).
//!
//! # Panics
//!
//! A panic in a handler ends its loop, and no other: it is reported to the [`LogSink`](crate::LogSink) and
//! the flight recorder, the loop's [`panicked`](crate::Loop::panicked) is called, its state is dropped, its sockets
//! are closed. Its worker goes on. So it does if something else of a loop panics:
//! `panicked` or `is_essential`, the destructor of its state or of a message (each message is dropped by itself), what follows
//! a cancellation or its end, what it shows of its flows, or what was to receive statistics; and if the sink does.
//!
//! *Not guaranteed:* that what a loop shared with others (by an `Arc`, a channel, a message half of a pair)
//! is whole after its panic. And a process built with `panic = "abort"` ends.
//!
//! # Moves and the number of workers
//!
//! Loops move between the workers of their thread group, with their queues, timers and sockets: to share out the
//! load, to come together when there is little of it, and when workers are added or taken away. Nothing is lost, repeated or
//! put out of order by it, and no sender waits for it. A loop can be pinned to a worker.
//!
//! *Not guaranteed:* which worker runs a loop, unless it is pinned, and thread-local variables: a loop must not keep
//! anything there from one handler to the next.
//!
//! # Waiting
//!
//! Nothing in the runtime waits for another thread: not a sender, not a worker, not a loop that moves or is
//! cancelled. Queues have no limit, so that none can wait for another in a circle: what flows in quantity needs
//! credit ([`kit::credit`](crate::kit::credit)).
