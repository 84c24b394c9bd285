//! dunlin-device
