//! dunlin-linux
