//! dunlin-mem
