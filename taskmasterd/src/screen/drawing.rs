//! An engine at work, which may fail.

use std::panic::{AssertUnwindSafe, catch_unwind};

use shared::tracker::Tracker;

use super::guard::Guard;
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
        let text = guard.clean(bytes).map_err(|_| Failed::Overworked)?;
        let model = guarded(|| {
            let mut model = engine(size);
            model.feed(text);
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
        let text = self.guard.clean(bytes).map_err(|_| Failed::Overworked)?;
        let model = &mut self.model;
        guarded(|| model.feed(text))
    }

    /// The same in a program's modes, and in the sequence that it has begun.
    pub(super) fn in_modes(mut self: Box<Self>, tracker: &Tracker) -> Result<Box<Self>, Failed> {
        self.feed(&tracker.restore())?;
        self.feed(tracker.pending())?;
        Ok(self)
    }
}

/// Lets an engine work. What it leaves behind when it panics is not looked at again.
pub(super) fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, Failed> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| Failed::Panicked)
}
