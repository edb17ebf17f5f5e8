//! What a terminal that is attached to a process shows now.
//!
//! While a process writes lines of text, the last bytes of its output *are* the screen: a ring holds them, and
//! nobody draws anything. From the first control that addresses the screen on, an engine draws along
//! ([`model::ScreenModel`]), and is given up again when only lines have come for a ring's length. What no engine
//! keeps, such as the mouse modes, a [`shared::tracker::Tracker`] knows.
//!
//! A [`Screen::snapshot`] makes any terminal show the same. It is made of text, colours, positions and modes, never
//! of the program's own bytes: these may ask the terminal questions, which would be answered twice. An engine may
//! fail, by a panic or because its work got out of hand; then the snapshot is made of lines, and says that the
//! program should be asked to redraw. Where the program clears the screen, it is known again.
//!
//! A process without output costs nothing. Nothing here knows a clock or a file.

mod above;
mod drawing;
pub mod emulator;
mod guard;
mod lines;
mod live;
mod marks;
pub mod model;
mod rows;

use std::io;
use std::ops::DerefMut;

use shared::tracker::{Query, Side};

pub use lines::harmless;
use live::Live;
use model::{Engine, ScreenModel, Size};

use crate::limits::{SCREEN_ROWS_MAX, SNAPSHOT_LEN_MAX};

/// What a terminal attached to a process shows, with bytes kept in memory of the kind `B`.
pub struct Screen<B> {
    size: Size,
    allocate: fn(usize) -> io::Result<B>,
    engine: Engine,
    /// None until there was output.
    live: Option<Box<Live<B>>>,
    /// Whether it has not been told its size yet: that moves every cell, and only the last of many sizes counts.
    resized: bool,
}

/// What makes a terminal show what is on a screen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// To be written to a terminal of the screen's size, whatever is on it.
    pub bytes: Vec<u8>,
    /// It is not all there is to see: the program should redraw, as it does when its terminal changes size.
    pub incomplete: bool,
}

impl<B: DerefMut<Target = [u8]>> Screen<B> {
    /// An empty screen, of the nearest size an engine takes; `allocate` is asked for memory when output comes.
    pub fn new(rows: u16, cols: u16, allocate: fn(usize) -> io::Result<B>) -> Self {
        Self::with_engine(rows, cols, allocate, emulator::emulator)
    }

    /// The same with another engine.
    pub fn with_engine(
        rows: u16,
        cols: u16,
        allocate: fn(usize) -> io::Result<B>,
        engine: Engine,
    ) -> Self {
        Self {
            size: Size::new(rows, cols),
            allocate,
            engine,
            live: None,
            resized: false,
        }
    }

    /// Takes in output; the questions in it are appended to `queries`. They are to be answered, see
    /// [`Screen::answer`], if no terminal is attached that does.
    pub fn feed(&mut self, bytes: &[u8], queries: &mut Vec<Query>) {
        if bytes.is_empty() {
            return;
        }
        if self.live.is_none() {
            let live = Live::new(self.size, self.allocate, self.engine);
            self.live = Some(Box::new(live));
        }
        if let Some(live) = self.live() {
            live.feed(bytes, queries);
        }
    }

    /// The terminal has another size.
    pub fn resize(&mut self, rows: u16, cols: u16) {
        self.size = Size::new(rows, cols);
        self.resized = self.live.is_some();
    }

    /// What is live, in its size.
    fn live(&mut self) -> Option<&mut Live<B>> {
        let live = self.live.as_deref_mut()?;
        if std::mem::take(&mut self.resized) {
            live.resize(self.size);
        }
        Some(live)
    }

    /// A new process begins on the same terminal: nothing was shown yet, and the memory is given back.
    pub fn clear(&mut self) {
        (self.live, self.resized) = (None, false);
    }

    /// What makes a terminal of the same size show the screen, after up to `history_lines` lines that came before it.
    pub fn snapshot(&mut self, history_lines: usize) -> Snapshot {
        self.snapshot_for(history_lines, self.size.rows())
    }

    /// The same for a terminal of so many rows.
    fn snapshot_for(&mut self, history_lines: usize, rows: usize) -> Snapshot {
        match self.live() {
            Some(live) => live.snapshot(history_lines, rows),
            None => Snapshot {
                bytes: shared::tracker::Tracker::fresh(),
                incomplete: false,
            },
        }
    }

    /// The same of text and colours alone, line by line, for a terminal that is told nothing else: it is cleared
    /// already. Where the cursor is above the last line, that cannot be shown.
    pub fn plain_snapshot(&mut self, history_lines: usize) -> Snapshot {
        let live = self.live();
        live.map_or_else(Snapshot::default, |live| live.plain_snapshot(history_lines))
    }

    /// A snapshot, for a terminal of so many rows (0 if nobody knows), of about [`SNAPSHOT_LEN_MAX`] bytes at most: a screen
    /// that has more, which no text of today's terminals has, is shown without colours and attributes, without the one
    /// behind it, and without what came before it.
    pub fn bounded_snapshot(&mut self, history_lines: usize, rows: u16) -> Snapshot {
        let rows = match rows {
            0 => self.size.rows(),
            rows => rows.min(SCREEN_ROWS_MAX).into(),
        };
        match self.live().filter(|live| is_too_long(live)) {
            Some(live) => live.text_snapshot(rows),
            None => self.snapshot_for(history_lines, rows),
        }
    }

    /// The same of [`Screen::plain_snapshot`].
    pub fn bounded_plain_snapshot(&mut self, history_lines: usize) -> Snapshot {
        match self.live().filter(|live| is_too_long(live)) {
            Some(live) => live.plain_text_snapshot(),
            None => self.plain_snapshot(history_lines),
        }
    }

    /// The rows shown, without blanks at their ends.
    pub fn text(&mut self) -> Vec<String> {
        self.look(|model| model.text())
    }

    /// The same in colour.
    pub fn ansi(&mut self) -> Vec<String> {
        self.look(|model| model.ansi())
    }

    /// The rows that scrolled off above those shown, at most so many.
    pub fn text_above(&mut self, lines: usize) -> Vec<String> {
        self.look_above(lines, |model| model.text())
    }

    /// The same in colour.
    pub fn ansi_above(&mut self, lines: usize) -> Vec<String> {
        self.look_above(lines, |model| model.ansi())
    }

    fn look_above(
        &mut self,
        lines: usize,
        rows: impl Fn(&dyn ScreenModel) -> Vec<String>,
    ) -> Vec<String> {
        let live = self.live().filter(|_| lines > 0);
        live.map_or_else(Vec::new, |live| live.look_above(lines, rows))
    }

    /// The row and the column of the cursor, from 0.
    pub fn cursor(&mut self) -> (usize, usize) {
        self.look(|model| model.cursor())
    }

    /// Whether the cursor is shown.
    pub fn is_cursor_visible(&self) -> bool {
        self.live.as_ref().is_none_or(|live| live.shows_cursor())
    }

    /// How many rows and columns there are.
    pub fn size(&self) -> (usize, usize) {
        (self.size.rows(), self.size.cols())
    }

    /// Whether the alternate screen is shown, that of full-screen programs.
    pub fn is_alternate(&self) -> bool {
        let side = self.live.as_ref().map(|live| live.side());
        side == Some(Side::Alternate)
    }

    /// Whether an engine draws along.
    pub fn is_drawn(&self) -> bool {
        self.live.as_ref().is_some_and(|live| live.is_drawn())
    }

    /// Whether an engine failed, and nothing has made the screen known again.
    pub fn is_lost(&self) -> bool {
        self.live.as_ref().is_some_and(|live| live.is_lost())
    }

    /// What a terminal would answer to these. The corner is where the cursor is if nobody knows.
    pub fn answers(&mut self, queries: &[Query]) -> Vec<u8> {
        let (row, col) = match !self.is_lost() && queries.contains(&Query::Cursor) {
            true => self.cursor(),
            false => (0, 0),
        };
        let answer = |query: &Query| match query {
            Query::Attributes => "\x1b[?62;22c".into(),
            Query::Status => "\x1b[0n".into(),
            Query::Cursor => format!("\x1b[{};{}R", row + 1, col + 1),
        };
        queries.iter().map(answer).collect::<String>().into_bytes()
    }

    /// Whether, since the last call, terminals with more rows than the screen came to need a snapshot: the screen began to be
    /// more than lines of text, or the program made the last row scroll that a terminal has, whichever that is.
    pub fn take_unbound(&mut self) -> bool {
        self.live.as_mut().is_some_and(|live| live.take_unbound())
    }

    /// Asks an engine that knows the screen. It may have to be made for the question, so ask for all at once.
    pub fn look<T: Default>(&mut self, question: impl Fn(&dyn ScreenModel) -> T) -> T {
        let answer = self.live().and_then(|live| live.look(question));
        answer.unwrap_or_default()
    }
}

fn is_too_long<B: DerefMut<Target = [u8]>>(live: &Live<B>) -> bool {
    !live.is_within(SNAPSHOT_LEN_MAX)
}
