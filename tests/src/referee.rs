//! Another implementation of a terminal, which has the last word on what is shown.

use std::cell::RefCell;
use std::fmt::Write;
use std::rc::Rc;

use alacritty_terminal::Term;
use alacritty_terminal::event::{Event, EventListener};
use alacritty_terminal::grid::Dimensions;
use alacritty_terminal::index::{Column, Line};
use alacritty_terminal::term::Config;
use alacritty_terminal::term::cell::Flags;
use alacritty_terminal::vte::ansi::Processor;

/// What makes a blank more than its background.
const SHOWN_ON_BLANKS: Flags = Flags::INVERSE
    .union(Flags::STRIKEOUT)
    .union(Flags::ALL_UNDERLINES);

/// The size of a terminal.
#[derive(Clone, Copy)]
struct Size(usize, usize);

impl Dimensions for Size {
    fn total_lines(&self) -> usize {
        self.0
    }

    fn screen_lines(&self) -> usize {
        self.0
    }

    fn columns(&self) -> usize {
        self.1
    }
}

/// What the terminal tells its window, the title, and the program.
#[derive(Clone, Default)]
struct Window {
    title: Rc<RefCell<String>>,
    answers: Rc<RefCell<String>>,
}

impl EventListener for Window {
    fn send_event(&self, event: Event) {
        match event {
            Event::Title(title) => *self.title.borrow_mut() = title,
            Event::ResetTitle => self.title.borrow_mut().clear(),
            Event::PtyWrite(text) => self.answers.borrow_mut().push_str(&text),
            _ => {}
        }
    }
}

/// A terminal.
pub struct Referee {
    terminal: Term<Window>,
    parser: Processor,
    window: Window,
    size: Size,
}

impl Referee {
    /// A fresh one.
    pub fn new(rows: u16, cols: u16) -> Self {
        let (size, window) = (Size(rows.into(), cols.into()), Window::default());
        let config = Config {
            scrolling_history: 1000,
            kitty_keyboard: true,
            ..Config::default()
        };
        Self {
            terminal: Term::new(config, &size, window.clone()),
            parser: Processor::new(),
            window,
            size,
        }
    }

    /// Takes in output.
    pub fn feed(&mut self, bytes: &[u8]) -> &mut Self {
        self.parser.advance(&mut self.terminal, bytes);
        self
    }

    /// What the terminal has answered to the program.
    pub fn answers(&self) -> String {
        self.window.answers.borrow().clone()
    }

    /// All that can be seen, and all that decides what will be: a line for each row of text, with what is
    /// remarkable about its cells, then the cursor, the modes and the title.
    pub fn seen(&self) -> String {
        let mut seen = String::new();
        for row in 0..self.size.0 {
            writeln!(seen, "{row:3} {}", self.row(row as i32)).expect("memory");
        }
        writeln!(seen, "cursor {:?}", self.cursor()).expect("memory");
        seen += &self.settings();
        writeln!(seen, "title {:?}", self.window.title.borrow()).expect("memory");
        seen
    }

    /// The row and the column of the cursor, and whether the next character wraps.
    pub fn cursor(&self) -> (i32, usize, bool) {
        let cursor = &self.terminal.grid().cursor;
        let (row, col) = (cursor.point.line.0, cursor.point.column.0);
        (row, col, cursor.input_needs_wrap)
    }

    /// What a program has set, and has to set back: the shape of the cursor, the pen, the link, the modes.
    pub fn settings(&self) -> String {
        let pen = &self.terminal.grid().cursor.template;
        let link = pen.hyperlink().map(|link| link.uri().to_owned());
        let (shape, modes) = (self.terminal.cursor_style(), self.terminal.mode());
        format!(
            "shape {shape:?}\npen {:?} {:?} {:?}\nlink {link:?}\nmodes {modes:?}\n",
            pen.fg, pen.bg, pen.flags
        )
    }

    /// The text of the rows shown.
    pub fn text(&self) -> String {
        let cell = |row: i32, col| self.terminal.grid()[Line(row)][Column(col)].c;
        let row = |row| (0..self.size.1).map(move |col| cell(row, col));
        let rows = (0..self.size.0 as i32).map(|number| row(number).collect::<String>());
        let rows: Vec<String> = rows.map(|row| row.trim_end().to_owned()).collect();
        rows.join("\n").trim_end().to_owned()
    }

    /// The lines that were scrolled out, the oldest first.
    pub fn history(&self) -> Vec<String> {
        let lines = self.terminal.grid().history_size() as i32;
        (-lines..0).map(|row| self.row(row)).collect()
    }

    fn row(&self, row: i32) -> String {
        let (mut text, mut marks) = (String::new(), String::new());
        let mut last = String::new();
        for col in 0..self.size.1 {
            let cell = &self.terminal.grid()[Line(row)][Column(col)];
            // Where a line was broken shows in no cell.
            let mut flags = cell.flags - Flags::WRAPLINE - Flags::LEADING_WIDE_CHAR_SPACER;
            text.push(cell.c);
            text.extend(cell.zerowidth().into_iter().flatten());
            let link = cell.hyperlink().map(|link| link.uri().to_owned());
            // Nobody can tell the ink of a blank, as long as nothing is drawn across or around it.
            let mut ink = Some(cell.fg);
            if cell.c == ' ' && !flags.intersects(SHOWN_ON_BLANKS) {
                ink = None;
                flags -= Flags::BOLD_ITALIC | Flags::DIM | Flags::HIDDEN;
            }
            let mark = format!("{ink:?}/{:?}/{flags:?}/{link:?}", cell.bg);
            if mark != last {
                write!(marks, " {col}:{mark}").expect("memory");
                last = mark;
            }
        }
        format!("{}|{marks}", text.trim_end())
    }
}

/// Fails with the first lines that differ.
#[track_caller]
pub fn assert_same(truth: &str, shown: &str, what: &str) {
    let differing = truth.lines().zip(shown.lines()).filter(|(a, b)| a != b);
    let differing: Vec<String> = differing
        .map(|(truth, shown)| format!("-{truth}\n+{shown}"))
        .collect();
    let first = differing.iter().take(6).cloned().collect::<Vec<_>>();
    assert!(
        differing.is_empty(),
        "{what}: {} lines differ\n{}",
        differing.len(),
        first.join("\n")
    );
}
