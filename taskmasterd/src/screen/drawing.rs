//! An engine at work, which may fail.

use std::panic::{AssertUnwindSafe, catch_unwind};

use shared::tracker::{Pen, Tracker};
use unicode_width::UnicodeWidthChar;

use super::guard::{Cleaned, Guard, Marked};
use super::model::{Engine, ScreenModel, Size};
use crate::limits::RING_LEN;

/// An engine and what stands before it.
pub(super) struct Drawing {
    pub(super) guard: Guard,
    pub(super) model: Box<dyn ScreenModel>,
    /// What is behind the alternate screen is not known.
    pub(super) hides_unknown: bool,
}

/// Why an engine knows nothing any more.
#[derive(Clone, Copy)]
pub(super) enum Failed {
    Panicked,
    /// It would have had to work too hard.
    Overworked,
}

impl Drawing {
    /// One that was given these bytes. It is not made if they are too much: to make it is much work itself.
    pub(super) fn new(engine: Engine, size: Size, bytes: &[u8]) -> Result<Self, Failed> {
        let mut guard = Guard::new(size);
        guard.grant(RING_LEN);
        let cleaned = guard.clean(bytes).map_err(|_| Failed::Overworked)?;
        let model = guarded(|| {
            let mut model = engine(size);
            draw(&mut *model, cleaned);
            model
        })?;
        Ok(Self {
            guard,
            model,
            hides_unknown: false,
        })
    }

    /// Takes in a part of what was granted work for.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<(), Failed> {
        let cleaned = self.guard.clean(bytes).map_err(|_| Failed::Overworked)?;
        let model = &mut *self.model;
        guarded(|| draw(model, cleaned))
    }

    /// The same with nothing on it. All that a soft reset leaves is brought back by [`Drawing::in_modes`].
    pub(super) fn begun_anew(mut self: Box<Self>, size: Size) -> Result<Box<Self>, Failed> {
        self.guard = Guard::new(size);
        self.guard.grant(RING_LEN);
        self.hides_unknown = false;
        self.feed(b"\x1b[?1047l\x1b[!p\x1b[H\x1b[J\x1b[3J")?;
        Ok(self)
    }

    /// The same in a program's modes, and in the sequence that it has begun.
    pub(super) fn in_modes(mut self: Box<Self>, tracker: &Tracker) -> Result<Box<Self>, Failed> {
        self.feed(&tracker.restore())?;
        self.feed(tracker.pending())?;
        Ok(self)
    }
}

fn draw(model: &mut dyn ScreenModel, Cleaned { text, marked }: &Cleaned) {
    let mut drawn = 0;
    for Marked { range, pen } in marked {
        model.feed(&text[drawn..range.start]);
        draw_marked(model, &text[range.clone()], pen);
        drawn = range.end;
    }
    model.feed(&text[drawn..]);
}

/// Draws characters row by row: terminals fill a row that scrolls in with the background alone, so a blank in no more
/// than that begins it.
fn draw_marked(model: &mut dyn ScreenModel, mut text: &str, pen: &Pen) {
    while !text.is_empty() {
        let first = text.chars().next().unwrap_or_default();
        if model.room() == 1 && first.width() == Some(2) {
            // It wraps, too, and a blank stays behind.
            model.feed(" ");
        }
        if model.room() == 0 {
            model.feed(&format!("{} \x08{pen}", pen.background()));
        }
        let mut room = model.room();
        let end = text.find(|c: char| {
            let width = c.width().unwrap_or(0);
            let fits = width <= room;
            room = room.saturating_sub(width);
            !fits
        });
        let end = end.unwrap_or(text.len()).max(first.len_utf8());
        let (row, rest) = text.split_at(end);
        model.feed(row);
        text = rest;
    }
}

/// Lets an engine work. What it leaves behind when it panics is not looked at again.
pub(super) fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, Failed> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| Failed::Panicked)
}
