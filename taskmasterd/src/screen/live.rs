//! The screen of a process that has written something.

mod renewal;

use std::io;
use std::ops::DerefMut;

use shared::tracker::{Mode, Query, Side, Tracker};

use super::Snapshot;
use super::drawing::{Drawing, Failed, guarded};
use super::lines::{write_lines, write_pen, write_rows};
use super::marks::{Mark, Marks};
use super::model::{Engine, ScreenModel, Size};
use super::rows::count_rows;
use crate::limits::{RING_LEN, SCREEN_RESIZE_WORK};
use crate::ring::Ring;
use renewal::Clearings;

/// How [`Tracker::restore`] enters the alternate screen.
const ENTER_ALTERNATE: &[u8] = b"\x1b[?1049h";

/// How the screen is known.
enum View {
    /// It is the last lines of the ring.
    Lines,
    /// An engine draws along.
    Drawn(Box<Drawing>),
    /// The engine failed; nobody knows.
    Lost(Failed),
}

pub(super) struct Live<B> {
    size: Size,
    engine: Engine,
    tracker: Tracker,
    /// What was written to the primary screen.
    ring: Ring<B>,
    marks: Marks,
    /// From where on the ring was all there is on the primary screen when an engine took over.
    drawn_from: Option<Mark>,
    clearings: Clearings,
    /// How many bytes have come since something addressed the screen.
    lined: usize,
    view: View,
}

impl<B: DerefMut<Target = [u8]>> Live<B> {
    pub(super) fn new(size: Size, allocate: fn(usize) -> io::Result<B>, engine: Engine) -> Self {
        Self {
            size,
            engine,
            tracker: Tracker::default(),
            ring: Ring::new(allocate),
            marks: Marks::new(),
            drawn_from: None,
            clearings: Clearings::default(),
            lined: 0,
            view: View::Lines,
        }
    }

    pub(super) fn feed(&mut self, bytes: &[u8], queries: &mut Vec<Query>) {
        let Some(clearing) = self.clearings.last(bytes) else {
            return self.feed_part(bytes, queries);
        };
        let (before, cleared) = bytes.split_at(clearing.at);
        self.feed_part(before, queries);
        self.renew(&clearing);
        self.feed_part(cleared, queries);
    }

    /// Takes in bytes with work of their own: none is left undone for what came before a clearing.
    fn feed_part(&mut self, mut bytes: &[u8], queries: &mut Vec<Query>) {
        if let View::Drawn(drawing) = &mut self.view {
            drawing.guard.grant(bytes.len());
        }
        while !bytes.is_empty() {
            let piece = &bytes[..self.marks.next_piece(bytes)];
            let side = self.tracker.side();
            let taken = self.tracker.feed_side(piece, queries);
            self.take_in(&bytes[..taken], side);
            bytes = &bytes[taken..];
        }
    }

    /// Takes in what was written to one of the screens, and seen by the tracker.
    fn take_in(&mut self, bytes: &[u8], side: Side) {
        let addressed = self.tracker.take_addressed();
        self.lined = match addressed || side == Side::Alternate {
            true => 0,
            false => self.lined + bytes.len(),
        };
        let holds = self.marks.suffice(bytes.len(), self.size.rows());
        if matches!(self.view, View::Lines) && (addressed || !holds) {
            self.drawn_from = self.marks.before(self.size.rows());
            self.see(self.promoted());
        }
        if let View::Drawn(drawing) = &mut self.view
            && let Err(failed) = drawing.feed(bytes)
        {
            self.view = View::Lost(failed);
        }
        if side != self.side()
            && matches!(&self.view, View::Drawn(drawing) if drawing.hides_unknown)
        {
            self.view = View::Lost(Failed::Overworked);
        }
        if side == Side::Primary {
            self.ring.push(bytes);
            let whole = self.tracker.pending().is_empty();
            let pen = whole.then(|| self.tracker.pen());
            self.marks.advance(bytes, pen);
        }
        let (rows, _) = self.size.numbers();
        let lines_only = self.lined >= RING_LEN && self.tracker.lays_out_as_fresh(rows);
        if lines_only && self.marks.suffice(0, self.size.rows()) {
            self.view = View::Lines;
        }
    }

    /// An engine that knows the lines in the ring, and what has scrolled off of them.
    fn promoted(&self) -> Result<Box<Drawing>, Failed> {
        let all = self.drawn_after(self.marks.before(usize::MAX));
        all.or_else(|_| self.drawn())
    }

    /// An engine that knows what the lines in the ring look like.
    fn drawn(&self) -> Result<Box<Drawing>, Failed> {
        self.drawn_after(self.marks.before(self.size.rows()))
    }

    fn drawn_after(&self, mark: Option<Mark>) -> Result<Box<Drawing>, Failed> {
        let bytes = mark.map(|mark| {
            let (bytes, _) = self.ring.last(self.marks.bytes_after(&mark));
            [mark.pen.to_string().as_bytes(), &bytes].concat()
        });
        let mut drawing = Drawing::new(self.engine, self.size, &bytes.unwrap_or_default())?;
        drawing.guard.grant(RING_LEN);
        Ok(Box::new(drawing))
    }

    pub(super) fn resize(&mut self, size: Size) {
        if size.rows() != self.size.rows() {
            self.tracker.forget_region();
        }
        let work = self.size.work_to_become(size);
        self.size = size;
        let side = self.side();
        match &mut self.view {
            View::Lines => {}
            View::Drawn(drawing) if work <= SCREEN_RESIZE_WORK => {
                drawing.guard.resize(size);
                if let Err(failed) = guarded(|| drawing.model.resize(size)) {
                    self.view = View::Lost(failed);
                }
            }
            // The program is about to redraw: whoever looks on from here sees it all. One that does not has its lines.
            View::Lost(Failed::Overworked) if side == Side::Primary => {
                self.see(self.drawn().or_else(|_| self.blank()));
            }
            View::Drawn(_) | View::Lost(_) => {
                let drawing = self.renewed();
                self.see(drawing);
            }
        }
    }

    fn see(&mut self, drawing: Result<Box<Drawing>, Failed>) {
        self.view = drawing.map_or_else(View::Lost, View::Drawn);
    }

    /// For a terminal of so many rows.
    pub(super) fn snapshot(&mut self, history_lines: usize, rows: usize) -> Snapshot {
        let mut bytes = Tracker::fresh();
        let mut incomplete = false;
        match self.dump() {
            Some(dump) => {
                self.write_history(history_lines, rows, &mut bytes);
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

    pub(super) fn plain_snapshot(&mut self, history_lines: usize) -> Snapshot {
        // A file may have been left in any colour, if there are colours, and is to get none if there are none.
        let none = self.tracker.has_coloured().then_some("\x1b[m");
        let mut bytes = none.unwrap_or_default().as_bytes().to_vec();
        match self.view {
            View::Lines => self.write_lines(history_lines, &mut bytes),
            View::Drawn(_) | View::Lost(_) => {
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
    pub(super) fn is_within(&self, most: usize) -> bool {
        match &self.view {
            View::Drawn(drawing) => {
                guarded(|| drawing.model.dump_len(most)).is_ok_and(|len| len <= most)
            }
            View::Lines | View::Lost(_) => true,
        }
    }

    /// A snapshot of text, positions and modes alone, without the screen behind the alternate one.
    pub(super) fn text_snapshot(&mut self) -> Snapshot {
        let mut bytes = Tracker::fresh();
        let (rows, cursor) = self.text_and_cursor();
        let modes = self.tracker.restore();
        // What makes a terminal count, shift or draw text in other ways comes behind the text.
        let enter =
            memchr::memmem::find(&modes, ENTER_ALTERNATE).map(|at| at + ENTER_ALTERNATE.len());
        let (before, behind) = modes.split_at(enter.unwrap_or(0));
        bytes.extend_from_slice(before);
        bytes.extend_from_slice(b"\x1b[?7l");
        for (index, row) in rows.iter().enumerate() {
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
    pub(super) fn plain_text_snapshot(&mut self) -> Snapshot {
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
                self.view = View::Lost(failed);
                None
            }
        }
    }

    /// Appends the last rows that the ring holds: those that fill a screen, and up to so many above.
    fn write_lines(&self, above: usize, out: &mut Vec<u8>) {
        self.write_last(self.size.rows().saturating_add(above), 0, out);
    }

    /// Appends the last `rows` rows that the ring holds, without the `below` last of them.
    fn write_last(&self, rows: usize, below: usize, out: &mut Vec<u8>) {
        let cols = self.size.cols();
        if let Some(mark) = self.marks.before(rows) {
            let (bytes, _) = self.ring.last(self.marks.bytes_after(&mark));
            let all = count_rows(&bytes, cols);
            let end = match below {
                0 => usize::MAX,
                below => all.saturating_sub(below),
            };
            let shown = all.saturating_sub(rows)..end;
            write_lines(&bytes, shown, cols, mark.pen, out);
        }
    }

    /// Up to so many lines that scrolled off, of what was drawn or nobody knows.
    fn history(&self, lines: usize) -> Vec<u8> {
        let drawing = match &self.view {
            View::Drawn(drawing) => drawing,
            View::Lines | View::Lost(_) => return self.lines_above(lines),
        };
        let above = guarded(|| drawing.model.above(lines));
        above.unwrap_or_default().into_bytes()
    }

    /// The rows of the ring above those that fill a screen.
    fn lines_above(&self, lines: usize) -> Vec<u8> {
        let (rows, mut above) = (self.size.rows(), Vec::new());
        self.write_last(rows.saturating_add(lines), rows, &mut above);
        above
    }

    /// Appends them, and scrolls them out of a terminal of so many rows.
    fn write_history(&self, lines: usize, rows: usize, out: &mut Vec<u8>) {
        let history = self.history(lines);
        if !history.is_empty() {
            out.extend_from_slice(history.strip_suffix(b"\r\n").unwrap_or(&history));
            out.extend_from_slice(b"\x1b[m");
            out.extend(b"\r\n".repeat(rows));
            out.extend_from_slice(b"\x1b[H");
        }
    }

    /// Asks an engine that knows the screen.
    pub(super) fn look<T>(&mut self, question: impl Fn(&dyn ScreenModel) -> T) -> Option<T> {
        match &self.view {
            View::Drawn(drawing) => guarded(|| question(&*drawing.model)).ok(),
            View::Lines | View::Lost(_) => {
                let drawing = self.drawn().ok()?;
                guarded(|| question(&*drawing.model)).ok()
            }
        }
    }

    /// At most so many rows above those on the screen: what a taller terminal would show there.
    pub(super) fn look_above(
        &mut self,
        lines: usize,
        rows_of: impl Fn(&dyn ScreenModel) -> Vec<String>,
    ) -> Vec<String> {
        let rows = self.size.rows().saturating_add(lines);
        let mut bytes = Vec::new();
        let below = match self.view {
            View::Lines => {
                self.write_lines(lines, &mut bytes);
                self.look(|model| model.cursor().0).unwrap_or(0)
            }
            View::Drawn(_) | View::Lost(_) => {
                bytes = self.history(lines);
                if !bytes.is_empty() && !bytes.ends_with(b"\n") {
                    bytes.extend_from_slice(b"\r\n");
                }
                0
            }
        };
        let tall = Size::new(
            u16::try_from(rows).unwrap_or(u16::MAX),
            u16::try_from(self.size.cols()).unwrap_or(u16::MAX),
        );
        let shown = Drawing::new(self.engine, tall, &bytes)
            .and_then(|drawing| guarded(|| (rows_of(&*drawing.model), drawing.model.cursor().0)));
        let (mut above, row) = shown.unwrap_or_default();
        above.truncate(row.saturating_sub(below));
        above.split_off(above.len().saturating_sub(lines))
    }

    pub(super) fn shows_cursor(&self) -> bool {
        self.tracker.has(Mode::Cursor)
    }

    pub(super) fn side(&self) -> Side {
        self.tracker.side()
    }

    pub(super) fn is_lost(&self) -> bool {
        matches!(self.view, View::Lost(_))
    }

    pub(super) fn is_drawn(&self) -> bool {
        matches!(self.view, View::Drawn(_))
    }
}
