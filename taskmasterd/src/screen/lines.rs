//! Output as lines of text in colour: what can be shown again without doing anything else again.

use std::ops::ControlFlow;

use shared::tracker::{Control, Parser, Pen, Piece};

/// Appends `bytes` to `out` without anything but text, what moves within a line, and colours. The first `skip`
/// lines are left out; `pen` is the one in force at the beginning.
pub(super) fn write_lines(bytes: &[u8], skip: usize, pen: Pen, out: &mut Vec<u8>) {
    let mut lines = Lines {
        skip,
        pen,
        returned: false,
        out,
    };
    if skip == 0 {
        lines.begin();
    }
    lines.take(&mut Parser::default(), bytes);
}

/// The same of output that no terminal has had: it is in nobody's colours, begins where `bytes` do, and ends where
/// they do, be it in the middle of a sequence.
pub fn harmless(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut lines = Lines {
        skip: 0,
        pen: Pen::default(),
        returned: false,
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

struct Lines<'a> {
    /// How many lines are still left out.
    skip: usize,
    pen: Pen,
    /// The last byte was CR.
    returned: bool,
    out: &'a mut Vec<u8>,
}

impl Lines<'_> {
    fn take(&mut self, parser: &mut Parser, bytes: &[u8]) {
        parser.advance(bytes, |piece| {
            self.piece(piece);
            ControlFlow::Continue(())
        });
    }

    fn begin(&mut self) {
        self.out.extend_from_slice(self.pen.to_string().as_bytes());
    }

    fn piece(&mut self, piece: Piece<'_>) {
        match piece {
            Piece::Text(bytes) => self.text(bytes),
            Piece::Char(byte) => self.text(&[byte]),
            Piece::Control(control) => self.control(control),
            Piece::Escape(..) | Piece::Command(_) => {}
        }
    }

    fn text(&mut self, mut bytes: &[u8]) {
        while self.skip > 0 {
            let Some(end) = memchr::memchr(b'\n', bytes) else {
                self.returned = bytes.last().map_or(self.returned, |&last| last == b'\r');
                return;
            };
            let returned = match end {
                0 => self.returned,
                _ => bytes[end - 1] == b'\r',
            };
            // A line that begins in the middle of a row is none to begin at.
            self.skip -= usize::from(self.skip > 1 || returned);
            bytes = &bytes[end + 1..];
            self.returned = false;
            if self.skip == 0 {
                self.begin();
            }
        }
        Piece::Text(bytes).write_plain(self.out);
    }

    fn control(&mut self, control: Control<'_>) {
        if control.is_plain() && control.last == b'm' {
            self.pen.obey(&control);
        }
        if self.skip == 0 {
            Piece::Control(control).write_plain(self.out);
        }
    }
}
