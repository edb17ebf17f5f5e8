//! The control socket itself: born with its mode, one daemon to a socket, nobody else's file ever removed.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::os::unix::net::UnixListener as StdListener;
use std::path::{Path, PathBuf};

use mio::net::{UnixListener, UnixStream};
use nix::fcntl::{Flock, FlockArg, OFlag};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Gid, Uid, chown, geteuid};

use crate::config::model::Socket;
use crate::files::reason;
use crate::files::way::{Lead, Why, led_by_others};
use crate::limits::SOCKET_PATH_LEN_MAX;

/// A bound control socket and the lock that makes it ours. Dropping it removes both files.
#[derive(Debug)]
pub struct Listener {
    /// What clients connect to.
    pub socket: UnixListener,
    /// Its mode, which says who else is admitted.
    pub mode: u32,
    path: PathBuf,
    settings: Socket,
    /// Device and inode of the socket we made.
    made: (u64, u64),
    /// Let go of after the socket.
    lock: Lock,
}

/// The lock beside the socket. Dropping it removes its file.
#[derive(Debug)]
struct Lock {
    path: PathBuf,
    file: Flock<File>,
}

impl Listener {
    /// Binds `path`.
    ///
    /// # Errors
    /// A daemon that is there already, a way to the path on which others lead, a file at the path that is no
    /// stale socket, or what the kernel says; each with the path in it.
    pub fn bind(path: &Path, settings: &Socket) -> Result<Self, String> {
        let about = |error: io::Error| {
            let (path, reason) = (path.display(), reason(&error));
            format!("cannot make the control socket {path}: {reason}")
        };
        let len = path.as_os_str().len();
        if len > SOCKET_PATH_LEN_MAX {
            let path = path.display();
            return Err(format!(
                "the control socket cannot be {path}: a path of {len} bytes is too long \
                 ({SOCKET_PATH_LEN_MAX} at most)"
            ));
        }
        make_way(path)?;
        let lock = lock(path)?;
        clear_stale(path)?;
        let (socket, made) = make(path, settings).map_err(about)?;
        Ok(Self {
            socket,
            mode: settings.mode,
            path: path.to_owned(),
            settings: settings.clone(),
            made,
            lock,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the socket is still at its path.
    pub fn is_in_place(&self) -> bool {
        fs::symlink_metadata(&self.path).is_ok_and(|found| (found.dev(), found.ino()) == self.made)
    }

    /// Makes the socket anew after somebody removed it, or all of its directory. Says whether there was anything to do.
    ///
    /// # Errors
    /// As [`Self::bind`]; what stands at the path now and is not ours is left alone.
    pub fn restore(&mut self) -> Result<bool, String> {
        if self.is_in_place() {
            return Ok(false);
        }
        make_way(&self.path)?;
        if !self.lock.is_in_place() {
            self.lock = lock(&self.path)?;
        }
        clear_stale(&self.path)?;
        let made = make(&self.path, &self.settings);
        (self.socket, self.made) = made.map_err(|error| {
            let (path, reason) = (self.path.display(), reason(&error));
            format!("cannot make the control socket {path}: {reason}")
        })?;
        Ok(true)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if self.is_in_place() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Lock {
    /// Whether the file is still at its path.
    fn is_in_place(&self) -> bool {
        let here = fs::symlink_metadata(&self.path);
        here.is_ok_and(|here| self.file.metadata().is_ok_and(|ours| is_same(&here, &ours)))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // The lock is still held: whoever opened this file meanwhile finds, once he has it, that it is gone.
        if self.is_in_place() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn is_same(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

fn directory_of(path: &Path) -> &Path {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// Makes the directory for the socket if it is missing.
fn make_way(path: &Path) -> Result<(), String> {
    let directory = directory_of(path);
    // Nobody leads us to make one at a place he chooses, nor was one made by somebody else meanwhile.
    check_way(path, directory)?;
    make_directory(directory)?;
    check_way(path, directory)
}

/// With a mode that only its owner can write to.
fn make_directory(directory: &Path) -> Result<(), String> {
    if directory.exists() {
        return Ok(());
    }
    let mode = if geteuid().is_root() { 0o755 } else { 0o700 };
    let made = fs::DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(directory);
    made.map_err(|error| {
        let (directory, reason) = (directory.display(), reason(&error));
        format!("cannot make the directory {directory}: {reason}")
    })
}

/// Where others lead to `directory`, they can put a socket of their own in place of the one at `path`.
fn check_way(path: &Path, directory: &Path) -> Result<(), String> {
    let Some(Lead { step, why }) = led_by_others(directory, geteuid().as_raw()) else {
        return Ok(());
    };
    let (path, step) = (path.display(), step.display());
    let reason = match why {
        Why::Owner { uid, link: _ } => {
            format!("{step} belongs to uid {uid}, who could replace it; put the socket elsewhere")
        }
        Why::Mode(mode) => format!(
            "{step} can be written to by others (mode {mode:04o}), who could replace it; chmod go-w {step}, or \
             put the socket elsewhere"
        ),
    };
    Err(format!("the control socket cannot be {path}: {reason}"))
}

/// Takes the lock beside the socket, which the kernel frees when the daemon dies, however it dies.
fn lock(path: &Path) -> Result<Lock, String> {
    let path = Socket::lock_path(path);
    let about = |error: &io::Error| format!("cannot lock {}: {}", path.display(), reason(error));
    loop {
        let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(flags.bits())
            .open(&path)
            .map_err(|error| about(&error))?;
        let file = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| {
            match errno {
                nix::errno::Errno::EWOULDBLOCK => {
                    format!(
                        "another taskmasterd has this control socket (it holds {}); stop it first",
                        path.display()
                    )
                }
                errno => about(&errno.into()),
            }
        })?;
        // The one who held it before us may have removed the file on leaving; then we locked nothing.
        let lock = Lock {
            path: path.clone(),
            file,
        };
        if lock.is_in_place() {
            return Ok(lock);
        }
    }
}

/// Removes a socket that a dead daemon left. Anything else at the path stays.
fn clear_stale(path: &Path) -> Result<(), String> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            return Err(format!(
                "cannot look at {}: {}",
                path.display(),
                reason(&error)
            ));
        }
    };
    if !found.file_type().is_socket() {
        return Err(format!(
            "{} is there and is no socket; remove it, or name another path",
            path.display()
        ));
    }
    // Without waiting: a program with a full queue of callers is alive.
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path)
            .map_err(|error| {
                let (path, reason) = (path.display(), reason(&error));
                format!("cannot remove the stale socket {path}: {reason}")
            }),
        Ok(_) | Err(_) => Err(format!(
            "another program listens on {}; stop it, or name another path",
            path.display()
        )),
    }
}

/// Binds with the mode it is to have: there is no moment at which others could connect.
fn make(path: &Path, settings: &Socket) -> io::Result<(UnixListener, (u64, u64))> {
    let before = umask(Mode::from_bits_truncate(!settings.mode & 0o777));
    let bound = StdListener::bind(path);
    umask(before);
    let bound = bound?;
    finish(bound, path, settings).inspect_err(|_| {
        // It was made a moment ago, at a place that is nobody else's.
        let _ = fs::remove_file(path);
    })
}

/// Gives a socket to whom it is for.
fn finish(
    bound: StdListener,
    path: &Path,
    settings: &Socket,
) -> io::Result<(UnixListener, (u64, u64))> {
    if settings.owner.is_some() || settings.group.is_some() {
        chown(
            path,
            settings.owner.map(Uid::from_raw),
            settings.group.map(Gid::from_raw),
        )?;
    }
    let found = fs::symlink_metadata(path)?;
    bound.set_nonblocking(true)?;
    Ok((UnixListener::from_std(bound), (found.dev(), found.ino())))
}
