//! What is fed. Each module has good input and a function that panics if something does not hold.

pub mod bgp;
pub mod command;
pub mod configuration;
pub mod filter;
pub mod netlink;
pub mod value;
