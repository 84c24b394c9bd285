//! dunlin-os
