//! dunlin-static
