//! The harness of the end-to-end tests: the real binaries, a puppet child, and no sleeps.
//!
//! Everything waits for a fact with a deadline, through one helper, [`wait::eventually`].
//! A [`Sandbox`] is a test's directory; a [`Daemon`] runs in it on a configuration given as JSON, which
//! is YAML; [`Rpc`] speaks to it directly and [`Ctl`] through the client; [`proc`] asks the kernel.

pub mod bins;
pub mod ctl;
pub mod daemon;
pub mod dice;
pub mod fake;
pub mod logged;
pub mod proc;
pub mod puppet;
pub mod referee;
pub mod rpc;
pub mod sandbox;
pub mod screen;
pub mod seat;
pub mod sitting;
pub mod source;
pub mod strace;
pub mod sys;
pub mod term;
pub mod user;
pub mod wait;
mod watch;

pub use ctl::{Ctl, Said};
pub use daemon::{Daemon, Setup};
pub use dice::{Dice, laps};
pub use logged::{flood, logged};
pub use referee::Referee;
pub use rpc::{Rpc, only};
pub use sandbox::{Ledger, Sandbox, time_ms};
pub use seat::Seat;
pub use sitting::Sitting;
pub use term::Term;
pub use user::{NOBODYS_UID, User};
pub use wait::{LATER, SOON, check, eventually, pause, throughout};
pub use watch::ms_between;

pub use serde_json::{Value, json};
pub use shared::api::Verdict;
pub use shared::state::{Exit, State};
