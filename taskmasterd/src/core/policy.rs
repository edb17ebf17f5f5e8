//! What follows when a process did not start, or did not stay: when it is tried again, and when it is given up.

use shared::event::EventKind;
use shared::state::Exit;
use shared::text::count;

use super::process::{Context, Process, Rest, State};
use super::{Failure, Mono, Pid};
use crate::config::model::{Autorestart, Program};
use crate::limits::{LOG_TROUBLE_MS, RESOURCE_RETRY_MS, RESPAWN_FLOOR_MS};

/// What supervisor says of a start that ended too early, word for word.
const TOO_QUICK: &str = "Exited too quickly (process log may have details)";
/// The errors of fork, exec and opening a terminal that mean "not now": EAGAIN, ENOMEM, ENFILE, EMFILE, ENOSPC.
const RESOURCE_ERRNOS: [i32; 5] = [11, 12, 23, 24, 28];

impl Process {
    /// A start failed. One second more of waiting for each failure, as supervisor does; want of resources
    /// is nobody's failure and is waited out, and told of once a minute.
    pub(super) fn fail(&mut self, failure: Failure, ctx: &mut Context<'_>) -> State {
        let retries = self.spec.startretries;
        let counted = !RESOURCE_ERRNOS.contains(&failure.errno);
        let reason = failure.detail.clone();
        self.failure = Some(failure);
        let process = self.shown();
        if counted {
            self.want_told = None;
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
        if counted || self.is_want_news(ctx.now) {
            ctx.tell(EventKind::Backoff {
                process,
                reason,
                failures,
                retries,
                retry_in_ms,
            });
        }
        State::Backoff {
            retry_at: ctx.now.after(retry_in_ms),
        }
    }

    /// Whether a want of resources is to be told of now. It may last, and take all processes at once: a line for
    /// each try of each would fill the disk.
    fn is_want_news(&mut self, now: Mono) -> bool {
        let is_news = self
            .want_told
            .is_none_or(|told| now.since(told) >= LOG_TROUBLE_MS);
        if is_news {
            self.want_told = Some(now);
        }
        is_news
    }

    /// A running process ended by itself.
    pub(super) fn end(
        &mut self,
        pid: Pid,
        since: Mono,
        exit: Exit,
        ctx: &mut Context<'_>,
    ) -> State {
        self.failures = 0;
        let expected = self.expects(exit);
        let again = if ctx.leaving {
            Ok(None)
        } else {
            self.again(expected, since, ctx.now)
        };
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

    /// Other rules than `before` hold while it waits to start: what they do not want does not come, and what waits
    /// for another delay comes when that is over.
    pub(super) fn reconsider(&mut self, before: &Program, now: Mono) {
        match &mut self.state {
            State::Starting {
                since, trusted_at, ..
            } => *trusted_at = since.after(self.spec.starttime_ms),
            // Brought by a reload, and still waiting for what that one removed.
            State::Queued { at } if *at > now && !self.spec.autostart => {
                self.state = State::Stopped(Rest::NotStarted);
            }
            State::Exited { again_at: Some(at) } => {
                let (at, delay_ms) = (*at, self.spec.restart_delay_ms);
                let at = match self.ended {
                    Some(ended) if before.restart_delay_ms != delay_ms => ended.after(delay_ms),
                    Some(_) | None => at,
                };
                let expected = self.exit.is_some_and(|exit| self.expects(exit));
                let wanted = self.restarts_after(expected);
                self.state = State::Exited {
                    again_at: wanted.then_some(at),
                };
            }
            State::Stopped(_)
            | State::Queued { .. }
            | State::Spawning
            | State::Running { .. }
            | State::Backoff { .. }
            | State::Stopping { .. }
            | State::Exited { again_at: None }
            | State::Fatal => {}
        }
    }

    fn expects(&self, exit: Exit) -> bool {
        matches!(exit, Exit::Code(code) if self.spec.exitcodes.contains(&code))
    }

    /// Whether `autorestart` wants it again after an end that was expected, or was not.
    fn restarts_after(&self, expected: bool) -> bool {
        match self.spec.autorestart {
            Autorestart::Always => true,
            Autorestart::Never => false,
            Autorestart::Unexpected | Autorestart::OnFailure(_) => !expected,
        }
    }

    /// When it starts again after it ended, if it does; an error is the reason why it is given up.
    fn again(&mut self, expected: bool, since: Mono, now: Mono) -> Result<Option<Mono>, String> {
        if !self.restarts_after(expected) {
            return Ok(None);
        }
        if let Autorestart::OnFailure(most) = self.spec.autorestart {
            if self.restarts_by_policy >= most {
                return Err(format!(
                    "it failed again after {} (autorestart: on-failure:{most})",
                    count(u64::from(most), "restart", "restarts")
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
                    "more than {} within {within} (restart_limit)",
                    count(u64::from(limit.burst), "restart", "restarts")
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
}

/// The failure of a process that ended before `starttime`.
pub(super) fn too_quick(exit: Exit, ran_ms: u64) -> Failure {
    let ran = shared::text::duration(ran_ms);
    Failure {
        stage: "starttime".into(),
        errno: 0,
        reason: TOO_QUICK.into(),
        detail: format!("exited too quickly: {exit} after {ran}"),
    }
}
