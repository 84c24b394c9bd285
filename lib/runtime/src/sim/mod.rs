//! Whole topologies of loops in one process, on a virtual clock, replayable from a seed.

/// One end of a connection in the simulated network.
#[derive(Debug)]
pub(crate) struct SimSocket {
    pub(crate) id: u32,
}
