//! Two state machines over a wire made of a queue. Everything follows from the seed.

mod behaviour;
mod world;
