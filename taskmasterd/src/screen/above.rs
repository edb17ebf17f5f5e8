//! What has scrolled off above the screen that the engine knows.

use std::collections::VecDeque;

use avt::parser::{EdScope, Function};
use avt::{Cell, Line, Observation, Observer, Operation};

use super::emulator::{styled, used};
use crate::limits::RING_LEN;

/// The rows that have scrolled off the primary screen.
#[derive(Default)]
pub(super) struct Above {
    /// The oldest first; each with its line end, unless it went on in the next row.
    rows: VecDeque<Box<str>>,
    /// What they take up, in bytes.
    len: usize,
    /// Those that came last, not yet in words: of many at once most are gone before they need be.
    fresh: VecDeque<Row>,
    /// The least that they will take up.
    fresh_len: usize,
    /// What avt gives up now has scrolled off. It gives up what is cleared or deleted at the top, too.
    scrolls: bool,
}

/// A row that has scrolled off.
struct Row {
    cells: Box<[Cell]>,
    is_wrapped: bool,
}

impl Row {
    /// The least that it takes up in words. A character of two cells has three bytes.
    fn len_min(&self) -> usize {
        self.cells.len() + size_of::<Box<str>>()
    }
}

impl Above {
    fn push(&mut self, row: Row) {
        self.fresh_len += row.len_min();
        self.fresh.push_back(row);
        while self.fresh_len > RING_LEN
            && let Some(row) = self.fresh.pop_front()
        {
            self.fresh_len -= row.len_min();
        }
    }

    /// Puts into words what has come.
    pub(super) fn settle(&mut self) {
        self.fresh_len = 0;
        for row in std::mem::take(&mut self.fresh) {
            let end = if row.is_wrapped { "" } else { "\r\n" };
            let words = styled(&row.cells) + end;
            self.len += words.len() + size_of::<Box<str>>();
            self.rows.push_back(words.into());
        }
        while self.len > RING_LEN
            && let Some(row) = self.rows.pop_front()
        {
            self.len -= row.len() + size_of::<Box<str>>();
        }
    }

    /// The last rows, at most so many.
    pub(super) fn last(&self, rows: usize) -> String {
        let shown = self.rows.range(self.rows.len().saturating_sub(rows)..);
        shown.map(|row| &**row).collect()
    }

    fn clear(&mut self) {
        self.fresh.clear();
        self.rows.clear();
        (self.fresh_len, self.len) = (0, 0);
    }
}

impl Observer for Above {
    type Output = ();

    fn before(&mut self, _: &mut Observation<'_>, operation: &Operation) {
        self.scrolls = match operation {
            Operation::Resize { .. } => true,
            Operation::Function(function) => matches!(
                function,
                Function::Print(_)
                    | Function::Rep(_)
                    | Function::Lf
                    | Function::Nel
                    | Function::Su(_)
            ),
        };
        if let Operation::Function(Function::Ed(EdScope::SavedLines)) = operation {
            self.clear();
        }
    }

    fn evicted(&mut self, _: &mut Observation<'_>, line: &Line) {
        if self.scrolls {
            let is_wrapped = line.is_wrapped();
            let cells = if is_wrapped { line.cells() } else { used(line) };
            self.push(Row {
                cells: cells.into(),
                is_wrapped,
            });
        }
    }

    fn end(&mut self, _: &mut Observation<'_>) {}
}
