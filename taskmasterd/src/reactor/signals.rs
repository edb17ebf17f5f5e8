//! The daemon's own signals, as things to read rather than interruptions.

use std::io;

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// The signals that mean something to the daemon; the manual says what.
const HEARD: [Signal; 6] = [
    Signal::SIGCHLD,
    Signal::SIGHUP,
    Signal::SIGTERM,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGUSR2,
];
/// Signals that would stop or end it for what others do: a terminal it writes to, a pipe that is closed, a file as long
/// as the limits let it be, logrotate's usual one.
const UNHEARD: [Signal; 6] = [
    Signal::SIGPIPE,
    Signal::SIGXFSZ,
    Signal::SIGTTOU,
    Signal::SIGTTIN,
    Signal::SIGTSTP,
    Signal::SIGUSR1,
];

/// Blocks them all and makes them readable. Every child unblocks them before it becomes its program.
///
/// # Errors
/// What signalfd(2) says.
pub fn take() -> io::Result<SignalFd> {
    let mut mask: SigSet = HEARD.into_iter().collect();
    let readable = mask;
    for signal in UNHEARD {
        mask.add(signal);
    }
    mask.thread_block()?;
    Ok(SignalFd::with_flags(
        &readable,
        SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC,
    )?)
}

/// Undoes what [`take`] did, in a process that is not the daemon.
///
/// # Errors
/// What pthread_sigmask(3) says.
pub fn release() -> io::Result<()> {
    Ok(SigSet::empty().thread_set_mask()?)
}
