//! What a terminal shows, as a drawing: one window above the other, each with a title.

use std::fmt::Write;
use std::ops::Range;

use avt::{Cell, Color, Pen, Terminal};

/// One cell, in pixels; the drawing shows text in the font of whoever looks at it, stretched to fit.
const CELL: (f64, f64) = (8.4, 18.0);
const BAR: f64 = 30.0;
const MARGIN: f64 = 14.0;
const BACKGROUND: &str = "#16181d";
const FOREGROUND: &str = "#d3d7de";

/// The sixteen colours that have names.
const NAMED: [&str; 16] = [
    "#2b303b", "#e0606b", "#8cc570", "#e2b86b", "#5fa8ee", "#c67ddb", "#52bcc6", "#c3c8d1",
    "#5f6673", "#f07f88", "#a5db8a", "#f0cd88", "#83c0ff", "#d99aea", "#73d5de", "#ffffff",
];

/// A drawing that grows downwards.
pub(crate) struct Drawing {
    body: String,
    cols: usize,
    height: f64,
}

impl Drawing {
    pub(crate) fn new(cols: usize) -> Self {
        Self {
            body: String::new(),
            cols,
            height: 0.0,
        }
    }

    fn width(&self) -> f64 {
        self.cols as f64 * CELL.0 + 2.0 * MARGIN
    }

    /// Adds a window with some rows of what a terminal shows by now.
    pub(crate) fn window(&mut self, title: &str, terminal: &Terminal, rows: Range<usize>) {
        if self.height > 0.0 {
            self.height += MARGIN;
        }
        let (top, width) = (self.height, self.width());
        let inner = rows.len() as f64 * CELL.1;
        self.height += BAR + inner + MARGIN;
        self.put(format_args!(
            r##"<rect y="{top}" width="{width}" height="{}" rx="8" fill="{BACKGROUND}"/>"##,
            self.height - top
        ));
        for (index, color) in [NAMED[1], NAMED[3], NAMED[2]].iter().enumerate() {
            let (x, y) = (MARGIN + 5.0 + index as f64 * 17.0, top + BAR / 2.0);
            self.put(format_args!(
                r##"<circle cx="{x}" cy="{y}" r="5" fill="{color}"/>"##
            ));
        }
        let (x, y, title) = (width / 2.0, top + BAR / 2.0 + 4.5, escaped(title));
        self.put(format_args!(
            r##"<text class="t" x="{x}" y="{y}" text-anchor="middle">{title}</text>"##
        ));
        let lines: Vec<_> = terminal.screen().visible_lines().collect();
        let cursor = terminal.cursor();
        for (index, row) in rows.enumerate() {
            let y = top + BAR + index as f64 * CELL.1;
            self.row(lines[row].cells(), y);
            if cursor.visible && cursor.row == row {
                let (x, (width, height)) = (left(cursor.col), CELL);
                self.put(format_args!(
                    r##"<rect x="{x:.1}" y="{y}" width="{width}" height="{height}" fill="{FOREGROUND}" opacity="0.7"/>"##
                ));
            }
        }
    }

    fn put(&mut self, element: std::fmt::Arguments<'_>) {
        writeln!(self.body, "{element}").expect("a string takes all");
    }

    /// Draws a row, all that looks the same at once.
    fn row(&mut self, cells: &[Cell], y: f64) {
        let mut col = 0;
        for run in cells.chunk_by(|a, b| a.pen() == b.pen()) {
            self.run(run, col, y);
            col += run.len();
        }
    }

    fn run(&mut self, cells: &[Cell], col: usize, y: f64) {
        let look = Look::of(cells[0].pen());
        let text: String = cells
            .iter()
            .filter(|cell| cell.width() > 0)
            .map(Cell::char)
            .collect();
        if let Some(paper) = look.paper {
            let (x, width, height) = (left(col), cells.len() as f64 * CELL.0, CELL.1);
            self.put(format_args!(
                r##"<rect x="{x:.1}" y="{y}" width="{width:.1}" height="{height}" fill="{paper}"/>"##
            ));
        }
        let blanks = text.len() - text.trim_start().len();
        let (text, col) = (text.trim(), col + blanks);
        if text.is_empty() {
            return;
        }
        let (x, y) = (left(col), y + CELL.1 * 0.75);
        let length = (cells.len() - blanks).min(text.chars().count()) as f64 * CELL.0;
        let (style, text) = (look.style, escaped(text));
        self.put(format_args!(
            r##"<text x="{x:.1}" y="{y}" textLength="{length:.1}"{style}>{text}</text>"##
        ));
    }

    /// The whole drawing.
    pub(crate) fn finish(self) -> String {
        let (width, height) = (self.width(), self.height);
        format!(
            r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">
<style>
text {{ font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: {FOREGROUND};
  white-space: pre }}
.t {{ font: 13px system-ui, "Segoe UI", Helvetica, Arial, sans-serif; fill: #8b93a1 }}
.b {{ font-weight: bold }}
</style>
<g xml:space="preserve">
{}</g>
</svg>
"##,
            self.body
        )
    }
}

/// Where a column begins.
fn left(col: usize) -> f64 {
    MARGIN + col as f64 * CELL.0
}

/// How text in a pen looks.
struct Look {
    /// Attributes of the element, colour among them where it is not the usual one.
    style: String,
    paper: Option<String>,
}

impl Look {
    fn of(pen: &Pen) -> Self {
        let mut ink = pen.foreground().map(|color| name(color, pen.is_bold()));
        let mut paper = pen.background().map(|color| name(color, false));
        if pen.is_inverse() {
            let other = paper.unwrap_or(BACKGROUND.into());
            paper = Some(ink.unwrap_or(FOREGROUND.into()));
            ink = Some(other);
        }
        let mut style = String::new();
        if pen.is_bold() {
            style += r#" class="b""#;
        }
        if let Some(ink) = ink {
            // The rule of the style sheet is stronger than an attribute.
            write!(style, r#" style="fill:{ink}""#).expect("a string takes all");
        }
        if pen.is_faint() {
            style += r#" opacity="0.65""#;
        }
        if pen.is_underline() {
            style += r#" text-decoration="underline""#;
        }
        Self { style, paper }
    }
}

/// A colour as a browser knows it; of those with names, bold text has the bright one.
fn name(color: Color, bold: bool) -> String {
    let (r, g, b) = match color {
        Color::Indexed(index @ 0..16) => {
            let bright = if bold { index | 8 } else { index };
            return NAMED[usize::from(bright)].into();
        }
        Color::Indexed(index @ 16..232) => {
            let level = |part: u8| if part == 0 { 0 } else { 55 + 40 * part };
            let index = index - 16;
            (level(index / 36), level(index / 6 % 6), level(index % 6))
        }
        Color::Indexed(index) => {
            let gray = 8 + 10 * (index - 232);
            (gray, gray, gray)
        }
        Color::RGB(rgb) => (rgb.r, rgb.g, rgb.b),
    };
    format!("#{r:02x}{g:02x}{b:02x}")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
