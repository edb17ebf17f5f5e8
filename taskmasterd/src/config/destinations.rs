//! Whether the files that are to be written can be, and the commands and the directories are there with which and in
//! which programs start: what `--check` looks at besides the text.
//!
//! A look, no more, though with the rights and by the rules of the opening: nothing is opened or made, and what
//! it finds may be otherwise when the time has come.

use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::stat::{lstat, stat};
use nix::unistd::geteuid;
use shared::api::Stream;
use shared::text::escape;

use super::model::{Config, DEFAULT_PATH, Identity, Launch, Output, Program};
use super::output::is_inherited;
use crate::files::user::may_append;
use crate::files::{self, reason};
use crate::limits::PROBLEMS_MAX;

/// What stands in the way of the event log, of the logs of programs, and of their start.
pub fn obstacles(config: &Config) -> Vec<String> {
    let event_log = config.log.iter().filter_map(|path| {
        let line = no_log("log", path, None)?;
        // Programs run without their logs; this one is opened before anything is started.
        Some(format!("{line}; the daemon would not start"))
    });
    let programs = config.programs.values();
    let logs = programs.clone().flat_map(|program| logs(program));
    let logs = logs.filter_map(|(key, path, user)| no_log(&key, path, user));
    let workingdirs = programs
        .clone()
        .filter_map(|program| no_workingdir(program));
    let commands = programs.filter_map(|program| no_command(program));
    event_log
        .chain(logs)
        .chain(workingdirs)
        .chain(commands)
        .map(|line| escape(&line))
        .take(PROBLEMS_MAX)
        .collect()
}

/// The log files of a program, each with its key and the user who must be able to write it, if it is not the
/// daemon itself.
fn logs(program: &Program) -> impl Iterator<Item = (String, &PathBuf, Option<&Identity>)> {
    let user = program.launch.user.as_ref();
    let streams = [("stdout", Stream::Stdout), ("stderr", Stream::Stderr)];
    let outputs = streams.map(|(key, stream)| (key, program.output(stream)));
    outputs
        .into_iter()
        .filter_map(move |(key, output)| match output {
            // Those were warned of where they are written.
            Output::File(log) if is_inherited(&log.path) => None,
            Output::File(log) => Some((format!("{}.{key}", program.name), &log.path, user)),
            Output::Memory
            | Output::Discard
            | Output::Inherit
            | Output::Syslog
            | Output::Stdout => None,
        })
}

/// Why the log that `key` puts at `path` cannot be written.
fn no_log(key: &str, path: &Path, user: Option<&Identity>) -> Option<String> {
    let refused = || may_append(user, path).err().map(|error| reason(&error));
    let what = obstacle(path, user).or_else(refused)?;
    Some(format!("{key}: {}: {what}", path.display()))
}

/// What is at `path` that can be no log of `user`, or is missing there; `None` if that cannot be seen from here.
fn obstacle(path: &Path, user: Option<&Identity>) -> Option<String> {
    let uid = user.map_or_else(|| geteuid().as_raw(), |user| user.uid);
    match lstat(path) {
        Ok(there) => files::judge(&there, uid).err(),
        Err(Errno::ENOTDIR) => Some("what it is in is no directory; name another path".into()),
        Err(Errno::ENOENT) => {
            let directory = path.parent()?;
            (stat(directory) == Err(Errno::ENOENT)).then(|| missing(directory))
        }
        Err(_) => None,
    }
}

/// Why the program could not enter the directory in which it is to start, whoever it runs as.
fn no_workingdir(program: &Program) -> Option<String> {
    let directory = program.launch.workingdir.as_deref()?;
    let what = match fs::metadata(directory) {
        Ok(there) if there.is_dir() => return None,
        Err(error) if error.kind() == ErrorKind::NotFound => missing(directory),
        Err(error) if error.kind() != ErrorKind::NotADirectory => return None,
        Ok(_) | Err(_) => format!("{} is no directory; name another", directory.display()),
    };
    Some(format!("{}.workingdir: {what}", program.name))
}

/// Why the command of the program could not be executed, whoever it runs as.
fn no_command(program: &Program) -> Option<String> {
    let launch = &program.launch;
    let command = launch.argv.first()?;
    // What is relative starts from where the program does.
    let directory = launch.workingdir.as_deref().unwrap_or(Path::new(""));
    let what = if command.contains('/') {
        unusable(&directory.join(command))?
    } else {
        let path = search_path(launch);
        let mut found = std::env::split_paths(&path).map(|at| directory.join(at).join(command));
        if found.any(|file| unusable(&file).is_none()) {
            return None;
        }
        "no directory of PATH has such a program; install it or write its whole path".into()
    };
    Some(format!("{}.cmd: {command}: {what}", program.name))
}

/// The directories in which the program's command is looked for.
fn search_path(launch: &Launch) -> OsString {
    if let Some(path) = launch.env.get("PATH") {
        return path.into();
    }
    let inherited = std::env::var_os("PATH").filter(|_| launch.inherit_env);
    inherited.unwrap_or_else(|| DEFAULT_PATH.into())
}

/// Why the file can be no command; `None` if that cannot be seen from here.
fn unusable(file: &Path) -> Option<String> {
    let what = match fs::metadata(file) {
        Ok(there) if there.is_dir() => "a directory; name a program",
        Ok(there) if there.mode() & 0o111 == 0 => "not executable; chmod +x makes it so",
        Err(error) if error.kind() == ErrorKind::NotFound => "missing; write where it is",
        Err(error) if error.kind() == ErrorKind::NotADirectory => {
            "what it is in is no directory; write where it is"
        }
        Ok(_) | Err(_) => return None,
    };
    Some(what.into())
}

fn missing(directory: &Path) -> String {
    let is_for_shell = |name: &[u8]| name.starts_with(b"~") || name.contains(&b'$');
    let mut names = directory.iter().map(OsStrExt::as_bytes);
    let advice = match names.any(is_for_shell) {
        true => "write the whole path, as neither ~ nor $ is expanded",
        false => "make it",
    };
    format!("the directory {} is missing; {advice}", directory.display())
}
