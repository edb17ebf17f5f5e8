//! Opening a log file, a program's or the daemon's own, so that nobody can use it to hurt us or others.
//!
//! A path in the configuration may lie in a directory that somebody else can write: there it may be a symlink
//! to a file of root's, a FIFO that nobody reads, a device. A log is opened with the rights of the user it is
//! for, never through a symlink, never waiting, and is a regular file of that user's or the null device; all
//! else is refused by name. The look before the opening spares devices that act on being opened, and says
//! what a path is; the look after it is the one that counts.

pub mod user;
pub mod way;

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, major, minor};
use nix::unistd::{Uid, geteuid};

use way::{Lead, Why, led_by_others};

/// The file system, with the rights of one user.
pub trait Files {
    /// The user.
    fn uid(&self) -> u32;
    /// As open(2).
    fn open(&self, path: &Path, flags: OFlag, mode: Mode) -> io::Result<OwnedFd>;
    /// As rename(2).
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
}

/// The file system with the daemon's own rights.
#[derive(Clone, Copy, Debug, Default)]
pub struct OwnFiles;

impl Files for OwnFiles {
    fn uid(&self) -> u32 {
        geteuid().as_raw()
    }

    fn open(&self, path: &Path, flags: OFlag, mode: Mode) -> io::Result<OwnedFd> {
        Ok(nix::fcntl::open(path, flags, mode)?)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }
}

/// The file system for what the daemon writes by itself. One that is root writes nowhere that somebody else could
/// have prepared: he would choose which file of root's it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct DaemonFiles;

impl Files for DaemonFiles {
    fn uid(&self) -> u32 {
        OwnFiles.uid()
    }

    fn open(&self, path: &Path, flags: OFlag, mode: Mode) -> io::Result<OwnedFd> {
        refuse_to_be_led(path)?;
        OwnFiles.open(path, flags, mode)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        refuse_to_be_led(to)?;
        OwnFiles.rename(from, to)
    }
}

fn refuse_to_be_led(path: &Path) -> io::Result<()> {
    let lead = path.parent().and_then(|directory| {
        // Whoever leads an ordinary user has him write no more than that user's own.
        let is_root = geteuid().is_root();
        is_root.then(|| led_by_others(directory, 0)).flatten()
    });
    let Some(Lead { step, why }) = lead else {
        return Ok(());
    };
    let step = step.display();
    let (fact, cure) = match why {
        Why::Owner { uid, link: false } => (format!("belongs to uid {uid}"), "chown root"),
        Why::Owner { uid, link: true } => (format!("belongs to uid {uid}"), "chown -h root"),
        Why::Mode(mode) => (
            format!("can be written to by others (mode {mode:04o})"),
            "chmod go-w",
        ),
    };
    Err(io::Error::other(format!(
        "{step} {fact}, and root writes only where nobody else leads; {cure} {step}, or name another path"
    )))
}

/// What a log file may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A regular file.
    Regular,
    /// The null device.
    Null,
}

/// A file that is open.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) fd: OwnedFd,
    pub(crate) kind: Kind,
    /// How long it is.
    pub(crate) len: u64,
}

impl Open {
    /// Whether nobody can find it any more: it has no name.
    pub(crate) fn is_deleted(&self) -> bool {
        fstat(&self.fd).is_ok_and(|status| status.st_nlink == 0)
    }

    /// Notes how long it is by now.
    pub(crate) fn look_again(&mut self) {
        if let Ok(status) = fstat(&self.fd) {
            self.len = len(&status);
        }
    }

    /// Whether what is written to one is found in the other.
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        let identity = |file: &Self| fstat(&file.fd).map(|status| (status.st_dev, status.st_ino));
        identity(self).is_ok_and(|ours| identity(other) == Ok(ours))
    }
}

fn len(status: &FileStat) -> u64 {
    u64::try_from(status.st_size).unwrap_or(0)
}

/// What a rotated file is called: `web.log.3` for `web.log` and 3.
pub(crate) fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

const SAFELY: OFlag = OFlag::O_NOFOLLOW
    .union(OFlag::O_NONBLOCK)
    .union(OFlag::O_CLOEXEC)
    .union(OFlag::O_NOCTTY);

/// Opens a log file to append to, and makes it where there is none; the error is the reason, without the path.
pub(crate) fn open_to_append(files: &dyn Files, path: &Path) -> Result<Open, String> {
    let flags = OFlag::O_WRONLY | OFlag::O_APPEND | OFlag::O_CREAT;
    open(files, path, flags)
}

/// Opens a log file to read what was written.
pub(crate) fn open_to_read(files: &dyn Files, path: &Path) -> Result<Open, String> {
    open(files, path, OFlag::O_RDONLY)
}

fn open(files: &dyn Files, path: &Path, flags: OFlag) -> Result<Open, String> {
    // What cannot be looked at, cannot be opened, and the opening has the better reason.
    if let Ok(there) = files.open(path, OFlag::O_PATH | SAFELY, Mode::empty()) {
        judge(&look(&there)?, files.uid())?;
    }
    let fd = files
        .open(path, flags | SAFELY, Mode::from_bits_truncate(0o640))
        .map_err(|error| reason(&error))?;
    let status = look(&fd)?;
    let kind = judge(&status, files.uid())?;
    let len = len(&status);
    Ok(Open { fd, kind, len })
}

fn look(fd: impl AsFd) -> Result<FileStat, String> {
    fstat(fd).map_err(|errno| reason(&errno.into()))
}

/// Whether a rotation may move or replace what is at `path`, if anything is; if not, why not.
pub(crate) fn judge_rotated(files: &dyn Files, path: &Path) -> Result<(), String> {
    // What cannot be looked at, cannot be moved, and the moving has the better reason.
    let Ok(there) = files.open(path, OFlag::O_PATH | SAFELY, Mode::empty()) else {
        return Ok(());
    };
    judge_kind(&look(&there)?).map(|_| ())
}

/// Whether what is there may be the log of the user `uid`; if not, why not.
pub(crate) fn judge(status: &FileStat, uid: u32) -> Result<Kind, String> {
    let kind = judge_kind(status)?;
    match kind {
        Kind::Regular => judge_owner(status, uid)?,
        Kind::Null => {}
    }
    Ok(kind)
}

fn judge_kind(status: &FileStat) -> Result<Kind, String> {
    let kind = SFlag::from_bits_truncate(status.st_mode) & SFlag::S_IFMT;
    let name = match kind {
        SFlag::S_IFREG => return Ok(Kind::Regular),
        SFlag::S_IFCHR if (major(status.st_rdev), minor(status.st_rdev)) == (1, 3) => {
            return Ok(Kind::Null);
        }
        SFlag::S_IFLNK => "symlink",
        SFlag::S_IFIFO => "FIFO",
        SFlag::S_IFSOCK => "socket",
        SFlag::S_IFDIR => "directory",
        _ => "device",
    };
    Err(format!("a {name}, not a regular file; name another path"))
}

/// A regular file must be the user's or the daemon's. A hard link may have been made by anybody who wants that
/// file written to, which only an ordinary user's own files do not suffer from.
fn judge_owner(status: &FileStat, uid: u32) -> Result<(), String> {
    let owner = status.st_uid;
    let ours = owner == uid || owner == geteuid().as_raw();
    let planted = status.st_nlink > 1 && (owner != uid || Uid::from_raw(uid).is_root());
    match (ours, planted) {
        (false, _) => Err(format!(
            "the file belongs to uid {owner}, not to uid {uid}; chown it, or name another path"
        )),
        (true, true) => Err(format!(
            "the file has {} hard links, and may be somebody else's; name another path",
            status.st_nlink
        )),
        (true, false) => Ok(()),
    }
}

/// What the kernel said, as a fragment.
pub fn reason(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(errno) => Errno::from_raw(errno).desc().to_ascii_lowercase(),
        None => error.to_string(),
    }
}

#[cfg(test)]
pub(crate) mod tests;
