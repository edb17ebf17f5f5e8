//! Signals as news: what would end or stop the client while the terminal is not the user's own.

use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, raise};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// What is held back: each needs the terminal to be put in order first, or says something about it.
const HELD: [Signal; 7] = [
    Signal::SIGWINCH,
    Signal::SIGTERM,
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTSTP,
    Signal::SIGCONT,
];

/// These signals, held back and told as events, for as long as this lives.
#[derive(Debug)]
pub(super) struct Signals {
    fd: SignalFd,
    before: SigSet,
}

impl Signals {
    /// From now on they are events.
    pub(super) fn hold() -> Result<Self, Errno> {
        let mask: SigSet = HELD.into_iter().collect();
        let fd = SignalFd::with_flags(&mask, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        let before = mask.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
        Ok(Self { fd, before })
    }

    /// The next that has come.
    pub(super) fn next(&self) -> Option<Signal> {
        let info = self.fd.read_signal().ok()??;
        i32::try_from(info.ssi_signo).ok()?.try_into().ok()
    }

    /// Stops the program, as Ctrl-Z does any other; returns when it goes on.
    pub(super) fn stop(&self) {
        let stop: SigSet = [Signal::SIGTSTP].into_iter().collect();
        // Where nobody could continue us, in an orphaned group, the kernel ignores it, and so we go on at once.
        let _ = raise(Signal::SIGTSTP);
        let _ = stop.thread_unblock();
        let _ = stop.thread_block();
        while self.next().is_some() {}
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        // It was in force before, so the kernel takes it again.
        let _ = self.before.thread_set_mask();
    }
}
