//! The client, run as a user runs it.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::bins;

/// `taskmasterctl -s SOCKET`.
pub struct Ctl {
    socket: std::path::PathBuf,
}

/// What a run of the client came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ctl {
    /// For the daemon at that socket.
    pub fn new(socket: &Path) -> Self {
        Self {
            socket: socket.to_owned(),
        }
    }

    /// The command, to be completed.
    pub fn command(&self) -> Command {
        let mut command = Command::new(bins::taskmasterctl());
        command.arg("-s").arg(&self.socket);
        command
    }

    /// The command as a shell reads it.
    pub fn words(&self) -> String {
        let program = bins::taskmasterctl().display();
        format!("{program} -s {}", self.socket.display())
    }

    /// Runs it to its end.
    #[track_caller]
    pub fn run(&self, words: &[&str]) -> Said {
        self.run_with(words, b"")
    }

    /// Runs it to its end, with something on its standard input.
    #[track_caller]
    pub fn run_with(&self, words: &[&str], input: &[u8]) -> Said {
        let mut command = self.command();
        command.args(words).stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("taskmasterctl can be started");
        let mut stdin = child.stdin.take().expect("standard input is a pipe");
        // It need not read all of it, or any.
        stdin.write_all(input).ok();
        drop(stdin);
        let output = child.wait_with_output().expect("taskmasterctl ends");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Said {
            code: output.status.code(),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }
}
