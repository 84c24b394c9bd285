//! Stands in for `dunlin_filter` until its programs can be run: filters that accept or reject all.

use std::sync::Arc;

use dunlin_attr::Attrs;

/// Scratch memory of a filter run.
#[derive(Debug, Default)]
pub struct Scratch;

impl Scratch {
    /// Empty.
    pub fn new() -> Self {
        Self
    }
}

/// A compiled filter.
#[derive(Debug)]
pub struct Program;

impl Program {
    /// Its verdict depends on the network.
    pub fn reads_prefix(&self) -> bool {
        false
    }
}

/// A channel's filter.
#[derive(Debug, Clone)]
pub enum ChannelFilter {
    /// Everything passes.
    Accept,
    /// Nothing passes.
    Reject,
    /// The program says.
    Program(Arc<Program>),
}

/// What a program says.
#[derive(Debug)]
pub enum Verdict {
    /// Passes, changed or not.
    Accept(Option<Arc<Attrs>>),
    /// Does not.
    Reject,
}
