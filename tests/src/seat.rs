//! A client in front of a process, without a terminal of its own: it speaks the frames of the real daemon.

use std::collections::VecDeque;
use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use shared::api::{AttachParams, Attached, Call, Exited};
use shared::frame::{Decoder, Frame, FrameError, Size};
use shared::rpc::RpcError;

use crate::daemon::Daemon;
use crate::rpc::Rpc;
use crate::wait::{LATER, SOON, check, eventually};
use crate::{proc, sys};

/// How long a client may be kept from reading and still be one that reads: half of what the daemon waits for it.
const STARVED: Duration = Duration::from_millis(50);

/// An attached connection.
pub struct Seat {
    stream: UnixStream,
    decoder: Decoder,
    held: Vec<u8>,
    next: VecDeque<Frame>,
    /// How long this thread had waited for a processor at the last frame.
    waited: Duration,
    starved: bool,
    /// What the daemon answered.
    pub attached: Attached,
}

/// To attach to a process from a terminal of 24 rows and 80 columns.
pub fn wanting(name: &str) -> AttachParams {
    AttachParams {
        rows: 24,
        cols: 80,
        ..AttachParams::new(name.parse().expect("a name of a process"))
    }
}

/// A size without pixels.
pub fn size(rows: u16, cols: u16) -> Size {
    let (xpixel, ypixel) = (0, 0);
    Size {
        rows,
        cols,
        xpixel,
        ypixel,
    }
}

/// Rows and columns of the terminal that a process has; a process that has just been made has none yet.
pub fn window_of(pid: i32) -> io::Result<(u16, u16)> {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(libc::O_NOCTTY);
    let tty = options.open(format!("/proc/{pid}/fd/0"))?;
    let [rows, columns, ..] = sys::window(&tty)?;
    Ok((rows, columns))
}

impl Seat {
    /// Attaches from a terminal of the usual size.
    #[track_caller]
    pub fn take(daemon: &Daemon, name: &str) -> Self {
        Self::take_as(daemon, wanting(name))
    }

    /// Attaches in a way of its own.
    #[track_caller]
    pub fn take_as(daemon: &Daemon, params: AttachParams) -> Self {
        let seat = Self::ask(daemon, params);
        seat.unwrap_or_else(|error| panic!("attach: {}", error.message))
    }

    /// Asks to attach.
    ///
    /// # Errors
    /// What the daemon answered instead.
    #[track_caller]
    pub fn ask(daemon: &Daemon, params: AttachParams) -> Result<Self, RpcError> {
        Self::on(daemon.rpc(), params)
    }

    /// The same on a connection that is there.
    #[track_caller]
    pub fn on(mut rpc: Rpc, params: AttachParams) -> Result<Self, RpcError> {
        let answer = rpc.call(&Call::Attach(params))?;
        let attached = serde_json::from_value(answer).expect("an answer has its form");
        let (stream, held) = rpc.into_parts();
        Ok(Self {
            stream,
            decoder: Decoder::default(),
            held,
            next: VecDeque::new(),
            waited: proc::waited_for_cpu(),
            starved: false,
            attached,
        })
    }

    /// Whether, since it was last asked, the machine has kept this client from reading for so long that the daemon
    /// may have taken it for one that does not.
    pub fn was_starved(&mut self) -> bool {
        std::mem::take(&mut self.starved)
    }

    /// The connection itself.
    pub fn stream(&mut self) -> &mut UnixStream {
        &mut self.stream
    }

    /// Sends a frame.
    #[track_caller]
    pub fn send(&mut self, frame: &Frame) {
        let sent = self.stream.write_all(&frame.to_bytes());
        sent.expect("the daemon takes a frame");
    }

    /// Types.
    #[track_caller]
    pub fn type_in(&mut self, text: &str) {
        self.send(&Frame::Input(text.as_bytes().into()));
    }

    /// The next frame; `None` when the daemon has hung up.
    ///
    /// # Errors
    /// Nothing came in time, or what came is no frame.
    pub fn next(&mut self, limit: Duration) -> Result<Option<Frame>, String> {
        let next = self.read_next(limit);
        let waited = proc::waited_for_cpu();
        self.starved |= waited.saturating_sub(self.waited) > STARVED;
        self.waited = waited;
        next
    }

    fn read_next(&mut self, limit: Duration) -> Result<Option<Frame>, String> {
        let until = Instant::now() + limit;
        loop {
            if let Some(frame) = self.next.pop_front() {
                return Ok(Some(frame));
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(format!("no frame within {limit:?}"));
            }
            self.stream.set_read_timeout(Some(left)).ok();
            if self.held.is_empty() {
                let mut chunk = vec![0; 256 * 1024];
                match self.stream.read(&mut chunk) {
                    Ok(0) => return Ok(None),
                    Ok(count) => self.held.extend_from_slice(&chunk[..count]),
                    Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(None),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => return Err(error.to_string()),
                }
            }
            self.decode().map_err(|error| error.to_string())?;
        }
    }

    /// Reads one byte, if there is one.
    pub fn sip(&mut self) {
        let mut byte = [0];
        self.stream.set_nonblocking(true).ok();
        if let Ok(1) = self.stream.read(&mut byte) {
            self.held.extend_from_slice(&byte);
        }
        self.stream.set_nonblocking(false).ok();
    }

    fn decode(&mut self) -> Result<(), FrameError> {
        let held = std::mem::take(&mut self.held);
        let mut rest = &held[..];
        while let Some(frame) = self.decoder.next(&mut rest)? {
            self.next.push_back(frame);
        }
        Ok(())
    }

    /// Reads frames until one is wanted: all of them, that one last.
    #[track_caller]
    pub fn until(&mut self, what: &str, mut wanted: impl FnMut(&Frame) -> bool) -> Vec<Frame> {
        let mut seen = Vec::new();
        loop {
            let frame = match self.next(LATER) {
                Ok(Some(frame)) => frame,
                Ok(None) => panic!("the daemon hung up before {what}; seen: {}", brief(&seen)),
                Err(error) => panic!("{error}: {what}; seen: {}", brief(&seen)),
            };
            let found = wanted(&frame);
            seen.push(frame);
            if found {
                return seen;
            }
        }
    }

    /// Reads until the process has written this.
    #[track_caller]
    pub fn wait_output(&mut self, text: &str) -> Vec<Frame> {
        let mut written = Vec::new();
        self.until(&format!("output {text:?}"), |frame| {
            if let Frame::Output(bytes) = frame {
                written.extend_from_slice(bytes);
            }
            String::from_utf8_lossy(&written).contains(text)
        })
    }

    /// Reads until the daemon shows the screen: what it shows.
    #[track_caller]
    pub fn wait_snapshot(&mut self) -> String {
        let mut shown = Vec::new();
        self.until("a snapshot", |frame| match frame {
            Frame::Snapshot(bytes) => {
                shown.extend_from_slice(bytes);
                bytes.len() < shared::frame::FRAME_LEN_MAX
            }
            _ => false,
        });
        String::from_utf8_lossy(&shown).into_owned()
    }

    /// Reads until this very frame.
    #[track_caller]
    pub fn wait_frame(&mut self, want: &Frame) -> Vec<Frame> {
        self.until(&format!("{want:?}"), |frame| frame == want)
    }

    /// Reads until the process has ended.
    #[track_caller]
    pub fn wait_exited(&mut self) -> Exited {
        let mut seen = self.until("EXITED", |frame| matches!(frame, Frame::Exited(_)));
        match seen.pop() {
            Some(Frame::Exited(exited)) => exited,
            other => panic!("{other:?}"),
        }
    }

    /// Reads until the process runs again: its pid.
    #[track_caller]
    pub fn wait_restarted(&mut self) -> i32 {
        let mut seen = self.until("RESTARTED", |frame| matches!(frame, Frame::Restarted(_)));
        match seen.pop() {
            Some(Frame::Restarted(restarted)) => restarted.pid,
            other => panic!("{other:?}"),
        }
    }

    /// Reads until the daemon has ended the attachment and hung up: the reason.
    #[track_caller]
    pub fn wait_detached(&mut self) -> String {
        let mut seen = self.until("DETACHED", |frame| matches!(frame, Frame::Detached(_)));
        self.wait_end();
        match seen.pop() {
            Some(Frame::Detached(reason)) => reason,
            other => panic!("{other:?}"),
        }
    }

    /// Reads until the daemon has hung up: what came before.
    #[track_caller]
    pub fn wait_end(&mut self) -> Vec<Frame> {
        let mut seen = Vec::new();
        while let Some(frame) = self.next(SOON).expect("the daemon hangs up") {
            seen.push(frame);
        }
        seen
    }

    /// Leaves, and waits until the daemon has let go.
    #[track_caller]
    pub fn leave(mut self) {
        self.send(&Frame::Detach);
        self.wait_end();
    }
}

/// Waits until the terminal of a process has this size.
#[track_caller]
pub fn wait_window(pid: i32, rows: u16, columns: u16) {
    let what = format!("{rows} rows and {columns} columns");
    eventually(&what, SOON, || {
        let is = window_of(pid).map_err(|error| error.to_string())?;
        check(is == (rows, columns), || format!("{is:?}"))
    });
}

/// The last of what was seen, short enough for a message.
fn brief(frames: &[Frame]) -> String {
    let last = frames.len().saturating_sub(8);
    let words = frames[last..].iter().map(|frame| match frame {
        Frame::Output(bytes) => format!("OUTPUT of {}", bytes.len()),
        Frame::Snapshot(bytes) => format!("SNAPSHOT of {}", bytes.len()),
        frame => format!("{frame:?}"),
    });
    words.collect::<Vec<_>>().join(", ")
}
