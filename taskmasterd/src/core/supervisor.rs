//! The set of all processes: commands, reloads, the shutdown, and whose turn it is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use shared::api::Stream;
use shared::event::Cause;
use shared::name::{ProcessName, ProgramName};

use super::order::{Agenda, Appointment};
use super::process::{Context, Fate, Happening, Process, State};
use super::shutdown::Phase;
use super::waiters::Waiters;
use super::{Effect, Input, Mono, Pid, ProcessId};
use crate::config::model::{Config, Program};
use crate::limits::TIMEOUTS_PER_TURN;

/// Every process of the configuration and those that are on their way out of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Supervisor {
    pub(super) config: Config,
    pub(super) processes: BTreeMap<ProcessId, Process>,
    /// The processes of each program, by index.
    pub(super) ids: BTreeMap<ProgramName, BTreeMap<u32, ProcessId>>,
    agenda: Agenda,
    pub(super) waiters: Waiters,
    pub(super) phase: Phase,
    /// Those on the way out of the configuration since the last reload.
    pub(super) removed: BTreeSet<ProcessId>,
    next_id: u64,
}
impl Supervisor {
    /// The supervisor of `config`, as it is when the daemon starts: what has `autostart` is queued.
    pub fn new(config: Config, now: Mono) -> Self {
        let mut supervisor = Self {
            config: Config {
                programs: BTreeMap::new(),
                ..config.clone()
            },
            processes: BTreeMap::new(),
            ids: BTreeMap::new(),
            agenda: Agenda::default(),
            waiters: Waiters::default(),
            phase: Phase::Up,
            removed: BTreeSet::new(),
            next_id: 0,
        };
        supervisor.adopt(config, now, now);
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
                self.heard_of_exec(id, pid, out, |process, _| process.exec_failed(failure));
            }
            Input::Executed { id, pid } => self.heard_of_exec(id, pid, out, Process::executed),
            Input::Signalled {
                id,
                pid,
                signal,
                cause,
                refused,
            } => self.signalled((id, pid), signal, cause, refused, out),
            Input::Exited { id, pid, exit } => {
                if self.has_pid(id, pid) {
                    // What is dead before one heard of its exec, and of no failure, is taken to have run: a pipe
                    // that ends looks the same, whether the exec or the death closed it.
                    self.heard_of_exec(id, pid, out, Process::executed);
                    if self.is_trusted(now, id) {
                        self.step(now, id, Happening::Timeout, &policy, out);
                    }
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

    /// Notes how the exec of the present incarnation went; that of one before is of no interest.
    fn heard_of_exec(
        &mut self,
        id: ProcessId,
        pid: Pid,
        out: &mut Vec<Effect>,
        note: impl FnOnce(&mut Process, &mut Vec<Effect>),
    ) {
        if self.has_pid(id, pid) {
            self.touch(id, out, note);
        }
    }

    /// Whether a process that starts has stayed up for long enough, only its deadline was not looked at yet.
    fn is_trusted(&self, now: Mono, id: ProcessId) -> bool {
        let process = self.processes.get(&id);
        process.is_some_and(|process| {
            let starting = matches!(process.state, State::Starting { .. });
            starting && process.deadline().is_some_and(|at| at <= now)
        })
    }

    /// Whether a shutdown is under way.
    pub fn is_leaving(&self) -> bool {
        self.phase != Phase::Up
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
        let leaving = self.is_leaving();
        self.touch(id, out, |process, out| {
            process.step(
                happening,
                &mut Context {
                    id,
                    now,
                    cause,
                    leaving,
                    out,
                },
            )
        });
        if died {
            self.bury(now, id, out);
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
    fn bury(&mut self, now: Mono, id: ProcessId, out: &mut Vec<Effect>) {
        let Some(process) = self.processes.get_mut(&id) else {
            return;
        };
        match std::mem::replace(&mut process.fate, Fate::Keep) {
            Fate::Keep => {}
            Fate::Replace(spec) => self.exchange(id, spec, out),
            Fate::Remove => {
                self.remove(id, out);
                self.succeed(now, id, out);
            }
        }
    }

    /// Gives a process a new program.
    pub(super) fn exchange(&mut self, id: ProcessId, spec: Arc<Program>, out: &mut Vec<Effect>) {
        self.touch(id, out, |process, out| {
            let before = std::mem::replace(&mut process.spec, spec);
            let spec = &process.spec;
            for stream in [Stream::Stdout, Stream::Stderr] {
                // Files are opened as the user.
                let is_same = before.output(stream) == spec.output(stream)
                    && before.launch.user == spec.launch.user;
                if !is_same {
                    out.push(Effect::Redirect { id, stream });
                }
            }
        });
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
        let shown = process.shown();
        out.push(Effect::Forget { id, shown });
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
}

fn appointment(id: ProcessId, process: &Process) -> Option<Appointment> {
    process.deadline().map(|at| (at, process.spec.priority, id))
}
