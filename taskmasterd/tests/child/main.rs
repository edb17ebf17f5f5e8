//! Children as they really are: forked, executed, looked at from within.
//!
//! One test at a time, because dead children and open descriptors belong to the whole process.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod environment;
mod failures;
mod identity;
mod kernel;
mod stdio;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use shared::name::ProcessName;
use shared::state::Exit;
use taskmasterd::child::pty::Window;
use taskmasterd::child::{
    Heritage, Order, Rlimits, Spawned, Stage, Stderr, read_exec_status, spawn,
};
use taskmasterd::config::model::{Identity, Launch, Tty};

/// How long a fact may take that should be immediate.
const DEADLINE: Duration = Duration::from_secs(20);

static TURN: Mutex<()> = Mutex::new(());

/// Waits for the tests before this one.
pub(crate) fn my_turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a test started, and all it said until it was gone.
pub(crate) struct Told {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) exit: Exit,
    /// The step that failed and its errno, if the program was not executed.
    pub(crate) failed: Option<(Stage, i32)>,
}

pub(crate) fn launch(argv: &[&str], tty: Tty) -> Launch {
    let argv = argv.iter().map(ToString::to_string).collect();
    Launch {
        tty,
        ..Launch::new(argv)
    }
}

pub(crate) fn user(uid: u32, gid: u32, groups: &[u32]) -> Identity {
    Identity {
        name: uid.to_string(),
        uid,
        gid,
        groups: groups.to_vec(),
        home: "/".into(),
        shell: "/bin/sh".into(),
    }
}

pub(crate) fn process() -> ProcessName {
    ProcessName::new("web".parse().unwrap(), 3)
}

/// As the daemon's, without raising anything of the test's own.
pub(crate) fn heritage() -> Heritage {
    Heritage {
        env: std::env::vars_os().collect(),
        directory: std::env::current_dir().unwrap(),
        rlimits: Rlimits::current().unwrap(),
        oom_score_adj: None,
    }
}

pub(crate) fn order(launch: &Launch, stderr: Stderr, window: Window) -> Rc<Order> {
    Rc::new(Order::new(launch, &process(), stderr, window, &heritage()).unwrap())
}

/// The same, with a copy of our memory.
pub(crate) fn copied(launch: &Launch) -> Rc<Order> {
    let order = Order::new(
        launch,
        &process(),
        Stderr::Own,
        Window::default(),
        &heritage(),
    );
    Rc::new(order.unwrap().copied())
}

pub(crate) fn start(launch: &Launch) -> Result<Spawned, (Stage, i32)> {
    spawn(&order(launch, Stderr::Own, Window::default()))
}

/// Runs it twice, in a copy of our memory and, where that is allowed, within it: no program can tell.
pub(crate) fn run(launch: &Launch) -> Told {
    let in_copy = finish(spawn(&copied(launch)).unwrap());
    let told = finish(start(launch).unwrap());
    assert_eq!((told.exit, told.failed), (in_copy.exit, in_copy.failed));
    // Pids and the like are other numbers each time.
    let words = |text: &str| text.replace(|c: char| c.is_ascii_digit() || c.is_whitespace(), "");
    assert_eq!(words(&told.out), words(&in_copy.out));
    assert_eq!(words(&told.err), words(&in_copy.err));
    told
}

/// Reads all that a process says, then reaps it.
pub(crate) fn finish(spawned: Spawned) -> Told {
    let mut spawned = spawned;
    let fd = spawned.exec_status.as_fd().try_clone_to_owned().unwrap();
    let status = read_to_end(fd.as_fd(), |buffer| spawned.exec_status.read(buffer));
    let main = spawned.terminal.as_ref().or(spawned.stdout.as_ref());
    let out = main.map(read_all).unwrap_or_default();
    let err = spawned.stderr.as_ref().map(read_all).unwrap_or_default();
    wait_for(spawned.child.as_fd(), PollFlags::POLLIN);
    Told {
        out: String::from_utf8(out).unwrap(),
        err: String::from_utf8(err).unwrap(),
        exit: spawned.child.reap().expect("its pidfd says it is dead"),
        failed: read_exec_status(&status),
    }
}

/// Everything until the other side closes, which a terminal says with EIO; only after that is all of it there.
fn read_all(fd: &OwnedFd) -> Vec<u8> {
    let rest = || read_to_end(fd.as_fd(), |buffer| Ok(nix::unistd::read(fd, buffer)?));
    [rest(), rest()].concat()
}

fn read_to_end(
    fd: BorrowedFd<'_>,
    mut read: impl FnMut(&mut [u8]) -> io::Result<usize>,
) -> Vec<u8> {
    let mut all = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match read(&mut buffer) {
            Ok(0) => return all,
            Ok(len) => all.extend_from_slice(&buffer[..len]),
            Err(error) if error.raw_os_error() == Some(libc::EIO) => return all,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                wait_for(fd, PollFlags::POLLIN);
            }
            Err(error) => panic!("read: {error}"),
        }
    }
}

/// Waits until something can be read.
pub(crate) fn wait_for(fd: BorrowedFd<'_>, flags: PollFlags) {
    let until = Instant::now() + DEADLINE;
    let mut fds = [PollFd::new(fd, flags)];
    while poll(&mut fds, PollTimeout::from(100u8)).unwrap_or(0) == 0 {
        assert!(Instant::now() < until, "nothing came in time");
    }
}

/// Whether this runs as root; says so when what needs root is skipped.
pub(crate) fn is_root(test: &str) -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        eprintln!("{test}: SKIPPED, needs root");
    }
    root
}

/// The descriptors this process has open.
pub(crate) fn open_fds() -> usize {
    std::fs::read_dir("/proc/self/fd")
        .map(Iterator::count)
        .unwrap()
}

/// The field `name` of a /proc/.../status.
pub(crate) fn field<'a>(status: &'a str, name: &str) -> &'a str {
    let lines = status.lines().map(str::trim_end);
    let mut values = lines.filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    values.next().expect(name).trim()
}

pub(crate) fn errno(error: &io::Error) -> Option<i32> {
    error.raw_os_error()
}
