//! The pen: the colours and attributes that the next character gets (SGR).

use std::fmt;

use super::parser::{Control, Piece, number};
use super::sets::Sets;

/// A colour. Those that have codes of their own and the first sixteen of the table are the same here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Color {
    #[default]
    Default,
    Indexed(u8),
    Rgb(u8, u8, u8),
}

/// What is switched on and off, as the parameter that switches it on.
const ATTRIBUTES: [u16; 8] = [1, 2, 3, 5, 7, 8, 9, 53];

/// The colours and attributes in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pen {
    foreground: Color,
    background: Color,
    underline_color: Color,
    /// 0 for none, 1 single, 2 double, 3 curly, 4 dotted, 5 dashed.
    underline: u8,
    /// A bit for each of [`ATTRIBUTES`].
    attributes: u8,
}

impl Pen {
    /// Obeys an SGR sequence.
    pub fn obey(&mut self, control: &Control<'_>) {
        let mut params = control.params.split(|&byte| byte == b';');
        while let Some(param) = params.next() {
            let mut parts = param.split(|&byte| byte == b':');
            let code = number(parts.next().unwrap_or_default());
            let part = parts.next();
            match (code, part) {
                (38 | 48 | 58, Some(kind)) => self.color(code, colon_color(kind, parts)),
                (38 | 48 | 58, None) => self.color(code, color(&mut params.by_ref().map(number))),
                (4, Some(style)) => self.underline = number(style).min(5) as u8,
                (_, _) => self.code(code),
            }
        }
    }

    fn color(&mut self, code: u16, color: Option<Color>) {
        let Some(color) = color else { return };
        match code {
            38 => self.foreground = color,
            48 => self.background = color,
            _ => self.underline_color = color,
        }
    }

    fn code(&mut self, code: u16) {
        match code {
            0 => *self = Self::default(),
            4 => self.underline = 1,
            6 => self.switch(5, true),
            21 => self.underline = 2,
            22 => {
                self.switch(1, false);
                self.switch(2, false);
            }
            24 => self.underline = 0,
            23 | 25 | 27 | 28 | 29 => self.switch(code - 20, false),
            55 => self.switch(53, false),
            30..=37 => self.foreground = Color::Indexed((code - 30) as u8),
            39 => self.foreground = Color::Default,
            40..=47 => self.background = Color::Indexed((code - 40) as u8),
            49 => self.background = Color::Default,
            59 => self.underline_color = Color::Default,
            90..=97 => self.foreground = Color::Indexed((code - 82) as u8),
            100..=107 => self.background = Color::Indexed((code - 92) as u8),
            _ => self.switch(code, true),
        }
    }

    fn switch(&mut self, attribute: u16, on: bool) {
        if let Some(bit) = ATTRIBUTES.iter().position(|&known| known == attribute) {
            let bit = 1 << bit;
            self.attributes = if on {
                self.attributes | bit
            } else {
                self.attributes & !bit
            };
        }
    }

    fn has(&self, attribute: u16) -> bool {
        let bit = ATTRIBUTES.iter().position(|&known| known == attribute);
        bit.is_some_and(|bit| self.attributes & (1 << bit) != 0)
    }

    /// Whether blanks drawn with it can be told from others of the same background.
    pub fn marks_blanks(&self) -> bool {
        self.underline != 0 || [7, 9, 53].iter().any(|code| self.has(*code))
    }

    /// Whether a row that scrolls in while it is in force is not blank, but coloured.
    pub fn colours_rows(&self) -> bool {
        self.background != Color::Default
    }

    /// Whether what is written with it cannot be read.
    pub fn conceals(&self) -> bool {
        self.has(8)
    }

    /// The pen with which a terminal erases: nothing but its background.
    pub fn background(&self) -> Self {
        Self {
            background: self.background,
            ..Self::default()
        }
    }

    /// The pen without what only a few terminals know: kinds and colours of underlines, overlines.
    pub fn simple(&self) -> Self {
        let mut simple = Self {
            underline: self.underline.min(1),
            underline_color: Color::Default,
            ..*self
        };
        simple.switch(53, false);
        simple
    }
}

/// The sequence that makes any pen this one.
impl fmt::Display for Pen {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("\x1b[0")?;
        for (bit, code) in ATTRIBUTES.iter().enumerate() {
            if self.attributes & (1 << bit) != 0 {
                write!(out, ";{code}")?;
            }
        }
        match self.underline {
            0 => {}
            1 => out.write_str(";4")?,
            style => write!(out, ";4:{style}")?,
        }
        let colors = [
            (38, self.foreground),
            (48, self.background),
            (58, self.underline_color),
        ];
        for (code, color) in colors {
            match color {
                Color::Default => {}
                Color::Indexed(index @ 0..8) if code < 58 => write!(out, ";{}", code - 8 + index)?,
                Color::Indexed(index @ 8..16) if code < 58 => {
                    write!(out, ";{}", code + 44 + index)?
                }
                Color::Indexed(index) => write!(out, ";{code};5;{index}")?,
                Color::Rgb(r, g, b) => write!(out, ";{code};2;{r};{g};{b}")?,
            }
        }
        out.write_str("m")
    }
}

/// The pen in force and the character sets it writes with, and those saved with the cursor, of the primary and the
/// alternate screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pens {
    now: Pen,
    sets: Sets,
    saved: [(Pen, Sets); 2],
    alternate: bool,
}

impl Pens {
    /// The pen in force.
    pub fn now(&self) -> Pen {
        self.now
    }

    /// The character sets in force.
    pub fn sets(&self) -> Sets {
        self.sets
    }

    /// Those saved with the cursor of the primary and the alternate screen.
    pub fn saved_sets(&self) -> [Sets; 2] {
        self.saved.map(|(_, sets)| sets)
    }

    /// Follows what a program writes.
    pub fn follow(&mut self, piece: &Piece<'_>) {
        match piece {
            Piece::Escape(0, b'7') => self.save(),
            Piece::Escape(0, b'8') => self.restore(),
            Piece::Escape(0, b'c') => *self = Self::default(),
            Piece::Escape(intermediate @ (b'(' | b')'), last) => {
                self.sets.designate(*intermediate, *last);
            }
            Piece::Char(byte @ (0x0e | 0x0f)) => self.sets.shift(*byte),
            Piece::Control(control) => self.control(control),
            Piece::Text(_) | Piece::Char(_) | Piece::Escape(..) | Piece::Command(_) => {}
        }
    }

    fn control(&mut self, control: &Control<'_>) {
        match (control.mark, control.intermediate, control.last) {
            (0, 0, b'm') => self.now.obey(control),
            (0, 0, b's') => self.save(),
            (0, 0, b'u') => self.restore(),
            (0, b'!', b'p') => {
                (self.now, self.sets) = Default::default();
                self.save();
            }
            (b'?', 0, b'h') => control.numbers().for_each(|number| self.set(number)),
            (b'?', 0, b'l') => control.numbers().for_each(|number| self.reset(number)),
            _ => {}
        }
    }

    fn set(&mut self, mode: u16) {
        if let 1048 | 1049 = mode {
            self.save();
        }
        self.alternate |= matches!(mode, 47 | 1047 | 1049);
    }

    fn reset(&mut self, mode: u16) {
        self.alternate &= !matches!(mode, 47 | 1047 | 1049);
        if let 1048 | 1049 = mode {
            self.restore();
        }
    }

    fn save(&mut self) {
        self.saved[usize::from(self.alternate)] = (self.now, self.sets);
    }

    fn restore(&mut self) {
        (self.now, self.sets) = self.saved[usize::from(self.alternate)];
    }
}

/// The colour after 38, 48 or 58: `5;n` or `2;r;g;b`.
fn color(numbers: &mut impl Iterator<Item = u16>) -> Option<Color> {
    let byte = |numbers: &mut dyn Iterator<Item = u16>| numbers.next()?.try_into().ok();
    match numbers.next()? {
        5 => Some(Color::Indexed(byte(numbers)?)),
        2 => Some(Color::Rgb(byte(numbers)?, byte(numbers)?, byte(numbers)?)),
        _ => None,
    }
}

/// The same with colons, where a colour space may stand before red.
fn colon_color<'a>(kind: &[u8], parts: impl Iterator<Item = &'a [u8]>) -> Option<Color> {
    let rest: Vec<u16> = parts.take(6).map(number).collect();
    let rest = match rest.len() {
        4.. if number(kind) == 2 => &rest[1..],
        _ => &rest[..],
    };
    color(&mut [number(kind)].into_iter().chain(rest.iter().copied()))
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::super::parser::{Parser, Piece};
    use super::*;

    fn pen(text: &[u8]) -> Pen {
        let (mut parser, mut pen) = (Parser::default(), Pen::default());
        parser.advance(text, |piece| {
            if let Piece::Control(control) = piece {
                pen.obey(&control);
            }
            ControlFlow::Continue(())
        });
        pen
    }

    /// What is written makes the same pen of any other.
    #[test]
    fn a_pen_written_and_read_is_the_same() {
        let cases = [
            ("\x1b[1;31m", "\x1b[0;1;31m"),
            ("\x1b[1;2;3;4;5;7;8;9m\x1b[22;24m", "\x1b[0;3;5;7;8;9m"),
            ("\x1b[38;5;200;48;2;1;2;3m", "\x1b[0;38;5;200;48;2;1;2;3m"),
            (
                "\x1b[38:2::1:2:3;48:2:4:5:6m",
                "\x1b[0;38;2;1;2;3;48;2;4;5;6m",
            ),
            ("\x1b[4:3;58:5:9m", "\x1b[0;4:3;58;5;9m"),
            ("\x1b[97;107m\x1b[39m", "\x1b[0;107m"),
            ("\x1b[31;1m\x1b[m", "\x1b[0m"),
        ];
        for (text, want) in cases {
            let mut written = b"\x1b[0;1;2;3;4;41;32m".to_vec();
            let first = pen(text.as_bytes());
            let sequence = first.to_string();
            assert_eq!(sequence, want);
            written.extend(sequence.bytes());
            assert_eq!(pen(&written), first, "{text:?}");
        }
    }
}
