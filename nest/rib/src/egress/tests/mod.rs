//! Tests of export groups.

mod members;
mod pending;
