//! What a terminal says of itself, told from what its user types.
//!
//! Reports are answers to questions and news of the focus. Only the terminal that speaks for all has a say; the
//! others would answer each question once more. A report may come in pieces, so its beginning is held back until
//! the rest comes or, it may have been typed after all, somebody [releases](Reports::release) it. That goes for strings
//! too, which Alt-], Alt-P and Alt-_ seem to begin: nothing is a report before its end is there.

use shared::tracker::Control;

use crate::limits::{REPORT_BEGUN_LEN_MAX, REPORT_LEN_MAX};

/// Takes the reports out of what comes from one client.
#[derive(Debug, Default)]
pub struct Reports {
    /// What may be the beginning of a report.
    held: Vec<u8>,
}

/// What is held back after a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// Nothing.
    Nothing,
    /// What began in this piece.
    Anew,
    /// What was held back before, and the piece has not ended it.
    Still,
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
    /// Too little to tell.
    Begun,
    /// Typed.
    Typed,
}

impl Reports {
    /// What was typed, without reports.
    pub fn without(&mut self, typed: &[u8], cursor: Cursor) -> Vec<u8> {
        self.sift(typed, cursor).0
    }

    /// The same, and what is held back of it.
    pub fn sift(&mut self, typed: &[u8], cursor: Cursor) -> (Vec<u8>, Held) {
        let mut all = std::mem::take(&mut self.held);
        let had_held = !all.is_empty();
        all.extend_from_slice(typed);
        let mut out = Vec::with_capacity(all.len());
        let mut rest = &all[..];
        while let Some((&first, after)) = rest.split_first() {
            match found(rest, cursor) {
                Found::Report(len) => rest = &rest[len..],
                Found::Begun => {
                    self.held = rest.to_vec();
                    let is_old = had_held && rest.len() == all.len();
                    return (out, if is_old { Held::Still } else { Held::Anew });
                }
                Found::Typed => {
                    out.push(first);
                    rest = after;
                }
            }
        }
        (out, Held::Nothing)
    }

    /// What was held back: its end did not come, so it was typed.
    pub fn release(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }
}

fn found(bytes: &[u8], cursor: Cursor) -> Found {
    match bytes {
        [0x1b] => Found::Begun,
        [0x1b, b'[', rest @ ..] => command(rest, cursor),
        [0x1b, b']' | b'P' | b'_', rest @ ..] => string(rest),
        _ => Found::Typed,
    }
}

/// What `ESC [` and these bytes are.
fn command(rest: &[u8], cursor: Cursor) -> Found {
    let looked_at = &rest[..rest.len().min(REPORT_BEGUN_LEN_MAX)];
    let is_end = |byte: &u8| !(0x20..=0x3f).contains(byte);
    match looked_at.iter().position(is_end) {
        Some(end) => match Control::new(&rest[..end], rest[end]) {
            Some(control) if is_report(&control, cursor) => Found::Report(2 + end + 1),
            Some(_) | None => Found::Typed,
        },
        None if rest.len() < REPORT_BEGUN_LEN_MAX => Found::Begun,
        None => Found::Typed,
    }
}

/// What the introducer of a string and these bytes are. No terminal says anything in it that is not printable, so
/// whatever else ends it was typed.
fn string(rest: &[u8]) -> Found {
    let looked_at = &rest[..rest.len().min(REPORT_LEN_MAX)];
    match looked_at.iter().position(|&byte| byte < 0x20) {
        Some(end) => match &rest[end..] {
            [0x07, ..] => Found::Report(2 + end + 1),
            [0x1b, b'\\', ..] => Found::Report(2 + end + 2),
            [0x1b] => Found::Begun,
            _ => Found::Typed,
        },
        None if rest.len() < REPORT_LEN_MAX => Found::Begun,
        None => Found::Typed,
    }
}

fn is_report(control: &Control<'_>, cursor: Cursor) -> bool {
    let is_answer = match (control.last, control.params) {
        (b'R', [b'1', b';', b'2'..=b'9'] | [b'1', b';', b'1', b'0'..=b'6']) => {
            control.mark != 0 || cursor == Cursor::Asked
        }
        _ => true,
    };
    is_answer && control.is_report()
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
        let rare = b"a\x1b[?1;0;256S\x1b[2;1;1;128;128;1;0x\x1b[>4;2mb\x1b[1;2S\x1b[c";
        assert_eq!(strip(rare), "ab\x1b[1;2S\x1b[c");
    }

    #[test]
    fn reports_are_told_from_typing_wherever_they_are_cut() {
        let typed = b"a\x1b[24;80R\x1b]11;rgb:0/0/0\x1b\\b\x1b[?62;c\x1bP1+r\x07\x1b[1;5C\x1b[Oc";
        for at in 0..=typed.len() {
            let mut reports = Reports::default();
            let mut out = reports.without(&typed[..at], Cursor::Asked);
            out.extend(reports.without(&typed[at..], Cursor::Asked));
            assert_eq!(out, b"ab\x1b[1;5Cc", "cut at {at}");
            assert_eq!(reports.release(), b"");
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

    // Alt-_, Alt-P and Alt-] begin like the strings of a terminal.
    #[test]
    fn what_never_ends_was_typed() {
        for typed in ["\x1b_echo two\r", "\x1bPwd\x1b[A", "\x1b]x\x1b\x1b]y\n"] {
            assert_eq!(strip(typed.as_bytes()), typed);
        }
        let mut reports = Reports::default();
        let mut sift = |typed: &[u8]| reports.sift(typed, Cursor::NotAsked);
        assert_eq!(sift(b"\x1b_ec"), (vec![], Held::Anew));
        assert_eq!(sift(b"ho\x1b"), (vec![], Held::Still));
        assert_eq!(sift(b"\\\x1b]"), (vec![], Held::Anew));
        assert_eq!(sift(b"8\r"), (b"\x1b]8\r".to_vec(), Held::Nothing));
    }

    #[test]
    fn what_is_held_back_is_bounded() {
        for begin in ["\x1b[", "\x1b]"] {
            let long = [begin.as_bytes(), &[b'1'; REPORT_LEN_MAX]].concat();
            let mut reports = Reports::default();
            assert_eq!(reports.without(&long, Cursor::NotAsked), long);
            let mut out = Vec::new();
            for byte in &long {
                out.extend(reports.without(&[*byte], Cursor::NotAsked));
            }
            assert_eq!(out, long);
        }
    }
}
