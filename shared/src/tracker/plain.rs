//! What a terminal can be shown without being asked or told anything: text, its colours, and what edits a line.
//!
//! It answers nothing to these, leaves no mode behind, and nothing above the line of the cursor changes.

use super::parser::{Control, Piece};

impl Piece<'_> {
    /// Appends the piece to `out` if it is plain; anything else is left out.
    pub fn write_plain(&self, out: &mut Vec<u8>) {
        match self {
            Piece::Text(bytes) => write_text(bytes, out),
            Piece::Char(byte) => write_text(&[*byte], out),
            Piece::Control(control) if control.is_within_line() => {
                out.extend_from_slice(b"\x1b[");
                out.extend_from_slice(control.params);
                out.push(control.last);
            }
            Piece::Control(_) | Piece::Escape(..) | Piece::Command(_) => {}
        }
    }
}

impl Control<'_> {
    /// Whether it sets colours and attributes, or moves, erases, inserts or deletes within the line of the cursor.
    pub fn is_within_line(&self) -> bool {
        let known = b"mKCDG@PX`a".contains(&self.last);
        self.is_plain() && known
    }
}

/// Appends text without any control but those that everybody means by themselves: backspace, tab, line ends.
fn write_text(bytes: &[u8], out: &mut Vec<u8>) {
    if bytes
        .iter()
        .all(|byte| matches!(byte, 0x08..=0x0d | 0x20..=0x7e))
    {
        return out.extend_from_slice(bytes);
    }
    // Some terminals obey the controls of eight bits even where they come as characters.
    let text = String::from_utf8_lossy(bytes);
    let shown = text
        .chars()
        .filter(|c| !c.is_control() || matches!(c, '\x08'..='\x0d'));
    out.extend_from_slice(shown.collect::<String>().as_bytes());
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::super::parser::Parser;

    fn plain(bytes: &[u8], chunk: usize) -> String {
        let (mut parser, mut out) = (Parser::default(), Vec::new());
        for part in bytes.chunks(chunk) {
            parser.advance(part, |piece| {
                piece.write_plain(&mut out);
                ControlFlow::Continue(())
            });
        }
        String::from_utf8(out).unwrap()
    }

    /// However the bytes are cut.
    #[test]
    fn text_and_colours_are_plain_and_nothing_that_speaks_to_the_terminal() {
        let kept = [
            "größer\r\n\tx\x08y",
            "\x1b[1;38;2;1;2;3mred\x1b[m",
            "\x1b[4:3m",
            "\x1b[K\x1b[2D\x1b[3C\x1b[7G\x1b[P\x1b[@\x1b[X",
        ];
        for text in kept {
            for chunk in 1..=text.len() {
                assert_eq!(plain(text.as_bytes(), chunk), text, "by {chunk}");
            }
        }
        let dropped = [
            "\x1b]0;title\x07",
            "\x1b]2;title\x1b\\",
            "\x1b]52;c;aGk=\x07",
            "\x1b]8;;http://x\x1b\\",
            "\x1b]11;?\x07",
            "\x1bP$qm\x1b\\",
            "\x1bP+q544e\x1b\\",
            "\x1b_G\x1b\\",
            "\x1b^x\x1b\\",
            "\x1bXx\x1b\\",
            "\x1b[c\x1b[>c\x1b[=c\x1b[5n\x1b[6n\x1b[?6n\x1b[14t\x1b[21t\x1b[x\x1b[?1$p",
            "\x1b[?1049h\x1b[?2004h\x1b[>4;2m\x1b[>1u\x1b[?u\x1b[?4m\x1b[4h\x1b[20h",
            "\x1b[H\x1b[2J\x1b[A\x1b[B\x1b[2;3r\x1b[L\x1b[5b\x1b[3 q\x1b[!p",
            "\x1bc\x1b7\x1b8\x1bZ\x1bM\x1b(0\x1b=\x1b#8\x0e\x0f",
            "\x05\x07\x00\x7f",
            "\x1b[\x18",
        ];
        for text in dropped {
            for chunk in 1..=text.len() {
                assert_eq!(plain(text.as_bytes(), chunk), "", "{text:?} by {chunk}");
            }
        }
    }

    #[test]
    fn what_is_no_text_is_shown_as_such() {
        let text = "\u{9b}c\u{9d}0;t\u{9c}\u{90}x";
        assert_eq!(plain(text.as_bytes(), 1), "c0;tx");
        assert_eq!(plain(b"a\x9b\xffb", 9), "a\u{fffd}\u{fffd}b");
        assert_eq!(plain(b"\x1b[3\n1mx\x1b[0\x07m", 1), "\n\x1b[31mx\x1b[0m");
        assert_eq!(plain(b"\x1b]0;never ends\x18shown", 1), "shown");
    }
}
