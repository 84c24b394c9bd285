//! The session state machine (RFC 4271 section 8), as values.
