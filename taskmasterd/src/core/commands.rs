//! Commands: which processes a name means, what is done to each, and what is known at once.

use shared::api::Verdict;
use shared::event::{Cause, EventKind};
use shared::name::Selector;

use super::process::{Happening, Process, State};
use super::selection::{Found, Meant};
use super::supervisor::Supervisor;
use super::waiters::{Goal, Pending};
use super::{Answer, Effect, Mono, Pid, ProcessId, Ticket, Verb};

impl Supervisor {
    pub(super) fn command(
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
        for found in self.find(names) {
            match found {
                Found::Process(id, meant) => {
                    self.command_one(now, id, cause, verb, meant, &mut pending, out)
                }
                Found::Nobody(outcome) => pending.known(outcome),
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
        meant: Meant,
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
        let waiting = retrying || process.next_start().is_some_and(|at| at > now);
        let mut already = |verdict| {
            if meant == Meant::ByName {
                pending.done(name.clone(), verdict, None);
            }
        };
        match verb {
            Verb::Start if (live && !ending) || (due && !waiting) => {
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
                let before = match (live || due, meant) {
                    (true, _) => Some(Verdict::Stopped),
                    (false, Meant::ByName) => Some(Verdict::NotRunning),
                    (false, Meant::InGroup) => None,
                };
                self.step(now, id, Happening::Restart, cause, out);
                pending.wait(id, name, Goal::Up, before);
            }
            Verb::Signal(signal) => match pid {
                Some(pid) => {
                    let cause = cause.clone();
                    out.push(Effect::Signal {
                        id,
                        pid,
                        signal,
                        cause,
                    });
                    pending.wait(id, name, Goal::Signalled, None);
                }
                None => already(Verdict::NotRunning),
            },
        }
    }

    /// A signal that somebody asked for was sent, or was refused.
    pub(super) fn signalled(
        &mut self,
        (id, pid): (ProcessId, Pid),
        signal: i32,
        cause: Cause,
        refused: Option<String>,
        out: &mut Vec<Effect>,
    ) {
        let (kind, result) = match refused.clone() {
            Some(text) => (EventKind::Trouble { text }, Verdict::Failed),
            None => {
                let process = self.processes.get(&id).map(Process::shown);
                let process = process.unwrap_or_default();
                let pid = pid.0;
                let kind = EventKind::Signalled {
                    process,
                    pid,
                    signal,
                };
                (kind, Verdict::Signalled)
            }
        };
        out.push(Effect::Event { kind, cause });
        self.waiters.signalled(id, result, refused.as_deref(), out);
    }
}
