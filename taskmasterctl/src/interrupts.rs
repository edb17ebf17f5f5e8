//! Ctrl-C, taken as news instead of as an order to die.

use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// SIGINT, held back and told as an event, for as long as this lives.
#[derive(Debug)]
pub(crate) struct Interrupts {
    signals: SignalFd,
    before: SigSet,
}

impl Interrupts {
    /// From now on Ctrl-C is an event.
    pub(crate) fn hold() -> Result<Self, Errno> {
        let mut mask = SigSet::empty();
        mask.add(Signal::SIGINT);
        let signals = SignalFd::with_flags(&mask, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        let before = mask.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
        Ok(Self { signals, before })
    }

    /// Forgets a Ctrl-C. Says whether one has come.
    pub(crate) fn forget(&self) -> bool {
        let mut came = false;
        while let Ok(Some(_)) = self.signals.read_signal() {
            came = true;
        }
        came
    }
}

impl AsFd for Interrupts {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.signals.as_fd()
    }
}

impl Drop for Interrupts {
    fn drop(&mut self) {
        // Whoever holds it outside is to hear of it, too.
        if !self.before.contains(Signal::SIGINT) {
            self.forget();
        }
        // It was in force before, so the kernel takes it again.
        let _ = self.before.thread_set_mask();
    }
}
