//! The few calls of the harness and the puppet that the compiler cannot check.
#![expect(
    unsafe_code,
    reason = "fork, signals and the window size have no safe wrapper"
)]

use std::os::fd::{AsFd, AsRawFd};

use nix::sys::signal::{SigHandler, Signal};
use nix::unistd::ForkResult;

nix::ioctl_read_bad!(tiocgwinsz, libc::TIOCGWINSZ, libc::winsize);
nix::ioctl_write_ptr_bad!(tiocswinsz, libc::TIOCSWINSZ, libc::winsize);

/// A copy of this process. Only for the puppet, which has one thread.
pub fn fork() -> nix::Result<ForkResult> {
    // SAFETY: the puppet never starts a thread, so no lock can be left locked in the child.
    unsafe { nix::unistd::fork() }
}

/// Every signal that was ignored does again what it does to a program that a user started: whoever runs the tests
/// in the background ignores SIGINT for all of them.
pub fn heed_signals() {
    for signal in [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGHUP] {
        // SAFETY: the default disposition runs no code of ours.
        unsafe { nix::sys::signal::signal(signal, SigHandler::SigDfl) }.ok();
    }
}

/// Rows and columns of a terminal, then its width and height in pixels.
pub fn window(tty: impl AsFd) -> nix::Result<[u16; 4]> {
    let mut size = libc::winsize {
        ws_row: 0,
        ws_col: 0,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: the kernel writes one `winsize`, and `size` is one that lives until the call returns.
    unsafe { tiocgwinsz(tty.as_fd().as_raw_fd(), &raw mut size) }?;
    Ok([size.ws_row, size.ws_col, size.ws_xpixel, size.ws_ypixel])
}

/// Gives a terminal a size; its foreground group gets SIGWINCH.
pub fn set_window(tty: impl AsFd, rows: u16, columns: u16) -> nix::Result<()> {
    let size = libc::winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: the kernel reads one `winsize`, and `size` is one that lives until the call returns.
    unsafe { tiocswinsz(tty.as_fd().as_raw_fd(), &raw const size) }?;
    Ok(())
}
