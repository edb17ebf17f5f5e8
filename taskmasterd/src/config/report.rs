//! Where something stands in a file, and the list of all that is wrong.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use shared::text::escape;

use crate::limits::PROBLEMS_MAX;

/// A place in one of the files that were read. Line 0 is the file as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct At {
    pub(super) file: u32,
    pub(super) line: u32,
    pub(super) column: u32,
}

impl At {
    /// The file as a whole.
    pub(super) fn file(file: u32) -> Self {
        Self {
            file,
            ..Self::default()
        }
    }
}

/// What is wrong at one place.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) at: At,
    pub(super) what: String,
}

/// Why a configuration was refused: one line for each problem, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problems(pub Vec<String>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for Problems {}

/// Collects problems and warnings while the files are read.
#[derive(Debug, Default)]
pub(super) struct Report {
    files: Vec<String>,
    problems: BTreeSet<(At, String)>,
    warnings: BTreeSet<(At, String)>,
    hidden: usize,
}

impl Report {
    /// A number for the file that the user knows as `name`.
    pub(super) fn add_file(&mut self, name: String) -> u32 {
        self.files.push(name);
        u32::try_from(self.files.len() - 1).unwrap_or(u32::MAX)
    }

    /// The place as a user reads it: `tm.yaml:4:3`.
    pub(super) fn place(&self, at: At) -> String {
        let file = self.files.get(at.file as usize).map_or("", |name| name);
        match at.line {
            0 => file.to_owned(),
            line => format!("{file}:{line}:{}", at.column),
        }
    }

    /// Notes what makes the configuration unusable.
    ///
    /// A problem is told once, however many programs an anchor or `defaults` brings it to.
    pub(super) fn problem(&mut self, at: At, what: impl Into<String>) {
        let problem = (at, what.into());
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.insert(problem);
        } else if !self.problems.contains(&problem) {
            self.hidden += 1;
        }
    }

    /// Notes what the user should know although it is allowed.
    pub(super) fn warning(&mut self, at: At, what: impl Into<String>) {
        if self.warnings.len() < PROBLEMS_MAX {
            self.warnings.insert((at, what.into()));
        }
    }

    /// The warnings if there were no problems, else the problems.
    pub(super) fn finish(self) -> Result<Vec<String>, Problems> {
        if self.problems.is_empty() {
            return Ok(self.lines(&self.warnings));
        }
        let mut lines = self.lines(&self.problems);
        if self.hidden > 0 {
            lines.push(format!("and {} more problems", self.hidden));
        }
        Err(Problems(lines))
    }

    fn lines(&self, notes: &BTreeSet<(At, String)>) -> Vec<String> {
        notes
            .iter()
            .map(|(at, what)| escape(&format!("{}: {what}", self.place(*at))))
            .collect()
    }
}
