//! A terminal with more rows than the screen: it shows the screen at its top, and scrolls no more than that.

use super::recordings::recording;
use super::{fed, screen};
use harness::referee::Referee;
use taskmasterd::screen::Screen;

const ROWS: u16 = 30;
const COLS: u16 = 100;
const TALLER: u16 = 47;

/// What the terminal shows at its top, and that there is nothing below.
#[track_caller]
fn assert_shows(taller: &Referee, truth: &Referee, what: &str) {
    assert_eq!(taller.text(), truth.text(), "{what}");
    assert_eq!(taller.cursor(), truth.cursor(), "{what}");
}

/// A terminal that is shown what a watcher of the screen is.
struct Watcher {
    terminal: Referee,
    screen: Screen<Vec<u8>>,
}

impl Watcher {
    fn arriving(mut screen: Screen<Vec<u8>>) -> Self {
        screen.take_unbound();
        let mut terminal = Referee::new(TALLER, COLS);
        terminal.feed(&screen.bounded_snapshot(0, TALLER).bytes);
        Self { terminal, screen }
    }

    fn feed(&mut self, bytes: &[u8]) {
        self.terminal.feed(bytes);
        self.screen.feed(bytes, &mut Vec::new());
        if self.screen.take_unbound() {
            let snapshot = self.screen.bounded_snapshot(0, TALLER);
            self.terminal.feed(&snapshot.bytes);
        }
    }
}

#[test]
fn programs_go_on_as_on_a_terminal_of_their_own_size() {
    for name in ["bash", "vim", "less", "htop", "top", "python", "mc"] {
        let mut bytes = recording(name);
        // The last words of top are for the row below the last one, which a taller terminal has.
        let below = memchr::memmem::find(&bytes, b"\x1b[31;1H");
        bytes.truncate(below.unwrap_or(bytes.len()));
        for cut in (0..bytes.len()).step_by(bytes.len() / 20 + 1) {
            let mut truth = Referee::new(ROWS, COLS);
            truth.feed(&bytes[..cut]);
            let mut watcher = Watcher::arriving(fed(ROWS, COLS, &bytes[..cut], 4096));
            for part in bytes[cut..].chunks(1000) {
                truth.feed(part);
                watcher.feed(part);
                if watcher.screen.is_drawn() {
                    assert_shows(&watcher.terminal, &truth, &format!("{name} from {cut}"));
                }
            }
        }
    }
}

/// What makes the screen more than lines, and what takes a scroll region back, on a screen that is full or not.
#[test]
fn its_own_rows_alone_scroll_whatever_the_program_does() {
    let full = "a line\r\n".repeat(40);
    let scrolls = "\r\nmore".repeat(40) + "\x1b[3;5Hthere\x1b[2L\x1b[M\x1b[30Hlast";
    for before in ["", "one line", &full] {
        for drawn in [
            "",
            "\x1b[H\x1b[2J",
            "\x1b[5;20r\x1b[9H",
            "\x1b[?1049h\x1b[H",
            "\x1b[2;31r",
            "\x1b[7;r",
        ] {
            for change in [
                "\x1b[H",
                "\x1b[r",
                "\x1bc",
                "\x1b[2;7r\x1b[r",
                "\x1b[1;30r",
                "\x1b[1;999r",
                "\x1b[3;r\x1b[9H",
                "\x1b[9;99r",
                "\x1b[9;9r",
                "\x1b[?1049l\x1b[9H",
            ] {
                let what = format!("{before:.10?} {drawn:?} {change:?}");
                let mut watcher = Watcher::arriving(fed(ROWS, COLS, before.as_bytes(), 7));
                let mut truth = Referee::new(ROWS, COLS);
                truth.feed(before.as_bytes());
                for bytes in [drawn, change, &scrolls] {
                    truth.feed(bytes.as_bytes());
                    watcher.feed(bytes.as_bytes());
                }
                assert!(watcher.screen.is_drawn(), "{what}");
                assert_shows(&watcher.terminal, &truth, &what);
            }
        }
    }
}

/// A log may use all the room there is.
#[test]
fn lines_are_not_held_in_the_rows_of_the_screen() {
    let mut watcher = Watcher::arriving(screen(ROWS, COLS));
    let mut truth = Referee::new(TALLER, COLS);
    for line in 0..100 {
        let line = format!("{line}\r\n");
        truth.feed(line.as_bytes());
        watcher.feed(line.as_bytes());
    }
    assert_shows(&watcher.terminal, &truth, "lines");
}
