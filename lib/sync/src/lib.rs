//! dunlin-sync
