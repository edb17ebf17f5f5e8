//! Where the output of a process goes: its file, the memory, syslog, our own streams; and who follows it.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use mio::Token;
use shared::api::Stream;
use shared::event::{EventKind, Severity};

use crate::child::ansi::AnsiStripper;
use crate::child::output::{Lines, Timestamper, WholeLines};
use crate::config::model::{Output, Program};
use crate::core::{Mono, Pid};
use crate::files::user::UserFiles;
use crate::files::{DaemonFiles, Files};
use crate::logs::file::{LogWriter, Report};
use crate::logs::ring::Ring;
use crate::sinks::eventlog::own;
use crate::sys::{self, Arena};

use super::news::{NO_PID, News, Speaker};
use super::terminal::Terminal;

/// Both streams of a process.
pub(super) struct Outlet {
    pub(super) stdout: Channel,
    pub(super) stderr: Channel,
    /// Made at the first output or the first look.
    pub(super) terminal: Option<Box<Terminal>>,
}

/// One stream.
pub(super) struct Channel {
    sink: Sink,
    stream: Stream,
    timestamps: Option<Timestamper>,
    /// Who wrote the line of the file that was the last to get a time.
    line_by: Pid,
    strip_ansi: bool,
    begun: Vec<Begun>,
    filtered: Vec<u8>,
    /// The clients that follow it.
    pub(super) followers: Vec<Token>,
}

/// What a process has begun and not ended: an escape sequence, a line for syslog or for a file of several. Whoever else
/// writes to the stream, its next incarnation or a child that outlives it, does not go on with it.
struct Begun {
    by: Pid,
    ansi: AnsiStripper,
    lines: Lines,
    whole: WholeLines,
}

enum Sink {
    Nowhere,
    Memory(Ring<Arena>),
    File(Box<LogWriter>),
    Syslog,
    /// The daemon's own stream; bytes it cannot take at once are lost.
    Inherit(Option<OwnedFd>),
}

/// The moment, by both clocks.
#[derive(Clone, Copy)]
pub(super) struct At {
    pub(super) now: Mono,
    pub(super) unix_ms: u64,
}

impl Outlet {
    pub(super) fn new(program: &Program, at: At, news: &mut News, who: &Speaker) -> Self {
        let mut outlet = Self {
            stdout: Channel::new(Stream::Stdout, program),
            stderr: Channel::new(Stream::Stderr, program),
            terminal: None,
        };
        for channel in outlet.channels() {
            channel.reopen(at, news, who);
        }
        outlet
    }

    /// A new destination for a stream; those who follow it stay.
    pub(super) fn redirect(
        &mut self,
        stream: Stream,
        program: &Program,
        at: At,
        news: &mut News,
        who: &Speaker,
    ) {
        let channel = self.channel(stream);
        channel.finish_all(at, news, who);
        let followers = std::mem::take(&mut channel.followers);
        *channel = Channel {
            followers,
            ..Channel::new(stream, program)
        };
        channel.reopen(at, news, who);
    }

    pub(super) fn terminal(&mut self) -> &mut Terminal {
        self.terminal
            .get_or_insert_with(|| Box::new(Terminal::new()))
    }

    pub(super) fn channel(&mut self, stream: Stream) -> &mut Channel {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }

    pub(super) fn channels(&mut self) -> [&mut Channel; 2] {
        [&mut self.stdout, &mut self.stderr]
    }
}

impl Channel {
    fn new(stream: Stream, program: &Program) -> Self {
        let (mut timestamps, mut strip_ansi) = (None, false);
        let sink = match program.output(stream) {
            Output::Memory => Sink::Memory(Ring::new(Arena::new)),
            Output::Discard | Output::Stdout => Sink::Nowhere,
            Output::Inherit => Sink::Inherit(own_stream(stream)),
            Output::Syslog => Sink::Syslog,
            Output::File(file) => {
                timestamps = file.timestamps.then(Timestamper::default);
                strip_ansi = file.strip_ansi;
                let files: Box<dyn Files> = match &program.launch.user {
                    Some(user) => Box::new(UserFiles(user.clone())),
                    None => Box::new(DaemonFiles),
                };
                Sink::File(Box::new(LogWriter::new(file, files)))
            }
        };
        Self {
            sink,
            stream,
            timestamps,
            line_by: NO_PID,
            strip_ansi,
            begun: Vec::new(),
            filtered: Vec::new(),
            followers: Vec::new(),
        }
    }

    /// Takes output in; nothing here waits.
    pub(super) fn write(&mut self, bytes: &[u8], at: At, news: &mut News, who: &Speaker) {
        let mut reports = Vec::new();
        match &mut self.sink {
            Sink::Nowhere | Sink::Inherit(None) => {}
            Sink::Memory(ring) => ring.push(bytes),
            Sink::Inherit(Some(fd)) => inherit(fd, bytes),
            Sink::Syslog => {
                let severity = severity_of(self.stream);
                let lines = &mut begun_by(&mut self.begun, who.pid).lines;
                lines.push(bytes, |line| news.output_line(at.now, who, severity, line));
            }
            Sink::File(_) => {
                let (mut plain, mut whole) = (Vec::new(), Vec::new());
                let mut bytes = bytes;
                if self.strip_ansi {
                    let stripper = &mut begun_by(&mut self.begun, who.pid).ansi;
                    stripper.strip(bytes, &mut plain);
                    bytes = &plain;
                }
                if who.shares_logs || self.holds_back(who.pid) {
                    let lines = &mut begun_by(&mut self.begun, who.pid).whole;
                    lines.push(bytes, &mut whole);
                    bytes = &whole;
                }
                self.write_file(bytes, at, who.pid, &mut reports);
            }
        }
        self.report(reports, at, news, who);
    }

    /// Whether the beginning of a line of `pid` waits: a reload may have left the file to this process alone.
    fn holds_back(&self, pid: Pid) -> bool {
        let mut begun = self.begun.iter();
        begun.any(|begun| begun.by == pid && begun.whole.holds_back())
    }

    /// Writes what `pid` has written to the file, if it goes to one.
    fn write_file(&mut self, bytes: &[u8], at: At, pid: Pid, out: &mut Vec<Report>) {
        let Sink::File(writer) = &mut self.sink else {
            return;
        };
        match &mut self.timestamps {
            Some(stamper) if !bytes.is_empty() => {
                self.filtered.clear();
                if std::mem::replace(&mut self.line_by, pid) != pid {
                    stamper.end_line(&mut self.filtered);
                }
                stamper.stamp(at.unix_ms, bytes, &mut self.filtered);
                writer.write(at.now, &self.filtered, out);
            }
            Some(_) => {}
            None => writer.write(at.now, bytes, out),
        }
    }

    /// Nobody writes any more what `who` wrote: what was held back comes out, and what was begun is forgotten.
    pub(super) fn finish(&mut self, at: At, news: &mut News, who: &Speaker) {
        let mut reports = Vec::new();
        let begun = self.begun.iter().position(|begun| begun.by == who.pid);
        if let Some(mut begun) = begun.map(|index| self.begun.swap_remove(index)) {
            let severity = severity_of(self.stream);
            let lines = &mut begun.lines;
            lines.finish(|line| news.output_line(at.now, who, severity, line));
            let mut held = Vec::new();
            begun.whole.finish(&mut held);
            self.write_file(&held, at, who.pid, &mut reports);
        }
        if let (Sink::File(writer), Some(stamper)) = (&mut self.sink, &mut self.timestamps)
            && self.line_by == who.pid
        {
            self.filtered.clear();
            stamper.end_line(&mut self.filtered);
            writer.write(at.now, &self.filtered, &mut reports);
        }
        self.report(reports, at, news, who);
    }

    /// Nobody writes to this destination any more.
    pub(super) fn finish_all(&mut self, at: At, news: &mut News, who: &Speaker) {
        let pids = self.begun.iter().map(|begun| begun.by);
        for pid in pids.chain([self.line_by]).collect::<Vec<_>>() {
            let shown = who.shown.clone();
            let by = Speaker { shown, pid, ..*who };
            self.finish(at, news, &by);
        }
        let mut reports = Vec::new();
        if let Sink::File(writer) = &mut self.sink {
            writer.finish(&mut reports);
        }
        self.report(reports, at, news, who);
    }

    /// Opens the file anew, as after a rotation by somebody else.
    pub(super) fn reopen(&mut self, at: At, news: &mut News, who: &Speaker) {
        let mut reports = Vec::new();
        if let Sink::File(writer) = &mut self.sink {
            writer.reopen(at.now, &mut reports);
        }
        self.report(reports, at, news, who);
    }

    /// The last `n` bytes, and whether there were more before them; an error says why there are none.
    pub(super) fn tail(&self, n: usize) -> Result<(Vec<u8>, bool), String> {
        match &self.sink {
            Sink::Memory(ring) => Ok(ring.last(n)),
            Sink::File(writer) => writer.tail(n),
            Sink::Nowhere => Err("its output is discarded".into()),
            Sink::Syslog => Err("its output goes to syslog".into()),
            Sink::Inherit(_) => Err("its output goes to where the daemon's goes".into()),
        }
    }

    /// Empties what is kept.
    pub(super) fn clear(&mut self) -> Result<(), String> {
        match &mut self.sink {
            Sink::Memory(ring) => ring.clear(),
            Sink::File(writer) => {
                writer.clear()?;
                // The beginning of a line is gone, and its time with it.
                self.timestamps = self.timestamps.take().map(|_| Timestamper::default());
            }
            Sink::Nowhere | Sink::Syslog | Sink::Inherit(_) => {}
        }
        Ok(())
    }

    fn report(&self, reports: Vec<Report>, at: At, news: &mut News, who: &Speaker) {
        let Sink::File(writer) = &self.sink else {
            return;
        };
        for report in reports {
            let process = who.shown.clone();
            let path = writer.path().display().to_string();
            let kind = match report {
                Report::Trouble { reason, lost } => EventKind::LogTrouble {
                    process,
                    path,
                    reason,
                    lost_bytes: lost,
                },
                Report::Recovered { lost } => EventKind::LogRecovered {
                    process,
                    path,
                    lost_bytes: lost,
                },
                Report::Hindered { reason } => EventKind::Trouble {
                    text: format!("{process}: {path}: {reason}"),
                },
                Report::Deleted => EventKind::Notice {
                    text: format!("{process}: {path} was deleted; output goes to a new file"),
                },
            };
            news.tell(at.now, at.unix_ms, kind, shared::event::Cause::Policy);
        }
    }
}

/// What the process of `pid` has begun.
fn begun_by(all: &mut Vec<Begun>, pid: Pid) -> &mut Begun {
    let index = all.iter().position(|begun| begun.by == pid);
    let index = index.unwrap_or_else(|| {
        all.push(Begun {
            by: pid,
            ansi: AnsiStripper::default(),
            lines: Lines::default(),
            whole: WholeLines::default(),
        });
        all.len() - 1
    });
    &mut all[index]
}

fn severity_of(stream: Stream) -> Severity {
    match stream {
        Stream::Stdout => Severity::Info,
        Stream::Stderr => Severity::Warning,
    }
}

/// The daemon's own stream of the same name, to write to without waiting.
fn own_stream(stream: Stream) -> Option<OwnedFd> {
    match stream {
        Stream::Stdout => own(io::stdout().as_fd()),
        Stream::Stderr => own(io::stderr().as_fd()),
    }
}

/// As much as the daemon's own stream takes at once. Whoever reads it slowly must not slow the programs down.
fn inherit(stream: &OwnedFd, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match sys::write_now(stream.as_fd(), bytes) {
            Ok(n) if n > 0 => bytes = &bytes[n..],
            Ok(_) | Err(_) => return,
        }
    }
}
