//! A screen that is not known is known again from where it is cleared.

use std::sync::atomic::{AtomicUsize, Ordering};

use taskmasterd::screen::Screen;
use taskmasterd::screen::emulator::emulator;

use super::{fed, screen};
use harness::referee::{Referee, assert_same};

/// More than an engine may have to do with one piece of output.
fn too_much() -> Vec<u8> {
    b"\x1b#8".repeat(20_000)
}

/// A loop that clears the screen and writes a word, as fast as it goes: what it wrote last is to be seen.
#[test]
fn who_clears_the_screen_is_known_again() {
    for (rows, cols) in [(24, 80), (60, 200), (500, 1000)] {
        for (enter, frame) in [
            ("", "\x1b[H\x1b[2J\x1b[3Jframe\r\n"),
            ("", "\x1b[H\x1b[Jframe\r\n"),
            ("", "\x1b[2J\x1b[Hframe\r\n"),
            ("", "\x1bcframe\r\n"),
            ("kept\r\n\x1b[?1049h", "\x1b[H\x1b[2Jframe\r\n"),
        ] {
            let flood = format!("{enter}{}finished", frame.repeat(3000));
            let mut busy = fed(rows, cols, flood.as_bytes(), 4096);
            let shown = busy.text();
            assert_eq!(shown[..2], ["frame", "finished"], "{rows}x{cols} {frame:?}");
            assert!(!busy.snapshot(0).incomplete, "{rows}x{cols} {frame:?}");
            if !enter.is_empty() {
                busy.feed(b"\x1b[?1049l", &mut Vec::new());
                assert_eq!(busy.text()[0], "kept", "{rows}x{cols}");
            }
        }
    }
}

/// The primary screen is not known because the alternate one is.
#[test]
fn a_clearing_makes_known_what_it_clears() {
    let mut screen = screen(24, 80);
    screen.feed(b"\x1b[5;5Hprimary", &mut Vec::new());
    screen.feed(&too_much(), &mut Vec::new());
    screen.feed(b"\x1b[?1049h\x1b[H\x1b[2Jalternate", &mut Vec::new());
    screen.feed(b"\x1b[?1049l", &mut Vec::new());
    assert!(screen.is_lost() && screen.snapshot(0).incomplete);
    // A reset counts rows from the top again.
    screen.feed(b"\x1b[?6h\x1bcafter", &mut Vec::new());
    assert_eq!(screen.text()[0], "after");
    assert!(!screen.is_lost());
}

/// What came before it may have left no work to do it with.
#[test]
fn the_last_clearing_is_drawn_whatever_came_before() {
    for clearings in 160..180 {
        let text = "\x1b[H\x1b[2J".repeat(clearings) + "finished";
        let mut screen = screen(60, 200);
        screen.feed(b"\x1b[5;5Hx", &mut Vec::new());
        screen.feed(text.as_bytes(), &mut Vec::new());
        assert!(screen.is_drawn(), "{clearings}");
        assert_eq!(screen.text()[0], "finished");
    }
}

#[test]
fn a_clearing_counts_however_it_is_cut() {
    for (first, second) in [
        ("\x1b[H", "\x1b[2Jafter"),
        ("\x1b[H\x1b[2", "Jafter"),
        ("\x1b[2J\x1b", "[3J\x1b[Hafter"),
        ("\x1b[?6h\x1b", "cafter"),
    ] {
        let mut screen = screen(24, 80);
        screen.feed(b"\x1b[5;5Hx", &mut Vec::new());
        screen.feed(&too_much(), &mut Vec::new());
        screen.feed(first.as_bytes(), &mut Vec::new());
        assert!(screen.is_lost());
        screen.feed(second.as_bytes(), &mut Vec::new());
        assert!(screen.is_drawn(), "{first:?}");
        assert_eq!(screen.text()[0], "after", "{first:?}");
    }
}

/// It was drawn longer ago than the ring remembers.
#[test]
fn what_the_alternate_screen_hides_is_known_only_as_far_as_the_ring_goes() {
    for (lines, known) in [(10, true), (10_000, false)] {
        let mut screen = screen(24, 80);
        screen.feed(b"\x1b[1;1Htitle", &mut Vec::new());
        for line in 0..lines {
            let status = format!("\x1b[24;1Hstatus {line}");
            screen.feed(status.as_bytes(), &mut Vec::new());
        }
        screen.feed(b"\x1b[?1049h", &mut Vec::new());
        screen.feed(&too_much(), &mut Vec::new());
        assert!(screen.is_lost());
        screen.feed(b"\x1b[H\x1b[2Jalternate", &mut Vec::new());
        assert!(!screen.snapshot(0).incomplete);
        screen.feed(b"\x1b[?1049l", &mut Vec::new());
        assert_eq!(screen.snapshot(0).incomplete, !known);
        assert_eq!(screen.text()[0] == "title", known);
    }
}

/// Both screens of it.
#[test]
fn a_reset_makes_all_known() {
    let mut screen = screen(24, 80);
    screen.feed(b"\x1b[5;5Hprimary", &mut Vec::new());
    screen.feed(&too_much(), &mut Vec::new());
    screen.feed(b"\x1b[?1049h\x1b[H\x1b[2Jalternate", &mut Vec::new());
    assert_eq!(screen.text()[0], "alternate");
    assert!(screen.is_drawn());
    screen.feed(b"\x1bcafter", &mut Vec::new());
    assert_eq!(screen.text()[0], "after");
    screen.feed(b"\x1b[?1049h\x1b[?1049l", &mut Vec::new());
    assert!(screen.is_drawn() && screen.text()[0] == "after");
}

/// The engine that was given up begins anew: nothing of what it knew shows through, or works on.
#[test]
fn nothing_of_what_was_before_is_left() {
    for before in [
        "\x1b[4h\x1b[5;5Habc",
        "\x1b[?1h\x1b=",
        "\x1b[?6h\x1b[3;9r\x1b[2;2H",
        "\x1b(0\x1b)0\x0e\x1b[1;4;31;42m",
        "\x1b[?7l\x1b[?25l\x1b[?1049h\x1b[4;4H",
        "\x1b[?1049h\x1b[2;2r\x1b[31m\x1b[?1049l",
        "one\r\ntwo\r\nthree\x1b[H",
        "\x1b[38;5;1",
    ] {
        for clearing in [
            "\x1b[?6l\x1b[H\x1b[2J\x1b[3J",
            "\x1b[?6l\x1b[2J\x1b[H",
            "\x1bc",
        ] {
            for after in [
                "",
                "a\x1b[Ib\nc\x1b[20;1Hd\ne",
                "\x1b[5G0123456789\x1b[5Gxy",
            ] {
                let mut bytes = before.as_bytes().to_vec();
                bytes.extend(b"\x1b#8".repeat(1500));
                let mut screen = fed(24, 20, &bytes, 4096);
                assert!(screen.is_lost(), "{before:?}");
                let rest = [clearing, after].concat();
                screen.feed(rest.as_bytes(), &mut Vec::new());
                bytes.extend(rest.bytes());
                let (mut truth, mut shown) = (Referee::new(24, 20), Referee::new(24, 20));
                truth.feed(&bytes);
                shown.feed(&screen.snapshot(0).bytes);
                let what = format!("{before:?} {clearing:?} {after:?}");
                assert_same(&truth.seen(), &shown.seen(), &what);
                assert!(screen.text_above(10).is_empty(), "{what}");
            }
        }
    }
}

/// A large one is dear to make, and to give up.
#[test]
fn the_engine_that_was_given_up_is_the_one_that_begins_anew() {
    static MADE: AtomicUsize = AtomicUsize::new(0);
    let count = |size| {
        MADE.fetch_add(1, Ordering::Relaxed);
        emulator(size)
    };
    let mut screen = Screen::with_engine(24, 80, |len| Ok(vec![0; len]), count);
    screen.feed(b"\x1b[5;5Hx", &mut Vec::new());
    for clearing in [&b"\x1b[H\x1b[2J"[..], b"\x1bc", b"\x1b[2J\x1b[H"] {
        screen.feed(&too_much(), &mut Vec::new());
        assert!(screen.is_lost());
        screen.feed(clearing, &mut Vec::new());
        assert!(screen.is_drawn());
    }
    assert_eq!(MADE.load(Ordering::Relaxed), 1);
}
