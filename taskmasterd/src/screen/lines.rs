//! Output as lines of text in colour: what can be shown again without doing anything else again.

use std::ops::{ControlFlow, Range};

use shared::tracker::{Control, Parser, Pen, Piece};

use super::rows::Place;

/// Appends those of the rows of `bytes`, which begin at the left margin, to `out`, without anything but text, what
/// moves within a line, and colours; `pen` is the one in force at the beginning. Where `out` goes, none is.
pub(super) fn write_lines(
    bytes: &[u8],
    rows: Range<usize>,
    cols: usize,
    pen: Pen,
    out: &mut Vec<u8>,
) {
    let mut lines = Lines {
        place: Place::new(cols),
        rows,
        pen,
        out,
    };
    if lines.rows.start == 0 {
        lines.begin();
    }
    lines.take(&mut Parser::default(), bytes);
}

/// The same of output that no terminal has had: it is in nobody's colours, begins where `bytes` do, and ends where
/// they do, be it in the middle of a sequence.
pub fn harmless(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut lines = Lines {
        place: Place::new(usize::MAX),
        rows: 0..usize::MAX,
        pen: Pen::default(),
        out: &mut out,
    };
    let mut parser = Parser::default();
    lines.take(&mut parser, bytes);
    out.extend_from_slice(parser.pending());
    out
}

/// Appends rows in colour, and leaves the cursor in its column if it is in the last of them that is not blank.
pub(super) fn write_rows(rows: &[String], (row, col): (usize, usize), out: &mut Vec<u8>) {
    let drawn = rows.iter().rposition(|row| !row.is_empty()).unwrap_or(0);
    let last = drawn.max(row).min(rows.len().saturating_sub(1));
    let shown = rows.iter().take(last + 1).map(String::as_str);
    out.extend_from_slice(shown.collect::<Vec<_>>().join("\r\n").as_bytes());
    if row == last && col > 0 {
        out.extend_from_slice(format!("\r\x1b[{col}C").as_bytes());
    }
}

/// Appends what takes up a pen where none is.
pub(super) fn write_pen(pen: Pen, out: &mut Vec<u8>) {
    if pen != Pen::default() {
        out.extend_from_slice(pen.to_string().as_bytes());
    }
}

struct Lines<'a> {
    /// Where we are, as long as that decides what is written.
    place: Place,
    /// The rows that are written.
    rows: Range<usize>,
    pen: Pen,
    out: &'a mut Vec<u8>,
}

impl Lines<'_> {
    fn take(&mut self, parser: &mut Parser, bytes: &[u8]) {
        parser.advance(bytes, |piece| {
            match piece {
                Piece::Text(bytes) => self.text(bytes),
                Piece::Char(byte) => self.text(&[byte]),
                Piece::Control(control) => self.control(control),
                Piece::Escape(..) | Piece::Command(_) => {}
            }
            ControlFlow::Continue(())
        });
    }

    fn begin(&mut self) {
        write_pen(self.pen, self.out);
        // A line feed alone begins a row in the middle, or behind the end of one that is full: a blank gets there.
        if self.place.col > 0 {
            let right = self.place.col.min(self.place.cols - 1);
            self.out
                .extend_from_slice(format!("\x1b[{right}C").as_bytes());
            if right < self.place.col {
                self.out.push(b' ');
            }
        }
    }

    fn text(&mut self, mut bytes: &[u8]) {
        let Range { start, end } = self.rows;
        if self.place.row < start {
            let skipped = self.place.pass(bytes, start);
            bytes = &bytes[skipped..];
            if self.place.row < start {
                return;
            }
            self.begin();
        }
        if end < usize::MAX {
            let room = self.place.row < end;
            let len = if room { self.place.pass(bytes, end) } else { 0 };
            bytes = &bytes[..len];
        }
        Piece::Text(bytes).write_plain(self.out);
    }

    fn control(&mut self, control: Control<'_>) {
        if control.is_plain() && control.last == b'm' {
            self.pen.obey(&control);
        }
        if self.rows.contains(&self.place.row) {
            Piece::Control(control).write_plain(self.out);
        }
        if control.is_within_line() {
            self.place.obey(&control);
        }
    }
}
