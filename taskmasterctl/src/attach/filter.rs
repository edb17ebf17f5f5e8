//! What of the process's output reaches the user's terminal: all, or what makes it say nothing where nobody hears it,
//! or with `--filter` text and colours alone.
//!
//! A terminal obeys whatever it is told: to put something into the clipboard, to say of what kind it is, to be
//! called by another name. With the filter nobody on the other side can tell it such things, neither the process
//! nor a daemon that is not what it seems.

use std::borrow::Cow;
use std::ops::ControlFlow;

use shared::tracker::{Parser, Piece};

use super::speech::write_mute;

/// What one stream of output passes through.
#[derive(Debug)]
pub(super) enum Filter {
    /// Everything passes.
    Open,
    /// Nothing passes that the terminal would answer.
    Mute(Parser),
    /// Text and colours pass; what is begun and not whole waits in the parser.
    Plain(Parser),
}

impl Filter {
    pub(super) fn mute() -> Self {
        Self::Mute(Parser::default())
    }

    pub(super) fn plain() -> Self {
        Self::Plain(Parser::default())
    }

    /// What is let through of the next bytes, however they were cut.
    pub(super) fn pass<'a>(&mut self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        match self {
            Self::Open => bytes.into(),
            Self::Mute(parser) => pass_pieces(parser, bytes, write_mute).into(),
            Self::Plain(parser) => {
                pass_pieces(parser, bytes, |piece, out| piece.write_plain(out)).into()
            }
        }
    }

    /// What follows does not go on where the bytes before ended.
    pub(super) fn restart(&mut self) {
        match self {
            Self::Open => {}
            Self::Mute(parser) | Self::Plain(parser) => *parser = Parser::default(),
        }
    }
}

fn pass_pieces(
    parser: &mut Parser,
    bytes: &[u8],
    write: impl for<'a> Fn(&Piece<'a>, &mut Vec<u8>),
) -> Vec<u8> {
    let mut passed = Vec::with_capacity(bytes.len());
    parser.advance(bytes, |piece| {
        write(&piece, &mut passed);
        ControlFlow::Continue(())
    });
    passed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_colours_pass_wherever_they_are_cut() {
        let bytes = "a\x1b]52;c;aGk=\x07b\x1b[1;31mü\x1b[m\x1b[c\x1bP$qm\x1b\\\x1b]0;t\x1b\\c\r\n"
            .as_bytes();
        let want = "ab\x1b[1;31mü\x1b[mc\r\n";
        for at in 0..bytes.len() {
            let mut filter = Filter::plain();
            let mut passed = filter.pass(&bytes[..at]).into_owned();
            passed.extend_from_slice(&filter.pass(&bytes[at..]));
            assert_eq!(String::from_utf8_lossy(&passed), want, "cut at {at}");
        }
        assert_eq!(Filter::Open.pass(bytes), bytes);
    }

    #[test]
    fn half_a_sequence_does_not_swallow_what_is_no_part_of_it() {
        let mut filter = Filter::plain();
        assert_eq!(&*filter.pass(b"x\x1b]0;half a ti"), b"x");
        filter.restart();
        assert_eq!(&*filter.pass(b"new"), b"new");
    }
}
