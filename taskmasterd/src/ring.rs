//! The last bytes of an output stream: for `tail` and `why` where there is no file, and for the lines on a screen.
//!
//! Memory is asked for when output comes, not before, and never grows. Where there is none to be had, output
//! is forgotten at once and counted all the same: a program never waits for us.

use std::io;
use std::ops::DerefMut;

use crate::limits::RING_LEN;

/// The last [`RING_LEN`] bytes of a stream, in memory of the kind `B`.
#[derive(Debug)]
pub struct Ring<B> {
    allocate: fn(usize) -> io::Result<B>,
    memory: Option<B>,
    /// How many bytes are kept.
    kept: usize,
    /// Where the next byte goes.
    next: usize,
    /// How many bytes there ever were.
    total: u64,
    /// How many there had been when it was last cleared.
    cleared_at: u64,
}

impl<B: DerefMut<Target = [u8]>> Ring<B> {
    /// An empty ring; `allocate` is asked for [`RING_LEN`] bytes when the first output comes.
    pub fn new(allocate: fn(usize) -> io::Result<B>) -> Self {
        Self {
            allocate,
            memory: None,
            kept: 0,
            next: 0,
            total: 0,
            cleared_at: 0,
        }
    }

    /// Takes in output; the oldest gives way.
    pub fn push(&mut self, bytes: &[u8]) {
        self.total += bytes.len() as u64;
        if self.memory.is_none() && !bytes.is_empty() {
            self.memory = (self.allocate)(RING_LEN).ok();
        }
        let Some(memory) = &mut self.memory else {
            return;
        };
        let bytes = &bytes[bytes.len().saturating_sub(RING_LEN)..];
        let (first, second) = bytes.split_at(bytes.len().min(RING_LEN - self.next));
        memory[self.next..][..first.len()].copy_from_slice(first);
        memory[..second.len()].copy_from_slice(second);
        self.next = (self.next + bytes.len()) % RING_LEN;
        self.kept = (self.kept + bytes.len()).min(RING_LEN);
    }

    /// The last `n` bytes, or as many as are kept, and whether there were others before them.
    pub fn last(&self, n: usize) -> (Vec<u8>, bool) {
        let n = n.min(self.kept);
        let more = self.total - self.cleared_at > n as u64;
        let Some(memory) = &self.memory else {
            return (Vec::new(), more);
        };
        let last = match self.next.checked_sub(n) {
            Some(start) => memory[start..self.next].to_vec(),
            None => [&memory[RING_LEN - (n - self.next)..], &memory[..self.next]].concat(),
        };
        (last, more)
    }

    /// Forgets what is kept, and gives the memory back.
    pub fn clear(&mut self) {
        self.memory = None;
        (self.kept, self.next, self.cleared_at) = (0, 0, self.total);
    }

    /// How many bytes there ever were.
    pub fn total(&self) -> u64 {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring() -> Ring<Vec<u8>> {
        Ring::new(|len| Ok(vec![0; len]))
    }

    /// Against a model that keeps everything, with pieces that end before, at and after the seam.
    #[test]
    fn the_last_bytes_are_kept_whatever_the_pieces() {
        let sizes = [
            1,
            10,
            4096,
            30_000,
            RING_LEN - 1,
            RING_LEN,
            RING_LEN + 1,
            3 * RING_LEN,
        ];
        for (round, size) in sizes.into_iter().enumerate() {
            let (mut ring, mut all) = (ring(), Vec::new());
            for piece in 0..40 {
                let bytes: Vec<u8> = (0..size)
                    .map(|i| (i * 7 + piece * 13 + round) as u8)
                    .collect();
                ring.push(&bytes);
                all.extend_from_slice(&bytes);
                for n in [0, 1, 100, RING_LEN / 2, RING_LEN - 1, RING_LEN, usize::MAX] {
                    let want = &all[all.len() - n.min(RING_LEN).min(all.len())..];
                    let more = all.len() > want.len();
                    assert_eq!(
                        ring.last(n),
                        (want.to_vec(), more),
                        "{n} of {piece} x {size}"
                    );
                }
            }
            assert_eq!(ring.total(), all.len() as u64);
        }
    }

    #[test]
    fn a_ring_without_output_has_no_memory() {
        let mut ring = ring();
        ring.push(b"");
        assert!(ring.memory.is_none());
        assert_eq!(ring.last(10), (Vec::new(), false));
    }

    #[test]
    fn what_was_cleared_is_gone_but_was_counted() {
        let mut ring = ring();
        ring.push(&vec![1; RING_LEN + 5]);
        ring.clear();
        assert!(ring.memory.is_none());
        assert_eq!(ring.last(10), (Vec::new(), false));
        ring.push(b"new");
        assert_eq!(ring.last(10), (b"new".to_vec(), false));
        assert_eq!(ring.total(), RING_LEN as u64 + 8);
    }

    #[test]
    fn output_is_counted_where_there_is_no_memory() {
        let mut ring: Ring<Vec<u8>> = Ring::new(|_| Err(io::ErrorKind::OutOfMemory.into()));
        ring.push(b"gone");
        assert_eq!(ring.last(10), (Vec::new(), true));
        assert_eq!(ring.total(), 4);
    }
}
