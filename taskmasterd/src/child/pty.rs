//! Terminals and pipes between the daemon and a process: never blocking on our side, ordinary on the other.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::pty::{Winsize, posix_openpt, unlockpt};
use nix::sys::stat::{Mode, fchmod, fstat};
use nix::sys::termios::{InputFlags, SetArg, tcgetattr, tcsetattr};
use nix::unistd::{Gid, Uid, fchown, getegid, geteuid, pipe2};

use crate::config::model::Identity;
use crate::sys;

/// The size of a terminal. A number of rows or columns of 0 means the usual 24 or 80; no terminal ever has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Lines of text.
    pub rows: u16,
    /// Characters in a line.
    pub cols: u16,
    /// Width in pixels; 0 for unknown.
    pub xpixel: u16,
    /// Height in pixels; 0 for unknown.
    pub ypixel: u16,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            rows: 24,
            cols: 80,
            xpixel: 0,
            ypixel: 0,
        }
    }
}

impl From<Window> for Winsize {
    fn from(window: Window) -> Self {
        let usual = Window::default();
        let or = |number: u16, usual: u16| if number == 0 { usual } else { number };
        Self {
            ws_row: or(window.rows, usual.rows),
            ws_col: or(window.cols, usual.cols),
            ws_xpixel: window.xpixel,
            ws_ypixel: window.ypixel,
        }
    }
}

/// A new terminal: our end and the process's.
pub(super) struct Pty {
    pub(super) master: OwnedFd,
    pub(super) slave: OwnedFd,
}

/// A pipe that a process writes and we read.
pub(super) struct Pipe {
    pub(super) ours: OwnedFd,
    pub(super) theirs: OwnedFd,
}

/// Opens a terminal of the size of `window` that belongs to `owner`.
pub(super) fn open(window: Window, owner: Option<&Identity>) -> io::Result<Pty> {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    let master = posix_openpt(flags)?;
    unlockpt(&master)?;
    let slave = sys::open_pty_peer(master.as_fd())?;
    let master = OwnedFd::from(master);
    set_modes(&slave)?;
    resize(master.as_fd(), window)?;
    if let Some(owner) = owner {
        give(&slave, owner)?;
    }
    Ok(Pty { master, slave })
}

/// Tells the process behind `master` that its terminal has another size.
pub fn resize(master: BorrowedFd<'_>, window: Window) -> io::Result<()> {
    sys::set_window_size(master, &window.into())
}

/// Opens a pipe; `theirs` blocks, because what a program writes to is an ordinary pipe.
pub(super) fn pipe() -> io::Result<Pipe> {
    let (ours, theirs) = pipe2(OFlag::O_CLOEXEC)?;
    fcntl(&ours, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok(Pipe { ours, theirs })
}

/// Everything as the kernel has it, but a typed ^S does not freeze a process that nobody would thaw, and a
/// character of several bytes is erased whole.
fn set_modes(slave: &OwnedFd) -> nix::Result<()> {
    let mut modes = tcgetattr(slave)?;
    modes.input_flags.remove(InputFlags::IXON);
    modes.input_flags.insert(InputFlags::IUTF8);
    tcsetattr(slave, SetArg::TCSANOW, &modes)
}

/// Lets `owner` open its own terminal again, and nobody else.
fn give(slave: &OwnedFd, owner: &Identity) -> nix::Result<()> {
    if !geteuid().is_root() {
        return Ok(());
    }
    // Where devpts is mounted with the group of terminals, they are born with it; else they have ours.
    let born_with = Gid::from_raw(fstat(slave)?.st_gid);
    let group = (born_with == getegid()).then(|| Gid::from_raw(owner.gid));
    fchown(slave, Some(Uid::from_raw(owner.uid)), group)?;
    fchmod(slave, Mode::S_IRUSR | Mode::S_IWUSR)
}
