//! dunlin-filter
