//! An engine that fails loses what it knew of the screen, and nothing else.

use std::sync::atomic::{AtomicUsize, Ordering};

use shared::tracker::{QUERIES_MAX, Sets};
use taskmasterd::screen::Screen;
use taskmasterd::screen::emulator::emulator;
use taskmasterd::screen::model::{ScreenModel, Size};

use super::{fed, screen};
use harness::referee::Referee;

/// An engine that panics when it sees the word, wherever it is asked to do so.
struct Fragile(String);

impl Fragile {
    fn check(&self, word: &str) {
        assert!(!self.0.contains(word), "as the test wants it");
    }
}

impl ScreenModel for Fragile {
    fn feed(&mut self, text: &str) {
        self.0.push_str(text);
        self.check("panic at once");
    }

    fn resize(&mut self, _: Size) {
        self.check("panic at a resize");
    }

    fn dump(&self, _: [Sets; 2]) -> String {
        self.check("panic at a dump");
        "the dump".into()
    }

    fn above(&self, _: usize) -> String {
        String::new()
    }

    fn text(&self) -> Vec<String> {
        self.check("panic at a look");
        vec!["the text".into()]
    }

    fn ansi(&self) -> Vec<String> {
        Vec::new()
    }

    fn cursor(&self) -> (usize, usize) {
        (0, 0)
    }

    fn room(&self) -> usize {
        1
    }
}

fn fragile() -> Screen<Vec<u8>> {
    let engine = |_| Box::new(Fragile(String::new())) as Box<dyn ScreenModel>;
    Screen::with_engine(10, 40, |len| Ok(vec![0; len]), engine)
}

fn shown(screen: &mut Screen<Vec<u8>>) -> (String, bool) {
    let snapshot = screen.snapshot(0);
    let seen = Referee::new(10, 40).feed(&snapshot.bytes).seen();
    (seen, snapshot.incomplete)
}

/// The lines are shown instead, with the program's modes, and the program is to redraw.
#[test]
fn a_panic_of_the_engine_loses_only_the_drawing() {
    for word in ["panic at once", "panic at a dump"] {
        let mut screen = fragile();
        screen.feed(b"a line\r\n\x1b[?2004h\x1b[H", &mut Vec::new());
        assert!(shown(&mut screen).0.contains("the dump"));
        screen.feed(word.as_bytes(), &mut Vec::new());
        let (seen, incomplete) = shown(&mut screen);
        assert!(incomplete);
        assert!(
            seen.contains("a line") && seen.contains("BRACKETED_PASTE"),
            "{seen}"
        );
        screen.resize(11, 40);
        let (seen, incomplete) = shown(&mut screen);
        assert!(!incomplete && seen.contains("the dump"), "{seen}");
    }
}

#[test]
fn a_panic_at_a_resize_or_a_look_is_survived() {
    let mut screen = fragile();
    screen.feed(b"\x1b[Hpanic at a resize", &mut Vec::new());
    screen.resize(12, 40);
    assert!(screen.snapshot(0).incomplete);
    let mut screen = fragile();
    screen.feed(b"\x1b[Hpanic at a look", &mut Vec::new());
    assert_eq!(screen.text(), Vec::<String>::new());
    assert!(!screen.snapshot(0).incomplete);
}

/// Clearing a large screen ten thousand times is work that nobody does for a program.
#[test]
fn an_engine_does_not_work_without_end() {
    for flood in [
        "\x1b[2J",
        "\x1b#8",
        "\x1b[500M",
        "\x1b[1000b",
        "\x1b[?1049h\x1b[?1049l",
        "\n\x0b\x0c",
    ] {
        let mut screen = screen(100, 300);
        screen.feed(b"a line\r\n\x1b[100H", &mut Vec::new());
        screen.feed(flood.repeat(10_000).as_bytes(), &mut Vec::new());
        assert!(!screen.is_drawn() && screen.is_lost(), "{flood:?}");
        assert!(screen.snapshot(0).incomplete);
        // A size takes effect when the engine is next needed.
        screen.resize(30, 100);
        screen.feed(b"more", &mut Vec::new());
        assert!(screen.is_drawn());
    }
}

/// A program that was asked to redraw and does not has its lines, where those are all there is to know.
#[test]
fn who_does_not_redraw_keeps_the_lines() {
    let mut screen = screen(100, 300);
    screen.feed(&b"\x1b[2J".repeat(10_000), &mut Vec::new());
    let lines = "a line\r\n".repeat(2000);
    screen.feed(format!("{lines}the last").as_bytes(), &mut Vec::new());
    assert!(screen.snapshot(0).incomplete);
    screen.resize(100, 300);
    screen.feed(b"", &mut Vec::new());
    let _ = screen.snapshot(0);
    let shown = screen.text();
    assert_eq!(shown[98..], ["a line", "the last"]);
}

/// Nobody makes an engine to answer a program that has worn one out, however often it asks.
#[test]
fn who_overworks_the_engine_is_answered_without_one() {
    static MADE: AtomicUsize = AtomicUsize::new(0);
    let count = |size| {
        MADE.fetch_add(1, Ordering::Relaxed);
        emulator(size)
    };
    let mut screen = Screen::with_engine(500, 1000, |len| Ok(vec![0; len]), count);
    let flood = b"\x1b[?1049h\x1b[6n\x1b[?1049l\x1b[6n\x1b[5n".repeat(2000);
    let mut queries = Vec::new();
    screen.feed(b"a line\r\n\x1b[2;3H", &mut queries);
    screen.feed(&flood, &mut queries);
    assert_eq!(queries.len(), QUERIES_MAX);
    let answers = screen.answers(&queries);
    assert!(
        answers.starts_with(b"\x1b[1;1R"),
        "{}",
        answers.escape_ascii()
    );
    assert!(!screen.is_drawn());
    assert_eq!(MADE.load(Ordering::Relaxed), 1);
}

/// To wrap half a million cells into two columns takes seconds and gigabytes. The program redraws anyway.
#[test]
fn an_engine_does_not_wrap_without_end() {
    for (from, to, keeps) in [
        ((60, 200), (10, 2), true),
        ((135, 480), (40, 50), true),
        ((500, 1000), (2, 1000), true),
        ((500, 1000), (500, 500), false),
        ((500, 1000), (10, 2), false),
    ] {
        let mut screen = screen(from.0, from.1);
        let (rows, cols) = from;
        let line = format!("\x1b[{rows}H{}", "x".repeat(cols.into()));
        screen.feed(line.as_bytes(), &mut Vec::new());
        screen.resize(to.0, to.1);
        let is_kept = screen.text().iter().any(|row| row.contains('x'));
        assert_eq!(is_kept, keeps, "{from:?} to {to:?}");
        screen.feed(b"\x1b[Hy", &mut Vec::new());
        assert!(screen.text()[0].starts_with('y'));
        assert!(screen.is_drawn() && !screen.snapshot(0).incomplete);
    }
}

/// Who redraws the whole screen with every frame is not hostile.
#[test]
fn a_busy_program_is_drawn() {
    let frame = format!(
        "\x1b[H\x1b[2J{}",
        "\x1b[32mthirty lines of text\r\n".repeat(29)
    );
    let mut busy = fed(30, 100, frame.repeat(2000).as_bytes(), 4096);
    assert!(busy.is_drawn());
    assert!(!busy.snapshot(0).incomplete);
    // And who does so with a word, every second for a day.
    let mut patient = screen(60, 200);
    for _ in 0..86_400 / 24 {
        patient.feed(b"\x1b[H\x1b[2Jtick", &mut Vec::new());
    }
    assert!(patient.is_drawn());
}

/// A process that has written nothing costs a few words.
#[test]
fn a_screen_without_output_has_no_memory() {
    assert!(size_of::<Screen<Vec<u8>>>() < 64);
    let mut screen: Screen<Vec<u8>> = Screen::new(24, 80, |_| unreachable!("nobody asked"));
    screen.feed(b"", &mut Vec::new());
    screen.resize(30, 100);
    assert!(!screen.snapshot(100).incomplete);
    assert!(screen.text().is_empty());
}

/// Where there is no memory for lines, an engine draws at once; nothing else changes.
#[test]
fn without_memory_for_lines_nothing_panics() {
    let mut screen: Screen<Vec<u8>> =
        Screen::new(24, 80, |_| Err(std::io::ErrorKind::OutOfMemory.into()));
    screen.feed(b"line\r\n\x1b[2;2Hx", &mut Vec::new());
    screen.feed(&b"line\r\n".repeat(50_000), &mut Vec::new());
    assert!(!screen.snapshot(10).bytes.is_empty());
}
