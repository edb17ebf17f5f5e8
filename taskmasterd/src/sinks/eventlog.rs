//! The event log: one line for each event, in a file and, in the foreground, on standard error.
//!
//! Lines are gathered and leave once a turn. Nobody waits for them: where they cannot go now they are kept, up to
//! a limit, then the oldest are dropped, and the gap has their number. Standard error may be a pipe that
//! nobody reads and belongs to others too: it is written without waiting and without touching its flags.

use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use nix::unistd::write;
use shared::event::{Event, Severity};
use shared::text::timestamp;

use super::queue::Queue;
use crate::core::Mono;
use crate::files::{DaemonFiles, Open, open_to_append, reason};
use crate::limits::EVENT_RETRY_MS;
use crate::sys;

/// The event log.
#[derive(Debug, Default)]
pub struct EventLog {
    file: Option<LogFile>,
    stderr: Option<Stderr>,
    /// The wall clock of the last event, for the lines that tell of a gap.
    at: u64,
}

#[derive(Debug)]
struct LogFile {
    path: PathBuf,
    file: Option<Open>,
    queue: Queue,
    /// It could not be written the last time, and this is when to try again.
    retry_at: Option<Mono>,
    /// When to look again whether it has been deleted.
    look_at: Mono,
}

#[derive(Debug)]
struct Stderr {
    fd: OwnedFd,
    queue: Queue,
    /// Lines wait because it did not take them, and this is when to try again.
    retry_at: Option<Mono>,
}

impl EventLog {
    /// An event log in the file `path`, if one is given, and on `stderr`, if it is (see [`own_stderr`]).
    pub fn new(path: Option<PathBuf>, stderr: Option<OwnedFd>) -> Self {
        let file = path.map(|path| LogFile {
            path,
            file: None,
            queue: Queue::default(),
            retry_at: None,
            look_at: Mono::default(),
        });
        let stderr = stderr.map(|fd| Stderr {
            fd,
            queue: Queue::default(),
            retry_at: None,
        });
        Self {
            file,
            stderr,
            at: 0,
        }
    }

    /// Gathers an event.
    pub fn push(&mut self, event: &Event) {
        self.at = event.at;
        let line = event.to_string();
        if let Some(stderr) = &mut self.stderr {
            stderr.queue.push(line.clone());
        }
        if let Some(file) = &mut self.file {
            file.queue.push(line);
        }
    }

    /// Writes what was gathered; gives what is wrong with the file when that is news.
    pub fn flush(&mut self, now: Mono) -> Option<String> {
        let gap = |count| gap(self.at, count);
        if let Some(stderr) = &mut self.stderr {
            let done = stderr
                .queue
                .drain(gap, |bytes| sys::write_now(stderr.fd.as_fd(), bytes));
            // Whatever the reason, there is no better place to tell of it.
            let waits = done.is_err_and(|error| error.kind() != io::ErrorKind::BrokenPipe);
            stderr.retry_at = waits.then(|| now.after(EVENT_RETRY_MS));
        }
        let file = self.file.as_mut()?;
        file.leave_deleted(now, self.at);
        file.flush(now, gap)
    }

    /// When lines that wait are to be tried again, if any do: nothing announces that there is room for them.
    pub fn deadline(&self) -> Option<Mono> {
        let file = self.file.as_ref().filter(|file| !file.queue.is_empty());
        let file = file.and_then(|file| file.retry_at);
        let stderr = self.stderr.as_ref().and_then(|stderr| stderr.retry_at);
        file.into_iter().chain(stderr).min()
    }

    /// Opens the file anew, because somebody may have renamed it; if that fails, the old one stays.
    pub fn reopen(&mut self) -> Result<(), String> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        file.open_anew()?;
        file.retry_at = None;
        Ok(())
    }
}

impl LogFile {
    /// Opens what has the path now. Another file, or the same one emptied since a write failed, does not have the
    /// beginning of a line.
    fn open_anew(&mut self) -> Result<(), String> {
        let file = open_to_append(&DaemonFiles, &self.path).map_err(|reason| {
            let path = self.path.display();
            format!("the event log cannot be opened: {path}: {reason}")
        })?;
        let before = self.file.as_ref();
        if !before.is_some_and(|before| before.is_same_as(&file) && before.len <= file.len) {
            self.queue.begin_anew();
        }
        self.file = Some(file);
        Ok(())
    }

    /// Lets go of a file that has no name any more, before lines are lost in it; the next one tells of it.
    fn leave_deleted(&mut self, now: Mono, at: u64) {
        if self.queue.is_empty() || now < self.look_at {
            return;
        }
        self.look_at = now.after(EVENT_RETRY_MS);
        if self.file.take_if(|file| file.is_deleted()).is_some() {
            let (time, severity) = (timestamp(at), Severity::Warning.tag());
            self.queue.push(format!(
                "{time} {severity} the event log was deleted, and what was in it is gone"
            ));
        }
    }

    fn flush(&mut self, now: Mono, gap: impl Fn(u64) -> String) -> Option<String> {
        if self.retry_at.is_some_and(|at| now < at) {
            return None;
        }
        match self.write_all(gap) {
            Ok(()) => {
                self.retry_at = None;
                None
            }
            Err(reason) => {
                let first = self.retry_at.replace(now.after(EVENT_RETRY_MS)).is_none();
                first.then_some(reason)
            }
        }
    }

    fn write_all(&mut self, gap: impl Fn(u64) -> String) -> Result<(), String> {
        // After an error the path may lead somewhere else by now.
        if self.file.is_none() || self.retry_at.is_some() {
            self.open_anew()?;
        }
        let file = self.file.as_mut().expect("it was opened above");
        let done = self.queue.drain(gap, |bytes| write_some(&file.fd, bytes));
        done.map_err(|errno| {
            file.look_again();
            let path = self.path.display();
            let reason = reason(&errno.into());
            format!("the event log cannot be written: {path}: {reason}")
        })
    }
}

/// The line that stands for `count` lines that are missing.
fn gap(at: u64, count: u64) -> String {
    let severity = Severity::Warning.tag();
    format!(
        "{} {severity} {count} events were not written",
        timestamp(at)
    )
}

fn write_some(fd: &OwnedFd, bytes: &[u8]) -> Result<usize, Errno> {
    match write(fd, bytes) {
        Ok(0) => Err(Errno::EIO),
        Err(Errno::EINTR) => Ok(0),
        other => other,
    }
}

/// Standard error, for us to write without waiting. Its flags belong to whoever else has it, so it is opened
/// anew; what cannot be (a socket, somebody else's pipe) is asked before each write whether it takes one.
pub fn own_stderr() -> Option<OwnedFd> {
    own(io::stderr().as_fd())
}

/// A stream of the daemon's for writing to without waiting, as [`own_stderr`]. A terminal that cannot be opened
/// anew is none: it takes a byte and waits with the next, whatever it says before.
pub fn own(fd: BorrowedFd<'_>) -> Option<OwnedFd> {
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    let flags =
        OFlag::O_WRONLY | OFlag::O_APPEND | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    match open(path.as_str(), flags, Mode::empty()) {
        Ok(anew) => Some(anew),
        Err(_) if fd.is_terminal() => None,
        Err(_) => fd.try_clone_to_owned().ok(),
    }
}

#[cfg(test)]
mod tests;
