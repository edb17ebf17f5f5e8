//! A screen good enough for a line editor: what a user would see of a program's output.

/// Lines of characters and a cursor; what scrolls off the top is kept.
#[derive(Clone, Debug)]
pub struct Screen {
    lines: Vec<Vec<char>>,
    row: usize,
    column: usize,
    rows: usize,
    columns: usize,
    state: State,
    held: Vec<u8>,
    /// Where the cursor was when it was saved, counted from the top of the window.
    saved: (usize, usize),
    /// The primary screen, while the alternate one is shown.
    primary: Option<Box<Screen>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Text,
    Escape,
    Csi(String),
    /// Until BEL or ST; whether ESC was just seen.
    Command(bool),
    /// One character more: a choice of character set.
    Charset,
}

impl Screen {
    /// An empty one.
    pub fn new(rows: u16, columns: u16) -> Self {
        Self {
            lines: vec![Vec::new()],
            row: 0,
            column: 0,
            rows: rows.into(),
            columns: columns.into(),
            state: State::Text,
            held: Vec::new(),
            saved: (0, 0),
            primary: None,
        }
    }

    /// The rows of the window.
    pub fn window(&self) -> Vec<String> {
        let lines = self.lines[self.top()..].iter();
        let lines = lines.map(|line| line.iter().collect::<String>());
        let mut rows: Vec<String> = lines.map(|line| line.trim_end().to_owned()).collect();
        rows.resize(self.rows, String::new());
        rows
    }

    /// The row of the window the cursor is in, from 0.
    pub fn cursor_row(&self) -> usize {
        self.row - self.top()
    }

    /// Another size; what is shown stays where it is.
    pub fn resize(&mut self, rows: u16, columns: u16) {
        self.rows = rows.into();
        self.columns = columns.into();
    }

    /// Rows and columns.
    pub fn size(&self) -> (u16, u16) {
        let number = |number: usize| u16::try_from(number).expect("it was made of one");
        (number(self.rows), number(self.columns))
    }

    /// All lines, those that scrolled off among them.
    pub fn text(&self) -> String {
        let lines = self
            .lines
            .iter()
            .map(|line| line.iter().collect::<String>());
        let lines: Vec<String> = lines.map(|line| line.trim_end().to_owned()).collect();
        lines.join("\n").trim_end().to_owned()
    }

    /// The number of the line the cursor is on; what scrolled off counts.
    pub fn row(&self) -> usize {
        self.row
    }

    /// The line the cursor is on, up to the cursor.
    pub fn before_cursor(&self) -> String {
        let line = &self.lines[self.row];
        let blanks = std::iter::repeat(&' ');
        line.iter().chain(blanks).take(self.column).collect()
    }

    /// The line the cursor is on, from the cursor.
    pub fn after_cursor(&self) -> String {
        let line: String = self.lines[self.row].iter().skip(self.column).collect();
        line.trim_end().to_owned()
    }

    /// Takes in output; a character that is cut in two waits for its other half.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
        let held = std::mem::take(&mut self.held);
        let mut chunks = held.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            chunk.valid().chars().for_each(|c| self.take(c));
            let cut = chunks.peek().is_none() && chunk.invalid().len() < 4;
            if cut
                && std::str::from_utf8(chunk.invalid())
                    .is_err_and(|error| error.error_len().is_none())
            {
                self.held = chunk.invalid().to_vec();
            } else if !chunk.invalid().is_empty() {
                self.put('\u{fffd}');
            }
        }
    }

    fn take(&mut self, c: char) {
        match &mut self.state {
            State::Text => self.text_char(c),
            State::Escape => {
                self.state = match c {
                    '[' => State::Csi(String::new()),
                    ']' | 'P' | '_' | '^' => State::Command(false),
                    '(' | ')' | '#' | '%' => State::Charset,
                    _ => State::Text,
                };
                match c {
                    '7' => self.saved = (self.cursor_row(), self.column),
                    '8' => self.go(self.saved.0, self.saved.1),
                    _ => {}
                }
            }
            State::Csi(parameters) if c.is_ascii_alphabetic() || c == '@' || c == '~' => {
                let parameters = std::mem::take(parameters);
                self.state = State::Text;
                self.control(&parameters, c);
            }
            State::Csi(parameters) => parameters.push(c),
            State::Command(escape) => match (c, *escape) {
                ('\x07', _) | ('\\', true) => self.state = State::Text,
                _ => *escape = c == '\x1b',
            },
            State::Charset => self.state = State::Text,
        }
    }

    fn text_char(&mut self, c: char) {
        match c {
            '\x1b' => self.state = State::Escape,
            '\n' => self.down(),
            '\r' => self.column = 0,
            '\x08' => self.column = self.column.saturating_sub(1),
            '\t' => self.column = (self.column / 8 + 1) * 8,
            c if c.is_control() => {}
            c => self.put(c),
        }
    }

    fn put(&mut self, c: char) {
        if self.column >= self.columns {
            self.column = 0;
            self.down();
        }
        let line = &mut self.lines[self.row];
        if line.len() <= self.column {
            line.resize(self.column + 1, ' ');
        }
        line[self.column] = c;
        self.column += 1;
    }

    fn down(&mut self) {
        self.row += 1;
        if self.row == self.lines.len() {
            self.lines.push(Vec::new());
        }
    }

    /// The first line that is in the window.
    fn top(&self) -> usize {
        self.lines.len().saturating_sub(self.rows)
    }

    fn control(&mut self, parameters: &str, c: char) {
        let numbers: Vec<usize> = parameters
            .split(';')
            .map(|text| text.parse().unwrap_or(0))
            .collect();
        let number = |at: usize| numbers.get(at).copied().unwrap_or(0);
        let count = number(0).max(1);
        match c {
            'A' => self.row = self.row.saturating_sub(count).max(self.top()),
            'B' => self.go((self.cursor_row() + count).min(self.rows - 1), self.column),
            'C' => self.column = (self.column + count).min(self.columns),
            'D' => self.column = self.column.saturating_sub(count),
            'G' => self.column = count - 1,
            'H' | 'f' => self.go(count - 1, number(1).max(1) - 1),
            'J' => self.erase(number(0)),
            'K' => self.erase_line(number(0)),
            // As tmux, screen and xterm do; a few terminals leave the cursor where it is.
            'r' => self.go(0, 0),
            'h' | 'l' if parameters == "?6" => self.go(0, 0),
            'h' if parameters == "?1049" => self.leave_primary(),
            'l' if parameters == "?1049" => self.return_to_primary(),
            _ => {}
        }
    }

    fn leave_primary(&mut self) {
        self.saved = (self.cursor_row(), self.column);
        let blank = Self {
            lines: vec![Vec::new(); self.rows],
            row: self.cursor_row(),
            ..self.clone()
        };
        let primary = std::mem::replace(self, blank);
        self.primary = Some(Box::new(primary));
    }

    fn return_to_primary(&mut self) {
        if let Some(primary) = self.primary.take() {
            *self = *primary;
        }
        self.go(self.saved.0, self.saved.1);
    }

    fn go(&mut self, row: usize, column: usize) {
        self.row = self.top() + row.min(self.rows.saturating_sub(1));
        while self.lines.len() <= self.row {
            self.lines.push(Vec::new());
        }
        self.column = column;
    }

    fn erase(&mut self, how: usize) {
        match how {
            0 => {
                self.erase_line(0);
                self.lines[self.row + 1..].iter_mut().for_each(Vec::clear);
            }
            _ => {
                let top = self.top();
                self.lines[top..].iter_mut().for_each(Vec::clear);
            }
        }
    }

    fn erase_line(&mut self, how: usize) {
        let line = &mut self.lines[self.row];
        match how {
            0 => line.truncate(self.column),
            1 => line.iter_mut().take(self.column + 1).for_each(|c| *c = ' '),
            _ => line.clear(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A line editor redraws its line in many ways; what matters is what stands there in the end.
    #[test]
    fn a_redrawn_line_is_read_as_a_user_reads_it() {
        let mut screen = Screen::new(24, 80);
        screen.feed(b"> sta\r\x1b[K\x1b[1m> \x1b[0mstatus\x1b[3D");
        assert_eq!(screen.before_cursor(), "> sta");
        assert_eq!(screen.after_cursor(), "tus");
        assert_eq!(screen.text(), "> status");
    }

    #[test]
    fn a_character_in_two_parts_is_one() {
        let mut screen = Screen::new(24, 80);
        screen.feed(b"gr\xc3");
        screen.feed(b"\xb6\xc3\x9fer\x1b]0;a title\x07!");
        assert_eq!(screen.text(), "gr\u{f6}\u{df}er!");
    }

    #[test]
    fn what_scrolled_off_is_kept() {
        let mut screen = Screen::new(2, 4);
        screen.feed(b"abcdef\r\ng\r\n\x1b[Hx");
        assert_eq!(screen.text(), "abcd\nef\nx");
    }
}
