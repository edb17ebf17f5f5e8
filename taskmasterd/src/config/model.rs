//! The configuration as plain data: what was meant, with every default filled in and every name looked up.
//!
//! Serialisable, because at a reload a helper process reads the file and hands the result to the reactor.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use shared::api::Stream;
pub use shared::api::Tty;
use shared::name::ProgramName;

/// Where commands are looked for when nobody said it.
pub(crate) const DEFAULT_PATH: &str =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A whole configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// The programs, by name.
    pub programs: BTreeMap<ProgramName, Arc<Program>>,
    /// The control socket; a change waits for the next start of the daemon.
    pub socket: Socket,
    /// The file of the event log.
    pub log: Option<PathBuf>,
    /// Whether and how events go to syslog too.
    pub syslog: Option<Syslog>,
    /// Whether the file says that there are no programs, rather than saying nothing: a truncated file must not
    /// stop everything.
    pub empty_on_purpose: bool,
    /// Included files in which nothing stands, not even a comment: truncated, it may be.
    pub blank_files: Vec<String>,
    /// Directories from which patterns include files, and whether they are there: moved away, one may be.
    pub directories: BTreeMap<PathBuf, bool>,
    /// Remarks about what was read that are no errors, as `file:line:column: ...`.
    pub warnings: Vec<String>,
    /// What stood in the way of its logs and its starts when a reload looked; the event log hears of it when the time
    /// has come.
    pub obstacles: Vec<String>,
}

/// Where the control socket is and who may connect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Socket {
    /// Its path; `None` for the default of `shared::paths`.
    pub path: Option<PathBuf>,
    /// Its mode; more than 0600 lets others connect, and so do everything.
    pub mode: u32,
    /// The uid it is given to.
    pub owner: Option<u32>,
    /// The gid it is given to.
    pub group: Option<u32>,
}

impl Socket {
    /// The lock beside the socket at `path`.
    pub(crate) fn lock_path(path: &Path) -> PathBuf {
        let mut name = path.as_os_str().to_owned();
        name.push(".lock");
        name.into()
    }
}

impl Default for Socket {
    fn default() -> Self {
        Self {
            path: None,
            mode: 0o600,
            owner: None,
            group: None,
        }
    }
}

impl Default for Syslog {
    fn default() -> Self {
        Self {
            facility: "daemon".into(),
            tag: "taskmasterd".into(),
        }
    }
}

/// How events go to syslog.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Syslog {
    /// The facility by its usual name in lower case: `daemon`, `local0`.
    pub facility: String,
    /// What each message begins with.
    pub tag: String,
}

/// One program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// Its name.
    pub name: ProgramName,
    /// What a process is started with; a change needs new processes.
    pub launch: Launch,
    /// How many processes.
    pub numprocs: u32,
    /// Whether they start with the daemon.
    pub autostart: bool,
    /// Whether they start again after they exited.
    pub autorestart: Autorestart,
    /// Exit codes that are expected.
    pub exitcodes: Vec<i32>,
    /// How long a process must stay up to count as started, in milliseconds.
    pub starttime_ms: u64,
    /// How many failed starts in a row are tried again.
    pub startretries: u32,
    /// The signal that asks it to end.
    pub stopsignal: i32,
    /// How long it is then given before SIGKILL, in milliseconds.
    pub stoptime_ms: u64,
    /// Whether both signals go to its process group.
    pub stopasgroup: bool,
    /// Whether what is left of its process group is killed when it is dead.
    pub sweep: bool,
    /// Where standard output goes.
    pub stdout: Output,
    /// Where standard error goes.
    pub stderr: Output,
    /// Lower starts first and stops last.
    pub priority: u32,
    /// The wait before it is started again after it was RUNNING, in milliseconds.
    pub restart_delay_ms: u64,
    /// More restarts than this are FATAL.
    pub restart_limit: Option<RestartLimit>,
    /// Whom to tell when it is FATAL, `host:port`; checked here, used later.
    pub fatal_state_report_address: Option<String>,
    /// The user's own words about it.
    pub description: Option<String>,
}

impl Program {
    /// One that runs `argv`, with the default of every other key.
    pub fn new(name: ProgramName, argv: Vec<String>) -> Self {
        Self {
            name,
            launch: Launch::new(argv),
            numprocs: 1,
            autostart: true,
            autorestart: Autorestart::Unexpected,
            exitcodes: vec![0],
            starttime_ms: 1000,
            startretries: 3,
            stopsignal: libc::SIGTERM,
            stoptime_ms: 10_000,
            stopasgroup: false,
            sweep: true,
            stdout: Output::Memory,
            stderr: Output::Memory,
            priority: 999,
            restart_delay_ms: 0,
            restart_limit: None,
            fatal_state_report_address: None,
            description: None,
        }
    }

    /// Whether several streams, of one process or of several, write one log file.
    pub fn shares_logs(&self) -> bool {
        let outputs = (self.output(Stream::Stdout), self.output(Stream::Stderr));
        let one_file =
            matches!(outputs, (Output::File(out), Output::File(err)) if out.path == err.path);
        self.numprocs > 1 || one_file
    }

    /// Where a stream goes. Standard error may go with standard output, because `stderr` says so or because the
    /// process has one terminal for everything.
    pub fn output(&self, stream: Stream) -> &Output {
        match (stream, self.launch.tty) {
            (Stream::Stdout, _) => &self.stdout,
            (Stream::Stderr, Tty::Full) => &Output::Stdout,
            (Stream::Stderr, Tty::Split | Tty::None) => &self.stderr,
        }
    }

    /// Whether its two streams are one.
    pub fn is_merged(&self) -> bool {
        *self.output(Stream::Stderr) == Output::Stdout
    }
}

/// What a process is started with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launch {
    /// The command, split into words, and its arguments; at least one word.
    pub argv: Vec<String>,
    /// What descriptors 0, 1 and 2 are.
    pub tty: Tty,
    /// What is added to the environment: `env_file`, then `env`.
    pub env: BTreeMap<String, String>,
    /// Whether the daemon's environment is the base.
    pub inherit_env: bool,
    /// Entered as the target user; `None` for the daemon's.
    pub workingdir: Option<PathBuf>,
    /// The file mode creation mask.
    pub umask: u32,
    /// Whom it runs as; `None` for the daemon's user.
    pub user: Option<Identity>,
    /// Resource limits; the others are those the daemon was started with.
    pub limits: BTreeMap<Resource, Limit>,
    /// The nice value; `None` for the daemon's.
    pub nice: Option<i32>,
    /// The kernel's out-of-memory adjustment; `None` for what the daemon was started with.
    pub oom_score_adj: Option<i32>,
    /// Whether it can never gain privileges by exec.
    pub no_new_privs: bool,
}

impl Launch {
    /// What runs `argv`, with the default of every other key.
    pub fn new(argv: Vec<String>) -> Self {
        Self {
            argv,
            tty: Tty::Full,
            env: BTreeMap::new(),
            inherit_env: true,
            workingdir: None,
            umask: 0o022,
            user: None,
            limits: BTreeMap::new(),
            nice: None,
            oom_score_adj: None,
            no_new_privs: false,
        }
    }
}

/// Who a process runs as, looked up when the configuration was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The name of the user, or the number as text where the number has no name.
    pub name: String,
    /// The user.
    pub uid: u32,
    /// The primary group.
    pub gid: u32,
    /// All groups, the primary one among them, sorted.
    pub groups: Vec<u32>,
    /// What HOME is set to.
    pub home: String,
    /// What SHELL is set to.
    pub shell: String,
}

/// Whether a process that was RUNNING starts again after it exited by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Autorestart {
    /// Always.
    Always,
    /// Never.
    Never,
    /// Unless its exit code is one of `exitcodes`.
    Unexpected,
    /// As `Unexpected`, but only this many times since it was last started by hand or by a reload.
    OnFailure(u32),
}

/// Where an output stream goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Output {
    /// Nowhere but the memory: the last 64 KiB are kept for `tail`.
    Memory,
    /// Nowhere at all.
    Discard,
    /// To the stream of the same name of the daemon.
    Inherit,
    /// To syslog, line by line.
    Syslog,
    /// For standard error: wherever standard output goes.
    Stdout,
    /// To a file.
    File(LogFile),
}

/// A log file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogFile {
    /// Its absolute path.
    pub path: PathBuf,
    /// Rotated when it has this many bytes; `None` for never.
    pub max_size: Option<u64>,
    /// How many rotated files are kept.
    pub keep: u32,
    /// Whether each line begins with the time.
    pub timestamps: bool,
    /// Whether escape sequences are taken out.
    pub strip_ansi: bool,
}

/// At most `burst` restarts within `interval_ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestartLimit {
    /// How many.
    pub burst: u32,
    /// Within which time, in milliseconds.
    pub interval_ms: u64,
}

/// A resource of setrlimit(2), by its name in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(
    missing_docs,
    reason = "the names are those of setrlimit(2), without RLIMIT_"
)]
pub enum Resource {
    As,
    Core,
    Cpu,
    Data,
    Fsize,
    Locks,
    Memlock,
    Msgqueue,
    Nice,
    Nofile,
    Nproc,
    Rss,
    Rtprio,
    Rttime,
    Sigpending,
    Stack,
}

/// The soft and the hard limit; `None` is unlimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// What is enforced.
    pub soft: Option<u64>,
    /// How far a process may raise it.
    pub hard: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_are_shared_by_several_processes_and_by_two_streams_of_one_path() {
        let file = |path: &str| {
            Output::File(LogFile {
                path: path.into(),
                max_size: None,
                keep: 0,
                timestamps: false,
                strip_ansi: false,
            })
        };
        let mut program = Program::new("p".parse().unwrap(), vec!["true".into()]);
        program.launch.tty = Tty::None;
        for (numprocs, stdout, stderr, shares) in [
            (1, file("a"), file("b"), false),
            (1, file("a"), file("a"), true),
            (1, file("a"), Output::Stdout, false),
            (1, Output::Memory, Output::Memory, false),
            (2, file("a"), file("b"), true),
        ] {
            program.numprocs = numprocs;
            (program.stdout, program.stderr) = (stdout, stderr);
            assert_eq!(program.shares_logs(), shares, "{program:?}");
        }
        program.numprocs = 1;
        program.launch.tty = Tty::Full;
        (program.stdout, program.stderr) = (file("a"), file("a"));
        assert!(!program.shares_logs(), "there is but one stream");
    }
}
