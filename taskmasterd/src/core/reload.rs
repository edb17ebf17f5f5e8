//! A new configuration comes into force: what is the same is not touched.

use std::collections::BTreeMap;
use std::sync::Arc;

use shared::api::{Change, Plan, ProgramChange};
use shared::event::{Cause, EventKind};
use shared::name::ProcessName;

use super::process::{Fate, Happening, Process, Rest, State, Then};
use super::supervisor::Supervisor;
use super::waiters::{Goal, Pending};
use super::{Answer, Effect, Mono, ProcessId, Ticket};
use crate::config::change;
use crate::config::model::{Config, Program};
use crate::limits::RESOURCE_RETRY_MS;

impl Supervisor {
    /// What a reload to `config` would do by now.
    pub fn plan(&self, config: &Config) -> Plan {
        let mut plan = change::plan(&self.config, config);
        for change in &mut plan.programs {
            let (Some(spec), Some(copies)) = (
                config.programs.get(&*change.program),
                self.ids.get(&*change.program),
            ) else {
                continue;
            };
            let stay = copies.range(..spec.numprocs).map(|(_, id)| id);
            let starting = stay
                .filter_map(|id| self.processes.get(id))
                .filter(|process| process.starts_anew(spec));
            change.starts = starting
                .map(|process| process.name.shown(spec.numprocs))
                .collect();
        }
        plan
    }

    /// Puts `config` into force, as [`Self::plan`] says; the answer comes when what was stopped is dead.
    pub(super) fn reload(
        &mut self,
        now: Mono,
        ticket: Option<Ticket>,
        cause: &Cause,
        config: Config,
        out: &mut Vec<Effect>,
    ) {
        if self.is_leaving() {
            out.extend(ticket.map(|ticket| Effect::Reply {
                ticket,
                answer: Answer::ShuttingDown,
            }));
            return;
        }
        let plan = self.plan(&config);
        let named = |change| {
            let programs = plan
                .programs
                .iter()
                .filter(|program| self.comes_to(program) == change);
            programs.map(|program| program.program.clone()).collect()
        };
        let kind = EventKind::Reloaded {
            added: named(Change::Added),
            removed: named(Change::Removed),
            restarted: named(Change::Restarted),
            changed: named(Change::Changed),
        };
        out.push(Effect::Event {
            kind,
            cause: cause.clone(),
        });
        let ids: Vec<ProcessId> = self.processes.keys().copied().collect();
        let fresh = |id| matches!(self.processes[id].state, State::Stopped(Rest::NotStarted));
        let fresh: Vec<ProcessId> = ids.iter().filter(|id| fresh(id)).copied().collect();
        for &id in &ids {
            self.renew(now, id, &config, cause, out);
        }
        let vacant_at = self.note_leaving(now);
        for id in fresh {
            self.touch(id, out, |process, _| process.wait_until(vacant_at));
        }
        self.adopt(config, now, vacant_at);
        self.start_heirs(now, out);
        let Some(ticket) = ticket else { return };
        let mut pending = Pending::reload(plan);
        for id in ids {
            if self
                .processes
                .get(&id)
                .is_some_and(|process| process.fate != Fate::Keep)
            {
                pending.wait(id, String::new(), Goal::Settled, None);
            }
        }
        let processes = &self.processes;
        self.waiters
            .add(ticket, pending, |id| processes.get(&id), out);
    }

    /// What a change of the plan comes to: where nothing lives and nothing starts, nothing is restarted.
    fn comes_to(&self, planned: &ProgramChange) -> Change {
        let copies = self.ids.get(&*planned.program).into_iter();
        let mut processes = copies
            .flat_map(BTreeMap::values)
            .filter_map(|id| self.processes.get(id));
        let at_rest = planned.starts.is_empty() && processes.all(|process| process.pid().is_none());
        if planned.change == Change::Restarted && at_rest {
            Change::Changed
        } else {
            planned.change
        }
    }

    /// Notes who is on the way out: a program that a reload adds waits for what it removes, which may be itself by
    /// another name and hold the same port. Gives when all of them will be dead, as far as one can tell; what
    /// survives SIGKILL is not waited for.
    fn note_leaving(&mut self, now: Mono) -> Mono {
        self.removed.clear();
        let mut vacant_at = now;
        for (&id, process) in &self.processes {
            if process.fate != Fate::Remove {
                continue;
            }
            self.removed.insert(id);
            if let State::Stopping { kill_at, .. } = process.state {
                // SIGKILL takes a moment.
                vacant_at = vacant_at.max(kill_at.after(RESOURCE_RETRY_MS));
            }
        }
        vacant_at
    }

    /// Someone on the way out is dead.
    pub(super) fn succeed(&mut self, now: Mono, dead: ProcessId, out: &mut Vec<Effect>) {
        self.removed.remove(&dead);
        self.start_heirs(now, out);
    }

    /// When nobody is on the way out any more, those start who waited for that: nobody else is queued for later.
    fn start_heirs(&mut self, now: Mono, out: &mut Vec<Effect>) {
        if !self.removed.is_empty() {
            return;
        }
        let queued = |process: &Process| matches!(process.state, State::Queued { at } if at > now);
        let heirs = self.processes.iter().filter(|(_, process)| queued(process));
        let heirs: Vec<ProcessId> = heirs.map(|(&id, _)| id).collect();
        for id in heirs {
            self.touch(id, out, |process, _| {
                process.state = State::Queued { at: now }
            });
        }
    }

    /// Makes `config` the one in force and adds the processes that it has and we have not, to be started now, or at
    /// `vacant_at` where their program is new.
    pub(super) fn adopt(&mut self, config: Config, now: Mono, vacant_at: Mono) {
        for program in config.programs.values() {
            let at = match self.ids.contains_key(&program.name) {
                true => now,
                false => vacant_at,
            };
            for index in 0..program.numprocs {
                let known = self
                    .ids
                    .get(&program.name)
                    .is_some_and(|copies| copies.contains_key(&index));
                if !known {
                    let name = ProcessName::new(program.name.clone(), index);
                    self.add(name.clone(), Process::new(name, Arc::clone(program), at));
                }
            }
        }
        // The settings of the daemon itself wait for its next start; until then they stay a change to be told.
        let Config {
            socket,
            log,
            syslog,
            ..
        } = std::mem::take(&mut self.config);
        self.config = Config {
            socket,
            log,
            syslog,
            ..config
        };
    }

    /// What the new configuration means for one process of the old one.
    fn renew(
        &mut self,
        now: Mono,
        id: ProcessId,
        config: &Config,
        cause: &Cause,
        out: &mut Vec<Effect>,
    ) {
        let Some(process) = self.processes.get(&id) else {
            return;
        };
        let spec = config.programs.get(&process.name.program);
        match spec.filter(|program| process.name.index < program.numprocs) {
            None => self.dismiss(now, id, cause, out),
            Some(spec) if **spec == *process.spec && process.fate == Fate::Keep => {}
            Some(spec) if process.pid().is_some() => self.renew_living(now, id, spec, cause, out),
            Some(spec) => self.renew_resting(now, id, spec, out),
        }
    }

    fn dismiss(&mut self, now: Mono, id: ProcessId, cause: &Cause, out: &mut Vec<Effect>) {
        let Some(process) = self.processes.get_mut(&id) else {
            return;
        };
        if process.pid().is_none() {
            self.remove(id, out);
            return;
        }
        process.fate = Fate::Remove;
        self.step(now, id, Happening::Stop, cause, out);
    }

    fn renew_living(
        &mut self,
        now: Mono,
        id: ProcessId,
        spec: &Arc<Program>,
        cause: &Cause,
        out: &mut Vec<Effect>,
    ) {
        let Some(process) = self.processes.get_mut(&id) else {
            return;
        };
        let ending = matches!(process.state, State::Stopping { .. });
        let restart = change::needs_restart(&process.spec, spec);
        match (&process.fate, ending, restart) {
            // It came back into the configuration before it was dead.
            (Fate::Remove, _, _) => {
                let then = if spec.autostart {
                    Happening::Restart
                } else {
                    Happening::Stop
                };
                process.fate = Fate::Replace(Arc::clone(spec));
                self.step(now, id, then, cause, out);
            }
            (Fate::Keep, false, true) => {
                process.fate = Fate::Replace(Arc::clone(spec));
                self.step(now, id, Happening::Restart, cause, out);
            }
            // On its way down already: whatever comes after is of the new program.
            (Fate::Replace(_), _, _) | (Fate::Keep, true, true) => {
                process.fate = Fate::Replace(Arc::clone(spec))
            }
            (Fate::Keep, _, false) => self.change_live(now, id, spec, out),
        }
    }

    /// Keys that take effect without a restart.
    fn change_live(
        &mut self,
        now: Mono,
        id: ProcessId,
        spec: &Arc<Program>,
        out: &mut Vec<Effect>,
    ) {
        let Some(process) = self.processes.get(&id) else {
            return;
        };
        let before = Arc::clone(&process.spec);
        self.exchange(id, Arc::clone(spec), out);
        self.touch(id, out, |process, _| process.reconsider(&before, now));
    }

    /// A process without a pid.
    fn renew_resting(
        &mut self,
        now: Mono,
        id: ProcessId,
        spec: &Arc<Program>,
        out: &mut Vec<Effect>,
    ) {
        let Some(process) = self.processes.get(&id) else {
            return;
        };
        let start = process.starts_anew(spec);
        self.change_live(now, id, spec, out);
        if start {
            self.step(now, id, Happening::Start, &Cause::Policy, out);
        }
    }
}

/// What a process that a reload stops will do next; for the plan's reader, and the tests.
impl Process {
    /// Whether a reload that makes it one of `spec` starts it. One that was given up or is waiting for its next try
    /// starts anew if it has `autostart` and its new program needs a new process; one stopped by hand stays stopped.
    fn starts_anew(&self, spec: &Program) -> bool {
        let at_rest = match self.state {
            State::Stopped(Rest::NotStarted) => true,
            State::Exited { .. } | State::Fatal | State::Backoff { .. } => {
                change::needs_restart(&self.spec, spec)
            }
            State::Stopped(Rest::ByHand)
            | State::Queued { .. }
            | State::Spawning
            | State::Starting { .. }
            | State::Running { .. }
            | State::Stopping { .. } => false,
        };
        at_rest && spec.autostart
    }

    /// What a reload starts for the first time waits as what it adds does.
    fn wait_until(&mut self, vacant_at: Mono) {
        if let State::Queued { at } = &mut self.state {
            *at = vacant_at;
        }
    }

    /// Whether a reload has it stopped to be replaced or removed.
    pub fn is_doomed(&self) -> bool {
        self.fate != Fate::Keep
    }

    /// Whether it comes back after it has ended.
    pub fn comes_back(&self) -> bool {
        matches!(
            self.state,
            State::Stopping {
                then: Then::Respawn,
                ..
            }
        ) && self.fate != Fate::Remove
    }
}
