//! Takes escape sequences out of a program's output, for `strip_ansi`.
//!
//! What goes: ESC and what belongs to it (colours, cursor movements, titles, device strings, character sets)
//! and the two shifts between character sets. What stays: every other byte, BEL, BS and CR among them. The
//! C1 controls in one byte stay too: in UTF-8 they are parts of characters. How the bytes were cut into
//! pieces never shows in the result, and nothing is kept but where in a sequence we are.

use memchr::memchr3;

use crate::limits::ESCAPE_LEN_MAX;

const BEL: u8 = 0x07;
const SO: u8 = 0x0e;
const SI: u8 = 0x0f;
const CAN: u8 = 0x18;
const SUB: u8 = 0x1a;
const ESC: u8 = 0x1b;

/// Where in a sequence we are; ECMA-48 has the names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// In none.
    #[default]
    Ground,
    /// After ESC.
    Escape,
    /// After ESC and a byte that announces a last one, such as the `(` of a character set.
    Intermediate,
    /// In a control sequence: `ESC [`, parameters, a last byte.
    Control,
    /// In an operating system command, a title say: ends with BEL or `ESC \`.
    Command,
    /// In a device control string or its like: ends with `ESC \`.
    String,
}

/// Takes escape sequences out of a stream.
#[derive(Debug, Default)]
pub struct AnsiStripper {
    state: State,
    /// The length of the sequence so far.
    len: usize,
}

impl AnsiStripper {
    /// Appends `bytes` without escape sequences to `out`.
    pub fn strip(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) {
        while !bytes.is_empty() {
            let taken = match self.state {
                State::Ground => self.copy(bytes, out),
                State::Escape
                | State::Intermediate
                | State::Control
                | State::Command
                | State::String => self.skip(bytes[0], out),
            };
            bytes = &bytes[taken..];
        }
    }

    /// Outside of sequences: all up to the next one, at once.
    fn copy(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> usize {
        let Some(at) = memchr3(ESC, SO, SI, bytes) else {
            out.extend_from_slice(bytes);
            return bytes.len();
        };
        out.extend_from_slice(&bytes[..at]);
        if bytes[at] == ESC {
            self.enter(State::Escape);
        }
        at + 1
    }

    /// Within a sequence: one byte, which belongs to it, ends it, or shows that it was none.
    fn skip(&mut self, byte: u8, out: &mut Vec<u8>) -> usize {
        self.len += 1;
        let next = match (self.state, byte) {
            (_, ESC) => return self.enter(State::Escape),
            (_, CAN | SUB) => State::Ground,
            _ if self.len > ESCAPE_LEN_MAX => State::Ground,
            (State::Command, BEL) => State::Ground,
            (State::Command | State::String, _) => self.state,
            (State::Escape, b'[') => State::Control,
            (State::Escape, b']') => State::Command,
            (State::Escape, b'P' | b'X' | b'^' | b'_') => State::String,
            (State::Escape | State::Intermediate, 0x20..=0x2f) => State::Intermediate,
            (State::Control, 0x20..=0x3f) => State::Control,
            (_, 0x20..=0x7e) => State::Ground,
            (_, SO | SI) => self.state,
            // A terminal obeys a control within a sequence, and it is the program's own byte.
            (_, 0x00..=0x1f | 0x7f) => {
                out.push(byte);
                self.state
            }
            // No byte of a sequence: it was none.
            (_, 0x80..=0xff) => {
                out.push(byte);
                State::Ground
            }
        };
        self.state = next;
        1
    }

    fn enter(&mut self, state: State) -> usize {
        self.state = state;
        self.len = 1;
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strip(bytes: &[u8], chunk: usize) -> Vec<u8> {
        let (mut stripper, mut out) = (AnsiStripper::default(), Vec::new());
        for piece in bytes.chunks(chunk) {
            stripper.strip(piece, &mut out);
        }
        out
    }

    #[test]
    fn sequences_go_and_text_stays_however_it_is_cut() {
        let cases: [(&str, &str); 12] = [
            ("plain\ttext\r\n", "plain\ttext\r\n"),
            ("\x1b[1;31mred\x1b[0m.", "red."),
            ("\x1b[38:2::255:0:0mtrue\x1b[?25l", "true"),
            ("\x1b]0;title\x07a\x1b]8;;http://x\x1b\\link", "alink"),
            (
                "\x1bP1$r0m\x1b\\b\x1b_apc\x1b\\c\x1b^pm\x1b\\\x1bXsos\x1b\\",
                "bc",
            ),
            ("\x1b(B\x1b[mx\x0f\x0e\x1b#8\x1b%G", "x"),
            ("\x1b7save\x1b8\x1b=\x1b>\x1bMup\x1bc", "saveup"),
            ("\x1b[3\n1mcontrol within", "\ncontrol within"),
            ("\x1b[12\x18cancelled\x1b]x\x1ay", "cancelledy"),
            ("\x1b[1\x1b[2mtwice\x1b", "twice"),
            ("größe \u{9b}1m \x1b[é", "größe \u{9b}1m é"),
            ("\x1b]0;never ended", ""),
        ];
        for (text, want) in cases {
            for chunk in 1..=text.len() {
                let got = strip(text.as_bytes(), chunk);
                assert_eq!(got, want.as_bytes(), "{text:?} by {chunk}");
            }
        }
    }

    #[test]
    fn a_sequence_that_never_ends_does_not_swallow_everything() {
        let mut bytes = b"\x1b]0;".to_vec();
        bytes.resize(2 * ESCAPE_LEN_MAX, b'x');
        let left = strip(&bytes, 1000).len();
        assert_eq!(left, bytes.len() - ESCAPE_LEN_MAX - 1);
    }

    /// Not one byte that begins a sequence comes through, whatever the input.
    #[test]
    fn no_escape_passes() {
        let mut seed = 1_u64;
        let bytes: Vec<u8> = (0..100_000)
            .map(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                b"\x1b\x1b[]P(m;1\\\x07\x18\x0e\xffa\n"[(seed >> 33) as usize % 16]
            })
            .collect();
        let out = strip(&bytes, 61);
        assert!(!out.iter().any(|byte| [ESC, SO, SI].contains(byte)));
        assert_eq!(out, strip(&bytes, 100_000));
    }
}
