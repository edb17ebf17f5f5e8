//! Which log is written by whom: a file that is rotated is nobody else's, and neither are the names it is moved to.
//! The event log is the daemon's alone.
//!
//! Files are told apart by their directory as the kernel finds it, so that a symlink to it hides nothing.

use std::collections::HashMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::report::{At, Report};

/// What a log is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// What the daemon says.
    Events,
    /// What a program says.
    Output,
}

/// What writes to a log file: a stream of a program, or the daemon its events.
pub(super) struct Writer {
    pub(super) at: At,
    pub(super) content: Content,
    pub(super) key: String,
    pub(super) path: PathBuf,
    pub(super) processes: u32,
    /// How many rotated files are kept, if it rotates at all.
    pub(super) keep: Option<u32>,
}

/// Reports those that would rotate a file, or its rotated files, away from under others.
pub(super) fn judge(writers: &[Writer], report: &mut Report) {
    let mut directories = HashMap::new();
    let mut files: HashMap<PathBuf, Vec<&Writer>> = HashMap::new();
    for writer in writers {
        // What goes there is gone, and it is never rotated.
        if writer.path != Path::new("/dev/null") {
            let file = real(&writer.path, &mut directories);
            files.entry(file).or_default().push(writer);
        }
    }
    for (file, sharers) in &files {
        match sharers.iter().find(|one| one.content == Content::Events) {
            Some(events) => judge_forgers(sharers, events, report),
            None => judge_sharers(sharers, report),
        }
        let Some((base, number)) = unnumbered(file) else {
            continue;
        };
        let rotators = files.get(&base).into_iter().flatten();
        for rotator in rotators.filter(|writer| writer.keep >= Some(number)) {
            for writer in sharers {
                judge_taken(writer, rotator, report);
            }
        }
    }
}

/// What a program writes to the event log would be read as events, and `clear` would empty it with the program's log.
fn judge_forgers(sharers: &[&Writer], events: &Writer, report: &mut Report) {
    for writer in sharers.iter().filter(|one| one.content == Content::Output) {
        let what = format!(
            "{}: {} is the event log, by {} at {}, and a program could forge events there; name another path",
            writer.key,
            writer.path.display(),
            events.key,
            report.place(events.at)
        );
        report.problem(writer.at, what);
    }
}

/// Each process rotates on its own account, so a file of several would be moved away under the others.
fn judge_sharers(sharers: &[&Writer], report: &mut Report) {
    let writing: u32 = sharers.iter().map(|writer| writer.processes).sum();
    if writing < 2 {
        return;
    }
    for (index, writer) in sharers.iter().enumerate() {
        if writer.keep.is_none() {
            continue;
        }
        let others = sharers.iter().enumerate().filter(|(n, _)| *n != index);
        let other = others.map(|(_, other)| other).next().map(|other| {
            let place = report.place(other.at);
            format!(": {} at {place} writes it too", other.key)
        });
        let what = format!(
            "{}: {} is written by {writing} streams and cannot be rotated{}; give each its own file, or leave out \
             max_size",
            writer.key,
            writer.path.display(),
            other.unwrap_or_default()
        );
        report.problem(writer.at, what);
    }
}

/// A rotation would put the last file of `rotator` in the place of what `writer` writes.
fn judge_taken(writer: &Writer, rotator: &Writer, report: &mut Report) {
    let what = format!(
        "{}: {} is among the names that {} at {} keeps its rotated files under, {}.1 to .{}; name another path",
        writer.key,
        writer.path.display(),
        rotator.key,
        report.place(rotator.at),
        rotator.path.display(),
        rotator.keep.unwrap_or_default()
    );
    report.problem(writer.at, what);
}

/// A path by its directory's one true name, where there is that directory.
fn real(path: &Path, directories: &mut HashMap<PathBuf, PathBuf>) -> PathBuf {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
        return path.to_owned();
    };
    let found = directories
        .entry(directory.to_owned())
        .or_insert_with(|| directory.canonicalize().unwrap_or(directory.to_owned()));
    found.join(name)
}

/// `web.log` and 3 for the path `web.log.3`; `None` for what no rotation makes.
fn unnumbered(path: &Path) -> Option<(PathBuf, u32)> {
    let number = path.extension()?.to_str()?;
    let digits = number.bytes().all(|byte| byte.is_ascii_digit());
    let number = number
        .parse()
        .ok()
        .filter(|&n| digits && n > 0 && !number.starts_with('0'))?;
    let base: OsString = path.file_stem()?.to_owned();
    (!base.as_bytes().is_empty()).then(|| (path.with_file_name(base), number))
}
