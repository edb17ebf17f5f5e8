//! Every method of the control protocol: parameters, results and what can go wrong. Its dictionary.
//!
//! `man/taskmaster-protocol.7` says the same in prose.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::name::Selector;
use crate::rpc::{RpcError, code};
use crate::state::{Exit, State};

mod attach;
mod follow;

pub use attach::{
    ATTACH_VERSION, AttachParams, Attached, Exited, Restarted, Screen, ScreenParams, SendParams,
    Sent, TERM_LEN_MAX, Tty, Viewer,
};
pub use follow::{CLEARED, Cleared, OUTPUT, Output};

/// Declares the methods once: their wire names, their parameters, and the list of them.
macro_rules! methods {
    ($($(#[doc = $doc:literal])+ $name:literal => $variant:ident($params:ty)),+ $(,)?) => {
        /// A request whose method is known and whose parameters fit.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Call {
            $($(#[doc = $doc])+ $variant($params)),+
        }

        /// The names of all methods, in the order of the manual.
        pub const METHODS: &[&str] = &[$($name),+];

        impl Call {
            /// Reads `params` as what `method` wants.
            ///
            /// # Errors
            /// An unknown method, or parameters that do not fit it.
            pub fn read(method: &str, params: Value) -> Result<Self, RpcError> {
                let params = if params.is_null() { Value::Object(serde_json::Map::new()) } else { params };
                match method {
                    $($name => fit($name, params).map(Self::$variant),)+
                    _ => Err(unknown(method)),
                }
            }

            /// The method's name.
            pub const fn method(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => $name),+
                }
            }

            /// The parameters, as they go over the wire.
            pub fn params(&self) -> Value {
                match self {
                    $(Self::$variant(params) => serde_json::to_value(params).unwrap_or(Value::Null)),+
                }
            }
        }
    };
}

methods! {
    /// The state of processes: all of them without names. Answers [`Status`].
    "status" => Status(StatusParams),
    /// Starts processes; answers [`Outcomes`] when each is RUNNING or has failed once.
    "start" => Start(Names),
    /// Stops processes; answers [`Outcomes`] when each is dead.
    "stop" => Stop(Names),
    /// Stops what runs, then starts; answers [`Outcomes`] when each is RUNNING or has failed once.
    "restart" => Restart(Names),
    /// Sends a signal to processes that run; answers [`Outcomes`].
    "signal" => Signal(SignalParams),
    /// Reads the configuration again and applies it; answers [`Reloaded`] when what it stopped is dead.
    "reload" => Reload(ReloadParams),
    /// The last output of a process, and with `follow` all that comes after; answers [`Tail`].
    "tail" => Tail(TailParams),
    /// Empties the kept output of processes; answers [`Outcomes`].
    "clear" => Clear(Names),
    /// The daemon's pid, or those of processes; answers [`Pids`].
    "pid" => Pid(Names),
    /// Every process of the configuration and how it is set up; answers [`Available`].
    "avail" => Avail(Nothing),
    /// What answers here; answers [`Version`].
    "version" => Version(Nothing),
    /// Stops everything, then the daemon; answers [`ShutdownDone`] when all processes are dead.
    "shutdown" => Shutdown(Nothing),
    /// The terminal of a process; answers [`Attached`], and from then on [`crate::frame`]s go both ways.
    "attach" => Attach(AttachParams),
    /// Types into the terminal of a process; answers [`Sent`].
    "send" => Send(SendParams),
    /// What is on the screen of a process; answers [`Screen`].
    "screen" => Screen(ScreenParams),
}

fn fit<T: for<'de> Deserialize<'de>>(method: &str, params: Value) -> Result<T, RpcError> {
    if !params.is_object() {
        return Err(RpcError::new(
            code::INVALID_PARAMS,
            format!("{method}: parameters are given by name, in an object"),
        ));
    }
    serde_json::from_value(params)
        .map_err(|error| RpcError::new(code::INVALID_PARAMS, format!("{method}: {error}")))
}

fn unknown(method: &str) -> RpcError {
    let shown: String = crate::text::escape(method).chars().take(80).collect();
    let hint = match crate::name::did_you_mean(method, METHODS.iter().copied()) {
        Some(near) => format!("; did you mean \"{near}\"?"),
        None => String::new(),
    };
    RpcError::new(
        code::METHOD_NOT_FOUND,
        format!("unknown method \"{shown}\"{hint}"),
    )
}

/// No parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// The processes meant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Names {
    /// `web`, `web:1`, `web:*`, `w*`, `all`.
    #[serde(default)]
    pub names: Vec<Selector>,
}

/// Parameters of `status`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusParams {
    /// The processes meant; all of them where there are no names.
    #[serde(default)]
    pub names: Vec<Selector>,
    /// Whether the strays are wanted too: to find them takes a look at `/proc`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub strays: bool,
}

/// Parameters of `signal`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignalParams {
    /// A name with or without `SIG`, or a number.
    pub signal: String,
    /// The processes meant.
    pub names: Vec<Selector>,
}

/// Parameters of `reload`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReloadParams {
    /// Only say what would happen.
    #[serde(default)]
    pub dry_run: bool,
    /// Take a configuration without programs too, or one with an empty file in it, or without a directory it includes
    /// from, which is refused otherwise: a truncated file must not stop everything.
    #[serde(default)]
    pub allow_empty: bool,
}

/// One of the two output streams of a process.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Standard output; with `tty: full` standard error too.
    #[default]
    Stdout,
    /// Standard error.
    Stderr,
}

/// Parameters of `tail`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TailParams {
    /// One process.
    pub name: Selector,
    /// Which stream.
    #[serde(default)]
    pub stream: Stream,
    /// How many of the last bytes; at most [`TAIL_LEN_MAX`] are given.
    #[serde(default = "tail_len")]
    pub bytes: u64,
    /// Whether output that comes later follows, as notifications `output` with [`Output`].
    #[serde(default)]
    pub follow: bool,
}

/// The most that `tail` gives, in bytes: what is kept in memory of a process without a log file.
pub const TAIL_LEN_MAX: u64 = 64 * 1024;

/// What `tail` gives when it is not said, in bytes, as supervisor does.
const fn tail_len() -> u64 {
    1600
}

/// What `status` answers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// By program, then index.
    pub processes: Vec<ProcessStatus>,
    /// Names that are nobody's, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Outcome>,
    /// Processes that outlived the supervised process that made them; only where they were asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub strays: Vec<Stray>,
}

/// A process of a supervised process's making that left its process group and outlived it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stray {
    /// Its pid.
    pub pid: i32,
    /// The process that made it, where that is known. The daemon does not look into foreign processes; a client
    /// that may can find `TASKMASTER_PROCESS` in the environment of the stray.
    pub process: Option<String>,
    /// Its command name, as the kernel knows it.
    pub command: String,
}

/// The state of one process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProcessStatus {
    /// The shown name: `web` or `web:1`.
    pub name: String,
    /// The program.
    pub program: String,
    /// The index among its processes.
    pub index: u32,
    /// Its state.
    pub state: State,
    /// Its pid while it has one.
    pub pid: Option<i32>,
    /// How long it has been up, in milliseconds, while STARTING, RUNNING or STOPPING.
    pub uptime_ms: Option<u64>,
    /// When it last ended, in milliseconds since 1970.
    pub ended_at: Option<u64>,
    /// How it last ended.
    pub exit: Option<Exit>,
    /// Why it is in BACKOFF or FATAL, in supervisor's words.
    pub reason: Option<String>,
    /// Why, in full: stage, errno, what was tried.
    pub detail: Option<String>,
    /// Until it is started again, in milliseconds, where that is due: in BACKOFF, in EXITED with a delay, and at most
    /// in STARTING where a new program waits for what a reload removes.
    pub retry_in_ms: Option<u64>,
    /// Starts that failed in a row.
    pub failures: u32,
    /// Starts since it came into the configuration.
    pub starts: u64,
    /// Who is at its terminal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attached: Vec<Viewer>,
    /// The user's own words about the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// What became of each name of a command, in the order of the names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outcomes {
    /// One for each process, or for each name that is nobody's.
    pub results: Vec<Outcome>,
}

/// What became of one process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The shown name, or the name that was asked for where it is nobody's.
    pub name: String,
    /// What.
    pub result: Verdict,
    /// For `restart`: what became of the stop before, `stopped` or `not_running`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Verdict>,
    /// The reason in full, where it went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// How a command ended for one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is RUNNING.
    Started,
    /// It is down.
    Stopped,
    /// It was sent the signal.
    Signalled,
    /// Its kept output was emptied.
    Cleared,
    /// `start`: it was running already.
    AlreadyStarted,
    /// `stop`, `signal`: it was not running.
    NotRunning,
    /// No such program, or no such index of it.
    NoSuchProcess,
    /// A pattern or `name:*` that matches nothing.
    NoSuchGroup,
    /// The command is no file.
    NoSuchFile,
    /// The command is a file that cannot be executed.
    NotExecutable,
    /// It could not be started for another reason.
    SpawnError,
    /// It was started and ended too early.
    AbnormalTermination,
    /// A later command decided otherwise.
    Superseded,
    /// No such signal.
    BadSignal,
    /// It could not be done.
    Failed,
}

impl Verdict {
    /// The word of the control program: `started`, or what stands in `ERROR (…)`, as supervisorctl has them.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Stopped => "stopped",
            Self::Signalled => "signalled",
            Self::Cleared => "cleared",
            Self::AlreadyStarted => "already started",
            Self::NotRunning => "not running",
            Self::NoSuchProcess => "no such process",
            Self::NoSuchGroup => "no such group",
            Self::NoSuchFile => "no such file",
            Self::NotExecutable => "file is not executable",
            Self::SpawnError => "spawn error",
            Self::AbnormalTermination => "abnormal termination",
            Self::Superseded => "superseded",
            Self::BadSignal => "bad signal name",
            Self::Failed => "failed",
        }
    }

    /// Whether what was asked for was done.
    pub const fn is_done(self) -> bool {
        match self {
            Self::Started | Self::Stopped | Self::Signalled | Self::Cleared => true,
            Self::AlreadyStarted
            | Self::NotRunning
            | Self::NoSuchProcess
            | Self::NoSuchGroup
            | Self::NoSuchFile
            | Self::NotExecutable
            | Self::SpawnError
            | Self::AbnormalTermination
            | Self::Superseded
            | Self::BadSignal
            | Self::Failed => false,
        }
    }
}

/// What `reload` answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// Whether it was applied; `false` for a dry run.
    pub applied: bool,
    /// What changed, or would.
    pub plan: Plan,
}

/// What a reload does, program by program, in the order of their names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The programs concerned.
    pub programs: Vec<ProgramChange>,
    /// Changed keys at the top of the file, and what becomes of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settings: Vec<KeyChange>,
    /// What is allowed in the new configuration but odd, or could not be done now, as `--check` says it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// What a reload does to one program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramChange {
    /// The program.
    pub program: String,
    /// Whether it is new, gone or changed.
    pub change: Change,
    /// Its changed keys; empty for a program that is new or gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<KeyChange>,
    /// The processes that do not live and are started, by their shown names in the new configuration.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub starts: Vec<String>,
}

/// What kind of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It was not there before: its processes are added, and started where `autostart` says so.
    Added,
    /// It is gone: its processes are stopped and forgotten.
    Removed,
    /// At least one key changed whose new value needs new processes.
    Restarted,
    /// Only keys changed that take effect without touching a process that stays.
    Changed,
}

/// One changed key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyChange {
    /// The key.
    pub key: String,
    /// Its value before, as text; of `env` the names only.
    pub old: String,
    /// Its value now.
    pub new: String,
    /// What follows from it, in words: `restart`, `live`, `adds web:2 web:3`, …
    pub consequence: String,
}

/// What `tail` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tail {
    /// The process's shown name.
    pub name: String,
    /// The stream.
    pub stream: Stream,
    /// The bytes, in base64: output is bytes, not text.
    pub data: String,
    /// Whether more was written before them than is shown.
    pub more: bool,
}

/// What `pid` answers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pids {
    /// The daemon's.
    pub daemon: u32,
    /// Those asked for; 0 for a process that does not run.
    pub processes: Vec<NamedPid>,
    /// Names that are nobody's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Outcome>,
}

/// The pid of one process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedPid {
    /// The shown name.
    pub name: String,
    /// Its pid, or 0.
    pub pid: i32,
}

/// What `avail` answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Available {
    /// Every process of the configuration.
    pub processes: Vec<AvailableProcess>,
}

/// How one process is set up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AvailableProcess {
    /// The shown name.
    pub name: String,
    /// Whether it is started with the daemon.
    pub autostart: bool,
    /// Its place in the order of starting and stopping.
    pub priority: u32,
    /// The user's own words about the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// What `version` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// The daemon's version.
    pub version: String,
    /// The protocol's; a client knows the daemon if they are equal.
    pub protocol: u32,
}

/// The protocol's version: counts up when a client of before would misread an answer.
pub const PROTOCOL: u32 = 1;

/// What `shutdown` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShutdownDone {
    /// Processes that could not be got rid of.
    pub left: usize,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn calls_read_back_what_they_write() {
        let calls = [
            Call::Start(Names {
                names: vec!["web:*".parse().unwrap()],
            }),
            Call::Tail(TailParams {
                name: "web:1".parse().unwrap(),
                stream: Stream::Stderr,
                bytes: 9,
                follow: true,
            }),
            Call::Shutdown(Nothing {}),
        ];
        for call in calls {
            assert_eq!(Call::read(call.method(), call.params()), Ok(call));
        }
    }

    #[test]
    fn parameters_are_checked() {
        let refused = |method: &str, params| Call::read(method, params).unwrap_err();
        assert_eq!(refused("start", json!([])).code, code::INVALID_PARAMS);
        assert_eq!(
            refused("start", json!({"name": "web"})).code,
            code::INVALID_PARAMS
        );
        assert_eq!(
            refused("start", json!({"names": ["a:b"]})).code,
            code::INVALID_PARAMS
        );
        assert_eq!(refused("__class__", json!({})).code, code::METHOD_NOT_FOUND);
        assert!(
            refused("statsu", json!({}))
                .message
                .contains("did you mean \"status\"?")
        );
        assert!(Call::read("status", Value::Null).is_ok());
    }
}
