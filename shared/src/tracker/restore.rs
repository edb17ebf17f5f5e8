//! The sequences that put a terminal into a program's state, and back.

use super::modes::{LAYOUT, Mode, Modes, PRIVATE};
use super::{Keyboard, Sets, Side, Tracker};

/// Puts back whatever a program may have changed, the screens, the keyboard, the title, the terminal's own colours, tab
/// stops, margins and where rows are counted from apart: wrapping, dark and light, the cursor, the keys, the mouse,
/// reports, insertion, a locked keyboard, echo, UTF-8, character sets, the pen, the cursor's shape. It moves nothing.
///
/// Terminals differ in what is usual for wrapping backwards (45), the backspace key (67), the wheel (1007) and the
/// width of clusters (2027): these stay as they are. So do 132 columns (3), whose end clears the screen.
const SETTLE: &str = concat!(
    "\x1b[?7h\x1b[?25h\x1b[?1l\x1b>\x1b[?5l",
    "\x1b[?9l\x1b[?1000l\x1b[?1001l\x1b[?1002l\x1b[?1003l\x1b[?1005l\x1b[?1006l\x1b[?1015l\x1b[?1016l",
    "\x1b[?1004l\x1b[?2004l\x1b[?2026l\x1b[?2031l\x1b[?2048l",
    "\x1b[2l\x1b[4l\x1b[12h\x1b[20l\x1b%G\x1b(B\x1b)B\x0f\x1b[m\x1b[?12l\x1b[0 q",
);

/// Puts the window's title aside, for [`Tracker::leave`] to put back.
pub const PUT_TITLE: &[u8] = b"\x1b[22;2t";
/// Takes the title that was put aside last.
const TAKE_TITLE: &[u8] = b"\x1b[23;2t";

/// Forgets margins, counts rows from the top of the screen, and scrolls all of it. Each of the three may move the
/// cursor to the top.
const UNBOUND: &str = "\x1b[?69l\x1b[?6l\x1b[r";

/// How many tab stops are set one by one: those of 512 columns.
const TAB_STOPS: usize = 63;

/// Appends what puts a tab stop in every eighth column and leaves the cursor somewhere in its row. Few terminals can
/// be told all at once, but those that can then know it of any width.
fn write_tab_stops(out: &mut Vec<u8>) {
    out.extend_from_slice(b"\r\x1b[3g");
    out.extend(b"\x1b[8C\x1bH".repeat(TAB_STOPS));
    // The cursor stops in the last column, which is to have none.
    out.extend_from_slice(b"\x1b[9999C\x1b[g\x1b[?5W");
}

impl Tracker {
    /// What sets a fresh terminal to the modes of the program, its screen's contents apart.
    pub fn restore(&self) -> Vec<u8> {
        let (state, mut out) = (&self.state, Vec::new());
        out.append(&mut self.restore_hidden());
        if state.side == Side::Alternate {
            out.extend_from_slice(b"\x1b[?1049h");
        }
        if let Some((top, bottom)) = state.region {
            let bottom = Some(bottom).filter(|bottom| *bottom > 0);
            let bottom = bottom.map(|bottom| bottom.to_string()).unwrap_or_default();
            out.extend_from_slice(format!("\x1b[{top};{bottom}r").as_bytes());
        }
        if state.pens.sets() != Sets::default() {
            out.extend_from_slice(state.pens.sets().to_string().as_bytes());
        }
        for (mode, code) in [(Mode::Insert, "4"), (Mode::NewLine, "20")] {
            if self.has(mode) {
                out.extend_from_slice(format!("\x1b[{code}h").as_bytes());
            }
        }
        self.write_private(|mode| LAYOUT.contains(&mode), &mut out);
        out.extend_from_slice(state.pens.now().to_string().as_bytes());
        self.write_kept_by_nobody(&mut out);
        out
    }

    /// The part of [`Tracker::restore`] that no emulator of the screen's contents keeps: keys, mouse, reports, the
    /// cursor's looks, the title, the open link. It moves nothing and may follow any dump of such an emulator.
    pub fn restore_manners(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write_kept_by_nobody(&mut out);
        out
    }

    /// What has to come before a switch to the alternate screen: the keyboard of the primary one behind it.
    pub fn restore_hidden(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if self.state.side == Side::Alternate {
            self.state.keyboard.write_stack(false, &mut out);
        }
        out
    }

    fn write_kept_by_nobody(&self, out: &mut Vec<u8>) {
        let state = &self.state;
        // Not the bracket of one frame: the rest of the frame ends it, and until then nothing would be shown.
        self.write_private(
            |mode| !LAYOUT.contains(&mode) && mode != Mode::Synchronized,
            out,
        );
        if self.has(Mode::Keypad) {
            out.extend_from_slice(b"\x1b=");
        }
        state
            .keyboard
            .write_stack(state.side == Side::Alternate, out);
        state.keyboard.write_other_keys(out);
        if state.cursor_shape != 0 {
            out.extend_from_slice(format!("\x1b[{} q", state.cursor_shape).as_bytes());
        }
        if let Some(blinking) = state.blinking {
            let last = if blinking { 'h' } else { 'l' };
            out.extend_from_slice(format!("\x1b[?12{last}").as_bytes());
        }
        if !state.title.is_empty() {
            out.extend_from_slice(b"\x1b]2;");
            out.extend_from_slice(state.title.as_bytes());
            out.push(0x07);
        }
        if !state.link.is_empty() {
            out.extend_from_slice(b"\x1b]");
            out.extend_from_slice(&state.link);
            out.extend_from_slice(b"\x1b\\");
        }
    }

    /// Appends the private modes of the chosen kind that are not as on a fresh terminal.
    fn write_private(&self, chosen: impl Fn(Mode) -> bool, out: &mut Vec<u8>) {
        for (number, mode) in PRIVATE {
            let on = self.has(mode);
            if chosen(mode) && on != Modes::default().has(mode) {
                let last = if on { 'h' } else { 'l' };
                out.extend_from_slice(format!("\x1b[?{number}{last}").as_bytes());
            }
        }
    }

    /// What puts the terminal back to what a shell expects, wherever the program left it, even in the middle of a
    /// sequence. The cursor stays where it is, unless the program had rows counted from elsewhere ([`Mode::Origin`]).
    pub fn leave(&self) -> Vec<u8> {
        let state = &self.state;
        let mut out = Vec::new();
        if !self.pending().is_empty() {
            out.push(0x18);
        }
        if state.side == Side::Alternate {
            state.keyboard.undo_stack(true, &mut out);
            out.extend_from_slice(b"\x1b[?1049l");
        }
        let traces = &state.traces;
        if traces.origin || traces.saved_origin {
            // What saves and restores the cursor does so with this mode, and would set it again.
            out.extend_from_slice(UNBOUND.as_bytes());
        } else if state.margins {
            out.extend_from_slice(b"\x1b7\x1b[?69l\x1b[r\x1b8");
        } else if traces.region {
            out.extend_from_slice(b"\x1b7\x1b[r\x1b8");
        }
        if traces.tabs {
            out.extend_from_slice(b"\x1b7");
            write_tab_stops(&mut out);
            out.extend_from_slice(b"\x1b8");
        }
        out.extend_from_slice(SETTLE.as_bytes());
        state.colors.undo(&mut out);
        state.keyboard.undo_stack(false, &mut out);
        out.extend_from_slice(b"\x1b[=0u\x1b[>4m\x1b]8;;\x1b\\");
        for _ in 0..state.titles {
            out.extend_from_slice(TAKE_TITLE);
        }
        out
    }

    /// [`Tracker::leave`] for a terminal of which nothing is known, but that its title was put aside. The cursor ends
    /// up anywhere.
    pub fn leave_unknown() -> Vec<u8> {
        let mut out = vec![0x18];
        // Each screen has a keyboard of its own.
        Keyboard::undo_unknown(&mut out);
        out.extend_from_slice(b"\x1b[?1049l");
        Keyboard::undo_unknown(&mut out);
        out.extend_from_slice(UNBOUND.as_bytes());
        write_tab_stops(&mut out);
        out.extend_from_slice(&Self::default().leave());
        out.extend_from_slice(TAKE_TITLE);
        out
    }

    /// What makes a terminal of unknown state a fresh one with an empty screen. The keyboard's stacks stay: what
    /// was pushed by whom is known to the one who reads all that the terminal gets, see [`Tracker::leave`].
    pub fn fresh() -> Vec<u8> {
        let mut out = b"\x18\x1b[?1049l".to_vec();
        out.extend_from_slice(UNBOUND.as_bytes());
        write_tab_stops(&mut out);
        out.extend_from_slice(SETTLE.as_bytes());
        out.extend_from_slice(b"\x1b[>4m\x1b]8;;\x1b\\\x1b[H\x1b7\x1b[J");
        out
    }
}
