//! dunlin-conf
