//! Where in lines of text the rows begin, on a terminal that is so wide.

use std::ops::ControlFlow;

use shared::tracker::{Control, Parser, Piece};
use unicode_width::UnicodeWidthChar;

/// A place in lines of text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) cols: usize,
    /// How many rows there are above.
    pub(super) row: usize,
    /// Where the cursor is in the row. Behind its end if it is full: what comes next begins another.
    pub(super) col: usize,
}

impl Place {
    /// Where text begins that is written from the left margin on.
    pub(super) fn new(cols: usize) -> Self {
        Self {
            cols,
            row: 0,
            col: 0,
        }
    }

    /// Goes on to behind the text, or to where the row `until`, which is farther down, begins in it. Returns how many
    /// bytes that is.
    pub(super) fn pass(&mut self, text: &[u8], until: usize) -> usize {
        let mut at = 0;
        for chunk in text.utf8_chunks() {
            let shown = chunk.valid().chars().map(|c| (c, c.len_utf8()));
            let broken = Some((char::REPLACEMENT_CHARACTER, chunk.invalid().len()));
            for (c, len) in shown.chain(broken.filter(|(_, len)| *len > 0)) {
                if self.breaks_before(c) && self.row == until {
                    return at;
                }
                self.put(c);
                at += len;
                if self.row == until {
                    return at;
                }
            }
        }
        at
    }

    /// Begins another row if there is no room for the character.
    fn breaks_before(&mut self, c: char) -> bool {
        let width = c.width().unwrap_or(0);
        let breaks = width > 0 && self.col + width > self.cols;
        if breaks {
            (self.row, self.col) = (self.row + 1, 0);
        }
        breaks
    }

    fn put(&mut self, c: char) {
        let last = self.cols - 1;
        match c {
            '\n' | '\x0b' | '\x0c' => self.row += 1,
            '\r' => self.col = 0,
            '\x08' => self.col = self.col.min(last).saturating_sub(1),
            '\t' if self.col < last => self.col = last.min((self.col / 8 + 1) * 8),
            _ => self.col += c.width().unwrap_or(0),
        }
    }

    /// Goes on behind a control that stays within the row.
    pub(super) fn obey(&mut self, control: &Control<'_>) {
        let (last, count) = (self.cols - 1, usize::from(control.number(0)).max(1));
        match control.last {
            b'C' | b'a' => self.col = last.min(self.col + count),
            b'D' => self.col = self.col.min(last).saturating_sub(count),
            b'G' | b'`' => self.col = last.min(count - 1),
            _ => {}
        }
    }
}

/// How many rows lines take up, the last one included that has not ended.
pub(super) fn count_rows(bytes: &[u8], cols: usize) -> usize {
    let mut place = Place::new(cols);
    Parser::default().advance(bytes, |piece| {
        match piece {
            Piece::Text(text) => {
                place.pass(text, usize::MAX);
            }
            Piece::Char(byte) => {
                place.pass(&[byte], usize::MAX);
            }
            Piece::Control(control) if control.is_within_line() => place.obey(&control),
            Piece::Control(_) | Piece::Escape(..) | Piece::Command(_) => {}
        }
        ControlFlow::Continue(())
    });
    place.row + 1
}
