//! Comings and goings at the terminals of processes, and words in passing.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::text::{count, escape};

/// A client is at the terminal of a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrival {
    /// The process's shown name.
    pub process: String,
    /// Whether the client only looks.
    pub read_only: bool,
    /// The rows of its terminal; 0 where it has none.
    pub rows: u16,
    /// Its columns.
    pub cols: u16,
    /// What kind of terminal it says that is.
    pub term: String,
}

/// It is not any more. The cause is who brought it about: itself, or who took over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Departure {
    /// The process's shown name.
    pub process: String,
    /// The client's user.
    pub uid: u32,
    /// Its pid.
    pub pid: i32,
    /// Why.
    pub reason: Parting,
}

/// Why a client is attached no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parting {
    /// It left, or is not there any more.
    Left,
    /// Another one wanted the terminal for itself.
    TakenOver,
    /// The process left the configuration.
    Removed,
    /// The daemon stops.
    DaemonStopped,
    /// What it sent made no sense.
    Broken,
}

/// Something was typed by a command. Not what: it may be a password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Typed {
    /// The process's shown name.
    pub process: String,
    /// How much it was.
    pub bytes: u64,
}

impl fmt::Display for Arrival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.read_only { " read-only" } else { "" };
        write!(f, "attached{how} to {}", self.process)?;
        if self.rows == 0 || self.cols == 0 {
            return f.write_str(", no terminal");
        }
        write!(f, ", {}x{}", self.rows, self.cols)?;
        match &*self.term {
            "" => Ok(()),
            term => write!(f, " {}", escape(term)),
        }
    }
}

impl fmt::Display for Departure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            process, uid, pid, ..
        } = self;
        let why = match self.reason {
            Parting::Left => return write!(f, "detached from {process}"),
            Parting::Broken => {
                return write!(f, "detached from {process}, what it sent made no sense");
            }
            Parting::TakenOver => "taken over",
            Parting::Removed => "which left the configuration",
            Parting::DaemonStopped => "the daemon stops",
        };
        write!(f, "uid {uid}, pid {pid} detached from {process}, {why}")
    }
}

impl fmt::Display for Typed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = count(self.bytes, "byte", "bytes");
        write!(f, "{bytes} typed at {}", self.process)
    }
}
