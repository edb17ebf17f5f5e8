//! What follows a death or a failed spawn, told a second time and otherwise than in the core.

use shared::state::Exit;
use taskmasterd::config::model::{Autorestart, Program};
use taskmasterd::core::{Failure, Input, Mono, Process, ProcessId, State, Then};

use super::{Change, hold};
use crate::os::Os;

const RESOURCE_RETRY_MS: u64 = 1000;
const FLOOR_MS: u64 = 250;

pub(super) fn check(change: &Change<'_>, id: ProcessId, os: &Os) -> Result<(), String> {
    let before = change.before.process(id).ok_or("a death of nobody")?;
    let Some(after) = change.after.process(id) else {
        return hold(before.is_doomed(), || {
            format!("S14: {} has vanished", before.name)
        });
    };
    let leaving = change.before.is_leaving();
    let expected = match change.input {
        Input::SpawnFailed { failure, .. } => after_failure(before, failure.errno, change.now),
        Input::Exited { pid, exit, .. } => {
            let exec_failure = os
                .children
                .get(pid)
                .and_then(|child| child.exec_failure.as_ref());
            match (&before.state, exec_failure) {
                // Nobody starts again, and nobody says so.
                (State::Starting { .. } | State::Running { .. }, None) if leaving => {
                    vec![State::Exited { again_at: None }]
                }
                _ => after_exit(before, *exit, exec_failure, change.now),
            }
        }
        _ => return Ok(()),
    };
    let fits = |state: &State| {
        after.state == *state
            || (leaving && comes_back(state) && matches!(after.state, State::Stopped(_)))
    };
    hold(expected.iter().any(fits), || {
        format!(
            "S10 S11: {} was {:?} and is {:?}, not {expected:?}",
            before.name, before.state, after.state
        )
    })
}

fn comes_back(state: &State) -> bool {
    matches!(
        state,
        State::Queued { .. } | State::Backoff { .. } | State::Exited { again_at: Some(_) }
    )
}

/// The states that may follow.
fn after_exit(
    before: &Process,
    exit: Exit,
    exec_failure: Option<&Failure>,
    now: Mono,
) -> Vec<State> {
    match (&before.state, exec_failure) {
        (State::Stopping { then, .. }, _) => match then {
            Then::Stay => vec![State::Stopped(taskmasterd::core::Rest::ByHand)],
            Then::Respawn => vec![State::Queued { at: now }],
        },
        (_, Some(failure)) => after_failure(before, failure.errno, now),
        (State::Starting { since, .. }, None) if now.since(*since) < before.spec.starttime_ms => {
            after_failure(before, 0, now)
        }
        (State::Starting { since, .. } | State::Running { since, .. }, None) => {
            after_run(&before.spec, exit, *since, now)
        }
        (_, None) => Vec::new(),
    }
}

fn after_failure(before: &Process, errno: i32, now: Mono) -> Vec<State> {
    let resource = [11, 12, 23, 24, 28].contains(&errno);
    let failures = before.failures + 1;
    vec![match (resource, failures > before.spec.startretries) {
        (true, _) => State::Backoff {
            retry_at: now.after(RESOURCE_RETRY_MS),
        },
        (false, true) => State::Fatal,
        (false, false) => State::Backoff {
            retry_at: now.after(1000 * u64::from(failures)),
        },
    }]
}

fn after_run(spec: &Program, exit: Exit, since: Mono, now: Mono) -> Vec<State> {
    let failed = match exit {
        Exit::Code(code) => !spec.exitcodes.contains(&code),
        Exit::Signal { .. } => true,
    };
    let (again, bounded) = match spec.autorestart {
        Autorestart::Always => (true, false),
        Autorestart::Never => (false, false),
        Autorestart::Unexpected => (failed, false),
        Autorestart::OnFailure(_) => (failed, true),
    };
    if !again {
        return vec![State::Exited { again_at: None }];
    }
    let mut at = now.after(spec.restart_delay_ms);
    if spec.starttime_ms == 0 {
        at = at.max(since.after(FLOOR_MS));
    }
    let mut states = vec![State::Exited { again_at: Some(at) }];
    if bounded || spec.restart_limit.is_some() {
        states.push(State::Fatal);
    }
    states
}
