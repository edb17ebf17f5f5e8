//! The engine: avt, with its dump rewritten for terminals that are not avt.

use std::fmt::Write;
use std::ops::ControlFlow;

use avt::{Cell, Color, Line, Pen, Screen, ScreenKind, Terminal};
use shared::tracker::{Control, Parser, Piece, Sets};

use super::above::Above;
use super::model::{ScreenModel, Size};

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
        self.above.settle();
    }

    fn resize(&mut self, size: Size) {
        self.terminal
            .resize_with(size.cols(), size.rows(), &mut self.above);
        self.above.settle();
    }

    fn dump(&self, saved: [Sets; 2]) -> String {
        Translation::of(&self.terminal, saved)
    }

    fn above(&self, rows: usize) -> String {
        self.above.last(rows)
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

    fn room(&self) -> usize {
        self.terminal
            .size()
            .0
            .saturating_sub(self.terminal.cursor().col)
    }

    fn dump_len(&self, most: usize) -> usize {
        let hidden = match self.terminal.active_screen_kind() {
            ScreenKind::Primary => None,
            ScreenKind::Alternate => Some(self.terminal.primary_screen()),
        };
        let shown = self.terminal.screen().visible_lines();
        let hidden = hidden.into_iter().flat_map(Screen::visible_lines);
        let mut len = 0;
        for line in shown.chain(hidden) {
            let cells = used(line);
            let runs = cells.chunk_by(|a, b| a.pen() == b.pen());
            len += runs.map(|run| pen_len(run[0].pen())).sum::<usize>();
            len += cells
                .iter()
                .map(|cell| cell.char().len_utf8())
                .sum::<usize>();
            if len > most {
                break;
            }
        }
        len
    }
}

/// How many bytes a pen takes, its colours apart at most.
fn pen_len(pen: &Pen) -> usize {
    let color_len = |color| match color {
        None => 0,
        Some(Color::Indexed(_)) => ";38;5;255".len(),
        Some(Color::RGB(_)) => ";38;2;255;255;255".len(),
    };
    match pen.is_default() {
        true => 0,
        false => "\x1b[0;1m".len() + color_len(pen.foreground()) + color_len(pen.background()),
    }
}

/// The cells of a row, without blanks at its end.
pub(super) fn used(line: &Line) -> &[Cell] {
    let blank = |cell: &&Cell| cell.char() == ' ' && cell.pen().is_default();
    let blanks = line.cells().iter().rev().take_while(blank).count();
    &line.cells()[..line.len() - blanks]
}

/// Cells with their colours.
pub(super) fn styled(cells: &[Cell]) -> String {
    let mut out = String::new();
    write_cells(cells, &mut out);
    out
}

fn write_cells(cells: &[Cell], out: &mut String) {
    let mut pen = Pen::default();
    for cell in cells {
        if *cell.pen() != pen {
            pen = *cell.pen();
            write_pen(&pen, out);
        }
        if cell.width() > 0 {
            out.push(cell.char());
        }
    }
    if !pen.is_default() {
        *out += "\x1b[0m";
    }
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
        match color {
            None => {}
            Some(Color::Indexed(index @ 0..8)) => write_params(&[base + index], out),
            Some(Color::Indexed(index @ 8..16)) => write_params(&[base + 52 + index], out),
            Some(Color::Indexed(index)) => write_params(&[base + 8, 5, index], out),
            Some(Color::RGB(rgb)) => write_params(&[base + 8, 2, rgb.r, rgb.g, rgb.b], out),
        }
    }
    out.push('m');
}

/// A screen may have a million of them, for which formatting is too slow.
fn write_params(params: &[u8], out: &mut String) {
    for param in params {
        out.push(';');
        let digits = [param / 100, param / 10 % 10, param % 10];
        let first = digits.iter().position(|&digit| digit > 0).unwrap_or(2);
        out.extend(
            digits[first..]
                .iter()
                .map(|&digit| char::from(b'0' + digit)),
        );
    }
}

/// What follows the rows of a screen in a dump of avt: these are text and colours, and we paint them ourselves.
fn after_rows(mut dump: &[u8]) -> &[u8] {
    while let Some(start) = memchr::memchr(0x1b, dump) {
        let sequence = &dump[start..];
        let end = sequence.iter().position(|byte| byte.is_ascii_alphabetic());
        match end.map(|end| (sequence[1], sequence[end], end)) {
            Some((b'[', b'm' | b'b', end)) => dump = &sequence[end + 1..],
            _ => return sequence,
        }
    }
    b""
}

/// Which part of a dump of avt is being read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
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
    /// What avt does not save with the cursor of the screen that is being written.
    sets: Sets,
    /// The same of the alternate one.
    alternate_sets: Sets,
}

impl<'a> Translation<'a> {
    fn of(terminal: &'a Terminal, [sets, alternate_sets]: [Sets; 2]) -> String {
        let dump = terminal.dump();
        let mut translation = Self {
            terminal,
            out: String::with_capacity(dump.len()),
            part: Part::Rest,
            sets,
            alternate_sets,
        };
        translation.paint(terminal.primary_screen());
        let mut rest = after_rows(dump.as_bytes());
        while !rest.is_empty() {
            let taken = Parser::default().advance(rest, |piece| translation.piece(piece));
            rest = after_rows(&rest[taken..]);
        }
        translation.out
    }

    /// Each row at its place, without the blanks at its end: a smaller terminal shows the part there is room for. It
    /// puts the rows below its last one onto that, so the one that belongs there comes after them.
    fn paint(&mut self, screen: Screen<'_>) {
        let rows: Vec<&[Cell]> = screen.visible_lines().map(used).collect();
        let last = rows.iter().rposition(|row| !row.is_empty());
        self.out += "\x1b[?7l";
        for (index, row) in rows.iter().enumerate().rev() {
            if last.is_some_and(|last| index <= last) {
                write!(self.out, "\x1b[{}H\x1b[K", index + 1).expect("a string takes all");
                write_cells(row, &mut self.out);
            }
        }
        self.out += "\x1b[?7h";
        if self.sets != Sets::default() {
            // Of a cursor that was saved in the corner avt says nothing.
            self.out += "\x1b[H";
            self.save_cursor();
        }
    }

    fn save_cursor(&mut self) {
        let (sets, none) = (self.sets, Sets::default());
        write!(self.out, "{sets}\x1b7{none}").expect("a string takes all");
    }

    /// Breaks where the rows of the alternate screen follow.
    fn piece(&mut self, piece: Piece<'_>) -> ControlFlow<()> {
        match piece {
            Piece::Control(control) => return self.control(&control),
            _ if self.part == Part::Hidden => {}
            Piece::Text(bytes) => self.out.push_str(&String::from_utf8_lossy(bytes)),
            Piece::Char(byte) => self.out.push(byte.into()),
            Piece::Escape(0, b'7') => self.save_cursor(),
            Piece::Escape(0, last) => self.out.extend(['\x1b', last.into()]),
            Piece::Escape(intermediate, last) => {
                self.out.extend(['\x1b', intermediate.into(), last.into()]);
            }
            Piece::Command(_) => {}
        }
        ControlFlow::Continue(())
    }

    fn control(&mut self, control: &Control<'_>) -> ControlFlow<()> {
        match (control.mark, control.number(0), control.last) {
            (b'?', 1047, b'h') if self.is_alternate() => self.enter_alternate(),
            (b'?', 1047, b'h') => self.part = Part::Hidden,
            (b'?', 1047, b'l') => self.part = Part::Rest,
            (0, _, b'H') if self.part == Part::Entrance => {
                self.part = Part::Rest;
                self.paint(self.terminal.screen());
                return ControlFlow::Break(());
            }
            _ if self.part == Part::Hidden => {}
            _ => self.setting(control),
        }
        ControlFlow::Continue(())
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
            (0, _, b'u') => {
                write!(self.out, "\x1b[u{}", Sets::default()).expect("a string takes all")
            }
            _ => self.verbatim(control),
        }
    }

    /// Few terminals have 1047, all have 1049, which saves the cursor: so it stands where it was saved, with
    /// what was saved, and what belongs to the saved one alone is undone on the other side.
    fn enter_alternate(&mut self) {
        self.part = Part::Entrance;
        self.sets = self.alternate_sets;
        let none = Sets::default();
        write!(
            self.out,
            "\x1b8\x1b[?1049h\x1b[?6l\x1b[?7h\x1b[0m{none}\x1b[H\x1b[J"
        )
        .expect("a string takes all");
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
