//! Export groups on a simulated runtime.
