//! dunlin-direct
