//! The invariants. S1 to S24 and L1 to L6 are the numbers under which they were written down:
//!
//! - S1 S2 S3: a process has one pid while it starts, runs or stops, and none otherwise.
//! - S4 S17: only what is in the configuration, as it is there, is spawned and writes where it says, and nothing in
//!   a shutdown.
//! - S5: signals go to one's own process that is not reaped. S8: SIGKILL has a reason.
//! - S6 S22: each spawn has one end. S7: a stop is final until somebody else wants otherwise.
//! - S9 S10 S11: RUNNING, BACKOFF, FATAL and EXITED come when the manual says.
//! - S12 S14 S15: a reload touches what changed, nothing else, and as announced. S18: one answer for each command.
//! - S20: deadlines are kept and lead somewhere. S23: the state is bounded. S24 is held by the types.
//! - L1 to L6: when nobody asks any more, everything comes to rest where it belongs.

use std::collections::{BTreeMap, BTreeSet};

use shared::api::Stream;
use taskmasterd::config::model::{Config, Output, Program};
use taskmasterd::core::{
    Aim, Effect, Input, Mono, Pid, Process, ProcessId, Rest, State, Supervisor, Verb,
};

use crate::os::Os;

#[path = "death.rs"]
mod death;

pub(crate) type Check = Result<(), String>;

/// One fact and what came of it.
pub(crate) struct Change<'a> {
    pub(crate) now: Mono,
    pub(crate) before: &'a Supervisor,
    pub(crate) input: &'a Input,
    pub(crate) effects: &'a [Effect],
    pub(crate) after: &'a Supervisor,
}

/// What is known of the past.
#[derive(Default)]
pub(crate) struct Books {
    /// Stopped by hand, and nobody has wanted otherwise since.
    pub(crate) held: BTreeSet<ProcessId>,
    /// Spawns asked for and ends heard of.
    pub(crate) spawns: BTreeMap<ProcessId, (u64, u64)>,
    /// When SIGKILL is due after the stop signal.
    kill_due: BTreeMap<ProcessId, Mono>,
    forgotten: BTreeSet<ProcessId>,
    /// Where the streams go, as the reactor has been told.
    outputs: BTreeMap<(ProcessId, Stream), Output>,
}

/// `condition`, or the text is why the run failed.
pub(crate) fn hold(condition: bool, text: impl FnOnce() -> String) -> Check {
    if condition { Ok(()) } else { Err(text()) }
}

fn spec_of<'a>(config: &'a Config, process: &Process) -> Option<&'a Program> {
    let spec = config.programs.get(&process.name.program)?;
    (process.name.index < spec.numprocs).then_some(spec.as_ref())
}

pub(crate) fn change(change: &Change<'_>, os: &Os, books: &mut Books) -> Check {
    intents(change, books);
    for effect in change.effects {
        match effect {
            Effect::Spawn { id } => spawn(change, os, *id, books)?,
            Effect::Kill {
                id,
                signal: 9,
                aim,
                pid,
            } => {
                let dead = os.children.get(pid).is_some_and(|child| child.dead);
                kill(change, *id, dead && *aim == Aim::Group, books)?;
            }
            Effect::Forget { id, .. } => {
                hold(
                    os.of(*id).len() <= usize::from(is_exit(change.input)),
                    || format!("S14: {id:?} is forgotten alive"),
                )?;
                books.forgotten.insert(*id);
            }
            Effect::Kill { id, .. } | Effect::Signal { id, .. } | Effect::Redirect { id, .. } => {
                hold(!books.forgotten.contains(id), || {
                    format!("S14: {id:?} was forgotten")
                })?;
                if let (Effect::Redirect { stream, .. }, Some(process)) =
                    (effect, change.after.process(*id))
                {
                    let output = process.spec.output(*stream).clone();
                    books.outputs.insert((*id, *stream), output);
                }
            }
            Effect::Event { .. } | Effect::Reply { .. } | Effect::Leave => {}
        }
    }
    match change.input {
        Input::Reload { config, .. } if !change.before.is_leaving() => reload(change, config)?,
        Input::Exited { id, .. } | Input::SpawnFailed { id, .. } => {
            books.spawns.entry(*id).or_default().1 += 1;
            death::check(change, *id, os)?;
        }
        Input::Timeout => timeout(change)?,
        _ => {}
    }
    for (id, process) in change.after.processes() {
        moved(change, id, process, os, books)?;
    }
    Ok(())
}

fn is_exit(input: &Input) -> bool {
    matches!(input, Input::Exited { .. })
}

/// Notes who was stopped by hand, and whom somebody else wants to run.
fn intents(change: &Change<'_>, books: &mut Books) {
    match change.input {
        Input::Command { verb, names, .. } if !change.before.is_leaving() => {
            for id in names.iter().flat_map(|name| change.before.select(name)) {
                match verb {
                    Verb::Stop => books.held.insert(id),
                    Verb::Start | Verb::Restart => books.held.remove(&id),
                    Verb::Signal(_) => false,
                };
            }
        }
        Input::Reload { config, .. } => {
            for (id, process) in change.before.processes() {
                let was = spec_of(change.before.config(), process);
                let wanted = match process.state {
                    // It was taken out of the configuration, and may come back as another.
                    State::Stopped(Rest::ByHand) | State::Stopping { .. } => was.is_none(),
                    _ => was != spec_of(config, process),
                };
                if wanted {
                    books.held.remove(&id);
                }
            }
        }
        _ => {}
    }
}

fn spawn(change: &Change<'_>, os: &Os, id: ProcessId, books: &mut Books) -> Check {
    hold(!change.before.is_leaving(), || {
        format!("S17: {id:?} is spawned in a shutdown")
    })?;
    hold(!books.held.contains(&id), || {
        format!("S7: {id:?} was stopped by hand")
    })?;
    hold(os.of(id).is_empty(), || format!("S1: {id:?} lives already"))?;
    let process = change.after.process(id).ok_or("S4: a spawn of nobody")?;
    let spec = spec_of(change.after.config(), process);
    hold(spec == Some(&*process.spec), || {
        format!(
            "S4: {} is spawned otherwise than it is configured",
            process.name
        )
    })?;
    for stream in [Stream::Stdout, Stream::Stderr] {
        let output = process.spec.output(stream);
        let told = books
            .outputs
            .entry((id, stream))
            .or_insert_with(|| output.clone());
        hold(told == output, || {
            format!(
                "S4: {} writes elsewhere than it is configured",
                process.name
            )
        })?;
    }
    books.spawns.entry(id).or_default().0 += 1;
    books.kill_due.remove(&id);
    Ok(())
}

fn kill(change: &Change<'_>, id: ProcessId, sweep: bool, books: &Books) -> Check {
    let asked = matches!(change.input, Input::ShutdownNow { .. });
    let due = books
        .kill_due
        .get(&id)
        .is_some_and(|&due| due <= change.now);
    hold(sweep || asked || due, || {
        format!("S8: SIGKILL for {id:?} has no reason")
    })
}

/// Who did not live and is started is in the plan, and nobody else.
fn announced(change: &Change<'_>, config: &Config) -> Check {
    let queued = |state: &State| matches!(state, State::Queued { .. });
    let started = change.before.processes().filter(|(id, process)| {
        let after = change.after.process(*id);
        !queued(&process.state) && after.is_some_and(|after| queued(&after.state))
    });
    let started: BTreeSet<String> = started
        .filter_map(|(_, process)| {
            let spec = spec_of(config, process)?;
            Some(process.name.shown(spec.numprocs))
        })
        .collect();
    let plan = change.before.plan(config);
    let told = plan.programs.into_iter().flat_map(|program| program.starts);
    let told: BTreeSet<String> = told.collect();
    hold(told == started, || {
        format!("S14: {started:?} are started, told were {told:?}")
    })
}

fn reload(change: &Change<'_>, config: &Config) -> Check {
    announced(change, config)?;
    let old = change.before.config();
    for (id, process) in change.before.processes() {
        let (was, is) = (spec_of(old, process), spec_of(config, process));
        let named = |effect: &&Effect| match effect {
            Effect::Spawn { id: other }
            | Effect::Kill { id: other, .. }
            | Effect::Signal { id: other, .. }
            | Effect::Redirect { id: other, .. }
            | Effect::Forget { id: other, .. } => *other == id,
            Effect::Event { .. } | Effect::Reply { .. } | Effect::Leave => false,
        };
        let touched = change.effects.iter().find(named);
        if was == is && !process.is_doomed() && is.is_some() {
            hold(touched.is_none(), || {
                format!("S12: {} is the same: {touched:?}", process.name)
            })?;
            // Only what it waits for may be no more.
            let waited = matches!(process.state, State::Queued { at } if at > change.now);
            hold(waited || change.after.process(id) == Some(process), || {
                format!("S12: {} is the same and was changed", process.name)
            })?;
        } else if let (Some(was), Some(is)) = (was, is)
            && was.launch == is.launch
            && was.is_merged() == is.is_merged()
            && !process.is_doomed()
        {
            let stopped = matches!(touched, Some(Effect::Kill { .. } | Effect::Forget { .. }));
            hold(!stopped, || {
                format!("S15: {} was stopped for a live key", process.name)
            })?;
        }
    }
    Ok(())
}

/// A deadline that has come changes something.
fn timeout(change: &Change<'_>) -> Check {
    let due = change.before.deadline().is_some_and(|at| at <= change.now);
    hold(!due || change.before != change.after, || {
        "S20: a timeout that was due changed nothing".into()
    })
}

/// What must be true of a process that one fact moved from one state to another.
fn moved(
    change: &Change<'_>,
    id: ProcessId,
    process: &Process,
    os: &Os,
    books: &mut Books,
) -> Check {
    let before = change.before.process(id);
    if before == Some(process) {
        return Ok(());
    }
    let was = before.map(|before| &before.state);
    match process.state {
        State::Running { pid, since } if !matches!(was, Some(State::Running { .. })) => {
            let starttime = process.spec.starttime_ms;
            hold(change.now.since(since) >= starttime, || {
                format!("S9: {} is RUNNING too early", process.name)
            })?;
            let child = os.children.get(&pid);
            hold(
                child.is_none_or(|child| child.is_its_program(change.now)),
                || format!("S9: {} is not its program", process.name),
            )?;
            hold(process.failures == 0, || {
                format!("S10: {} is RUNNING with failures", process.name)
            })
        }
        State::Stopping {
            asked_at, kill_at, ..
        } if !matches!(was, Some(State::Stopping { .. })) => {
            hold(asked_at == change.now && kill_at >= change.now, || {
                format!("S20: {} stops in the past", process.name)
            })?;
            in_order(change, process)?;
            books.kill_due.insert(id, kill_at);
            let stop_ms = before.map(|before| before.spec.stoptime_ms);
            let told = kill_at.since(asked_at);
            hold(
                stop_ms == Some(told) || process.spec.stoptime_ms == told,
                || format!("S8: {} has {told} ms to stop", process.name),
            )
        }
        State::Fatal if !matches!(was, Some(State::Fatal)) => {
            hold(process.failure.is_some(), || {
                format!("{} is FATAL without a reason", process.name)
            })
        }
        _ => Ok(()),
    }
}

/// In a shutdown a process is asked to end when those of higher numbers are down, or would not die; unless all are
/// killed at once.
fn in_order(change: &Change<'_>, process: &Process) -> Check {
    if matches!(change.input, Input::ShutdownNow { .. }) {
        return Ok(());
    }
    let mut processes = change.after.processes();
    let earlier = processes.find(|(_, other)| match other.state {
        State::Stopping { kills, .. } if kills > 2 => false,
        _ => other.pid().is_some() && other.spec.priority > process.spec.priority,
    });
    hold(earlier.is_none() || !change.after.is_leaving(), || {
        format!("S17: {} is stopped out of order", process.name)
    })
}

/// What is true whenever nothing is under way.
pub(crate) fn state(now: Mono, core: &Supervisor, os: &Os) -> Check {
    let mut first: Option<Mono> = None;
    let mut names = BTreeSet::new();
    let mut pids: BTreeMap<ProcessId, Vec<Pid>> = BTreeMap::new();
    for (&pid, child) in &os.children {
        pids.entry(child.owner).or_default().push(pid);
    }
    let is_removed = |process| spec_of(core.config(), process).is_none();
    let someone_leaves = core.processes().any(|(_, process)| is_removed(process));
    for (id, process) in core.processes() {
        let live = pids.remove(&id).unwrap_or_default();
        hold(names.insert(process.name.clone()), || {
            format!("S1: two {}", process.name)
        })?;
        hold(process.state != State::Spawning, || {
            format!("{} is being spawned", process.name)
        })?;
        hold(live == Vec::from_iter(process.pid()), || {
            format!(
                "S2 S3: {} is {:?}, and lives as {live:?}",
                process.name, process.state
            )
        })?;
        if let Some(since) = process.since() {
            let born = live
                .first()
                .and_then(|pid| os.children.get(pid))
                .map(|child| child.born);
            hold(born == Some(since), || {
                format!("S3: {} since {since:?}", process.name)
            })?;
        }
        hold(
            process.failures <= 1 + process.spec.startretries.max(3),
            || format!("S10: {} failed {} times", process.name, process.failures),
        )?;
        if is_removed(process) {
            let ending = matches!(process.state, State::Stopping { .. });
            hold(ending && process.is_doomed(), || {
                format!("S14: {} stays", process.name)
            })?;
        }
        hold(!process.comes_back() || !core.is_leaving(), || {
            format!("S17: {} comes back in a shutdown", process.name)
        })?;
        let waits = matches!(process.state, State::Queued { at } if at > now);
        hold(!waits || someone_leaves, || {
            format!("S20: {} waits for nobody", process.name)
        })?;
        first = first.into_iter().chain(process.deadline()).min();
    }
    hold(pids.is_empty(), || {
        format!("S3: nobody's processes: {pids:?}")
    })?;
    for program in core.config().programs.values() {
        let copies = (0..program.numprocs).map(|i| (program.name.clone(), i));
        let there =
            |(program, index)| names.contains(&shared::name::ProcessName::new(program, index));
        hold(copies.into_iter().all(there), || {
            format!("{} is not whole", program.name)
        })?;
    }
    hold(core.deadline() == first, || {
        format!(
            "S20: at {now:?} the deadline is {:?}, not {first:?}",
            core.deadline()
        )
    })
}
