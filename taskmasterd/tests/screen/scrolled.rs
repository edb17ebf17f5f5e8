//! Rows that scroll in: terminals fill them with the background in force, and with nothing else.

use super::fed;
use harness::referee::{Referee, assert_same};

const ROWS: u16 = 10;
const COLS: u16 = 40;

/// A row that scrolls in has the background that is in force, to its end; one that is there already has none.
#[test]
fn rows_that_scrolled_in_coloured_are_coloured_to_their_end() {
    let lines = "plain\r\n".repeat(2 * usize::from(ROWS));
    for text in [
        "\x1b[42mgreen\r\n\x1b[mnext\x1b[20Cx\r\n",
        "\x1b[44mblue\n\x1b[m",
        "\x1b[48;5;99mwrapped\x1b[1m",
        "\x1b[101m\x1b[31mred on red\r\n\x1b[49mno more\r\nof it",
    ] {
        let long = format!("{lines}{}", text.replace("wrapped", &"wrapped".repeat(30)));
        for before in [&long[lines.len()..], &long, &long.replace('\n', "\n\n")] {
            let mut truth = Referee::new(ROWS, COLS);
            truth.feed(before.as_bytes());
            for piece in [1, 9, 4096] {
                let mut shown = Referee::new(ROWS, COLS);
                shown.feed(&fed(ROWS, COLS, before.as_bytes(), piece).snapshot(0).bytes);
                assert_same(
                    &truth.seen(),
                    &shown.seen(),
                    &format!("{text:?} by {piece}"),
                );
            }
        }
    }
}

/// So does one that text wraps into, and of whatever else is in force it has nothing.
#[test]
fn rows_that_text_wrapped_into_have_the_background_alone() {
    let long = "0123456789".repeat(usize::from(COLS) / 10 * 2) + "end";
    let wide = "日本".repeat(usize::from(COLS) / 3) + "x";
    for text in [&long, &wide, &format!("a\x1b[3Cb\x08{long}\r{long}")] {
        for pen in ["7", "4", "9", "7;42", "4;48;5;99", "1;31;7"] {
            for start in [
                "\x1b[99;3H",
                "\x1b[2;5r\x1b[5;3H",
                "\x1b[2;3H",
                "\x1b[99;4H",
                "\x1b[?7l\x1b[99H",
                "\x1b[?1049h\x1b[99H",
            ] {
                let before = format!("filled\x1b[2;9Hhere\x1b[3Hthere{start}\x1b[{pen}m{text}");
                let after = "\x1b[mplain";
                for piece in [1, 7, 4096] {
                    let mut shown = Referee::new(ROWS, COLS);
                    shown.feed(&fed(ROWS, COLS, before.as_bytes(), piece).snapshot(0).bytes);
                    let mut truth = Referee::new(ROWS, COLS);
                    truth.feed(before.as_bytes()).feed(after.as_bytes());
                    shown.feed(after.as_bytes());
                    assert_same(
                        &truth.seen(),
                        &shown.seen(),
                        &format!("{before:?} by {piece}"),
                    );
                }
            }
        }
    }
}
