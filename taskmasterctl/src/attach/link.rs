//! The connection to the daemon, once it carries frames: nothing on it ever waits.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;
use nix::unistd::Pid;
use shared::frame::{Decoder, Frame, FrameError, HEAD_LEN};

use super::backlog::Backlog;

/// How much is read at once, in bytes: what a busy process writes comes in frames of this length.
const READ_LEN: usize = 64 * 1024;
/// How much that was typed waits for a daemon whose process does not read, in bytes. A paste fits.
const OUTGOING_LEN_MAX: usize = 4 * 1024 * 1024;

/// Why nothing comes any more.
#[derive(Debug, PartialEq)]
pub(super) enum Lost {
    /// The daemon hung up.
    Closed,
    /// What it sends are no frames.
    Garbled(String),
}

/// The connection.
#[derive(Debug)]
pub(super) struct Link {
    stream: UnixStream,
    decoder: Decoder,
    /// Whole frames.
    outgoing: Backlog,
    /// How much of the first of them has gone.
    begun: usize,
    /// Whether nothing will go any more. What waits is only counted then.
    deaf: bool,
    /// What came right behind the answer to `attach`.
    early: Vec<u8>,
    /// Where what is read goes first.
    buffer: Box<[u8]>,
}

impl Link {
    pub(super) fn new(stream: UnixStream, early: Vec<u8>) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self {
            stream,
            decoder: Decoder::default(),
            outgoing: Backlog::default(),
            begun: 0,
            deaf: false,
            early,
            buffer: vec![0; READ_LEN].into(),
        })
    }

    /// Who is at the other end.
    pub(super) fn daemon(&self) -> Option<Pid> {
        let peer = getsockopt(&self.stream, PeerCredentials).ok()?;
        Some(Pid::from_raw(peer.pid()))
    }

    /// Sends a frame, now or as soon as it goes.
    pub(super) fn send(&mut self, frame: &Frame) {
        frame.encode(self.outgoing.end());
        self.flush();
    }

    /// Sends as much as goes. A daemon that has hung up takes nothing any more; that it has is noticed by who reads,
    /// once there is room for what it said last.
    pub(super) fn flush(&mut self) {
        while self.is_behind() {
            match self.stream.write(&self.outgoing.rest()[self.begun..]) {
                Ok(count @ 1..) => self.has_gone(count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => self.deaf = true,
            }
        }
    }

    fn has_gone(&mut self, count: usize) {
        self.begun += count;
        while let Some(len) = self.frame_len().filter(|&len| len <= self.begun) {
            self.outgoing.advance(len);
            self.begun -= len;
        }
    }

    /// How long the first frame is that waits.
    fn frame_len(&self) -> Option<usize> {
        let (_, rest) = self.outgoing.rest().split_first()?;
        let len = u32::from_be_bytes(*rest.first_chunk()?);
        Some(HEAD_LEN + usize::try_from(len).ok()?)
    }

    /// How much of what was typed the daemon did not take, in bytes. Of a frame it takes all or nothing.
    pub(super) fn untaken(&self) -> usize {
        let (mut decoder, mut rest, mut count) = (Decoder::default(), self.outgoing.rest(), 0);
        while let Ok(Some(frame)) = decoder.next(&mut rest) {
            if let Frame::Input(bytes) = frame {
                count += bytes.len();
            }
        }
        count
    }

    /// Whether something waits to be sent.
    pub(super) fn is_behind(&self) -> bool {
        !self.deaf && !self.outgoing.is_empty()
    }

    /// Whether no more should be typed.
    pub(super) fn is_full(&self) -> bool {
        self.outgoing.len() > OUTGOING_LEN_MAX
    }

    /// Whether frames may be there without the connection being readable.
    pub(super) fn has_early(&self) -> bool {
        !self.early.is_empty()
    }

    /// The frames that one read brings.
    pub(super) fn receive(&mut self) -> Result<Vec<Frame>, Lost> {
        if self.has_early() {
            let early = std::mem::take(&mut self.early);
            return decode(&mut self.decoder, &early);
        }
        match self.stream.read(&mut self.buffer) {
            Ok(0) => Err(Lost::Closed),
            Ok(count) => decode(&mut self.decoder, &self.buffer[..count]),
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) =>
            {
                Ok(Vec::new())
            }
            Err(_) => Err(Lost::Closed),
        }
    }
}

/// The frames that such bytes complete.
fn decode(decoder: &mut Decoder, mut bytes: &[u8]) -> Result<Vec<Frame>, Lost> {
    let mut frames = Vec::new();
    loop {
        match decoder.next(&mut bytes) {
            Ok(Some(frame)) => frames.push(frame),
            Ok(None) => return Ok(frames),
            // A newer daemon may have more to say than we understand.
            Err(FrameError::Unknown { .. }) => {}
            Err(error @ (FrameError::TooLong { .. } | FrameError::Malformed { .. })) => {
                return Err(Lost::Garbled(error.to_string()));
            }
        }
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_and_not_taken_is_counted() {
        let (client, mut daemon) = UnixStream::pair().unwrap();
        daemon.set_nonblocking(true).unwrap();
        let mut link = Link::new(client, Vec::new()).unwrap();
        let mut sent = 0;
        while link.outgoing.len() < 1_000_000 {
            link.send(&Frame::Redraw);
            link.send(&Frame::Input(vec![b'x'; 100_000]));
            sent += 100_000;
        }
        link.send(&Frame::Detach);
        let (mut decoder, mut taken) = (Decoder::default(), 0);
        let mut buffer = [0; 10_000];
        loop {
            while let Ok(count @ 1..) = daemon.read(&mut buffer) {
                let mut bytes = &buffer[..count];
                while let Some(frame) = decoder.next(&mut bytes).unwrap() {
                    if let Frame::Input(bytes) = frame {
                        taken += bytes.len();
                    }
                }
            }
            assert_eq!(taken + link.untaken(), sent);
            if !link.is_behind() {
                return;
            }
            link.flush();
        }
    }
}
