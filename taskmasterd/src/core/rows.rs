//! The rows of the table in [`super::process`]: one function for each state, one arm for each event.

use shared::event::EventKind;

use super::policy::too_quick;
use super::process::{Context, Exec, Happening, Process, Rest, SIGKILL, State, Then};
use super::{Aim, Effect, Mono, Pid};
use crate::limits::RESOURCE_RETRY_MS;

#[expect(
    clippy::wrong_self_convention,
    reason = "the rows of the table are named after the state they lead from"
)]
impl Process {
    pub(super) fn from_rest(&mut self, happening: Happening, ctx: &mut Context<'_>) -> State {
        match happening {
            Happening::Start | Happening::Restart => self.queue(ctx),
            Happening::Stop => self.state.clone(),
            Happening::Spawned(_)
            | Happening::SpawnFailed(_)
            | Happening::Exited(_)
            | Happening::Timeout => self.never(&happening, ctx),
        }
    }

    pub(super) fn from_exited(
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

    pub(super) fn from_queued(
        &mut self,
        at: Mono,
        happening: Happening,
        ctx: &mut Context<'_>,
    ) -> State {
        match happening {
            Happening::Start | Happening::Restart => State::Queued {
                at: at.min(ctx.now),
            },
            Happening::Stop => self.put_down(ctx),
            Happening::Timeout if at <= ctx.now => self.spawn(ctx),
            Happening::Spawned(_)
            | Happening::SpawnFailed(_)
            | Happening::Exited(_)
            | Happening::Timeout => self.never(&happening, ctx),
        }
    }

    pub(super) fn from_spawning(&mut self, happening: Happening, ctx: &mut Context<'_>) -> State {
        match happening {
            Happening::Spawned(pid) => {
                // Of what may want something for its exec again it is told when it has become its program.
                if self.want_told.is_none() {
                    ctx.tell(self.started(pid));
                }
                State::Starting {
                    pid,
                    since: ctx.now,
                    trusted_at: ctx.now.after(self.spec.starttime_ms),
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

    pub(super) fn from_starting(&mut self, happening: Happening, ctx: &mut Context<'_>) -> State {
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
            Happening::Exited(exit) if ctx.leaving && !self.never_ran() => {
                self.end(pid, since, exit, ctx)
            }
            Happening::Exited(exit) => {
                let failure = self
                    .take_exec_failure()
                    .unwrap_or_else(|| too_quick(exit, ctx.now.since(since)));
                self.fail(failure, ctx)
            }
            Happening::Timeout if trusted_at <= ctx.now => self.trust(pid, since, ctx),
            Happening::Spawned(_) | Happening::SpawnFailed(_) | Happening::Timeout => {
                self.never(&happening, ctx)
            }
        }
    }

    pub(super) fn from_running(&mut self, happening: Happening, ctx: &mut Context<'_>) -> State {
        let State::Running { pid, since } = self.state else {
            return self.never(&happening, ctx);
        };
        match happening {
            Happening::Start => self.state.clone(),
            Happening::Stop => self.ask_to_end(pid, since, Then::Stay, ctx),
            Happening::Restart => self.ask_to_end(pid, since, Then::Respawn, ctx),
            Happening::Exited(exit) => self.end(pid, since, exit, ctx),
            Happening::Spawned(_) | Happening::SpawnFailed(_) | Happening::Timeout => {
                self.never(&happening, ctx)
            }
        }
    }

    pub(super) fn from_backoff(
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

    pub(super) fn from_stopping(&mut self, happening: Happening, ctx: &mut Context<'_>) -> State {
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
                    let after_ms = kill_at.since(asked_at);
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
        self.exec = Exec::Underway;
        ctx.out.push(Effect::Spawn { id: ctx.id });
        State::Spawning
    }

    fn trust(&mut self, pid: Pid, since: Mono, ctx: &mut Context<'_>) -> State {
        self.failures = 0;
        self.failure = None;
        let after_ms = self.spec.starttime_ms;
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
