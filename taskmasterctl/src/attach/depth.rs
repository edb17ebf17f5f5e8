//! How far down the screen is painted: where a line of our own, or the shell's prompt, overwrites nothing.
//!
//! No emulator: it knows how the cursor moves, but not what stands where. Where it cannot be sure it takes the
//! screen to be full, and then the bottom is the place.

use std::ops::ControlFlow;

use shared::frame::Size;
use shared::tracker::{Control, Parser, Piece};

/// What is in the row of the cursor and in those below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ground {
    /// Nothing.
    Free,
    /// Nothing below.
    Last,
    /// Perhaps something.
    Used,
}

/// The cursor, as far as it is known. Rows count from 1, columns from 0.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// It is in this row or below,
    from: u16,
    /// and in this row or above,
    to: u16,
    /// and not farther to the right than this.
    column: u16,
}

/// One of the two screens.
#[derive(Clone, Copy, Debug)]
struct Side {
    place: Place,
    ground: Ground,
    /// Below this row there is nothing; 0 where there is nothing at all.
    low: u16,
}

/// What is known of the screen.
#[derive(Debug)]
pub(super) struct Depth {
    parser: Parser,
    reach: Reach,
}

/// What the pieces of output change.
#[derive(Debug)]
struct Reach {
    rows: u16,
    cols: u16,
    side: Side,
    saved: Option<Place>,
    /// The primary screen, and the mode that left it, while the alternate one is shown.
    primary: Option<(Side, u16)>,
    /// Whether a scroll region is set.
    region: bool,
    /// Whether rows count from its top.
    origin: bool,
}

impl Depth {
    /// A screen of this size. The cursor is in a row of its own, somewhere, with nothing below: so a shell leaves it.
    pub(super) fn new(size: Size) -> Self {
        let anywhere = Place {
            from: 1,
            to: size.rows,
            column: 0,
        };
        let side = Side {
            place: anywhere,
            ground: Ground::Free,
            low: size.rows,
        };
        let reach = Reach {
            rows: size.rows,
            cols: size.cols,
            side,
            saved: None,
            primary: None,
            region: false,
            origin: false,
        };
        Self {
            parser: Parser::default(),
            reach,
        }
    }

    /// The terminal has another size now, and may have moved everything. A scroll region does not survive that.
    pub(super) fn resize(&mut self, size: Size) {
        let before = (self.reach.rows, self.reach.cols);
        (self.reach.rows, self.reach.cols) = (size.rows, size.cols);
        self.reach.region &= before == (size.rows, size.cols);
        self.reach.lose();
        if let Some((side, _)) = &mut self.reach.primary {
            (side.ground, side.low) = (Ground::Used, size.rows);
            (side.place.from, side.place.to) = (1, size.rows);
        }
    }

    /// Takes in what is painted.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        let reach = &mut self.reach;
        self.parser.advance(bytes, |piece| {
            reach.obey(&piece);
            ControlFlow::Continue(())
        });
    }

    /// What brings the cursor to the beginning of a row with nothing in it nor below.
    pub(super) fn to_free_row(&self) -> &'static [u8] {
        match self.reach.side.ground {
            Ground::Free => b"\r",
            Ground::Last => b"\r\n",
            // The cursor stops at the bottom, and the screen moves up by a row.
            Ground::Used => b"\x1b[9999B\r\n",
        }
    }
}

/// How many bytes at the beginning are a printed character each, as wide as one.
fn printed_len(bytes: &[u8]) -> usize {
    const BLOCK_LEN: usize = 32;
    let is_printed = |byte: &u8| matches!(byte, 0x20..=0x7e);
    // Without a way out in the middle, a block is looked at as a whole by the machine.
    let all_printed = |block: &&[u8]| block.iter().fold(true, |all, byte| all & is_printed(byte));
    let blocks = bytes.chunks_exact(BLOCK_LEN).take_while(all_printed);
    let whole = blocks.count() * BLOCK_LEN;
    whole
        + bytes[whole..]
            .iter()
            .take_while(|byte| is_printed(byte))
            .count()
}

impl Reach {
    fn obey(&mut self, piece: &Piece<'_>) {
        match piece {
            Piece::Text(bytes) => self.text(bytes),
            Piece::Char(byte) => self.byte(*byte),
            Piece::Escape(0, last) => self.escape(*last),
            Piece::Escape(b'#', _) => self.lose(),
            Piece::Control(control) => self.control(control),
            Piece::Escape(..) | Piece::Command(_) => {}
        }
    }

    /// What is printed one after the other is taken as a whole: most of a flood is.
    fn text(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let count = printed_len(bytes);
            self.print_all(count);
            let Some((&byte, rest)) = bytes[count..].split_first() else {
                return;
            };
            self.byte(byte);
            bytes = rest;
        }
    }

    /// So many characters as wide as one.
    fn print_all(&mut self, mut count: usize) {
        while count > 0 {
            // At least one, as the row may have been wider.
            let room = usize::from(self.cols.saturating_sub(self.side.place.column)).max(1);
            let fits = room.min(count);
            self.print(u16::try_from(fits).unwrap_or(u16::MAX));
            count -= fits;
        }
    }

    fn byte(&mut self, byte: u8) {
        let column = &mut self.side.place.column;
        match byte {
            b'\n' | 0x0b | 0x0c => self.line_feed(),
            b'\r' => *column = 0,
            0x08 => *column = column.saturating_sub(1),
            b'\t' => *column = self.cols.min(column.saturating_add(8)),
            // The rest of a character, or nothing to see.
            0x00..=0x1f | 0x7f..=0xbf => {}
            0x20..=0x7e => self.print(1),
            // Some are as wide as one, none is wider than two.
            0xc0..=0xff => self.print(2),
        }
    }

    fn print(&mut self, width: u16) {
        let (rows, side) = (self.rows, &mut self.side);
        side.place.column = side.place.column.saturating_add(width);
        if side.place.column > self.cols {
            side.place.column = width;
            side.place.to = rows.min(side.place.to + 1);
        }
        side.low = side.low.max(side.place.to);
        if side.ground == Ground::Free {
            side.ground = Ground::Last;
        }
    }

    fn line_feed(&mut self) {
        let ground = match self.side.ground {
            Ground::Free => Ground::Free,
            Ground::Last if self.region => Ground::Last,
            Ground::Last => Ground::Free,
            Ground::Used => {
                self.down(1);
                return;
            }
        };
        self.down(1);
        self.side.ground = ground;
    }

    fn escape(&mut self, last: u8) {
        match last {
            b'7' => self.saved = Some(self.side.place),
            b'8' => self.restore(),
            b'D' => self.line_feed(),
            b'E' => {
                self.side.place.column = 0;
                self.line_feed();
            }
            b'M' => {
                self.side.low = self.rows.min(self.side.low + 1);
                self.up(1);
            }
            b'c' => {
                self.primary = None;
                (self.region, self.origin, self.saved) = (false, false, None);
                self.side.low = 0;
                self.go(1, 0);
            }
            _ => {}
        }
    }

    fn control(&mut self, control: &Control<'_>) {
        let count = control.number(0).max(1);
        let column = self.side.place.column;
        match (control.mark, control.intermediate, control.last) {
            (0, 0, b'H' | b'f') => self.go(count, control.number(1).max(1) - 1),
            (0, 0, b'd') => self.go(count, column),
            (0, 0, b'A') => self.up(count),
            (0, 0, b'F') => {
                self.up(count);
                self.side.place.column = 0;
            }
            (0, 0, b'B' | b'e') => self.down(count),
            (0, 0, b'E') => {
                self.down(count);
                self.side.place.column = 0;
            }
            (0, 0, b'G' | b'`') => self.side.place.column = self.cols.min(count - 1),
            (0, 0, b'C' | b'a') => {
                self.side.place.column = self.cols.min(column.saturating_add(count))
            }
            (0, 0, b'I') => self.side.place.column = self.cols,
            (0, 0, b'D') => self.side.place.column = column.saturating_sub(count),
            (0 | b'?', 0, b'J') => self.erase(control.number(0)),
            (0, 0, b'L' | b'T' | b'^' | b'b') => self.lose(),
            (0, 0, b's') => self.saved = Some(self.side.place),
            (0, 0, b'u') => self.restore(),
            (0, 0, b'r') => {
                let last = control.number(1);
                // Full-screen programs leave one that is the whole screen.
                self.region = control.number(0) > 1 || (last > 0 && last < self.rows);
                self.go(1, 0);
            }
            (0, b'!', b'p') => (self.region, self.origin) = (false, false),
            (b'?', 0, b'h' | b'l') => control
                .numbers()
                .for_each(|mode| self.mode(mode, control.last == b'h')),
            // Anything else stays in its row, or moves up what is below.
            _ => {}
        }
    }

    fn mode(&mut self, mode: u16, on: bool) {
        match mode {
            6 => {
                self.origin = on;
                self.lose_place();
            }
            3 => self.lose(),
            1048 if on => self.saved = Some(self.side.place),
            1048 => self.restore(),
            47 | 1047 | 1049 => self.change_sides(mode, on),
            _ => {}
        }
    }

    fn change_sides(&mut self, mode: u16, on: bool) {
        match (on, self.primary) {
            (true, None) => {
                self.primary = Some((self.side, mode));
                self.lose();
            }
            (false, Some((side, entered))) => {
                self.side = side;
                self.primary = None;
                if (entered, mode) != (1049, 1049) {
                    self.lose_place();
                }
            }
            // Some terminals put the cursor where it was when they were last told to remember.
            (false, None) if mode == 1049 => self.lose_place(),
            (true, Some(_)) | (false, None) => {}
        }
    }

    fn erase(&mut self, what: u16) {
        let side = &mut self.side;
        match what {
            0 if side.place.column == 0 => {
                side.low = side.place.to - 1;
                side.ground = Ground::Free;
            }
            0 => {
                side.low = side.place.to;
                side.ground = Ground::Last;
            }
            2 => {
                side.low = 0;
                side.ground = Ground::Free;
            }
            _ => {}
        }
    }

    fn go(&mut self, row: u16, column: u16) {
        let row = row.min(self.rows);
        let to = if self.origin { self.rows } else { row };
        self.side.place = Place {
            from: row,
            to,
            column: column.min(self.cols),
        };
        self.look();
    }

    fn up(&mut self, count: u16) {
        let place = &mut self.side.place;
        place.from = place.from.saturating_sub(count).max(1);
        if !self.region {
            place.to = place.to.saturating_sub(count).max(1);
        }
        self.look();
    }

    fn down(&mut self, count: u16) {
        let place = &mut self.side.place;
        if !self.region {
            place.from = place.from.saturating_add(count).min(self.rows);
        }
        place.to = place.to.saturating_add(count).min(self.rows);
        self.look();
    }

    fn restore(&mut self) {
        match self.saved {
            Some(place) => {
                self.side.place = place;
                self.look();
            }
            None => self.lose_place(),
        }
    }

    /// Finds out where the cursor has come to.
    fn look(&mut self) {
        let (from, low) = (self.side.place.from, self.side.low);
        self.side.ground = match from.cmp(&low) {
            std::cmp::Ordering::Greater => Ground::Free,
            std::cmp::Ordering::Equal => Ground::Last,
            std::cmp::Ordering::Less => Ground::Used,
        };
    }

    fn lose_place(&mut self) {
        self.side.place = Place {
            from: 1,
            to: self.rows,
            column: self.cols,
        };
        self.look();
    }

    /// Anything may be anywhere.
    fn lose(&mut self) {
        self.side.low = self.rows;
        self.lose_place();
        self.side.ground = Ground::Used;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size {
        rows: 24,
        cols: 80,
        xpixel: 0,
        ypixel: 0,
    };

    fn after(bytes: &str) -> &'static str {
        let mut depth = Depth::new(SIZE);
        depth.feed(bytes.as_bytes());
        std::str::from_utf8(depth.to_free_row()).unwrap()
    }

    const FREE: &str = "\r";
    const LAST: &str = "\r\n";
    const USED: &str = "\x1b[9999B\r\n";

    #[test]
    fn lines_end_where_the_next_begins() {
        assert_eq!(after(""), FREE);
        assert_eq!(after("text"), LAST);
        assert_eq!(after("text\r\n"), FREE);
        assert_eq!(after(&"long ".repeat(1000)), LAST);
        assert_eq!(after("a\r\x1b[K$ "), LAST);
    }

    // Text that comes together is counted together.
    #[test]
    fn however_it_comes_it_reaches_as_far() {
        let long = "word ".repeat(50);
        let row = "x".repeat(80);
        for cols in [0, 1, 7, 80, 65_535] {
            let size = Size { cols, ..SIZE };
            for text in [
                "",
                "a\tb\x08c",
                "\x1b[5;79Habc",
                &row,
                &long,
                "é日\r\n\x1b[H~",
            ] {
                let bytes = [text, &row, text, "\x1b[A", &long].concat().into_bytes();
                let reached = [1, 3, bytes.len()].map(|length| {
                    let mut depth = Depth::new(size);
                    depth.resize(Size { cols: 100, ..SIZE });
                    depth.feed(b"\x1b[2J\x1b[90G");
                    depth.resize(size);
                    bytes.chunks(length).for_each(|part| depth.feed(part));
                    format!("{:?}", depth.reach)
                });
                assert_eq!(reached[0], reached[1], "{text:?} on {cols}");
                assert_eq!(reached[0], reached[2], "{text:?} on {cols}");
            }
        }
    }

    #[test]
    fn a_cursor_above_the_last_row_is_sent_to_the_bottom() {
        assert_eq!(after("\x1b[H\x1b[2Jone\r\ntwo\x1b[H"), USED);
        assert_eq!(after("a\r\nb\x1b[A"), USED);
        assert_eq!(after("\x1b[2J\x1b[5Hlow\x1b[Hhigh\r\nhigher"), USED);
        assert_eq!(after("\x1b[H\x1b[2J\x1b[20;40Hx\x1b[3;1H\x1bM"), USED);
        assert_eq!(after("\x1b[H\x1b[Ja\r\nb\x1b[H\x1b[L"), USED);
        assert_eq!(after("\x1b[H\x1b[Ja\r\nb\r\nc\x1b7\x1b[H\x1b8\x1b[A"), USED);
    }

    #[test]
    fn a_cursor_that_came_back_to_the_last_row_stays_there() {
        assert_eq!(after("\x1b[H\x1b[2Jone\r\ntwo\r\n$ \x1b[H\x1b[3;3H"), LAST);
        assert_eq!(after("\x1b[H\x1b[2Jone\r\ntwo\x1b[H\x1b[3;1H"), FREE);
        assert_eq!(after("\x1b[2J\x1b[H\x1b7\x1b[5Hx\x1b8\x1b[5;2H"), LAST);
        assert_eq!(after("a\r\nb\x1b[A\x1b[J"), LAST);
        assert_eq!(after("a\r\nb\x1b[A\r\x1b[J"), FREE);
    }

    #[test]
    fn a_scroll_region_hides_how_far_a_line_feed_went() {
        assert_eq!(
            after("\x1b[H\x1b[2J\x1b[9Hx\x1b[2;5r\x1b[5H\n\n\n\n\n"),
            USED
        );
        assert_eq!(
            after("\x1b[H\x1b[2J\x1b[9Hx\x1b[2;5r\x1b[?6h\x1b[1Hx"),
            USED
        );
    }

    // As full-screen programs leave it when they are done.
    #[test]
    fn a_region_that_is_the_whole_screen_is_none() {
        let below = "\x1b[24;1H";
        for whole in ["\x1b[r", "\x1b[1r", "\x1b[;24r", "\x1b[1;24r", "\x1b[0;99r"] {
            assert_eq!(after(&format!("{whole}{below}bye\n")), FREE, "{whole:?}");
        }
        for part in ["\x1b[1;23r", "\x1b[2r", "\x1b[2;24r", "\x1b[;9r"] {
            assert_eq!(after(&format!("{part}{below}bye\n")), LAST, "{part:?}");
        }
    }

    #[test]
    fn a_screen_of_another_size_has_no_region() {
        let mut depth = Depth::new(SIZE);
        depth.feed(b"\x1b[2;5r");
        depth.resize(Size { rows: 30, ..SIZE });
        depth.feed(b"\x1b[30;1Hbye\n");
        assert_eq!(depth.to_free_row(), FREE.as_bytes());
    }

    #[test]
    fn the_screen_behind_the_alternate_one_is_as_it_was() {
        assert_eq!(
            after("$ vi\r\n\x1b[?1049h\x1b[H\x1b[2Jtext\x1b[H\x1b[?1049l"),
            FREE
        );
        assert_eq!(
            after("$ vi\r\n\x1b[?1047h\x1b[H\x1b[2Jtext\x1b[?1047l"),
            USED
        );
        assert_eq!(after("\x1b[?1049h\x1b[5H"), USED);
    }

    #[test]
    fn a_line_that_may_have_been_wrapped_is_taken_for_both() {
        let wide = "ü".repeat(50);
        assert_eq!(after(&format!("\x1b[H\x1b[J{wide}\x1b[2H")), LAST);
        assert_eq!(after(&format!("\x1b[H\x1b[J{wide}\x1b[3H")), FREE);
    }

    #[test]
    fn a_screen_of_another_size_is_not_known_any_more() {
        let mut depth = Depth::new(SIZE);
        depth.resize(Size { rows: 9, ..SIZE });
        assert_eq!(depth.to_free_row(), USED.as_bytes());
        depth.feed(b"\x1b[H\x1b[J");
        assert_eq!(depth.to_free_row(), FREE.as_bytes());
    }
}
