//! What has scrolled off the screen: whole lines, in their colours, and nothing that was drawn.

use super::fed;
use harness::referee::{Referee, assert_same};

const ROWS: u16 = 10;
const COLS: u16 = 40;

/// A coloured log: what is shown begins at the beginning of a line, with the right colours, and nothing is drawn.
#[test]
fn a_coloured_log_is_shown_from_the_beginning_of_a_line() {
    let mut log = String::from("\x1b[35m");
    for line in 0..4000 {
        let level = ["\x1b[33mWARN\x1b[35m", "\x1b[1;31mERROR\x1b[22;35m", "info"][line % 3];
        log += &format!("{line:05} {level} something happened, as it does\r\n");
    }
    let mut truth = Referee::new(ROWS, COLS);
    truth.feed(log.as_bytes());
    for piece in [1, 100, 4096, 65_536, 1_000_000] {
        let mut screen = fed(ROWS, COLS, log.as_bytes(), piece);
        assert!(!screen.is_drawn());
        let mut shown = Referee::new(ROWS, COLS);
        shown.feed(&screen.snapshot(0).bytes);
        assert_same(&truth.seen(), &shown.seen(), &format!("by {piece}"));
        let mut with_history = Referee::new(ROWS, COLS);
        with_history.feed(&screen.snapshot(200).bytes);
        assert_same(&truth.seen(), &with_history.seen(), &format!("by {piece}"));
        let (want, got) = (truth.history(), with_history.history());
        assert_eq!(got.len(), 200, "by {piece}");
        let last = want[want.len() - got.len()..].join("\n");
        assert_same(&last, &got.join("\n"), &format!("history, by {piece}"));
    }
}

/// As many rows come as are on the screen, and as many above them as were asked for, whether an engine draws along or
/// not: a long line is many rows, and one that has not ended is some, too.
#[test]
fn no_more_rows_come_than_are_shown_and_were_asked_for() {
    let lines = |line: &str, end: &str| format!("{line}{end}").repeat(32);
    let streams = [
        lines(&"wide ".repeat(100), "\r\n"),
        lines(&"wide ".repeat(100), "\r\n") + "$ and an unfinished one",
        lines(&"0123456789".repeat(4), "\r\n"),
        lines(&"0123456789".repeat(4), "\r\n") + &"x".repeat(40),
        lines("日本語 größe 日本語日本語日本語日本語日本語", "\r\n"),
        lines(&"\x1b[31mred\tor\x1b[32mgreen".repeat(9), "\r\n"),
        lines(
            "50 %\rdone\x1b[3C\x08\x1b[30Gthere are columns up to the end",
            "\r\n",
        ),
        lines("a step", "\n"),
        lines("a step", "\x0b") + "\r\nx",
        "x".repeat(3000),
        "one\r\ntwo".into(),
    ];
    // The referee writes a tab into its cell, the engine blanks.
    let text = |row: &String| row.split('|').next().unwrap_or_default().replace('\t', " ");
    let above = |terminal: &Referee| terminal.history().iter().map(text).collect::<Vec<_>>();
    let below = |terminal: &Referee| terminal.text().replace('\t', " ");
    for stream in streams {
        let mut truth = Referee::new(ROWS, COLS);
        truth.feed(stream.as_bytes());
        let want = above(&truth);
        for (drawn, asked) in [
            ("", 0),
            ("", 1),
            ("", 7),
            ("\x1b[s", 0),
            ("\x1b[s", 1),
            ("\x1b[s", 7),
        ] {
            let mut screen = fed(ROWS, COLS, format!("{stream}{drawn}").as_bytes(), 17);
            assert_eq!(screen.is_drawn(), !drawn.is_empty());
            let what = format!("{drawn:?} {asked} above {stream:?}");
            let last = &want[want.len().saturating_sub(asked)..];
            for snapshot in [screen.snapshot(asked), screen.plain_snapshot(asked)] {
                let mut shown = Referee::new(ROWS, COLS);
                shown.feed(&snapshot.bytes);
                assert_eq!(below(&shown), below(&truth), "{what}");
                assert_eq!(above(&shown), last, "{what}");
            }
        }
    }
}

/// Asked for more lines than the ring holds, a snapshot has what there is and no more.
#[test]
fn history_is_never_more_than_the_ring() {
    let log = "a line of the log\r\n".repeat(100_000);
    let snapshot = fed(ROWS, COLS, log.as_bytes(), 4096).snapshot(usize::MAX);
    assert!(snapshot.bytes.len() < 66 * 1024);
    assert!(snapshot.bytes.len() > 50 * 1024);
}

/// Lines that came before a full-screen program are above it, and nothing of what it draws is.
#[test]
fn history_has_lines_and_nothing_that_was_drawn() {
    let mut stream: String = (0..50).map(|line| format!("line {line}\r\n")).collect();
    stream += "\x1b[?1049h\x1b[2J\x1b[Hdrawn\r\ndrawn\r\n\x1b[?1049l\x1b[2J\x1b[Hprompt";
    let mut screen = fed(ROWS, COLS, stream.as_bytes(), 11);
    assert!(screen.is_drawn() && !screen.is_alternate());
    let mut shown = Referee::new(ROWS, COLS);
    shown.feed(&screen.snapshot(20).bytes);
    let history = shown.history().join("\n");
    assert!(
        history.contains("line 30") && !history.contains("drawn"),
        "{history}"
    );
    let mut truth = Referee::new(ROWS, COLS);
    assert_same(
        &truth.feed(stream.as_bytes()).seen(),
        &shown.seen(),
        "below the history",
    );
}

/// A terminal with more rows than the process's, or with fewer, has the same lines above the screen.
#[test]
fn history_scrolls_out_of_a_terminal_of_any_height() {
    let mut stream: String = (0..50).map(|line| format!("line {line}\r\n")).collect();
    stream += "\x1b[3;3Hhere";
    let mut screen = fed(ROWS, COLS, stream.as_bytes(), 4096);
    assert!(screen.is_drawn());
    let want: Vec<String> = (26..41).map(|line| format!("line {line}")).collect();
    for rows in [ROWS / 2, ROWS, ROWS + 1, 3 * ROWS] {
        let mut shown = Referee::new(rows, COLS);
        shown.feed(&screen.bounded_snapshot(15, rows).bytes);
        let above = shown.history().into_iter();
        let above: Vec<String> = above
            .map(|row| {
                row.split('|')
                    .next()
                    .unwrap_or_default()
                    .trim_end()
                    .to_owned()
            })
            .collect();
        assert!(above.starts_with(&want), "{rows} rows: {above:?}");
    }
}

/// Where the screen is addressed, lines are above it if they went out at its top, and not if they were overwritten,
/// cleared or deleted there.
#[test]
fn history_is_what_has_scrolled_off() {
    let lines: String = (0..40).map(|line| format!("line {line}\r\n")).collect();
    let frame = |number: usize| format!("\x1b[Hframe {number}\x1b[K\r\nx\x1b[K\r\n\x1b[J");
    let frames: String = (0..50).map(frame).collect();
    let long = "\x1b[32mwide ".repeat(30);
    let cases = [
        format!("{lines}{frames}"),
        format!("{lines}\x1b[A\x1b[Bx\r\n{lines}"),
        format!("{lines}\x1b[10;1H{long}\x1b[m\r\n{long}\r\n\x1b[2;1H"),
        format!("{lines}\x1b[2S\x1b[1;5r\x1b[5;1H\n\n\x1b[r\x1b[10;1H{lines}"),
        format!("{lines}\x1b[?1049h{lines}{lines}\x1b[?1049l{lines}"),
        format!("\x1b[H{frames}"),
    ];
    for stream in cases {
        let mut truth = Referee::new(ROWS, COLS);
        truth.feed(stream.as_bytes());
        let want = truth.history();
        let mut shown = Referee::new(ROWS, COLS);
        shown.feed(&fed(ROWS, COLS, stream.as_bytes(), 17).snapshot(20).bytes);
        let got = shown.history();
        assert_eq!(got.len(), want.len().min(20), "{got:#?}");
        assert_eq!(got, want[want.len() - got.len()..]);
        assert_same(&truth.seen(), &shown.seen(), "below the history");
    }
    for stream in [
        format!("{lines}\x1b[H\x1b[3M\x1b[2J{frames}"),
        format!("{lines}\x1b[H{}", "\x1b[2J\x1b[Hframe".repeat(20)),
    ] {
        let mut screen = fed(ROWS, COLS, stream.as_bytes(), 17);
        let above = screen.text_above(40);
        assert_eq!(above.last().map(String::as_str), Some("line 30"));
        assert_eq!(above.len(), 31);
    }
}

/// `clear` means it: what scrolled off does not come back.
#[test]
fn history_is_forgotten_when_the_program_says_so() {
    let lines: String = (0..40).map(|line| format!("line {line}\r\n")).collect();
    let mut screen = fed(
        ROWS,
        COLS,
        format!("{lines}\x1b[H\x1b[2J\x1b[3Jnew").as_bytes(),
        17,
    );
    assert_eq!(screen.text_above(40), [""; 0]);
    assert!(!String::from_utf8_lossy(&screen.snapshot(40).bytes).contains("line"));
    screen.feed(format!("{lines}last").as_bytes(), &mut Vec::new());
    let above = screen.text_above(40);
    assert_eq!((above.len(), above[0].as_str()), (31, "newline 0"));
}

/// The rows above the screen go on where it begins, wrapped ones among them, and are no more than was asked for.
#[test]
fn the_rows_above_the_screen_go_on_where_it_begins() {
    let long = "wide ".repeat(12);
    let lines: String = (0..400)
        .map(|line| format!("line {line} {long}\r\n"))
        .collect();
    let mut truth = Referee::new(ROWS, COLS);
    truth.feed(lines.as_bytes());
    let text = |row: &String| row.split('|').next().unwrap_or_default().to_owned();
    let history: Vec<String> = truth.history().iter().map(text).collect();
    let mut screen = fed(ROWS, COLS, lines.as_bytes(), 13);
    for asked in [1, 5, 40] {
        let above = screen.text_above(asked);
        assert_eq!(above, history[history.len() - asked..], "{asked}");
    }
    assert_eq!(screen.text_above(0), [""; 0]);
    assert_eq!(screen.text_above(usize::MAX).len(), 500 - ROWS as usize);
    let mut drawn = fed(ROWS, COLS, format!("{lines}\x1b[H\x1b[2J").as_bytes(), 13);
    let above = drawn.text_above(3);
    assert!(
        above.len() == 3 && above.concat().contains("line 39"),
        "{above:?}"
    );
    assert_eq!(drawn.text_above(usize::MAX).len(), 500 - ROWS as usize);
    let mut short = fed(ROWS, COLS, b"one\r\n\x1b[31mtwo\r\n", 13);
    assert_eq!(short.text_above(9), [""; 0]);
    let mut red = fed(2, COLS, b"\x1b[31mone\r\ntwo\r\nthree", 13);
    assert_eq!(red.ansi_above(9), ["\x1b[0;31mone\x1b[0m"]);
}
