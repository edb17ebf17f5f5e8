//! What each method of the protocol comes to: an answer read off the core, or a deed for the reactor.

use serde::Serialize;
use serde_json::Value;
use shared::api::{
    AttachParams, Available, AvailableProcess, Call, NamedPid, Names, Outcome, PROTOCOL, Pids,
    ProcessStatus, ReloadParams, ScreenParams, SendParams, SignalParams, Status, StatusParams,
    TailParams, Verdict, Version,
};
use shared::name::Selector;
use shared::rpc::{RpcError, code};

use crate::core::{Found, Input, Meant, Mono, Process, ProcessId, Supervisor, Ticket, Verb};
use crate::limits::{NAMES_MAX, PATTERNS_MAX};

use super::peer::Peer;

/// What the reactor is to do about a request.
#[derive(Debug)]
pub enum Deed {
    /// Answer this.
    Answer(Result<Value, RpcError>),
    /// Answer this, with who is attached, and the strays if they are wanted.
    Status(Status, Strays),
    /// Tell the core, which answers when it is done.
    Tell(Input),
    /// Read the configuration again.
    Reload(ReloadParams),
    /// Give the last output of a process.
    Tail(ProcessId, TailParams),
    /// Put the client in front of the terminal of a process.
    Attach(ProcessId, AttachParams),
    /// Type into the terminal of a process.
    Send(ProcessId, SendParams),
    /// Say what is on the screen of a process.
    Screen(ProcessId, ScreenParams),
    /// Empty the kept output of processes.
    Clear(Vec<Result<ProcessId, Outcome>>),
}

/// Whether `status` is to tell of the strays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strays {
    /// They were asked for.
    Wanted,
    /// Nobody looks for them.
    Unasked,
}

/// The present, by both clocks: deadlines go by one, people by the other.
#[derive(Clone, Copy, Debug)]
pub struct Present {
    /// The core's.
    pub now: Mono,
    /// Milliseconds since 1970.
    pub unix_ms: u64,
}

/// Finds out what `call` comes to.
pub fn carry_out(
    call: Call,
    core: &Supervisor,
    present: Present,
    peer: Peer,
    ticket: Ticket,
) -> Deed {
    if let Some(message) = too_many(names_of(&call)) {
        return refuse(code::INVALID_PARAMS, message);
    }
    let command = |verb, names: Names| match names.names.is_empty() {
        true => refuse(
            code::INVALID_PARAMS,
            "names: at least one name is needed; \"all\" means every process",
        ),
        false => Deed::Tell(Input::Command {
            ticket,
            cause: peer.cause(),
            verb,
            names: names.names,
        }),
    };
    match call {
        Call::Status(params) => status(core, &params, present),
        Call::Start(names) => command(Verb::Start, names),
        Call::Stop(names) => command(Verb::Stop, names),
        Call::Restart(names) => command(Verb::Restart, names),
        Call::Signal(SignalParams { signal, names }) => match shared::signal::parse(&signal) {
            Some(number) => command(Verb::Signal(number), Names { names }),
            None => answer(&bad_signal(core, &names)),
        },
        Call::Reload(params) => Deed::Reload(params),
        Call::Tail(params) => match one(core, &params.name) {
            Ok(id) => Deed::Tail(id, params),
            Err(error) => Deed::Answer(Err(error)),
        },
        Call::Attach(params) => match one(core, &params.name) {
            Ok(id) => Deed::Attach(id, params),
            Err(error) => Deed::Answer(Err(error)),
        },
        Call::Send(params) => match one(core, &params.name) {
            Ok(id) => Deed::Send(id, params),
            Err(error) => Deed::Answer(Err(error)),
        },
        Call::Screen(params) => match one(core, &params.name) {
            Ok(id) => Deed::Screen(id, params),
            Err(error) => Deed::Answer(Err(error)),
        },
        Call::Clear(names) => Deed::Clear(found(core, &names.names)),
        Call::Pid(names) => answer(&pids(core, &names.names)),
        Call::Avail(_) => answer(&available(core)),
        Call::Version(_) => answer(&Version {
            version: env!("CARGO_PKG_VERSION").into(),
            protocol: PROTOCOL,
        }),
        Call::Shutdown(_) => Deed::Tell(Input::Shutdown {
            ticket: Some(ticket),
            cause: peer.cause(),
        }),
    }
}

/// The names that a call may have any number of.
fn names_of(call: &Call) -> &[Selector] {
    match call {
        Call::Status(StatusParams { names, strays: _ })
        | Call::Start(Names { names })
        | Call::Stop(Names { names })
        | Call::Restart(Names { names })
        | Call::Clear(Names { names })
        | Call::Pid(Names { names })
        | Call::Signal(SignalParams { names, signal: _ }) => names,
        Call::Reload(_)
        | Call::Tail(_)
        | Call::Attach(_)
        | Call::Send(_)
        | Call::Screen(_)
        | Call::Avail(_)
        | Call::Version(_)
        | Call::Shutdown(_) => &[],
    }
}

/// Why these are more names than one request may have.
fn too_many(names: &[Selector]) -> Option<String> {
    let patterns = names.iter().filter(|name| name.program().is_none());
    if names.len() > NAMES_MAX {
        let what = "at most; a pattern, \"w*\" or \"all\", means many";
        Some(format!("names: {NAMES_MAX} {what}"))
    } else if patterns.count() > PATTERNS_MAX {
        let what = "patterns at most, as \"w*\" or \"all\"; \"web\" and \"web:*\" are none";
        Some(format!("names: {PATTERNS_MAX} {what}"))
    } else {
        None
    }
}

/// An answer made of one of the protocol's types.
pub fn answer(result: &impl Serialize) -> Deed {
    Deed::Answer(to_value(result))
}

/// The JSON of one of the protocol's types.
///
/// # Errors
/// None that a user can bring about: the types hold nothing that JSON cannot.
pub fn to_value(result: &impl Serialize) -> Result<Value, RpcError> {
    serde_json::to_value(result)
        .map_err(|error| RpcError::new(code::INTERNAL_ERROR, error.to_string()))
}

fn refuse(code: i64, message: impl Into<String>) -> Deed {
    Deed::Answer(Err(RpcError::new(code, message)))
}

/// The one process that `name` means.
fn one(core: &Supervisor, name: &Selector) -> Result<ProcessId, RpcError> {
    match core.select(name)[..] {
        [id] => Ok(id),
        [] => {
            let message = format!("no such process: \"{}\"", name.as_str());
            Err(RpcError::new(code::NO_SUCH_PROCESS, message))
        }
        [_, ..] => {
            let message = format!("\"{}\" means several processes; name one", name.as_str());
            Err(RpcError::new(code::INVALID_PARAMS, message))
        }
    }
}

/// The processes named, and an error for each name that is nobody's.
fn found(core: &Supervisor, names: &[Selector]) -> Vec<Result<ProcessId, Outcome>> {
    let found = core.find(names).into_iter();
    let items = found.map(|item| match item {
        Found::Process(id, Meant::ByName | Meant::InGroup) => Ok(id),
        Found::Nobody(outcome) => Err(outcome),
    });
    items.collect()
}

/// Splits what was found; the processes stand where the names did that mean them.
fn named<'a>(core: &'a Supervisor, names: &[Selector]) -> (Vec<&'a Process>, Vec<Outcome>) {
    let (mut processes, mut errors) = (Vec::new(), Vec::new());
    for item in found(core, names) {
        match item {
            Ok(id) => processes.extend(core.process(id)),
            Err(error) => errors.push(error),
        }
    }
    (processes, errors)
}

fn status(core: &Supervisor, params: &StatusParams, present: Present) -> Deed {
    let (mut processes, errors) = match params.names[..] {
        [] => (core.processes().map(|(_, one)| one).collect(), Vec::new()),
        [..] => named(core, &params.names),
    };
    // Whatever was asked for: people look for a name in a table.
    processes.sort_by_key(|process| &process.name);
    let rows = processes.into_iter();
    let status = Status {
        processes: rows.map(|process| status_of(process, present)).collect(),
        errors,
        strays: Vec::new(),
    };
    let strays = if params.strays {
        Strays::Wanted
    } else {
        Strays::Unasked
    };
    Deed::Status(status, strays)
}

fn status_of(process: &Process, present: Present) -> ProcessStatus {
    let ago = |at: Mono| present.unix_ms.saturating_sub(present.now.since(at));
    let state = process.shown_state();
    let explained = matches!(
        state,
        shared::state::State::Backoff | shared::state::State::Fatal
    );
    let failure = process.failure.as_ref().filter(|_| explained);
    ProcessStatus {
        name: process.shown(),
        program: process.name.program.to_string(),
        index: process.name.index,
        state,
        pid: process.pid().map(|pid| pid.0),
        uptime_ms: process.since().map(|since| present.now.since(since)),
        ended_at: process.ended.map(ago),
        exit: process.exit,
        reason: failure.map(|failure| failure.reason.clone()),
        detail: failure.map(|failure| failure.detail.clone()),
        retry_in_ms: process.next_start().map(|at| at.since(present.now)),
        failures: process.failures,
        starts: process.starts,
        attached: Vec::new(),
        description: process.spec.description.clone(),
    }
}

fn bad_signal(core: &Supervisor, names: &[Selector]) -> shared::api::Outcomes {
    let results = found(core, names)
        .into_iter()
        .filter_map(|item| match item {
            Ok(id) => core.process(id).map(|process| Outcome {
                name: process.shown(),
                result: Verdict::BadSignal,
                before: None,
                detail: None,
            }),
            Err(error) => Some(error),
        });
    shared::api::Outcomes {
        results: results.collect(),
    }
}

fn pids(core: &Supervisor, names: &[Selector]) -> Pids {
    let (processes, errors) = named(core, names);
    let pid_of = |process: &Process| NamedPid {
        name: process.shown(),
        pid: process.pid().map_or(0, |pid| pid.0),
    };
    Pids {
        daemon: std::process::id(),
        processes: processes.into_iter().map(pid_of).collect(),
        errors,
    }
}

fn available(core: &Supervisor) -> Available {
    let one = |process: &Process| AvailableProcess {
        name: process.shown(),
        autostart: process.spec.autostart,
        priority: process.spec.priority,
        description: process.spec.description.clone(),
    };
    Available {
        processes: core.processes().map(|(_, process)| one(process)).collect(),
    }
}
