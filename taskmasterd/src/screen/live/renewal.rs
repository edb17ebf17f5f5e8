//! Where a screen is cleared: from there on it is known, whatever was on it.

use std::ops::DerefMut;

use memchr::memrchr_iter;
use shared::tracker::{Mode, Side};

use super::super::drawing::{Drawing, Failed};
use super::{Live, View};
use crate::limits::RING_LEN;

/// A full reset.
const RESET: &[u8] = b"\x1bc";

/// What clears the screen and takes the cursor to its corner: a full reset, what terminfo has as `clear` for the common
/// terminals, and what programs write that do not ask terminfo.
const CLEARINGS: [&[u8]; 11] = [
    RESET,
    b"\x1b[H\x1b[2J",
    b"\x1b[H\x1b[3J\x1b[2J",
    b"\x1b[H\x1b[J",
    b"\x1b[H\x1b[0J",
    b"\x1b[1;1H\x1b[2J",
    b"\x1b[1;1H\x1b[J",
    b"\x1b[;H\x1b[2J",
    b"\x1b[2J\x1b[H",
    b"\x1b[2J\x1b[1;1H",
    b"\x1b[2J\x1b[3J\x1b[H",
];

/// The length of the longest of them.
const LEN_MAX: usize = b"\x1b[H\x1b[3J\x1b[2J".len();

/// The last clearing in a piece of output.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Clearing {
    /// Where in the piece it begins, or goes on.
    pub(super) at: usize,
    is_reset: bool,
}

/// Finds clearings in output, however it is cut.
#[derive(Debug, Default)]
pub(super) struct Clearings {
    /// The end of what came, where one may have begun.
    end: Vec<u8>,
}

impl Clearings {
    /// The last one that ends in these bytes, which come next.
    pub(super) fn last(&mut self, bytes: &[u8]) -> Option<Clearing> {
        let before = self.end.len();
        let first = &bytes[..bytes.len().min(LEN_MAX)];
        self.end.extend_from_slice(first);
        let begun = || last_in(&self.end[..], before).map(|(_, is_reset)| (0, is_reset));
        let last = last_in(bytes, 0).or_else(begun);
        self.end
            .extend_from_slice(&bytes[first.len().max(bytes.len().saturating_sub(LEN_MAX))..]);
        self.end.drain(..self.end.len().saturating_sub(LEN_MAX - 1));
        last.map(|(at, is_reset)| Clearing { at, is_reset })
    }
}

/// Where the last one begins that ends behind so many bytes, and whether it is a reset.
fn last_in(bytes: &[u8], behind: usize) -> Option<(usize, bool)> {
    memrchr_iter(0x1b, bytes).find_map(|at| {
        let rest = &bytes[at..];
        let clears = |clearing: &&&[u8]| rest.starts_with(clearing) && at + clearing.len() > behind;
        let clearing = CLEARINGS.iter().find(clears)?;
        Some((at, *clearing == RESET))
    })
}

impl<B: DerefMut<Target = [u8]>> Live<B> {
    /// The screen is about to be cleared.
    pub(super) fn renew(&mut self, clearing: &Clearing) {
        // The corner is elsewhere where rows are counted from elsewhere.
        if !clearing.is_reset && self.tracker.has(Mode::Origin) {
            return;
        }
        match &mut self.view {
            View::Lines => {}
            View::Drawn(drawing) => drawing.hides_unknown &= !clearing.is_reset,
            View::Lost(_, kept) => {
                let kept = kept.take();
                let drawing = match clearing.is_reset {
                    true => self.blank(kept),
                    false => self.renewed(kept),
                };
                self.see(drawing);
            }
        }
    }

    /// An engine that knows the modes, and what the alternate screen hides where the ring still has it; it may be the one
    /// that was kept.
    pub(super) fn renewed(&mut self, kept: Option<Box<Drawing>>) -> Result<Box<Drawing>, Failed> {
        if self.side() == Side::Primary {
            return self.blank(kept);
        }
        // What was too much once is not tried again.
        let from = self.drawn_from.take();
        let from = from.filter(|mark| self.marks.bytes_after(mark) <= RING_LEN);
        if let Some(Ok(hidden)) = from.map(|mark| self.drawn_after(Some(mark))) {
            self.drawn_from = from;
            return hidden.in_modes(&self.tracker);
        }
        let mut drawing = self.blank(kept)?;
        drawing.hides_unknown = true;
        Ok(drawing)
    }

    /// An engine that knows the modes and nothing else; it may be the one that was kept.
    pub(super) fn blank(&self, kept: Option<Box<Drawing>>) -> Result<Box<Drawing>, Failed> {
        let drawing = match kept {
            Some(kept) => kept.begun_anew(self.size)?,
            None => Box::new(Drawing::new(self.engine, self.size, b"")?),
        };
        drawing.in_modes(&self.tracker)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_is_longer_than_the_longest() {
        assert_eq!(CLEARINGS.map(<[u8]>::len).into_iter().max(), Some(LEN_MAX));
    }

    #[test]
    fn the_last_is_found_however_it_is_cut() {
        for clearing in CLEARINGS {
            let text = [b"before\x1b[H\x1b[1m", clearing, b"after"].concat();
            let (start, end) = (text.len() - 5 - clearing.len(), text.len() - 5);
            for chunk in 1..=text.len() {
                let mut clearings = Clearings::default();
                for (index, part) in text.chunks(chunk).enumerate() {
                    let at = index * chunk;
                    let is_here = at < end && end <= at + part.len();
                    let want = is_here.then(|| Clearing {
                        at: start.saturating_sub(at),
                        is_reset: clearing == RESET,
                    });
                    assert_eq!(clearings.last(part), want, "{clearing:?} by {chunk}");
                }
            }
        }
    }
}
