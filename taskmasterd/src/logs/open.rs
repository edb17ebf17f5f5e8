//! Opening a log file so that nobody can use it to hurt us or others.
//!
//! A path in the configuration may lie in a directory that somebody else can write: there it may be a symlink
//! to a file of root's, a FIFO that nobody reads, a device. A log is opened with the rights of the user it is
//! for, never through a symlink, never waiting, and is a regular file of that user's or the null device; all
//! else is refused by name. The look before the opening spares devices that act on being opened, and says
//! what a path is; the look after it is the one that counts.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, major, minor};
use nix::unistd::{Uid, geteuid};

use crate::limits::TAIL_LEN_MAX;

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

/// Whether nobody but root can change what is in `directory`: it and all above it are root's, no symlink is on
/// the way, and none can be written to by others (above it a sticky directory such as `/tmp` will do).
pub fn is_roots_own(directory: &Path) -> bool {
    directory.ancestors().enumerate().all(|(above, part)| {
        std::fs::symlink_metadata(part).is_ok_and(|found| {
            let shared = found.mode() & 0o022 != 0;
            let sticky = found.mode() & 0o1000 != 0;
            found.is_dir() && found.uid() == 0 && (!shared || (sticky && above > 0))
        })
    })
}

/// The step on the way to `directory` that somebody other than root could turn elsewhere: what is not root's, or
/// can be written to by others without being sticky, as `/tmp` is. None where there is no such step.
pub fn led_by_others(directory: &Path) -> Option<PathBuf> {
    let real = directory.canonicalize().ok();
    let steps = directory
        .ancestors()
        .chain(real.iter().flat_map(|real| real.ancestors()));
    let is_roots = |step: &&Path| {
        std::fs::symlink_metadata(step).is_ok_and(|found| {
            let shared = found.mode() & 0o022 != 0 && !found.is_symlink();
            found.uid() == 0 && (!shared || found.mode() & 0o1000 != 0)
        })
    };
    let exists = |step: &&Path| std::fs::symlink_metadata(step).is_ok();
    steps
        .filter(exists)
        .find(|step| !is_roots(step))
        .map(Path::to_owned)
}

/// What a log file may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A regular file.
    Regular,
    /// The null device.
    Null,
}

/// A file that is open.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) fd: OwnedFd,
    pub(super) kind: Kind,
    /// How long it is.
    pub(super) len: u64,
}

const SAFELY: OFlag = OFlag::O_NOFOLLOW
    .union(OFlag::O_NONBLOCK)
    .union(OFlag::O_CLOEXEC)
    .union(OFlag::O_NOCTTY);

/// Opens a log file to append to, and makes it where there is none; the error is the reason, without the path.
pub(super) fn open_to_append(files: &dyn Files, path: &Path) -> Result<Open, String> {
    let flags = OFlag::O_WRONLY | OFlag::O_APPEND | OFlag::O_CREAT;
    open(files, path, flags)
}

/// Opens a log file to read what was written.
fn open_to_read(files: &dyn Files, path: &Path) -> Result<Open, String> {
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
    let len = u64::try_from(status.st_size).unwrap_or(0);
    Ok(Open { fd, kind, len })
}

fn look(fd: impl AsFd) -> Result<FileStat, String> {
    fstat(fd).map_err(|errno| reason(&errno.into()))
}

/// Whether what is there may be the log of the user `uid`; if not, why not.
fn judge(status: &FileStat, uid: u32) -> Result<Kind, String> {
    let kind = SFlag::from_bits_truncate(status.st_mode) & SFlag::S_IFMT;
    let name = match kind {
        SFlag::S_IFREG => return judge_owner(status, uid).map(|()| Kind::Regular),
        SFlag::S_IFCHR if (major(status.st_rdev), minor(status.st_rdev)) == (1, 3) => {
            return Ok(Kind::Null);
        }
        SFlag::S_IFLNK => "symlink",
        SFlag::S_IFIFO => "FIFO",
        SFlag::S_IFSOCK => "socket",
        SFlag::S_IFDIR => "directory",
        _ => "device",
    };
    Err(format!("a {name}, not a regular file"))
}

/// A regular file must be the user's or the daemon's. A hard link may have been made by anybody who wants that
/// file written to, which only an ordinary user's own files do not suffer from.
fn judge_owner(status: &FileStat, uid: u32) -> Result<(), String> {
    let owner = status.st_uid;
    let ours = owner == uid || owner == geteuid().as_raw();
    let planted = status.st_nlink > 1 && (owner != uid || Uid::from_raw(uid).is_root());
    match (ours, planted) {
        (false, _) => Err(format!("the file belongs to uid {owner}, not to uid {uid}")),
        (true, true) => Err(format!("the file has {} hard links", status.st_nlink)),
        (true, false) => Ok(()),
    }
}

/// The last `n` bytes of a log file, at most [`TAIL_LEN_MAX`], and whether there are others before them.
pub(super) fn tail(files: &dyn Files, path: &Path, n: usize) -> Result<(Vec<u8>, bool), String> {
    let file = open_to_read(files, path)?;
    let n = n.min(TAIL_LEN_MAX) as u64;
    let start = file.len.saturating_sub(n);
    let mut bytes = vec![0; (file.len - start) as usize];
    let mut read = 0;
    let fd = File::from(file.fd);
    while read < bytes.len() {
        match fd.read_at(&mut bytes[read..], start + read as u64) {
            // Somebody made it shorter just now.
            Ok(0) => break,
            Ok(count) => read += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(reason(&error)),
        }
    }
    bytes.truncate(read);
    Ok((bytes, start > 0))
}

/// `path` with `.n` behind it.
pub(super) fn numbered(path: &Path, n: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{n}"));
    name.into()
}

/// What the kernel said, as a fragment.
pub(super) fn reason(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(errno) => Errno::from_raw(errno).desc().to_ascii_lowercase(),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use nix::unistd::mkfifo;

    use super::*;
    use crate::logs::tests::Dir;

    fn refusal(path: &Path) -> String {
        open_to_append(&OwnFiles, path).unwrap_err()
    }

    #[test]
    fn what_is_no_log_file_is_refused_by_its_kind_and_nothing_hangs() {
        let dir = Dir::new("kinds");
        let [target, link, dangling, fifo, socket] =
            ["target", "link", "dangling", "fifo", "socket"].map(|name| dir.path(name));
        fs::write(&target, "precious").unwrap();
        symlink(&target, &link).unwrap();
        symlink(dir.path("nothing"), &dangling).unwrap();
        mkfifo(&fifo, Mode::from_bits_truncate(0o600)).unwrap();
        let _listener = UnixListener::bind(&socket).unwrap();

        assert_eq!(refusal(&link), "a symlink, not a regular file");
        assert_eq!(refusal(&dangling), "a symlink, not a regular file");
        assert_eq!(refusal(&fifo), "a FIFO, not a regular file");
        let _reader =
            nix::fcntl::open(&fifo, OFlag::O_RDONLY | OFlag::O_NONBLOCK, Mode::empty()).unwrap();
        assert_eq!(refusal(&fifo), "a FIFO, not a regular file");
        assert_eq!(refusal(&socket), "a socket, not a regular file");
        assert_eq!(refusal(&dir.path("")), "a directory, not a regular file");
        assert_eq!(
            refusal(Path::new("/dev/zero")),
            "a device, not a regular file"
        );
        assert_eq!(refusal(&dir.path("no/file")), "no such file or directory");
        assert_eq!(fs::read(&target).unwrap(), b"precious");
        assert!(!dir.path("nothing").exists());
    }

    #[test]
    fn the_null_device_is_a_log_file() {
        let open = open_to_append(&OwnFiles, Path::new("/dev/null")).unwrap();
        assert_eq!(open.kind, Kind::Null);
        assert_eq!(
            tail(&OwnFiles, Path::new("/dev/null"), 9),
            Ok((vec![], false))
        );
    }

    /// Files with the daemon's rights, for another user.
    struct For(u32);

    impl Files for For {
        fn uid(&self) -> u32 {
            self.0
        }
        fn open(&self, path: &Path, flags: OFlag, mode: Mode) -> io::Result<OwnedFd> {
            OwnFiles.open(path, flags, mode)
        }
        fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
            OwnFiles.rename(from, to)
        }
    }

    #[test]
    fn a_hard_link_that_somebody_may_have_planted_is_refused() {
        let dir = Dir::new("links");
        let (target, link) = (dir.path("target"), dir.path("link"));
        fs::write(&target, "precious").unwrap();
        assert!(open_to_append(&For(12_345), &target).is_ok());
        fs::hard_link(&target, &link).unwrap();
        let refused = open_to_append(&For(12_345), &link).unwrap_err();
        assert_eq!(refused, "the file has 2 hard links");
        assert_eq!(
            open_to_append(&OwnFiles, &link).is_err(),
            geteuid().is_root()
        );
        assert_eq!(fs::read(&target).unwrap(), b"precious");
    }

    #[test]
    fn a_file_of_a_third_user_is_refused() {
        if !geteuid().is_root() {
            return eprintln!("skipped: needs root");
        }
        let dir = Dir::new("owner");
        let path = dir.path("log");
        fs::write(&path, "").unwrap();
        std::os::unix::fs::chown(&path, Some(4321), None).unwrap();
        assert!(open_to_append(&For(4321), &path).is_ok());
        let refused = open_to_append(&For(12_345), &path).unwrap_err();
        assert_eq!(refused, "the file belongs to uid 4321, not to uid 12345");
    }

    #[test]
    fn a_tail_says_whether_there_is_more() {
        let dir = Dir::new("tail");
        let path = dir.path("log");
        fs::write(&path, "0123456789").unwrap();
        let last = |n| tail(&OwnFiles, &path, n).unwrap();
        assert_eq!(last(3), (b"789".to_vec(), true));
        assert_eq!(last(10), (b"0123456789".to_vec(), false));
        assert_eq!(last(usize::MAX), (b"0123456789".to_vec(), false));
        assert_eq!(last(0), (vec![], true));
        fs::write(&path, vec![b'x'; TAIL_LEN_MAX + 1]).unwrap();
        assert_eq!(last(usize::MAX).0.len(), TAIL_LEN_MAX);
        assert!(tail(&OwnFiles, &dir.path("none"), 1).is_err());
    }
}
