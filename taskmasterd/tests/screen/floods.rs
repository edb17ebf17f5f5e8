//! Nonsense, by the megabyte: whatever comes, nothing panics and nothing grows.
//!
//! Everything is made from a seed, which is printed when it fails; `SCREEN_SEED=7 cargo test` tries another, and
//! `SCREEN_LEN=20000000` makes floods of that many bytes. With `--nocapture` one sees how much time the dearest
//! piece took, which in the daemon is a part of one turn.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use shared::tracker::{STRING_LEN_MAX, Tracker};
use taskmasterd::limits::{DRAWN_READ_BUDGET, READ_BUDGET};
use taskmasterd::screen::Screen;

use super::screen as new;
use harness::referee::Referee;

/// The bytes of one kind of flood.
const LEN: usize = 300_000;

/// Numbers that look random and are the same for the same seed (splitmix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

fn setting<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.parse().ok()
}

/// The time that this thread has worked, which is not that of a clock where others work, too.
fn worked() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)
        .expect("a clock")
        .into()
}

/// Does a piece of work, and remembers if it was the dearest.
fn piece<T>(dearest: &mut Duration, work: impl FnOnce() -> T) -> T {
    let start = worked();
    let done = work();
    *dearest = (worked() - start).max(*dearest);
    done
}

fn noise(dice: &mut Dice, out: &mut Vec<u8>) {
    out.extend(dice.next().to_le_bytes());
}

/// A sequence out of the grammar, or nearly so.
fn sequence(dice: &mut Dice, out: &mut Vec<u8>) {
    match dice.below(10) {
        0..=4 => control(dice, out),
        5 => out.extend([0x1b, dice.of(b"78DEHMcNOZ=>\\#(")]),
        6 => out.extend([0x1b, dice.of(b"()*+# %"), dice.of(b"08B@G")]),
        7 => out.extend("größe 日本 e\u{301} \u{2764}\u{fe0f} \u{9b}".bytes()),
        8 => out.extend([dice.of(b"\r\n\x08\t\x0b\x0c\x0e\x0f\x18\x1a\x7f\x00\xff\xc3")]),
        _ => string(dice, out),
    }
}

fn control(dice: &mut Dice, out: &mut Vec<u8>) {
    out.extend(b"\x1b[");
    out.extend(dice.of(&["", "", "?", ">", "=", "<"]).bytes());
    for _ in 0..dice.below(4) {
        let modes = [0, 1, 4, 6, 7, 25, 47, 1000, 1049, 2004, 2026];
        let number = match dice.below(3) {
            0 => dice.of(&modes),
            1 => dice.below(120),
            _ => dice.of(&[0, 1, 2, 5, 65_535, 99_999]),
        };
        out.extend(number.to_string().bytes());
        out.push(dice.of(b";;;;:"));
    }
    if dice.below(12) == 0 {
        out.push(dice.of(b" !$'"));
    }
    out.push(0x40 + dice.below(0x3f) as u8);
}

fn string(dice: &mut Dice, out: &mut Vec<u8>) {
    out.extend([0x1b, dice.of(b"]]]P_^X")]);
    out.extend(
        dice.of(&["0;title", "8;;http://x", "8;;", "q#1", "4;1;?", "52;c;?"])
            .bytes(),
    );
    out.extend(dice.of(&["\x07", "\x1b\\", "", "\x18"]).bytes());
}

/// Feeds a flood in pieces of all lengths, resizing and looking now and then.
fn flood(name: &str, make: impl Fn(&mut Dice, &mut Vec<u8>)) {
    let seed = setting("SCREEN_SEED").unwrap_or(1);
    println!("{name}: SCREEN_SEED={seed}");
    let mut dice = Dice(seed);
    let (mut screen, mut tracker, mut bytes) = (new(24, 80), Tracker::default(), Vec::new());
    while bytes.len() < setting("SCREEN_LEN").unwrap_or(LEN) {
        make(&mut dice, &mut bytes);
    }
    let (mut fed, mut looked) = Default::default();
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        // As much as the daemon reads at once.
        let most = match screen.is_drawn() {
            true => DRAWN_READ_BUDGET,
            false => READ_BUDGET,
        };
        let length = dice.of(&[1, 3, 100, 4096, READ_BUDGET]).min(most);
        let length = length.min(rest.len());
        let (bytes, after) = rest.split_at(length);
        rest = after;
        let mut queries = Vec::new();
        piece(&mut fed, || screen.feed(bytes, &mut queries));
        tracker.feed(bytes, &mut Vec::new());
        match dice.below(40) {
            // That works at the next piece or look.
            0 => screen.resize(dice.of(&SIZES), dice.of(&SIZES)),
            1 => {
                piece(&mut looked, || screen.snapshot(10_000));
                look(&mut screen, &tracker);
            }
            // Another process: an engine that was given up is not asked again.
            2..5 => (screen, tracker) = (new(24, 80), Tracker::default()),
            _ => {}
        }
    }
    look(&mut screen, &tracker);
    println!("{name}: at most {fed:?} for what is read at once, {looked:?} for a look");
}

const SIZES: [u16; 8] = [0, 1, 2, 3, 10, 80, 200, 65_535];

/// Whatever a screen says is harmless and of a sensible length.
fn look(screen: &mut Screen<Vec<u8>>, tracker: &Tracker) {
    let (rows, cols) = screen.size();
    assert!((2..=500).contains(&rows) && (2..=1000).contains(&cols));
    let snapshot = screen.snapshot(10_000);
    assert!(snapshot.bytes.len() < 100 * 1024 + 2 * rows * cols * 60);
    let mut shown = Referee::new(rows as u16, cols as u16);
    shown.feed(
        snapshot
            .bytes
            .strip_suffix(tracker.pending())
            .expect("the end"),
    );
    assert_eq!(shown.answers(), "");
    assert!(tracker.pending().len() <= STRING_LEN_MAX);
    assert!(tracker.restore().len() < 8 * 1024);
    let (row, col) = screen.cursor();
    assert!(row < rows && col < cols);
    assert!(screen.text().len() <= rows && screen.ansi().len() <= rows);
}

#[test]
fn noise_does_no_harm() {
    flood("noise", noise);
}

#[test]
fn nearly_right_sequences_do_no_harm() {
    flood("sequences", sequence);
}

#[test]
fn sequences_in_text_do_no_harm() {
    flood("sequences in text", |dice, out| {
        out.extend_from_slice(&b"some text of a program\r\n"[..dice.below(24)]);
        sequence(dice, out);
    });
}

#[test]
fn repetition_does_no_harm() {
    flood("repetition", |_, out| out.extend(b"x\x1b[65535b"));
}

#[test]
fn endless_strings_do_no_harm() {
    for opening in ["\x1b]0;", "\x1bP", "\x1b_", "\x1b["] {
        flood("strings", |dice, out| {
            if out.is_empty() || dice.below(50) == 0 {
                out.extend(opening.bytes());
            }
            out.extend_from_slice(&[b'0' + dice.below(10) as u8; 4000]);
        });
    }
}

#[test]
fn marks_without_end_do_no_harm() {
    flood("marks", |_, out| {
        out.extend("\x1b[Ha\u{301}\u{300}\u{200d}".bytes())
    });
}
