//! A picture has a limit: a screen full of colours is shown in black and white, and otherwise as it is.

use std::fmt::Write;

use super::fed;
use harness::referee::{Referee, assert_same};
use taskmasterd::limits::SNAPSHOT_LEN_MAX;

const ROWS: u16 = 100;
const COLS: u16 = 400;

/// Each cell in colours of its own, in so many rows.
fn painted(rows: u16) -> String {
    let mut out = String::new();
    for row in 1..=rows {
        write!(out, "\x1b[{row}H").expect("a string takes all");
        for col in 0..COLS {
            let (red, blue) = (col % 256, 255 - col % 256);
            let letter = char::from(b'a' + (col % 26) as u8);
            write!(out, "\x1b[38;2;{red};1;2;48;2;3;4;{blue}m{letter}")
                .expect("a string takes all");
        }
    }
    out + "\x1b[m"
}

#[track_caller]
fn assert_shown_without_colours(before: &str, after: &str) {
    let mut screen = fed(ROWS, COLS, before.as_bytes(), 64 * 1024);
    let picture = screen.bounded_snapshot(0, ROWS);
    assert!(picture.bytes.len() < SNAPSHOT_LEN_MAX);
    let (mut truth, mut shown) = (Referee::new(ROWS, COLS), Referee::new(ROWS, COLS));
    truth.feed(before.as_bytes()).feed(after.as_bytes());
    shown.feed(b"\x1b[?7l\x1b[4h\x1b(0junk");
    shown.feed(&picture.bytes).feed(after.as_bytes());
    assert_same(&truth.text(), &shown.text(), "text");
    assert_same(&truth.settings(), &shown.settings(), "modes");
}

#[test]
fn a_screen_of_too_many_colours_is_shown_as_text() {
    let whole = painted(ROWS);
    assert_shown_without_colours(&format!("{whole}\r"), "x\x1b[31my\r\nz");
    assert_shown_without_colours(&format!("{whole}\x1b[7;9H"), "x");
    assert_shown_without_colours(&format!("\x1b[?1049h{whole}\x1b[?2004h\x1b[5;6H"), "x");
    let modes = "\x1b[4h\x1b[3;20r\x1b(0\x1b[?25l\x1b[?1000h\x1b[7;9H";
    assert_shown_without_colours(&format!("{whole}{modes}"), "qqq");
    let plain = fed(ROWS, COLS, whole.as_bytes(), 64 * 1024).bounded_plain_snapshot(0);
    let lines = String::from_utf8(plain.bytes).expect("text is text");
    assert_eq!(lines.matches("abcdef").count(), 16 * usize::from(ROWS));
}

#[test]
fn colours_within_the_limit_are_shown() {
    for before in [painted(20), format!("\x1b[?1049h{}", painted(20))] {
        let mut screen = fed(ROWS, COLS, before.as_bytes(), 64 * 1024);
        let all = screen.snapshot(0);
        assert_eq!(screen.bounded_snapshot(0, ROWS), all);
        assert_eq!(screen.bounded_plain_snapshot(0), screen.plain_snapshot(0));
    }
}

// Nobody sees the screen behind, but it is in the picture.
#[test]
fn the_hidden_screen_counts() {
    let before = format!("{}\x1b[?1049h\x1b[2;2Hhere", painted(ROWS));
    let mut screen = fed(ROWS, COLS, before.as_bytes(), 64 * 1024);
    assert!(screen.snapshot(0).bytes.len() > SNAPSHOT_LEN_MAX);
    assert!(screen.bounded_snapshot(0, ROWS).bytes.len() < SNAPSHOT_LEN_MAX / 100);
}

// Characters of four bytes, on both screens.
#[test]
fn text_counts() {
    let (rows, cols) = (500, 1000);
    let row = "\u{1d400}".repeat(cols.into());
    let text: String = (1..=rows).map(|at| format!("\x1b[{at}H{row}")).collect();
    let both = format!("{text}\x1b[?1049h{text}");
    let mut screen = fed(rows, cols, both.as_bytes(), 4096);
    let all = screen.snapshot(0).bytes.len();
    let bounded = screen.bounded_snapshot(0, rows).bytes;
    assert!(all > 4_000_000 && bounded.len() < 2_010_000);
    let shown = Referee::new(rows, cols).feed(&bounded).text();
    assert_eq!(shown.matches('\u{1d400}').count(), 500_000);
}
