//! What happens to a program's bytes between its terminal and its log.
//!
//! Each filter takes the bytes as they were read, in pieces cut anywhere, and appends what it makes of them:
//! how the pieces were cut never shows in the result. None keeps more than one line of a bounded length.

use memchr::memchr;
use memchr::{memmem, memrchr};
use shared::text::timestamp;

use crate::limits::{HELD_LINE_LEN_MAX, SYSLOG_LEN_MAX};

/// Takes off what a terminal put on: exactly one CR directly before each LF.
///
/// The inverse of the terminal's ONLCR, so that the log of a program on a terminal has the program's own
/// bytes: its CR LF stays CR LF, and the CRs of a progress bar stay too.
#[derive(Debug, Default)]
pub struct CrStripper {
    /// The last byte was a CR, and what it is depends on the next one.
    held: bool,
}

impl CrStripper {
    /// Whether the last byte was a carriage return that may still have to go.
    pub fn holds_back(&self) -> bool {
        self.held
    }

    /// Appends the program's own bytes to `out`.
    pub fn strip(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let Some((&first, &last)) = bytes.first().zip(bytes.last()) else {
            return;
        };
        if self.held && first != b'\n' {
            out.push(b'\r');
        }
        self.held = last == b'\r';
        let bytes = &bytes[..bytes.len() - usize::from(self.held)];
        let mut start = 0;
        for at in memmem::find_iter(bytes, b"\r\n") {
            out.extend_from_slice(&bytes[start..at]);
            start = at + 1;
        }
        out.extend_from_slice(&bytes[start..]);
    }

    /// Nothing follows: appends the CR that was held back, if one was.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.held) {
            out.push(b'\r');
        }
    }
}

/// Puts the time before each line.
#[derive(Debug, Default)]
pub struct Timestamper {
    mid_line: bool,
}

impl Timestamper {
    /// Appends `bytes` to `out`, each line that begins here with the time `unix_ms` and a blank before it.
    pub fn stamp(&mut self, unix_ms: u64, bytes: &[u8], out: &mut Vec<u8>) {
        let time = timestamp(unix_ms);
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            if !self.mid_line {
                out.extend_from_slice(time.as_bytes());
                out.push(b' ');
            }
            out.extend_from_slice(line);
            self.mid_line = !line.ends_with(b"\n");
        }
    }

    /// What comes next is on a line of its own: ends the one that has begun, if one has.
    pub fn end_line(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.mid_line) {
            out.push(b'\n');
        }
    }
}

/// Keeps the beginning of a line back until its end has come, so that it is whole among what others write.
#[derive(Debug, Default)]
pub struct WholeLines {
    /// A line that has not ended; never longer than `HELD_LINE_LEN_MAX`.
    held: Vec<u8>,
}

impl WholeLines {
    /// Whether the beginning of a line waits.
    pub fn holds_back(&self) -> bool {
        !self.held.is_empty()
    }

    /// Appends the lines that have ended to `out`, and a beginning that is too long to wait.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let ended = memrchr(b'\n', bytes).map_or(0, |at| at + 1);
        let (lines, beginning) = bytes.split_at(ended);
        if !lines.is_empty() || self.held.len() + beginning.len() > HELD_LINE_LEN_MAX {
            self.finish(out);
            out.extend_from_slice(lines);
        }
        if beginning.len() > HELD_LINE_LEN_MAX {
            out.extend_from_slice(beginning);
        } else {
            self.held.extend_from_slice(beginning);
        }
    }

    /// Nothing follows: appends what has no end.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.held);
    }
}

/// Cuts a stream into lines that fit into a message to syslog.
#[derive(Debug, Default)]
pub struct Lines {
    /// A line that has not ended; never longer than `SYSLOG_LEN_MAX`.
    carry: Vec<u8>,
}

impl Lines {
    /// Gives each line that is complete, without its LF, to `each`; one that is too long in several pieces.
    pub fn push(&mut self, mut bytes: &[u8], mut each: impl FnMut(&[u8])) {
        while let Some(at) = memchr(b'\n', bytes) {
            self.extend(&bytes[..at], &mut each);
            each(&self.carry);
            self.carry.clear();
            bytes = &bytes[at + 1..];
        }
        self.extend(bytes, &mut each);
    }

    /// Nothing follows: gives what has no LF.
    pub fn finish(&mut self, mut each: impl FnMut(&[u8])) {
        if !self.carry.is_empty() {
            each(&self.carry);
            self.carry.clear();
        }
    }

    fn extend(&mut self, mut bytes: &[u8], each: &mut impl FnMut(&[u8])) {
        while self.carry.len() + bytes.len() > SYSLOG_LEN_MAX {
            let (fits, rest) = bytes.split_at(SYSLOG_LEN_MAX - self.carry.len());
            self.carry.extend_from_slice(fits);
            let whole = whole_chars(&self.carry);
            each(&self.carry[..whole]);
            self.carry.drain(..whole);
            bytes = rest;
        }
        self.carry.extend_from_slice(bytes);
    }
}

/// The length of `bytes` without a character at its end of which only a part is there.
fn whole_chars(bytes: &[u8]) -> usize {
    for back in 1..=bytes.len().min(3) {
        let at = bytes.len() - back;
        let len = match bytes[at] {
            0x80..=0xbf => continue,
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => 1,
        };
        return if len > back { at } else { bytes.len() };
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same, one byte at a time and with all of the input before it.
    fn model(bytes: &[u8]) -> Vec<u8> {
        (0..bytes.len())
            .filter(|&at| !(bytes[at] == b'\r' && bytes.get(at + 1) == Some(&b'\n')))
            .map(|at| bytes[at])
            .collect()
    }

    fn onlcr(bytes: &[u8]) -> Vec<u8> {
        let pairs = bytes.iter().map(|byte| match byte {
            b'\n' => &b"\r\n"[..],
            other => std::slice::from_ref(other),
        });
        pairs.flatten().copied().collect()
    }

    fn strip<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
        let (mut stripper, mut out) = (CrStripper::default(), Vec::new());
        for chunk in chunks {
            stripper.strip(chunk, &mut out);
        }
        stripper.finish(&mut out);
        out
    }

    /// `bytes` cut at each place whose bit is set.
    fn cut(bytes: &[u8], bits: u32) -> Vec<&[u8]> {
        let (mut chunks, mut start) = (Vec::new(), 0);
        for at in (1..bytes.len()).filter(|at| bits & (1 << at) != 0) {
            chunks.push(&bytes[start..at]);
            start = at;
        }
        chunks.push(&bytes[start..]);
        chunks
    }

    /// Every text of up to seven bytes of this alphabet.
    fn texts(alphabet: &[u8]) -> Vec<Vec<u8>> {
        let mut all = vec![Vec::new()];
        let mut from = 0;
        for _ in 0..7 {
            let to = all.len();
            for index in from..to {
                for &byte in alphabet {
                    all.push([&all[index][..], &[byte]].concat());
                }
            }
            from = to;
        }
        all
    }

    #[test]
    fn a_log_has_the_programs_own_bytes_however_they_came() {
        for text in texts(b"\r\na") {
            let seen = onlcr(&text);
            assert_eq!(strip([&seen[..]]), text, "{text:?}");
            assert_eq!(strip(seen.chunks(1)), text, "{text:?}");
            assert_eq!(strip(seen.chunks(2)), text, "{text:?}");
        }
    }

    #[test]
    fn one_cr_before_each_lf_goes_in_every_chunking() {
        let examples: [&[u8]; 7] = [
            b"a\nb\r\nc\r\r\nd",
            b"10%\r20%\r99%\r\n",
            b"\r",
            b"x\r\r",
            b"no end",
            b"\0\xff\r\n\xff\0\r",
            b"\n\r\n\r\r\n",
        ];
        for text in examples {
            for bits in 0..1 << text.len() {
                assert_eq!(strip(cut(text, bits)), model(text), "{text:?} {bits:b}");
            }
        }
    }

    /// A generator of numbers that repeats itself: xorshift.
    fn random(seed: &mut u64) -> usize {
        *seed ^= *seed << 13;
        *seed ^= *seed >> 7;
        *seed ^= *seed << 17;
        (*seed >> 33) as usize
    }

    #[test]
    fn long_random_output_is_stripped_as_the_model_says() {
        for start in 1..=8_u64 {
            let mut seed = start;
            let bytes: Vec<u8> = (0..64 * 1024)
                .map(|_| b"\r\r\n\n\0\xffab"[random(&mut seed) % 8])
                .collect();
            let (mut chunks, mut rest) = (Vec::new(), &bytes[..]);
            while !rest.is_empty() {
                let (chunk, after) = rest.split_at(rest.len().min(random(&mut seed) % 5000));
                chunks.push(chunk);
                rest = after;
            }
            assert_eq!(strip(chunks), model(&bytes), "seed {start}");
        }
    }

    #[test]
    fn each_line_has_one_time_and_it_is_when_the_line_began() {
        let (mut stamper, mut out) = (Timestamper::default(), Vec::new());
        stamper.stamp(0, b"one\ntw", &mut out);
        stamper.stamp(1000, b"o\n", &mut out);
        stamper.stamp(2000, b"", &mut out);
        stamper.stamp(3000, b"\nend", &mut out);
        let out = String::from_utf8(out).unwrap();
        let lines: Vec<_> = out.lines().collect();
        assert_eq!(
            lines,
            [
                "1970-01-01T00:00:00.000Z one",
                "1970-01-01T00:00:00.000Z two",
                "1970-01-01T00:00:03.000Z ",
                "1970-01-01T00:00:03.000Z end",
            ]
        );
    }

    #[test]
    fn whole_lines_come_when_they_have_ended_and_nothing_is_lost() {
        let long = "x".repeat(3 * HELD_LINE_LEN_MAX);
        let text = format!("one\n\ntwo\n{long}\nthree\nend");
        for chunk in [1, 2, 5, 1000, HELD_LINE_LEN_MAX, 100_000] {
            let (mut lines, mut whole) = (WholeLines::default(), Vec::new());
            for piece in text.as_bytes().chunks(chunk) {
                let mut out = Vec::new();
                lines.push(piece, &mut out);
                assert!(lines.held.len() <= HELD_LINE_LEN_MAX);
                let is_whole = out.is_empty() || out.ends_with(b"\n");
                assert!(is_whole || out.len() > HELD_LINE_LEN_MAX - 1000, "{chunk}");
                whole.extend(out);
            }
            assert!(lines.holds_back() && whole.ends_with(b"three\n"));
            lines.finish(&mut whole);
            assert!(!lines.holds_back() && whole == text.as_bytes(), "{chunk}");
        }
    }

    fn lines(bytes: &[u8], chunk: usize) -> Vec<Vec<u8>> {
        let (mut lines, mut out) = (Lines::default(), Vec::new());
        for piece in bytes.chunks(chunk) {
            lines.push(piece, |line| out.push(line.to_vec()));
            assert!(lines.carry.len() <= SYSLOG_LEN_MAX);
        }
        lines.finish(|line| out.push(line.to_vec()));
        out
    }

    #[test]
    fn lines_are_cut_where_a_message_ends_and_never_within_a_character() {
        let text = format!("short\n\n{}\nlast", "x€𝄞".repeat(1000));
        for chunk in [1, 2, 3, 100, 1899, 1900, 1901, 100_000] {
            let got = lines(text.as_bytes(), chunk);
            assert_eq!(got[..2], [&b"short"[..], b""]);
            assert_eq!(got.last().unwrap(), b"last");
            assert!(got.iter().all(|line| line.len() <= SYSLOG_LEN_MAX));
            assert!(got.iter().all(|line| str::from_utf8(line).is_ok()));
            assert_eq!(got.concat(), text.replace('\n', "").as_bytes(), "{chunk}");
        }
    }

    #[test]
    fn a_line_as_long_as_a_message_is_one_line() {
        let mut text = vec![b'x'; SYSLOG_LEN_MAX];
        text.push(b'\n');
        assert_eq!(lines(&text, 7).len(), 1);
        // What is not UTF-8 is cut anywhere, but nothing is lost.
        let junk = vec![0x80; 3 * SYSLOG_LEN_MAX];
        assert_eq!(lines(&junk, 1000).concat(), junk);
    }
}
