//! Which processes the names of a command mean: each process once, however many of the names mean it.

use std::collections::{BTreeMap, BTreeSet};

use shared::api::{Outcome, Verdict};
use shared::name::{ProcessName, ProgramName, Selector, did_you_mean};

use super::ProcessId;
use super::supervisor::Supervisor;
use crate::limits::SUGGESTIONS_MAX;

/// What the names of a command come to.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// A process, and how it was meant.
    Process(ProcessId, Meant),
    /// A name that is nobody's.
    Nobody(Outcome),
}

/// How a process was meant. What is as wanted already in a group is passed over in silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meant {
    /// By its own name, or that of its program; whatever else means it too.
    ByName,
    /// As one of a group alone.
    InGroup,
}

impl Supervisor {
    /// What `names` mean, in the order in which they first say so.
    pub fn find(&self, names: &[Selector]) -> Vec<Found> {
        let mut found = Vec::new();
        let mut places: BTreeMap<ProcessId, usize> = BTreeMap::new();
        let mut said = BTreeSet::new();
        let mut unknown = 0;
        for selector in names.iter().filter(|name| said.insert(name.as_str())) {
            let meant = if selector.is_group() {
                Meant::InGroup
            } else {
                Meant::ByName
            };
            let mut ids = self.matching(selector);
            let is_group = selector.as_str() == "all" || self.is_empty_group(selector);
            if ids.is_empty() && !is_group {
                unknown += 1;
                found.push(Found::Nobody(self.nobody(selector, unknown)));
            }
            if meant == Meant::ByName {
                for place in ids.iter().filter_map(|id| places.get(id)) {
                    if let Found::Process(_, how) = &mut found[*place] {
                        *how = meant;
                    }
                }
            }
            ids.retain(|id| !places.contains_key(id));
            self.sort_by_priority(&mut ids);
            for id in ids {
                places.insert(id, found.len());
                found.push(Found::Process(id, meant));
            }
        }
        found
    }

    /// The processes that `selector` means, in the order in which they are started.
    pub fn select(&self, selector: &Selector) -> Vec<ProcessId> {
        let mut ids = self.matching(selector);
        self.sort_by_priority(&mut ids);
        ids
    }

    fn matching(&self, selector: &Selector) -> Vec<ProcessId> {
        // Without an index all the copies of a program are meant, or none.
        let of_program =
            |(program, copies): (&ProgramName, &BTreeMap<u32, ProcessId>)| -> Vec<ProcessId> {
                let copies = match selector.index() {
                    Some(index) => copies.range(index..=index),
                    None => copies.range(..),
                };
                let first = copies.clone().next();
                let meant = first.is_some_and(|(&index, _)| {
                    selector.matches(&ProcessName::new(program.clone(), index))
                });
                copies.filter(|_| meant).map(|(_, &id)| id).collect()
            };
        match selector.program() {
            Some(program) => self
                .ids
                .get_key_value(program)
                .map(of_program)
                .unwrap_or_default(),
            None => self.ids.iter().flat_map(of_program).collect(),
        }
    }

    /// Whether it is the group of a program that has no processes now (`numprocs: 0`).
    fn is_empty_group(&self, selector: &Selector) -> bool {
        let program = selector.program().filter(|_| selector.is_group());
        program.is_some_and(|program| self.config.programs.contains_key(program))
    }

    fn sort_by_priority(&self, ids: &mut [ProcessId]) {
        ids.sort_by_cached_key(|id| self.processes.get(id).map(|process| process.spec.priority));
    }

    /// What is said of a selector that means nobody, the `nth` of its command. To look for what it could have
    /// meant takes long where there are thousands of programs, so only the first few have that.
    fn nobody(&self, selector: &Selector, nth: usize) -> Outcome {
        let result = if selector.is_group() {
            Verdict::NoSuchGroup
        } else {
            Verdict::NoSuchProcess
        };
        let program = selector.program();
        let copies = program.and_then(|program| self.ids.get(program));
        let near = || {
            let programs = self.ids.keys().map(ProgramName::as_str);
            did_you_mean(program.filter(|_| nth <= SUGGESTIONS_MAX)?, programs)
        };
        let detail = match (program, copies) {
            (Some(program), Some(copies)) => Some(format!(
                "{program} has {} processes, from {program}:0 on",
                copies.len()
            )),
            (Some(program), None) if self.config.programs.contains_key(program) => {
                Some(format!("{program} has no processes (numprocs: 0)"))
            }
            (Some(_) | None, _) => near().map(|near| format!("did you mean \"{near}\"?")),
        };
        Outcome {
            name: selector.label().to_owned(),
            result,
            before: None,
            detail,
        }
    }
}
