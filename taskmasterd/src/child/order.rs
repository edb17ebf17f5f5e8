//! What a process is to be, worked out before the fork: after it nothing may be allocated or looked up.

use std::ffi::{CString, NulError, OsStr};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use nix::unistd::{getegid, geteuid};
use shared::name::ProcessName;

use super::environment::{DEFAULT_PATH, environment};
use super::failure::{Stage, failure};
use super::heritage::{Heritage, Rlimits};
use super::pty::Window;
use crate::config::model::{Identity, Launch};
use crate::core::Failure;

/// What standard error is. Under a full terminal it is the terminal, whatever is said here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stderr {
    /// A stream of its own.
    Own,
    /// Whatever standard output is.
    WithStdout,
}

/// A process to be made; it can be made more than once.
#[derive(Debug)]
pub struct Order {
    /// What was asked for, for the words of a failure and the values that need no preparation.
    pub(super) launch: Launch,
    pub(super) stderr: Stderr,
    pub(super) window: Window,
    /// The files to try, in this order.
    pub(super) commands: Vec<CString>,
    pub(super) argv: Vec<CString>,
    pub(super) env: Vec<CString>,
    pub(super) directory: Option<CString>,
    /// Whom to become, with its groups as the kernel will list them; `None` to stay who we are.
    pub(super) identity: Option<(Identity, Vec<u32>)>,
    pub(super) rlimits: Rlimits,
    /// What is written to `/proc/self/oom_score_adj`.
    pub(super) oom_score_adj: Option<String>,
}

impl Order {
    /// The order for `process`, whose terminal has the size of `window`.
    ///
    /// The failure is a zero byte somewhere, which a checked configuration does not have.
    pub fn new(
        launch: &Launch,
        process: &ProcessName,
        stderr: Stderr,
        window: Window,
        heritage: &Heritage,
    ) -> Result<Self, Failure> {
        Self::prepare(launch, process, stderr, window, heritage)
            .map_err(|NulError { .. }| failure(Stage::Order, libc::EINVAL, launch))
    }

    fn prepare(
        launch: &Launch,
        process: &ProcessName,
        stderr: Stderr,
        window: Window,
        heritage: &Heritage,
    ) -> Result<Self, NulError> {
        let env = environment(launch, process, &heritage.env)?;
        let mut rlimits = heritage.rlimits.clone();
        for (&resource, &limit) in &launch.limits {
            rlimits.set(resource, limit);
        }
        let words = launch.argv.iter();
        let directory = launch.workingdir.as_ref();
        let oom_score_adj = launch.oom_score_adj.or(heritage.oom_score_adj);
        Ok(Self {
            launch: launch.clone(),
            stderr,
            window,
            commands: commands(&launch.argv[0], &env, &heritage.directory)?,
            argv: words
                .map(|word| CString::new(word.as_str()))
                .collect::<Result<_, _>>()?,
            env,
            directory: directory.map(|path| c_path(path)).transpose()?,
            identity: launch
                .user
                .as_ref()
                .filter(|user| is_change(user))
                .map(with_groups),
            rlimits,
            oom_score_adj: oom_score_adj.map(|number| number.to_string()),
        })
    }
}

/// The files that `command` may mean: itself if it has a slash, else one in each directory of the program's PATH.
/// What is relative starts from the daemon's directory, not from the program's.
fn commands(command: &str, env: &[CString], base: &Path) -> Result<Vec<CString>, NulError> {
    if command.is_empty() {
        return Ok(Vec::new());
    }
    if command.contains('/') {
        return Ok(vec![c_path(&base.join(command))?]);
    }
    let path = env
        .iter()
        .find_map(|pair| pair.as_bytes().strip_prefix(b"PATH="));
    let directories = path
        .unwrap_or(DEFAULT_PATH.as_bytes())
        .split(|&byte| byte == b':');
    directories
        .map(|directory| c_path(&base.join(OsStr::from_bytes(directory)).join(command)))
        .collect()
}

fn c_path(path: &Path) -> Result<CString, NulError> {
    CString::new(path.as_os_str().to_owned().into_vec())
}

/// Whether there is anything to change. Only root can change groups, so for others their own user is no change.
fn is_change(target: &Identity) -> bool {
    let present = (geteuid().as_raw(), getegid().as_raw());
    present.0 == 0 || present != (target.uid, target.gid)
}

fn with_groups(target: &Identity) -> (Identity, Vec<u32>) {
    let mut groups = target.groups.clone();
    groups.sort_unstable();
    groups.dedup();
    (target.clone(), groups)
}
