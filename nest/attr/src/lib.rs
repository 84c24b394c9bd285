//! dunlin-attr
