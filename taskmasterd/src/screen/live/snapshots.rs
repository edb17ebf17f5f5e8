//! What makes a terminal show the screen.

use std::ops::DerefMut;

use shared::tracker::Tracker;

use super::super::Snapshot;
use super::super::drawing::guarded;
use super::super::lines::{write_pen, write_rows};
use super::{Live, View};

/// How [`Tracker::restore`] enters the alternate screen.
const ENTER_ALTERNATE: &[u8] = b"\x1b[?1049h";

impl<B: DerefMut<Target = [u8]>> Live<B> {
    /// For a terminal of so many rows.
    pub(in crate::screen) fn snapshot(&mut self, history_lines: usize, rows: usize) -> Snapshot {
        let mut bytes = Tracker::fresh();
        let mut incomplete = false;
        match self.dump() {
            Some(dump) => {
                self.write_history(history_lines, rows, &mut bytes);
                self.write_bounds(rows, &mut bytes);
                bytes.extend(self.tracker.restore_hidden());
                bytes.extend_from_slice(dump.as_bytes());
                // The engine does not know all that a pen can do.
                bytes.extend_from_slice(self.tracker.pen().to_string().as_bytes());
                bytes.extend(self.tracker.restore_manners());
            }
            None => {
                self.write_lines(history_lines, &mut bytes);
                incomplete = self.is_lost();
                bytes.extend(match incomplete {
                    true => self.tracker.restore(),
                    false => self.tracker.restore_manners(),
                });
            }
        }
        bytes.extend_from_slice(self.tracker.pending());
        Snapshot { bytes, incomplete }
    }

    pub(in crate::screen) fn plain_snapshot(&mut self, history_lines: usize) -> Snapshot {
        // A file may have been left in any colour, if there are colours, and is to get none if there are none.
        let none = self.tracker.has_coloured().then_some("\x1b[m");
        let mut bytes = none.unwrap_or_default().as_bytes().to_vec();
        match self.view {
            View::Lines => self.write_lines(history_lines, &mut bytes),
            View::Drawn(_) | View::Lost(..) => {
                bytes = [self.history(history_lines), bytes].concat();
                let seen = self.look(|model| (model.ansi(), model.cursor()));
                let (rows, cursor) = seen.unwrap_or_default();
                write_rows(&rows, cursor, &mut bytes);
                write_pen(self.tracker.pen(), &mut bytes);
            }
        }
        bytes.extend_from_slice(self.tracker.pending());
        Snapshot {
            bytes,
            incomplete: self.is_lost(),
        }
    }

    /// Whether a snapshot takes at most about so many bytes. Lines are no more than the ring.
    pub(in crate::screen) fn is_within(&self, most: usize) -> bool {
        match &self.view {
            View::Drawn(drawing) => {
                guarded(|| drawing.model.dump_len(most)).is_ok_and(|len| len <= most)
            }
            View::Lines | View::Lost(..) => true,
        }
    }

    /// A snapshot of text, positions and modes alone, without the screen behind the alternate one.
    pub(in crate::screen) fn text_snapshot(&mut self, rows: usize) -> Snapshot {
        let mut bytes = Tracker::fresh();
        self.write_bounds(rows, &mut bytes);
        let (text, cursor) = self.text_and_cursor();
        let modes = self.tracker.restore();
        // What makes a terminal count, shift or draw text in other ways comes behind the text.
        let enter =
            memchr::memmem::find(&modes, ENTER_ALTERNATE).map(|at| at + ENTER_ALTERNATE.len());
        let (before, behind) = modes.split_at(enter.unwrap_or(0));
        bytes.extend_from_slice(before);
        bytes.extend_from_slice(b"\x1b[?7l");
        for (index, row) in text.iter().enumerate() {
            if !row.is_empty() {
                bytes.extend_from_slice(format!("\x1b[{}H{row}", index + 1).as_bytes());
            }
        }
        bytes.extend_from_slice(b"\x1b[?7h");
        bytes.extend_from_slice(behind);
        bytes.extend_from_slice(format!("\x1b[{};{}H", cursor.0 + 1, cursor.1 + 1).as_bytes());
        bytes.extend_from_slice(self.tracker.pending());
        Snapshot {
            bytes,
            incomplete: false,
        }
    }

    /// The same line by line, for a terminal that is told nothing but text.
    pub(in crate::screen) fn plain_text_snapshot(&mut self) -> Snapshot {
        let mut bytes = b"\x1b[m".to_vec();
        let (rows, cursor) = self.text_and_cursor();
        write_rows(&rows, cursor, &mut bytes);
        bytes.extend_from_slice(self.tracker.pen().to_string().as_bytes());
        bytes.extend_from_slice(self.tracker.pending());
        Snapshot {
            bytes,
            incomplete: false,
        }
    }

    /// Appends what makes a terminal with more rows scroll those of the screen alone. It moves the cursor.
    fn write_bounds(&self, rows: usize, out: &mut Vec<u8>) {
        if rows > self.size.rows() {
            out.extend_from_slice(format!("\x1b[1;{}r", self.size.rows()).as_bytes());
        }
    }

    fn text_and_cursor(&mut self) -> (Vec<String>, (usize, usize)) {
        let seen = self.look(|model| (model.text(), model.cursor()));
        seen.unwrap_or_default()
    }

    /// What the engine says, if there is one that has not failed.
    fn dump(&mut self) -> Option<String> {
        let View::Drawn(drawing) = &self.view else {
            return None;
        };
        let dump = guarded(|| drawing.model.dump(self.tracker.saved_sets()));
        match dump {
            Ok(dump) => Some(dump),
            Err(failed) => {
                self.lose(failed);
                None
            }
        }
    }

    /// Appends lines that scrolled off, up to so many, and scrolls them out of a terminal of so many rows.
    fn write_history(&self, lines: usize, rows: usize, out: &mut Vec<u8>) {
        let history = self.history(lines);
        if !history.is_empty() {
            out.extend_from_slice(history.strip_suffix(b"\r\n").unwrap_or(&history));
            out.extend_from_slice(b"\x1b[m");
            out.extend(b"\r\n".repeat(rows));
            out.extend_from_slice(b"\x1b[H");
        }
    }
}
