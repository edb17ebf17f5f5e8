//! Messages to syslog, through its socket, without ever waiting for it.
//!
//! What syslog does not take at once is dropped and counted; when it works again it is told how many are
//! missing, and so is the event log. A syslogd that went and came back is found again. Each message is one
//! datagram, `<PRI>tag[PID]: text`, whose text has no control characters; syslog puts the time on it.

use std::io::{self, Write};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use shared::event::Severity;
use shared::text::{escape, escape_bytes};
use syslog::{Error, Facility, LogFormat, Logger, LoggerBackend};

use crate::config::model;
use crate::core::{Mono, Pid};
use crate::files::reason;
use crate::limits::{LOG_TROUBLE_MS, SYSLOG_LEN_MAX, SYSLOG_RETRY_MS};

/// Where syslog listens.
pub const SOCKET: &str = "/dev/log";

/// The facilities that a configuration may name, as `config` has them too; the kernel's is its own.
pub const FACILITIES: &[&str] = &[
    "auth", "authpriv", "cron", "daemon", "ftp", "lpr", "mail", "news", "syslog", "user", "uucp",
    "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
];

/// The longest tag, in bytes: the names of a process and its program, and some.
const TAG_LEN_MAX: usize = 128;

/// The connection to syslog.
pub struct Syslog {
    path: PathBuf,
    facility: Facility,
    tag: String,
    logger: Option<Logger<LoggerBackend, Format>>,
    /// When it may be connected to again, and when it may be told again what is missing.
    connect_at: Mono,
    tell_at: Mono,
    /// Messages that were dropped, before syslog was told and after.
    dropped: u64,
    told: u64,
    /// Why syslog did not take a message, until an event tells of it.
    refusal: Option<String>,
    /// Whether the present outage has had its refusal, and when there may be another.
    outage_noted: bool,
    note_at: Mono,
}

impl Syslog {
    /// A connection to the socket `path`, made with the first message.
    pub fn new(settings: &model::Syslog, path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            facility: settings.facility.parse().unwrap_or(Facility::LOG_DAEMON),
            tag: as_tag(&settings.tag),
            logger: None,
            connect_at: Mono::default(),
            tell_at: Mono::default(),
            dropped: 0,
            told: 0,
            refusal: None,
            outage_noted: false,
            note_at: Mono::default(),
        }
    }

    /// Sends the daemon's own message; what is too long is cut off.
    pub fn send(&mut self, now: Mono, severity: Severity, text: &str) {
        let text = escape(text);
        let header = Header {
            severity,
            tag: &self.tag.clone(),
            pid: std::process::id(),
        };
        let (fits, _) = split(&text, header.room());
        self.deliver(now, header.message(fits));
    }

    /// Sends a line of a program's output; what is too long becomes several messages.
    pub fn send_output(
        &mut self,
        now: Mono,
        process: &str,
        pid: Pid,
        severity: Severity,
        line: &[u8],
    ) {
        let text = escape_bytes(line);
        let header = Header {
            severity,
            tag: &as_tag(process),
            pid: pid.0.unsigned_abs(),
        };
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let (fits, after) = split(rest, header.room());
            self.deliver(now, header.message(fits));
            rest = after;
        }
    }

    /// How many messages were missing when syslog last came back, for an event. The event itself need not go
    /// to syslog, which was told.
    pub fn take_dropped(&mut self) -> Option<u64> {
        Some(std::mem::take(&mut self.told)).filter(|&count| count > 0)
    }

    /// Why syslog did not take a message, for an event: the first of an outage, and at most once a minute.
    pub fn take_refusal(&mut self) -> Option<String> {
        self.refusal.take()
    }

    /// How many messages are missing and were not told of, at the end.
    pub fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.dropped) + std::mem::take(&mut self.told)
    }

    fn deliver(&mut self, now: Mono, message: Message<'_>) {
        let owes = self.dropped > 0 && now >= self.tell_at;
        let told = if owes { self.tell(now) } else { Ok(()) };
        match told.and_then(|()| self.try_send(now, &message)) {
            // An outage lasts until syslog knows of it.
            Ok(()) => self.outage_noted &= self.dropped > 0,
            Err(error) => {
                self.dropped += 1;
                self.note(now, &error);
            }
        }
    }

    /// Notes why a message was dropped. An outage that begins too soon after the last one is noted later, if it lasts.
    fn note(&mut self, now: Mono, error: &io::Error) {
        if self.outage_noted || now < self.note_at {
            return;
        }
        self.outage_noted = true;
        self.note_at = now.after(LOG_TROUBLE_MS);
        let reason = match error.kind() {
            io::ErrorKind::WouldBlock => "it reads too slowly".into(),
            _ => reason(error),
        };
        self.refusal = Some(format!("{}: {reason}", self.path.display()));
    }

    /// Tells syslog how many messages are missing, where they are missing; at most once a second.
    fn tell(&mut self, now: Mono) -> io::Result<()> {
        let text = format!("{} messages were dropped before this one", self.dropped);
        let header = Header {
            severity: Severity::Warning,
            tag: &self.tag.clone(),
            pid: std::process::id(),
        };
        self.try_send(now, &header.message(&text))?;
        self.told += std::mem::take(&mut self.dropped);
        self.tell_at = now.after(SYSLOG_RETRY_MS);
        Ok(())
    }

    /// Sends over the connection there is; if that one is dead, over a new one.
    fn try_send(&mut self, now: Mono, message: &Message<'_>) -> io::Result<()> {
        let mut problem = io::ErrorKind::NotConnected.into();
        if let Some(logger) = &mut self.logger {
            match give(logger, message) {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => problem = error,
                done => return done,
            }
            self.logger = None;
        }
        if now < self.connect_at {
            return Err(problem);
        }
        give(self.connect(now)?, message)
    }

    fn connect(&mut self, now: Mono) -> io::Result<&mut Logger<LoggerBackend, Format>> {
        self.connect_at = now.after(SYSLOG_RETRY_MS);
        let format = Format {
            facility: self.facility,
        };
        let backend = LoggerBackend::Unix(socket(&self.path)?);
        Ok(self.logger.insert(Logger::new(backend, format)))
    }
}

/// The crate's own socket would wait when syslog's queue is full.
fn socket(path: &Path) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.connect(path)?;
    Ok(socket)
}

fn give(logger: &mut Logger<LoggerBackend, Format>, message: &Message<'_>) -> io::Result<()> {
    let sent = match message.severity {
        Severity::Error => logger.err(message),
        Severity::Warning => logger.warning(message),
        Severity::Info => logger.info(message),
    };
    sent.map_err(|error| match error {
        Error::Write(error) | Error::Io(error) => error,
        Error::Initialization(_) => io::ErrorKind::Other.into(),
    })
}

/// What stands before the text of a message.
struct Header<'a> {
    severity: Severity,
    tag: &'a str,
    pid: u32,
}

impl<'a> Header<'a> {
    /// How long the text may be.
    fn room(&self) -> usize {
        let longest = "<191>[4294967295]: ".len();
        SYSLOG_LEN_MAX - longest - self.tag.len()
    }

    fn message(&self, text: &'a str) -> Message<'a> {
        Message {
            severity: self.severity,
            tag: self.tag,
            pid: self.pid,
            text,
        }
    }
}

/// A message; its text is escaped and fits.
struct Message<'a> {
    severity: Severity,
    tag: &'a str,
    pid: u32,
    text: &'a str,
}

/// How a message becomes a datagram.
struct Format {
    facility: Facility,
}

impl LogFormat<&Message<'_>> for Format {
    fn format<W: Write>(
        &self,
        w: &mut W,
        severity: syslog::Severity,
        message: &Message<'_>,
    ) -> syslog::Result<()> {
        let priority = self.facility as u8 | severity as u8;
        let Message { tag, pid, text, .. } = message;
        write!(w, "<{priority}>{tag}[{pid}]: {text}").map_err(Error::Write)
    }
}

/// The name of a process as a tag: `web:1` is `web/1`, because a colon ends a tag.
fn as_tag(name: &str) -> String {
    let chars = name.chars().map(|c| match c {
        ':' => '/',
        'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' | '.' | '/' => c,
        _ => '_',
    });
    chars.take(TAG_LEN_MAX).collect()
}

/// As much of `text` as fits into `len` bytes, and the rest.
fn split(text: &str, len: usize) -> (&str, &str) {
    text.split_at(text.floor_char_boundary(len))
}

#[cfg(test)]
mod tests;
