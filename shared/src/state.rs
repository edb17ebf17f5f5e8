//! The states a process can be in, under the names supervisor gave them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The state of a process as a user sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum State {
    /// Not running, because nobody started it yet or because it was stopped.
    Stopped,
    /// Being started: running for less than `starttime`.
    Starting,
    /// Running for at least `starttime`.
    Running,
    /// A start failed; the next try has its time.
    Backoff,
    /// The stop signal was sent; the process is not dead yet.
    Stopping,
    /// It ended by itself after it had been RUNNING.
    Exited,
    /// Too many starts failed; it is not tried again.
    Fatal,
    /// Its state cannot be told.
    Unknown,
}

impl State {
    /// Every state, in the order of the manual.
    pub const ALL: [Self; 8] = [
        Self::Stopped,
        Self::Starting,
        Self::Running,
        Self::Backoff,
        Self::Stopping,
        Self::Exited,
        Self::Fatal,
        Self::Unknown,
    ];

    /// The name as it is printed.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stopped => "STOPPED",
            Self::Starting => "STARTING",
            Self::Running => "RUNNING",
            Self::Backoff => "BACKOFF",
            Self::Stopping => "STOPPING",
            Self::Exited => "EXITED",
            Self::Fatal => "FATAL",
            Self::Unknown => "UNKNOWN",
        }
    }

    /// Whether nothing runs and nothing is about to: what makes `status` exit with 3.
    pub const fn is_down(self) -> bool {
        match self {
            Self::Stopped | Self::Exited | Self::Fatal | Self::Unknown => true,
            Self::Starting | Self::Running | Self::Backoff | Self::Stopping => false,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// It exited with this status, 0 to 255.
    Code(i32),
    /// This signal killed it.
    Signal {
        /// The signal's number.
        number: i32,
        /// Whether it left a core dump.
        core_dumped: bool,
    },
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Code(code) => write!(f, "exit status {code}"),
            Self::Signal {
                number,
                core_dumped,
            } => {
                let dumped = if core_dumped { " (core dumped)" } else { "" };
                write!(f, "terminated by {}{dumped}", crate::signal::name(number))
            }
        }
    }
}
