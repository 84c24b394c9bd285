//! What is under way from one stage to the next, for those who look at the runtime.
//!
//! A loop's [`Credit`](super::credit::Credit)s are shown by themselves. Whatever else holds data back or is held back is a
//! [`Flow`], too: a window into a log that others read, a backlog that waits to be worked off. The loop that
//! knows it best shows it by [`Context::show_flow`](crate::Context::show_flow), and it is listed as long as it lives.

use std::sync::{Arc, Weak};

use crate::time::Time;

/// Something that says how much is under way in it. It is asked on the worker of the loop that shows it;
/// what other threads write has to be atomic.
pub trait Flow: Send + Sync {
    /// How it is now.
    fn stats(&self) -> FlowStats;
}

/// One flow, as people see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowStats {
    /// Its name.
    pub name: Arc<str>,
    /// The stage it leads to.
    pub stage: u8,
    /// What is counted.
    pub unit: &'static str,
    /// Under way.
    pub used: u64,
    /// Full from here on. None if nobody is stopped by it.
    pub limit: Option<u64>,
    /// Since when the sender has been waiting, if it is.
    pub waiting: Option<Time>,
    /// Times it had to wait.
    pub blocked: u64,
    /// The receiver was too slow and has been left behind; how much of other things it has to be told before
    /// it follows again.
    pub behind: Option<u64>,
}

impl FlowStats {
    /// Bytes under way to `stage`, of which so many are no more than there may be.
    pub fn bytes(name: Arc<str>, stage: u8, used: u64, limit: Option<u64>) -> Self {
        let (waiting, behind) = (None, None);
        Self { name, stage, unit: "bytes", used, limit, waiting, blocked: 0, behind }
    }
}

/// Flows.
impl crate::Context<'_> {
    /// Shows `flow` among this loop's as long as it lives.
    pub fn show_flow<F: Flow + 'static>(&mut self, flow: &Arc<F>) {
        let flow: Weak<F> = Arc::downgrade(flow);
        self.core.flows.add(flow);
    }
}
