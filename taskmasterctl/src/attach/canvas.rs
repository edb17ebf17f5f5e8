//! Where output is painted: the user's terminal, or a file or pipe that gets the plain bytes.
//!
//! What cannot be painted at once waits, up to [`WAITING_LEN_MAX`]; while that is full the daemon is not
//! listened to. A terminal that nobody reads from thus stops nothing but its own picture.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use shared::frame::Size;
use shared::tracker::PUT_TITLE;

use super::backlog::Backlog;
use super::held::Held;
use super::speech::{Answers, Speech};
use super::tty;

mod errors;
mod picture;

use picture::Picture;

/// How much waits to be painted, in bytes.
const WAITING_LEN_MAX: usize = 64 * 1024;
/// How much a pipe takes without waiting, once it takes anything (PIPE_BUF).
const PIECE_LEN: usize = 4096;
/// How long a terminal may take for the last bytes and the leave sequence.
const LEAVE_PATIENCE: Duration = Duration::from_millis(300);

/// What is painted on.
#[derive(Debug)]
enum Target {
    Terminal(File),
    Plain,
}

/// How lines end in what is to be painted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lines {
    /// As a terminal has them: it came through one.
    Finished,
    /// With a newline alone: it came through a pipe.
    Bare,
}

/// The canvas and what waits to be painted on it.
#[derive(Debug)]
pub(super) struct Canvas {
    target: Target,
    /// How large it was when it was measured last, where it has a size.
    size: Option<Size>,
    waiting: Backlog,
    /// What waits for standard error, where no terminal is painted on.
    errors: Backlog,
    /// Errors that wait until the output is between two sequences, on a terminal.
    held: Held,
    /// What all that was put here makes of the terminal.
    put: Picture,
    /// What all that was painted has made of it: behind the other by what waits.
    shown: Picture,
    /// Whether it has something to say to what was put here.
    speech: Speech,
    /// Whether nothing was put here since the terminal was taken over.
    fresh: bool,
    /// How long the remark is that was put here last, in characters, if nothing followed it.
    remarked: usize,
    /// Whether the user's own screen was pushed out of the way.
    arrived: bool,
    /// The last byte of output that was put here.
    last: u8,
}

impl Canvas {
    /// A terminal, opened again.
    pub(super) fn terminal(tty: File) -> Self {
        Self::on(Target::Terminal(tty))
    }

    /// Standard output as it is.
    pub(super) fn plain() -> Self {
        Self::on(Target::Plain)
    }

    fn on(target: Target) -> Self {
        let size = match &target {
            Target::Terminal(tty) => Some(tty::size(tty)),
            Target::Plain => None,
        };
        let known = size.unwrap_or_default();
        Self {
            target,
            size,
            waiting: Backlog::default(),
            errors: Backlog::default(),
            held: Held::default(),
            put: Picture::new(known),
            shown: Picture::new(known),
            speech: Speech::default(),
            fresh: true,
            remarked: 0,
            arrived: false,
            last: b'\n',
        }
    }

    /// The terminal, where it is one.
    pub(super) fn tty(&self) -> Option<&File> {
        match &self.target {
            Target::Terminal(tty) => Some(tty),
            Target::Plain => None,
        }
    }

    /// Paints output of the process, and errors that wait for the end of a sequence in it.
    pub(super) fn output(&mut self, bytes: &[u8], lines: Lines) {
        let mut rest = bytes;
        while let ([_, after @ ..], true) = (rest, self.held.has_whole()) {
            self.paint(&rest[..1], lines);
            self.paint_held();
            rest = after;
        }
        self.paint(rest, lines);
    }

    fn paint(&mut self, bytes: &[u8], lines: Lines) {
        match (&self.target, lines) {
            (Target::Terminal(_), Lines::Bare) => self.put(&finish_lines(self.last, bytes)),
            (Target::Terminal(_), Lines::Finished) | (Target::Plain, _) => self.put(bytes),
        }
        self.last = bytes.last().copied().unwrap_or(self.last);
    }

    /// How large it was when it was measured last, where it has a size.
    pub(super) fn size(&self) -> Option<Size> {
        self.size
    }

    /// How large it is, if it has another size than that.
    pub(super) fn resized(&mut self) -> Option<Size> {
        let is_other = self.tty().map(tty::size) != self.size;
        is_other.then(|| self.measure())?
    }

    /// How large it is, where it has a size. What is painted may have been moved if that is another one.
    pub(super) fn measure(&mut self) -> Option<Size> {
        self.size = self.tty().map(tty::size);
        let size = self.size?;
        self.put.depth.resize(size);
        self.shown.depth.resize(size);
        Some(size)
    }

    /// Makes room for a picture of the whole screen. The first time the user's own screen is pushed up into the
    /// scrollback; later what was painted before is wiped away.
    pub(super) fn clear(&mut self) {
        let Some(size) = self.tty().map(tty::size) else {
            return;
        };
        let rows = size.rows;
        if self.arrived {
            self.take_back(Picture::switch_off);
            // Row by row: of a screen that is cleared at once some terminals keep a copy in the scrollback.
            let wiped: String = (1..=rows)
                .map(|row| format!("\x1b[{row}H\x1b[2K"))
                .collect();
            self.put(wiped.as_bytes());
        } else {
            self.settle();
            self.put(&b"\r\n".repeat(rows.into()));
        }
        self.put(b"\x1b[H\x1b[J");
        self.arrived = true;
    }

    /// Says something of the client's own, in a row by itself.
    pub(super) fn remark(&mut self, line: &str) {
        if self.tty().is_none() {
            return self.errors.push(format!("{line}\n").as_bytes());
        }
        self.settle();
        self.put(format!("\x1b[2m{line}\x1b[m\r\n").as_bytes());
        self.last = b'\n';
        self.remarked = line.chars().count();
    }

    /// Rings the bell, as a terminal does that takes no more keys.
    pub(super) fn ring(&mut self) {
        if self.tty().is_some() && self.put.tracker.pending().is_empty() && !self.is_full() {
            self.put(b"\x07");
        }
    }

    /// Says it in place of the last remark, if nothing else was put here since and it took one row.
    pub(super) fn amend(&mut self, line: &str) {
        let size = self.tty().map(tty::size).unwrap_or_default();
        let last = std::mem::take(&mut self.remarked);
        if last > 0 && last < usize::from(size.cols) {
            self.put(b"\x1b[A\r\x1b[J");
        }
        self.remark(line);
    }

    /// Switches off what the process switched on, and goes below what it painted.
    fn settle(&mut self) {
        self.take_back(Picture::settle);
    }

    fn take_back(&mut self, way: fn(&mut Picture, &Speech) -> Vec<u8>) {
        self.paint_all_held();
        if !self.fresh {
            self.waiting.push(&way(&mut self.put, &self.speech));
            self.append(PUT_TITLE);
        }
    }

    fn put(&mut self, bytes: &[u8]) {
        if std::mem::take(&mut self.fresh) && self.tty().is_some() {
            self.append(PUT_TITLE);
        }
        self.remarked = 0;
        self.speech.feed(bytes);
        self.append(bytes);
    }

    fn append(&mut self, bytes: &[u8]) {
        self.put.feed(bytes);
        self.waiting.push(bytes);
    }

    /// What the terminal may have to say to what it was told since it was taken over.
    pub(super) fn answers(&self) -> Answers {
        self.speech.answers(Instant::now())
    }

    /// Whether no more should be put here for now.
    pub(super) fn is_full(&self) -> bool {
        self.waiting.len().max(self.errors.len()) >= WAITING_LEN_MAX
    }

    /// Whether something waits.
    pub(super) fn is_behind(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether it is no terminal and nothing waits: all it can tell then is that nobody reads it any more.
    pub(super) fn is_idle_pipe(&self) -> bool {
        self.tty().is_none() && !self.is_behind()
    }

    /// Paints what goes in one piece without waiting. A pipe must have been found to take something. Says whether
    /// another piece may go at once.
    pub(super) fn flush(&mut self) -> io::Result<bool> {
        if !self.is_behind() {
            return Ok(false);
        }
        let rest = self.waiting.rest();
        let (written, more) = match &mut self.target {
            Target::Terminal(tty) => (tty.write(rest), true),
            Target::Plain => (write_plain(&rest[..rest.len().min(PIECE_LEN)]), false),
        };
        match written {
            Ok(count) => {
                self.has_painted(count);
                Ok(more && self.is_behind())
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(more),
            Err(error) => Err(error),
        }
    }

    fn has_painted(&mut self, count: usize) {
        if self.is_full() {
            // Nobody listened meanwhile.
            self.held.wait_anew();
        }
        self.shown.feed(&self.waiting.rest()[..count]);
        self.waiting.advance(count);
    }

    /// Paints what waits, and makes the terminal as it was: what does not go in a moment does not go at all.
    /// Says whether the terminal took everything.
    pub(super) fn leave(&mut self) -> bool {
        if self.tty().is_none() || self.fresh {
            return true;
        }
        let deadline = Instant::now() + LEAVE_PATIENCE;
        self.drain(deadline);
        self.cut();
        self.waiting.push(&self.shown.settle(&self.speech));
        self.drain(Instant::now() + LEAVE_PATIENCE / 2);
        let left = !self.is_behind();
        self.waiting.clear();
        let size = self.tty().map(tty::size).unwrap_or_default();
        (self.put, self.shown) = (Picture::new(size), Picture::new(size));
        self.speech = Speech::default();
        (self.fresh, self.arrived, self.last) = (true, false, b'\n');
        left
    }

    /// Drops what waits to be painted on a terminal.
    pub(super) fn cut(&mut self) {
        self.held = Held::default();
        if self.tty().is_some() && self.is_behind() {
            self.waiting.clear();
            // Ends whatever sequence was cut in two.
            self.waiting.push(b"\x18");
        }
    }

    /// Paints until nothing waits, the deadline has come, or the terminal is gone.
    fn drain(&mut self, deadline: Instant) {
        while self.flush().is_ok() && self.is_behind() {
            let left = deadline.saturating_duration_since(Instant::now());
            let mut fds = [PollFd::new(self.as_fd(), PollFlags::POLLOUT)];
            let limit = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
            if !matches!(poll(&mut fds, limit), Ok(1..)) {
                return;
            }
        }
    }

    /// Writes out what is left for files and pipes, however long that takes.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        if self.tty().is_none() {
            while self.has_errors() {
                wait_for_room(rustix::stdio::stderr());
                self.flush_errors();
            }
            while self.is_behind() {
                wait_for_room(rustix::stdio::stdout());
                self.flush()?;
            }
        }
        Ok(())
    }
}

impl AsFd for Canvas {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.target {
            Target::Terminal(tty) => tty.as_fd(),
            Target::Plain => rustix::stdio::stdout(),
        }
    }
}

fn wait_for_room(fd: BorrowedFd<'_>) {
    let _ = poll(
        &mut [PollFd::new(fd, PollFlags::POLLOUT)],
        PollTimeout::NONE,
    );
}

/// Past the buffer of the standard library, which would keep the last line.
fn write_plain(bytes: &[u8]) -> io::Result<usize> {
    Ok(nix::unistd::write(io::stdout(), bytes)?)
}

/// Puts a carriage return before each newline that has none; `last` is the byte before.
fn finish_lines(mut last: u8, bytes: &[u8]) -> Vec<u8> {
    let mut finished = Vec::with_capacity(bytes.len() + bytes.len() / 16);
    for &byte in bytes {
        if byte == b'\n' && last != b'\r' {
            finished.push(b'\r');
        }
        finished.push(byte);
        last = byte;
    }
    finished
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_pipe_are_finished_once() {
        assert_eq!(finish_lines(b'x', b"a\nb\r\n\n"), b"a\r\nb\r\n\r\n");
        assert_eq!(finish_lines(b'\r', b"\n"), b"\n");
    }

    #[test]
    fn a_full_canvas_says_so() {
        let mut canvas = Canvas::plain();
        canvas.output(&[b'x'; WAITING_LEN_MAX - 1], Lines::Finished);
        assert!(!canvas.is_full() && canvas.is_behind());
        canvas.output(b"\n", Lines::Bare);
        assert!(canvas.is_full());
    }
}
