//! dunlin-pipe
