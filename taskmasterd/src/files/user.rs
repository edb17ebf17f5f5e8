//! Files with the rights of a program's user, and where root helps him out.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag};
use nix::sys::stat::Mode;
use nix::unistd::{AccessFlags, faccessat};

use super::way::{Lead, Why, is_roots_own, led_by_others};
use super::{Files, OwnFiles, refuse_to_be_led};
use crate::config::model::Identity;
use crate::sys;

/// The file system with the rights of a program's user.
#[derive(Clone, Debug)]
pub struct UserFiles(pub Identity);

impl Files for UserFiles {
    fn uid(&self) -> u32 {
        self.0.uid
    }

    fn open(&self, path: &Path, flags: OFlag, mode: Mode) -> io::Result<OwnedFd> {
        let opened = sys::as_filesystem_user(&self.0, || OwnFiles.open(path, flags, mode));
        or_as_root(path, opened, || OwnFiles.open(path, flags, mode))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let renamed = sys::as_filesystem_user(&self.0, || OwnFiles.rename(from, to));
        or_as_root(to, renamed, || OwnFiles.rename(from, to))
    }
}

/// Whether a log at `path` could be made or appended to, as far as that can be seen without opening it, with the
/// rights that its opening would have: those of `user`, or of the daemon itself. What is there is not judged.
pub fn may_append(user: Option<&Identity>, path: &Path) -> io::Result<()> {
    let Some(user) = user else {
        refuse_to_be_led(path)?;
        return may_write(path);
    };
    let may = sys::as_filesystem_user(user, || may_write(path));
    or_as_root(path, may, || may_write(path))
}

/// By the rights on files, which are not those that access(2) goes by.
fn may_write(path: &Path) -> io::Result<()> {
    let may = |path, what| faccessat(AT_FDCWD, path, what, AtFlags::AT_EACCESS);
    let done = match (may(path, AccessFlags::W_OK), path.parent()) {
        (Err(Errno::ENOENT), Some(parent)) => may(parent, AccessFlags::W_OK | AccessFlags::X_OK),
        (done, _) => done,
    };
    Ok(done?)
}

/// Where the user may not, root does it for him, as in `/var/log`: but only in a directory that nobody except
/// root could have prepared.
fn or_as_root<T>(
    path: &Path,
    done: io::Result<T>,
    as_root: impl FnOnce() -> io::Result<T>,
) -> io::Result<T> {
    match (done, path.parent()) {
        (Err(error), Some(directory)) if error.kind() == io::ErrorKind::PermissionDenied => {
            if is_roots_own(directory) {
                return as_root();
            }
            Err(why_not_as_root(directory).map_or(error, io::Error::other))
        }
        (done, _) => done,
    }
}

/// Why root does nothing in a directory of its own where one would expect it to, as in Ubuntu's `/var/log`.
fn why_not_as_root(directory: &Path) -> Option<String> {
    let Lead { step, why } = led_by_others(directory, 0)?;
    let Why::Mode(mode) = why else { return None };
    let who = if mode & 0o002 == 0 {
        format!("its group {}", fs::metadata(&step).ok()?.gid())
    } else {
        "everybody".into()
    };
    let step = step.display();
    Some(format!(
        "permission denied, and root does not help in {step}, because {who} can write to it (mode {mode:04o}); name a \
         file in a directory of the program's user, or chmod go-w {step}"
    ))
}
