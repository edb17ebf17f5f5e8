//! Cuts terminal output into text and control sequences.
//!
//! Text runs are found at memory speed and handed on in one piece, their CR, LF and the like included. Sequences
//! are handed on when they are whole; how the bytes were cut into pieces never shows. What is begun and not whole
//! yet, a sequence or a character, is [`Parser::pending`], whose length is bounded: a longer string is cut, a
//! longer control sequence is ignored.

use std::ops::ControlFlow;

use memchr::memchr3;

/// Kept of an operating system command or device string, in bytes; the rest of a longer one is swallowed.
pub const STRING_LEN_MAX: usize = 4096;
/// The longest control sequence obeyed, in bytes: a hundred SGR parameters fit.
pub const CONTROL_LEN_MAX: usize = 512;

const BEL: u8 = 0x07;
const SO: u8 = 0x0e;
const SI: u8 = 0x0f;
const CAN: u8 = 0x18;
const SUB: u8 = 0x1a;
const ESC: u8 = 0x1b;

/// A control sequence: `ESC [`, perhaps a mark, parameters, perhaps an intermediate, a last byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Control<'a> {
    /// One of `<=>?`, or 0.
    pub mark: u8,
    /// The parameters as written, without the mark.
    pub params: &'a [u8],
    /// One of space to `/`, or 0.
    pub intermediate: u8,
    /// The byte that names the function.
    pub last: u8,
}

impl<'a> Control<'a> {
    /// What stands between `ESC [` and the last byte; none if it is malformed.
    pub fn new(body: &'a [u8], last: u8) -> Option<Self> {
        let (mark, body) = match body {
            [mark @ 0x3c..=0x3f, rest @ ..] => (*mark, rest),
            _ => (0, body),
        };
        let (intermediate, params) = match body {
            [rest @ .., byte @ 0x20..=0x2f] => (*byte, rest),
            _ => (0, body),
        };
        let sound = params.iter().all(|byte| (0x30..=0x3b).contains(byte));
        sound.then_some(Self {
            mark,
            params,
            intermediate,
            last,
        })
    }

    /// The parameters: 0 where one is left out, and without what follows a colon.
    pub fn numbers(&self) -> impl Iterator<Item = u16> + use<'a> {
        self.params.split(|&byte| byte == b';').map(number)
    }

    /// The parameter at `index`, 0 if it is left out.
    pub fn number(&self, index: usize) -> u16 {
        self.numbers().nth(index).unwrap_or(0)
    }

    /// Whether it is plain: no mark and no intermediate.
    pub fn is_plain(&self) -> bool {
        self.mark == 0 && self.intermediate == 0
    }
}

/// The number that a parameter begins with.
pub(super) fn number(text: &[u8]) -> u16 {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0_u16, |number, digit| {
        number
            .saturating_mul(10)
            .saturating_add(u16::from(digit - b'0'))
    })
}

/// One piece of terminal output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Bytes without ESC, SO and SI, and without half a character at the end.
    Text(&'a [u8]),
    /// A control character: SO or SI, or any within a sequence.
    Char(u8),
    /// ESC, perhaps an intermediate (0 if none), a last byte.
    Escape(u8, u8),
    /// A control sequence.
    Control(Control<'a>),
    /// An operating system command, without `ESC ]` and its end, cut at [`STRING_LEN_MAX`].
    Command(&'a [u8]),
}

/// Where in a sequence we are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Ground,
    Escape,
    Control,
    Command,
    /// A device control string or its like, whose contents are nobody's business here.
    Opaque,
}

/// Cuts a stream into pieces.
#[derive(Debug, Default)]
pub struct Parser {
    state: State,
    /// The bytes of what is begun, from its ESC on, or the beginning of a character.
    pending: Vec<u8>,
}

impl Parser {
    /// Hands the pieces of `bytes` to `take`, until it breaks or all are taken; returns how many bytes were.
    pub fn advance(
        &mut self,
        bytes: &[u8],
        mut take: impl FnMut(Piece<'_>) -> ControlFlow<()>,
    ) -> usize {
        let mut at = 0;
        while at < bytes.len() {
            let (taken, flow) = match self.state {
                State::Ground => self.ground(&bytes[at..], &mut take),
                State::Escape | State::Control | State::Command | State::Opaque => {
                    (1, self.within(bytes[at], &mut take))
                }
            };
            at += taken;
            if flow.is_break() {
                break;
            }
        }
        at
    }

    /// What is begun and not whole yet: a terminal that gets these bytes is where the stream is.
    pub fn pending(&self) -> &[u8] {
        &self.pending
    }

    /// Outside of sequences: all up to the next one, at once.
    fn ground(
        &mut self,
        bytes: &[u8],
        take: &mut impl FnMut(Piece<'_>) -> ControlFlow<()>,
    ) -> (usize, ControlFlow<()>) {
        if !self.pending.is_empty() {
            return self.character(bytes[0], take);
        }
        let end = memchr3(ESC, SO, SI, bytes).unwrap_or(bytes.len());
        if end == 0 {
            if bytes[0] == ESC {
                self.enter(State::Escape);
                return (1, ControlFlow::Continue(()));
            }
            return (1, take(Piece::Char(bytes[0])));
        }
        let mut whole = end;
        if end == bytes.len() {
            whole -= half_character(bytes);
            self.pending.extend_from_slice(&bytes[whole..]);
        }
        let flow = if whole > 0 {
            take(Piece::Text(&bytes[..whole]))
        } else {
            ControlFlow::Continue(())
        };
        (end, flow)
    }

    /// In half a character: the byte belongs to it, or shows that it was none.
    fn character(
        &mut self,
        byte: u8,
        take: &mut impl FnMut(Piece<'_>) -> ControlFlow<()>,
    ) -> (usize, ControlFlow<()>) {
        let taken = usize::from((0x80..0xc0).contains(&byte));
        self.pending.extend_from_slice(&[byte][..taken]);
        if taken == 1 && half_character(&self.pending) > 0 {
            return (1, ControlFlow::Continue(()));
        }
        let flow = take(Piece::Text(&self.pending));
        self.pending.clear();
        (taken, flow)
    }

    /// Within a sequence: one byte, which belongs to it or ends it.
    fn within(
        &mut self,
        byte: u8,
        take: &mut impl FnMut(Piece<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        match (self.state, byte) {
            (State::Command, ESC | BEL) => {
                let flow = take(Piece::Command(&self.pending[2..]));
                self.enter(if byte == ESC {
                    State::Escape
                } else {
                    State::Ground
                });
                return flow;
            }
            (_, ESC) => self.enter(State::Escape),
            (_, CAN | SUB) => self.enter(State::Ground),
            (State::Command | State::Opaque, _) => self.keep(byte, STRING_LEN_MAX),
            (_, 0x00..=0x1f) => return take(Piece::Char(byte)),
            (_, 0x7f..=0xff) => {}
            (State::Control, 0x20..=0x3f) => self.keep(byte, CONTROL_LEN_MAX),
            (State::Control, _) => {
                let body = &self.pending[2..];
                let whole = self.pending.len() < CONTROL_LEN_MAX;
                let flow = match Control::new(body, byte).filter(|_| whole) {
                    Some(control) => take(Piece::Control(control)),
                    None => ControlFlow::Continue(()),
                };
                self.enter(State::Ground);
                return flow;
            }
            (State::Ground | State::Escape, _) => return self.escape(byte, take),
        }
        ControlFlow::Continue(())
    }

    /// After ESC, and perhaps intermediates.
    fn escape(
        &mut self,
        byte: u8,
        take: &mut impl FnMut(Piece<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let announces = match (self.pending.len(), byte) {
            (1, b'[') => Some(State::Control),
            (1, b']') => Some(State::Command),
            (1, b'P' | b'X' | b'^' | b'_') => Some(State::Opaque),
            (_, 0x20..=0x2f) => Some(State::Escape),
            _ => None,
        };
        if let Some(state) = announces {
            self.state = state;
            self.keep(byte, CONTROL_LEN_MAX);
            return ControlFlow::Continue(());
        }
        let flow = match self.pending[1..] {
            [] => take(Piece::Escape(0, byte)),
            [intermediate] => take(Piece::Escape(intermediate, byte)),
            _ => ControlFlow::Continue(()),
        };
        self.enter(State::Ground);
        flow
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.pending.clear();
        if state == State::Ground {
            self.pending.shrink_to(CONTROL_LEN_MAX);
        } else {
            self.pending.push(ESC);
        }
    }

    fn keep(&mut self, byte: u8, len_max: usize) {
        if self.pending.len() < len_max {
            self.pending.push(byte);
        }
    }
}

/// How many bytes at the end are the beginning of a character.
fn half_character(bytes: &[u8]) -> usize {
    let tail = bytes.len().saturating_sub(3);
    let Some(lead) = bytes[tail..].iter().rposition(|&byte| byte >= 0xc0) else {
        return 0;
    };
    let begun = &bytes[tail + lead..];
    let more = std::str::from_utf8(begun).is_err_and(|error| error.error_len().is_none());
    if more { begun.len() } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(bytes: &[u8], chunk: usize) -> Vec<String> {
        let (mut parser, mut out) = (Parser::default(), Vec::new());
        let mut text = String::new();
        for part in bytes.chunks(chunk) {
            parser.advance(part, |piece| {
                if let Piece::Text(bytes) = piece {
                    text.push_str(&String::from_utf8_lossy(bytes));
                } else {
                    out.extend((!text.is_empty()).then(|| std::mem::take(&mut text)));
                    out.push(shown(piece));
                }
                ControlFlow::Continue(())
            });
        }
        out.extend((!text.is_empty()).then_some(text));
        out.push(format!("+{}", parser.pending().escape_ascii()));
        out
    }

    fn shown(piece: Piece<'_>) -> String {
        match piece {
            Piece::Text(bytes) => bytes.escape_ascii().to_string(),
            Piece::Char(byte) => format!("<{byte:x}>"),
            Piece::Escape(intermediate, last) => format!("esc {intermediate:x} {}", last as char),
            Piece::Control(control) => {
                let numbers: Vec<u16> = control.numbers().collect();
                let (mark, last) = (control.mark as char, control.last as char);
                format!("csi {mark:?} {numbers:?} {:x} {last}", control.intermediate)
            }
            Piece::Command(body) => format!("osc {}", body.escape_ascii()),
        }
    }

    /// However the bytes are cut, the pieces are the same.
    #[test]
    fn pieces_do_not_depend_on_the_cuts() {
        let cases: [(&str, &[&str]); 9] = [
            (
                "a\r\nb\x1b[1;31mc",
                &["a\r\nb", "csi '\\0' [1, 31] 0 m", "c", "+"],
            ),
            (
                "\x1b[?25;7l\x1b[2 q",
                &["csi '?' [25, 7] 0 l", "csi '\\0' [2] 20 q", "+"],
            ),
            (
                "\x1b]0;t\x07\x1b]8;;u\x1b\\x",
                &["osc 0;t", "osc 8;;u", "esc 0 \\", "x", "+"],
            ),
            (
                "\x1bPq#1\x1b\\.\x1b(0\x0e",
                &["esc 0 \\", ".", "esc 28 0", "<e>", "+"],
            ),
            (
                "\x1b[3\n1m\x1b[4\x18x",
                &["<a>", "csi '\\0' [31] 0 m", "x", "+"],
            ),
            ("größe\x1b[", &["größe", "+\\x1b["]),
            (
                "\x1b[1?2h\x1b[;5H\x1b[99999X",
                &["csi '\\0' [0, 5] 0 H", "csi '\\0' [65535] 0 X", "+"],
            ),
            ("\x1b[38:2::1:2:3m", &["csi '\\0' [38] 0 m", "+"]),
            ("\x1b]2;half", &["+\\x1b]2;half"]),
        ];
        for (text, want) in cases {
            for chunk in 1..=text.len() {
                assert_eq!(pieces(text.as_bytes(), chunk), want, "{text:?} by {chunk}");
            }
        }
    }

    #[test]
    fn half_a_character_waits_and_a_false_one_does_not() {
        assert_eq!(pieces(b"a\xe2\x82", 3), ["a", "+\\xe2\\x82"]);
        assert_eq!(pieces(b"a\xe2\x82\xac", 1), ["a\u{20ac}", "+"]);
        assert_eq!(pieces(b"\xe2x\xff", 1), ["\u{fffd}x\u{fffd}", "+"]);
    }

    #[test]
    fn endless_sequences_are_bounded() {
        let mut parser = Parser::default();
        for opening in ["\x1b]0;", "\x1bP", "\x1b[", "\x1b "] {
            parser.advance(opening.as_bytes(), |_| ControlFlow::Continue(()));
            parser.advance(&[b' '; 100_000], |_| ControlFlow::Continue(()));
            assert!(parser.pending().len() <= STRING_LEN_MAX);
            parser.advance(b"\x18", |_| ControlFlow::Continue(()));
            assert_eq!(parser.pending(), b"");
        }
    }
}
