//! The control socket: who may connect, what they may ask, and what they are answered.

pub mod attach;
pub mod client;
mod hearing;
pub mod listener;
pub mod methods;
pub mod outgoing;
pub mod peer;
pub mod reports;
pub mod told;
