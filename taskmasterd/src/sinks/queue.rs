//! Lines waiting for somewhere that does not take them now.
//!
//! Bounded: the oldest whole lines give way, and the gap they leave is told of in its place, with its length.
//! A line of which a part was written is finished first, so that every line that arrives is whole; where what comes
//! next goes to somewhere else, it is written there from its beginning.

use std::collections::VecDeque;

use memchr::memrchr;

use crate::limits::EVENT_QUEUE_LEN_MAX;

/// How much is handed over at once, in bytes; what was handed over no longer gives way.
const BATCH_LEN: usize = 64 * 1024;

/// A queue of lines.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// Handed over and not yet taken: whole lines.
    batch: Vec<u8>,
    /// How much of the first of them was taken.
    begun: usize,
    /// After it: whole lines, each with its LF.
    lines: VecDeque<String>,
    /// The length of all lines together.
    lines_len: usize,
    /// How many lines gave way between the batch and the others.
    dropped: u64,
}

impl Queue {
    /// Puts a line in, without its LF; the oldest give way to it.
    pub(super) fn push(&mut self, mut line: String) {
        line.push('\n');
        self.lines_len += line.len();
        self.lines.push_back(line);
        while self.batch.len() + self.lines_len > EVENT_QUEUE_LEN_MAX {
            let Some(oldest) = self.lines.pop_front() else {
                return;
            };
            self.lines_len -= oldest.len();
            self.dropped += 1;
        }
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.batch.is_empty() && self.lines.is_empty() && self.dropped == 0
    }

    /// Writes with `write`, which says how much it took, until it fails or nothing is left; `gap` makes the line
    /// that tells how many are missing.
    pub(super) fn drain<E>(
        &mut self,
        gap: impl Fn(u64) -> String,
        mut write: impl FnMut(&[u8]) -> Result<usize, E>,
    ) -> Result<(), E> {
        loop {
            if self.batch.is_empty() {
                self.fill(&gap);
            }
            if self.batch.is_empty() {
                return Ok(());
            }
            self.begun += write(&self.batch[self.begun..])?;
            let ended = memrchr(b'\n', &self.batch[..self.begun]).map_or(0, |at| at + 1);
            self.batch.drain(..ended);
            self.begun -= ended;
        }
    }

    /// What comes next goes to somewhere that does not have the beginning of a line.
    pub(super) fn begin_anew(&mut self) {
        self.begun = 0;
    }

    fn fill(&mut self, gap: impl Fn(u64) -> String) {
        if self.dropped > 0 {
            let line = gap(std::mem::take(&mut self.dropped));
            self.batch.extend_from_slice(line.as_bytes());
            self.batch.push(b'\n');
        }
        while self.batch.len() < BATCH_LEN
            && let Some(line) = self.lines.pop_front()
        {
            self.lines_len -= line.len();
            self.batch.extend_from_slice(line.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gap(n: u64) -> String {
        format!("{n} missing")
    }

    fn drain_all(queue: &mut Queue, step: usize) -> String {
        let mut out = Vec::new();
        queue
            .drain(gap, |bytes| {
                let taken = bytes.len().min(step);
                out.extend_from_slice(&bytes[..taken]);
                Ok::<_, ()>(taken)
            })
            .unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn lines_come_out_as_they_went_in_however_slowly() {
        for step in [1, 3, 1000] {
            let mut queue = Queue::default();
            queue.push("one".into());
            queue.push("two".into());
            assert_eq!(drain_all(&mut queue, step), "one\ntwo\n");
            assert_eq!(drain_all(&mut queue, step), "");
        }
    }

    #[test]
    fn the_oldest_lines_give_way_and_the_gap_has_their_number() {
        let mut queue = Queue::default();
        for n in 0..100_000 {
            queue.push(format!("line {n:05}"));
            assert!(queue.batch.len() + queue.lines_len <= EVENT_QUEUE_LEN_MAX);
        }
        let out = drain_all(&mut queue, 1 << 20);
        let kept = EVENT_QUEUE_LEN_MAX / 11;
        let mut lines = out.lines();
        assert_eq!(lines.next(), Some(&*gap(100_000 - kept as u64)));
        assert_eq!(lines.next(), Some(&*format!("line {:05}", 100_000 - kept)));
        assert_eq!(lines.count(), kept - 1);
    }

    #[test]
    fn a_line_that_has_begun_is_finished_before_the_gap() {
        let mut queue = Queue::default();
        queue.push("begun".into());
        let mut calls = 0;
        let stuck = queue.drain(gap, |_| {
            calls += 1;
            if calls == 1 { Ok(2) } else { Err(()) }
        });
        assert_eq!(stuck, Err(()));
        queue.push("x".repeat(EVENT_QUEUE_LEN_MAX));
        queue.push("last".into());
        assert_eq!(drain_all(&mut queue, 7), "gun\n1 missing\nlast\n");
    }

    #[test]
    fn a_line_that_has_begun_is_whole_where_the_rest_goes() {
        let mut queue = Queue::default();
        queue.push("gone".into());
        queue.push("begun".into());
        let mut calls = [Ok(7), Err(())].into_iter();
        let stuck = queue.drain(gap, |_| calls.next().unwrap());
        assert_eq!(stuck, Err(()));
        queue.begin_anew();
        queue.push("last".into());
        assert_eq!(drain_all(&mut queue, 7), "begun\nlast\n");
        queue.begin_anew();
        assert_eq!(drain_all(&mut queue, 7), "");
    }
}
