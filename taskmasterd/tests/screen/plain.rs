//! The screen for a terminal that is told nothing but text and colours.

use super::{fed, screen};
use harness::referee::{Referee, assert_same};

/// What a terminal of ten rows shows that was clear and got the plain picture, then `after`.
fn shown(before: &[u8], history: usize, after: &[u8]) -> Referee {
    let picture = fed(10, 40, before, 7).plain_snapshot(history);
    assert!(!picture.incomplete);
    let sequences = picture.bytes.split(|&byte| byte == 0x1b).skip(1);
    for sequence in sequences.filter(|sequence| sequence.starts_with(b"[")) {
        let last = sequence.iter().find(|byte| byte.is_ascii_alphabetic());
        let plain = last.is_none_or(|last| b"mCDK".contains(last));
        assert!(plain, "{}", sequence.escape_ascii());
    }
    let mut referee = Referee::new(10, 40);
    referee.feed(&picture.bytes).feed(after);
    referee
}

#[track_caller]
fn assert_shown(before: &str, after: &str) {
    let mut truth = Referee::new(10, 40);
    truth.feed(before.as_bytes()).feed(after.as_bytes());
    let shown = shown(before.as_bytes(), 0, after.as_bytes());
    assert_same(&truth.seen(), &shown.seen(), before);
}

/// It goes on where the cursor is, with the pen that is in force.
#[test]
fn lines_are_shown_as_they_are_and_go_on() {
    assert_shown("one\r\ntwo \x1b[31mred", "der\x1b[m plain");
    assert_shown("abc\x08\x08\x1b[1mX\x1b[K", "y");
    let many: String = (0..30).map(|line| format!("line {line}\r\n")).collect();
    assert_shown(&format!("{many}$ "), "ls");
    assert_shown("", "first");
}

#[test]
fn what_was_drawn_is_shown_line_by_line() {
    assert_shown(
        "\x1b[H\x1b[2J\x1b[2;3H\x1b[32mgreen\x1b[4;1Hprompt> ",
        "typed",
    );
    assert_shown("\x1b[Htop\x1b[5;1H\x1b[44mlow\x1b[m\x1b[5;2H", "");
    let above = "\x1b[?1049h\x1b[Htitle\x1b[9;1Hfooter\x1b[2;1H";
    let seen = shown(above.as_bytes(), 0, b"").seen();
    let line = |number: usize| seen.lines().nth(number).unwrap_or_default();
    assert!(
        line(0).contains("title") && line(8).contains("footer"),
        "{seen}"
    );
}

#[test]
fn a_sequence_in_the_middle_of_which_somebody_came_is_none_of_his_text() {
    for before in ["\x1b[Hx\x1b[3", "x\x1b[3"] {
        let seen = shown(before.as_bytes(), 0, b"1mred").seen();
        assert!(seen.starts_with("  0 xred|"), "{seen}");
    }
    let seen = shown(b"x\x1b]0;half a ti", 0, b"tle\x07y").seen();
    assert!(seen.starts_with("  0 xy|"), "{seen}");
}

/// A file gets no sequence that nobody wrote. Where there are colours, it may have missed their end.
#[test]
fn what_has_no_colours_is_shown_without_a_word_of_them() {
    let lines: String = (0..30).map(|line| format!("line {line}\r\n")).collect();
    for history in [0, 5, 100] {
        let picture = fed(10, 40, lines.as_bytes(), 7).plain_snapshot(history);
        let picture = String::from_utf8(picture.bytes).unwrap();
        assert!(picture.starts_with("line ") && lines.ends_with(&picture));
    }
    let drawn = format!("{lines}\x1b[3A\r\n");
    let picture = fed(10, 40, drawn.as_bytes(), 7).plain_snapshot(5);
    assert!(!picture.bytes.contains(&0x1b), "{picture:?}");
    for drawn in ["", "\x1b[3A"] {
        let coloured = format!("\x1b[31mred\x1b[m\r\n{lines}{drawn}");
        let picture = fed(10, 40, coloured.as_bytes(), 7).plain_snapshot(0);
        let mut shown = Referee::new(10, 40);
        shown.feed(b"\x1b[31mmissed").feed(&picture.bytes);
        let settings = Referee::new(10, 40).settings();
        assert_eq!(shown.settings(), settings);
        assert!(picture.bytes.starts_with(b"\x1b[m"), "{picture:?}");
    }
}

#[test]
fn history_comes_before() {
    let lines: String = (0..30).map(|line| format!("line {line}\r\n")).collect();
    for draws in ["", "\x1b[10;1H\x1b[1K"] {
        let seen = shown(format!("{lines}{draws}").as_bytes(), 5, b"");
        let history = seen.history().join("\n");
        let (first, last) = (history.contains("line 16"), history.contains("line 20"));
        assert!(first && last && !history.contains("line 15"), "{history}");
    }
    assert_eq!(screen(10, 40).plain_snapshot(5).bytes, b"");
}
