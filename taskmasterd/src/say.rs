//! What the command says before it is a daemon: answers on standard output, the rest on standard error.

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use taskmasterd::files::reason;

/// The exit code when nobody reads the answer any more, as a shell counts SIGPIPE.
const EXIT_UNHEARD: u8 = 141;

/// Writes what was asked for. A reader who has seen enough is no error, and nothing is said of it.
pub(crate) fn answer(text: &str) -> ExitCode {
    let mut stdout = io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::from(EXIT_UNHEARD),
        Err(error) => {
            complain(format_args!(
                "taskmasterd: standard output: {}",
                reason(&error)
            ));
            ExitCode::FAILURE
        }
    }
}

/// Writes a line to standard error, where somebody may or may not be.
pub(crate) fn complain(line: impl Display) {
    // In one write, or the lines of two that are refused at once run into each other.
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}
