//! What an attachment waits for.

use std::os::fd::AsFd;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{End, Session};

/// Where news come from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source {
    Signals,
    Keyboard,
    Link,
    Canvas,
    Errors,
}

impl Session {
    /// Waits until something is ready or due.
    pub(super) fn wait(&self) -> Result<Vec<Source>, End> {
        let canvas = &self.seat.canvas;
        let when = |condition, events| {
            if condition {
                events
            } else {
                PollFlags::empty()
            }
        };
        let hears = when(!canvas.is_full(), PollFlags::POLLIN);
        let sends = when(self.link.is_behind(), PollFlags::POLLOUT);
        let paints = when(canvas.is_behind(), PollFlags::POLLOUT);
        let complains = when(canvas.has_errors(), PollFlags::POLLOUT);
        let types = when(self.wants_keys(), PollFlags::POLLIN);
        let wanted = [
            (Source::Signals, self.signals.as_fd(), PollFlags::POLLIN),
            (Source::Keyboard, self.seat.keyboard(), types),
            (Source::Link, self.link.as_fd(), hears | sends),
            (Source::Canvas, canvas.as_fd(), paints),
            (Source::Errors, rustix::stdio::stderr(), complains),
        ];
        // What nothing is wanted of would still be told to have hung up, again and again. Of a pipe once is enough.
        let wanted = wanted.into_iter().filter(|(source, _, events)| {
            !events.is_empty() || (matches!(source, Source::Canvas) && canvas.is_idle_pipe())
        });
        let (sources, mut fds): (Vec<Source>, Vec<PollFd<'_>>) = wanted
            .map(|(source, fd, events)| (source, PollFd::new(fd, events)))
            .unzip();
        match poll(&mut fds, self.timeout()) {
            Ok(_) => {}
            Err(Errno::EINTR) => return Ok(Vec::new()),
            Err(_) => return Err(End::Unheard),
        }
        let ready = sources.into_iter().zip(&fds);
        let ready = ready.filter(|(_, fd)| fd.any().unwrap_or(false));
        Ok(ready.map(|(source, _)| source).collect())
    }

    /// On a terminal the key that detaches is looked for whatever happens.
    fn wants_keys(&self) -> bool {
        !self.finishing && (self.seat.has_keyboard() || !self.link.is_full())
    }

    /// How long nothing may happen.
    fn timeout(&self) -> PollTimeout {
        if self.link.has_early() && !self.seat.canvas.is_full() {
            return PollTimeout::ZERO;
        }
        let errors = self.seat.canvas.paint_due().map(|due| due - self.started);
        let Some(due) = self.scanner.deadline().into_iter().chain(errors).min() else {
            return PollTimeout::NONE;
        };
        let left = due.saturating_sub(self.now()) + Duration::from_millis(1);
        PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
    }

    pub(super) fn now(&self) -> Duration {
        self.started.elapsed()
    }
}
