//! Events on their way out: numbered, stamped, and handed to every sink.

use std::path::Path;

use shared::event::{Cause, Event, EventKind, Severity};

use crate::config::model;
use crate::control::peer::Peer;
use crate::core::{Mono, Pid, Process, ProcessId, Supervisor};
use crate::sinks::eventlog::EventLog;
use crate::sinks::syslog::{self, Syslog};

use super::refused::Refused;

/// Who wrote a line.
pub(super) struct Speaker {
    /// The process's shown name.
    pub(super) shown: String,
    pub(super) pid: Pid,
    /// Whether other streams of its program write the same log files.
    pub(super) shares_logs: bool,
}

/// The pid of a process that has not written anything.
pub(super) const NO_PID: Pid = Pid(0);

impl Speaker {
    pub(super) fn of(core: &Supervisor, id: ProcessId, pid: Pid) -> Self {
        let process = core.process(id);
        Self {
            shown: process.map(Process::shown).unwrap_or_default(),
            pid,
            shares_logs: process.is_some_and(|process| process.spec.shares_logs()),
        }
    }
}

/// The sinks, and the count.
pub(super) struct News {
    log: EventLog,
    syslog: Option<Syslog>,
    /// For programs whose output goes to syslog, where events do not.
    output: Option<Syslog>,
    refused: Refused,
    seq: u64,
}

impl News {
    pub(super) fn new(log: EventLog, syslog: Option<&model::Syslog>) -> Self {
        Self {
            log,
            syslog: syslog.map(connect),
            output: None,
            refused: Refused::default(),
            seq: 0,
        }
    }

    /// Tells all sinks; nothing waits for any of them.
    pub(super) fn tell(&mut self, now: Mono, unix_ms: u64, kind: EventKind, cause: Cause) {
        let is_last = matches!(kind, EventKind::DaemonStopped { .. });
        if is_last && let Some((kind, cause)) = self.refused.take() {
            self.tell(now, unix_ms, kind, cause);
        }
        let event = new_event(unix_ms, kind, cause);
        if let Some(syslog) = &mut self.syslog {
            syslog.send(now, event.kind.severity(), &event.text());
        }
        // The last line of all tells that it is the last; what is missing, itself maybe, stands before it.
        if is_last {
            self.tell_refusal(unix_ms);
            let lost = self.syslogs().map(Syslog::take_lost).sum();
            self.tell_dropped(unix_ms, lost);
        }
        self.record(event);
    }

    /// Numbers an event and tells the event log alone.
    fn record(&mut self, mut event: Event) {
        self.seq += 1;
        event.seq = self.seq;
        self.log.push(&event);
    }

    /// Takes in a client that was refused; it is told of when it is time.
    pub(super) fn refuse(&mut self, peer: Peer, reason: &'static str) {
        self.refused.add(peer, reason);
    }

    fn syslogs(&mut self) -> impl Iterator<Item = &mut Syslog> {
        [&mut self.syslog, &mut self.output].into_iter().flatten()
    }

    fn tell_refusal(&mut self, unix_ms: u64) {
        let reason = self.syslogs().find_map(Syslog::take_refusal);
        if let Some(reason) = reason {
            let kind = EventKind::SyslogRefused { reason };
            self.record(new_event(unix_ms, kind, Cause::Policy));
        }
    }

    fn tell_dropped(&mut self, unix_ms: u64, messages: u64) {
        if messages > 0 {
            let kind = EventKind::SyslogDropped { messages };
            self.record(new_event(unix_ms, kind, Cause::Policy));
        }
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
        self.tell_refusal(unix_ms);
        if let Some((kind, cause)) = self.refused.take_due(now) {
            self.tell(now, unix_ms, kind, cause);
        }
        let messages = self.syslogs().filter_map(Syslog::take_dropped).sum();
        self.tell_dropped(unix_ms, messages);
        if let Some(text) = self.log.flush(now) {
            self.tell(now, unix_ms, EventKind::Trouble { text }, Cause::Policy);
        }
    }

    /// When event lines that wait are tried again, or refused clients told of.
    pub(super) fn deadline(&self) -> Option<Mono> {
        let deadlines = [self.log.deadline(), self.refused.deadline()];
        deadlines.into_iter().flatten().min()
    }

    pub(super) fn reopen(&mut self) -> Result<(), String> {
        self.log.reopen()
    }
}

/// An event that gets its number when it is told.
fn new_event(at: u64, kind: EventKind, cause: Cause) -> Event {
    Event {
        seq: 0,
        at,
        kind,
        cause,
    }
}

fn connect(settings: &model::Syslog) -> Syslog {
    Syslog::new(settings, Path::new(syslog::SOCKET))
}
