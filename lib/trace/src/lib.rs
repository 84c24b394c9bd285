//! dunlin-trace
