//! Where events go besides the clients that subscribe to them: the event log, the terminal, syslog.

pub mod eventlog;
mod queue;
pub mod syslog;
