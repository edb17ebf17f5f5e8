//! What a program has asked of its terminal so far, without the contents of the screen.
//!
//! A [`Tracker`] reads the output of a program and knows the modes it has set, so that another terminal can be put
//! into the same state ([`Tracker::restore`]) and a terminal can be put back to what a shell expects
//! ([`Tracker::leave`]). It keeps no screen: text costs next to nothing, and its memory is bounded. It never
//! writes 8-bit controls.

mod colors;
mod keyboard;
mod modes;
mod parser;
mod pen;
mod plain;
mod restore;
mod sets;
mod speech;

use std::ops::ControlFlow;

use colors::Colors;
pub use keyboard::Keyboard;
pub use modes::{Mode, Modes};
pub use parser::{CONTROL_LEN_MAX, Control, Parser, Piece, STRING_LEN_MAX};
pub use pen::{Pen, Pens};
pub use restore::PUT_TITLE;
pub use sets::Sets;

/// The longest title kept, in bytes.
pub const TITLE_LEN_MAX: usize = 256;
/// The longest hyperlink kept, parameters and address, in bytes; a longer one counts as none.
pub const LINK_LEN_MAX: usize = 2048;
/// The most titles that are put aside: no terminal keeps more.
const TITLES_MAX: u8 = 10;
/// Questions that are handed on at once; who asks more often waits for no answer.
pub const QUERIES_MAX: usize = 16;

/// A question of the program to its terminal, which somebody has to answer when nobody is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Query {
    /// What kind of terminal it is (`CSI c`).
    Attributes,
    /// Whether all is well (`CSI 5 n`).
    Status,
    /// Where the cursor is (`CSI 6 n`).
    Cursor,
}

/// Which of the two screens is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Side {
    /// The one with the shell's lines.
    #[default]
    Primary,
    /// The one of full-screen programs.
    Alternate,
}

/// Follows the output of a program.
#[derive(Debug, Default)]
pub struct Tracker {
    parser: Parser,
    state: State,
}

/// What may be so although the program has taken it back: not every terminal knows a soft reset, or that of the tab
/// stops. What was set is forgotten where it is unset by itself, and after a full reset.
#[derive(Debug, Default)]
struct Traces {
    origin: bool,
    /// A cursor was saved with it, which brings it back.
    saved_origin: bool,
    region: bool,
    tabs: bool,
}

/// What the program has asked for.
#[derive(Debug, Default)]
struct State {
    side: Side,
    modes: Modes,
    pens: Pens,
    coloured: bool,
    keyboard: Keyboard,
    /// The number of DECSCUSR.
    cursor_shape: u16,
    /// What was said about blinking (`CSI ? 12 h`) since.
    blinking: Option<bool>,
    /// The first and last row of the scroll region, if one is set; 0 is the last there is.
    region: Option<(u16, u16)>,
    /// Whether tab stops may be anywhere.
    custom_tabs: bool,
    /// Whether margins to the left and right may be set (DECLRMM).
    margins: bool,
    traces: Traces,
    /// No reset forgets them: not every terminal takes them back then.
    colors: Colors,
    title: String,
    /// How many titles were put aside (`CSI 22 t`) and not taken back.
    titles: u8,
    /// The body of the OSC 8 that opened the hyperlink that is open.
    link: Vec<u8>,
    addressed: bool,
    /// The last row that scrolls, as the program said since that was asked.
    bottom: Option<u16>,
}

impl Tracker {
    /// Takes in output; questions in it are appended to `queries`, of which there will be at most [`QUERIES_MAX`].
    pub fn feed(&mut self, mut bytes: &[u8], queries: &mut Vec<Query>) {
        while !bytes.is_empty() {
            let taken = self.feed_side(bytes, queries);
            bytes = &bytes[taken..];
        }
    }

    /// Takes in output up to the next change between the screens; returns how many bytes that was.
    pub fn feed_side(&mut self, bytes: &[u8], queries: &mut Vec<Query>) -> usize {
        let side = self.state.side;
        let state = &mut self.state;
        self.parser.advance(bytes, |piece| {
            if let Some(query) = state.obey(piece)
                && queries.len() < QUERIES_MAX
            {
                queries.push(query);
            }
            if state.side == side {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        })
    }

    /// Whether there was, since the last call, more than lines of text: what moves the cursor out of its line,
    /// clears or scrolls the screen, or changes where the text that follows goes.
    pub fn take_addressed(&mut self) -> bool {
        std::mem::take(&mut self.state.addressed)
    }

    /// The last row that scrolls, if the program has said so since the last call: 0 is the last there is.
    pub fn take_bottom(&mut self) -> Option<u16> {
        self.state.bottom.take()
    }

    /// The terminal got another number of rows: it scrolls all of them again.
    pub fn forget_region(&mut self) {
        self.state.region = None;
    }

    /// Whether text goes where it would go on a fresh terminal of so many rows. A scroll region of all of them is none:
    /// full-screen programs leave one behind.
    pub fn lays_out_as_fresh(&self, rows: u16) -> bool {
        let state = &self.state;
        let layout = |mode: &Mode| state.modes.has(*mode) == Modes::default().has(*mode);
        let is_all = |(top, bottom): (u16, u16)| top == 1 && (bottom == 0 || bottom >= rows);
        state.side == Side::Primary
            && state.region.is_none_or(is_all)
            && !state.custom_tabs
            && !state.margins
            && state.pens.sets() == Sets::default()
            && modes::LAYOUT.iter().all(layout)
    }

    /// Which screen is shown.
    pub fn side(&self) -> Side {
        self.state.side
    }

    /// Whether a mode is set.
    pub fn has(&self, mode: Mode) -> bool {
        self.state.modes.has(mode)
    }

    /// The colours and attributes in force.
    pub fn pen(&self) -> Pen {
        self.state.pens.now()
    }

    /// Whether any colours or attributes were ever chosen, or taken back.
    pub fn has_coloured(&self) -> bool {
        self.state.coloured
    }

    /// The character sets saved with the cursor of the primary and the alternate screen.
    pub fn saved_sets(&self) -> [Sets; 2] {
        self.state.pens.saved_sets()
    }

    /// The title, without what is no text.
    pub fn title(&self) -> &str {
        &self.state.title
    }

    /// The beginning of what is not whole yet, a sequence or a character. While there is one, nothing of one's
    /// own may be written to the terminal.
    pub fn pending(&self) -> &[u8] {
        self.parser.pending()
    }
}

impl State {
    fn obey(&mut self, piece: Piece<'_>) -> Option<Query> {
        self.pens.follow(&piece);
        match piece {
            // It may wrap or end in the last row, and that a row is coloured to its end no text tells.
            Piece::Text(_) => self.addressed |= self.pens.now().colours_rows(),
            Piece::Char(byte) => self.addressed |= byte == 0x0e,
            Piece::Escape(intermediate, last) => self.escape(intermediate, last),
            Piece::Command(body) => self.command(body),
            Piece::Control(control) => return self.control(&control),
        }
        None
    }

    fn escape(&mut self, intermediate: u8, last: u8) {
        match (intermediate, last) {
            (0, b'=') => self.modes.put(Mode::Keypad, true),
            (0, b'>') => self.modes.put(Mode::Keypad, false),
            (0, b'\\') => {}
            (0, b'7') => {
                self.traces.saved_origin |= self.traces.origin;
                self.addressed = true;
            }
            (0, b'c') => {
                let title = std::mem::take(&mut self.title);
                *self = Self {
                    title,
                    titles: self.titles,
                    colors: self.colors,
                    coloured: self.coloured,
                    addressed: true,
                    bottom: Some(0),
                    ..Self::default()
                };
            }
            (0, b'H') => {
                (self.custom_tabs, self.traces.tabs) = (true, true);
                self.addressed = true;
            }
            (b'(' | b')', _) => self.addressed |= last == b'0',
            _ => self.addressed = true,
        }
    }

    fn command(&mut self, body: &[u8]) {
        let end = body.iter().position(|&byte| byte == b';');
        let Some((code, rest)) = end.map(|end| body.split_at(end)) else {
            return;
        };
        match code {
            b"0" | b"2" => {
                let title = String::from_utf8_lossy(&rest[1..]);
                self.title = title.chars().filter(|c| !c.is_control()).collect();
                // Counted as it is written again: what stands for a byte that is no text is longer than it.
                let end = self.title.floor_char_boundary(TITLE_LEN_MAX);
                self.title.truncate(end);
            }
            b"8" => {
                // Addresses are written in ASCII; anything else might end the sequence for some terminals.
                let sound = body.iter().all(|byte| (0x20..0x7f).contains(byte));
                let open = sound && !rest.ends_with(b";") && body.len() <= LINK_LEN_MAX;
                self.link.clear();
                self.link.extend_from_slice(if open { body } else { b"" });
            }
            _ => self.colors.obey(code, &rest[1..]),
        }
    }

    fn control(&mut self, control: &Control<'_>) -> Option<Query> {
        match (control.mark, control.intermediate, control.last) {
            (0, 0, b'c') if control.number(0) == 0 => return Some(Query::Attributes),
            (0, 0, b'n') => return self.status(control.number(0)),
            (0, 0, b'm') => self.coloured = true,
            (0, 0, b'h' | b'l') => self.ansi_modes(control),
            (b'?', 0, b'h' | b'l') => self.private_modes(control),
            (b'<' | b'>' | b'=', 0, b'u') | (b'>', 0, b'm') => {
                self.keyboard.obey(control, self.side == Side::Alternate);
            }
            (0, b' ', b'q') => {
                (self.cursor_shape, self.blinking) = (control.number(0).min(6), None);
            }
            (0, b'!', b'p') => self.soft_reset(),
            (0, 0, b'r') => {
                self.addressed = true;
                let (top, bottom) = (control.number(0).max(1), control.number(1));
                // One without two rows is none, and the one before stays.
                if bottom == 0 || top < bottom {
                    self.region = Some((top, bottom)).filter(|region| *region != (1, 0));
                    self.traces.region = self.region.is_some();
                    self.bottom = Some(bottom);
                }
            }
            (0, 0, b'g' | b'W') | (b'?', 0, b'W') => {
                self.custom_tabs = control.mark == 0;
                self.traces.tabs |= self.custom_tabs;
                self.addressed = true;
            }
            (0, 0, b't') => self.titles(control),
            // Within the line, or about nothing on the screen.
            (0, 0, b'K' | b'C' | b'D' | b'G' | b'@' | b'P' | b'X' | b'`' | b'a') => {}
            (0, 0, _) => self.addressed = true,
            _ => {}
        }
        None
    }

    fn status(&mut self, what: u16) -> Option<Query> {
        match what {
            5 => Some(Query::Status),
            6 => {
                // Who asks where the cursor is, is about to address it.
                self.addressed = true;
                Some(Query::Cursor)
            }
            _ => None,
        }
    }

    fn titles(&mut self, control: &Control<'_>) {
        match (control.number(0), control.number(1)) {
            (22, 0 | 2) => self.titles = TITLES_MAX.min(self.titles + 1),
            (23, 0 | 2) => self.titles = self.titles.saturating_sub(1),
            _ => {}
        }
    }

    fn ansi_modes(&mut self, control: &Control<'_>) {
        for number in control.numbers() {
            let mode = match number {
                4 => Mode::Insert,
                20 => Mode::NewLine,
                _ => continue,
            };
            self.modes.put(mode, control.last == b'h');
            self.addressed = true;
        }
    }

    fn private_modes(&mut self, control: &Control<'_>) {
        let on = control.last == b'h';
        for number in control.numbers() {
            match (number, modes::private(number)) {
                (_, Some(mode)) => {
                    self.modes.put(mode, on);
                    if mode == Mode::Origin {
                        self.traces.origin = on;
                    }
                    self.addressed |= modes::LAYOUT.contains(&mode);
                }
                (47 | 1047 | 1049, None) => {
                    self.side = if on { Side::Alternate } else { Side::Primary };
                    self.traces.saved_origin |= self.traces.origin;
                    self.addressed = true;
                }
                (12, None) => self.blinking = Some(on),
                (69, None) => (self.margins, self.addressed) = (on, true),
                (3 | 1048, None) => self.addressed = true,
                (_, None) => {}
            }
        }
    }

    /// DECSTR: what concerns text goes back to its beginnings, the mouse and its like stay.
    fn soft_reset(&mut self) {
        for mode in [Mode::Cursor, Mode::AutoWrap] {
            self.modes.put(mode, true);
        }
        for mode in [Mode::CursorKeys, Mode::Keypad, Mode::Origin, Mode::Insert] {
            self.modes.put(mode, false);
        }
        (self.region, self.margins) = (None, false);
        (self.addressed, self.bottom) = (true, Some(0));
    }
}

#[cfg(test)]
mod tests;
