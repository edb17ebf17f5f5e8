//! The terminal: whether there is one, what may be written to it, and writing without tearing.

use std::io::{self, IsTerminal, Write};

use nix::errno::Errno;
use nix::sys::stat::{SFlag, fstat};
use shared::state::State;

use crate::exit::Exit;

/// What one command prints: gathered, then written at once.
#[derive(Debug, Default)]
pub(crate) struct Page {
    text: Vec<u8>,
    /// Lines for standard error, where a person sees it: scripts compare what they get.
    remarks: Vec<String>,
    coloured: bool,
    /// Whether what was added last, written out or not, stands in a line that has not ended.
    within_line: bool,
}

impl Page {
    /// An empty page for standard output.
    pub(crate) fn new() -> Self {
        Self {
            coloured: wants_colour(),
            ..Self::default()
        }
    }

    /// Adds a line. Whatever of it is not our own text has been escaped.
    pub(crate) fn line(&mut self, line: &str) {
        self.bytes(line.as_bytes());
        self.bytes(b"\n");
    }

    /// Adds bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.text.extend_from_slice(bytes);
        if let Some(last) = bytes.last() {
            self.within_line = *last != b'\n';
        }
    }

    /// Ends a line that has not ended.
    pub(crate) fn end_line(&mut self) {
        if self.within_line {
            self.line("");
        }
    }

    /// Adds a line that is no part of the answer, to follow it.
    pub(crate) fn remark(&mut self, line: String) {
        self.remarks.push(line);
    }

    /// A state, ten columns wide, its word in colour where the page has colours.
    pub(crate) fn state(&self, state: State) -> String {
        let word = state.as_str();
        if !self.coloured {
            return format!("{word:<10}");
        }
        let blanks = 10_usize.saturating_sub(word.len());
        format!("\x1b[{}m{word}\x1b[0m{:blanks$}", colour(state), "")
    }

    /// Writes out what was gathered.
    pub(crate) fn flush(&mut self) {
        print(&self.text);
        self.text.clear();
        let remarks = std::mem::take(&mut self.remarks);
        if io::stderr().is_terminal() {
            remarks.iter().for_each(|line| complain(line));
        }
    }

    /// What was gathered.
    #[cfg(test)]
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.text.clone()).unwrap()
    }
}

/// The SGR parameter of a state's word: green is well, yellow passes, red needs somebody.
const fn colour(state: State) -> &'static str {
    match state {
        State::Running => "32",
        State::Starting | State::Stopping => "33",
        State::Backoff | State::Fatal | State::Unknown => "31",
        State::Stopped | State::Exited => "2",
    }
}

/// Whether standard output is a terminal.
pub(crate) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

fn wants_colour() -> bool {
    let said = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    is_terminal() && said("NO_COLOR").is_none() && said("TERM").is_some_and(|term| term != "dumb")
}

/// Whether this is how a terminal says that it is gone.
pub(crate) fn has_hung_up(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::EIO as i32)
}

/// Writes `text` to standard output. When that cannot be, nothing is left to do, and the program ends:
/// silently where the reader has gone, as any program in a pipe does, or the terminal.
pub(crate) fn print(text: &[u8]) {
    let mut stdout = io::stdout().lock();
    if let Err(error) = stdout.write_all(text).and_then(|()| stdout.flush()) {
        if error.kind() == io::ErrorKind::BrokenPipe {
            std::process::exit(Exit::BROKEN_PIPE.number());
        }
        // A disk says the same, and of that somebody must hear. One that is gone is no terminal any more.
        let is_device = fstat(&stdout).is_ok_and(|it| {
            SFlag::from_bits_truncate(it.st_mode) & SFlag::S_IFMT == SFlag::S_IFCHR
        });
        if is_device && has_hung_up(&error) {
            std::process::exit(Exit::HUNG_UP.number());
        }
        complain(&format!(
            "taskmasterctl: standard output: {}",
            reason(&error)
        ));
        std::process::exit(Exit::FAILED.number());
    }
}

/// What the kernel said, as a fragment.
pub(crate) fn reason(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => Errno::from_raw(number).desc().to_lowercase(),
        None => error.to_string(),
    }
}

/// Writes a line to standard error, where somebody may or may not be.
pub(crate) fn complain(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// [`complain`], below the `^C` that a terminal has just shown.
pub(crate) fn complain_below(line: &str) {
    let below = if io::stderr().is_terminal() { "\n" } else { "" };
    complain(&format!("{below}{line}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_do_not_shift_the_columns() {
        let page = Page {
            coloured: true,
            ..Page::default()
        };
        assert_eq!(page.state(State::Fatal), "\x1b[31mFATAL\x1b[0m     ");
        assert_eq!(Page::default().state(State::Fatal), "FATAL     ");
    }
}
