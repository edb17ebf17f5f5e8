//! Errors of the process, on the canvas or beside it.

use std::io;
use std::time::Instant;

use nix::errno::Errno;

use super::{Canvas, Lines, PIECE_LEN, Target};

impl Canvas {
    /// Puts errors of the process where the user sees them: onto the terminal, else to our own standard error.
    pub(in super::super) fn error_output(&mut self, bytes: &[u8]) {
        match self.target {
            Target::Terminal(_) => self.held.push(bytes),
            Target::Plain => return self.errors.push(bytes),
        }
        self.paint_held();
        if self.held.is_full() {
            self.paint_all_held();
        }
    }

    /// Paints what is whole of the errors, unless the output is within a sequence.
    pub(super) fn paint_held(&mut self) {
        if self.held.has_whole() && self.put.tracker.pending().is_empty() {
            let errors = self.held.take_whole();
            self.paint(&errors, Lines::Bare);
        }
    }

    /// Paints the errors that wait, and ends what is not whole.
    pub(in super::super) fn paint_all_held(&mut self) {
        if self.held.is_empty() {
            return;
        }
        if !self.put.tracker.pending().is_empty() {
            self.put(b"\x18");
        }
        let errors = self.held.take_all();
        self.paint(&errors, Lines::Bare);
    }

    /// When errors have waited long enough for the end of a sequence. Not while the canvas is full: that may have come,
    /// and nobody listens.
    pub(in super::super) fn paint_due(&self) -> Option<Instant> {
        self.held.deadline().filter(|_| !self.is_full())
    }

    /// Paints those that have.
    pub(in super::super) fn paint_late(&mut self) {
        if self.paint_due().is_some_and(|due| due <= Instant::now()) {
            self.paint_all_held();
        }
    }

    /// Whether errors wait.
    pub(in super::super) fn has_errors(&self) -> bool {
        !self.errors.is_empty()
    }

    /// Writes a piece of the errors. Standard error must have been found to take something. Nobody there to read them
    /// is no reason to end.
    pub(in super::super) fn flush_errors(&mut self) {
        let rest = self.errors.rest();
        match nix::unistd::write(io::stderr(), &rest[..rest.len().min(PIECE_LEN)]) {
            Ok(count) => self.errors.advance(count),
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            Err(_) => self.errors.clear(),
        }
    }
}

#[cfg(test)]
mod tests {
    use nix::pty::openpty;

    use super::super::super::tty;
    use super::super::WAITING_LEN_MAX;
    use super::*;

    // The rest of the sequence may be there long since, and it is we who do not listen.
    #[test]
    fn errors_do_not_lose_patience_while_the_terminal_takes_nothing() {
        let pty = openpty(None, None).unwrap();
        let mut canvas = Canvas::terminal(tty::open_again(&pty.slave).unwrap());
        canvas.output(b"\x1bPq", Lines::Finished);
        canvas.error_output(b"error\n");
        let due = canvas.paint_due();
        assert!(due.is_some());
        canvas.output(&[b'~'; WAITING_LEN_MAX], Lines::Finished);
        assert!(canvas.is_full());
        assert_eq!(canvas.paint_due(), None);
        canvas.flush().unwrap();
        assert!(!canvas.is_full());
        assert!(canvas.paint_due() > due, "they wait anew");
    }
}
