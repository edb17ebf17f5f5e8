//! Making a process of an [`Order`]: descriptors, fork, and the child's way to its program.

#![expect(
    unsafe_code,
    reason = "between fork and exec there is no Rust but what the kernel allows"
)]

use std::ffi::{CStr, c_char};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::rc::Rc;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use super::failure::{Stage, exec_status};
use super::order::{Order, Stderr};
use super::pty::{self, Pipe, Pty};
use super::strings::Strings;
use super::user;
use crate::config::model::Tty;
use crate::sys::{self, Becoming, raw};

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
    /// Ends when the program is executed; has bytes for [`super::read_exec_status`] if that failed. Whoever
    /// drops it before its end leaves the order, and a stack, to the child for good.
    pub exec_status: Becoming,
}

/// Makes the process; if there is none, the step that failed and why. It may still fail to become its program,
/// which `exec_status` will tell.
pub fn spawn(order: &Rc<Order>) -> Result<Spawned, (Stage, i32)> {
    try_spawn(order).map_err(|(stage, error)| (stage, error.raw_os_error().unwrap_or(libc::EIO)))
}

fn try_spawn(order: &Rc<Order>) -> Result<Spawned, (Stage, io::Error)> {
    let (ours, theirs) = streams(order)?;
    let task = Task::new(order, &theirs);
    // SAFETY: `child_side` and what it calls make raw system calls on what the task has, and nothing else.
    let born = unsafe { sys::birth(order.memory, task, child_side) };
    let (child, exec_status) = born.map_err(at(Stage::Fork))?;
    Ok(Spawned {
        child,
        terminal: ours.terminal,
        stdout: ours.stdout,
        stderr: ours.stderr,
        exec_status,
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
    let (mut ours, mut theirs) = match order.tty {
        Tty::Full | Tty::Split => on_terminal(order)?,
        Tty::None => on_pipes()?,
    };
    if order.tty != Tty::Full && order.stderr == Stderr::Own {
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

/// All that a child needs on its way, so that it looks for nothing and allocates nothing.
struct Task {
    order: Rc<Order>,
    /// What becomes descriptors 0, 1 and 2.
    streams: [RawFd; 3],
    argv: Vec<*const c_char>,
    env: Vec<*const c_char>,
    /// Space for its groups and one more.
    room: Vec<u32>,
}

impl Task {
    fn new(order: &Rc<Order>, theirs: &Theirs) -> Self {
        let raw_or = |fd: &Option<OwnedFd>, other| fd.as_ref().map_or(other, AsRawFd::as_raw_fd);
        let stdin = theirs.stdin.as_raw_fd();
        let stdout = raw_or(&theirs.stdout, stdin);
        let stderr = raw_or(&theirs.stderr, stdout);
        let groups = order.identity.as_ref().map(|(_, groups)| groups.len() + 1);
        Self {
            order: Rc::clone(order),
            streams: [stdin, stdout, stderr],
            argv: order.argv.pointers(),
            env: order.env.pointers(),
            room: vec![0; groups.unwrap_or(0)],
        }
    }
}

// From here on in the child, and maybe in the daemon's memory. No allocation, no lock, no panic, no call but
// those of `raw`.

type Step = Result<(), (Stage, Errno)>;

fn child_side(task: &mut Task, status: RawFd) -> ! {
    let (stage, errno) = match prepare(task) {
        Ok(()) => exec(&task.order.commands, &task.argv, &task.env),
        Err(failed) => failed,
    };
    // If even this fails there is nobody left to tell; the exit status says the rest.
    let _ = raw::write(status, &exec_status(stage, errno as i32));
    raw::exit(EXIT_NOT_EXECUTED)
}

fn prepare(task: &mut Task) -> Step {
    let order = &*task.order;
    raw::begin_session().map_err(on(Stage::Setsid))?;
    if order.tty != Tty::None {
        raw::take_terminal(task.streams[0]).map_err(on(Stage::ControllingTerminal))?;
    }
    connect(task.streams).map_err(on(Stage::Dup2))?;
    // Before the limits, because it takes one more descriptor than a program may be allowed.
    if let Some(text) = &order.oom_score_adj {
        set_oom_score_adj(text).map_err(on(Stage::OomScoreAdj))?;
    }
    order.rlimits.apply().map_err(on(Stage::Setrlimit))?;
    if let Some(nice) = order.nice {
        raw::set_nice(nice).map_err(on(Stage::Nice))?;
    }
    raw::set_umask(order.umask);
    if let Some((identity, groups)) = &order.identity {
        user::assume(identity, groups, &mut task.room)?;
    }
    if order.no_new_privs {
        raw::set_no_new_privs().map_err(on(Stage::NoNewPrivs))?;
    }
    // As the user, whose directory it may be and root's not.
    for directory in order.directory.iter() {
        raw::enter(directory).map_err(on(Stage::Chdir))?;
    }
    raw::reset_signals().map_err(on(Stage::Signals))?;
    raw::close_on_exec_from(3).map_err(on(Stage::CloseRange))
}

fn on(stage: Stage) -> impl FnOnce(Errno) -> (Stage, Errno) {
    move |errno| (stage, errno)
}

fn connect([stdin, stdout, stderr]: [RawFd; 3]) -> nix::Result<()> {
    raw::put(stdin, 0)?;
    raw::put(stdout, 1)?;
    raw::put(stderr, 2)
}

/// Its descriptor is left to exec to close.
fn set_oom_score_adj(text: &str) -> nix::Result<()> {
    let file = raw::open_to_write(c"/proc/self/oom_score_adj")?;
    raw::write(file, text.as_bytes()).map(drop)
}

/// Becomes the first of `commands` that can be executed; returns only if none can, with the best reason.
///
/// As execvp(3) looks for them, but without its fallback to a shell.
fn exec(commands: &Strings, argv: &[*const c_char], env: &[*const c_char]) -> (Stage, Errno) {
    let mut verdict = (Stage::Exec, Errno::ENOENT);
    for command in commands.iter() {
        // SAFETY: both arrays end with null and point to strings of the order, which the task keeps alive.
        let Err(errno) = unsafe { raw::exec(command, argv, env) };
        match judge(command, errno) {
            // A file that cannot even be looked at is another user's, and not what was meant; unless it was named.
            (Stage::Exec, Errno::EACCES) if commands.len() > 1 && raw::kind(command).is_err() => {}
            (Stage::Exec, Errno::ENOENT | Errno::ENOTDIR) => {}
            worse @ (Stage::Exec, Errno::EACCES | Errno::EISDIR) => verdict = worse,
            last => return last,
        }
    }
    verdict
}

/// What the kernel meant by its answer to execve, which says ENOENT and EACCES of several things.
fn judge(command: &CStr, errno: Errno) -> (Stage, Errno) {
    match (errno, raw::kind(command)) {
        (Errno::ENOENT, Ok(_)) => (Stage::Interpreter, errno),
        (Errno::EACCES, Ok(libc::S_IFDIR)) => (Stage::Exec, Errno::EISDIR),
        (_, _) => (Stage::Exec, errno),
    }
}
