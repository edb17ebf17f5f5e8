//! What must be true when everything has come to rest, when the daemon leaves, and when it answers.

use shared::api::{Outcomes, Verdict};
use taskmasterd::core::{State, Supervisor, Then};

use crate::check::{Books, Check, hold};
use crate::os::Os;

/// Nobody asks for anything any more, and everything that starts stays up.
pub(crate) fn settled(core: &Supervisor, books: &Books) -> Check {
    for (id, process) in core.processes() {
        let at_rest = match process.state {
            State::Stopped(_) | State::Exited { again_at: None } | State::Fatal => true,
            State::Running { .. } => !books.held.contains(&id),
            State::Queued { .. }
            | State::Spawning
            | State::Starting { .. }
            | State::Backoff { .. }
            | State::Stopping {
                then: Then::Stay | Then::Respawn,
                ..
            }
            | State::Exited { again_at: Some(_) } => false,
        };
        hold(at_rest, || {
            format!("L1 L2 L6: {} is {:?}", process.name, process.state)
        })?;
        let (spawns, ends) = books.spawns.get(&id).copied().unwrap_or_default();
        let live = u64::from(process.pid().is_some());
        hold(spawns == process.starts && spawns == ends + live, || {
            format!(
                "S22: {}: {spawns} spawns, {ends} ends, {live} live",
                process.name
            )
        })?;
        hold(!process.is_doomed(), || {
            format!("L3: {} waits for its fate", process.name)
        })?;
    }
    Ok(())
}

pub(crate) fn all_running(core: &Supervisor) -> Check {
    let down = core
        .processes()
        .find(|(_, process)| !matches!(process.state, State::Running { .. }));
    hold(down.is_none(), || format!("L2: {down:?} does not run"))
}

/// The daemon leaves nobody behind but those that survived three SIGKILLs.
pub(crate) fn leaving(os: &Os) -> Check {
    let spared = os.left().find(|child| child.sigkills < 3);
    hold(spared.is_none(), || format!("S17: {spared:?} was left"))
}

pub(crate) fn left(left: usize, os: &Os) -> Check {
    hold(left == os.left().count(), || {
        format!(
            "S17: {left} were left, they said, and it is {}",
            os.left().count()
        )
    })
}

/// What is answered as started has become its program. Of several processes the first may have gone on since.
pub(crate) fn started(outcomes: &Outcomes, core: &Supervisor, os: &Os) -> Check {
    let [outcome] = &outcomes.results[..] else {
        return Ok(());
    };
    let mut processes = core.processes().map(|(_, process)| process);
    let process = processes.find(|process| process.shown() == outcome.name);
    let (Verdict::Started, Some(process)) = (outcome.result, process) else {
        return Ok(());
    };
    let child = process.pid().and_then(|pid| os.children.get(&pid));
    let failed = child.is_some_and(|child| child.exec_failure.is_some());
    hold(!failed, || {
        format!("S9: {} is no program and was started", process.name)
    })
}

/// The state grows with programs and clients, not with time.
pub(crate) fn size(len: usize, core: &Supervisor, clients: usize) -> Check {
    let most = 4000 + 4000 * core.processes().count() + 4000 * clients;
    hold(len <= most, || {
        format!("S23: {len} bytes of state, more than {most}")
    })
}
