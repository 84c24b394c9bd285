//! Tests of export groups.

mod pending;
