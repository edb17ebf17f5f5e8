//! The reactor: one thread, one poll, one turn after another; it carries bytes and wishes and takes no decisions.
//!
//! A turn sleeps until there is news, takes it in, lets the core draw its conclusions, and gives out what came
//! of it. Nothing in a turn waits for anything: what could be slow is a child process of our own.

mod attach;
mod clients;
mod debts;
mod kept;
mod leader;
mod look;
mod news;
mod outlets;
mod output;
mod perform;
mod reap;
mod refused;
mod reload;
pub mod signals;
mod socket;
mod sources;
mod strays;
mod terminal;
mod typing;
mod viewers;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mio::net::UnixStream;
use mio::{Events, Interest, Poll, Token};
use nix::sys::signal::Signal;
use nix::sys::signalfd::SignalFd;
use shared::event::{Cause, EventKind};

use crate::child::Heritage;
use crate::config::model::Config;
use crate::control::client::Client;
use crate::control::listener::Listener;
use crate::control::peer::Peer;
use crate::core::{Effect, Input, Mono, ProcessId, Supervisor};
use crate::sinks::eventlog::EventLog;
use crate::sys;

use debts::Debts;
use news::{NO_PID, News, Speaker};
use outlets::{At, Outlet};
use reload::Reloads;
use sources::{Source, Sources};

/// Events taken from the kernel at once; the rest comes with the next turn.
const EVENTS_MAX: usize = 256;

/// What the reactor is given to work with.
pub struct Equipment {
    /// What is to be supervised.
    pub config: Config,
    /// The file it came from, which a reload reads again.
    pub config_path: PathBuf,
    /// The control socket.
    pub listener: Listener,
    /// The daemon's signals.
    pub signals: SignalFd,
    /// What children inherit.
    pub heritage: Heritage,
    /// Where events go.
    pub log: EventLog,
    /// The control shell that was started with the daemon and ends it by ending.
    pub shell: Option<Shell>,
}

/// A control shell in the daemon's own terminal.
pub struct Shell {
    /// Its process.
    pub pid: i32,
    /// Reaps it, once it is dead. One that lives when this is dropped, with the reactor, is ended first.
    pub ended: Box<dyn FnOnce()>,
}

/// The daemon at work.
pub struct Reactor {
    poll: Poll,
    started: Instant,
    now: Mono,
    unix_ms: u64,
    core: Supervisor,
    inbox: VecDeque<Input>,
    sources: Sources,
    debts: Debts,
    signals: SignalFd,
    listener: Listener,
    clients: BTreeMap<Token, Client>,
    /// Who came when there was no place, until it is known whether somebody had left before.
    latecomer: Option<(UnixStream, Peer)>,
    /// Clients with something to send.
    dirty: BTreeSet<Token>,
    /// Let go of when descriptors have run out, so that one more client can be heard.
    spare: Option<OwnedFd>,
    children: HashMap<i32, Incarnation>,
    outlets: HashMap<ProcessId, Outlet>,
    /// Terminals and pipes of the dead that somebody may still write to.
    leftovers: HashMap<ProcessId, Vec<Token>>,
    heritage: Heritage,
    news: News,
    reloads: Reloads,
    /// Processes that somebody is attached to.
    attended: BTreeSet<ProcessId>,
    /// Outputs that are not read for a moment, for whom, and until when at most.
    paced: BTreeMap<Token, (Token, Mono)>,
    /// Processes whose terminal has another size for a moment, and until when.
    redrawing: BTreeMap<ProcessId, Mono>,
    shell: Option<Shell>,
    buffer: Vec<u8>,
    leaving: bool,
}

/// A child that is supervised.
struct Incarnation {
    id: ProcessId,
    child: sys::Child,
    exec_status: Option<Token>,
    outputs: Vec<Token>,
}

impl Reactor {
    /// Puts everything into the poll and starts what has `autostart`, at the first turn.
    ///
    /// # Errors
    /// What the kernel says of epoll and the descriptors.
    pub fn new(equipment: Equipment) -> io::Result<Self> {
        let Equipment {
            config,
            config_path,
            mut listener,
            signals,
            heritage,
            log,
            shell,
        } = equipment;
        let poll = Poll::new()?;
        let mut sources = Sources::new(poll.registry().try_clone()?);
        sources.add_fd(&signals, || Source::Signals)?;
        sources.add(&mut listener.socket, Interest::READABLE, Source::Listener)?;
        let news = News::new(log, config.syslog.as_ref());
        let mut reactor = Self {
            poll,
            started: Instant::now(),
            now: Mono::default(),
            unix_ms: unix_ms(),
            core: Supervisor::new(config, Mono::default()),
            inbox: VecDeque::new(),
            sources,
            // Connections and signals may have come before we listened, and the shell may be dead already.
            debts: Debts {
                signals: true,
                deaths: true,
                accept: true,
                ..Debts::default()
            },
            signals,
            listener,
            clients: BTreeMap::new(),
            dirty: BTreeSet::new(),
            latecomer: None,
            spare: clients::spare(),
            children: HashMap::new(),
            outlets: HashMap::new(),
            leftovers: HashMap::new(),
            heritage,
            news,
            reloads: Reloads::new(config_path),
            attended: BTreeSet::new(),
            paced: BTreeMap::new(),
            redrawing: BTreeMap::new(),
            shell,
            buffer: Vec::new(),
            leaving: false,
        };
        reactor.announce();
        Ok(reactor)
    }

    /// Turns until a shutdown is done.
    ///
    /// # Errors
    /// The poll itself does not work; there is nothing to be done then.
    pub fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS_MAX);
        while !self.leaving {
            self.turn(&mut events)?;
        }
        Ok(())
    }

    fn turn(&mut self, events: &mut Events) -> io::Result<()> {
        self.sleep(events)?;
        self.read_clocks();
        self.sort(events);
        self.take_in();
        self.settle();
        self.give_out();
        Ok(())
    }

    /// Until news, the next deadline, or not at all if there are debts.
    fn sleep(&mut self, events: &mut Events) -> io::Result<()> {
        let is_due = self.debts.are_due() || self.reloads.are_due() || !self.inbox.is_empty();
        let timeout = match self.deadline() {
            _ if is_due => Some(Duration::ZERO),
            Some(at) => Some(Duration::from_millis(at.since(self.mono()))),
            None => None,
        };
        match self.poll.poll(events, timeout) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {
                events.clear();
                Ok(())
            }
            other => other,
        }
    }

    /// When something is to be done even if nothing happens.
    fn deadline(&self) -> Option<Mono> {
        let clients = self.clients.values().filter_map(Client::deadline).min();
        [
            self.core.deadline(),
            clients,
            self.debts.deadline(),
            self.reloads.deadline(),
            self.paced.values().map(|&(_, until)| until).min(),
            self.viewers_deadline(),
            self.news.deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn mono(&self) -> Mono {
        Mono(u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    /// What the clocks say now is the time of the whole turn.
    fn read_clocks(&mut self) {
        self.now = self.mono();
        self.unix_ms = unix_ms();
    }

    fn at(&self) -> At {
        At {
            now: self.now,
            unix_ms: self.unix_ms,
        }
    }

    /// Turns what the kernel announced into debts.
    fn sort(&mut self, events: &Events) {
        for event in events {
            let token = event.token();
            match self.sources.get(token) {
                Some(Source::Signals) => self.debts.signals = true,
                Some(Source::Listener) => self.debts.accept = true,
                Some(Source::Client) => {
                    let gone =
                        event.is_error() || (event.is_read_closed() && event.is_write_closed());
                    self.client_ready(token, gone, event.is_read_closed());
                }
                Some(Source::ExecStatus { .. }) => {
                    self.debts.exec_status.insert(token);
                }
                Some(Source::Output(_)) => {
                    self.debts.outputs.insert(token);
                }
                Some(Source::Helper { .. }) => self.debts.helper = Some(token),
                None => {}
            }
        }
    }

    /// Deaths before deadlines, children before clients: whoever asks hears what is the case.
    fn take_in(&mut self) {
        self.take_in_signals();
        self.take_in_exec_status();
        self.take_in_deaths();
        if self.core.deadline().is_some_and(|at| at <= self.now) {
            self.inbox.push_back(Input::Timeout);
        }
        self.settle();
        self.end_pacing();
        self.take_in_output();
        self.take_in_reload();
        self.settle();
        self.take_in_clients();
    }

    /// Inputs become effects become inputs, until nothing is left. The answers of effects go to the front, so
    /// that the core learns the fate of what it asked for before it hears other news.
    fn settle(&mut self) {
        let mut effects: Vec<Effect> = Vec::new();
        while let Some(input) = self.inbox.pop_front() {
            self.core.handle(self.now, input, &mut effects);
            let answers: Vec<Input> = effects
                .drain(..)
                .filter_map(|effect| self.perform(effect))
                .collect();
            for answer in answers.into_iter().rev() {
                self.inbox.push_front(answer);
            }
        }
    }

    /// What was gathered in the turn leaves.
    fn give_out(&mut self) {
        self.tell_attached();
        // Whoever has his answer finds in the log what was done.
        self.news.flush(self.now, self.unix_ms);
        self.send_to_clients();
        self.news.flush(self.now, self.unix_ms);
    }

    fn tell(&mut self, kind: EventKind, cause: Cause) {
        self.news.tell(self.now, self.unix_ms, kind, cause);
    }

    fn announce(&mut self) {
        let config = self.core.config();
        let kind = EventKind::DaemonStarted {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").into(),
            config: self.reloads.path().display().to_string(),
            programs: config.programs.len(),
        };
        let warnings = config.warnings.clone();
        self.tell(kind, Cause::Boot);
        self.warn(warnings);
    }

    /// Remarks about a configuration that is in force.
    fn warn(&mut self, warnings: Vec<String>) {
        for text in warnings {
            self.tell(EventKind::Warning { text }, Cause::Policy);
        }
    }

    fn take_in_signals(&mut self) {
        if !std::mem::take(&mut self.debts.signals) {
            return;
        }
        while let Ok(Some(info)) = self.signals.read_signal() {
            let Ok(signal) = Signal::try_from(info.ssi_signo.cast_signed()) else {
                continue;
            };
            let cause = Cause::Signal(signal.as_str().into());
            match signal {
                Signal::SIGCHLD => self.debts.deaths = true,
                Signal::SIGHUP => self.ask_for_reload(reload::Asker::signal(cause)),
                Signal::SIGUSR2 => self.reopen(cause),
                // Who presses Ctrl-C twice does not want to wait.
                Signal::SIGINT if self.core.is_leaving() => {
                    self.inbox.push_back(Input::ShutdownNow { cause })
                }
                _ => self.inbox.push_back(Input::Shutdown {
                    ticket: None,
                    cause,
                }),
            }
        }
    }

    /// Log files are opened anew, and the control socket is made again if somebody removed it.
    fn reopen(&mut self, cause: Cause) {
        if let Err(text) = self.news.reopen() {
            self.tell(EventKind::Trouble { text }, Cause::Policy);
        }
        let at = self.at();
        for (id, outlet) in &mut self.outlets {
            let who = Speaker::of(&self.core, *id, NO_PID);
            for channel in outlet.channels() {
                channel.reopen(at, &mut self.news, &who);
            }
        }
        self.restore_socket();
        self.tell(EventKind::LogsReopened, cause);
    }
}

/// The wall clock, which is written on events and compared with nothing.
fn unix_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
