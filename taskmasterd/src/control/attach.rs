//! An attached client: frames come in, frames go out, and a slow client is not waited for.
//!
//! What a client has not read is queued up to a limit. Beyond it the queue is dropped and the client is *behind*:
//! nothing more is queued until it has read what is on its way, then it is shown the screen as it is by then. So
//! the process never waits for a client that does not read, and no client costs more than its queue.

use std::io::{self, ErrorKind, Read};

use mio::net::UnixStream;
use shared::api::AttachParams;
use shared::frame::{Decoder, Frame, FrameError, Size};
use shared::state::State;

use super::outgoing::Outgoing;
use crate::core::{Mono, ProcessId};
use crate::limits::{ATTACH_QUEUE_LEN_MAX, RESYNC_INTERVAL_MS, TYPED_LEN_MAX};

/// What a client may do at the terminal of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Look on.
    Watcher,
    /// Look on and type.
    Typist,
}

/// The state of a process as a client was last told it: its pid, if it has one, and its state.
pub type Told = (Option<i32>, State);

/// One attached client.
#[derive(Debug)]
pub struct Attachment {
    /// The process.
    pub id: ProcessId,
    /// Its shown name when the client came, for when the process is no more.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// The size of its terminal; zero where it has none.
    pub size: Size,
    /// Whether that size is not to count.
    pub ignore_size: bool,
    /// Whether its terminal is shown text and colours alone, and so answers nothing.
    pub plain: bool,
    /// What kind of terminal it says it has.
    pub term: String,
    /// How many lines that have scrolled away it wants to see.
    pub history: u32,
    /// Since when it is attached, in milliseconds since 1970.
    pub since: u64,
    /// What it knows of the process.
    pub told: Option<Told>,
    decoder: Decoder,
    /// Read from the client and not yet made into frames.
    incoming: Vec<u8>,
    outgoing: Outgoing,
    behind: Option<Behind>,
}

/// A client that was too slow.
#[derive(Debug)]
struct Behind {
    skipped: u64,
    /// Screens are not sent one after the other to somebody who cannot read them.
    not_before: Mono,
}

impl Attachment {
    /// A new one, with what the client sent before it knew that it is attached.
    pub fn new(id: ProcessId, params: &AttachParams, since: u64, early: Vec<u8>) -> Self {
        let role = match params.read_only {
            true => Role::Watcher,
            false => Role::Typist,
        };
        Self {
            id,
            name: String::new(),
            role,
            size: Size {
                rows: params.rows,
                cols: params.cols,
                xpixel: params.xpixel,
                ypixel: params.ypixel,
            },
            ignore_size: params.ignore_size,
            plain: params.plain,
            term: params.term.clone(),
            history: params.history,
            since,
            told: None,
            decoder: Decoder::default(),
            incoming: early,
            outgoing: Outgoing::default(),
            behind: None,
        }
    }

    /// The size that the terminal of the process gets when this client leads, if it may.
    pub fn offered_size(&self) -> Option<Size> {
        let has_size = self.size.rows > 0 && self.size.cols > 0;
        let counts = self.role == Role::Typist && !self.ignore_size;
        (has_size && counts).then_some(self.size)
    }

    /// Reads what is there, up to a limit. Says whether the client has closed its end; if it is ending, that end
    /// is looked for.
    ///
    /// # Errors
    /// The connection is broken.
    pub fn read(&mut self, stream: &mut UnixStream, is_ending: bool) -> io::Result<bool> {
        let mut buffer = [0; 4 * 1024];
        while self.incoming.len() < TYPED_LEN_MAX {
            match stream.read(&mut buffer) {
                Ok(0) => return Ok(true),
                Ok(n) => {
                    self.incoming.extend_from_slice(&buffer[..n]);
                    // A short read has taken all there was; what comes after it is announced anew.
                    if n < buffer.len() && !is_ending {
                        return Ok(false);
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    /// The next frame of the client, if one is whole.
    ///
    /// # Errors
    /// What the client sends is not what clients send.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        let mut rest = &self.incoming[..];
        let frame = self.decoder.next(&mut rest);
        let used = self.incoming.len() - rest.len();
        self.incoming.drain(..used);
        frame
    }

    /// Queues what the process wrote, or counts it if the client is behind.
    pub fn show(&mut self, frame: &Frame, len: usize, now: Mono) {
        if let Some(behind) = &mut self.behind {
            behind.skipped += len as u64;
        } else if self.outgoing.len + len > ATTACH_QUEUE_LEN_MAX {
            self.fall_behind(now, len);
        } else {
            self.outgoing.put(frame);
        }
    }

    /// Drops what is queued: the client will be shown the screen when it reads again.
    pub fn fall_behind(&mut self, now: Mono, len: usize) {
        let dropped = self.outgoing.drop_queue() + len as u64;
        match &mut self.behind {
            Some(behind) => behind.skipped += dropped,
            None => {
                let not_before = now.after(RESYNC_INTERVAL_MS);
                self.behind = Some(Behind {
                    skipped: dropped,
                    not_before,
                });
            }
        }
    }

    /// Queues a word of the daemon's own; one that is behind is told the state of things later.
    pub fn tell(&mut self, frame: &Frame) {
        if self.behind.is_none() {
            self.outgoing.put(frame);
        }
    }

    /// Whether the client is behind.
    pub fn is_behind(&self) -> bool {
        self.behind.is_some()
    }

    /// When a client that is behind, and has read all there was, may be shown the screen.
    pub fn resync_at(&self) -> Option<Mono> {
        let behind = self.behind.as_ref().filter(|_| self.outgoing.len == 0);
        behind.map(|behind| behind.not_before)
    }

    /// The client is up to date again with the screen that is queued now: how much it has missed.
    pub fn catch_up(&mut self) -> u64 {
        self.told = None;
        self.behind.take().map_or(0, |behind| behind.skipped)
    }

    /// How much is queued, in bytes.
    pub fn queued(&self) -> usize {
        self.outgoing.len
    }

    /// Writes what the connection takes.
    ///
    /// # Errors
    /// The connection is broken.
    pub fn flush(&mut self, stream: &mut UnixStream) -> io::Result<()> {
        self.outgoing.flush(stream)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attachment() -> Attachment {
        let params = AttachParams::new("p".parse().unwrap());
        Attachment::new(ProcessId(1), &params, 0, Vec::new())
    }

    fn output(len: usize) -> Frame {
        Frame::Output(vec![b'x'; len])
    }

    #[test]
    fn a_client_that_does_not_read_costs_its_queue_and_no_more() {
        let mut client = attachment();
        for _ in 0..1000 {
            client.show(&output(60_000), 60_000, Mono(0));
            assert!(client.queued() <= ATTACH_QUEUE_LEN_MAX + 64 * 1024);
        }
        assert!(client.is_behind());
        assert_eq!(client.catch_up(), {
            let whole_frames = 60_000 * 1000;
            // The heads of the frames that were dropped count too: they were never sent either.
            whole_frames + 5 * 4
        });
        assert!(!client.is_behind());
    }

    #[test]
    fn a_frame_that_has_begun_is_finished() {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let mut ours = UnixStream::from_std(ours);
        let mut client = attachment();
        // More than a socket holds, so that a frame is cut.
        for _ in 0..8 {
            client.show(&output(32_000), 32_000, Mono(0));
            client.flush(&mut ours).unwrap();
        }
        client.fall_behind(Mono(0), 0);
        client.catch_up();
        client.tell(&Frame::Leader(true));
        let reader = std::thread::spawn(move || {
            let mut all = Vec::new();
            (&theirs).read_to_end(&mut all).unwrap();
            all
        });
        while client.queued() > 0 {
            client.flush(&mut ours).unwrap();
            std::thread::yield_now();
        }
        drop(ours);
        let all = reader.join().unwrap();
        let (mut rest, mut decoder) = (&all[..], Decoder::default());
        let mut last = None;
        while let Some(frame) = decoder.next(&mut rest).unwrap() {
            last = Some(frame);
        }
        assert_eq!(last, Some(Frame::Leader(true)));
        assert_eq!(decoder.held(), 0);
    }
}
