//! Making a process of an [`Order`]: descriptors, fork, and the child's way to its program.

#![expect(
    unsafe_code,
    reason = "between fork and exec there is no Rust but what the kernel allows"
)]

use std::convert::Infallible;
use std::ffi::{CStr, CString, c_char};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::ptr;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::prctl::set_no_new_privs;
use nix::sys::stat::{Mode, SFlag, stat, umask};
use nix::unistd::{chdir, dup2_stderr, dup2_stdin, dup2_stdout, setsid, write};

use super::failure::{Stage, exec_status, failure};
use super::order::{Order, Stderr};
use super::pty::{self, Pipe, Pty};
use super::user::{self, errno};
use crate::config::model::Tty;
use crate::core::Failure;
use crate::sys;

/// The exit status of a child that could not become its program, as shells have it.
const EXIT_NOT_EXECUTED: i32 = 127;

/// A process that exists, and our ends of what connects us. All of them are non-blocking and close-on-exec.
#[derive(Debug)]
pub struct Spawned {
    /// The process.
    pub child: sys::Child,
    /// The master of its terminal, if it has one: its input, and what it prints there.
    pub terminal: Option<OwnedFd>,
    /// Its standard output, where that is a pipe.
    pub stdout: Option<OwnedFd>,
    /// Its standard error, where that is a pipe of its own.
    pub stderr: Option<OwnedFd>,
    /// Ends when the program is executed; has bytes for [`super::read_exec_status`] if that failed.
    pub exec_status: OwnedFd,
}

/// Makes the process. It may still fail to become its program, which `exec_status` will tell.
pub fn spawn(order: &Order) -> Result<Spawned, Failure> {
    try_spawn(order).map_err(|(stage, error)| failure(stage, errno(&error) as i32, &order.launch))
}

fn try_spawn(order: &Order) -> Result<Spawned, (Stage, io::Error)> {
    let (ours, theirs) = streams(order)?;
    let status = pty::pipe().map_err(at(Stage::Pipe))?;
    let (argv, env) = (pointers(&order.argv), pointers(&order.env));
    let groups_len = order
        .identity
        .as_ref()
        .map_or(0, |(_, groups)| groups.len());
    let mut room = vec![0; groups_len + 1];
    // SAFETY: `child_side` and what it calls make bare system calls on what was prepared above; they do not
    // allocate, lock or unwind.
    let child =
        unsafe { sys::fork(|| child_side(order, &theirs, &argv, &env, &mut room, &status.theirs)) };
    Ok(Spawned {
        child: child.map_err(at(Stage::Fork))?,
        terminal: ours.terminal,
        stdout: ours.stdout,
        stderr: ours.stderr,
        exec_status: status.ours,
    })
}

/// Our ends of a process's streams.
#[derive(Default)]
struct Ours {
    terminal: Option<OwnedFd>,
    stdout: Option<OwnedFd>,
    stderr: Option<OwnedFd>,
}

/// The process's ends.
struct Theirs {
    stdin: OwnedFd,
    /// `None`: the same as `stdin`.
    stdout: Option<OwnedFd>,
    /// `None`: the same as standard output.
    stderr: Option<OwnedFd>,
}

fn streams(order: &Order) -> Result<(Ours, Theirs), (Stage, io::Error)> {
    let (mut ours, mut theirs) = match order.launch.tty {
        Tty::Full | Tty::Split => on_terminal(order)?,
        Tty::None => on_pipes()?,
    };
    if order.launch.tty != Tty::Full && order.stderr == Stderr::Own {
        let pipe = pty::pipe().map_err(at(Stage::Pipe))?;
        (ours.stderr, theirs.stderr) = (Some(pipe.ours), Some(pipe.theirs));
    }
    Ok((ours, theirs))
}

fn on_terminal(order: &Order) -> Result<(Ours, Theirs), (Stage, io::Error)> {
    let owner = order.identity.as_ref().map(|(identity, _)| identity);
    let Pty { master, slave } = pty::open(order.window, owner).map_err(at(Stage::Terminal))?;
    let ours = Ours {
        terminal: Some(master),
        ..Ours::default()
    };
    let theirs = Theirs {
        stdin: slave,
        stdout: None,
        stderr: None,
    };
    Ok((ours, theirs))
}

fn on_pipes() -> Result<(Ours, Theirs), (Stage, io::Error)> {
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
    let null = open(c"/dev/null", flags, Mode::empty()).map_err(at(Stage::Null))?;
    let Pipe { ours, theirs } = pty::pipe().map_err(at(Stage::Pipe))?;
    let ours = Ours {
        stdout: Some(ours),
        ..Ours::default()
    };
    let theirs = Theirs {
        stdin: null,
        stdout: Some(theirs),
        stderr: None,
    };
    Ok((ours, theirs))
}

fn at<E: Into<io::Error>>(stage: Stage) -> impl FnOnce(E) -> (Stage, io::Error) {
    move |error| (stage, error.into())
}

/// The array that execve takes; it points into `strings`.
fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    let pointers = strings.iter().map(|string| string.as_ptr());
    pointers.chain([ptr::null()]).collect()
}

// From here on in the child. No allocation, no lock, no panic.

type Step = Result<(), (Stage, Errno)>;

fn child_side(
    order: &Order,
    theirs: &Theirs,
    argv: &[*const c_char],
    env: &[*const c_char],
    room: &mut [u32],
    status: &OwnedFd,
) -> Infallible {
    let (stage, errno) = match prepare(order, theirs, room) {
        Ok(()) => exec(&order.commands, argv, env),
        Err(failed) => failed,
    };
    // If even this fails there is nobody left to tell; the exit status says the rest.
    let _ = write(status, &exec_status(stage, errno as i32));
    // SAFETY: _exit(2) ends the process at once; it runs no handler and touches no memory.
    unsafe { libc::_exit(EXIT_NOT_EXECUTED) }
}

fn prepare(order: &Order, theirs: &Theirs, room: &mut [u32]) -> Step {
    let launch = &order.launch;
    setsid().map_err(on(Stage::Setsid))?;
    if launch.tty != Tty::None {
        take_terminal(&theirs.stdin)?;
    }
    connect(theirs).map_err(on(Stage::Dup2))?;
    // Before the limits, because it takes one more descriptor than a program may be allowed.
    if let Some(text) = &order.oom_score_adj {
        set_oom_score_adj(text).map_err(on(Stage::OomScoreAdj))?;
    }
    order.rlimits.apply().map_err(on(Stage::Setrlimit))?;
    if let Some(nice) = launch.nice {
        set_nice(nice)?;
    }
    umask(Mode::from_bits_truncate(launch.umask));
    if let Some((identity, groups)) = &order.identity {
        user::assume(identity, groups, room)?;
    }
    if launch.no_new_privs {
        set_no_new_privs().map_err(on(Stage::NoNewPrivs))?;
    }
    // As the user, whose directory it may be and root's not.
    if let Some(directory) = &order.directory {
        chdir(directory.as_c_str()).map_err(on(Stage::Chdir))?;
    }
    sys::reset_signals().map_err(|error| (Stage::Signals, errno(&error)))?;
    sys::close_on_exec_from(3).map_err(|error| (Stage::CloseRange, errno(&error)))
}

fn on(stage: Stage) -> impl FnOnce(Errno) -> (Stage, Errno) {
    move |errno| (stage, errno)
}

fn take_terminal(terminal: &OwnedFd) -> Step {
    // SAFETY: TIOCSCTTY takes a number and touches no memory.
    let returned = unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSCTTY, 0) };
    Errno::result(returned)
        .map(drop)
        .map_err(on(Stage::ControllingTerminal))
}

fn connect(theirs: &Theirs) -> nix::Result<()> {
    let stdin = theirs.stdin.as_fd();
    let stdout = theirs.stdout.as_ref().map_or(stdin, AsFd::as_fd);
    let stderr = theirs.stderr.as_ref().map_or(stdout, AsFd::as_fd);
    dup2_stdin(stdin)?;
    dup2_stdout(stdout)?;
    dup2_stderr(stderr)
}

fn set_oom_score_adj(text: &str) -> nix::Result<()> {
    let flags = OFlag::O_WRONLY | OFlag::O_CLOEXEC;
    let file = open(c"/proc/self/oom_score_adj", flags, Mode::empty())?;
    write(&file, text.as_bytes()).map(drop)
}

fn set_nice(nice: i32) -> Step {
    // SAFETY: setpriority(2) touches no memory.
    let returned = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice) };
    Errno::result(returned).map(drop).map_err(on(Stage::Nice))
}

/// Becomes the first of `commands` that can be executed; returns only if none can, with the best reason.
///
/// As execvp(3) looks for them, but without its fallback to a shell.
fn exec(commands: &[CString], argv: &[*const c_char], env: &[*const c_char]) -> (Stage, Errno) {
    let mut verdict = (Stage::Exec, Errno::ENOENT);
    for command in commands {
        // SAFETY: `argv` and `env` end with null and point, like `command`, to strings that `Order` keeps alive.
        unsafe { libc::execve(command.as_ptr(), argv.as_ptr(), env.as_ptr()) };
        match judge(command, Errno::last()) {
            // A file that cannot even be looked at is another user's, and not what was meant; unless it was named.
            (Stage::Exec, Errno::EACCES)
                if commands.len() > 1 && stat(command.as_c_str()).is_err() => {}
            (Stage::Exec, Errno::ENOENT | Errno::ENOTDIR) => {}
            worse @ (Stage::Exec, Errno::EACCES | Errno::EISDIR) => verdict = worse,
            last => return last,
        }
    }
    verdict
}

/// What the kernel meant by its answer to execve, which says ENOENT and EACCES of several things.
fn judge(command: &CStr, errno: Errno) -> (Stage, Errno) {
    let file = stat(command).map(|stat| SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT);
    match (errno, file) {
        (Errno::ENOENT, Ok(_)) => (Stage::Interpreter, errno),
        (Errno::EACCES, Ok(SFlag::S_IFDIR)) => (Stage::Exec, Errno::EISDIR),
        (_, _) => (Stage::Exec, errno),
    }
}
