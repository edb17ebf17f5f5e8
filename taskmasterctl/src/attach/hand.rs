//! Whether what comes from the keyboard was typed, or is what the terminal itself says: answers, the mouse, its focus.

use std::ops::ControlFlow;

use shared::tracker::{Control, Parser, Piece};

/// How long the coordinates of the oldest mouse reports are, in bytes: text, to whoever does not know.
const COORDINATES_LEN: usize = 3;

/// Listens for somebody who types.
#[derive(Debug, Default)]
pub(super) struct Hand {
    parser: Parser,
    /// How much of the coordinates of a mouse report is still to come.
    coordinates: usize,
}

impl Hand {
    /// Whether anything of this was typed. A sequence counts when it is whole.
    pub(super) fn types(&mut self, bytes: &[u8]) -> bool {
        let (mut typed, coordinates) = (false, &mut self.coordinates);
        self.parser.advance(bytes, |piece| {
            typed |= match piece {
                Piece::Text(text) => {
                    let skipped = text.len().min(*coordinates);
                    *coordinates -= skipped;
                    skipped < text.len()
                }
                Piece::Control(control) => {
                    *coordinates = match control {
                        Control {
                            last: b'M',
                            params: [],
                            mark: 0,
                            ..
                        } => COORDINATES_LEN,
                        _ => 0,
                    };
                    !is_said(&control)
                }
                // The end of a string, more often than a key with Alt.
                Piece::Escape(0, b'\\') | Piece::Command(_) => false,
                Piece::Char(_) | Piece::Escape(..) => true,
            };
            ControlFlow::Continue(())
        });
        typed
    }
}

/// Whether a terminal says this without a key being pressed: reports, the mouse, and keys that are let go.
fn is_said(control: &Control<'_>) -> bool {
    let is_mouse = matches!(control.last, b'M' | b'm') && control.intermediate == 0;
    is_mouse || control.is_report() || control.params.ends_with(b":3")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn types(text: &str, chunk: usize) -> bool {
        let mut hand = Hand::default();
        let parts = text.as_bytes().chunks(chunk);
        parts.fold(false, |typed, part| hand.types(part) | typed)
    }

    #[test]
    fn what_the_terminal_says_is_not_typed_wherever_it_is_cut() {
        for text in [
            "\x1b[?62;22c",
            "\x1b[>0;276;0c",
            "\x1b[0n",
            "\x1b[12;40R",
            "\x1b[?2026;2$y",
            "\x1b[8;24;80t",
            "\x1b[?1;0;256S",
            "\x1b[2;1;1;128;128;1;0x",
            "\x1b[I\x1b[O",
            "\x1b[<0;12;7M\x1b[<0;12;7m",
            "\x1b[M !!\x1b[M#!!",
            "\x1b[?1u",
            "\x1b[97;1:3u\x1b[1;1:3A",
            "\x1b]11;rgb:0000/0000/0000\x07\x1b]52;c;aGk=\x1b\\",
            "\x1bP1+r544e=787465726d\x1b\\",
        ] {
            for chunk in 1..=text.len() {
                assert!(!types(text, chunk), "{text:?} by {chunk}");
            }
        }
    }

    #[test]
    fn keys_are_typed_wherever_they_are_cut() {
        for text in [
            "a",
            "\r",
            "\x03",
            "\x0e",
            "ü",
            "\x1b[A",
            "\x1bOA",
            "\x1bx",
            "\x1b[3~",
            "\x1b[1;2S",
            "\x1b[c",
            "\x1b[97u",
            "\x1b[97;5:1u",
            "\x1b[200~",
            "\x1b[M !!a",
            "\x1b[0na",
        ] {
            for chunk in 1..=text.len() {
                assert!(types(text, chunk), "{text:?} by {chunk}");
            }
        }
    }
}
