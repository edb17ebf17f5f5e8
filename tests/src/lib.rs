//! The harness of the end-to-end tests: the real binaries, a puppet child, and no sleeps.
//!
//! Everything waits for a fact with a deadline, through one helper, [`wait::eventually`].

pub mod puppet;
pub mod sys;
