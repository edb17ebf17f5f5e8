//! Who goes first: processes by priority, for starting and for the orderly shutdown.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Mono, ProcessId};

/// When which process next wants attention: by time, then by priority, then by age.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Agenda(BTreeSet<Appointment>);

/// One entry of the agenda.
pub(super) type Appointment = (Mono, u32, ProcessId);

impl Agenda {
    /// Replaces what a process had by what it has now.
    pub(super) fn replace(&mut self, before: Option<Appointment>, after: Option<Appointment>) {
        if before == after {
            return;
        }
        if let Some(before) = before {
            self.0.remove(&before);
        }
        self.0.extend(after);
    }

    /// The earliest time at which anybody wants attention.
    pub(super) fn first(&self) -> Option<Mono> {
        self.0.first().map(|&(at, _, _)| at)
    }

    /// The process that is first to want attention at `now`.
    pub(super) fn due(&self, now: Mono) -> Option<ProcessId> {
        self.0
            .first()
            .filter(|&&(at, _, _)| at <= now)
            .map(|&(_, _, id)| id)
    }
}

/// What is left to stop in a shutdown: the highest priority number first, those of one number together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Levels(BTreeMap<u32, BTreeSet<ProcessId>>);

impl Levels {
    pub(super) fn add(&mut self, priority: u32, id: ProcessId) {
        self.0.entry(priority).or_default().insert(id);
    }

    /// Takes out a process that is down or given up. Its level is the one at the top, or one that has not had
    /// its turn.
    pub(super) fn remove(&mut self, id: ProcessId) {
        self.0.retain(|_, level| {
            level.remove(&id);
            !level.is_empty()
        });
    }

    /// Those whose turn it is; nobody, when all are down.
    pub(super) fn top(&self) -> Vec<ProcessId> {
        self.0
            .last_key_value()
            .map(|(_, level)| level.iter().copied().collect())
            .unwrap_or_default()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.values().map(BTreeSet::len).sum()
    }
}
