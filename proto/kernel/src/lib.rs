//! dunlin-kernel
