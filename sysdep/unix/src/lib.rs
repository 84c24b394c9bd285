//! dunlin-unix
