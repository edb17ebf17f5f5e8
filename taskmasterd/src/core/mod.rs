//! The supervisor that does no I/O: facts come in with a time, wishes go out.
//!
//! [`Supervisor::handle`] takes in one fact and lets all that follows from it happen at once;
//! [`Supervisor::deadline`] says when [`Input::Timeout`] would next change anything. There is no clock, no
//! file, no process and no randomness here, so that a script or a seed replays every run.

#![deny(missing_docs, clippy::wildcard_enum_match_arm)]

mod commands;
mod order;
mod policy;
mod process;
mod reload;
mod rows;
mod selection;
mod shutdown;
mod supervisor;
mod waiters;

use serde::{Deserialize, Serialize};
use shared::api::{Outcomes, Plan, ShutdownDone, Stream};
use shared::event::{Cause, EventKind};
use shared::name::Selector;
use shared::state::Exit;

use crate::config::model::Config;

pub use process::{Process, Rest, State, Then};
pub use selection::{Found, Meant};
pub use supervisor::Supervisor;

/// Milliseconds since the daemon's start, by a clock that nobody can set.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Mono(pub u64);

impl Mono {
    /// This much later.
    #[must_use]
    pub fn after(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// The milliseconds from `earlier` to here.
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// A process as the kernel calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Pid(pub i32);

/// A process as the core calls it: one slot of one program, whatever incarnation. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProcessId(pub u64);

/// Whom an answer goes to: the client that asked. A client has one command under way at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Ticket(pub u64);

/// A fact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(
    missing_docs,
    reason = "the fields say what they are; each variant is documented"
)]
pub enum Input {
    /// Answer to [`Effect::Spawn`]: there is a process.
    Spawned { id: ProcessId, pid: Pid },
    /// Answer to [`Effect::Spawn`]: there is none.
    SpawnFailed { id: ProcessId, failure: Failure },
    /// The new process could not become its program; its death follows.
    ExecFailed {
        id: ProcessId,
        pid: Pid,
        failure: Failure,
    },
    /// The exec of the new process is over: it has become its program, unless it was said to have failed.
    Executed { id: ProcessId, pid: Pid },
    /// Answer to [`Effect::Signal`]: it was sent, or the kernel refused to, with its reason.
    Signalled {
        id: ProcessId,
        pid: Pid,
        signal: i32,
        cause: Cause,
        refused: Option<String>,
    },
    /// A process is dead and not yet reaped: its group can still be signalled.
    Exited { id: ProcessId, pid: Pid, exit: Exit },
    /// The deadline has come.
    Timeout,
    /// A client asks for something.
    Command {
        ticket: Ticket,
        cause: Cause,
        verb: Verb,
        names: Vec<Selector>,
    },
    /// A client has gone; nobody waits for its answer.
    ClientGone { ticket: Ticket },
    /// A configuration was read and found good.
    Reload {
        ticket: Option<Ticket>,
        cause: Cause,
        config: Config,
    },
    /// Stop everything.
    Shutdown {
        ticket: Option<Ticket>,
        cause: Cause,
    },
    /// Kill everything that is left, at once.
    ShutdownNow { cause: Cause },
}

/// What a command does to each process it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verb {
    /// Start it.
    Start,
    /// Stop it.
    Stop,
    /// Stop it if it runs, then start it.
    Restart,
    /// Send it this signal.
    Signal(i32),
}

impl Verb {
    /// The command as it was typed, for the event log.
    pub fn words(self) -> String {
        match self {
            Self::Start => "start".into(),
            Self::Stop => "stop".into(),
            Self::Restart => "restart".into(),
            Self::Signal(number) => format!("signal {}", shared::signal::name(number)),
        }
    }
}

/// Why a process could not be made or could not become its program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The step that failed: `fork`, `chdir`, `exec`.
    pub stage: String,
    /// The kernel's number for the reason.
    pub errno: i32,
    /// The short reason, as supervisor words it where it has words: what `status` shows.
    pub reason: String,
    /// The long reason: what was tried, on what, and what the kernel said.
    pub detail: String,
}

/// A wish.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(
    missing_docs,
    reason = "the fields say what they are; each variant is documented"
)]
pub enum Effect {
    /// Start the process; its `spec` says how. Answered with `Spawned` or `SpawnFailed` before anything else is told.
    Spawn { id: ProcessId },
    /// Send a signal that somebody asked for. Answered with `Signalled` before anything else is told.
    Signal {
        id: ProcessId,
        pid: Pid,
        signal: i32,
        cause: Cause,
    },
    /// Send a signal to a process that is not reaped.
    Kill {
        id: ProcessId,
        pid: Pid,
        signal: i32,
        aim: Aim,
    },
    /// A stream of the process goes somewhere else from now on.
    Redirect { id: ProcessId, stream: Stream },
    /// The process that was shown as `shown` is no longer in the configuration, and dead; forget what is kept for it.
    Forget { id: ProcessId, shown: String },
    /// Something happened.
    Event { kind: EventKind, cause: Cause },
    /// A command is done.
    Reply { ticket: Ticket, answer: Answer },
    /// A shutdown is done: leave. The last event comes after it.
    Leave,
}

/// Whom a signal is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Aim {
    /// The process alone.
    Leader,
    /// Its whole process group.
    Group,
}

/// What a command answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Answer {
    /// Start, stop, restart, signal: what became of each.
    Outcomes(Outcomes),
    /// A reload was applied, and what it stopped is dead.
    Reloaded(Plan),
    /// Everything is stopped.
    Down(ShutdownDone),
    /// It cannot be done: a shutdown is under way.
    ShuttingDown,
}
