//! Stands between a program and the engine: what the engine gets is whole, known, and bounded in the work it causes.
//!
//! Sequences that the engine does not know, or that are nobody's business on a screen, never reach it. Characters
//! without a width of their own are left out: the engine would give each a cell and shift the rest of the row. What
//! is concealed becomes blanks, which conceal it everywhere.

use std::fmt::Write;
use std::ops::{ControlFlow, Range};

use shared::tracker::{Control, Parser, Pen, Pens, Piece};
use unicode_width::UnicodeWidthChar;

use super::model::Size;
use crate::limits::{SCREEN_CELLS_NEAR, SCREEN_WORK, SCREEN_WORK_PER_BYTE};

/// Drawing one character is about as much work as touching this many cells.
const DRAW_WORK: u64 = 8;

/// More work than is allowed: the engine was not given all, and knows nothing any more.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Overworked;

/// What the engine may be fed with.
#[derive(Debug, Default)]
pub(super) struct Cleaned {
    pub(super) text: String,
    /// The parts of it in whose pen blanks can be told from others of the same background.
    pub(super) marked: Vec<Marked>,
}

/// Characters in one pen. Where they wrap, the engine draws the row that scrolls in with all of that.
#[derive(Debug)]
pub(super) struct Marked {
    pub(super) range: Range<usize>,
    pub(super) pen: Pen,
}

/// Cleans the output of one program.
#[derive(Debug)]
pub(super) struct Guard {
    parser: Parser,
    clean: Clean,
}

#[derive(Debug)]
struct Clean {
    cleaned: Cleaned,
    size: Size,
    pens: Pens,
    /// Characters push the rest of their row aside.
    inserting: bool,
    /// Characters go on in the next row.
    wrapping: bool,
    /// What may still be done, in cells touched.
    credit: u64,
}

impl Guard {
    pub(super) fn new(size: Size) -> Self {
        let clean = Clean {
            cleaned: Cleaned::default(),
            size,
            pens: Pens::default(),
            inserting: false,
            wrapping: true,
            credit: 0,
        };
        Self {
            parser: Parser::default(),
            clean,
        }
    }

    pub(super) fn resize(&mut self, size: Size) {
        self.clean.size = size;
    }

    /// Output is about to come, this long: grants the work that it may cause. What was not used up before is gone.
    pub(super) fn grant(&mut self, len: usize) {
        let least = match self.clean.size.cells() {
            ..=SCREEN_CELLS_NEAR => SCREEN_WORK,
            // At least to enter the alternate screen, with some lines before that.
            cells => (SCREEN_WORK / 2).max(2 * cells + SCREEN_WORK / 8),
        };
        self.clean.credit = least + len as u64 * SCREEN_WORK_PER_BYTE;
    }

    /// What the engine may be fed with, of these bytes.
    pub(super) fn clean(&mut self, bytes: &[u8]) -> Result<&Cleaned, Overworked> {
        let clean = &mut self.clean;
        clean.cleaned.text.clear();
        clean.cleaned.marked.clear();
        let taken = self
            .parser
            .advance(bytes, |piece| match clean.piece(piece) {
                Some(()) => ControlFlow::Continue(()),
                None => ControlFlow::Break(()),
            });
        if taken < bytes.len() || clean.credit == 0 {
            return Err(Overworked);
        }
        Ok(&clean.cleaned)
    }
}

impl Clean {
    /// Takes over what is good of a piece; none if the credit is used up.
    fn piece(&mut self, piece: Piece<'_>) -> Option<()> {
        let sets = self.pens.sets();
        self.pens.follow(&piece);
        match piece {
            Piece::Text(bytes) => self.text(bytes)?,
            Piece::Char(byte) => self.text(&[byte])?,
            Piece::Escape(intermediate, last) => self.escape(intermediate, last)?,
            Piece::Control(control) => self.control(&control)?,
            Piece::Command(_) => {}
        }
        if self.pens.sets() != sets {
            // The engine does not save them with the cursor: it is told whenever they change.
            write!(self.cleaned.text, "{}", self.pens.sets()).expect("a string takes all");
        }
        Some(())
    }

    fn spend(&mut self, work: u64) -> Option<()> {
        self.credit = self.credit.saturating_sub(work);
        (self.credit > 0).then_some(())
    }

    fn text(&mut self, bytes: &[u8]) -> Option<()> {
        let cols = self.size.cols() as u64;
        let lines = memchr::memchr3_iter(b'\n', 0x0b, 0x0c, bytes).count() as u64;
        let each = if self.inserting { cols } else { DRAW_WORK };
        self.spend(lines * cols + bytes.len() as u64 * each)?;
        let conceals = self.pens.now().conceals();
        let marks = self.pens.now().simple().marks_blanks();
        if !conceals && !marks && bytes.iter().all(|byte| (0x20..0x7f).contains(byte)) {
            let text = &mut self.cleaned.text;
            text.extend(bytes.iter().map(|&byte| char::from(byte)));
            return Some(());
        }
        let mut text = String::from_utf8_lossy(bytes);
        if conceals {
            text = blanks(&text).into();
        }
        let shown = text.chars().filter(|&c| shows(c));
        if marks {
            self.marked(shown);
        } else {
            self.cleaned.text.extend(shown);
        }
        Some(())
    }

    /// Takes over text in a pen that marks blanks.
    fn marked(&mut self, shown: impl Iterator<Item = char>) {
        let pen = self.pens.now().simple();
        for c in shown {
            let Cleaned { text, marked } = &mut self.cleaned;
            let start = text.len();
            match c {
                '\n'..='\x0c' => {
                    self.erasing(|text| text.push(c));
                    continue;
                }
                _ => text.push(c),
            }
            if c.is_control() || self.inserting {
                continue;
            }
            let range = start..text.len();
            match marked.last_mut() {
                Some(last) if last.range.end == start && last.pen == pen => {
                    last.range.end = range.end;
                }
                Some(_) | None => marked.push(Marked { range, pen }),
            }
        }
    }

    /// Writes what makes blanks. A terminal makes them with the background alone, the engine with all of the pen.
    fn erasing(&mut self, write: impl FnOnce(&mut String)) {
        let pen = self.pens.now().simple();
        if !pen.marks_blanks() {
            return write(&mut self.cleaned.text);
        }
        write!(self.cleaned.text, "{}", pen.background()).expect("a string takes all");
        write(&mut self.cleaned.text);
        write!(self.cleaned.text, "{pen}").expect("a string takes all");
    }

    fn escape(&mut self, intermediate: u8, last: u8) -> Option<()> {
        match (intermediate, last) {
            (0, b'7' | b'8' | b'H') => {}
            (0, b'D' | b'E' | b'M') => self.spend(self.size.cols() as u64)?,
            (0, b'c') => {
                (self.inserting, self.wrapping) = (false, true);
                self.spend(2 * self.size.cells())?;
            }
            (b'#', b'8') => self.spend(DRAW_WORK * self.size.cells())?,
            _ => return Some(()),
        }
        let intermediate = (intermediate != 0).then_some(char::from(intermediate));
        let sequence = ['\x1b']
            .into_iter()
            .chain(intermediate)
            .chain([last.into()]);
        match last {
            b'D' | b'E' | b'M' => self.erasing(|text| text.extend(sequence)),
            _ => self.cleaned.text.extend(sequence),
        }
        if (intermediate, last) == (None, b'8') {
            self.keep_wrapping();
        }
        Some(())
    }

    /// The engine has taken the cursor back to where it was saved, and saves with it what no other terminal does.
    fn keep_wrapping(&mut self) {
        let last = if self.wrapping { 'h' } else { 'l' };
        write!(self.cleaned.text, "\x1b[?7{last}").expect("a string takes all");
    }

    fn control(&mut self, control: &Control<'_>) -> Option<()> {
        match (control.mark, control.intermediate, control.last) {
            (0, 0, b'm') => {
                let pen = self.pens.now().simple();
                write!(self.cleaned.text, "{pen}").expect("a string takes all");
            }
            (0, 0, b'h' | b'l') => self.modes(control),
            (b'?', 0, b'h' | b'l') => self.private_modes(control)?,
            (0, b'!', b'p') => {
                (self.inserting, self.wrapping) = (false, true);
                self.cleaned.text.push_str("\x1b[!p\x1b[?7h");
            }
            (0, 0, last) => self.function(last, control.number(0), control.number(1))?,
            _ => {}
        }
        Some(())
    }

    /// A plain control function, with numbers that fit the screen: beyond, they only cost time.
    fn function(&mut self, last: u8, first: u16, second: u16) -> Option<()> {
        let (rows, cols) = (self.size.rows() as u64, self.size.cols() as u64);
        let lines = u64::from(first.max(1)).min(rows);
        let work = match last {
            b'A'..=b'I'
            | b'Z'
            | b'`'
            | b'a'
            | b'd'
            | b'e'
            | b'f'
            | b'g'
            | b'r'
            | b's'
            | b'u'
            | b'W' => 1,
            b'@' | b'K' | b'P' | b'X' => cols,
            b'b' => DRAW_WORK * u64::from(first.max(1)).min(cols),
            // What scrolled off is in no cells.
            b'J' if first == 3 => 1,
            b'J' => self.size.cells(),
            b'L' | b'M' | b'S' | b'T' => rows + lines * cols,
            _ => return Some(()),
        };
        self.spend(work)?;
        let most = match last {
            b'b' => cols,
            // A region that ends below the screen ends at its last row; the engine would take it for none.
            b'r' => rows,
            _ => rows.max(cols),
        };
        let [first, second] = [first, second].map(|number| most.min(number.into()));
        let bottom = if second == 0 { rows } else { second };
        if last == b'r' && first.max(1) >= bottom {
            // A region without two rows is none for terminals, and moves nothing; the engine takes the cursor home.
            return Some(());
        }
        if last == b'b' && self.pens.now().conceals() {
            self.cleaned.text.extend((0..first.max(1)).map(|_| ' '));
            return Some(());
        }
        let last = char::from(last);
        let sequence = format_args!("\x1b[{first};{second}{last}");
        match last {
            'J' | 'K' | 'X' | 'P' | '@' | 'L' | 'M' | 'S' | 'T' => self.erasing(|text| {
                text.write_fmt(sequence).expect("a string takes all");
            }),
            _ => self
                .cleaned
                .text
                .write_fmt(sequence)
                .expect("a string takes all"),
        }
        if last == 'u' {
            self.keep_wrapping();
        }
        Some(())
    }

    fn modes(&mut self, control: &Control<'_>) {
        for number in control.numbers() {
            if let 4 | 20 = number {
                let last = char::from(control.last);
                self.inserting = if number == 4 {
                    last == 'h'
                } else {
                    self.inserting
                };
                write!(self.cleaned.text, "\x1b[{number}{last}").expect("a string takes all");
            }
        }
    }

    fn private_modes(&mut self, control: &Control<'_>) -> Option<()> {
        for number in control.numbers() {
            let number = match number {
                47 => 1047,
                1 | 6 | 7 | 25 | 1047..=1049 => number,
                _ => continue,
            };
            let last = char::from(control.last);
            if let (1047 | 1049, 'h') = (number, last) {
                self.spend(2 * self.size.cells())?;
            }
            match (number, last) {
                // It saves the cursor with its pen, and makes a screen of blanks.
                (1047 | 1049, 'h') => {
                    if number == 1049 {
                        self.cleaned.text.push_str("\x1b7");
                    }
                    self.erasing(|text| text.push_str("\x1b[?1047h"));
                }
                _ => write!(self.cleaned.text, "\x1b[?{number}{last}").expect("a string takes all"),
            }
            match number {
                7 => self.wrapping = last == 'h',
                1048 | 1049 if last == 'l' => self.keep_wrapping(),
                _ => {}
            }
        }
        Some(())
    }
}

/// Text that cannot be read, in the place of what is not to be: the engine conceals nothing.
fn blanks(text: &str) -> String {
    let blank = |c: char| match c {
        '\x08'..='\x0f' => c.to_string(),
        _ => " ".repeat(c.width().unwrap_or(0)),
    };
    text.chars().map(blank).collect()
}

/// Whether a character moves the cursor as the engine thinks it does.
fn shows(c: char) -> bool {
    match c {
        '\x08'..='\x0f' | ' '..='~' => true,
        _ => c.width().is_some_and(|width| width > 0),
    }
}
