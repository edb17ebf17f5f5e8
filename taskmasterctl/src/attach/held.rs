//! Errors of the process that wait until its output is between two sequences, so that neither gets into the other's.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use shared::frame::FRAME_LEN_MAX;
use shared::tracker::Parser;

/// How much waits, in bytes. After as much as a frame holds, and the daemon reads of a stream before it reads of the
/// other, the rest of a sequence would have come.
const HELD_LEN_MAX: usize = FRAME_LEN_MAX;

/// How long it waits: whoever writes a sequence in two pieces writes them at once, and errors may be urgent. It
/// begins anew where the process was not listened to, because the terminal took nothing.
const PATIENCE: Duration = Duration::from_millis(100);

/// What waits, in order; its end may be half a sequence itself.
#[derive(Debug, Default)]
pub(super) struct Held {
    bytes: Vec<u8>,
    /// How many of them end where nothing is begun.
    whole: usize,
    parser: Parser,
    /// Since when the oldest of them waits.
    since: Option<Instant>,
}

impl Held {
    /// Adds bytes at the end. A filter may leave none of them, and nothing waits then.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let mut at = 0;
        while at < bytes.len() {
            at += self
                .parser
                .advance(&bytes[at..], |_| ControlFlow::Break(()));
            if self.parser.pending().is_empty() {
                self.whole = self.bytes.len() + at;
            }
        }
        self.bytes.extend_from_slice(bytes);
        self.since.get_or_insert_with(Instant::now);
    }

    /// Lets what waits do so from now on.
    pub(super) fn wait_anew(&mut self) {
        self.since = self.since.map(|_| Instant::now());
    }

    /// When it has waited long enough.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.since.map(|since| since + PATIENCE)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Whether some of it could be painted between two sequences.
    pub(super) fn has_whole(&self) -> bool {
        self.whole > 0
    }

    /// Whether no more should wait.
    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() > HELD_LEN_MAX
    }

    /// What is whole of it, which waits no more.
    pub(super) fn take_whole(&mut self) -> Vec<u8> {
        let rest = self.bytes.split_off(std::mem::take(&mut self.whole));
        self.since = (!rest.is_empty()).then(Instant::now);
        std::mem::replace(&mut self.bytes, rest)
    }

    /// All of it, with the end of a sequence that is not whole.
    pub(super) fn take_all(&mut self) -> Vec<u8> {
        let held = std::mem::take(self);
        let end: &[u8] = match held.parser.pending() {
            [] => b"",
            _ => b"\x18",
        };
        [&held.bytes, end].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_sequence_waits_for_the_rest_however_it_is_cut() {
        let text = "größe\x1b[1;31mred\x1b]0;title\x07\x1b[m\n".as_bytes();
        for chunk in 1..=text.len() {
            let (mut held, mut taken) = (Held::default(), Vec::new());
            for part in text.chunks(chunk) {
                held.push(part);
                taken.extend(held.take_whole());
                let mut parser = Parser::default();
                parser.advance(&taken, |_| ControlFlow::Continue(()));
                assert_eq!(parser.pending(), b"", "by {chunk}");
            }
            assert_eq!(taken, text, "by {chunk}");
            assert!(held.is_empty() && !held.has_whole());
        }
    }

    // Whatever is due is looked after at once, again and again.
    #[test]
    fn where_nothing_waits_nothing_is_due() {
        let mut held = Held::default();
        held.push(b"");
        assert_eq!(held.deadline(), None);
        held.push(b"x\x1b[");
        held.take_whole();
        held.push(b"");
        assert!(held.deadline().is_some());
        held.take_all();
        assert_eq!(held.deadline(), None);
        held.push(b"x");
        held.take_whole();
        assert_eq!(held.deadline(), None);
    }

    #[test]
    fn what_has_waited_long_enough_is_ended() {
        let mut held = Held::default();
        held.push(b"\xc3x\x1b]0;");
        assert_eq!(held.take_whole(), b"\xc3x");
        assert_eq!(held.take_all(), b"\x1b]0;\x18");
        assert!(held.take_all().is_empty());
        held.push(&[b'x'; HELD_LEN_MAX]);
        assert!(!held.is_full());
        held.push(b"x");
        assert!(held.is_full());
    }
}
