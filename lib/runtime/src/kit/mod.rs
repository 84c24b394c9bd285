//! What authors of protocols need above bare loops: jobs for idle time, queues of work, credit,
//! broadcasts with a barrier, clients that connect again, walks over collections that change.
//!
//! All of it is built from what a [`Context`](crate::Context) offers, so it behaves the same on real
//! workers and in the simulation. Only jobs reach into the workers, who decide when there is nothing
//! better to do.

pub mod budget;
pub mod client;
pub mod credit;
pub mod fan_out;
pub mod flow;
pub(crate) mod idle;
pub mod jobs;
pub mod queue;
pub(crate) mod shown;
pub mod walk;
