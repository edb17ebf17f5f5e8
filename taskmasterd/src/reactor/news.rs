//! Events on their way out: numbered, stamped, and handed to every sink.

use std::path::Path;

use shared::event::{Cause, Event, EventKind, Severity};

use crate::config::model;
use crate::core::{Mono, Pid, Process, ProcessId, Supervisor};
use crate::sinks::eventlog::EventLog;
use crate::sinks::syslog::{self, Syslog};

/// Who wrote a line.
pub(super) struct Speaker {
    /// The process's shown name.
    pub(super) shown: String,
    pub(super) pid: Pid,
}

/// The pid of a process that has not written anything.
pub(super) const NO_PID: Pid = Pid(0);

impl Speaker {
    pub(super) fn of(core: &Supervisor, id: ProcessId, pid: Pid) -> Self {
        Self {
            shown: core.process(id).map(Process::shown).unwrap_or_default(),
            pid,
        }
    }
}

/// The sinks, and the count.
pub(super) struct News {
    log: EventLog,
    syslog: Option<Syslog>,
    /// For programs whose output goes to syslog, where events do not.
    output: Option<Syslog>,
    seq: u64,
}

impl News {
    pub(super) fn new(log: EventLog, syslog: Option<&model::Syslog>) -> Self {
        Self {
            log,
            syslog: syslog.map(connect),
            output: None,
            seq: 0,
        }
    }

    /// Tells all sinks; nothing waits for any of them.
    pub(super) fn tell(&mut self, now: Mono, unix_ms: u64, kind: EventKind, cause: Cause) {
        let event = self.record(unix_ms, kind, cause);
        if let Some(syslog) = &mut self.syslog {
            syslog.send(now, event.kind.severity(), &event.text());
        }
    }

    /// Tells the event log alone.
    fn record(&mut self, unix_ms: u64, kind: EventKind, cause: Cause) -> Event {
        self.seq += 1;
        let event = Event {
            seq: self.seq,
            at: unix_ms,
            kind,
            cause,
        };
        self.log.push(&event);
        event
    }

    /// A line of a program's output for syslog.
    pub(super) fn output_line(
        &mut self,
        now: Mono,
        speaker: &Speaker,
        severity: Severity,
        line: &[u8],
    ) {
        let syslog = match &mut self.syslog {
            Some(syslog) => syslog,
            None => self
                .output
                .get_or_insert_with(|| connect(&model::Syslog::default())),
        };
        syslog.send_output(now, &speaker.shown, speaker.pid, severity, line);
    }

    /// At the end of a turn: what was gathered is written, and what was lost is told.
    pub(super) fn flush(&mut self, now: Mono, unix_ms: u64) {
        let messages = [&mut self.syslog, &mut self.output]
            .into_iter()
            .flatten()
            .filter_map(Syslog::take_dropped)
            .sum();
        if messages > 0 {
            self.record(
                unix_ms,
                EventKind::SyslogDropped { messages },
                Cause::Policy,
            );
        }
        if let Some(text) = self.log.flush(now) {
            self.tell(now, unix_ms, EventKind::Trouble { text }, Cause::Policy);
        }
    }

    /// When event lines that wait are tried again.
    pub(super) fn deadline(&self) -> Option<Mono> {
        self.log.deadline()
    }

    pub(super) fn reopen(&mut self) -> Result<(), String> {
        self.log.reopen()
    }
}

fn connect(settings: &model::Syslog) -> Syslog {
    Syslog::new(settings, Path::new(syslog::SOCKET))
}
