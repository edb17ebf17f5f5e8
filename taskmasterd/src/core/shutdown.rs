//! The orderly shutdown: nobody starts any more, the highest priority number stops first.

use serde::{Deserialize, Serialize};
use shared::api::ShutdownDone;
use shared::event::{Cause, EventKind};

use super::order::Levels;
use super::process::{Happening, Process, SIGKILL, State, Then};
use super::supervisor::Supervisor;
use super::{Aim, Answer, Effect, Mono, ProcessId, Ticket};
use crate::limits::SHUTDOWN_KILLS_MAX;

/// Whether anything is started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Phase {
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
    /// During a shutdown nobody starts, for whatever reason he was about to.
    pub(super) fn hold_down(&mut self, now: Mono, id: ProcessId, out: &mut Vec<Effect>) {
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

    pub(super) fn forget(&mut self, ticket: Ticket) {
        self.waiters.forget(ticket);
        if let Phase::Leaving { tickets, .. } = &mut self.phase {
            tickets.retain(|&other| other != ticket);
        }
    }

    /// Stops everything in order, the highest priority number first. A second one changes nothing.
    pub(super) fn shutdown(
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

    pub(super) fn kill_the_rest(&mut self, now: Mono, cause: &Cause, out: &mut Vec<Effect>) {
        self.shutdown(now, None, cause, out);
        let text = "killing what is left at once".into();
        out.push(Effect::Event {
            kind: EventKind::Notice { text },
            cause: cause.clone(),
        });
        let ids: Vec<ProcessId> = self.processes.keys().copied().collect();
        for id in ids {
            let is_up = |process: &&Process| !matches!(process.state, State::Stopping { .. });
            if self
                .processes
                .get(&id)
                .filter(is_up)
                .is_some_and(|process| process.pid().is_some())
            {
                self.step(now, id, Happening::Stop, cause, out);
            }
            if let Some(pid) = self.processes.get(&id).and_then(Process::pid) {
                out.push(Effect::Kill {
                    id,
                    pid,
                    signal: SIGKILL,
                    aim: Aim::Group,
                });
            }
        }
    }

    /// During a shutdown: stops those whose turn it is, and leaves when nobody is left.
    pub(super) fn leave_when_down(&mut self, now: Mono, out: &mut Vec<Effect>) {
        let Phase::Leaving { levels, .. } = &mut self.phase else {
            return;
        };
        for id in levels.call() {
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
        out.push(Effect::Leave);
        // Who is let go of is told of before it: this is the last word.
        out.push(Effect::Event {
            kind: EventKind::DaemonStopped { left: self.left() },
            cause: Cause::Policy,
        });
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
