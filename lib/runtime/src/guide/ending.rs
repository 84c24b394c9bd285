//! Shutting down in order, and panics.
//!
//! # Shutting down
//!
//! [`RuntimeHandle::shutdown`](crate::RuntimeHandle::shutdown) stops every loop, in no order, and then the workers;
//! each loop's [`stop`](crate::Loop::stop) handler runs, messages under way are dropped and counted.
//! [`Runtime::join`](crate::Runtime::join) returns when it is done. Dropping the runtime does both.
//!
//! If there is an order to keep (say goodbye to neighbours, then close the log), one loop knows it: it asks
//! the others, waits for their answers with a timer for those that never come, and shuts the runtime down as
//! its last act.
//!
//! ```
//! use dunlin_runtime::{Address, Class, Context, Duration, Loop, Runtime, RuntimeOptions, TimerId};
//!
//! struct Session {
//!     manager: Address<Word>,
//! }
//!
//! /// What sessions are told.
//! struct SayGoodbye;
//!
//! impl Loop for Session {
//!     type Message = SayGoodbye;
//!
//!     fn message(&mut self, cx: &mut Context<'_>, _: SayGoodbye) {
//!         // ... write the last bytes ...
//!         cx.stop_self();
//!     }
//!
//!     fn stop(&mut self, _cx: &mut Context<'_>) {
//!         let _ = self.manager.send(Class::Control, Word::Gone);
//!     }
//! }
//!
//! struct Manager {
//!     sessions: Vec<Address<SayGoodbye>>,
//!     left: usize,
//! }
//!
//! enum Word {
//!     End,
//!     Gone,
//! }
//!
//! impl Loop for Manager {
//!     type Message = Word;
//!
//!     fn start(&mut self, cx: &mut Context<'_>) {
//!         for number in 0..3 {
//!             let Some(manager) = cx.own() else { return };
//!             let session = cx.spawn(&format!("session {number}"), Class::Routing, Session { manager });
//!             self.sessions.push(session);
//!         }
//!         self.left = self.sessions.len();
//!     }
//!
//!     fn message(&mut self, cx: &mut Context<'_>, word: Word) {
//!         match word {
//!             Word::End => {
//!                 for session in &self.sessions {
//!                     let _ = session.send(Class::Control, SayGoodbye);
//!                 }
//!                 // Whoever has not gone by then is not waited for.
//!                 let patience = cx.timer(Class::Control);
//!                 cx.arm_after(patience, Duration::from_secs(5));
//!             }
//!             Word::Gone => {
//!                 self.left -= 1;
//!                 if self.left == 0 {
//!                     cx.runtime().shutdown();
//!                 }
//!             }
//!         }
//!     }
//!
//!     fn timer(&mut self, cx: &mut Context<'_>, _timer: TimerId) {
//!         cx.runtime().shutdown();
//!     }
//! }
//!
//! let runtime = Runtime::new(RuntimeOptions { threads: 2, ..RuntimeOptions::default() })?;
//! let manager = Manager { sessions: Vec::new(), left: 0 };
//! let manager = runtime.spawn("manager", Class::Control, manager);
//! manager.send(Class::Control, Word::End).unwrap();
//! runtime.join();
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # Draining
//!
//! [`Address::stop`](crate::Address::stop) drops what waits. A [`Stop`](crate::Stop) says what is to be run first, by class,
//! and for how long at most; and whoever stops a loop may hear what came of it, what was dropped above all:
//!
//! ```
//! use std::sync::mpsc::{Sender, channel};
//! use dunlin_runtime::{Class, Context, Duration, Loop, Runtime, RuntimeOptions, Stop};
//!
//! struct Ledger(Sender<u32>);
//!
//! impl Loop for Ledger {
//!     type Message = u32;
//!
//!     fn message(&mut self, _cx: &mut Context<'_>, entry: u32) {
//!         let _ = self.0.send(entry);
//!     }
//! }
//!
//! let runtime = Runtime::new(RuntimeOptions::default())?;
//! let (entries, written) = channel();
//! let ledger = runtime.spawn("ledger", Class::Routing, Ledger(entries));
//! for entry in 0..100 {
//!     ledger.send(Class::Routing, entry).unwrap();
//! }
//! let (told, reports) = channel();
//! let patient = Stop::after(Class::Routing, Duration::from_secs(5));
//! ledger.stop_then(patient, move |report| told.send(report).unwrap());
//! let report = reports.recv().unwrap();
//! assert_eq!((written.iter().count(), report.dropped.asked()), (100, 0));
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! [`RuntimeHandle::shutdown_with`](crate::RuntimeHandle::shutdown_with) does that with all loops. The sums are in
//! [`Stats::stops`](crate::Stats::stops), and the log is told of what was lost.
//!
//! # Panics
//!
//! A handler that panics ends its loop and no other. Somebody should be told: the
//! [`LogSink`](crate::LogSink) always is, and the loop itself may tell its owner:
//!
//! ```
//! use std::sync::mpsc::{Sender, channel};
//! use dunlin_runtime::{Class, Context, Loop, Panic, Runtime, RuntimeOptions};
//!
//! struct Fragile {
//!     owner: Sender<String>,
//! }
//!
//! impl Loop for Fragile {
//!     type Message = u32;
//!
//!     fn message(&mut self, _cx: &mut Context<'_>, number: u32) {
//!         assert!(number != 13, "not that one");
//!         let _ = self.owner.send(format!("{number} is fine"));
//!     }
//!
//!     fn panicked(&mut self, panic: &Panic) {
//!         let _ = self.owner.send(panic.to_string());
//!     }
//! }
//!
//! let runtime = Runtime::new(RuntimeOptions::default())?;
//! let (owner, told) = channel();
//! let unlucky = runtime.spawn("unlucky", Class::Routing, Fragile { owner: owner.clone() });
//! let lucky = runtime.spawn("lucky", Class::Routing, Fragile { owner });
//! unlucky.send(Class::Routing, 13).unwrap();
//! assert!(told.recv().unwrap().contains("not that one"));
//! lucky.send(Class::Routing, 14).unwrap();
//! assert_eq!(told.recv().unwrap(), "14 is fine");
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! A loop without which the others are of no use says so ([`is_essential`](crate::Loop::is_essential)): its
//! panic is reported as [`LogLevel::Fatal`](crate::LogLevel::Fatal), and whoever takes the reports ends
//! the process.
