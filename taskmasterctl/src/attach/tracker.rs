//! What a stream of terminal output has switched on, and the bytes that switch it off again.
//!
//! STAND-IN, behind the names of `shared::tracker`: it knows the alternate screen and nothing else, and switches
//! everything off that a program could have switched on. To be replaced by a `use` when that is there.

/// Everything a program can switch on, switched off: scroll region, origin, wrapping, cursor, cursor keys, keypad;
/// mouse, focus, paste, synchronised and resize reports; insert mode, character sets, colours, cursor shape;
/// both keyboard protocols and an open link.
const ALL_OFF: &[u8] = b"\x1b7\x1b[r\x1b8\x1b[?6l\x1b[?7h\x1b[?25h\x1b[?1l\x1b>\
    \x1b[?1000;1002;1003;1005;1006;1015;1016l\x1b[?1004l\x1b[?2004l\x1b[?2026l\x1b[?2031l\x1b[?2048l\
    \x1b[4l\x1b(B\x0f\x1b[m\x1b[0 q\x1b[<9u\x1b[=0u\x1b[>4m\x1b]8;;\x1b\\";

/// The longest parameters that are looked at, in bytes.
const PARAMETERS_LEN_MAX: usize = 64;

/// Looks at output as it goes by.
#[derive(Debug, Default)]
pub(super) struct Tracker {
    alternate: bool,
    /// The private-mode sequence that has begun: ESC [ ? and digits.
    sequence: Vec<u8>,
}

impl Tracker {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Takes in what is painted.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            match (self.sequence.len(), byte) {
                (_, 0x1b) => self.sequence = vec![byte],
                (1, b'[') | (2, b'?') | (3.., b'0'..=b'9' | b';') => self.sequence.push(byte),
                (3.., b'h') => self.switch(true),
                (3.., b'l') => self.switch(false),
                (_, _) => self.sequence.clear(),
            }
            if self.sequence.len() > PARAMETERS_LEN_MAX {
                self.sequence.clear();
            }
        }
    }

    fn switch(&mut self, on: bool) {
        let mut modes = self.sequence[3..].split(|&byte| byte == b';');
        if modes.any(|mode| matches!(mode, b"47" | b"1047" | b"1049")) {
            self.alternate = on;
        }
        self.sequence.clear();
    }

    pub(super) fn is_alternate(&self) -> bool {
        self.alternate
    }

    /// What makes the terminal as it was before all this.
    pub(super) fn leave(&self) -> Vec<u8> {
        let alternate: &[u8] = match self.is_alternate() {
            true => b"\x1b[?1049l",
            false => b"",
        };
        [alternate, ALL_OFF].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alternate_screen_is_left_only_where_it_was_entered() {
        let mut tracker = Tracker::new();
        assert!(!tracker.leave().starts_with(b"\x1b[?1049l"));
        for byte in b"\x1b[?25;1049h" {
            tracker.feed(&[*byte]);
        }
        assert!(tracker.leave().starts_with(b"\x1b[?1049l"));
        tracker.feed(b"\x1b[?1049l");
        assert!(!tracker.is_alternate());
    }
}
