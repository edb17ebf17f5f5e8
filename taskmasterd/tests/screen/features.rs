//! One feature at a time: what was set before an attach holds after it.
//!
//! Each case is what a program wrote before the attach and what it writes after. The referee that got the snapshot,
//! on a terminal somebody else has left in disorder, has to end up like the one that got everything.

use super::fed;
use harness::referee::{Referee, assert_same};

const ROWS: u16 = 10;
const COLS: u16 = 40;

/// What a stranger may have left behind.
const DISORDER: &[u8] = b"\x1b[?1h\x1b[?6h\x1b[?25l\x1b[?1003h\x1b[?1006h\x1b[?2004h\x1b[?1004h\x1b=\x1b[4h\x1b[3;5r\
    \x1b[3g\x1b[3G\x1bH\x1b(0\x1b)0\x0e\x1b[1;4;7;31;42m\x1b[3 qjunk junk\r\nmore junk\x1b7\x1b[?7l\x1b]8;;http://left\x07";

/// Name, before, after.
const CASES: [(&str, &str, &str); 55] = [
    ("text", "one\r\ntwo", " and three"),
    (
        "text on the whole screen",
        "1\r\n2\r\n3\r\n4\r\n5\r\n6\r\n7\r\n8\r\n9\r\n10\r\n11\r\n12",
        "\r\nx",
    ),
    (
        "colours",
        "\x1b[31;44mred\x1b[38;5;200mpink\x1b[48;2;1;2;3mdeep",
        "er\x1b[mplain",
    ),
    ("bright colours", "\x1b[97;101mwhite\x1b[H", "x"),
    (
        "attributes",
        "\x1b[1mb\x1b[22;2md\x1b[3mi\x1b[4mu\x1b[7mr\x1b[9ms\x1b[H",
        "all",
    ),
    ("pen across the attach", "\x1b[H\x1b[1;3;4;7;32m", "text"),
    ("coloured erase", "\x1b[41m\x1b[2J\x1b[3;3Hx", "y"),
    (
        "erase with a loud pen",
        "\x1b[4;7;42m\x1b[2;2H\x1b[K\x1b[3;3H\x1b[5X\x1b[4;1Hab\x1b[4;1H\x1b[P\x1b[2@\x1b[L",
        "x",
    ),
    (
        "scroll with a loud pen",
        "\x1b[10;1H\x1b[7;4mx\r\ny\n\x1b[H\x1bM",
        "z",
    ),
    (
        "alternate screen with a loud pen",
        "\x1b[4;7mbefore\x1b[?1049h\x1b[3;3Hx",
        "y\x1b[?1049lz",
    ),
    ("position", "\x1b[5;20Hhere", "there"),
    (
        "wrapping across a saved cursor",
        "\x1b[2;38H\x1b7\x1b[?7l\x1b8abcdef\r",
        "\x1b8ghijk\x1b[?7h\x1b8lmnop",
    ),
    (
        "wrapping across CSI s and u",
        "\x1b[2;38H\x1b[?7l\x1b[s\x1b[?7h\x1b[uabcdef",
        "gh\x1b[?7l\x1b[uijklmn\x1b[H",
    ),
    (
        "wrapping across the alternate screen",
        "\x1b[2;38H\x1b[?1049h\x1b[?7l\x1b[?1049labcdef\r",
        "\x1b[2;38Hghijk\r",
    ),
    (
        "pending wrap",
        "\x1b[2;1H0123456789012345678901234567890123456789",
        "x",
    ),
    (
        "pending wrap of a line",
        "0123456789012345678901234567890123456789",
        "x",
    ),
    ("wide characters", "\x1b[H日本語\x1b[1;5H", "x"),
    (
        "wide character at the margin",
        "\x1b[1;39H日\x1b[2;40H本",
        "x",
    ),
    ("scroll region", "\x1b[3;6r\x1b[6;1Hx", "\n\ny"),
    ("origin mode", "\x1b[3;6r\x1b[?6h\x1b[2;2Hx", "\x1b[Hy"),
    ("insert mode", "\x1b[Habc\x1b[4h\x1b[1;2H", "XY"),
    ("no autowrap", "\x1b[?7l\x1b[1;39H", "abcdef"),
    (
        "saved cursor",
        "\x1b[3;7H\x1b[33m\x1b7\x1b[H\x1b[0mx",
        "\x1b8here",
    ),
    ("saved cursor, ANSI", "\x1b[3;7H\x1b[s\x1b[Hx", "\x1b[uhere"),
    ("line drawing", "\x1b(0\x1b[Hlqk", "mqj\x1b(Babc"),
    ("line drawing in G1", "\x1b)0\x1b[Ha\x0eq", "q\x0fq"),
    (
        "line drawing saved and restored",
        "a\x1b(0\x1b7\x1b(Bqq\x1b8qq\x1b(B|z",
        "q\x1b[s\x1b(0q\x1b[uq\x1b)0\x0e\x1b[?1048h\x0f\x1b)B\x1b[?1048lq",
    ),
    (
        "line drawing saved",
        "\x1b[2;2H\x1b(0\x1b7\x1b(Bqq",
        "q\x1b8qq\x1b(Bq",
    ),
    (
        "line drawing saved in the corner",
        "\x1b(0\x1b7\x1b(Bqq\r\nqq",
        "q\x1b8qq\x1b(Bq",
    ),
    (
        "line drawing behind",
        "\x1b[2;2H\x1b(0q\x1b[?1049h\x1b(B\x1b[4;4Hq",
        "q\x1b[?1049lq\x1b(Bq",
    ),
    (
        "line drawing saved on the alternate screen",
        "q\x1b[?1049h\x1b(0\x1b[4;4H\x1b7\x1b(B\x1b[Hq",
        "q\x1b8q",
    ),
    (
        "line drawing saved, counted from elsewhere",
        "\x1b[?6h\x1b[9;2H\x1b(0\x1b7\x1b(B\x1b[3;6r\x1b8\x1b(Bq",
        "q\x1b8q",
    ),
    (
        "tab stops",
        "\x1b[3g\x1b[1;5H\x1bH\x1b[1;9H\x1bH\x1b[2;1H",
        "\tx\ty\tz",
    ),
    ("tab stops as they were", "\x1b[Hx", "\ty\tz"),
    ("new line mode", "\x1b[H\x1b[20habc", "\ndef"),
    ("hidden cursor", "\x1b[?25l\x1b[Hx", "y\x1b[?25h"),
    ("cursor shape", "\x1b[5 q\x1b[Hx", "y"),
    ("blinking cursor", "\x1b[?12h\x1b[Hx", "y"),
    ("application cursor keys", "\x1b[?1h", "x"),
    ("application keypad", "\x1b=", "x"),
    ("mouse", "\x1b[?1002h\x1b[?1006h", "x\x1b[?1002l"),
    (
        "mouse, the last mode counts",
        "\x1b[?1003h\x1b[?1000h\x1b[?1005h",
        "x",
    ),
    ("focus and paste", "\x1b[?1004h\x1b[?2004h", "x"),
    ("kitty keyboard", "\x1b[>1u\x1b[>5u", "x\x1b[<u"),
    (
        "kitty keyboard behind",
        "\x1b[>1u\x1b[?1049h\x1b[>7u",
        "x\x1b[<u\x1b[?1049l",
    ),
    ("title", "\x1b]0;größe\x07x", "y"),
    (
        "open link",
        "\x1b]8;;http://x\x1b\\",
        "link\x1b]8;;\x1b\\ none",
    ),
    (
        "alternate screen",
        "primary\x1b[2;5H\x1b[32m\x1b[?1049h\x1b[Halt",
        "more\x1b[?1049l back",
    ),
    (
        "alternate screen, pen behind",
        "\x1b[2J\x1b[4;4H\x1b[1;31mred\x1b[?1049h\x1b[0;7m\x1b[Hx",
        "\x1b[?1049l!",
    ),
    (
        "saved cursor on both sides",
        "\x1b[?1049h\x1b[5;5H\x1b7\x1b[Hx",
        "\x1b8y\x1b[?1049lz",
    ),
    (
        "back from the alternate screen",
        "abc\x1b[?1049h\x1b[5;5H\x1b7alt\x1b[?1049l",
        "def",
    ),
    (
        "insertions and deletions",
        "1\r\n2\r\n3\r\n4\x1b[2;1H\x1b[L\x1b[M\x1b[2M\x1b[S\x1b[T",
        "x",
    ),
    ("repetition", "\x1b[Hab\x1b[7b", "c"),
    ("alignment", "\x1b#8\x1b[2;2Hx", "y"),
    ("reset", "\x1b[31m\x1b[?1049h\x1b[?1000h\x1b[4hx\x1bcy", "z"),
];

#[test]
fn every_feature_survives_an_attach() {
    for (name, before, after) in CASES {
        let snapshot = fed(ROWS, COLS, before.as_bytes(), 7).snapshot(0);
        let mut truth = Referee::new(ROWS, COLS);
        let mut shown = Referee::new(ROWS, COLS);
        truth.feed(before.as_bytes());
        shown.feed(DISORDER).feed(&snapshot.bytes);
        let script = snapshot.bytes.escape_ascii();
        assert_same(&truth.seen(), &shown.seen(), &format!("{name}: {script}"));
        truth.feed(after.as_bytes());
        shown.feed(after.as_bytes());
        assert_same(&truth.seen(), &shown.seen(), &format!("{name}, afterwards"));
        assert_eq!(shown.answers(), "", "{name}");
    }
}

/// A cut within a sequence or a character: nothing is lost, and nothing gets in between.
#[test]
fn an_attach_in_the_middle_of_a_sequence_changes_nothing() {
    let stream = "\x1b[2J\x1b[1;31m\x1b[2;3Hgröße 日本語\x1b]0;title\x07\x1b(0q\x1b(B\x1b[?1049h\x1b[38;5;99mx\
        \x1bPq#0\x1b\\\x1b[3 q\x1b[?25l";
    for cut in 0..=stream.len() {
        let (before, after) = stream.as_bytes().split_at(cut);
        let snapshot = fed(ROWS, COLS, before, 1).snapshot(0);
        let (mut truth, mut shown) = (Referee::new(ROWS, COLS), Referee::new(ROWS, COLS));
        truth.feed(before).feed(after);
        shown.feed(&snapshot.bytes).feed(after);
        assert_same(&truth.seen(), &shown.seen(), &format!("cut at {cut}"));
    }
}

/// The engine has no place for what is drawn onto the cell before it; the row stays in its columns all the same.
#[test]
fn marks_without_a_width_are_left_out_and_shift_nothing() {
    let stream = "\x1b[He\u{301}x \u{2764}\u{fe0f}y a\u{200d}b|";
    let mut screen = fed(ROWS, COLS, stream.as_bytes(), 100);
    assert_eq!(screen.text()[0], "ex \u{2764}y ab|");
    let mut truth = Referee::new(ROWS, COLS);
    truth.feed(stream.as_bytes());
    let plain = truth
        .seen()
        .replace(['\u{301}', '\u{fe0f}', '\u{200d}'], "");
    let mut shown = Referee::new(ROWS, COLS);
    shown.feed(&screen.snapshot(0).bytes);
    assert_same(&plain, &shown.seen(), "without marks");
}

/// What a drawn screen loses, so that nobody believes otherwise: the engine knows nothing of it. The text itself
/// stays, lines that are not drawn lose none of it but links, and it is back when the program draws there again.
#[test]
fn what_the_engine_does_not_know_is_lost_from_what_was_drawn() {
    const LOST: [(&str, &str); 3] = [
        ("kinds of underlines", "\x1b[4:3mx\x1b[m"),
        ("links", "\x1b]8;;http://x\x07x\x1b]8;;\x07"),
        ("bold and faint at once", "\x1b[1;2mx\x1b[m"),
    ];
    for (name, drawing) in LOST {
        for (prefix, drawn) in [("", false), ("\x1b[H", true)] {
            let stream = format!("{prefix}{drawing}");
            let (mut truth, mut shown) = (Referee::new(ROWS, COLS), Referee::new(ROWS, COLS));
            truth.feed(stream.as_bytes());
            shown.feed(&fed(ROWS, COLS, stream.as_bytes(), 9).snapshot(0).bytes);
            let kept = truth.seen() == shown.seen();
            assert_eq!(kept, !drawn && name != "links", "{name}: {}", shown.seen());
            assert!(shown.seen().starts_with("  0 x|"));
        }
    }
}

/// A password that was written to be seen by nobody is in no picture, nor is what comes after the attach.
#[test]
fn what_is_concealed_is_shown_nowhere() {
    let concealed = "\x1b[31mpassword: \x1b[8msecret \x1b[1mkey\u{301} 日本\x1b[28m.\r\nx\x1b[8m\x1b[3by\x1b[0m|z";
    let rows = ["password:                .", "x    |z"];
    for prefix in ["", "\x1b[H"] {
        let mut screen = fed(ROWS, COLS, format!("{prefix}{concealed}").as_bytes(), 5);
        assert_eq!(screen.text()[..2], rows, "{prefix:?}");
        let plain = |text: &str| text.contains("secret") || text.contains("key");
        assert!(!plain(&screen.ansi().concat()));
        assert!(prefix.is_empty() || !plain(&String::from_utf8_lossy(&screen.snapshot(9).bytes)));
        let (mut truth, mut shown) = (Referee::new(ROWS, COLS), Referee::new(ROWS, COLS));
        shown.feed(&screen.snapshot(9).bytes).feed(b"\x1b[8mmore");
        truth.feed(concealed.as_bytes()).feed(b"\x1b[8mmore");
        assert_eq!(shown.settings(), truth.settings());
        let across = format!("{prefix}x\x1b[4:3;8m");
        let mut shown = Referee::new(ROWS, COLS);
        shown.feed(&fed(ROWS, COLS, across.as_bytes(), 5).snapshot(0).bytes);
        let mut truth = Referee::new(ROWS, COLS);
        assert_eq!(shown.settings(), truth.feed(across.as_bytes()).settings());
    }
}

/// No dump has C1 controls in one byte, or as characters, and none has a question in it.
#[test]
fn a_snapshot_is_seven_bit_and_asks_nothing() {
    let stream = "\x1b[2J\u{9b}31mx\u{90}y\u{9d}z\x1b[6n\x1b[c\x1b[5n\x1b[>c\x1b[?1049h\x1b[18t\x1b]10;?\x07\x1b[?2026$p";
    for bytes in [stream.as_bytes(), b"\x9b31mline\x90\x9d\r\n\x1b[5n\x1b[c"] {
        let snapshot = fed(ROWS, COLS, bytes, 3).snapshot(100);
        let text = String::from_utf8_lossy(&snapshot.bytes);
        assert!(
            !text.chars().any(|c| ('\u{80}'..'\u{a0}').contains(&c)),
            "{text:?}"
        );
        let mut shown = Referee::new(ROWS, COLS);
        shown.feed(&snapshot.bytes);
        assert_eq!(shown.answers(), "");
    }
}

/// Questions are told once, and the answers are those of a terminal.
#[test]
fn questions_are_answered_as_a_terminal_does() {
    let mut screen = super::screen(ROWS, COLS);
    let mut queries = Vec::new();
    screen.feed(b"\x1b[3;7H\x1b[", &mut queries);
    assert!(queries.is_empty());
    screen.feed(b"6n\x1b[5n\x1b[c", &mut queries);
    assert_eq!(
        screen.answers(&queries).escape_ascii().to_string(),
        "\\x1b[3;7R\\x1b[0n\\x1b[?62;22c"
    );
}

/// An engine is there while it is needed: not for lines, and not for ever.
#[test]
fn an_engine_draws_only_as_long_as_it_has_to() {
    let mut screen = super::screen(ROWS, COLS);
    let feed = |screen: &mut taskmasterd::screen::Screen<Vec<u8>>, bytes: &[u8]| {
        screen.feed(bytes, &mut Vec::new());
        screen.is_drawn()
    };
    assert!(!feed(
        &mut screen,
        b"\x1b[?2004h$ ls\x1b[K\r\n\x1b[1mfile\x1b[m\r\n"
    ));
    assert!(feed(&mut screen, b"\x1b[?1049h\x1b[2J"));
    let line = "a line, which is nothing but a line\r\n";
    assert!(feed(&mut screen, line.repeat(5000).as_bytes()));
    assert!(feed(&mut screen, b"\x1b[?1049l"));
    assert!(feed(&mut screen, line.repeat(1000).as_bytes()));
    assert!(!feed(&mut screen, line.repeat(1000).as_bytes()));
    // One endless line is more than the ring can hold.
    assert!(feed(&mut screen, "working\r".repeat(20_000).as_bytes()));
}

/// A scroll region keeps the engine there only while it is less than the screen, and no longer than the size.
#[test]
fn a_scroll_region_counts_while_it_is_one() {
    let lines = b"a line, which is nothing but a line\r\n".repeat(4000);
    let drawn = |region: &str, rows: u16| {
        let mut screen = fed(ROWS, COLS, region.as_bytes(), 9);
        screen.resize(rows, COLS);
        screen.feed(&lines, &mut Vec::new());
        screen.is_drawn()
    };
    assert!(!drawn("\x1b[2;9r\x1b[r", ROWS));
    for (region, drawn_on) in [
        ("1;10", false),
        ("1;99", false),
        ("1;9", true),
        ("2;", true),
    ] {
        let set = format!("\x1b[{region}r");
        let mut screen = fed(ROWS, COLS, set.as_bytes(), 9);
        screen.feed(&lines, &mut Vec::new());
        assert_eq!(screen.is_drawn(), drawn_on, "{region}");
        assert!(!drawn(&set, ROWS + 1), "{region}");
    }
}

/// Lines that are longer than the ring, without end: what is shown stays right.
#[test]
fn a_progress_bar_that_outlives_the_ring_is_shown_with_what_stands_above() {
    let mut stream = String::from("above\r\n");
    for step in 0..20_000 {
        stream += &format!("step {step}\r");
    }
    let mut shown = Referee::new(ROWS, COLS);
    shown.feed(&fed(ROWS, COLS, stream.as_bytes(), 1000).snapshot(0).bytes);
    let mut truth = Referee::new(ROWS, COLS);
    assert_same(
        &truth.feed(stream.as_bytes()).seen(),
        &shown.seen(),
        "progress",
    );
}
