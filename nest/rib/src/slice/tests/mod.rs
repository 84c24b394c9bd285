//! Slices as their loops drive them, without a runtime.

mod model;
mod world;
