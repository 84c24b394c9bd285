//! The static protocol: routes written in the configuration.
//!
//! * [`config`], [`route`]: `protocol static { … }`, and one `route`.
//! * [`reach`]: which hops can be used now. * [`plan`]: what a new list of routes changes.
//! * [`announcer`]: the loop that announces what can be used.
//!
//! A route by gateways is announced while one of them is a neighbour on a connected network (with
//! `check link`, a network whose link works); until then it is dormant. A changed configuration is
//! compared route by route, so that only those that differ are announced again.

pub mod announcer;
pub mod config;
pub mod plan;
pub mod reach;
pub mod route;

mod channel;
mod feed;
mod flow;
mod kind;
mod other;
mod statements;

pub use kind::Static;
