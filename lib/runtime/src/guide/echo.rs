//! An echo server: sockets, and a loop for each connection.
//!
//! It is `examples/echo.rs`: `cargo run -p dunlin-runtime --example echo`.
//!
#![doc = "```no_run"]
#![doc = include_str!("../../examples/echo.rs")]
#![doc = "```"]
//!
//! - `listen`, `accept`, `read` and `write` never wait: `WouldBlock` means "not now". Readiness is a level,
//!   told again as long as it holds; so reading once for each `ready` is enough.
//! - [`interest`](crate::Context::interest) says what to be told of. While there is something to send this
//!   loop does not read: a client that sends without reading fills its own socket, not our memory.
//! - The worker lends a read buffer of 256 KiB, so an idle loop holds none.
//! - `release` gives a socket up without closing it, `adopt` takes it over in another loop. So the listener
//!   does not have to know what a connection does.
//! - Names ([`SocketId`](crate::SocketId), [`TimerId`](crate::TimerId)) carry their loop and a generation. One
//!   that is stale names nothing, whatever number the system gave the next socket.
//! - When a loop stops, all it owns goes with it.
