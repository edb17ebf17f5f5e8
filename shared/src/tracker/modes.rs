//! The switches of a terminal that a program may have set, one bit each.

/// A set of [`Mode`]s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Modes(u32);

/// A private mode (`CSI ? n h`), or one of the few switches that are set in other ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Cursor keys send `ESC O` sequences.
    CursorKeys,
    /// Dark and light are exchanged.
    Reverse,
    /// Rows count from the top of the scroll region.
    Origin,
    /// Text goes on in the next row at the right margin.
    AutoWrap,
    /// The cursor is visible.
    Cursor,
    /// Mouse clicks are reported, but not that buttons are let go.
    MousePress,
    /// Mouse clicks are reported.
    Mouse,
    /// Mouse clicks are reported, and the program says what is to be highlighted.
    MouseHighlight,
    /// Mouse clicks and drags are reported.
    MouseDrag,
    /// All mouse movements are reported.
    MouseMove,
    /// Focus is reported.
    Focus,
    /// Mouse coordinates are UTF-8.
    MouseUtf8,
    /// Mouse coordinates are numbers.
    MouseSgr,
    /// Mouse coordinates are numbers, in the way of urxvt.
    MouseUrxvt,
    /// Mouse coordinates are pixels.
    MousePixels,
    /// What is pasted is bracketed.
    Paste,
    /// What is drawn is shown at once at the end.
    Synchronized,
    /// Changes between dark and light are reported.
    ColorScheme,
    /// Changes of size are reported.
    Size,
    /// The keypad sends sequences (`ESC =`).
    Keypad,
    /// Characters are inserted (`CSI 4 h`).
    Insert,
    /// A line feed returns, too (`CSI 20 h`).
    NewLine,
}

/// The private modes and their numbers.
pub(super) const PRIVATE: [(u16, Mode); 19] = [
    (1, Mode::CursorKeys),
    (5, Mode::Reverse),
    (6, Mode::Origin),
    (7, Mode::AutoWrap),
    (9, Mode::MousePress),
    (25, Mode::Cursor),
    (1000, Mode::Mouse),
    (1001, Mode::MouseHighlight),
    (1002, Mode::MouseDrag),
    (1003, Mode::MouseMove),
    (1004, Mode::Focus),
    (1005, Mode::MouseUtf8),
    (1006, Mode::MouseSgr),
    (1015, Mode::MouseUrxvt),
    (1016, Mode::MousePixels),
    (2004, Mode::Paste),
    (2026, Mode::Synchronized),
    (2031, Mode::ColorScheme),
    (2048, Mode::Size),
];

/// The modes that decide where text goes: an emulator of the screen knows them as well.
pub(super) const LAYOUT: [Mode; 4] = [Mode::Origin, Mode::AutoWrap, Mode::Insert, Mode::NewLine];

/// Of these a terminal has at most one, the last that was set. To reset any of them resets it.
const MOUSE: [Mode; 5] = [
    Mode::MousePress,
    Mode::Mouse,
    Mode::MouseHighlight,
    Mode::MouseDrag,
    Mode::MouseMove,
];

/// Of these, too; but to reset another one does nothing.
const COORDINATES: [Mode; 4] = [
    Mode::MouseUtf8,
    Mode::MouseSgr,
    Mode::MouseUrxvt,
    Mode::MousePixels,
];

impl Modes {
    /// Whether a mode is set.
    pub fn has(self, mode: Mode) -> bool {
        self.0 & (1 << mode as u32) != 0
    }

    pub(super) fn put(&mut self, mode: Mode, on: bool) {
        let rivals = if MOUSE.contains(&mode) {
            &MOUSE[..]
        } else if on && COORDINATES.contains(&mode) {
            &COORDINATES[..]
        } else {
            &[]
        };
        for rival in rivals {
            self.0 &= !(1 << *rival as u32);
        }
        let bit = 1 << mode as u32;
        self.0 = if on { self.0 | bit } else { self.0 & !bit };
    }
}

impl Default for Modes {
    /// Those of a terminal that was just switched on.
    fn default() -> Self {
        let mut modes = Self(0);
        for mode in [Mode::AutoWrap, Mode::Cursor] {
            modes.put(mode, true);
        }
        modes
    }
}

/// The private mode of a number.
pub(super) fn private(number: u16) -> Option<Mode> {
    let known = PRIVATE.iter().find(|(known, _)| *known == number);
    known.map(|(_, mode)| *mode)
}
