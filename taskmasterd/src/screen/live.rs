//! The screen of a process that has written something.

mod renewal;
mod snapshots;

use std::io;
use std::ops::DerefMut;

use shared::tracker::{Mode, Query, Side, Tracker};

use super::drawing::{Drawing, Failed, guarded};
use super::lines::write_lines;
use super::marks::{Mark, Marks};
use super::model::{Engine, ScreenModel, Size};
use super::rows::count_rows;
use crate::limits::{RING_LEN, SCREEN_RESIZE_WORK, SCREEN_ROWS_MAX};
use crate::ring::Ring;
use renewal::Clearings;

/// How the screen is known.
enum View {
    /// It is the last lines of the ring.
    Lines,
    /// An engine draws along.
    Drawn(Box<Drawing>),
    /// The engine failed; nobody knows. One that would only have had to work too hard is kept for a new beginning, which
    /// is much cheaper than to make one.
    Lost(Failed, Option<Box<Drawing>>),
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
    /// See [`Live::take_unbound`].
    unbound: bool,
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
            unbound: false,
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
        if let Some(bottom) = self.tracker.take_bottom() {
            self.unbound |= bottom == 0 || usize::from(bottom) > self.size.rows();
        }
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
            self.lose(failed);
        }
        if side != self.side()
            && matches!(&self.view, View::Drawn(drawing) if drawing.hides_unknown)
        {
            self.lose(Failed::Overworked);
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

    /// Nobody knows the screen any more.
    fn lose(&mut self, failed: Failed) {
        let kept = match (std::mem::replace(&mut self.view, View::Lines), failed) {
            (View::Drawn(drawing), Failed::Overworked) => Some(drawing),
            _ => None,
        };
        self.view = View::Lost(failed, kept);
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
                    self.lose(failed);
                }
            }
            // The program is about to redraw: whoever looks on from here sees it all. One that does not has its lines.
            View::Lost(Failed::Overworked, _) if side == Side::Primary => {
                self.see(self.drawn().or_else(|_| self.blank(None)));
            }
            View::Drawn(_) | View::Lost(..) => {
                let drawing = self.renewed(None);
                self.see(drawing);
            }
        }
    }

    fn see(&mut self, drawing: Result<Box<Drawing>, Failed>) {
        self.view = drawing.map_or_else(|failed| View::Lost(failed, None), View::Drawn);
        self.unbound = true;
    }

    /// Whether, since the last call, terminals with more rows than the screen came to need a snapshot.
    pub(super) fn take_unbound(&mut self) -> bool {
        std::mem::take(&mut self.unbound)
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
            View::Lines | View::Lost(..) => return self.lines_above(lines),
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

    /// Asks an engine that knows the screen.
    pub(super) fn look<T>(&mut self, question: impl Fn(&dyn ScreenModel) -> T) -> Option<T> {
        match &self.view {
            View::Drawn(drawing) => guarded(|| question(&*drawing.model)).ok(),
            View::Lines | View::Lost(..) => {
                let drawing = self.drawn().ok()?;
                guarded(|| question(&*drawing.model)).ok()
            }
        }
    }

    /// At most so many rows above those on the screen: what a taller terminal would show there, if there can be one.
    pub(super) fn look_above(
        &mut self,
        lines: usize,
        rows_of: impl Fn(&dyn ScreenModel) -> Vec<String>,
    ) -> Vec<String> {
        let (screen, most) = (self.size.rows(), usize::from(SCREEN_ROWS_MAX));
        let lines = lines.min(most.saturating_sub(screen));
        let rows = screen + lines;
        let mut bytes = Vec::new();
        let below = match self.view {
            View::Lines => {
                self.write_lines(lines, &mut bytes);
                self.look(|model| model.cursor().0).unwrap_or(0)
            }
            View::Drawn(_) | View::Lost(..) => {
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
        matches!(self.view, View::Lost(..))
    }

    pub(super) fn is_drawn(&self) -> bool {
        matches!(self.view, View::Drawn(_))
    }
}
