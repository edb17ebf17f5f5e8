//! Frames on their way to an attached client.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};

use mio::net::UnixStream;
use shared::frame::Frame;

/// Whole frames on their way out, the first of them perhaps in part.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    frames: VecDeque<Vec<u8>>,
    /// Bytes that are not written.
    pub(super) len: usize,
    /// Bytes of the first frame that are.
    written: usize,
}

impl Outgoing {
    pub(super) fn put(&mut self, frame: &Frame) {
        let bytes = frame.to_bytes();
        self.len += bytes.len();
        self.frames.push_back(bytes);
    }

    /// Drops all but a frame whose beginning is out already. Says how many bytes that was.
    pub(super) fn drop_queue(&mut self) -> u64 {
        let before = self.len;
        self.frames.truncate(usize::from(self.written > 0));
        self.len = self
            .frames
            .front()
            .map_or(0, |frame| frame.len() - self.written);
        (before - self.len) as u64
    }

    pub(super) fn flush(&mut self, stream: &mut UnixStream) -> io::Result<()> {
        while let Some(frame) = self.frames.front() {
            match stream.write(&frame[self.written..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(n) => {
                    self.written += n;
                    self.len -= n;
                    if self.written == frame.len() {
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
