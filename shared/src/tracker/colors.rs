//! Which of the terminal's own colours a program has set: the palette, the text's, the cursor's.

use super::parser::number;

/// A bit for the number of each command that sets some: 4 and 5 for many, 10 to 19 for one each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Colors(u32);

impl Colors {
    /// Obeys an operating system command; those that only ask are none.
    pub(super) fn obey(&mut self, code: &[u8], values: &[u8]) {
        let mut values = values.split(|&byte| byte == b';');
        match number(code) {
            // Each value has the number of its colour before it.
            code @ (4 | 5) => self.note(code, values.skip(1).step_by(2).any(is_color)),
            // More than one value is for the commands that follow.
            code @ 10..=19 => {
                for code in code..=19 {
                    self.note(code, values.next().is_some_and(is_color));
                }
            }
            _ => {}
        }
    }

    fn note(&mut self, code: u16, is_set: bool) {
        self.0 |= u32::from(is_set) << code;
    }

    /// Appends what takes back all that were set.
    pub(super) fn undo(self, out: &mut Vec<u8>) {
        for code in (0..20).filter(|code| self.0 & (1 << code) != 0) {
            out.extend_from_slice(format!("\x1b]{}\x1b\\", 100 + code).as_bytes());
        }
    }
}

fn is_color(value: &[u8]) -> bool {
    !matches!(value, b"" | b"?")
}
