//! What a program has changed on somebody's terminal is taken back when he leaves.

use harness::referee::{Referee, assert_same};
use shared::tracker::Tracker;

const ROWS: u16 = 10;

/// Tab stops where nobody expects them.
const TABS: &[u8] = b"\x1b[3g\x1b[5G\x1bH\x1b[39G\x1bH\x1b[2;1Htext";

/// Where three tabs lead.
fn tabbed(referee: &mut Referee) -> String {
    referee.feed(b"\r\x1b[K\ta\tb\x1b[3C\tc").seen()
}

fn leave(bytes: &[u8]) -> Vec<u8> {
    let mut tracker = Tracker::default();
    tracker.feed(bytes, &mut Vec::new());
    tracker.leave()
}

/// They are those of a fresh terminal, whatever its width, and the cursor has not moved.
#[test]
fn tab_stops_are_put_back() {
    for cols in [7, 40, 41, 80, 132] {
        let (mut left, mut stayed) = (Referee::new(ROWS, cols), Referee::new(ROWS, cols));
        left.feed(TABS).feed(&leave(TABS));
        stayed.feed(b"\x1b[2;1Htext");
        assert_same(&stayed.seen(), &left.seen(), "before the tabs");
        let (want, got) = (tabbed(&mut stayed), tabbed(&mut left));
        assert_same(&want, &got, &format!("{cols} columns"));
    }
}

/// A terminal that does not know what took it back has it still: tmux ignores DECSTR and `CSI ? 5 W`. And a saved
/// cursor brings the origin with it.
#[test]
fn what_was_ever_set_is_taken_back() {
    for (set, undone, left) in [
        ("\x1b[5;10r", "\x1b[!p", "\x1b[r"),
        ("\x1b[?6h", "\x1b[!p", "\x1b[?6l"),
        ("\x1b[?6h\x1b7\x1b[?6l", "\x1b8", "\x1b[?6l"),
        ("\x1b[3g", "\x1b[?5W", "\x1b[3g"),
    ] {
        let undo = |text: String| {
            let bytes = leave(text.as_bytes());
            String::from_utf8(bytes).unwrap().contains(left)
        };
        assert!(undo(format!("{set}{undone}")), "{set:?}");
        assert!(!undo(format!("{set}{undone}\x1bc")), "{set:?}");
    }
}

#[test]
fn tab_stops_of_a_terminal_that_nobody_knows_are_put_back() {
    for sequence in [Tracker::leave_unknown(), Tracker::fresh()] {
        let (mut left, mut stayed) = (Referee::new(ROWS, 40), Referee::new(ROWS, 40));
        left.feed(TABS).feed(&sequence).feed(b"\x1b[H\x1b[J");
        stayed.feed(&sequence).feed(b"\x1b[H\x1b[J");
        assert_same(&tabbed(&mut stayed), &tabbed(&mut left), "the tabs");
        let mut fresh = Referee::new(ROWS, 40);
        assert_same(&tabbed(&mut fresh), &tabbed(&mut stayed), "both");
    }
}

/// A full-screen program that asked the keyboard for more is killed together with the client.
#[test]
fn the_keyboard_of_both_screens_is_put_back() {
    let pushed = b"\x1b[>1u\x1b[>3u\x1b[=5u\x1b[?1049h\x1b[>7u\x1b[>1u\x1b[=3u";
    let mut left = Referee::new(ROWS, 40);
    left.feed(pushed).feed(&Tracker::leave_unknown());
    let settings = Referee::new(ROWS, 40).settings();
    assert_eq!(left.settings(), settings);
    assert_eq!(left.feed(b"\x1b[?1049h").settings(), {
        Referee::new(ROWS, 40).feed(b"\x1b[?1049h").settings()
    });
}
