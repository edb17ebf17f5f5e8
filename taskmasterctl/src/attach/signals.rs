//! Signals as news: what would end or stop the client while the terminal is not the user's own.

use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, killpg, raise};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::termios::tcgetsid;
use nix::unistd::{getpgrp, getsid, tcgetpgrp};

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

    /// Stops the program, as Ctrl-Z does any other; returns when it goes on, with the signal that asks it to end,
    /// if one came meanwhile.
    pub(super) fn stop(&self) -> Option<Signal> {
        let stop: SigSet = [Signal::SIGTSTP].into_iter().collect();
        // Where nobody could continue us, in an orphaned group, the kernel ignores it, and so we go on at once.
        let _ = raise(Signal::SIGTSTP);
        let _ = stop.thread_unblock();
        let _ = stop.thread_block();
        self.drain().0
    }

    /// Waits until the terminal is ours to change: a program in the background is stopped until it is brought back.
    /// The kernel would do that as well, but then a signal that asks us to end would wait, too. Such a signal is
    /// returned.
    pub(super) fn come_forward(&self, tty: &impl AsFd) -> Option<Signal> {
        loop {
            if let (Some(signal), _) = self.drain() {
                return Some(signal);
            }
            if is_in_front(tty) {
                return None;
            }
            stop_group();
            let (ending, continued) = self.drain();
            // Whoever ignores the signal, or has nobody to continue him, was not stopped and never will be.
            if ending.is_some() || !continued {
                return ending;
            }
        }
    }

    /// Takes in all that has come: the first that asks us to end, and whether we were continued. The rest was told to
    /// somebody who was away: whoever comes back measures the terminal again.
    fn drain(&self) -> (Option<Signal>, bool) {
        let (mut ending, mut continued) = (None, false);
        while let Some(signal) = self.next() {
            match signal {
                Signal::SIGCONT => continued = true,
                Signal::SIGWINCH | Signal::SIGTSTP => {}
                other => ending = ending.or(Some(other)),
            }
        }
        (ending, continued)
    }
}

/// Stops us as the kernel does who would change a terminal from the background. It is never held back.
pub(super) fn stop_group() {
    let _ = killpg(getpgrp(), Signal::SIGTTOU);
}

/// Whether the terminal is ours to change, as far as job control is concerned.
pub(super) fn is_in_front(tty: &impl AsFd) -> bool {
    // Of a terminal that is not the one of our session nobody is in front.
    tcgetpgrp(tty).is_ok_and(|group| group == getpgrp()) || tcgetsid(tty) != getsid(None)
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
