//! A daemon without an operating system around it, and neighbours that speak raw BGP.

pub mod daemon;
pub mod speaker;
