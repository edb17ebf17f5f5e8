//! The life of one process: its states, and what moves it between them.
//!
//! Pure. Facts come in as [`Happening`]s with the time, wishes go out as effects. A state owns its pid and its
//! deadline, so leaving it forgets both: no timer outlives its state, no signal reaches a pid of before.
//!
//! | state \ event | Start | Stop | Restart | Spawned | SpawnFailed | Exited | Timeout |
//! |---|---|---|---|---|---|---|---|
//! | Stopped Fatal | Queued | - | Queued | never | never | never | never |
//! | Exited | Queued | Stopped, if a restart was due | Queued | never | never | never | spawn, if due |
//! | Queued | - | Stopped | - | never | never | never | spawn |
//! | Spawning | never | never | never | Starting | Backoff or Fatal | never | never |
//! | Starting | - | signal, Stopping | Stopping, then Queued | never | never | Backoff or Fatal | Running, once its exec is done |
//! | Running | - | signal, Stopping | Stopping, then Queued | never | never | Exited or Fatal | never |
//! | Backoff | Queued | Stopped | Queued | never | never | never | spawn |
//! | Stopping | then := Respawn | then := Stay | then := Respawn | never | never | Stopped or Queued | SIGKILL, again every stoptime |
//!
//! Queued is Starting in waiting: its deadline is at once, and the supervisor carries out a few deadlines at a
//! time, so that a thousand starts do not keep a client waiting. Starting has its deadline from when the exec is
//! known to be done; what is not its program yet is never Running, with a starttime of 0 neither. An exit that is to
//! be followed by a restart is Exited with a deadline, at once or later.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use shared::event::{Cause, EventKind};
use shared::name::ProcessName;
use shared::state::Exit;

use super::{Aim, Effect, Failure, Mono, Pid, ProcessId};
use crate::config::model::Program;

pub(super) const SIGKILL: i32 = 9;

/// Where a process is in its life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// Not running and not about to.
    Stopped(Rest),
    /// To be spawned when its turn comes, from `at` on.
    Queued {
        /// When its turn comes.
        at: Mono,
    },
    /// The reactor was asked for a process; its answer comes before anything else.
    Spawning,
    /// Alive, for less than `starttime` or not its program yet.
    Starting {
        /// Its pid.
        pid: Pid,
        /// When it was spawned.
        since: Mono,
        /// When it will have stayed up for long enough.
        trusted_at: Mono,
    },
    /// Its program, and alive for long enough.
    Running {
        /// Its pid.
        pid: Pid,
        /// When it was spawned.
        since: Mono,
    },
    /// The start failed.
    Backoff {
        /// When it is tried again.
        retry_at: Mono,
    },
    /// Asked to end.
    Stopping {
        /// Its pid.
        pid: Pid,
        /// When it was spawned.
        since: Mono,
        /// When it was sent the stop signal.
        asked_at: Mono,
        /// When it is next sent SIGKILL.
        kill_at: Mono,
        /// How often it was sent SIGKILL.
        kills: u32,
        /// What follows its death.
        then: Then,
    },
    /// Ended by itself.
    Exited {
        /// When it starts again, if at all.
        again_at: Option<Mono>,
    },
    /// Too many starts failed.
    Fatal,
}

/// Why a process is at rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rest {
    /// Nobody started it yet.
    NotStarted,
    /// Somebody stopped it; a reload does not start it.
    ByHand,
}

/// What follows when a process that was asked to end has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Then {
    /// It stays down.
    Stay,
    /// It starts again.
    Respawn,
}

/// What a reload has in store for a process, carried out when it is dead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Fate {
    /// Nothing.
    Keep,
    /// Its next incarnation is of this program.
    Replace(Arc<Program>),
    /// It has none.
    Remove,
}

/// How the present incarnation fares with becoming its program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Exec {
    /// Not known yet.
    Underway,
    /// It is its program.
    Done,
    /// Why it never became it; its death follows.
    Failed(Failure),
}

/// The columns of the table.
#[derive(Clone, Debug)]
pub(super) enum Happening {
    Start,
    Stop,
    Restart,
    Spawned(Pid),
    SpawnFailed(Failure),
    Exited(Exit),
    Timeout,
}

/// What a row of the table works with.
pub(super) struct Context<'a> {
    pub(super) id: ProcessId,
    pub(super) now: Mono,
    pub(super) cause: &'a Cause,
    /// Whether nothing is started any more.
    pub(super) leaving: bool,
    pub(super) out: &'a mut Vec<Effect>,
}

impl Context<'_> {
    pub(super) fn tell(&mut self, kind: EventKind) {
        self.out.push(Effect::Event {
            kind,
            cause: self.cause.clone(),
        });
    }
}

/// One process and its history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Process {
    /// Its name.
    pub name: ProcessName,
    /// The program as the present incarnation, or the next one where there is none, was told it.
    pub spec: Arc<Program>,
    /// Where it is in its life.
    pub state: State,
    pub(super) fate: Fate,
    /// Failed starts in a row.
    pub failures: u32,
    /// All starts.
    pub starts: u64,
    /// Why the last start failed, where it did.
    pub failure: Option<Failure>,
    /// When the event log was last told of a want of resources that keeps it from starting since.
    pub(super) want_told: Option<Mono>,
    /// When the last incarnation ended.
    pub ended: Option<Mono>,
    /// How it ended.
    pub exit: Option<Exit>,
    pub(super) exec: Exec,
    /// The latest restarts, as many as `restart_limit` asks about.
    pub(super) restarts: VecDeque<Mono>,
    /// Restarts since it was last started by hand or by a reload, for `on-failure:N`.
    pub(super) restarts_by_policy: u32,
}

impl Process {
    pub(super) fn new(name: ProcessName, spec: Arc<Program>, now: Mono) -> Self {
        let state = if spec.autostart {
            State::Queued { at: now }
        } else {
            State::Stopped(Rest::NotStarted)
        };
        Self {
            name,
            spec,
            state,
            fate: Fate::Keep,
            failures: 0,
            starts: 0,
            failure: None,
            want_told: None,
            ended: None,
            exit: None,
            exec: Exec::Underway,
            restarts: VecDeque::new(),
            restarts_by_policy: 0,
        }
    }

    /// How it is shown: `web`, or `web:1` where the program has several.
    pub fn shown(&self) -> String {
        self.name.shown(self.spec.numprocs)
    }

    /// Its pid while it has one.
    pub fn pid(&self) -> Option<Pid> {
        self.alive().map(|(pid, _)| pid)
    }

    /// Whether the present incarnation has failed to become its program; its death follows.
    pub fn never_ran(&self) -> bool {
        matches!(self.exec, Exec::Failed(_))
    }

    /// When it was started, while it is alive.
    pub fn since(&self) -> Option<Mono> {
        self.alive().map(|(_, since)| since)
    }

    fn alive(&self) -> Option<(Pid, Mono)> {
        match self.state {
            State::Starting { pid, since, .. }
            | State::Running { pid, since }
            | State::Stopping { pid, since, .. } => Some((pid, since)),
            State::Stopped(_)
            | State::Queued { .. }
            | State::Spawning
            | State::Backoff { .. }
            | State::Exited { .. }
            | State::Fatal => None,
        }
    }

    /// When a timeout would next change it.
    pub fn deadline(&self) -> Option<Mono> {
        match self.state {
            State::Queued { at } => Some(at),
            // What is not its program will not be trusted, however long that takes.
            State::Starting { trusted_at, .. } => (self.exec == Exec::Done).then_some(trusted_at),
            State::Backoff { retry_at } => Some(retry_at),
            State::Stopping { kill_at, .. } => Some(kill_at),
            State::Exited { again_at } => again_at,
            State::Stopped(_) | State::Spawning | State::Running { .. } | State::Fatal => None,
        }
    }

    /// When it would next be spawned without anybody asking.
    pub fn next_start(&self) -> Option<Mono> {
        match self.state {
            State::Queued { at } => Some(at),
            State::Backoff { retry_at } => Some(retry_at),
            State::Exited { again_at } => again_at,
            State::Stopped(_)
            | State::Spawning
            | State::Starting { .. }
            | State::Running { .. }
            | State::Stopping { .. }
            | State::Fatal => None,
        }
    }

    /// The state under the name a user knows.
    pub fn shown_state(&self) -> shared::state::State {
        use shared::state::State as Shown;
        match self.state {
            State::Stopped(_) => Shown::Stopped,
            State::Queued { .. } | State::Spawning | State::Starting { .. } => Shown::Starting,
            State::Running { .. } => Shown::Running,
            State::Backoff { .. } => Shown::Backoff,
            State::Stopping { .. } => Shown::Stopping,
            State::Exited { .. } => Shown::Exited,
            State::Fatal => Shown::Fatal,
        }
    }

    /// Notes that the present incarnation never became its program.
    pub(super) fn exec_failed(&mut self, failure: Failure) {
        self.exec = Exec::Failed(failure);
    }

    /// Notes that its exec is over: it has become its program where nobody said otherwise. Nothing is wanting then, and
    /// a start that was not told of for that is told of now.
    pub(super) fn executed(&mut self, out: &mut Vec<Effect>) {
        if self.exec != Exec::Underway {
            return;
        }
        self.exec = Exec::Done;
        if let (Some(_), State::Starting { pid, .. }) = (self.want_told.take(), &self.state) {
            out.push(Effect::Event {
                kind: self.started(*pid),
                cause: Cause::Policy,
            });
        }
    }

    pub(super) fn started(&self, pid: Pid) -> EventKind {
        EventKind::Started {
            process: self.shown(),
            pid: pid.0,
        }
    }

    /// Why it never became its program, where it did not.
    pub(super) fn take_exec_failure(&mut self) -> Option<Failure> {
        match std::mem::replace(&mut self.exec, Exec::Done) {
            Exec::Failed(failure) => Some(failure),
            Exec::Underway | Exec::Done => None,
        }
    }

    /// Forgets past failures, as somebody new has decided that it is to run.
    pub(super) fn pardon(&mut self) {
        self.failures = 0;
        self.want_told = None;
        self.restarts.clear();
        self.restarts_by_policy = 0;
    }

    /// One step through the table.
    pub(super) fn step(&mut self, happening: Happening, ctx: &mut Context<'_>) {
        if let Happening::Exited(exit) = happening {
            self.lay_out(exit, ctx);
        }
        self.state = match self.state {
            State::Stopped(_) | State::Fatal => self.from_rest(happening, ctx),
            State::Exited { again_at } => self.from_exited(again_at, happening, ctx),
            State::Queued { at } => self.from_queued(at, happening, ctx),
            State::Spawning => self.from_spawning(happening, ctx),
            State::Starting { .. } => self.from_starting(happening, ctx),
            State::Running { .. } => self.from_running(happening, ctx),
            State::Backoff { retry_at } => self.from_backoff(retry_at, happening, ctx),
            State::Stopping { .. } => self.from_stopping(happening, ctx),
        };
    }

    /// What is due at every death, whatever the state: the record, and the sweep of the group while the
    /// dead leader still holds its number.
    fn lay_out(&mut self, exit: Exit, ctx: &mut Context<'_>) {
        self.ended = Some(ctx.now);
        self.exit = Some(exit);
        if let (true, Some(pid)) = (self.spec.sweep, self.pid()) {
            ctx.out.push(Effect::Kill {
                id: ctx.id,
                pid,
                signal: SIGKILL,
                aim: Aim::Group,
            });
        }
    }
}
