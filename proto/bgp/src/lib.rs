//! dunlin-bgp
