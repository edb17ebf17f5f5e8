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
pub(super) struct Levels {
    levels: BTreeMap<u32, BTreeSet<ProcessId>>,
    /// The level of each: a process that is replaced may have another priority by the time it is down.
    places: BTreeMap<ProcessId, u32>,
    /// The level that had its turn last.
    called: Option<u32>,
}

impl Levels {
    pub(super) fn add(&mut self, priority: u32, id: ProcessId) {
        self.levels.entry(priority).or_default().insert(id);
        self.places.insert(id, priority);
    }

    /// Takes out a process that is down or given up. Its level is the one at the top, or one that has not had
    /// its turn.
    pub(super) fn remove(&mut self, id: ProcessId) {
        let Some(priority) = self.places.remove(&id) else {
            return;
        };
        let Some(level) = self.levels.get_mut(&priority) else {
            return;
        };
        level.remove(&id);
        if level.is_empty() {
            self.levels.remove(&priority);
        }
    }

    /// Those whose turn has come, once; nobody while theirs lasts, and when all are down.
    pub(super) fn call(&mut self) -> Vec<ProcessId> {
        match self.levels.last_key_value() {
            Some((&top, level)) if self.called != Some(top) => {
                self.called = Some(top);
                level.iter().copied().collect()
            }
            Some(_) | None => Vec::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.levels.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Thousands of deaths of one level would else ask thousands each.
    #[test]
    fn a_level_is_called_once_and_the_next_when_it_is_down() {
        let [first, second, last] = [1, 2, 3].map(ProcessId);
        let mut levels = Levels::default();
        levels.add(9, first);
        levels.add(9, second);
        levels.add(1, last);
        assert_eq!(levels.call(), [first, second]);
        assert_eq!(levels.call(), []);
        levels.remove(first);
        assert_eq!(levels.call(), [], "the level is not down");
        levels.remove(second);
        assert_eq!(levels.call(), [last]);
        levels.remove(last);
        assert_eq!(levels.call(), []);
        assert!(levels.is_empty());
    }
}
