//! What happened, as it goes to the event log, to syslog and to clients: one record, one line.

mod visit;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::signal;
use crate::state::Exit;
use crate::text::{count, duration, escape, list, timestamp};

pub use visit::{Arrival, Departure, Parting, Typed};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Counts up by one from the start of the daemon.
    pub seq: u64,
    /// When, in milliseconds since 1970 by the wall clock.
    pub at: u64,
    /// What.
    #[serde(flatten)]
    pub kind: EventKind,
    /// Who or what brought it about.
    pub cause: Cause,
}

/// Who or what brought an event about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The configuration, as the daemon started.
    Boot,
    /// The rules of the program itself: `autorestart`, `starttime`, `stoptime`.
    Policy,
    /// A signal to the daemon, by name.
    Signal(String),
    /// A client of the control socket, as the kernel knows it.
    Peer {
        /// The user the client ran as when it connected.
        uid: u32,
        /// Its process.
        pid: i32,
    },
    /// The control shell that the daemon was started with was left.
    Shell,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boot => f.write_str("at start"),
            Self::Policy => f.write_str("by policy"),
            Self::Signal(name) => write!(f, "on {name}"),
            Self::Peer { uid, pid } => write!(f, "asked by uid {uid}, pid {pid}"),
            Self::Shell => f.write_str("the control shell was left"),
        }
    }
}

/// How much an event matters; the names are syslog's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Somebody should look.
    Error,
    /// Not as it should be, but handled.
    Warning,
    /// As it should be.
    Info,
}

impl Severity {
    /// The four letters with which a line of the event log begins.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Error => "ERRO",
            Self::Warning => "WARN",
            Self::Info => "INFO",
        }
    }
}

/// What can happen. `process` is always the shown name, `web` or `web:1`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[expect(
    missing_docs,
    reason = "the fields say what they are; each variant is documented"
)]
pub enum EventKind {
    /// The daemon is up and about to start its programs.
    DaemonStarted {
        pid: u32,
        version: String,
        config: String,
        programs: usize,
    },
    /// A shutdown began.
    ShutdownBegun { processes: usize },
    /// The daemon is about to end; `left` processes could not be got rid of.
    DaemonStopped { left: usize },
    /// A process was forked.
    Started { process: String, pid: i32 },
    /// It has stayed up for `starttime`.
    Running {
        process: String,
        pid: i32,
        after_ms: u64,
    },
    /// It ended without being asked to.
    Exited {
        process: String,
        pid: i32,
        exit: Exit,
        expected: bool,
        ran_ms: u64,
        again_in_ms: Option<u64>,
    },
    /// It could not be started, or ended too early, and is tried again.
    Backoff {
        process: String,
        reason: String,
        failures: u32,
        retries: u32,
        retry_in_ms: u64,
    },
    /// It is not tried again.
    Fatal { process: String, reason: String },
    /// It was sent its stop signal.
    Stopping {
        process: String,
        pid: i32,
        signal: i32,
    },
    /// It did not end within `stoptime` and was sent SIGKILL.
    Killed {
        process: String,
        pid: i32,
        after_ms: u64,
    },
    /// It is down because it was asked to be.
    Stopped { process: String, exit: Option<Exit> },
    /// It was sent a signal by command.
    Signalled {
        process: String,
        pid: i32,
        signal: i32,
    },
    /// A command typed at its terminal.
    Typed(Typed),
    /// A control command was accepted.
    Command { verb: String, names: Vec<String> },
    /// A client is at the terminal of a process.
    Attached(Arrival),
    /// It is not any more.
    Detached(Departure),
    /// A client was refused.
    Refused { reason: String },
    /// A new configuration is in force.
    Reloaded {
        added: Vec<String>,
        removed: Vec<String>,
        restarted: Vec<String>,
        changed: Vec<String>,
    },
    /// A new configuration was not taken; nothing changed.
    ReloadRefused { reason: String },
    /// The log files were reopened.
    LogsReopened,
    /// Output of a program could not be written to its file.
    LogTrouble {
        process: String,
        path: String,
        reason: String,
        lost_bytes: u64,
    },
    /// It can be written again.
    LogRecovered {
        process: String,
        path: String,
        lost_bytes: u64,
    },
    /// A message did not reach syslog, the first of this daemon's.
    SyslogRefused { reason: String },
    /// Messages did not reach syslog; it works again, or the daemon is about to end.
    SyslogDropped { messages: u64 },
    /// Something worth knowing about the daemon itself.
    Notice { text: String },
    /// Something in the configuration that may not be meant.
    Warning { text: String },
    /// Something wrong with the daemon or its surroundings.
    Trouble { text: String },
}

impl EventKind {
    /// How much it matters.
    pub fn severity(&self) -> Severity {
        match self {
            Self::Fatal { .. }
            | Self::LogTrouble { .. }
            | Self::ReloadRefused { .. }
            | Self::Trouble { .. } => Severity::Error,
            Self::Exited {
                expected: false, ..
            }
            | Self::Backoff { .. }
            | Self::Killed { .. }
            | Self::Refused { .. }
            | Self::SyslogRefused { .. }
            | Self::SyslogDropped { .. }
            | Self::Warning { .. } => Severity::Warning,
            Self::DaemonStopped { left } if *left > 0 => Severity::Error,
            Self::DaemonStarted { .. }
            | Self::ShutdownBegun { .. }
            | Self::DaemonStopped { .. }
            | Self::Started { .. }
            | Self::Running { .. }
            | Self::Exited { .. }
            | Self::Stopping { .. }
            | Self::Stopped { .. }
            | Self::Signalled { .. }
            | Self::Typed(_)
            | Self::Command { .. }
            | Self::Attached(_)
            | Self::Detached(_)
            | Self::Reloaded { .. }
            | Self::LogsReopened
            | Self::LogRecovered { .. }
            | Self::Notice { .. } => Severity::Info,
        }
    }

    /// The shown name of the process concerned.
    pub fn process(&self) -> Option<&str> {
        match self {
            Self::Started { process, .. }
            | Self::Running { process, .. }
            | Self::Exited { process, .. }
            | Self::Backoff { process, .. }
            | Self::Fatal { process, .. }
            | Self::Stopping { process, .. }
            | Self::Killed { process, .. }
            | Self::Stopped { process, .. }
            | Self::Signalled { process, .. }
            | Self::Typed(Typed { process, .. })
            | Self::Attached(Arrival { process, .. })
            | Self::Detached(Departure { process, .. })
            | Self::LogTrouble { process, .. }
            | Self::LogRecovered { process, .. } => Some(process),
            Self::DaemonStarted { .. }
            | Self::ShutdownBegun { .. }
            | Self::DaemonStopped { .. }
            | Self::Command { .. }
            | Self::Refused { .. }
            | Self::Reloaded { .. }
            | Self::ReloadRefused { .. }
            | Self::LogsReopened
            | Self::SyslogRefused { .. }
            | Self::SyslogDropped { .. }
            | Self::Notice { .. }
            | Self::Warning { .. }
            | Self::Trouble { .. } => None,
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DaemonStarted {
                pid,
                version,
                config,
                programs,
            } => {
                write!(
                    f,
                    "taskmasterd {version} started with pid {pid}, {} from {}",
                    count(*programs as u64, "program", "programs"),
                    escape(config)
                )
            }
            Self::ShutdownBegun { processes } => {
                let processes = count(*processes as u64, "process", "processes");
                write!(f, "shutting down, {processes} to stop")
            }
            Self::DaemonStopped { left: 0 } => f.write_str("taskmasterd stopped"),
            Self::DaemonStopped { left } => write!(
                f,
                "taskmasterd stopped, {} could not be got rid of",
                count(*left as u64, "process", "processes")
            ),
            Self::Started { process, pid } => write!(f, "{process} started with pid {pid}"),
            Self::Running {
                process,
                pid,
                after_ms: 0,
            } => write!(f, "{process} (pid {pid}) is running"),
            Self::Running {
                process,
                pid,
                after_ms,
            } => {
                write!(
                    f,
                    "{process} (pid {pid}) is running, it has stayed up for {}",
                    duration(*after_ms)
                )
            }
            Self::Exited {
                process,
                pid,
                exit,
                expected,
                ran_ms,
                again_in_ms,
            } => {
                let expected = if *expected {
                    "expected"
                } else {
                    "not expected"
                };
                write!(
                    f,
                    "{process} (pid {pid}) exited: {exit} after {}, {expected}",
                    duration(*ran_ms)
                )?;
                match again_in_ms {
                    None => Ok(()),
                    Some(0) => f.write_str("; starting again"),
                    Some(ms) => write!(f, "; starting again in {}", duration(*ms)),
                }
            }
            Self::Backoff {
                process,
                reason,
                failures,
                retries,
                retry_in_ms,
            } => {
                write!(
                    f,
                    "{process} could not be started: {}; next try in {}",
                    escape(reason),
                    duration(*retry_in_ms)
                )?;
                if *failures > 0 {
                    write!(f, " (retry {failures} of {retries})")
                } else {
                    f.write_str(" (not counted)")
                }
            }
            Self::Fatal { process, reason } => {
                write!(f, "{process} gave up, fatal: {}", escape(reason))
            }
            Self::Stopping {
                process,
                pid,
                signal,
            } => {
                write!(
                    f,
                    "{process} (pid {pid}) stopping with {}",
                    signal::name(*signal)
                )
            }
            Self::Killed {
                process,
                pid,
                after_ms,
            } => {
                write!(
                    f,
                    "{process} (pid {pid}) did not stop within {}, killed with SIGKILL",
                    duration(*after_ms)
                )
            }
            Self::Stopped {
                process,
                exit: Some(exit),
            } => write!(f, "{process} stopped: {exit}"),
            Self::Stopped {
                process,
                exit: None,
            } => write!(f, "{process} stopped"),
            Self::Signalled {
                process,
                pid,
                signal,
            } => write!(
                f,
                "{process} (pid {pid}) was sent {}",
                signal::name(*signal)
            ),
            Self::Typed(typed) => typed.fmt(f),
            Self::Command { verb, names } => write!(
                f,
                "command {}{}{}",
                escape(verb),
                if names.is_empty() { "" } else { " " },
                escape(&list(names))
            ),
            Self::Attached(arrival) => arrival.fmt(f),
            Self::Detached(departure) => departure.fmt(f),
            Self::Refused { reason } => write!(f, "client refused: {}", escape(reason)),
            Self::Reloaded {
                added,
                removed,
                restarted,
                changed,
            } => {
                f.write_str("configuration reloaded")?;
                let parts = [
                    ("added", added),
                    ("removed", removed),
                    ("restarted", restarted),
                    ("changed without a restart", changed),
                ];
                let mut said = false;
                for (what, names) in parts.into_iter().filter(|(_, names)| !names.is_empty()) {
                    write!(f, "{} {what} {}", if said { ";" } else { ":" }, list(names))?;
                    said = true;
                }
                if said {
                    Ok(())
                } else {
                    f.write_str(": no program changed")
                }
            }
            Self::ReloadRefused { reason } => {
                write!(f, "reload refused, nothing changed: {}", escape(reason))
            }
            Self::LogsReopened => f.write_str("log files reopened"),
            Self::LogTrouble {
                process,
                path,
                reason,
                lost_bytes,
            } => {
                let (path, reason) = (escape(path), escape(reason));
                write!(
                    f,
                    "output of {process} cannot be written to {path}: {reason}"
                )?;
                match lost_bytes {
                    0 => Ok(()),
                    _ => write!(f, "; {lost_bytes} bytes lost so far"),
                }
            }
            Self::LogRecovered {
                process,
                path,
                lost_bytes,
            } => {
                write!(
                    f,
                    "output of {process} is written to {} again; {lost_bytes} bytes were lost",
                    escape(path)
                )
            }
            Self::SyslogRefused { reason } => {
                write!(f, "messages do not reach syslog: {}", escape(reason))
            }
            Self::SyslogDropped { messages } => {
                let messages = count(*messages, "message", "messages");
                write!(f, "{messages} did not reach syslog")
            }
            Self::Notice { text } | Self::Warning { text } | Self::Trouble { text } => {
                f.write_str(&escape(text))
            }
        }
    }
}

impl Event {
    /// What happened, and who asked for it where that is not plain: the event without its time and severity.
    pub fn text(&self) -> String {
        match &self.cause {
            Cause::Policy | Cause::Boot => self.kind.to_string(),
            cause @ (Cause::Signal(_) | Cause::Peer { .. } | Cause::Shell) => {
                format!("{} [{cause}]", self.kind)
            }
        }
    }
}

/// The line of the event log, without its newline.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tag = self.kind.severity().tag();
        write!(f, "{} {tag} {}", timestamp(self.at), self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(kind: EventKind, cause: Cause) -> String {
        Event {
            seq: 1,
            at: 0,
            kind,
            cause,
        }
        .to_string()
    }

    #[test]
    fn a_line_says_when_how_bad_what_and_who() {
        let kind = EventKind::Stopping {
            process: "web:1".into(),
            pid: 7,
            signal: 15,
        };
        let cause = Cause::Peer { uid: 0, pid: 9 };
        assert_eq!(
            line(kind, cause),
            "1970-01-01T00:00:00.000Z INFO web:1 (pid 7) stopping with SIGTERM [asked by uid 0, pid 9]"
        );
    }

    #[test]
    fn hostile_text_stays_on_its_line() {
        let reason = "x\n1970-01-01T00:00:00.000Z INFO all is well\x1b[2J".to_owned();
        let shown = line(
            EventKind::Fatal {
                process: "web".into(),
                reason,
            },
            Cause::Policy,
        );
        assert_eq!(shown.lines().count(), 1);
        assert!(!shown.contains('\x1b'));
    }

    // What it says of who asked would be taken for what the daemon says.
    #[test]
    fn what_is_no_name_is_told_from_what_follows() {
        for name in [
            r#"z" [asked by uid 0, pid 1]"#,
            "z\u{a0}[asked\u{2003}by\u{a0}uid\u{a0}0]",
            // As wide as a space, and printable; and a letter like a quote.
            "z\u{2800}[asked",
            "z\u{2ba} [asked",
        ] {
            let names = vec!["web:*".into(), name.into()];
            let verb = "stop".into();
            let shown = line(EventKind::Command { verb, names }, Cause::Policy);
            let wanted = format!("command stop web:* \"{}\"", name.escape_default());
            assert!(shown.ends_with(&wanted), "{shown}");
        }
    }

    #[test]
    fn one_is_one_and_two_are_more() {
        let said = |kind| line(kind, Cause::Policy);
        for (processes, want) in [(1, "1 process to stop"), (2, "2 processes to stop")] {
            let begun = said(EventKind::ShutdownBegun { processes });
            assert!(
                begun.ends_with(&format!("shutting down, {want}")),
                "{begun}"
            );
        }
        let left = said(EventKind::DaemonStopped { left: 1 });
        assert!(left.contains("stopped, 1 process could"), "{left}");
    }

    // The client that is detached is not the one to blame.
    #[test]
    fn who_took_over_is_told_apart_from_who_was_detached() {
        let departure = Departure {
            process: "web".into(),
            uid: 1,
            pid: 2,
            reason: Parting::TakenOver,
        };
        let kind = EventKind::Detached(departure);
        let json = serde_json::to_value(&kind).unwrap();
        let want = serde_json::json!({"event": "detached", "process": "web", "uid": 1, "pid": 2,
                                      "reason": "taken_over"});
        assert_eq!(json, want);
        let text = line(kind, Cause::Peer { uid: 0, pid: 9 });
        let want = "uid 1, pid 2 detached from web, taken over [asked by uid 0, pid 9]";
        assert!(text.ends_with(want), "{text}");
    }

    #[test]
    fn json_is_flat_and_reads_back() {
        let kind = EventKind::Exited {
            process: "web".into(),
            pid: 7,
            exit: Exit::Code(3),
            expected: false,
            ran_ms: 10,
            again_in_ms: Some(0),
        };
        let event = Event {
            seq: 4,
            at: 5,
            kind,
            cause: Cause::Policy,
        };
        let json = serde_json::to_value(&event).unwrap();
        assert_eq!(json["event"], "exited");
        assert_eq!(json["process"], "web");
        assert_eq!(serde_json::from_value::<Event>(json).unwrap(), event);
    }
}
