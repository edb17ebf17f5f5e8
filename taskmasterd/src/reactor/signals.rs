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

/// Signals that want something of a daemon that is up, and would end one that is not.
const EARLY: [Signal; 3] = [Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGUSR2];

/// Holds back what comes too early until the daemon is up. Who asks it to end is heard at once: before it has its
/// socket there is nothing to clear away, and a user database may let it wait for long.
///
/// # Errors
/// What pthread_sigmask(3) says.
pub fn hold() -> io::Result<()> {
    let early: SigSet = EARLY.into_iter().collect();
    Ok(early.thread_block()?)
}

/// Blocks those that are heard and makes them readable. Every child unblocks them before it becomes its program.
///
/// # Errors
/// What signalfd(2) says.
pub fn take() -> io::Result<SignalFd> {
    let readable: SigSet = HEARD.into_iter().collect();
    readable.thread_block()?;
    Ok(SignalFd::with_flags(
        &readable,
        SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC,
    )?)
}

/// Blocks those that are not heard. Before that, one in the background is stopped where it would take the terminal.
///
/// # Errors
/// What pthread_sigmask(3) says.
pub fn shut_out() -> io::Result<()> {
    let unheard: SigSet = UNHEARD.into_iter().collect();
    Ok(unheard.thread_block()?)
}
