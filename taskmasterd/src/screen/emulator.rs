//! The engine: avt, with its dump rewritten for terminals that are not avt.

use std::collections::VecDeque;
use std::fmt::Write;
use std::ops::ControlFlow;

use avt::parser::{EdScope, Function};
use avt::{Cell, Color, Line, Observation, Observer, Operation, Pen, Screen, ScreenKind, Terminal};
use shared::tracker::{Control, Parser, Piece};

use super::model::{ScreenModel, Size};
use crate::limits::RING_LEN;

/// Makes an engine.
pub fn emulator(size: Size) -> Box<dyn ScreenModel> {
    let terminal = Terminal::new(size.cols(), size.rows()).expect("no size has a zero");
    let above = Above::default();
    Box::new(Emulator { terminal, above })
}

struct Emulator {
    terminal: Terminal,
    above: Above,
}

impl ScreenModel for Emulator {
    fn feed(&mut self, text: &str) {
        self.terminal.feed_with(text, &mut self.above);
    }

    fn resize(&mut self, size: Size) {
        self.terminal
            .resize_with(size.cols(), size.rows(), &mut self.above);
    }

    fn dump(&self) -> String {
        Translation::of(&self.terminal)
    }

    fn above(&self, rows: usize) -> String {
        let above = &self.above.rows;
        let shown = above.range(above.len().saturating_sub(rows)..);
        shown.map(|row| &**row).collect()
    }

    fn text(&self) -> Vec<String> {
        let lines = self.terminal.screen().visible_lines();
        lines
            .map(|line| line.text().trim_end().to_owned())
            .collect()
    }

    fn ansi(&self) -> Vec<String> {
        self.terminal
            .screen()
            .visible_lines()
            .map(|line| styled(used(line)))
            .collect()
    }

    fn cursor(&self) -> (usize, usize) {
        let cursor = self.terminal.cursor();
        (cursor.row, cursor.col.min(self.terminal.size().0 - 1))
    }
}

/// The rows that have scrolled off the primary screen.
#[derive(Default)]
struct Above {
    /// The oldest first; each with its line end, unless it went on in the next row.
    rows: VecDeque<Box<str>>,
    /// What they take up, in bytes.
    len: usize,
    /// What avt gives up now has scrolled off. It gives up what is cleared or deleted at the top, too.
    scrolls: bool,
}

impl Above {
    fn push(&mut self, row: String) {
        self.len += row.len() + size_of::<Box<str>>();
        self.rows.push_back(row.into());
        while self.len > RING_LEN
            && let Some(row) = self.rows.pop_front()
        {
            self.len -= row.len() + size_of::<Box<str>>();
        }
    }
}

impl Observer for Above {
    type Output = ();

    fn before(&mut self, _: &mut Observation<'_>, operation: &Operation) {
        self.scrolls = match operation {
            Operation::Resize { .. } => true,
            Operation::Function(function) => matches!(
                function,
                Function::Print(_)
                    | Function::Rep(_)
                    | Function::Lf
                    | Function::Nel
                    | Function::Su(_)
            ),
        };
        if let Operation::Function(Function::Ed(EdScope::SavedLines)) = operation {
            (self.rows, self.len) = Default::default();
        }
    }

    fn evicted(&mut self, _: &mut Observation<'_>, line: &Line) {
        if self.scrolls && line.is_wrapped() {
            self.push(styled(line.cells()));
        } else if self.scrolls {
            self.push(styled(used(line)) + "\r\n");
        }
    }

    fn end(&mut self, _: &mut Observation<'_>) {}
}

/// The cells of a row, without blanks at its end.
fn used(line: &Line) -> &[Cell] {
    let blank = |cell: &&Cell| cell.char() == ' ' && cell.pen().is_default();
    let blanks = line.cells().iter().rev().take_while(blank).count();
    &line.cells()[..line.len() - blanks]
}

/// Cells with their colours.
fn styled(cells: &[Cell]) -> String {
    let (mut out, mut pen) = (String::new(), Pen::default());
    for cell in cells {
        if *cell.pen() != pen {
            pen = *cell.pen();
            write_pen(&pen, &mut out);
        }
        if cell.width() > 0 {
            out.push(cell.char());
        }
    }
    if !pen.is_default() {
        out += "\x1b[0m";
    }
    out
}

fn write_pen(pen: &Pen, out: &mut String) {
    *out += "\x1b[0";
    let attributes = [
        (pen.is_bold(), ";1"),
        (pen.is_faint(), ";2"),
        (pen.is_italic(), ";3"),
        (pen.is_underline(), ";4"),
        (pen.is_blink(), ";5"),
        (pen.is_inverse(), ";7"),
        (pen.is_strikethrough(), ";9"),
    ];
    for (_, code) in attributes.iter().filter(|(on, _)| *on) {
        *out += code;
    }
    for (color, base) in [(pen.foreground(), 30), (pen.background(), 40)] {
        let written = match color {
            None => Ok(()),
            Some(Color::Indexed(index @ 0..8)) => write!(out, ";{}", base + index),
            Some(Color::Indexed(index @ 8..16)) => write!(out, ";{}", base + 52 + index),
            Some(Color::Indexed(index)) => write!(out, ";{};5;{index}", base + 8),
            Some(Color::RGB(rgb)) => write!(out, ";{};2;{};{};{}", base + 8, rgb.r, rgb.g, rgb.b),
        };
        written.expect("a string takes all");
    }
    out.push('m');
}

/// Which part of a dump of avt is being read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// The rows of a screen, which we paint ourselves.
    Rows,
    /// Between the switch to the alternate screen and its rows.
    Entrance,
    /// What the alternate screen's saved cursor was, while the primary one is shown.
    Hidden,
    /// All else.
    Rest,
}

/// A dump of avt, put into words that other terminals understand as well.
struct Translation<'a> {
    terminal: &'a Terminal,
    out: String,
    part: Part,
}

impl<'a> Translation<'a> {
    fn of(terminal: &'a Terminal) -> String {
        let dump = terminal.dump();
        let mut translation = Self {
            terminal,
            out: String::with_capacity(dump.len()),
            part: Part::Rows,
        };
        translation.paint(terminal.primary_screen());
        Parser::default().advance(dump.as_bytes(), |piece| {
            translation.piece(piece);
            ControlFlow::Continue(())
        });
        translation.out
    }

    /// Each row at its place, without the blanks at its end: a smaller terminal shows the part there is room for. It
    /// puts the rows below its last one onto that, so the one that belongs there comes after them.
    fn paint(&mut self, screen: Screen<'_>) {
        let rows: Vec<String> = screen
            .visible_lines()
            .map(|line| styled(used(line)))
            .collect();
        let used = rows.iter().rposition(|row| !row.is_empty());
        let rows = &rows[..used.map_or(0, |last| last + 1)];
        self.out += "\x1b[?7l";
        for (index, row) in rows.iter().enumerate().rev() {
            write!(self.out, "\x1b[{}H\x1b[K{row}", index + 1).expect("a string takes all");
        }
        self.out += "\x1b[?7h";
    }

    fn piece(&mut self, piece: Piece<'_>) {
        if let Piece::Control(control) = piece {
            return self.control(&control);
        }
        if self.part != Part::Rest {
            return;
        }
        match piece {
            Piece::Text(bytes) => self.out.push_str(&String::from_utf8_lossy(bytes)),
            Piece::Char(byte) => self.out.push(byte.into()),
            Piece::Escape(0, last) => self.out.extend(['\x1b', last.into()]),
            Piece::Escape(intermediate, last) => {
                self.out.extend(['\x1b', intermediate.into(), last.into()]);
            }
            Piece::Command(_) | Piece::Control(_) => {}
        }
    }

    fn control(&mut self, control: &Control<'_>) {
        match (control.mark, control.number(0), control.last) {
            (b'?', 1047, b'h') if self.is_alternate() => self.enter_alternate(),
            (b'?', 1047, b'h') => self.part = Part::Hidden,
            (b'?', 1047, b'l') => self.part = Part::Rest,
            (0, _, b'H') if self.part == Part::Entrance => {
                self.paint(self.terminal.screen());
                self.part = Part::Rows;
            }
            (0, _, b'm' | b'b') if self.part == Part::Rows => {}
            _ if self.part == Part::Hidden => {}
            _ => {
                self.part = Part::Rest;
                self.setting(control);
            }
        }
    }

    fn is_alternate(&self) -> bool {
        self.terminal.active_screen_kind() == ScreenKind::Alternate
    }

    fn setting(&mut self, control: &Control<'_>) {
        match (control.mark, control.number(0), control.last) {
            // Not every terminal has CTC for tab stops.
            (0, 5, b'W') => self.out.push_str("\x1b[3g"),
            (0, _, b'W') => self.out.push_str("\x1bH"),
            (0, _, b'm') => self.pen(control),
            _ => self.verbatim(control),
        }
    }

    /// Few terminals have 1047, all have 1049, which saves the cursor: so it stands where it was saved, with
    /// what was saved, and what belongs to the saved one alone is undone on the other side.
    fn enter_alternate(&mut self) {
        self.part = Part::Entrance;
        self.out
            .push_str("\x1b8\x1b[?1049h\x1b[?6l\x1b[?7h\x1b[0m\x1b[H\x1b[J");
    }

    /// For avt bold and faint exclude each other; for others one has to be taken back before the other. Colons are
    /// the standard for colours, semicolons what every terminal understands.
    fn pen(&mut self, control: &Control<'_>) {
        let params = String::from_utf8_lossy(control.params);
        let params = params.split(';').map(|param| match param {
            "1" | "2" => format!("22;{param}"),
            _ => param.replace(':', ";"),
        });
        let params = params.collect::<Vec<_>>().join(";");
        write!(self.out, "\x1b[{params}m").expect("a string takes all");
    }

    fn verbatim(&mut self, control: &Control<'_>) {
        self.out.push_str("\x1b[");
        let mark = (control.mark != 0).then_some(control.mark);
        let params = control.params.iter().copied();
        let bytes = mark.into_iter().chain(params).chain([control.last]);
        self.out.extend(bytes.map(char::from));
    }
}
