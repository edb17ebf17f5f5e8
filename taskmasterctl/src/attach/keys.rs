//! Finds the key that detaches in what is typed, and lets everything else through.
//!
//! Pure: time comes in as a parameter. Every byte of every read is looked at, because a key may stand behind
//! typed-ahead text or be cut in two. One press detaches after [`WINDOW`]; a second within it sends the key to
//! the process instead. In a bracketed paste the key is text, but three within [`HURRY`] detach wherever they stand;
//! nobody presses Escape in it, and however late the rest of its end comes, it is its end.
//!
//! An ESC, and `ESC [`, go through at once: they may be the Escape key, which must not wait. What can only be the
//! beginning of a longer sequence waits for its rest, for [`PATIENCE`] at most.

use std::time::Duration;

use super::key::{Key, Touch};

/// How long a second press may take to mean the key itself.
const WINDOW: Duration = Duration::from_millis(200);
/// How long the rest of a sequence may take.
const PATIENCE: Duration = Duration::from_millis(30);
/// How long an ESC that was let through may still turn out to begin the key.
const MEMORY: Duration = Duration::from_millis(500);
/// Three presses within this time are meant, whatever they stand in.
const HURRY: Duration = Duration::from_secs(1);
/// The longest sequence that can be the key, in bytes, with room for the text that it may carry.
const SEQUENCE_LEN_MAX: usize = 64;
/// How much is kept of what is typed between a press and the end of its window, in bytes.
const HELD_LEN_MAX: usize = 4096;

/// What is to be done after some keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    Stay,
    Detach,
}

/// A press that may still be the first of two.
#[derive(Debug)]
struct Press {
    at: Duration,
    /// What was typed since, which the process gets if it was the first of two, and nobody if not.
    held: Vec<u8>,
}

/// The search for the key.
#[derive(Debug)]
pub(super) struct Scanner {
    key: Option<Key>,
    /// A sequence that has begun.
    sequence: Vec<u8>,
    /// How much of it was let through.
    sent: usize,
    /// When its last byte came.
    sequence_at: Duration,
    pasting: bool,
    press: Option<Press>,
    /// When the key was pressed last, and before that.
    recent: [Option<Duration>; 2],
}

impl Scanner {
    /// Looks for `key`, or lets everything through.
    pub(super) fn new(key: Option<Key>) -> Self {
        Self {
            key,
            sequence: Vec::new(),
            sent: 0,
            sequence_at: Duration::ZERO,
            pasting: false,
            press: None,
            recent: [None; 2],
        }
    }

    /// Takes in one read. What is for the process is appended to `out`.
    pub(super) fn feed(&mut self, now: Duration, bytes: &[u8], out: &mut Vec<u8>) -> Then {
        let Some(key) = self.key else {
            out.extend_from_slice(bytes);
            return Then::Stay;
        };
        if self.tick(now, out) == Then::Detach {
            return Then::Detach;
        }
        for &byte in bytes {
            if self.take(key, now, byte, out) == Then::Detach {
                return Then::Detach;
            }
        }
        if self.sequence.len() <= 2 {
            self.let_through(out);
        }
        self.overfull()
    }

    /// Lets happen what the time brings.
    pub(super) fn tick(&mut self, now: Duration, out: &mut Vec<u8>) -> Then {
        let waited = now.saturating_sub(self.sequence_at);
        if waited >= PATIENCE {
            self.let_through(out);
        }
        if waited >= MEMORY && !self.pasting {
            self.forget();
        }
        match &self.press {
            Some(press) if now >= press.at + WINDOW => Then::Detach,
            Some(_) | None => Then::Stay,
        }
    }

    /// When [`Scanner::tick`] would next do something.
    pub(super) fn deadline(&self) -> Option<Duration> {
        let waiting = self.sent < self.sequence.len();
        let rest = waiting.then_some(self.sequence_at + PATIENCE);
        let window = self.press.as_ref().map(|press| press.at + WINDOW);
        rest.into_iter().chain(window).min()
    }

    fn take(&mut self, key: Key, now: Duration, byte: u8, out: &mut Vec<u8>) -> Then {
        if byte == key.byte() {
            self.drop_sequence(out);
            return self.pressed(now, &[byte], out);
        }
        match (&self.sequence[..], byte) {
            (_, 0x1b) => self.begin(now, out),
            ([], _) => self.emit(&[byte], out),
            ([_], b'[') | ([_, _, ..], b'0'..=b'9' | b':' | b';') => self.extend(now, byte, out),
            ([_, _, _, ..], b'u' | b'~') => {
                self.sequence.push(byte);
                return self.complete(key, now, out);
            }
            ([_, ..], _) => {
                self.drop_sequence(out);
                self.emit(&[byte], out);
            }
        }
        Then::Stay
    }

    fn begin(&mut self, now: Duration, out: &mut Vec<u8>) {
        self.drop_sequence(out);
        self.sequence.push(0x1b);
        self.sequence_at = now;
    }

    fn extend(&mut self, now: Duration, byte: u8, out: &mut Vec<u8>) {
        self.sequence.push(byte);
        self.sequence_at = now;
        if self.sequence.len() > SEQUENCE_LEN_MAX {
            self.drop_sequence(out);
        }
    }

    fn complete(&mut self, key: Key, now: Duration, out: &mut Vec<u8>) -> Then {
        match &self.sequence[..] {
            b"\x1b[200~" => self.pasting = true,
            b"\x1b[201~" => self.pasting = false,
            sequence => match key.touched(sequence) {
                Some(Touch::Pressed) => {
                    let rest = self.sequence.split_off(self.sent);
                    self.forget();
                    return self.pressed(now, &rest, out);
                }
                Some(Touch::Repeated) if self.press.is_some() => {
                    self.forget();
                    return Then::Stay;
                }
                Some(Touch::Released) if !self.pasting => {
                    self.forget();
                    return Then::Stay;
                }
                Some(Touch::Repeated | Touch::Released) | None => {}
            },
        }
        self.drop_sequence(out);
        Then::Stay
    }

    fn pressed(&mut self, now: Duration, bytes: &[u8], out: &mut Vec<u8>) -> Then {
        let before = self.recent[1];
        self.recent = [Some(now), self.recent[0]];
        if before.is_some_and(|before| now.saturating_sub(before) <= HURRY) {
            return Then::Detach;
        }
        if self.pasting {
            self.emit(bytes, out);
        } else if let Some(first) = self.press.take() {
            out.extend_from_slice(&first.held);
            out.extend_from_slice(bytes);
        } else {
            let held = Vec::new();
            self.press = Some(Press { at: now, held });
        }
        Then::Stay
    }

    /// Gives bytes to the process, or keeps them until it is known whether it gets them.
    fn emit(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        match &mut self.press {
            Some(press) => press.held.extend_from_slice(bytes),
            None => out.extend_from_slice(bytes),
        }
    }

    /// Lets the sequence so far through, without forgetting that it has begun.
    fn let_through(&mut self, out: &mut Vec<u8>) {
        let rest = self.sequence[self.sent..].to_vec();
        self.sent = self.sequence.len();
        self.emit(&rest, out);
    }

    /// Lets the sequence through: it is not the key.
    fn drop_sequence(&mut self, out: &mut Vec<u8>) {
        self.let_through(out);
        self.forget();
    }

    fn forget(&mut self) {
        self.sequence.clear();
        self.sent = 0;
    }

    /// Whoever types that much after the key has not pressed it to send it.
    fn overfull(&self) -> Then {
        match &self.press {
            Some(press) if press.held.len() > HELD_LEN_MAX => Then::Detach,
            Some(_) | None => Then::Stay,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays reads at their times, in milliseconds, and says what the process got and when it was detached.
    fn play(reads: &[(u64, &str)]) -> (String, Option<u64>) {
        let mut scanner = Scanner::new(Some(Key::USUAL));
        let mut out = Vec::new();
        let mut reads = reads.iter().peekable();
        let shown = |out: Vec<u8>| String::from_utf8(out).unwrap();
        loop {
            let due = scanner
                .deadline()
                .map(|due| u64::try_from(due.as_millis()).unwrap());
            let (now, then) = match (reads.peek(), due) {
                (Some(&&(at, bytes)), due) if due.is_none_or(|due| at < due) => {
                    reads.next();
                    let then = scanner.feed(Duration::from_millis(at), bytes.as_bytes(), &mut out);
                    (at, then)
                }
                (_, Some(due)) => (due, scanner.tick(Duration::from_millis(due), &mut out)),
                (_, None) => return (shown(out), None),
            };
            if then == Then::Detach {
                return (shown(out), Some(now));
            }
        }
    }

    fn stays(reads: &[(u64, &str)]) -> String {
        let (out, detached) = play(reads);
        assert_eq!(detached, None, "{reads:?}");
        out
    }

    fn detaches(reads: &[(u64, &str)]) -> (String, u64) {
        let (out, detached) = play(reads);
        (
            out,
            detached.unwrap_or_else(|| panic!("still attached: {reads:?}")),
        )
    }

    const ENCODINGS: [&str; 8] = [
        "\x1d",
        "\x1b[93;5u",
        "\x1b[93;133u",
        "\x1b[93;197u",
        "\x1b[93;5:1u",
        "\x1b[93:125:93;5:1;29u",
        "\x1b[1098::93;5u",
        "\x1b[27;5;93~",
    ];

    #[test]
    fn one_press_detaches_when_nobody_pressed_again() {
        for key in ENCODINGS {
            assert_eq!(detaches(&[(10, key)]), (String::new(), 210), "{key:?}");
        }
    }

    #[test]
    fn text_typed_ahead_reaches_the_process_and_the_key_does_not() {
        for key in ENCODINGS {
            let read = format!("ls -l\r{key}");
            assert_eq!(detaches(&[(0, &read)]), ("ls -l\r".into(), 200));
        }
        assert_eq!(detaches(&[(0, "a\x1db")]), ("a".into(), 200));
    }

    #[test]
    fn a_key_cut_in_two_is_still_the_key() {
        for key in ENCODINGS {
            for at in 1..key.len() {
                let (out, when) = detaches(&[(0, &key[..at]), (20, &key[at..])]);
                assert_eq!(when, 220, "{key:?} cut at {at}");
                // Only what could have been the Escape key has gone through.
                assert_eq!(
                    out,
                    if at <= 2 { &key[..at] } else { "" },
                    "{key:?} cut at {at}"
                );
            }
        }
    }

    #[test]
    fn two_presses_are_one_key_for_the_process() {
        for key in ENCODINGS {
            assert_eq!(stays(&[(0, key), (199, key)]), key);
            assert_eq!(stays(&[(0, &format!("{key}{key}"))]), key);
        }
        assert_eq!(stays(&[(0, "a\x1db\x1dc")]), "ab\x1dc");
        assert_eq!(detaches(&[(0, "\x1d"), (200, "\x1d")]).1, 200);
    }

    #[test]
    fn a_key_held_down_is_pressed_once() {
        let held = [
            (0, "\x1b[93;5:1u"),
            (50, "\x1b[93;5:2u"),
            (80, "\x1b[93;5:2u"),
        ];
        assert_eq!(detaches(&held), (String::new(), 200));
    }

    #[test]
    fn a_release_is_nobodys_news() {
        assert_eq!(stays(&[(0, "\x1b[93;5:3u")]), "");
        let twice = "\x1b[93;5:1u\x1b[93;5:3u\x1b[93;5:1u\x1b[93;5:3u";
        assert_eq!(stays(&[(0, twice)]), "\x1b[93;5:1u");
    }

    #[test]
    fn in_a_paste_the_key_is_text() {
        let paste = "\x1b[200~a\x1db\x1b[201~";
        assert_eq!(stays(&[(0, paste)]), paste);
        assert_eq!(
            detaches(&[(0, paste), (2000, "\x1d")]),
            (paste.into(), 2200)
        );
        let spelled = "\x1b[200~\x1b[93;5:1u\x1b[93;5:2u\x1b[93;5:3u\x1b[201~";
        assert_eq!(stays(&[(0, spelled)]), spelled);
        for at in 1..paste.len() {
            assert_eq!(
                stays(&[(0, &paste[..at]), (1, &paste[at..])]),
                paste,
                "cut at {at}"
            );
        }
    }

    // Whatever the line between us and the keyboard holds back; the process has what there is all the same.
    #[test]
    fn the_end_of_a_paste_may_come_in_pieces_and_late() {
        let (text, end) = ("\x1b[200~abc", "\x1b[201~");
        for at in 1..end.len() {
            let (begun, rest) = (format!("{text}{}", &end[..at]), &end[at..]);
            assert_eq!(stays(&[(0, &begun)]), begun, "cut at {at}");
            let reads = [(0, &*begun), (60_000, rest), (61_000, "\x1d")];
            let want = (format!("{text}{end}"), 61_200);
            assert_eq!(detaches(&reads), want, "cut at {at}");
        }
    }

    #[test]
    fn three_presses_in_a_hurry_always_detach() {
        let lost = [
            (0, "\x1b[200~"),
            (100, "\x1d"),
            (400, "\x1d"),
            (1100, "\x1d"),
        ];
        assert_eq!(detaches(&lost).1, 1100);
        assert_eq!(
            detaches(&[(0, "\x1d"), (100, "\x1d"), (300, "\x1d")]).1,
            300
        );
        let slow = [
            (0, "\x1b[200~"),
            (100, "\x1d"),
            (700, "\x1d"),
            (1101, "\x1d"),
        ];
        assert_eq!(stays(&slow), "\x1b[200~\x1d\x1d\x1d");
    }

    #[test]
    fn the_escape_key_does_not_wait() {
        let mut scanner = Scanner::new(Some(Key::USUAL));
        for typed in [
            "\x1b",
            "\x1b[",
            "\x1bO",
            "\x1b[A",
            "\x1b[<0;1;1M",
            "\x1b\x1b",
        ] {
            let mut out = Vec::new();
            let then = scanner.feed(Duration::ZERO, typed.as_bytes(), &mut out);
            assert_eq!(
                (then, &out[..]),
                (Then::Stay, typed.as_bytes()),
                "{typed:?}"
            );
            scanner.forget();
        }
    }

    #[test]
    fn what_may_be_the_key_waits_a_moment_at_most() {
        let mut scanner = Scanner::new(Some(Key::USUAL));
        let mut out = Vec::new();
        scanner.feed(Duration::ZERO, b"\x1b[9", &mut out);
        assert_eq!((out.len(), scanner.deadline()), (0, Some(PATIENCE)));
        scanner.tick(PATIENCE, &mut out);
        assert_eq!((&out[..], scanner.deadline()), (&b"\x1b[9"[..], None));
    }

    #[test]
    fn everything_else_goes_through_unchanged() {
        let all: Vec<u8> = (0..=255).filter(|&byte| byte != 0x1d).collect();
        let mut scanner = Scanner::new(Some(Key::USUAL));
        let mut out = Vec::new();
        assert_eq!(scanner.feed(Duration::ZERO, &all, &mut out), Then::Stay);
        assert_eq!(out, all);
        let sequences = "\x1b[1;5A\x1b[97;5u\x1b[3~\x1b]11;rgb:0/0/0\x1b\\\x1b[93;6u\x1b[27;5;97~é";
        assert_eq!(stays(&[(0, sequences)]), sequences);
        let endless = format!("\x1b[{}", "1;".repeat(200));
        assert_eq!(stays(&[(0, &endless)]), endless);
        let mut scanner = Scanner::new(None);
        scanner.feed(Duration::ZERO, b"\x1d\x1d\x1d", &mut out);
        assert!(out.ends_with(b"\x1d\x1d\x1d"));
    }

    #[test]
    fn what_is_typed_after_the_key_is_kept_only_so_far() {
        let long = format!("\x1d{}", "x".repeat(HELD_LEN_MAX + 1));
        assert_eq!(detaches(&[(0, &long)]), (String::new(), 0));
    }
}
