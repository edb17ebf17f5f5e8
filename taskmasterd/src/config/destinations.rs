//! Whether the files that are to be written can be: what `--check` looks at besides the text.
//!
//! A look, no more: nothing is opened or made, and what it finds may be otherwise when the time has come.

use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::stat::{lstat, stat};
use nix::unistd::geteuid;
use shared::api::Stream;
use shared::text::escape;

use super::model::{Config, Output, Program};
use super::output::INHERITED;
use crate::files;
use crate::limits::PROBLEMS_MAX;

/// What stands in the way of the event log and of the logs of programs.
pub fn obstacles(config: &Config) -> Vec<String> {
    let own = geteuid().as_raw();
    let event_log = config.log.iter().map(|path| ("log".to_owned(), path, own));
    let programs = config.programs.values();
    let logs = programs.flat_map(|program| logs(program, own));
    event_log
        .chain(logs)
        .filter_map(|(key, path, uid)| {
            let what = obstacle(path, uid)?;
            Some(escape(&format!("{key}: {}: {what}", path.display())))
        })
        .take(PROBLEMS_MAX)
        .collect()
}

/// The log files of a program, each with its key and the user who must be able to write it.
fn logs(program: &Program, own: u32) -> impl Iterator<Item = (String, &PathBuf, u32)> {
    let uid = program.launch.user.as_ref().map_or(own, |user| user.uid);
    let streams = [("stdout", Stream::Stdout), ("stderr", Stream::Stderr)];
    let outputs = streams.map(|(key, stream)| (key, program.output(stream)));
    outputs
        .into_iter()
        .filter_map(move |(key, output)| match output {
            // Those were warned of where they are written.
            Output::File(log) if INHERITED.iter().any(|path| log.path == Path::new(path)) => None,
            Output::File(log) => Some((format!("{}.{key}", program.name), &log.path, uid)),
            Output::Memory
            | Output::Discard
            | Output::Inherit
            | Output::Syslog
            | Output::Stdout => None,
        })
}

/// Why the user `uid` would not get a log at `path`; `None` if that cannot be seen from here.
fn obstacle(path: &Path, uid: u32) -> Option<String> {
    match lstat(path) {
        Ok(there) => files::judge(&there, uid).err(),
        Err(Errno::ENOTDIR) => Some("what it is in is no directory; name another path".into()),
        Err(Errno::ENOENT) => {
            let directory = path.parent()?;
            let is_missing = stat(directory) == Err(Errno::ENOENT);
            is_missing.then(|| format!("the directory {} is missing; make it", directory.display()))
        }
        Err(_) => None,
    }
}
