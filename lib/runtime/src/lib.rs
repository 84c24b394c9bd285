//! dunlin-runtime
