//! What `taskmasterd` and `taskmasterctl` must agree on: names, states, events and the control protocol.
//!
//! No I/O and no clock: everything here is data and text, so that both programs, and anybody else's
//! client, can be tested against it without a daemon.

#![deny(missing_docs)]
#![cfg_attr(not(test), deny(clippy::wildcard_enum_match_arm))]

pub mod api;
pub mod event;
pub mod frame;
pub mod name;
pub mod paths;
pub mod rpc;
pub mod signal;
pub mod state;
mod strict;
pub mod text;
pub mod tracker;
