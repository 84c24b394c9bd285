//! A loop, a message, a timer, and how to test them.
//!
//! A [`Loop`](crate::Loop) is a value with handlers. This one counts what it is sent, and says each second how
//! much that was:
//!
//! ```
//! use std::sync::mpsc::{Sender, channel};
//! use dunlin_runtime::{Class, Context, Duration, Loop, TimerId, sim::SimRuntime};
//!
//! struct Counter {
//!     count: u64,
//!     report: Sender<u64>,
//! }
//!
//! impl Loop for Counter {
//!     type Message = u64;
//!
//!     fn start(&mut self, cx: &mut Context<'_>) {
//!         let second = cx.timer(Class::Control);
//!         cx.arm_every(second, Duration::from_secs(1));
//!     }
//!
//!     fn message(&mut self, _cx: &mut Context<'_>, more: u64) {
//!         self.count += more;
//!     }
//!
//!     fn timer(&mut self, cx: &mut Context<'_>, _timer: TimerId) {
//!         // Nobody listens any more: there is nothing left to do.
//!         if self.report.send(std::mem::take(&mut self.count)).is_err() {
//!             cx.stop_self();
//!         }
//!     }
//! }
//!
//! let (report, reports) = channel();
//! let mut sim = SimRuntime::new(1);
//! let counter = sim.spawn("counter", Class::Routing, Counter { count: 0, report });
//! counter.send(Class::Routing, 2).unwrap();
//! counter.send(Class::Routing, 3).unwrap();
//! sim.run_for(Duration::from_millis(2500));
//! assert_eq!(reports.try_iter().collect::<Vec<_>>(), [5, 0]);
//! ```
//!
//! What is to be seen:
//!
//! - `spawn` answers with an [`Address`](crate::Address), by which any thread and any loop may send. Nobody
//!   can enter the loop: its state needs no lock.
//! - A handler is short and never blocks. It meets time, chance, sockets and other loops through its
//!   [`Context`](crate::Context) only. (The channel here is how a test looks in from outside. Sending into an
//!   unbounded one does not block.)
//! - The loop ran in a [`SimRuntime`](crate::sim::SimRuntime): on virtual time, which passes at once, with
//!   all that is up to chance decided by a seed. In a [`Runtime`](crate::Runtime) it runs on threads and the
//!   system's clock, and nothing in it changes.
//!
//! Timers have a [`Class`](crate::Class), and so have messages, events and sockets: how urgent they are.
//! `Liveness` is for what a neighbour's patience depends on, `Control` for state changes and commands,
//! `Routing` for the work itself, `Bulk` for what is long and can wait.
//!
//! Arming a timer that is armed moves it; there is nothing to cancel first. [`Context`](crate::Context) lists
//! what else there is: periodic timers that drift or do not, slack, events that others schedule without
//! memory being allocated, long work in pieces, jobs for idle time. [`kit`](crate::kit) has what is built
//! on top.
