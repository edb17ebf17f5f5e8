//! Which log is written by whom: a file that is rotated is nobody else's, and neither are the names it is moved to.
//! The event log is the daemon's alone. What the daemon reads or listens at is no log: who could write to the
//! configuration could have anything run.
//!
//! Files are told apart by their directory as the kernel finds it, so that a symlink to it hides nothing.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::include::Reach;
use super::node::{Entry, find_or};
use super::report::{At, Report};
use crate::config::model::{Output, Program};
use crate::files::numbered;

/// What a log is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    /// What the daemon says.
    Events,
    /// What a program says.
    Output,
}

/// What writes to a log file: a stream of a program, or the daemon its events.
struct Writer {
    at: At,
    content: Content,
    key: String,
    path: PathBuf,
    processes: u32,
    /// How many rotated files are kept, if it rotates at all.
    keep: Option<u32>,
}

/// All log files of a configuration, and the files that none of them may be.
#[derive(Default)]
pub(super) struct Logs {
    writers: Vec<Writer>,
    /// What each file is for, as a message says it.
    reserved: BTreeMap<PathBuf, String>,
    /// The same of files that would be read once they are there.
    awaited: Vec<(Reach, String)>,
}

impl Logs {
    /// Notes the files that a program writes. What is said of one stands at its key, or else at the program.
    pub(super) fn program(&mut self, program: &Program, own: &[Entry], defaults: &[Entry], at: At) {
        for (key, output) in [("stdout", &program.stdout), ("stderr", &program.stderr)] {
            let Output::File(log) = output else { continue };
            let entry = find_or(own, defaults, key);
            self.writers.push(Writer {
                at: entry.map_or(at, |entry| entry.at),
                content: Content::Output,
                key: format!("{}.{key}", program.name),
                path: log.path.clone(),
                processes: program.numprocs,
                keep: log.max_size.is_some().then_some(log.keep),
            });
        }
    }

    /// Notes the event log.
    pub(super) fn events(&mut self, at: At, path: &Path) {
        self.writers.push(Writer {
            at,
            content: Content::Events,
            key: "log".into(),
            path: path.to_owned(),
            processes: 1,
            keep: None,
        });
    }

    /// Notes a file that no log may be; `what` it is, for a message.
    pub(super) fn reserve(&mut self, path: PathBuf, what: impl Into<String>) {
        self.reserved.entry(path).or_insert_with(|| what.into());
    }

    /// Notes that no log may be where a pattern would find it.
    pub(super) fn reserve_reach(&mut self, reach: Reach, what: String) {
        self.awaited.push((reach, what));
    }

    /// Reports the logs that would be written to what is no log, or rotate a file, or its rotated files, away from
    /// under others. The event log `in_force` may be another than the one that is written.
    pub(super) fn judge(&self, in_force: Option<&Path>, report: &mut Report) {
        let mut directories = HashMap::new();
        let mut files: HashMap<PathBuf, Vec<&Writer>> = HashMap::new();
        for writer in &self.writers {
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
            for (rotator, _) in rotators(file, &files) {
                for writer in sharers {
                    judge_taken(writer, rotator, report);
                }
            }
        }
        if let Some(path) = in_force {
            judge_in_force(&real(path, &mut directories), &files, report);
        }
        for (path, what) in &self.reserved {
            // A symlink is a file of its own, and leads to another.
            let target = path.canonicalize().ok();
            let mut names = vec![real(path, &mut directories)];
            names.extend(target.filter(|target| *target != names[0]));
            for name in &names {
                judge_reserved(name, what, &files, report);
            }
        }
        for (reach, what) in &self.awaited {
            let near = files.iter().filter(|(file, _)| reach.is_above(file));
            for (file, writers) in near {
                if let Some(name) = names(file, writers).find(|name| reach.holds(name)) {
                    judge_reserved(&name, what, &files, report);
                }
            }
        }
    }
}

/// A log file and its rotated files.
fn names(file: &Path, writers: &[&Writer]) -> impl Iterator<Item = PathBuf> {
    let keep = writers.iter().filter_map(|writer| writer.keep).max();
    let rotated = (1..=keep.unwrap_or_default()).map(|number| numbered(file, number));
    std::iter::once(file.to_owned()).chain(rotated)
}

/// Who would move one of his rotated files to the place of `file`, and how many of these he keeps.
fn rotators<'a>(
    file: &Path,
    files: &'a HashMap<PathBuf, Vec<&'a Writer>>,
) -> impl Iterator<Item = (&'a Writer, u32)> {
    let (base, number) = unnumbered(file).unzip();
    let writers = base.and_then(|base| files.get(&base)).into_iter().flatten();
    writers.filter_map(move |writer| {
        let keep = writer.keep.filter(|keep| Some(*keep) >= number)?;
        Some((*writer, keep))
    })
}

/// What is logged there would be read as what it is not, or be in the way.
fn judge_reserved(
    file: &Path,
    what: &str,
    files: &HashMap<PathBuf, Vec<&Writer>>,
    report: &mut Report,
) {
    for writer in files.get(file).into_iter().flatten() {
        let (key, path) = (&writer.key, writer.path.display());
        let what = format!("{key}: {path} is {what}, which no log may be; name another path");
        report.problem(writer.at, what);
    }
    for (rotator, keep) in rotators(file, files) {
        let (key, path) = (&rotator.key, rotator.path.display());
        let what = format!(
            "{key}: its rotated files, {path}.1 to .{keep}, would replace {}, which is {what}; name another path",
            file.display()
        );
        report.problem(rotator.at, what);
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

/// The event log that the daemon has keeps what it says until its next start, as the one that is to follow it will.
fn judge_in_force(file: &Path, files: &HashMap<PathBuf, Vec<&Writer>>, report: &mut Report) {
    let mut writers = files.get(file).into_iter().flatten();
    if writers.all(|one| one.content == Content::Output) {
        let what = "the event log until the next start of taskmasterd";
        judge_reserved(file, what, files, report);
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
        if writer.processes > 1 {
            judge_copies(writer, report);
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

/// The processes of one program have no files of their own to be given.
fn judge_copies(writer: &Writer, report: &mut Report) {
    let what = format!(
        "{}: {} is written by the {} processes of numprocs and cannot be rotated; leave out max_size, and rotate it \
         with logrotate and SIGUSR2, or make each a program of its own",
        writer.key,
        writer.path.display(),
        writer.processes
    );
    report.problem(writer.at, what);
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
