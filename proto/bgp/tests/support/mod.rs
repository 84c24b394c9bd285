//! A daemon without an operating system around it, and neighbours that speak raw BGP.

pub(crate) mod daemon;
pub(crate) mod speaker;
