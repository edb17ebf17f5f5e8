//! Answers that are not due yet: who asked for what, of which processes, and what has come of it.
//!
//! What became of a process is read off its state, after each step. A later command that turned it another way
//! shows there too: the earlier one is answered with `superseded`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use shared::api::{Outcome, Outcomes, Plan, Verdict};

use super::process::{Process, State, Then};
use super::{Answer, Effect, ProcessId, Ticket};

const ENOENT: i32 = 2;
const EACCES: i32 = 13;
const ENOTDIR: i32 = 20;
const EISDIR: i32 = 21;

/// What a command wants of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Goal {
    /// It is RUNNING, or a start has failed.
    Up,
    /// It is down.
    Down,
    /// It was sent a signal, or could not be.
    Signalled,
    /// What a reload had in store for it is done.
    Settled,
}

/// All commands under way.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Waiters {
    pending: BTreeMap<Ticket, Pending>,
    /// Which tickets look at a process.
    watched: BTreeMap<ProcessId, Vec<Ticket>>,
}

/// One command under way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Pending {
    kind: Kind,
    items: Vec<Item>,
    /// Where among them each process stands that is waited for.
    open: BTreeMap<ProcessId, usize>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Kind {
    Command,
    Reload(Plan),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Item {
    Done(Outcome),
    Waiting {
        name: String,
        goal: Goal,
        before: Option<Verdict>,
    },
}

impl Pending {
    /// A start, stop, restart or signal.
    pub(super) fn command() -> Self {
        Self {
            kind: Kind::Command,
            items: Vec::new(),
            open: BTreeMap::new(),
        }
    }

    /// A reload that does what `plan` says.
    pub(super) fn reload(plan: Plan) -> Self {
        Self {
            kind: Kind::Reload(plan),
            items: Vec::new(),
            open: BTreeMap::new(),
        }
    }

    /// Adds what is known already.
    pub(super) fn done(&mut self, name: String, result: Verdict, detail: Option<String>) {
        self.known(Outcome {
            name,
            result,
            before: None,
            detail,
        });
    }

    /// The same, as it is to be answered.
    pub(super) fn known(&mut self, outcome: Outcome) {
        self.items.push(Item::Done(outcome));
    }

    /// Adds what must be waited for; a process is added once.
    pub(super) fn wait(
        &mut self,
        id: ProcessId,
        name: String,
        goal: Goal,
        before: Option<Verdict>,
    ) {
        self.open.insert(id, self.items.len());
        self.items.push(Item::Waiting { name, goal, before });
    }

    /// Notes what has been decided for one process.
    fn note(&mut self, id: ProcessId, decide: &impl Fn(Goal) -> Decision) {
        let Some(&place) = self.open.get(&id) else {
            return;
        };
        if let Item::Waiting { name, goal, before } = &mut self.items[place]
            && let Some((result, detail)) = decide(*goal)
        {
            self.items[place] = Item::Done(Outcome {
                name: std::mem::take(name),
                result,
                before: before.take(),
                detail,
            });
            self.open.remove(&id);
        }
    }

    fn is_done(&self) -> bool {
        self.open.is_empty()
    }

    fn answer(self) -> Answer {
        let outcome = |item| match item {
            Item::Done(outcome) => Some(outcome),
            Item::Waiting { .. } => None,
        };
        match self.kind {
            Kind::Command => Answer::Outcomes(Outcomes {
                results: self.items.into_iter().filter_map(outcome).collect(),
            }),
            Kind::Reload(plan) => Answer::Reloaded(plan),
        }
    }
}

impl Waiters {
    /// Takes over a command: it is answered at once, or when the last process it waits for has been decided.
    pub(super) fn add<'a>(
        &mut self,
        ticket: Ticket,
        mut pending: Pending,
        process: impl Fn(ProcessId) -> Option<&'a Process>,
        out: &mut Vec<Effect>,
    ) {
        let ids: Vec<ProcessId> = pending.open.keys().copied().collect();
        for id in ids {
            pending.note(id, &|goal| verdict(goal, process(id)));
        }
        if pending.is_done() {
            out.push(Effect::Reply {
                ticket,
                answer: pending.answer(),
            });
            return;
        }
        for &id in pending.open.keys() {
            self.watched.entry(id).or_default().push(ticket);
        }
        self.pending.insert(ticket, pending);
    }

    /// A process has moved; `None` is one that is gone.
    pub(super) fn look(&mut self, id: ProcessId, process: Option<&Process>, out: &mut Vec<Effect>) {
        self.decide(id, &|goal| verdict(goal, process), out);
    }

    /// A process was sent a signal, or was not, with the reason.
    pub(super) fn signalled(
        &mut self,
        id: ProcessId,
        result: Verdict,
        detail: Option<&str>,
        out: &mut Vec<Effect>,
    ) {
        let decision =
            |goal| (goal == Goal::Signalled).then(|| (result, detail.map(str::to_owned)));
        self.decide(id, &decision, out);
    }

    fn decide(&mut self, id: ProcessId, decide: &impl Fn(Goal) -> Decision, out: &mut Vec<Effect>) {
        let Some(tickets) = self.watched.remove(&id) else {
            return;
        };
        let mut still = Vec::new();
        for ticket in tickets {
            let Some(pending) = self.pending.get_mut(&ticket) else {
                continue;
            };
            pending.note(id, decide);
            if pending.is_done() {
                let answer = self.pending.remove(&ticket).map(Pending::answer);
                out.extend(answer.map(|answer| Effect::Reply { ticket, answer }));
            } else if pending.open.contains_key(&id) {
                still.push(ticket);
            }
        }
        if !still.is_empty() {
            self.watched.insert(id, still);
        }
    }

    /// The daemon leaves: what is not decided by now never will be.
    pub(super) fn give_up(&mut self, out: &mut Vec<Effect>) {
        self.watched.clear();
        let tickets = std::mem::take(&mut self.pending).into_keys();
        out.extend(tickets.map(|ticket| Effect::Reply {
            ticket,
            answer: Answer::ShuttingDown,
        }));
    }

    /// Nobody waits for this answer any more.
    pub(super) fn forget(&mut self, ticket: Ticket) {
        let Some(pending) = self.pending.remove(&ticket) else {
            return;
        };
        for id in pending.open.keys() {
            if let Some(tickets) = self.watched.get_mut(id) {
                tickets.retain(|&other| other != ticket);
                if tickets.is_empty() {
                    self.watched.remove(id);
                }
            }
        }
    }
}

/// What has become of a command, and why; `None` is "not decided yet".
type Decision = Option<(Verdict, Option<String>)>;

/// What the state of a process means for who wants `goal` of it.
fn verdict(goal: Goal, process: Option<&Process>) -> Decision {
    let plain = |verdict| Some((verdict, None));
    let Some(process) = process else {
        return plain(if goal == Goal::Up {
            Verdict::Superseded
        } else {
            Verdict::Stopped
        });
    };
    match (goal, &process.state) {
        (Goal::Up, State::Running { .. }) => plain(Verdict::Started),
        (Goal::Up, State::Backoff { .. } | State::Exited { .. } | State::Fatal) => {
            Some(why_not_up(process))
        }
        (
            Goal::Up,
            State::Stopped(_)
            | State::Stopping {
                then: Then::Stay, ..
            },
        ) => plain(Verdict::Superseded),
        (
            Goal::Up,
            State::Queued { .. }
            | State::Spawning
            | State::Starting { .. }
            | State::Stopping {
                then: Then::Respawn,
                ..
            },
        ) => None,
        (Goal::Down, State::Stopped(_) | State::Exited { .. } | State::Fatal) => {
            plain(Verdict::Stopped)
        }
        (
            Goal::Down,
            State::Stopping {
                then: Then::Stay, ..
            },
        ) => None,
        (
            Goal::Down,
            State::Queued { .. }
            | State::Spawning
            | State::Starting { .. }
            | State::Running { .. }
            | State::Backoff { .. }
            | State::Stopping {
                then: Then::Respawn,
                ..
            },
        ) => plain(Verdict::Superseded),
        // The reactor tells of signals.
        (Goal::Signalled, _) | (Goal::Settled, State::Stopping { .. }) => None,
        (
            Goal::Settled,
            State::Stopped(_)
            | State::Queued { .. }
            | State::Spawning
            | State::Starting { .. }
            | State::Running { .. }
            | State::Backoff { .. }
            | State::Exited { .. }
            | State::Fatal,
        ) => plain(Verdict::Stopped),
    }
}

/// What `start` answers of a start that failed, in supervisor's classes.
fn why_not_up(process: &Process) -> (Verdict, Option<String>) {
    let Some(failure) = &process.failure else {
        return (Verdict::AbnormalTermination, None);
    };
    let verdict = match (failure.stage.as_str(), failure.errno) {
        ("exec", ENOENT | ENOTDIR) => Verdict::NoSuchFile,
        ("exec", EACCES | EISDIR) => Verdict::NotExecutable,
        ("starttime" | "restart", _) => Verdict::AbnormalTermination,
        (_, _) => Verdict::SpawnError,
    };
    (verdict, Some(failure.detail.clone()))
}
