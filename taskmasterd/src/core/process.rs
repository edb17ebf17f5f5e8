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
//! | Spawning | never | never | never | Starting (Running if starttime 0) | Backoff or Fatal | never | never |
//! | Starting | - | signal, Stopping | Stopping, then Queued | never | never | Backoff or Fatal | Running |
//! | Running | - | signal, Stopping | Stopping, then Queued | never | never | Exited or Fatal | never |
//! | Backoff | Queued | Stopped | Queued | never | never | never | spawn |
//! | Stopping | then := Respawn | then := Stay | then := Respawn | never | never | Stopped or Queued | SIGKILL, again every stoptime |
//!
//! Queued is Starting in waiting: its deadline is at once, and the supervisor carries out a few deadlines at a
//! time, so that a thousand starts do not keep a client waiting. An exit that is to be followed by a restart
//! is Exited with a deadline, at once or later.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use shared::event::{Cause, EventKind};
use shared::name::ProcessName;
use shared::state::Exit;

use super::{Aim, Effect, Failure, Mono, Pid, ProcessId};
use crate::config::model::{Autorestart, Program};
use crate::limits::{RESOURCE_RETRY_MS, RESPAWN_FLOOR_MS};

/// What supervisor says of a start that ended too early, word for word.
const TOO_QUICK: &str = "Exited too quickly (process log may have details)";
const SIGKILL: i32 = 9;
/// The errors of fork, exec and opening a terminal that mean "not now": EAGAIN, ENOMEM, ENFILE, EMFILE, ENOSPC.
const RESOURCE_ERRNOS: [i32; 5] = [11, 12, 23, 24, 28];

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
    /// Alive, for less than `starttime`.
    Starting {
        /// Its pid.
        pid: Pid,
        /// When it was spawned.
        since: Mono,
        /// When it will have stayed up for long enough.
        trusted_at: Mono,
    },
    /// Alive, for long enough.
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
    pub(super) out: &'a mut Vec<Effect>,
}

impl Context<'_> {
    fn tell(&mut self, kind: EventKind) {
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
    /// When the last incarnation ended.
    pub ended: Option<Mono>,
    /// How it ended.
    pub exit: Option<Exit>,
    /// Why the present incarnation never became its program; its death follows.
    exec_failure: Option<Failure>,
    /// The latest restarts, as many as `restart_limit` asks about.
    restarts: VecDeque<Mono>,
    /// Restarts since it was last started by hand or by a reload, for `on-failure:N`.
    restarts_by_policy: u32,
}

#[expect(
    clippy::wrong_self_convention,
    reason = "the rows of the table are named after the state they lead from"
)]
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
            ended: None,
            exit: None,
            exec_failure: None,
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
        match self.state {
            State::Starting { pid, .. }
            | State::Running { pid, .. }
            | State::Stopping { pid, .. } => Some(pid),
            State::Stopped(_)
            | State::Queued { .. }
            | State::Spawning
            | State::Backoff { .. }
            | State::Exited { .. }
            | State::Fatal => None,
        }
    }

    /// When it was started, while it is alive.
    pub fn since(&self) -> Option<Mono> {
        match self.state {
            State::Starting { since, .. }
            | State::Running { since, .. }
            | State::Stopping { since, .. } => Some(since),
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
            // What never became its program will not be trusted, however late its death is noticed.
            State::Starting { trusted_at, .. } => self.exec_failure.is_none().then_some(trusted_at),
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
        self.exec_failure = Some(failure);
    }

    /// Forgets past failures, as somebody new has decided that it is to run.
    pub(super) fn pardon(&mut self) {
        self.failures = 0;
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

    fn from_rest(&mut self, happening: Happening, ctx: &mut Context<'_>) -> State {
        match happening {
            Happening::Start | Happening::Restart => self.queue(ctx),
            Happening::Stop => self.state.clone(),
            Happening::Spawned(_)
            | Happening::SpawnFailed(_)
            | Happening::Exited(_)
            | Happening::Timeout => self.never(&happening, ctx),
        }
    }

    fn from_exited(
        &mut self,
        again_at: Option<Mono>,
        happening: Happening,
        ctx: &mut Context<'_>,
    ) -> State {
        match (happening, again_at) {
            (Happening::Start | Happening::Restart, _) => self.queue(ctx),
            (Happening::Stop, Some(_)) => self.put_down(ctx),
            (Happening::Stop, None) => self.state.clone(),
            (Happening::Timeout, Some(at)) if at <= ctx.now => self.spawn(ctx),
            (
                happening @ (Happening::Spawned(_)
                | Happening::SpawnFailed(_)
                | Happening::Exited(_)
                | Happening::Timeout),
                _,
            ) => self.never(&happening, ctx),
        }
    }

    fn from_queued(&mut self, at: Mono, happening: Happening, ctx: &mut Context<'_>) -> State {
        match happening {
            Happening::Start | Happening::Restart => self.state.clone(),
            Happening::Stop => self.put_down(ctx),
            Happening::Timeout if at <= ctx.now => self.spawn(ctx),
            Happening::Spawned(_)
            | Happening::SpawnFailed(_)
            | Happening::Exited(_)
            | Happening::Timeout => self.never(&happening, ctx),
        }
    }

    fn from_spawning(&mut self, happening: Happening, ctx: &mut Context<'_>) -> State {
        match happening {
            Happening::Spawned(pid) => {
                ctx.tell(EventKind::Started {
                    process: self.shown(),
                    pid: pid.0,
                });
                match self.spec.starttime_ms {
                    0 => self.trust(pid, ctx.now, ctx),
                    ms => State::Starting {
                        pid,
                        since: ctx.now,
                        trusted_at: ctx.now.after(ms),
                    },
                }
            }
            Happening::SpawnFailed(failure) => self.fail(failure, ctx),
            Happening::Start
            | Happening::Stop
            | Happening::Restart
            | Happening::Exited(_)
            | Happening::Timeout => self.never(&happening, ctx),
        }
    }

    fn from_starting(&mut self, happening: Happening, ctx: &mut Context<'_>) -> State {
        let State::Starting {
            pid,
            since,
            trusted_at,
        } = self.state
        else {
            return self.never(&happening, ctx);
        };
        match happening {
            Happening::Start => self.state.clone(),
            Happening::Stop => self.ask_to_end(pid, since, Then::Stay, ctx),
            Happening::Restart => self.ask_to_end(pid, since, Then::Respawn, ctx),
            // It had stayed up for long enough, only its deadline was not looked at yet.
            Happening::Exited(exit) if trusted_at <= ctx.now && self.exec_failure.is_none() => {
                self.state = self.trust(pid, since, ctx);
                self.from_running(Happening::Exited(exit), ctx)
            }
            Happening::Exited(exit) => {
                let failure = self
                    .exec_failure
                    .take()
                    .unwrap_or_else(|| too_quick(exit, ctx.now.since(since)));
                self.fail(failure, ctx)
            }
            Happening::Timeout if trusted_at <= ctx.now => self.trust(pid, since, ctx),
            Happening::Spawned(_) | Happening::SpawnFailed(_) | Happening::Timeout => {
                self.never(&happening, ctx)
            }
        }
    }

    fn from_running(&mut self, happening: Happening, ctx: &mut Context<'_>) -> State {
        let State::Running { pid, since } = self.state else {
            return self.never(&happening, ctx);
        };
        match happening {
            Happening::Start => self.state.clone(),
            Happening::Stop => self.ask_to_end(pid, since, Then::Stay, ctx),
            Happening::Restart => self.ask_to_end(pid, since, Then::Respawn, ctx),
            // With starttime 0 it counts as running before the exec has failed; it never ran all the same.
            Happening::Exited(exit) => match self.exec_failure.take() {
                Some(failure) => self.fail(failure, ctx),
                None => self.end(pid, since, exit, ctx),
            },
            Happening::Spawned(_) | Happening::SpawnFailed(_) | Happening::Timeout => {
                self.never(&happening, ctx)
            }
        }
    }

    fn from_backoff(
        &mut self,
        retry_at: Mono,
        happening: Happening,
        ctx: &mut Context<'_>,
    ) -> State {
        match happening {
            Happening::Start | Happening::Restart => self.queue(ctx),
            Happening::Stop => self.put_down(ctx),
            Happening::Timeout if retry_at <= ctx.now => self.spawn(ctx),
            Happening::Spawned(_)
            | Happening::SpawnFailed(_)
            | Happening::Exited(_)
            | Happening::Timeout => self.never(&happening, ctx),
        }
    }

    fn from_stopping(&mut self, happening: Happening, ctx: &mut Context<'_>) -> State {
        let State::Stopping {
            pid,
            since,
            asked_at,
            kill_at,
            kills,
            then,
        } = self.state
        else {
            return self.never(&happening, ctx);
        };
        let going_on = |then| State::Stopping {
            pid,
            since,
            asked_at,
            kill_at,
            kills,
            then,
        };
        match happening {
            Happening::Stop => going_on(Then::Stay),
            Happening::Start | Happening::Restart => going_on(Then::Respawn),
            Happening::Exited(exit) => {
                ctx.tell(EventKind::Stopped {
                    process: self.shown(),
                    exit: Some(exit),
                });
                match then {
                    Then::Stay => State::Stopped(Rest::ByHand),
                    Then::Respawn => self.queue(ctx),
                }
            }
            Happening::Timeout if kill_at <= ctx.now => {
                if kills == 0 {
                    let after_ms = ctx.now.since(asked_at);
                    ctx.tell(EventKind::Killed {
                        process: self.shown(),
                        pid: pid.0,
                        after_ms,
                    });
                }
                let aim = self.aim();
                ctx.out.push(Effect::Kill {
                    id: ctx.id,
                    pid,
                    signal: SIGKILL,
                    aim,
                });
                // A stoptime of zero must not become a loop.
                let kill_at = ctx.now.after(self.spec.stoptime_ms.max(RESOURCE_RETRY_MS));
                State::Stopping {
                    pid,
                    since,
                    asked_at,
                    kill_at,
                    kills: kills + 1,
                    then,
                }
            }
            Happening::Spawned(_) | Happening::SpawnFailed(_) | Happening::Timeout => {
                self.never(&happening, ctx)
            }
        }
    }

    fn queue(&mut self, ctx: &Context<'_>) -> State {
        self.pardon();
        State::Queued { at: ctx.now }
    }

    fn spawn(&mut self, ctx: &mut Context<'_>) -> State {
        self.starts += 1;
        self.exec_failure = None;
        ctx.out.push(Effect::Spawn { id: ctx.id });
        State::Spawning
    }

    fn trust(&mut self, pid: Pid, since: Mono, ctx: &mut Context<'_>) -> State {
        // With starttime 0 the exec may still fail; what failed before is forgotten when it has not.
        if self.spec.starttime_ms > 0 {
            self.failures = 0;
        }
        self.failure = None;
        let after_ms = ctx.now.since(since);
        ctx.tell(EventKind::Running {
            process: self.shown(),
            pid: pid.0,
            after_ms,
        });
        State::Running { pid, since }
    }

    /// From a state without a process to rest.
    fn put_down(&mut self, ctx: &mut Context<'_>) -> State {
        ctx.tell(EventKind::Stopped {
            process: self.shown(),
            exit: None,
        });
        State::Stopped(Rest::ByHand)
    }

    fn ask_to_end(&mut self, pid: Pid, since: Mono, then: Then, ctx: &mut Context<'_>) -> State {
        let signal = self.spec.stopsignal;
        ctx.tell(EventKind::Stopping {
            process: self.shown(),
            pid: pid.0,
            signal,
        });
        ctx.out.push(Effect::Kill {
            id: ctx.id,
            pid,
            signal,
            aim: self.aim(),
        });
        let kill_at = ctx.now.after(self.spec.stoptime_ms);
        State::Stopping {
            pid,
            since,
            asked_at: ctx.now,
            kill_at,
            kills: 0,
            then,
        }
    }

    fn aim(&self) -> Aim {
        if self.spec.stopasgroup {
            Aim::Group
        } else {
            Aim::Leader
        }
    }

    /// A start failed. One second more of waiting for each failure, as supervisor does; want of resources
    /// is nobody's failure and is waited out.
    fn fail(&mut self, failure: Failure, ctx: &mut Context<'_>) -> State {
        let retries = self.spec.startretries;
        let counted = !RESOURCE_ERRNOS.contains(&failure.errno);
        let reason = failure.detail.clone();
        self.failure = Some(failure);
        let process = self.shown();
        if counted {
            self.failures += 1;
            if self.failures > retries {
                ctx.tell(EventKind::Fatal { process, reason });
                return State::Fatal;
            }
        }
        let (failures, retry_in_ms) = if counted {
            (self.failures, 1000 * u64::from(self.failures))
        } else {
            (0, RESOURCE_RETRY_MS)
        };
        ctx.tell(EventKind::Backoff {
            process,
            reason,
            failures,
            retries,
            retry_in_ms,
        });
        State::Backoff {
            retry_at: ctx.now.after(retry_in_ms),
        }
    }

    /// A running process ended by itself.
    fn end(&mut self, pid: Pid, since: Mono, exit: Exit, ctx: &mut Context<'_>) -> State {
        self.failures = 0;
        let expected = matches!(exit, Exit::Code(code) if self.spec.exitcodes.contains(&code));
        let again = self.again(expected, since, ctx.now);
        let again_at = *again.as_ref().unwrap_or(&None);
        ctx.tell(EventKind::Exited {
            process: self.shown(),
            pid: pid.0,
            exit,
            expected,
            ran_ms: ctx.now.since(since),
            again_in_ms: again_at.map(|at| at.since(ctx.now)),
        });
        match again {
            Ok(again_at) => State::Exited { again_at },
            Err(reason) => {
                ctx.tell(EventKind::Fatal {
                    process: self.shown(),
                    reason: reason.clone(),
                });
                self.failure = Some(Failure {
                    stage: "restart".into(),
                    errno: 0,
                    detail: reason.clone(),
                    reason,
                });
                State::Fatal
            }
        }
    }

    /// When it starts again after it ended, if it does; an error is the reason why it is given up.
    fn again(&mut self, expected: bool, since: Mono, now: Mono) -> Result<Option<Mono>, String> {
        let wanted = match self.spec.autorestart {
            Autorestart::Always => true,
            Autorestart::Never => false,
            Autorestart::Unexpected | Autorestart::OnFailure(_) => !expected,
        };
        if !wanted {
            return Ok(None);
        }
        if let Autorestart::OnFailure(most) = self.spec.autorestart {
            if self.restarts_by_policy >= most {
                return Err(format!(
                    "it failed again after {most} restarts (autorestart: on-failure:{most})"
                ));
            }
            self.restarts_by_policy += 1;
        }
        if let Some(limit) = self.spec.restart_limit {
            self.restarts
                .retain(|&at| now.since(at) < limit.interval_ms);
            if self.restarts.len() as u64 >= u64::from(limit.burst) {
                let within = shared::text::duration(limit.interval_ms);
                return Err(format!(
                    "more than {} restarts within {within} (restart_limit)",
                    limit.burst
                ));
            }
            self.restarts.push_back(now);
        }
        let floor = if self.spec.starttime_ms == 0 {
            since.after(RESPAWN_FLOOR_MS)
        } else {
            now
        };
        Ok(Some(floor.max(now.after(self.spec.restart_delay_ms))))
    }

    /// A cell of the table that our own code must not reach: said aloud, and survived.
    fn never(&self, happening: &Happening, ctx: &mut Context<'_>) -> State {
        debug_assert!(
            false,
            "{} is {:?} and heard {happening:?}",
            self.name, self.state
        );
        let text = format!(
            "bug: {} is {:?} and heard {happening:?}; please report it",
            self.name, self.state
        );
        ctx.tell(EventKind::Trouble { text });
        self.state.clone()
    }
}

/// The failure of a process that ended before `starttime`.
fn too_quick(exit: Exit, ran_ms: u64) -> Failure {
    let ran = shared::text::duration(ran_ms);
    Failure {
        stage: "starttime".into(),
        errno: 0,
        reason: TOO_QUICK.into(),
        detail: format!("exited too quickly: {exit} after {ran}"),
    }
}
