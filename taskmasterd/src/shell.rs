//! `--shell`: the control shell in the daemon's terminal. Leaving it stops the daemon.

use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;
use nix::unistd::{Pid, getpgrp, tcsetpgrp};
use taskmasterd::files::reason;
use taskmasterd::reactor::Shell;
use taskmasterd::sinks::eventlog::own;
use taskmasterd::sys;

/// The control shell for the reactor: its end gives the terminal back.
pub(crate) fn start(socket: &Path) -> Result<Shell, String> {
    let terminal = Terminal(getpgrp());
    let child = spawn(socket)?;
    let ended = Box::new(move || {
        drop(terminal);
        // The terminal may be what has gone; then nobody reads it, and nobody needs to.
        let text = b"stopping all programs; Ctrl-C kills what is left\n";
        let stderr = own(io::stderr().as_fd());
        let _ = stderr.map(|stderr| sys::write_now(stderr.as_fd(), text));
    });
    Ok(Shell { child, ended })
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
    let shell = command
        .spawn()
        .map_err(|error| format!("cannot start {}: {}", program.display(), reason(&error)))?;
    let pid = i32::try_from(shell.id()).map_err(|error| error.to_string())?;
    sys::Child::adopt(pid)
        .map_err(|error| format!("cannot watch {}: {}", program.display(), reason(&error)))
        .inspect(|child| {
            hand_over(child);
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

/// Gives the terminal back to the daemon's own process group when it is dropped.
struct Terminal(Pid);

impl Drop for Terminal {
    fn drop(&mut self) {
        if io::stdin().is_terminal() {
            let _ = tcsetpgrp(io::stdin(), self.0);
        }
    }
}
