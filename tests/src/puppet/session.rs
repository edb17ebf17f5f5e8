//! Becoming another program on a terminal of its own.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::unistd::{dup2_stderr, dup2_stdin, dup2_stdout, setsid};

/// Starts a session, makes the terminal its own, and becomes the program. Comes back only if it fails.
pub fn enter(mut words: impl Iterator<Item = String>) -> io::Error {
    let (Some(tty), Some(program)) = (words.next(), words.next()) else {
        return io::Error::other("--in-session TTY PROGRAM ARGUMENT...");
    };
    match take(&tty) {
        Ok(()) => Command::new(program).args(words).exec(),
        Err(error) => error,
    }
}

fn take(tty: &str) -> io::Result<()> {
    setsid()?;
    crate::sys::heed_signals();
    // The leader of a session without a terminal gets the first one it opens.
    let file = OpenOptions::new().read(true).write(true).open(tty)?;
    dup2_stdin(&file)?;
    dup2_stdout(&file)?;
    dup2_stderr(&file)?;
    Ok(())
}
