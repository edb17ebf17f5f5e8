//! Real programs: whoever attaches in the middle sees what he would have seen all along.
//!
//! At cuts all over each recording, also within sequences and characters, a snapshot is given to one terminal and
//! the bytes so far to another; they have to show the same, then, after the rest, and after the alternate screen.

use std::fs;
use std::path::Path;

use super::fed;
use harness::referee::{Referee, assert_same};

const ROWS: u16 = 30;
const COLS: u16 = 100;
const CUTS: usize = 60;

pub(super) fn recording(name: &str) -> Vec<u8> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/recordings");
    fs::read(directory.join(name).with_extension("raw")).expect("a recording can be read")
}

/// Places all over `len` bytes, the same ones every time, at no regular distance.
fn cuts(len: usize) -> impl Iterator<Item = usize> {
    (0..CUTS).map(move |cut| (len * cut / CUTS + cut * 7919 % (len / CUTS)).min(len))
}

fn check(name: &str) {
    let bytes = recording(name);
    let mut whole = Referee::new(ROWS, COLS);
    whole.feed(&bytes);
    for cut in cuts(bytes.len()).chain([bytes.len()]) {
        let (before, after) = bytes.split_at(cut);
        let snapshot = fed(ROWS, COLS, before, 4096).snapshot(0);
        assert!(!snapshot.incomplete);
        let (mut truth, mut shown) = (Referee::new(ROWS, COLS), Referee::new(ROWS, COLS));
        truth.feed(before);
        shown.feed(&snapshot.bytes);
        assert_same(&truth.seen(), &shown.seen(), &format!("{name} at {cut}"));
        shown.feed(after);
        let what = format!("{name} at {cut}, at the end");
        assert_same(&whole.seen(), &shown.seen(), &what);
        assert_same(
            &truth.feed(b"\x18\x1b[?1049l").seen(),
            &Referee::new(ROWS, COLS)
                .feed(&snapshot.bytes)
                .feed(b"\x18\x1b[?1049l")
                .seen(),
            &format!("{name} at {cut}, behind the alternate screen"),
        );
    }
}

/// A smaller terminal shows the upper left part of what was drawn: nothing is moved by what does not fit. At its right
/// margin is what came last.
#[test]
fn a_smaller_terminal_shows_a_part() {
    for name in ["vim", "less", "htop", "top", "mc"] {
        let bytes = recording(name);
        for cut in cuts(bytes.len()) {
            let mut screen = fed(ROWS, COLS, &bytes[..cut], 4096);
            if !screen.is_drawn() {
                continue;
            }
            let snapshot = screen.snapshot(0);
            let mut whole = Referee::new(ROWS, COLS);
            let mut part = Referee::new(ROWS - 10, COLS - 30);
            let left = |text: String| -> Vec<String> {
                let rows = text.lines().map(|row| {
                    let left: String = row.chars().take(usize::from(COLS) - 32).collect();
                    left.trim_end().to_owned()
                });
                let rows = rows.chain(std::iter::repeat(String::new()));
                rows.take(usize::from(ROWS) - 10).collect()
            };
            let whole = left(whole.feed(&bytes[..cut]).text());
            let part = left(part.feed(&snapshot.bytes).text());
            assert_eq!(whole, part, "{name} at {cut}");
        }
    }
}

/// What a program has drawn over is not above it. It drew in front of a shell that was just begun.
#[test]
fn no_frame_of_the_past_is_above_what_is_drawn() {
    for name in ["vim", "less", "htop", "top", "mc"] {
        let bytes = recording(name);
        for cut in cuts(bytes.len()) {
            let snapshot = fed(ROWS, COLS, &bytes[..cut], 4096).snapshot(40);
            let mut shown = Referee::new(ROWS, COLS);
            let above = shown.feed(&snapshot.bytes).history();
            assert_eq!(above, [""; 0], "{name} at {cut}");
        }
    }
}

/// Full-screen programs leave a scroll region behind that is the whole screen.
#[test]
fn after_a_full_screen_program_has_ended_lines_are_lines_again() {
    for name in ["vim", "less", "htop", "top"] {
        let mut screen = fed(ROWS, COLS, &recording(name), 4096);
        assert!(screen.is_drawn(), "{name}");
        let lines = b"a line, which is nothing but a line\r\n".repeat(2000);
        screen.feed(&lines, &mut Vec::new());
        assert!(!screen.is_drawn(), "{name}");
    }
}

#[test]
fn bash_is_restored_exactly() {
    check("bash");
}

#[test]
fn vim_is_restored_exactly() {
    check("vim");
}

#[test]
fn less_is_restored_exactly() {
    check("less");
}

#[test]
fn htop_is_restored_exactly() {
    check("htop");
}

#[test]
fn top_is_restored_exactly() {
    check("top");
}

#[test]
fn python_is_restored_exactly() {
    check("python");
}

#[test]
fn mc_is_restored_exactly() {
    check("mc");
}
