//! What a process is to be, worked out before the fork: after it nothing may be allocated or looked up.

use std::os::unix::ffi::OsStrExt;

use nix::unistd::{getegid, geteuid};
use shared::name::ProcessName;

use super::environment::environment;
use super::failure::{Stage, failure};
use super::heritage::{Heritage, Rlimits};
use super::pty::Window;
use super::strings::{Strings, ZeroByte};
use crate::config::model::{DEFAULT_PATH, Identity, Launch, Tty};
use crate::core::Failure;
use crate::sys::Memory;

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
    pub(super) tty: Tty,
    pub(super) stderr: Stderr,
    pub(super) window: Window,
    /// The files to try, in this order.
    pub(super) commands: Strings,
    pub(super) argv: Strings,
    pub(super) env: Strings,
    /// The directory to enter; none or one.
    pub(super) directory: Strings,
    /// Whom to become, with its groups as the kernel will list them; `None` to stay who we are.
    pub(super) identity: Option<(Identity, Vec<u32>)>,
    pub(super) rlimits: Rlimits,
    /// What is written to `/proc/self/oom_score_adj`.
    pub(super) oom_score_adj: Option<String>,
    pub(super) nice: Option<i32>,
    pub(super) umask: u32,
    pub(super) no_new_privs: bool,
    pub(super) memory: Memory,
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
            .map_err(|ZeroByte| failure(Stage::Order, libc::EINVAL, launch))
    }

    /// The same, with a copy of our memory whatever it costs: for those who do not wait to see it executed.
    pub fn copied(self) -> Self {
        Self {
            memory: Memory::Copied,
            ..self
        }
    }

    fn prepare(
        launch: &Launch,
        process: &ProcessName,
        stderr: Stderr,
        window: Window,
        heritage: &Heritage,
    ) -> Result<Self, ZeroByte> {
        let env = environment(launch, process, &heritage.env)?;
        let mut rlimits = heritage.rlimits.clone();
        for (&resource, &limit) in &launch.limits {
            rlimits.set(resource, limit);
        }
        let mut argv = Strings::default();
        for word in &launch.argv {
            argv.push(&[word.as_bytes()])?;
        }
        let mut directory = Strings::default();
        if let Some(path) = &launch.workingdir {
            directory.push(&[path.as_os_str().as_bytes()])?;
        }
        let user = launch.user.as_ref().filter(|user| is_change(user));
        let oom_score_adj = launch.oom_score_adj.or(heritage.oom_score_adj);
        Ok(Self {
            tty: launch.tty,
            stderr,
            window,
            commands: commands(&launch.argv[0], &env)?,
            argv,
            env,
            directory,
            identity: user.map(with_groups),
            rlimits,
            oom_score_adj: oom_score_adj.map(|number| number.to_string()),
            nice: launch.nice,
            umask: launch.umask,
            no_new_privs: launch.no_new_privs,
            memory: memory(user, oom_score_adj),
        })
    }
}

/// Whether the child may do its work in our memory, which is much the cheapest.
///
/// Not if it becomes another user: that user could signal it, and might look into it, while the memory is still
/// ours (before Linux 5.16 a core dump kills all who share; with `fs.suid_dumpable` at 1 anybody may trace). And
/// not if it has another `oom_score_adj`, which the kernel gives to all who share the memory.
fn memory(user: Option<&Identity>, oom_score_adj: Option<i32>) -> Memory {
    if user.is_some() || oom_score_adj.is_some() {
        return Memory::Copied;
    }
    Memory::Shared
}

/// The files that `command` may mean: itself if it has a slash, else one in each directory of the program's PATH.
/// What is relative stays so, and starts where the child is by then: in the program's directory, as in a shell.
fn commands(command: &str, env: &Strings) -> Result<Strings, ZeroByte> {
    let mut commands = Strings::default();
    if command.contains('/') {
        commands.push(&[command.as_bytes()])?;
    } else if !command.is_empty() {
        let path = env
            .iter()
            .find_map(|pair| pair.to_bytes().strip_prefix(b"PATH="));
        let directories = path
            .unwrap_or(DEFAULT_PATH.as_bytes())
            .split(|&byte| byte == b':');
        for directory in directories {
            let slash: &[u8] = if directory.is_empty() { b"" } else { b"/" };
            commands.push(&[directory, slash, command.as_bytes()])?;
        }
    }
    Ok(commands)
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
