//! The log file of one output stream: appended to, rotated, reopened.
//!
//! A program never waits for its log. What cannot be written at once (a full disk, a directory that is gone) is
//! lost and counted: written and lost together are what was produced, exactly. The first trouble is reported,
//! later ones at most once a minute, and at the end what the minute has kept back; the file is tried again at most
//! once a second, as output comes. Neither a reopening nor a rotation that fails loses a byte: the file that is open
//! goes on being written. One that was deleted would swallow everything without a word, and is let go of: that too
//! is looked at once a second.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::unistd::{ftruncate, write};

use crate::config::model::LogFile;
use crate::core::Mono;
use crate::files::{self, Files, Kind, Open, judge_rotated, numbered, open_to_read, reason};
use crate::limits::{LOG_RETRY_MS, LOG_TROUBLE_MS, TAIL_LEN_MAX};

/// What the user should know about a log file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// Output cannot be written; `lost` bytes are missing since it was last in order.
    Trouble { reason: String, lost: u64 },
    /// It can be written again; `lost` bytes are missing.
    Recovered { lost: u64 },
    /// The file could not be reopened or rotated; nothing is lost, the old one goes on being written.
    Hindered { reason: String },
    /// The file was deleted, and a new one is written.
    Deleted,
}

/// Writes one stream to its file.
pub struct LogWriter {
    path: PathBuf,
    max_size: Option<u64>,
    keep: u32,
    files: Box<dyn Files>,
    file: Option<Open>,
    trouble: Option<Trouble>,
    written: u64,
    lost: u64,
    /// How much of `lost` no [`Report::Recovered`] has told of.
    missing: u64,
    /// How much of `missing` a [`Report::Trouble`] has told of.
    told: u64,
    /// When trouble with writing may be reported again.
    tell_at: Mono,
    /// When the next rotation may be tried, and when trouble with it may be reported again.
    rotate_at: Mono,
    tell_rotation_at: Mono,
    /// When to look again whether the file has been deleted, and when that may be reported again.
    look_at: Mono,
    tell_deletion_at: Mono,
}

/// The file could not be written the last time.
#[derive(Debug)]
struct Trouble {
    reason: String,
    retry_at: Mono,
    told: bool,
}

impl LogWriter {
    /// A writer to the file that `settings` name, with the rights of `files`; opens nothing yet.
    pub fn new(settings: &LogFile, files: Box<dyn Files>) -> Self {
        Self {
            path: settings.path.clone(),
            max_size: settings.max_size,
            keep: settings.keep,
            files,
            file: None,
            trouble: None,
            written: 0,
            lost: 0,
            missing: 0,
            told: 0,
            tell_at: Mono::default(),
            rotate_at: Mono::default(),
            tell_rotation_at: Mono::default(),
            look_at: Mono::default(),
            tell_deletion_at: Mono::default(),
        }
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many bytes were written.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// How many bytes were lost.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Opens the file, or opens it anew because somebody may have renamed it; if that fails, the old one stays.
    pub fn reopen(&mut self, now: Mono, out: &mut Vec<Report>) {
        self.file.take_if(|file| file.is_deleted());
        match self.open() {
            Ok(file) => {
                self.file = Some(file);
                if let Some(trouble) = &mut self.trouble {
                    trouble.retry_at = now;
                }
            }
            Err(reason) if self.file.is_some() => out.push(Report::Hindered { reason }),
            Err(reason) => self.fail(now, reason, out),
        }
    }

    /// Writes what was read of the stream at once.
    pub fn write(&mut self, now: Mono, bytes: &[u8], out: &mut Vec<Report>) {
        if bytes.is_empty() {
            return;
        }
        if let Some(trouble) = &self.trouble
            && now < trouble.retry_at
        {
            self.lose(bytes.len());
            return self.tell(now, out);
        }
        if now >= self.look_at {
            self.look_at = now.after(LOG_RETRY_MS);
            self.leave_deleted(now, out);
        }
        // Of what is emptied nothing is kept, so that it stays until there is something newer.
        if self.keep == 0 {
            self.rotate_if_full(now, out);
        }
        let (taken, problem) = self.attempt(bytes);
        self.written += taken as u64;
        self.lose(bytes.len() - taken);
        match problem {
            None => self.recover(now, out),
            Some(reason) => self.fail(now, reason, out),
        }
        if self.keep > 0 {
            self.rotate_if_full(now, out);
        }
    }

    /// Nothing more is written: reports what was lost and not told of, however recent the last report.
    pub fn finish(&mut self, out: &mut Vec<Report>) {
        let lost = self.missing;
        if std::mem::replace(&mut self.told, lost) == lost {
            return;
        }
        out.push(match &self.trouble {
            Some(Trouble { reason, .. }) => Report::Trouble {
                reason: reason.clone(),
                lost,
            },
            None => Report::Recovered { lost },
        });
    }

    /// The last `n` bytes of the file, at most 64 KiB, and whether there are others before them.
    pub fn tail(&self, n: usize) -> Result<(Vec<u8>, bool), String> {
        tail(self.files.as_ref(), &self.path, n)
    }

    /// Empties the file that has the name now, which is the one that [`tail`](Self::tail) shows: what was written so
    /// far may have been moved away to be kept.
    pub fn clear(&mut self) -> Result<(), String> {
        let mut file = self.open()?;
        let done = empty(&mut file);
        self.file = Some(file);
        done
    }

    fn open(&self) -> Result<Open, String> {
        files::open_to_append(self.files.as_ref(), &self.path)
    }

    /// Lets go of a file that has no name any more. Where no new one can be made, the next write says why.
    fn leave_deleted(&mut self, now: Mono, out: &mut Vec<Report>) {
        if self.file.take_if(|file| file.is_deleted()).is_none() {
            return;
        }
        self.file = self.open().ok();
        if self.file.is_some() && self.trouble.is_none() && now >= self.tell_deletion_at {
            self.tell_deletion_at = now.after(LOG_TROUBLE_MS);
            out.push(Report::Deleted);
        }
    }

    /// How many of the bytes the file took, and why not all of them.
    fn attempt(&mut self, bytes: &[u8]) -> (usize, Option<String>) {
        // After an error the path may lead somewhere else by now: another disk, a directory made anew.
        if self.file.is_none() || self.trouble.is_some() {
            match self.open() {
                Ok(file) => self.file = Some(file),
                Err(reason) if self.file.is_none() => return (0, Some(reason)),
                Err(_) => {}
            }
        }
        let file = self.file.as_mut().expect("it was opened above");
        let (taken, problem) = append(file, bytes);
        file.len += taken as u64;
        (taken, problem.map(|error| reason(&error)))
    }

    fn lose(&mut self, bytes: usize) {
        self.lost += bytes as u64;
        self.missing += bytes as u64;
    }

    fn fail(&mut self, now: Mono, reason: String, out: &mut Vec<Report>) {
        let told = self.trouble.take().is_some_and(|trouble| trouble.told);
        let retry_at = now.after(LOG_RETRY_MS);
        self.trouble = Some(Trouble {
            reason,
            retry_at,
            told,
        });
        self.tell(now, out);
    }

    /// Reports the trouble, if that was not done within the last minute.
    fn tell(&mut self, now: Mono, out: &mut Vec<Report>) {
        if let Some(trouble) = &mut self.trouble
            && now >= self.tell_at
        {
            trouble.told = true;
            self.told = self.missing;
            self.tell_at = now.after(LOG_TROUBLE_MS);
            out.push(Report::Trouble {
                reason: trouble.reason.clone(),
                lost: self.missing,
            });
        }
    }

    /// Reports that all is well, if trouble was reported or if bytes were lost that nobody was told of. On a
    /// disk that is full every other second this too is said once a minute.
    fn recover(&mut self, now: Mono, out: &mut Vec<Report>) {
        let told = self.trouble.take().is_some_and(|trouble| trouble.told);
        if told || (self.missing > 0 && now >= self.tell_at) {
            self.told = 0;
            let lost = std::mem::take(&mut self.missing);
            out.push(Report::Recovered { lost });
        }
    }

    fn rotate_if_full(&mut self, now: Mono, out: &mut Vec<Report>) {
        let full = self.file.as_ref().is_some_and(|file| {
            file.kind == Kind::Regular && self.max_size.is_some_and(|max| file.len >= max)
        });
        if !full || now < self.rotate_at {
            return;
        }
        let Err(reason) = self.rotate() else {
            return;
        };
        self.rotate_at = now.after(LOG_RETRY_MS);
        if now >= self.tell_rotation_at {
            self.tell_rotation_at = now.after(LOG_TROUBLE_MS);
            let reason = format!("cannot rotate: {reason}");
            out.push(Report::Hindered { reason });
        }
    }

    /// Moves each file on by one and begins a new one.
    fn rotate(&mut self) -> Result<(), String> {
        // Another stream may write to the same path and have rotated it already, or somebody has emptied it.
        let file = self.file.insert(self.open()?);
        if self.max_size.is_some_and(|max| file.len < max) {
            return Ok(());
        }
        if self.keep == 0 {
            return empty(file);
        }
        // All are looked at first, so that none is moved where one may not be.
        for n in 1..=self.keep {
            let path = numbered(&self.path, n);
            judge_rotated(self.files.as_ref(), &path)
                .map_err(|reason| format!("{}: {reason}", path.display()))?;
        }
        for n in (1..self.keep).rev() {
            self.rename(&numbered(&self.path, n), &numbered(&self.path, n + 1))?;
        }
        self.rename(&self.path, &numbered(&self.path, 1))?;
        // If this fails, the file just renamed is written until the next try.
        self.file = Some(self.open()?);
        Ok(())
    }

    /// Renames a file if it is there.
    fn rename(&self, from: &Path, to: &Path) -> Result<(), String> {
        match self.files.rename(from, to) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                let (from, to) = (from.display(), to.display());
                Err(format!("{from} cannot become {to}: {}", reason(&error)))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

fn empty(file: &mut Open) -> Result<(), String> {
    if file.kind == Kind::Regular {
        ftruncate(&file.fd, 0).map_err(|errno| reason(&errno.into()))?;
    }
    file.len = 0;
    Ok(())
}

/// Appends as much as the file takes at once. A short write is followed by another, which says why it was short.
fn append(file: &Open, bytes: &[u8]) -> (usize, Option<io::Error>) {
    let mut taken = 0;
    while taken < bytes.len() {
        match write(&file.fd, &bytes[taken..]) {
            Ok(0) => return (taken, Some(io::ErrorKind::WriteZero.into())),
            Ok(count) => taken += count,
            Err(Errno::EINTR) => {}
            Err(errno) => return (taken, Some(errno.into())),
        }
    }
    (taken, None)
}

/// The last `n` bytes of a log file, at most [`TAIL_LEN_MAX`], and whether there are others before them.
fn tail(files: &dyn Files, path: &Path, n: usize) -> Result<(Vec<u8>, bool), String> {
    let file = open_to_read(files, path)?;
    let n = n.min(TAIL_LEN_MAX) as u64;
    let start = file.len.saturating_sub(n);
    let mut bytes = vec![0; (file.len - start) as usize];
    let mut read = 0;
    let fd = File::from(file.fd);
    while read < bytes.len() {
        match fd.read_at(&mut bytes[read..], start + read as u64) {
            // Somebody made it shorter just now.
            Ok(0) => break,
            Ok(count) => read += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(reason(&error)),
        }
    }
    bytes.truncate(read);
    Ok((bytes, start > 0))
}

#[cfg(test)]
mod tests;
