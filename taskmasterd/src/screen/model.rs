//! What the screen asks of an engine that knows what a terminal shows.

use shared::tracker::Sets;

use crate::limits::{RING_LEN, SCREEN_COLS_MAX, SCREEN_ROWS_MAX, SCREEN_SIZE_MIN};

/// To put one cell that scrolled off into words is about as much work as touching this many.
const KEEP_WORK: u64 = 30;
/// To put one cell into its place in rows of another length is as much, with what allocates and frees the rows.
const WRAP_WORK: u64 = 4;
/// To move one cell out of the way of a new row, likewise.
const MOVE_WORK: u64 = 5;

/// The size of a terminal, within what an engine takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    rows: u16,
    cols: u16,
}

impl Size {
    /// The nearest size that an engine takes.
    pub fn new(rows: u16, cols: u16) -> Self {
        Self {
            rows: rows.clamp(SCREEN_SIZE_MIN, SCREEN_ROWS_MAX),
            cols: cols.clamp(SCREEN_SIZE_MIN, SCREEN_COLS_MAX),
        }
    }

    /// How many rows and columns there are.
    pub fn numbers(self) -> (u16, u16) {
        (self.rows, self.cols)
    }

    /// How many rows there are.
    pub fn rows(self) -> usize {
        self.rows.into()
    }

    /// How many columns there are.
    pub fn cols(self) -> usize {
        self.cols.into()
    }

    pub(super) fn cells(self) -> u64 {
        u64::from(self.rows) * u64::from(self.cols)
    }

    /// What an engine may have to do for another size, in cells touched. Each cell may scroll off in colours of its own,
    /// but no more are put into words than are kept; and for each new row that is made of an old one all that is left of
    /// that is moved.
    pub(super) fn work_to_become(self, other: Size) -> u64 {
        if self == other {
            return 0;
        }
        let kept = self.cells().min(RING_LEN as u64);
        let moves = u64::from(self.cols / other.cols / 2);
        kept * KEEP_WORK + self.cells() * (WRAP_WORK + moves * MOVE_WORK)
    }
}

/// An engine: it is fed with what a terminal is fed with, and knows what that terminal shows.
///
/// It may panic: that loses what it knew, and nothing else.
pub trait ScreenModel {
    /// Takes in output, in which every sequence is whole and known to be harmless.
    fn feed(&mut self, text: &str);
    /// Gives the terminal another size.
    fn resize(&mut self, size: Size);
    /// What makes a fresh, empty terminal show the same and go on from there, the screen behind the alternate one
    /// included; in 7-bit controls that every terminal understands. It saves these character sets with the cursors of the
    /// primary and the alternate one.
    fn dump(&self, saved: [Sets; 2]) -> String;
    /// The last rows that scrolled off above those shown, with colours, at most so many. Each has its line end, unless
    /// it went on in the next. `CSI 3 J` forgets them.
    fn above(&self, rows: usize) -> String;
    /// The rows shown, without blanks at their ends.
    fn text(&self) -> Vec<String>;
    /// The same with colours and attributes, each row by itself.
    fn ansi(&self) -> Vec<String>;
    /// The row and the column of the cursor, from 0.
    fn cursor(&self) -> (usize, usize);
    /// How many columns there are before the next character wraps.
    fn room(&self) -> usize;
    /// About how many bytes a dump has, without making one. Nobody counts beyond `most`.
    fn dump_len(&self, most: usize) -> usize {
        let _ = most;
        0
    }
}

/// Makes an engine.
pub type Engine = fn(Size) -> Box<dyn ScreenModel>;
