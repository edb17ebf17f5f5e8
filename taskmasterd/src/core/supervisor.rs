//! The set of all processes: commands, reloads, the shutdown, and whose turn it is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use shared::api::{ShutdownDone, Verdict};
use shared::event::{Cause, EventKind};
use shared::name::{ProcessName, ProgramName, Selector, did_you_mean};

use super::order::{Agenda, Appointment, Levels};
use super::process::{Context, Fate, Happening, Process, State, Then};
use super::waiters::{Goal, Pending, Waiters};
use super::{Aim, Answer, Effect, Input, Mono, Pid, ProcessId, Ticket, Verb};
use crate::config::model::Config;
use crate::limits::{SHUTDOWN_KILLS_MAX, TIMEOUTS_PER_TURN};

/// Every process of the configuration and those that are on their way out of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Supervisor {
    pub(super) config: Config,
    pub(super) processes: BTreeMap<ProcessId, Process>,
    /// The processes of each program, by index.
    pub(super) ids: BTreeMap<ProgramName, BTreeMap<u32, ProcessId>>,
    agenda: Agenda,
    pub(super) waiters: Waiters,
    phase: Phase,
    next_id: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Phase {
    Up,
    /// Nothing is started any more.
    Leaving {
        levels: Levels,
        tickets: Vec<Ticket>,
    },
    /// Everything is down, or has survived what we have.
    Gone,
}

impl Supervisor {
    /// The supervisor of `config`, as it is when the daemon starts: what has `autostart` is queued.
    pub fn new(config: Config, now: Mono) -> Self {
        let mut supervisor = Self {
            config: Config::default(),
            processes: BTreeMap::new(),
            ids: BTreeMap::new(),
            agenda: Agenda::default(),
            waiters: Waiters::default(),
            phase: Phase::Up,
            next_id: 0,
        };
        supervisor.adopt(config, now);
        supervisor
    }

    /// Takes in one fact at `now`, and lets all that follows from it happen: the wishes are added to `out`.
    pub fn handle(&mut self, now: Mono, input: Input, out: &mut Vec<Effect>) {
        let policy = Cause::Policy;
        match input {
            Input::Spawned { id, pid } => self.step(now, id, Happening::Spawned(pid), &policy, out),
            Input::SpawnFailed { id, failure } => {
                self.step(now, id, Happening::SpawnFailed(failure), &policy, out)
            }
            Input::ExecFailed { id, pid, failure } => {
                if self.has_pid(id, pid) {
                    self.touch(id, out, |process, _| process.exec_failed(failure));
                }
            }
            Input::Exited { id, pid, exit } => {
                if self.has_pid(id, pid) {
                    self.step(now, id, Happening::Exited(exit), &policy, out);
                }
            }
            Input::Timeout => self.timeout(now, out),
            Input::Command {
                ticket,
                cause,
                verb,
                names,
            } => self.command(now, ticket, &cause, verb, &names, out),
            Input::ClientGone { ticket } => self.forget(ticket),
            Input::Reload {
                ticket,
                cause,
                config,
            } => self.reload(now, ticket, &cause, config, out),
            Input::Shutdown { ticket, cause } => self.shutdown(now, ticket, &cause, out),
            Input::ShutdownNow { cause } => self.kill_the_rest(now, &cause, out),
        }
        self.leave_when_down(now, out);
    }

    /// When [`Input::Timeout`] would next change anything.
    pub fn deadline(&self) -> Option<Mono> {
        self.agenda.first()
    }

    /// The configuration in force.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// One process.
    pub fn process(&self, id: ProcessId) -> Option<&Process> {
        self.processes.get(&id)
    }

    /// All processes, by program and index.
    pub fn processes(&self) -> impl Iterator<Item = (ProcessId, &Process)> {
        let ids = self.ids.values().flat_map(BTreeMap::values);
        ids.filter_map(|&id| self.processes.get(&id).map(|process| (id, process)))
    }

    /// Whether `pid` is the present incarnation of a process, and not one of before.
    fn has_pid(&self, id: ProcessId, pid: Pid) -> bool {
        let process = self.processes.get(&id);
        process.is_some_and(|process| process.pid() == Some(pid))
    }

    /// Whether a shutdown is under way.
    pub fn is_leaving(&self) -> bool {
        self.phase != Phase::Up
    }

    /// The processes that `selector` means, in the order in which they are started.
    pub fn select(&self, selector: &Selector) -> Vec<ProcessId> {
        let of_program =
            |(program, copies): (&ProgramName, &BTreeMap<u32, ProcessId>)| -> Vec<ProcessId> {
                let meant = |&(&index, _): &(&u32, &ProcessId)| {
                    selector.matches(&ProcessName::new(program.clone(), index))
                };
                copies.iter().filter(meant).map(|(_, &id)| id).collect()
            };
        let mut found: Vec<ProcessId> = match selector.program() {
            Some(program) => self
                .ids
                .get_key_value(program)
                .map(of_program)
                .unwrap_or_default(),
            None => self.ids.iter().flat_map(of_program).collect(),
        };
        found.sort_by_key(|id| self.processes.get(id).map(|process| process.spec.priority));
        found
    }

    /// What is said of a selector that means nobody.
    pub fn nobody(&self, selector: &Selector) -> (String, Verdict, Option<String>) {
        let verdict = if selector.is_group() {
            Verdict::NoSuchGroup
        } else {
            Verdict::NoSuchProcess
        };
        let programs = || self.ids.keys().map(ProgramName::as_str);
        let near = selector
            .program()
            .and_then(|program| did_you_mean(program, programs()));
        let detail = match (selector.program(), near) {
            (Some(program), _) if self.ids.contains_key(program) => {
                let copies = self.ids.get(program).map_or(0, BTreeMap::len);
                Some(format!(
                    "{program} has {copies} processes, from {program}:0 on"
                ))
            }
            (_, Some(near)) => Some(format!("did you mean \"{near}\"?")),
            (_, None) => None,
        };
        (selector.label().to_owned(), verdict, detail)
    }

    /// One step of one process, and what follows for its fate, the agenda and those who wait for it.
    pub(super) fn step(
        &mut self,
        now: Mono,
        id: ProcessId,
        happening: Happening,
        cause: &Cause,
        out: &mut Vec<Effect>,
    ) {
        let died = matches!(happening, Happening::Exited(_));
        self.touch(id, out, |process, out| {
            process.step(
                happening,
                &mut Context {
                    id,
                    now,
                    cause,
                    out,
                },
            )
        });
        if died {
            self.bury(id, out);
        }
        self.hold_down(now, id, out);
    }

    /// Changes a process by `change`, and keeps the agenda and the waiters in step with it.
    pub(super) fn touch(
        &mut self,
        id: ProcessId,
        out: &mut Vec<Effect>,
        change: impl FnOnce(&mut Process, &mut Vec<Effect>),
    ) {
        let Some(process) = self.processes.get_mut(&id) else {
            return;
        };
        let before = appointment(id, process);
        change(process, out);
        self.agenda.replace(before, appointment(id, process));
        self.waiters.look(id, Some(process), out);
    }

    /// Carries out the fate of the dead.
    fn bury(&mut self, id: ProcessId, out: &mut Vec<Effect>) {
        let Some(process) = self.processes.get_mut(&id) else {
            return;
        };
        match std::mem::replace(&mut process.fate, Fate::Keep) {
            Fate::Keep => {}
            Fate::Replace(spec) => self.touch(id, out, |process, _| process.spec = spec),
            Fate::Remove => self.remove(id, out),
        }
    }

    /// During a shutdown nobody starts, for whatever reason he was about to.
    fn hold_down(&mut self, now: Mono, id: ProcessId, out: &mut Vec<Effect>) {
        let Phase::Leaving { levels, .. } = &mut self.phase else {
            return;
        };
        let Some(process) = self.processes.get(&id) else {
            levels.remove(id);
            return;
        };
        match process.state {
            State::Stopping {
                then: Then::Respawn,
                ..
            } => self.step(now, id, Happening::Stop, &Cause::Policy, out),
            State::Stopping { kills, .. } if kills > SHUTDOWN_KILLS_MAX => levels.remove(id),
            State::Spawning
            | State::Starting { .. }
            | State::Running { .. }
            | State::Stopping {
                then: Then::Stay, ..
            } => {}
            State::Stopped(_)
            | State::Queued { .. }
            | State::Backoff { .. }
            | State::Exited { .. }
            | State::Fatal => {
                levels.remove(id);
                if process.next_start().is_some() {
                    self.step(now, id, Happening::Stop, &Cause::Policy, out);
                }
            }
        }
    }

    pub(super) fn add(&mut self, name: ProcessName, process: Process) {
        let id = ProcessId(self.next_id);
        self.next_id += 1;
        self.agenda.replace(None, appointment(id, &process));
        self.ids
            .entry(name.program)
            .or_default()
            .insert(name.index, id);
        self.processes.insert(id, process);
    }

    /// Takes a process without a pid out of the set.
    pub(super) fn remove(&mut self, id: ProcessId, out: &mut Vec<Effect>) {
        let Some(process) = self.processes.remove(&id) else {
            return;
        };
        self.agenda.replace(appointment(id, &process), None);
        if let Some(copies) = self.ids.get_mut(&process.name.program) {
            copies.remove(&process.name.index);
            if copies.is_empty() {
                self.ids.remove(&process.name.program);
            }
        }
        self.waiters.look(id, None, out);
        out.push(Effect::Forget { id });
    }

    /// A few of the deadlines that have come; the rest keep [`Self::deadline`] in the past.
    fn timeout(&mut self, now: Mono, out: &mut Vec<Effect>) {
        for _ in 0..TIMEOUTS_PER_TURN {
            let Some(id) = self.agenda.due(now) else {
                return;
            };
            self.step(now, id, Happening::Timeout, &Cause::Policy, out);
        }
    }

    fn command(
        &mut self,
        now: Mono,
        ticket: Ticket,
        cause: &Cause,
        verb: Verb,
        names: &[Selector],
        out: &mut Vec<Effect>,
    ) {
        if self.is_leaving() {
            out.push(Effect::Reply {
                ticket,
                answer: Answer::ShuttingDown,
            });
            return;
        }
        let shown = names.iter().map(|name| name.as_str().to_owned()).collect();
        let kind = EventKind::Command {
            verb: verb.words(),
            names: shown,
        };
        out.push(Effect::Event {
            kind,
            cause: cause.clone(),
        });
        let mut pending = Pending::command();
        for selector in names {
            let ids = self.select(selector);
            if ids.is_empty() && selector.as_str() != "all" {
                let (name, verdict, detail) = self.nobody(selector);
                pending.done(name, verdict, detail);
            }
            for id in ids {
                self.command_one(now, id, cause, verb, selector.is_group(), &mut pending, out);
            }
        }
        let processes = &self.processes;
        self.waiters
            .add(ticket, pending, |id| processes.get(&id), out);
    }

    /// One command to one process. In a group, what is as wanted already is passed over in silence.
    #[expect(
        clippy::too_many_arguments,
        reason = "who, what, when, why and where to put it"
    )]
    fn command_one(
        &mut self,
        now: Mono,
        id: ProcessId,
        cause: &Cause,
        verb: Verb,
        in_group: bool,
        pending: &mut Pending,
        out: &mut Vec<Effect>,
    ) {
        let Some(process) = self.processes.get(&id) else {
            return;
        };
        let name = process.shown();
        let pid = process.pid();
        let live = pid.is_some();
        let due = process.next_start().is_some();
        let ending = matches!(process.state, State::Stopping { .. });
        let retrying = matches!(process.state, State::Backoff { .. } | State::Exited { .. });
        let mut already = |verdict| {
            if !in_group {
                pending.done(name.clone(), verdict, None);
            }
        };
        match verb {
            Verb::Start if (live && !ending) || (due && !retrying) => {
                already(Verdict::AlreadyStarted)
            }
            Verb::Start => {
                self.step(now, id, Happening::Start, cause, out);
                pending.wait(id, name, Goal::Up, None);
            }
            Verb::Stop if !live && !due => already(Verdict::NotRunning),
            Verb::Stop => {
                self.step(now, id, Happening::Stop, cause, out);
                pending.wait(id, name, Goal::Down, None);
            }
            Verb::Restart => {
                let before = if live || due {
                    Some(Verdict::Stopped)
                } else {
                    Some(Verdict::NotRunning)
                };
                let before = before.filter(|&before| !(in_group && before == Verdict::NotRunning));
                self.step(now, id, Happening::Restart, cause, out);
                pending.wait(id, name, Goal::Up, before);
            }
            Verb::Signal(signal) => match pid {
                Some(pid) => {
                    out.push(Effect::Kill {
                        id,
                        pid,
                        signal,
                        aim: Aim::Leader,
                    });
                    let kind = EventKind::Signalled {
                        process: name.clone(),
                        pid: pid.0,
                        signal,
                    };
                    out.push(Effect::Event {
                        kind,
                        cause: cause.clone(),
                    });
                    pending.done(name, Verdict::Signalled, None);
                }
                None => already(Verdict::NotRunning),
            },
        }
    }

    fn forget(&mut self, ticket: Ticket) {
        self.waiters.forget(ticket);
        if let Phase::Leaving { tickets, .. } = &mut self.phase {
            tickets.retain(|&other| other != ticket);
        }
    }

    /// Stops everything in order, the highest priority number first. A second one changes nothing.
    fn shutdown(
        &mut self,
        now: Mono,
        ticket: Option<Ticket>,
        cause: &Cause,
        out: &mut Vec<Effect>,
    ) {
        match &mut self.phase {
            Phase::Up => {}
            Phase::Leaving { tickets, .. } => return tickets.extend(ticket),
            Phase::Gone => return out.extend(ticket.map(|ticket| self.down(ticket))),
        }
        let mut levels = Levels::default();
        let live = |process: &Process| process.pid().is_some();
        for (&id, process) in self.processes.iter().filter(|(_, process)| live(process)) {
            levels.add(process.spec.priority, id);
        }
        let kind = EventKind::ShutdownBegun {
            processes: levels.len(),
        };
        out.push(Effect::Event {
            kind,
            cause: cause.clone(),
        });
        self.phase = Phase::Leaving {
            levels,
            tickets: ticket.into_iter().collect(),
        };
        let ids: Vec<ProcessId> = self.processes.keys().copied().collect();
        for id in ids {
            self.hold_down(now, id, out);
        }
    }

    fn kill_the_rest(&mut self, now: Mono, cause: &Cause, out: &mut Vec<Effect>) {
        self.shutdown(now, None, cause, out);
        for (&id, process) in &self.processes {
            if let Some(pid) = process.pid() {
                out.push(Effect::Kill {
                    id,
                    pid,
                    signal: 9,
                    aim: Aim::Group,
                });
            }
        }
    }

    /// During a shutdown: stops those whose turn it is, and leaves when nobody is left.
    fn leave_when_down(&mut self, now: Mono, out: &mut Vec<Effect>) {
        let Phase::Leaving { levels, .. } = &self.phase else {
            return;
        };
        for id in levels.top() {
            let asked = |process: &Process| matches!(process.state, State::Stopping { .. });
            if !self.processes.get(&id).is_none_or(asked) {
                self.step(now, id, Happening::Stop, &Cause::Policy, out);
            }
        }
        let Phase::Leaving { levels, tickets } = &mut self.phase else {
            return;
        };
        if !levels.is_empty() {
            return;
        }
        let tickets = std::mem::take(tickets);
        self.phase = Phase::Gone;
        self.waiters.give_up(out);
        out.extend(tickets.into_iter().map(|ticket| self.down(ticket)));
        out.push(Effect::Event {
            kind: EventKind::DaemonStopped { left: self.left() },
            cause: Cause::Policy,
        });
        out.push(Effect::Leave);
    }

    /// The answer to a shutdown that is done.
    fn down(&self, ticket: Ticket) -> Effect {
        let left = self.left();
        Effect::Reply {
            ticket,
            answer: Answer::Down(ShutdownDone { left }),
        }
    }

    /// Processes that have a pid still.
    fn left(&self) -> usize {
        let live = |process: &&Process| process.pid().is_some();
        self.processes.values().filter(live).count()
    }
}

fn appointment(id: ProcessId, process: &Process) -> Option<Appointment> {
    process.deadline().map(|at| (at, process.spec.priority, id))
}
