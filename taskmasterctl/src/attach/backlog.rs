//! Bytes on their way out: what has gone is forgotten, what has not is kept in order.

/// Bytes that wait to be written.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    bytes: Vec<u8>,
    /// How many of them have gone.
    gone: usize,
}

impl Backlog {
    /// Adds bytes at the end.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.reclaim();
        self.bytes.extend_from_slice(bytes);
    }

    /// Where an encoder may append.
    pub(super) fn end(&mut self) -> &mut Vec<u8> {
        self.reclaim();
        &mut self.bytes
    }

    /// What is to be written next.
    pub(super) fn rest(&self) -> &[u8] {
        &self.bytes[self.gone..]
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest().is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.rest().len()
    }

    /// Forgets the first `count` bytes, which have gone.
    pub(super) fn advance(&mut self, count: usize) {
        self.gone += count;
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.gone = 0;
    }

    /// Takes back the room of what has gone, once that is the larger part: so each byte is moved once at most.
    fn reclaim(&mut self) {
        if self.gone >= self.len() {
            self.bytes.drain(..self.gone);
            self.gone = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_leave_in_order_and_their_room_is_used_again() {
        let mut backlog = Backlog::default();
        let mut sent = Vec::new();
        for round in 0..10_000_u32 {
            backlog.push(&round.to_be_bytes());
            if round > 10 {
                sent.extend_from_slice(&backlog.rest()[..4]);
                backlog.advance(4);
            }
        }
        assert!(backlog.bytes.capacity() < 1000, "it grows for ever");
        let rest: Vec<u8> = backlog.rest().into();
        let numbers = [sent, rest].concat();
        let numbers = numbers
            .chunks_exact(4)
            .map(|n| u32::from_be_bytes(n.try_into().unwrap()));
        assert!(numbers.eq(0..10_000));
        backlog.clear();
        assert!(backlog.is_empty());
    }
}
