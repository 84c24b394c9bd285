//! dunlin-rib
