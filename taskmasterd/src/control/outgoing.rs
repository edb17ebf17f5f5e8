//! What is on its way to a client: frames, and before them answers.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::rc::Rc;

use mio::net::UnixStream;
use shared::tracker::Query;

use crate::core::Mono;
use crate::limits::FRAME_QUEUED_LEN;

/// Answers on their way to a client, as bytes.
#[derive(Debug, Default)]
pub(super) struct Bytes {
    pub(super) bytes: Vec<u8>,
    written: usize,
}

impl Bytes {
    pub(super) fn len(&self) -> usize {
        self.bytes.len() - self.written
    }

    /// Writes until all is out or the socket is full.
    pub(super) fn flush(&mut self, stream: &mut UnixStream) -> io::Result<()> {
        while self.len() > 0 {
            match stream.write(&self.bytes[self.written..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(n) => self.written += n,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.bytes.drain(..self.written);
                    self.written = 0;
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        // An answer may have been large; an idle client keeps nothing of it.
        *self = Self::default();
        Ok(())
    }
}

/// A frame as it goes over the wire; output is the same for all who see it.
pub type Wire = Rc<Vec<u8>>;

/// Whole frames on their way out, the first of them perhaps in part.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    frames: VecDeque<Queued>,
    /// Bytes that are not written.
    len: usize,
    /// Bytes of the first frame that are.
    written: usize,
}

#[derive(Debug)]
struct Queued {
    wire: Wire,
    kind: Kind,
    /// What is asked in it, where this client is the one to answer.
    asked: Vec<Query>,
}

/// What becomes of a frame that is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The screen will show it, or the next SKIPPED tell of it: so much of the process's output it is, or says to have
    /// been left out.
    Shown(u64),
    /// It has to be said again.
    Word,
    /// The same: it tells of the end that was then.
    End(Mono),
}

/// What was dropped.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Dropped {
    /// How much of the process's output, with what it was to say of such.
    pub(super) output: u64,
    /// Whether there was more than output among it.
    pub(super) words: bool,
    /// The first of the ends that it told of.
    pub(super) end: Option<(Mono, Wire)>,
    /// The questions in it, which the client will never see.
    pub(super) asked: Vec<Query>,
}

impl Outgoing {
    pub(super) fn put(&mut self, wire: Wire, kind: Kind) {
        self.len += wire.len();
        self.frames.push_back(Queued {
            wire,
            kind,
            asked: Vec::new(),
        });
    }

    /// The last frame asks this; if it has been written, there is nothing to be dropped.
    pub(super) fn note_asked(&mut self, queries: &[Query]) {
        if let Some(last) = self.frames.back_mut() {
            last.asked.extend_from_slice(queries);
        }
    }

    /// Bytes that are not written.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// What it costs to keep them: a small frame is more trouble than it is long.
    pub(super) fn weight(&self) -> usize {
        self.len + self.frames.len() * FRAME_QUEUED_LEN
    }

    /// Drops all but a frame whose beginning is out already.
    pub(super) fn drop_queue(&mut self) -> Dropped {
        let begun = usize::from(self.written > 0);
        let dropped = self.frames.split_off(begun.min(self.frames.len()));
        let (mut output, mut words, mut end) = (0, false, None);
        for frame in &dropped {
            match frame.kind {
                Kind::Shown(len) => output += len,
                Kind::Word => words = true,
                Kind::End(at) => {
                    words = true;
                    end.get_or_insert_with(|| (at, Wire::clone(&frame.wire)));
                }
            }
        }
        let asked = dropped.into_iter().flat_map(|frame| frame.asked).collect();
        let first = self.frames.front();
        self.len = first.map_or(0, |frame| frame.wire.len() - self.written);
        Dropped {
            output,
            words,
            end,
            asked,
        }
    }

    /// What is not written, as it would be.
    pub(super) fn into_unsent(mut self) -> Vec<u8> {
        let mut unsent = Vec::with_capacity(self.len);
        for Queued { wire, .. } in self.frames.drain(..) {
            unsent.extend_from_slice(&wire[self.written..]);
            self.written = 0;
        }
        unsent
    }

    pub(super) fn flush(&mut self, stream: &mut UnixStream) -> io::Result<()> {
        while let Some(Queued { wire, .. }) = self.frames.front() {
            match stream.write(&wire[self.written..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(n) => {
                    self.written += n;
                    self.len -= n;
                    if self.written == wire.len() {
                        self.written = 0;
                        self.frames.pop_front();
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
