//! `--shell`: the control shell in the daemon's terminal. Leaving it stops the daemon, and it ends with the daemon.

use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::termios::{SetArg, Termios, tcgetattr, tcsetattr};
use nix::unistd::{Pid, getpgrp, tcgetpgrp, tcsetpgrp};
use shared::state::Exit;
use taskmasterd::files::reason;
use taskmasterd::limits::SHELL_PATIENCE_MS;
use taskmasterd::reactor::Shell;
use taskmasterd::sinks::eventlog::own;
use taskmasterd::sys;

/// What a line editor asks of a terminal and cannot take back if it is killed: the marks around what is pasted.
const NO_PASTE_MARKS: &[u8] = b"\x1b[?2004l";

/// The control shell for the reactor: its end gives the terminal back, and the daemon's end is its end.
pub(crate) fn start(socket: &Path) -> Result<Shell, String> {
    let terminal = Terminal::here();
    let child = spawn(socket)?;
    let pid = child.pid();
    let mut running = Running(Some((child, terminal)));
    let ended = Box::new(move || {
        running.bury();
        say(b"stopping all programs; Ctrl-C kills what is left\n");
    });
    Ok(Shell { pid, ended })
}

/// Starts `taskmasterctl` in the foreground of the terminal, with a process group of its own, so that a Ctrl-C
/// typed there is the shell's and not the daemon's.
fn spawn(socket: &Path) -> Result<sys::Child, String> {
    let program = find();
    // The shell of the user knows our process group only: it would not see the control shell stop at a Ctrl-Z,
    // and nobody would ever continue it. What is ignored stays ignored in what is started.
    sys::ignore(Signal::SIGTSTP)
        .map_err(|error| format!("cannot ignore SIGTSTP: {}", reason(&error)))?;
    let mut command = Command::new(&program);
    command.arg("-s").arg(socket).process_group(0);
    sys::end_with_daemon(&mut command);
    let mut shell = command
        .spawn()
        .map_err(|error| format!("cannot start {}: {}", program.display(), reason(&error)))?;
    let pid = i32::try_from(shell.id()).map_err(|error| error.to_string())?;
    sys::Child::adopt(pid)
        .map_err(|error| format!("cannot watch {}: {}", program.display(), reason(&error)))
        .inspect(hand_over)
        .inspect_err(|_| {
            let _ = shell.kill();
        })
}

/// The one beside us, else the one in the path.
fn find() -> PathBuf {
    let beside = std::env::current_exe()
        .ok()
        .map(|path| path.with_file_name("taskmasterctl"));
    beside
        .filter(|path| path.exists())
        .unwrap_or_else(|| "taskmasterctl".into())
}

/// Makes the shell the foreground of the terminal. It may have tried to read before, and been stopped for it.
fn hand_over(shell: &sys::Child) {
    if io::stdin().is_terminal() {
        let _ = tcsetpgrp(io::stdin(), Pid::from_raw(shell.pid()));
        let _ = shell.signal(Signal::SIGCONT as i32);
    }
}

/// The terminal may be what has gone; then nobody reads it, and nobody needs to.
fn say(text: &[u8]) {
    let stderr = own(io::stderr().as_fd());
    let _ = stderr.map(|stderr| sys::write_now(stderr.as_fd(), text));
}

/// The shell and what it has of the daemon's. One that lives when this is dropped is ended: it would stay on the
/// terminal, and take the keys that are meant for whoever called the daemon.
struct Running(Option<(sys::Child, Option<Terminal>)>);

impl Running {
    /// Takes back what a dead shell had; whether it was killed in front of a terminal, at which it may not have
    /// tidied up. As long as it is not reaped, no other group has its number.
    fn bury(&mut self) -> bool {
        let Some((child, terminal)) = self.0.take() else {
            return false;
        };
        let in_front = terminal.is_some_and(|terminal| terminal.take_back(&child));
        let killed = matches!(child.reap(), Ok(Exit::Signal { .. }));
        if in_front && killed {
            say(&[NO_PASTE_MARKS, b"\n"].concat());
        }
        in_front && killed
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some((child, _)) = &self.0 else { return };
        // SIGHUP would tell it that there is no terminal any more to put in order.
        for signal in [Signal::SIGTERM, Signal::SIGKILL] {
            let _ = child.signal(signal as i32);
            // One that is stopped hears nothing before it goes on.
            let _ = child.signal(Signal::SIGCONT as i32);
            if is_dead_soon(child) {
                break;
            }
        }
        if self.bury() {
            say(b"the daemon ends, and its control shell with it\n");
        }
    }
}

/// Waits for the end of the shell, but not forever.
fn is_dead_soon(shell: &sys::Child) -> bool {
    let mut death = [PollFd::new(shell.as_fd(), PollFlags::POLLIN)];
    matches!(poll(&mut death, SHELL_PATIENCE_MS), Ok(1..))
}

/// The terminal as it was before the shell had it.
struct Terminal {
    group: Pid,
    modes: Termios,
}

impl Terminal {
    /// That of the daemon, if it has one.
    fn here() -> Option<Self> {
        let modes = tcgetattr(io::stdin()).ok()?;
        let group = getpgrp();
        Some(Self { group, modes })
    }

    /// Puts the modes of before in force and the daemon's own process group in front; whether the shell still had
    /// the terminal. If somebody else has it by now it is his.
    fn take_back(&self, shell: &sys::Child) -> bool {
        let front = tcgetpgrp(io::stdin());
        if front.is_ok_and(|front| front.as_raw() != shell.pid()) {
            return false;
        }
        // Who changes a terminal from behind is stopped otherwise. From its first turn on the daemon has it blocked.
        let stop: SigSet = [Signal::SIGTTOU].into_iter().collect();
        let _ = stop.thread_block();
        let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, &self.modes);
        let _ = tcsetpgrp(io::stdin(), self.group);
        true
    }
}
