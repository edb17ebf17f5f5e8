//! Making a process: all it needs is prepared before its birth, and a failure names its step.
//!
//! [`Order`] is what a process is to be, worked out to the last byte; [`spawn`] makes it so. Nothing here
//! waits: that the program could not be executed comes later, as a few bytes from [`Spawned::exec_status`].

pub mod ansi;
mod environment;
mod failure;
pub mod helper;
mod heritage;
mod limits;
mod order;
pub mod output;
pub mod pty;
mod spawn;
mod strings;
mod user;

pub use environment::environment;
pub use failure::{Stage, failure, read_exec_status};
pub use heritage::{Heritage, Rlimits};
pub use order::{Order, Stderr};
pub use spawn::{Spawned, spawn};
pub use strings::{Strings, ZeroByte};
