//! The character sets: whether letters are letters or lines.

use std::fmt;

/// The character sets in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sets {
    /// Whether G0 and G1 hold line drawing.
    drawing: [bool; 2],
    /// Whether G1 is in use (SO).
    shifted: bool,
}

impl Sets {
    /// Obeys `ESC ( x` and `ESC ) x`.
    pub(super) fn designate(&mut self, intermediate: u8, last: u8) {
        self.drawing[usize::from(intermediate == b')')] = last == b'0';
    }

    /// Obeys SO and SI.
    pub(super) fn shift(&mut self, byte: u8) {
        self.shifted = byte == 0x0e;
    }
}

/// The sequence that makes any sets these.
impl fmt::Display for Sets {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [g0, g1] = self.drawing.map(|drawing| if drawing { '0' } else { 'B' });
        let shift = if self.shifted { '\x0e' } else { '\x0f' };
        write!(out, "\x1b({g0}\x1b){g1}{shift}")
    }
}
