//! What may be a log file and what may not.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use nix::unistd::{mkdtemp, mkfifo};

use std::path::PathBuf;
use std::process::Command;

use super::*;

/// A directory for one test, removed with it.
pub(crate) struct Dir(PathBuf);

impl Dir {
    pub(crate) fn new(name: &str) -> Self {
        let unique = format!("taskmaster-files-{name}-XXXXXX");
        Self(mkdtemp(&std::env::temp_dir().join(unique)).unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A small file system of its own, of 64 KiB, gone with the test.
pub(crate) struct Tmpfs(Dir);

impl Tmpfs {
    /// None where there can be none.
    pub(crate) fn new() -> Option<Self> {
        if !geteuid().is_root() {
            return None;
        }
        let dir = Dir::new("full");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=64k", "none"])
            .arg(dir.path(""))
            .status();
        mount
            .is_ok_and(|status| status.success())
            .then_some(Self(dir))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path(name)
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount")
            .arg("-l")
            .arg(self.0.path(""))
            .status();
    }
}

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

    assert_eq!(
        refusal(&link),
        "a symlink, not a regular file; name another path"
    );
    assert_eq!(
        refusal(&dangling),
        "a symlink, not a regular file; name another path"
    );
    assert_eq!(
        refusal(&fifo),
        "a FIFO, not a regular file; name another path"
    );
    let _reader =
        nix::fcntl::open(&fifo, OFlag::O_RDONLY | OFlag::O_NONBLOCK, Mode::empty()).unwrap();
    assert_eq!(
        refusal(&fifo),
        "a FIFO, not a regular file; name another path"
    );
    assert_eq!(
        refusal(&socket),
        "a socket, not a regular file; name another path"
    );
    assert_eq!(
        refusal(&dir.path("")),
        "a directory, not a regular file; name another path"
    );
    assert_eq!(
        refusal(Path::new("/dev/zero")),
        "a device, not a regular file; name another path"
    );
    assert_eq!(refusal(&dir.path("no/file")), "no such file or directory");
    assert_eq!(fs::read(&target).unwrap(), b"precious");
    assert!(!dir.path("nothing").exists());
}

#[test]
fn the_null_device_is_a_log_file() {
    let open = open_to_append(&OwnFiles, Path::new("/dev/null")).unwrap();
    assert_eq!(open.kind, Kind::Null);
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
    assert_eq!(
        refused,
        "the file has 2 hard links, and may be somebody else's; name another path"
    );
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
    assert_eq!(
        refused,
        "the file belongs to uid 4321, not to uid 12345; chown it, or name another path"
    );
}
