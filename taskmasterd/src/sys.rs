//! The kernel calls that `nix` lacks or cannot offer safely, each behind a safe function that says what it promises.
//!
//! A supervised process is signalled through its [`Child`] and in no other way: the handle exists only
//! while the process is not reaped, so neither its number nor that of its group can belong to a stranger.

#![expect(
    unsafe_code,
    reason = "the daemon's one door to what the compiler cannot check"
)]

mod birth;
pub(crate) mod raw;

use std::io;
use std::ops::{Deref, DerefMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::ptr::{self, NonNull};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::Winsize;
use nix::sys::signal::{self, SigHandler, SigSet, Signal};
use nix::unistd::{Gid, Uid, geteuid, setfsgid, setfsuid};
use shared::state::Exit;

use crate::config::model::Identity;

pub use birth::{Becoming, ChildSide, Memory, birth};

/// An id that nobody has: asking for it changes nothing and tells the present one.
const NO_ID: u32 = u32::MAX;

/// A child that was started and is not yet reaped, running or dead. It ends by [`Child::reap`]; one that is
/// dropped is a zombie until somebody calls [`reap`].
#[derive(Debug)]
pub struct Child {
    pid: i32,
    pidfd: OwnedFd,
}

impl Child {
    /// A handle on a child that somebody else started for this process: it must not have been reaped yet.
    pub fn adopt(pid: i32) -> io::Result<Self> {
        // SAFETY: pidfd_open(2) touches no memory; what it gives is a new descriptor, close-on-exec, that nobody owns.
        let pidfd = unsafe {
            let fd = cvt(libc::syscall(libc::SYS_pidfd_open, pid, 0))?;
            OwnedFd::from_raw_fd(fd.try_into().expect("descriptors are ints"))
        };
        Ok(Self { pid, pidfd })
    }

    /// The child that clone(2) has just made.
    ///
    /// # Safety
    ///
    /// `pidfd` is a new descriptor of it, close-on-exec, that nobody else owns.
    unsafe fn born(pid: libc::c_long, pidfd: i32) -> Self {
        let pid = i32::try_from(pid).expect("the kernel's pids are ints");
        assert!(pid > 1, "a child's number is never that of init");
        // SAFETY: the caller has vouched for it.
        let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
        Self { pid, pidfd }
    }

    /// Its number, for people to read.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Sends it a signal; one that is dead already takes it in silence.
    pub fn signal(&self, signal: i32) -> io::Result<()> {
        let no_info = ptr::null::<libc::siginfo_t>();
        // SAFETY: pidfd_send_signal(2) reads nothing through a null siginfo.
        cvt(unsafe {
            libc::syscall(
                libc::SYS_pidfd_send_signal,
                self.pidfd.as_raw_fd(),
                signal,
                no_info,
                0,
            )
        })?;
        Ok(())
    }

    /// Sends a signal to all that is left of its process group.
    pub fn signal_group(&self, signal: i32) -> io::Result<()> {
        assert!(self.pid > 1, "a child's number is never that of init");
        // SAFETY: kill(2) touches no memory. The group is ours: its leader is not reaped while `self` lives.
        match cvt(unsafe { libc::kill(-self.pid, signal) }.into()) {
            // Between fork and setsid it leads no group yet; there is nobody but itself.
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => self.signal(signal),
            other => other.map(drop),
        }
    }

    /// Takes a dead child from the kernel, which may then give its number to another; one that lives is handed back.
    pub fn reap(self) -> Result<Exit, Self> {
        match reap_pid(self.pid) {
            Ok(Some(exit)) => Ok(exit),
            Ok(None) | Err(_) => Err(self),
        }
    }
}

/// The pidfd: readable when the child is dead.
impl AsFd for Child {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

/// A dead child of this process, not yet reaped: the same one until the caller reaps it. `None` if all live.
pub fn peek_dead() -> io::Result<Option<(i32, Exit)>> {
    wait(libc::P_ALL, 0, libc::WNOWAIT)
}

/// Takes a dead orphan that became ours from the kernel. Never for a process with a [`Child`]: that one reaps itself.
pub fn reap(pid: i32) -> io::Result<Option<Exit>> {
    reap_pid(pid)
}

fn reap_pid(pid: i32) -> io::Result<Option<Exit>> {
    let pid = pid.try_into().expect("a pid is positive");
    Ok(wait(libc::P_PID, pid, 0)?.map(|(_, exit)| exit))
}

fn wait(which: libc::idtype_t, id: u32, flags: i32) -> io::Result<Option<(i32, Exit)>> {
    let flags = libc::WEXITED | libc::WNOHANG | libc::__WALL | flags;
    loop {
        // SAFETY: siginfo_t is plain data for which zeroes are a value; waitid(2) fills it.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        // SAFETY: as above; `info` outlives the call.
        match cvt(unsafe { libc::waitid(which, id, &mut info, flags) }.into()) {
            Ok(_) => {
                // SAFETY: waitid(2) succeeded, so these fields are those of SIGCHLD, or zero if none is dead.
                let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
                return Ok((pid != 0).then(|| (pid, exit(info.si_code, status))));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.raw_os_error() == Some(libc::ECHILD) => return Ok(None),
            Err(error) => return Err(error),
        }
    }
}

fn exit(code: i32, status: i32) -> Exit {
    match code {
        libc::CLD_EXITED => Exit::Code(status),
        _ => Exit::Signal {
            number: status,
            core_dumped: code == libc::CLD_DUMPED,
        },
    }
}

/// Makes orphans among our descendants our children, so that none is out of sight.
pub fn set_subreaper() -> io::Result<()> {
    Ok(nix::sys::prctl::set_child_subreaper(true)?)
}

/// Ignores `signal`, here and in what is started by other means than [`crate::child`].
pub fn ignore(signal: Signal) -> io::Result<()> {
    // SAFETY: ignoring a signal is no code of ours, so none can run at a bad time.
    let done = unsafe { signal::signal(signal, SigHandler::SigIgn) };
    done.map(|_| ()).map_err(io::Error::from)
}

/// Takes `signal` as usual, though whoever started us may have ignored it.
pub fn heed(signal: Signal) -> io::Result<()> {
    // SAFETY: what the kernel does is no code of ours, so none can run at a bad time.
    let done = unsafe { signal::signal(signal, SigHandler::SigDfl) };
    done.map(|_| ()).map_err(io::Error::from)
}

/// Has what `command` starts told to end when the daemon is dead, of whatever it died, and hear all signals: those of
/// the daemon are blocked.
pub fn end_with_daemon(command: &mut Command) {
    let tell = || {
        nix::sys::prctl::set_pdeathsig(Signal::SIGTERM)?;
        Ok(SigSet::empty().thread_set_mask()?)
    };
    // SAFETY: between fork and exec it is two system calls, which change no memory.
    unsafe { command.pre_exec(tell) };
}

/// Has every descriptor but standard input, output and error closed at exec, whoever opened it.
pub fn close_others_on_exec() -> io::Result<()> {
    Ok(raw::close_on_exec_from(3)?)
}

/// Opens the slave of a PTY without its path, which another mount namespace may have covered.
pub fn open_pty_peer(master: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: TIOCGPTPEER takes open flags by value and returns a new descriptor.
    let fd = cvt(unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCGPTPEER, flags) }.into())?;
    let fd = i32::try_from(fd).expect("descriptors are ints");
    // SAFETY: the call succeeded, so the descriptor is new and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Tells a terminal its size; its foreground process gets SIGWINCH if that is news.
pub fn set_window_size(terminal: BorrowedFd<'_>, size: &Winsize) -> io::Result<()> {
    let size = ptr::from_ref(size);
    // SAFETY: TIOCSWINSZ reads one winsize, which outlives the call.
    cvt(unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSWINSZ, size) }.into())?;
    Ok(())
}

/// Runs `act` with the rights of `identity` on files, as that user's own process would have them.
///
/// Only this thread is another user meanwhile, and only to the file system. Who is not root is refused
/// anybody else's rights.
pub fn as_filesystem_user<T>(
    identity: &Identity,
    act: impl FnOnce() -> io::Result<T>,
) -> io::Result<T> {
    let (uid, gid) = (setfsuid(NO_ID.into()), setfsgid(NO_ID.into()));
    if !geteuid().is_root() {
        let same = (uid.as_raw(), gid.as_raw()) == (identity.uid, identity.gid);
        return if same {
            act()
        } else {
            Err(io::ErrorKind::PermissionDenied.into())
        };
    }
    let groups = nix::unistd::getgroups()?;
    let groups = groups.into_iter().map(Gid::as_raw).collect();
    let _guard = FilesystemUser { uid, gid, groups };
    raw::set_groups(&identity.groups)?;
    setfsgid(identity.gid.into());
    setfsuid(identity.uid.into());
    let (uid, gid) = (setfsuid(NO_ID.into()), setfsgid(NO_ID.into()));
    if (uid.as_raw(), gid.as_raw()) != (identity.uid, identity.gid) {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    act()
}

/// Who this thread was to the file system, and is again when this is dropped.
struct FilesystemUser {
    uid: Uid,
    gid: Gid,
    groups: Vec<u32>,
}

impl Drop for FilesystemUser {
    fn drop(&mut self) {
        setfsuid(self.uid);
        setfsgid(self.gid);
        raw::set_groups(&self.groups).expect("root may take back its own groups");
        let now = (setfsuid(NO_ID.into()), setfsgid(NO_ID.into()));
        assert_eq!(now, (self.uid, self.gid), "a thread may be itself again");
    }
}

/// Writes what fits at once, at most `PIPE_BUF` bytes, to a descriptor whose flags are not ours to change.
pub fn write_now(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    let mut ready = [PollFd::new(fd, PollFlags::POLLOUT)];
    poll(&mut ready, PollTimeout::ZERO)?;
    if ready[0].revents().is_none_or(|events| events.is_empty()) {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    let len = bytes.len().min(libc::PIPE_BUF);
    match nix::unistd::write(fd, &bytes[..len])? {
        0 if len > 0 => Err(io::ErrorKind::WriteZero.into()),
        written => Ok(written),
    }
}

/// Zeroed memory of the daemon's own: its pages exist from their first use, and a child gets no copy of them.
///
/// So the cost of a fork does not grow with what is buffered.
#[derive(Debug)]
pub struct Arena {
    start: NonNull<u8>,
    len: usize,
}

impl Arena {
    /// Memory of `len` bytes, which is more than none.
    pub fn new(len: usize) -> io::Result<Self> {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a new anonymous mapping, where the kernel likes, replaces none.
        let start = unsafe { libc::mmap(ptr::null_mut(), len, access, flags, -1, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).expect("the kernel maps nothing at zero");
        let arena = Self { start, len };
        arena.advise(libc::MADV_DONTFORK)?;
        // A huge page would be two megabytes for the first byte; kernels without them refuse, and may.
        let _ = arena.advise(libc::MADV_NOHUGEPAGE);
        Ok(arena)
    }

    fn advise(&self, advice: i32) -> io::Result<()> {
        // SAFETY: the range is our own mapping, and neither advice changes what it reads as in this process.
        cvt(unsafe { libc::madvise(self.start.as_ptr().cast(), self.len, advice) }.into())?;
        Ok(())
    }
}

impl Deref for Arena {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the mapping is `len` readable bytes, initialised to zero by the kernel, until `self` is dropped.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl DerefMut for Arena {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and `&mut self` makes it the only reference.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: our own mapping, and no reference to it outlives `self`.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.len) };
    }
}

/// What a system call returned, as a result.
fn cvt(returned: libc::c_long) -> io::Result<libc::c_long> {
    if returned < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(returned)
}
