//! A whole daemon but for the operating system and real protocols: the manager, tables on real
//! loops, and a terminal.
#![allow(unreachable_pub, reason = "a test has no outside")]

mod commands;
mod impact;
mod kit;
mod lifecycle;
mod support;
mod trace;
mod traces;
mod transcript;
