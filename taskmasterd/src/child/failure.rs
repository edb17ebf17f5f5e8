//! The steps of a start, and what people are told when one of them fails.

use nix::errno::Errno;

use super::limits;
use crate::config::model::Launch;
use crate::core::Failure;

/// A step on the way to a running program, in the order in which they are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[expect(
    missing_docs,
    reason = "the manual pages of the calls say more than we could"
)]
pub enum Stage {
    /// Working out what to start; before any kernel call.
    Order,
    Terminal,
    Pipe,
    Null,
    Fork,
    // From here on in the child.
    Setsid,
    ControllingTerminal,
    Dup2,
    OomScoreAdj,
    Setrlimit,
    Nice,
    Groups,
    Gid,
    Uid,
    /// The change of user said it succeeded, and did not.
    Verify,
    NoNewPrivs,
    Chdir,
    Signals,
    CloseRange,
    /// The command is there, but not the interpreter it names.
    Interpreter,
    Exec,
}

impl Stage {
    /// Every step.
    pub const ALL: [Self; 21] = [
        Self::Order,
        Self::Terminal,
        Self::Pipe,
        Self::Null,
        Self::Fork,
        Self::Setsid,
        Self::ControllingTerminal,
        Self::Dup2,
        Self::OomScoreAdj,
        Self::Setrlimit,
        Self::Nice,
        Self::Groups,
        Self::Gid,
        Self::Uid,
        Self::Verify,
        Self::NoNewPrivs,
        Self::Chdir,
        Self::Signals,
        Self::CloseRange,
        Self::Interpreter,
        Self::Exec,
    ];

    /// Its name in events and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Terminal => "openpt",
            Self::Pipe => "pipe",
            Self::Null => "/dev/null",
            Self::Fork => "fork",
            Self::Setsid => "setsid",
            Self::ControllingTerminal => "controlling terminal",
            Self::Dup2 => "dup2",
            Self::OomScoreAdj => "oom_score_adj",
            Self::Setrlimit => "setrlimit",
            Self::Nice => "nice",
            Self::Groups => "setgroups",
            Self::Gid => "setgid",
            Self::Uid => "setuid",
            Self::Verify => "verify",
            Self::NoNewPrivs => "no_new_privs",
            Self::Chdir => "chdir",
            Self::Signals => "signals",
            Self::CloseRange => "close_range",
            Self::Interpreter | Self::Exec => "exec",
        }
    }
}

/// How long a failure is on the status pipe, in bytes.
pub(super) const STATUS_LEN: usize = 5;

/// A failure as the child writes it to the status pipe. Async-signal-safe.
pub(super) fn exec_status(stage: Stage, errno: i32) -> [u8; STATUS_LEN] {
    let [a, b, c, d] = errno.to_ne_bytes();
    [stage as u8, a, b, c, d]
}

/// What the status pipe said when it ended: the step that failed and why, or `None` if the program was executed.
pub fn read_exec_status(bytes: &[u8]) -> Option<(Stage, i32)> {
    let &[stage, a, b, c, d] = bytes else {
        return None;
    };
    let stage = *Stage::ALL.get(usize::from(stage))?;
    Some((stage, i32::from_ne_bytes([a, b, c, d])))
}

/// Says to people that `stage` failed for `launch`, as supervisor words it where it has words.
pub fn failure(stage: Stage, errno: i32, launch: &Launch) -> Failure {
    Failure {
        stage: stage.as_str().into(),
        errno,
        reason: reason(stage, Errno::from_raw(errno), launch),
        detail: detail(stage, Errno::from_raw(errno), launch),
    }
}

fn reason(stage: Stage, errno: Errno, launch: &Launch) -> String {
    let command = command(launch);
    match (stage, errno) {
        (Stage::Exec, Errno::ENOENT | Errno::ENOTDIR) => format!("can't find command '{command}'"),
        (Stage::Exec, Errno::EISDIR) => format!("command at '{command}' is a directory"),
        (Stage::Exec, Errno::EACCES) => format!("command at '{command}' is not executable"),
        // The name of an errno is its Debug.
        _ => format!("couldn't {}: {errno:?}", deed(stage, launch)),
    }
}

fn detail(stage: Stage, errno: Errno, launch: &Launch) -> String {
    let user = user(launch);
    let hint = match (stage, errno) {
        (Stage::Order, _) => "; a zero byte in a word, a name or a value".into(),
        (Stage::Exec, Errno::ENOENT) if !command(launch).contains('/') => {
            "; no directory of PATH has it".into()
        }
        (Stage::Exec, Errno::ENOENT) if !command(launch).starts_with('/') => {
            let directory = launch.workingdir.as_deref();
            let shown = directory.map_or("the daemon's directory".into(), |d| d.to_string_lossy());
            format!("; it starts from {shown}")
        }
        // Root is exempt from the limit until it has become the user, so it is exec that meets it.
        (Stage::Exec, Errno::EAGAIN) => {
            format!("; {user} has as many processes as its limit nproc allows")
        }
        (Stage::Exec, Errno::ENOEXEC) => {
            "; neither a program for this machine nor a script that begins with #!".into()
        }
        (Stage::Setrlimit, Errno::EPERM) => {
            let refused = limits::refused(&launch.limits);
            refused.map_or(String::new(), |refused| {
                format!("; above {}", refused.bound)
            })
        }
        (Stage::Interpreter, _) => "; the command is there, the interpreter it names is not".into(),
        (Stage::Chdir, _) => format!("; tried as {user}"),
        (Stage::Groups | Stage::Gid | Stage::Uid | Stage::Verify, _) => {
            format!(" ({})", stage.as_str())
        }
        _ => String::new(),
    };
    let why = errno.desc();
    format!("cannot {}: {why} ({errno:?}){hint}", deed(stage, launch))
}

/// What a step would have done: "couldn't ..." and "cannot ..." go before it.
fn deed(stage: Stage, launch: &Launch) -> String {
    let number = |number: Option<i32>| number.map_or("what it was".into(), |n| n.to_string());
    match stage {
        Stage::Order => "put together what to start".into(),
        Stage::Terminal => "open a terminal".into(),
        Stage::Pipe => "open a pipe".into(),
        Stage::Null => "open /dev/null".into(),
        Stage::Fork => "fork".into(),
        Stage::Setsid => "begin a session".into(),
        Stage::ControllingTerminal => "take control of the terminal".into(),
        Stage::Dup2 => "put descriptors 0, 1 and 2 in place".into(),
        Stage::OomScoreAdj => format!("set oom_score_adj to {}", number(launch.oom_score_adj)),
        Stage::Setrlimit => {
            let refused = limits::refused(&launch.limits);
            refused.map_or("set the limits".into(), |refused| refused.deed)
        }
        Stage::Nice => format!("set nice to {}", number(launch.nice)),
        Stage::Groups | Stage::Gid | Stage::Uid | Stage::Verify => {
            format!("setuid to {}", user(launch))
        }
        Stage::NoNewPrivs => "set no_new_privs".into(),
        Stage::Chdir => {
            let directory = launch.workingdir.as_deref();
            let shown = directory.map_or("its directory".into(), |d| d.to_string_lossy());
            format!("chdir to {shown}")
        }
        Stage::Signals => "reset the signals".into(),
        Stage::CloseRange => "close what is not the program's".into(),
        Stage::Interpreter | Stage::Exec => format!("exec {}", command(launch)),
    }
}

fn command(launch: &Launch) -> &str {
    launch.argv.first().map_or("", String::as_str)
}

fn user(launch: &Launch) -> &str {
    let user = launch.user.as_ref();
    user.map_or("the daemon's user", |user| user.name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The child writes a byte, the daemon reads an index: they must be the same number.
    #[test]
    fn a_stage_survives_the_status_pipe() {
        for stage in Stage::ALL {
            let bytes = exec_status(stage, 13);
            assert_eq!(read_exec_status(&bytes), Some((stage, 13)));
        }
        assert_eq!(read_exec_status(b""), None);
        assert_eq!(read_exec_status(&[99, 0, 0, 0, 0]), None);
    }
}
