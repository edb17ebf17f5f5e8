//! Where in a ring one may begin to read: beginnings of lines, and the pen in force there.

use std::collections::VecDeque;

use shared::tracker::Pen;

use crate::limits::{RING_LEN, SCREEN_MARK_INTERVAL};

/// The beginning of a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    /// How many bytes there had been.
    at: u64,
    /// How many line feeds.
    lines: u64,
    pub(super) pen: Pen,
}

/// Marks in what a ring holds, and how much there ever was.
#[derive(Debug)]
pub(super) struct Marks {
    /// The oldest first, at least [`SCREEN_MARK_INTERVAL`] apart.
    marks: VecDeque<Mark>,
    bytes: u64,
    lines: u64,
    returned: bool,
}

impl Marks {
    /// Those of an empty ring: its beginning.
    pub(super) fn new() -> Self {
        let start = Mark {
            at: 0,
            lines: 0,
            pen: Pen::default(),
        };
        Self {
            marks: VecDeque::from([start]),
            bytes: 0,
            lines: 0,
            returned: false,
        }
    }

    /// How many of these bytes to take in next: up to the beginning of a line that deserves a mark, or all.
    pub(super) fn next_piece(&self, bytes: &[u8]) -> usize {
        let last = self.marks.back().map_or(0, |mark| mark.at);
        let since = (self.bytes - last) as usize;
        let from = SCREEN_MARK_INTERVAL.saturating_sub(since);
        let Some(rest) = bytes.get(from..) else {
            return bytes.len();
        };
        let end = memchr::memmem::find(rest, b"\r\n");
        end.map_or(bytes.len(), |end| from + end + 2)
    }

    /// Bytes went into the ring; `pen` is the one after them, none in the middle of a sequence.
    pub(super) fn advance(&mut self, bytes: &[u8], pen: Option<Pen>) {
        self.bytes += bytes.len() as u64;
        self.lines += memchr::memchr_iter(b'\n', bytes).count() as u64;
        let at_start = bytes.ends_with(b"\r\n") || (self.returned && bytes == b"\n");
        self.returned = bytes.last().map_or(self.returned, |&last| last == b'\r');
        self.forget(self.bytes);
        let due = self
            .marks
            .back()
            .is_none_or(|mark| self.bytes - mark.at >= SCREEN_MARK_INTERVAL as u64);
        if let Some(pen) = pen.filter(|_| due && at_start) {
            self.marks.push_back(Mark {
                at: self.bytes,
                lines: self.lines,
                pen,
            });
        }
    }

    fn forget(&mut self, bytes: u64) {
        while self
            .marks
            .front()
            .is_some_and(|mark| mark.at + (RING_LEN as u64) < bytes)
        {
            self.marks.pop_front();
        }
    }

    /// Whether the ring, after `more` bytes, still holds all that is on a screen of so many rows.
    pub(super) fn suffice(&self, more: usize, rows: usize) -> bool {
        let bytes = self.bytes + more as u64;
        let held = |mark: &&Mark| mark.at + RING_LEN as u64 >= bytes;
        let oldest = self.marks.iter().find(held);
        oldest.is_some_and(|mark| mark.at == 0 || self.lines - mark.lines >= rows as u64)
    }

    /// The last mark with at least so many lines after it, or the oldest.
    pub(super) fn before(&self, lines: usize) -> Option<Mark> {
        let enough = |mark: &&Mark| self.lines_after(mark) >= lines;
        let found = self.marks.iter().rev().find(enough);
        found.or(self.marks.front()).copied()
    }

    /// How many bytes came after a mark.
    pub(super) fn bytes_after(&self, mark: &Mark) -> usize {
        (self.bytes - mark.at) as usize
    }

    /// How many line feeds came after a mark.
    pub(super) fn lines_after(&self, mark: &Mark) -> usize {
        (self.lines - mark.lines) as usize
    }
}
