//! What a terminal says of itself, told from what its user types.
//!
//! Reports are answers to questions and news of the focus. Only the terminal that speaks for all has a say; the
//! others would answer each question once more. A report may come in pieces, so its beginning is held back until
//! more comes or, it may have been typed after all, somebody [releases](Reports::release) it.

use crate::limits::{REPORT_BEGUN_LEN_MAX, REPORT_LEN_MAX};

/// Takes the reports out of what comes from one client.
#[derive(Debug, Default)]
pub struct Reports {
    /// What may be the beginning of a report.
    held: Vec<u8>,
    /// How many more bytes an OSC, DCS or APC string may have that is under way.
    string_left: usize,
}

/// Whether the program has asked where the cursor is and may not have the answer. The keys Shift-F3 to
/// Ctrl-Alt-Shift-F3 look the same as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cursor {
    /// It has asked.
    Asked,
    /// Nobody wants to know.
    NotAsked,
}

/// What bytes that begin with ESC are.
enum Found {
    /// A report of this length.
    Report(usize),
    /// The beginning of a string, of which these many bytes are there and the end is not.
    String(usize),
    /// Too little to tell.
    Begun,
    /// Typed.
    Typed,
}

impl Reports {
    /// What was typed, without reports.
    pub fn without(&mut self, typed: &[u8], cursor: Cursor) -> Vec<u8> {
        let mut all = std::mem::take(&mut self.held);
        all.extend_from_slice(typed);
        let mut out = Vec::with_capacity(all.len());
        let mut rest = &all[..];
        while let Some((&first, after)) = rest.split_first() {
            if self.string_left > 0 {
                rest = self.pass_over(rest);
                continue;
            }
            match found(rest, cursor) {
                Found::Report(len) => rest = &rest[len..],
                Found::String(len) => {
                    self.string_left = REPORT_LEN_MAX;
                    rest = &rest[len..];
                }
                Found::Begun if rest.len() <= REPORT_BEGUN_LEN_MAX => {
                    self.held = rest.to_vec();
                    break;
                }
                Found::Begun | Found::Typed => {
                    out.push(first);
                    rest = after;
                }
            }
        }
        out
    }

    /// Whether something is held back.
    pub fn holds_back(&self) -> bool {
        !self.held.is_empty()
    }

    /// What was held back: nothing came after it, so it was typed.
    pub fn release(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }

    /// Passes over what belongs to a string; says what comes after it.
    fn pass_over<'a>(&mut self, rest: &'a [u8]) -> &'a [u8] {
        let looked_at = &rest[..rest.len().min(self.string_left)];
        let end = |&byte: &u8| byte == 0x07 || byte == b'\\';
        match looked_at.iter().position(end) {
            Some(end) => {
                self.string_left = 0;
                &rest[end + 1..]
            }
            None => {
                self.string_left -= looked_at.len();
                &rest[looked_at.len()..]
            }
        }
    }
}

fn found(bytes: &[u8], cursor: Cursor) -> Found {
    match bytes {
        [0x1b] | [0x1b, b'[' | b']' | b'P' | b'_'] => Found::Begun,
        [0x1b, b'[', rest @ ..] => {
            let is_end = |byte: &u8| !(0x20..=0x3f).contains(byte);
            match rest.iter().position(is_end) {
                None => Found::Begun,
                Some(end) if is_report(&rest[..end], rest[end], cursor) => {
                    Found::Report(2 + end + 1)
                }
                Some(_) => Found::Typed,
            }
        }
        [0x1b, b']' | b'P' | b'_', ..] => Found::String(2),
        _ => Found::Typed,
    }
}

/// CPR, DA, DSR, DECRPM, focus, sizes, or the state of the keyboard.
fn is_report(parameters: &[u8], last: u8, cursor: Cursor) -> bool {
    let private = parameters.first().is_some_and(|byte| b"?>".contains(byte));
    match last {
        b'I' | b'O' => parameters.is_empty(),
        b'R' => match parameters {
            [b'1', b';', b'2'..=b'9'] | [b'1', b';', b'1', b'0'..=b'6'] => cursor == Cursor::Asked,
            _ => parameters.contains(&b';'),
        },
        b'c' | b'n' | b't' => true,
        b'y' => parameters.ends_with(b"$"),
        b'u' => private,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strip(typed: &[u8]) -> String {
        let mut reports = Reports::default();
        let mut out = reports.without(typed, Cursor::NotAsked);
        out.extend(reports.release());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn reports_are_told_from_typing() {
        assert_eq!(strip(b"ls\r"), "ls\r");
        assert_eq!(strip(b"\x1b[24;80Ra\x1b[?62;c\x1b[0nb\x1b[I\x1b[O"), "ab");
        assert_eq!(strip(b"\x1b]11;rgb:0/0/0\x07x\x1bP1+r\x1b\\y"), "xy");
        assert_eq!(strip(b"\x1b[A\x1b[1;5C\x1b"), "\x1b[A\x1b[1;5C\x1b");
        assert_eq!(strip(b"\x1b[13;2u\x1b[?5u"), "\x1b[13;2u");
    }

    #[test]
    fn reports_are_told_from_typing_wherever_they_are_cut() {
        let typed = b"a\x1b[24;80R\x1b]11;rgb:0/0/0\x1b\\b\x1b[?62;c\x1bP1+r\x07\x1b[1;5C\x1b[Oc";
        for at in 0..=typed.len() {
            let mut reports = Reports::default();
            let mut out = reports.without(&typed[..at], Cursor::Asked);
            out.extend(reports.without(&typed[at..], Cursor::Asked));
            assert_eq!(out, b"ab\x1b[1;5Cc", "cut at {at}");
            assert!(!reports.holds_back());
        }
    }

    // Shift-F3 is the first of many keys, and the answer of a terminal in its first row.
    #[test]
    fn a_key_that_looks_like_an_answer_is_one_while_an_answer_is_due() {
        let mut reports = Reports::default();
        assert_eq!(
            reports.without(b"\x1b[1;2R", Cursor::NotAsked),
            b"\x1b[1;2R"
        );
        assert_eq!(reports.without(b"\x1b[1;2R", Cursor::Asked), b"");
    }

    #[test]
    fn what_is_held_back_is_bounded() {
        let mut reports = Reports::default();
        let long = [&b"\x1b["[..], &[b'1'; 10_000]].concat();
        assert_eq!(reports.without(&long, Cursor::NotAsked), long);
        let endless = [&b"\x1b]"[..], &[b'x'; REPORT_LEN_MAX], b"typed"].concat();
        assert_eq!(reports.without(&endless, Cursor::NotAsked), b"typed");
        assert!(!reports.holds_back());
    }
}
