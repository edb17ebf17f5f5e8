//! What a terminal has been told.

use shared::frame::Size;
use shared::tracker::Tracker;

use super::super::depth::Depth;
use super::super::speech::Speech;

/// What of it is switched on, and how far down it is painted.
#[derive(Debug)]
pub(super) struct Picture {
    pub(super) tracker: Tracker,
    pub(super) depth: Depth,
}

impl Picture {
    pub(super) fn new(size: Size) -> Self {
        Self {
            tracker: Tracker::default(),
            depth: Depth::new(size),
        }
    }

    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.tracker.feed(bytes, &mut Vec::new());
        self.depth.feed(bytes);
    }

    /// What switches all of it off. Where it was told what terminals understand in different ways, anything may be on.
    pub(super) fn switch_off(&mut self, speech: &Speech) -> Vec<u8> {
        let out = match speech.is_ambiguous() {
            true => Tracker::leave_unknown(),
            false => self.tracker.leave(),
        };
        self.feed(&out);
        out
    }

    /// The same, and what brings the cursor to a row with nothing in it nor below: then it may be anywhere, too.
    pub(super) fn settle(&mut self, speech: &Speech) -> Vec<u8> {
        let mut out = self.switch_off(speech);
        let row = match speech.is_ambiguous() {
            true => b"\x1b[9999B\r\n",
            false => self.depth.to_free_row(),
        };
        self.feed(row);
        out.extend_from_slice(row);
        out
    }
}
