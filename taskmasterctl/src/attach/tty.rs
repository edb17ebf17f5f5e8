//! The user's terminal, opened again, its size, and writing to one that may take nothing.
//!
//! Again, because O_NONBLOCK belongs to an open file and not to a descriptor: set on the one we inherited it would
//! be set for the shell, and for whoever else has it, after we are gone.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::fstat;
use rustix::termios::tcgetwinsize;
use shared::frame::Size;

use crate::term;

/// How long a terminal may take nothing before what is said to it at the end is dropped.
const GOODBYE_PATIENCE: Duration = Duration::from_millis(300);
/// What a terminal that does not know its size is taken for.
const USUAL_ROWS: u16 = 24;
const USUAL_COLS: u16 = 80;

/// The terminal behind a descriptor, opened again.
pub(super) fn open_again(inherited: impl AsFd) -> io::Result<File> {
    let fd = inherited.as_fd().as_raw_fd();
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let mut options = OpenOptions::new();
    options.read(true).write(true).custom_flags(flags.bits());
    // The first way reaches terminals of other containers, the second those of other users.
    let opened = options.open(format!("/proc/self/fd/{fd}"));
    opened.or_else(|why_not| options.open("/dev/tty").map_err(|_| why_not))
}

/// Whether both are the same device.
pub(super) fn are_one(one: impl AsFd, other: impl AsFd) -> bool {
    match (fstat(one), fstat(other)) {
        (Ok(one), Ok(other)) => one.st_rdev == other.st_rdev,
        (_, _) => false,
    }
}

/// How large a terminal is. Never nothing by nothing, which programs divide by.
pub(super) fn size(tty: impl AsFd) -> Size {
    let or = |number, usual| if number == 0 { usual } else { number };
    match tcgetwinsize(tty) {
        Ok(size) => Size {
            rows: or(size.ws_row, USUAL_ROWS),
            cols: or(size.ws_col, USUAL_COLS),
            xpixel: size.ws_xpixel,
            ypixel: size.ws_ypixel,
        },
        Err(_) => Size {
            rows: USUAL_ROWS,
            cols: USUAL_COLS,
            ..Size::default()
        },
    }
}

/// Writes to a terminal, as long as it takes some of it within `patience`.
pub(super) fn write_out(tty: impl AsFd, mut bytes: &[u8], patience: Duration) {
    let patience = PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX);
    while !bytes.is_empty() {
        match nix::unistd::write(&tty, bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => {
                let mut room = [PollFd::new(tty.as_fd(), PollFlags::POLLOUT)];
                let found = poll(&mut room, patience);
                if !matches!(found, Ok(1..) | Err(Errno::EINTR)) {
                    return;
                }
            }
            Err(_) => return,
        }
    }
}

/// Writes a line to standard error. Where that is a terminal which nobody reads from, the line is dropped.
pub(super) fn complain(line: &str) {
    let stderr = io::stderr();
    match stderr.is_terminal().then(|| open_again(&stderr)) {
        Some(Ok(tty)) => write_out(tty, format!("{line}\n").as_bytes(), GOODBYE_PATIENCE),
        Some(Err(_)) | None => term::complain(line),
    }
}
