//! Carrying out the orders: deeds first, then the step, with an ear for signals all the while.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::process::exit;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, kill, raise};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::getpid;
use serde_json::{Value, json};

use super::facts;
use super::orders::{Action, Orders, Step};

/// The signals that are reported unless the orders say otherwise.
const HEARD: [(Signal, Action); 7] = [
    (Signal::SIGTERM, Action::Die),
    (Signal::SIGINT, Action::Die),
    (Signal::SIGHUP, Action::Die),
    (Signal::SIGQUIT, Action::Die),
    (Signal::SIGUSR1, Action::Die),
    (Signal::SIGUSR2, Action::Die),
    (Signal::SIGCONT, Action::Ignore),
];

/// A puppet at work.
pub struct Puppet {
    orders: Orders,
    pub(super) name: String,
    ledger: Option<File>,
    run: usize,
    reactions: Vec<(Signal, Action)>,
    ears: SignalFd,
}

impl Puppet {
    /// Looks around, reports it, and gets ready.
    pub fn new(orders: Orders) -> Self {
        let name = orders.name.clone();
        let name = name.or_else(|| std::env::var("TASKMASTER_PROCESS").ok());
        let name = name.unwrap_or_else(|| "puppet".into());
        let mut found = if orders.brief {
            facts::brief()
        } else {
            facts::full()
        };
        let reactions = reactions(&orders);
        let ledger = orders.ledger.as_ref().map(|path| open(path));
        let run = runs_before(&orders, &name);
        found["run"] = run.into();
        let puppet = Self {
            ears: listen(&reactions),
            orders,
            name,
            ledger,
            run,
            reactions,
        };
        puppet.report("start", found);
        puppet
    }

    /// Appends one line to the ledger.
    pub fn report(&self, what: &str, mut facts: Value) {
        let Some(mut ledger) = self.ledger.as_ref() else {
            return;
        };
        facts["ev"] = what.into();
        facts["name"] = self.name.as_str().into();
        facts["pid"] = getpid().as_raw().into();
        facts["t_ns"] = facts::now_ns().into();
        let line = format!("{facts}\n");
        ledger
            .write_all(line.as_bytes())
            .expect("a ledger can be written");
    }

    /// Does all it was told; does not come back.
    pub fn play(mut self) -> ! {
        for deed in std::mem::take(&mut self.orders.deeds) {
            self.perform(deed);
        }
        self.report("ready", json!({}));
        let plan = &self.orders.plan;
        let step = plan.get(self.run.min(plan.len().saturating_sub(1)));
        match step.copied().unwrap_or(Step::Stay) {
            Step::Stay => self.wait(None),
            Step::Exit { code, after } => {
                self.wait(Some(after));
                self.leave(code)
            }
            Step::Kill { signal, after } => {
                self.wait(Some(after));
                self.report("kill", json!({"signal": signal.as_str()}));
                die_of(signal)
            }
        }
        unreachable!("a puppet that stays waits for ever")
    }

    /// Waits, listening to signals and ticking; for ever without a limit.
    pub(super) fn wait(&self, limit: Option<Duration>) {
        let start = facts::now_ns();
        let mut ticks: u32 = 0;
        loop {
            let passed = Duration::from_nanos((facts::now_ns() - start).unsigned_abs());
            if limit.is_some_and(|limit| passed >= limit) {
                return;
            }
            let mut next = limit;
            if let Some(every) = self.orders.tick {
                if passed >= every * ticks {
                    ticks += 1;
                    super::deeds::write_all(1, format!("tick {ticks}\n").as_bytes());
                    continue;
                }
                next = Some(next.map_or(every * ticks, |limit| limit.min(every * ticks)));
            }
            self.listen_for(next.map(|next| next.saturating_sub(passed)));
        }
    }

    /// Reacts to the signals that come within the time.
    pub(super) fn listen_for(&self, time: Option<Duration>) {
        // One more millisecond, so that the time has passed for certain when poll comes back.
        let timeout = time.map_or(PollTimeout::NONE, |time| {
            let ms = if time.is_zero() {
                0
            } else {
                time.as_millis() + 1
            };
            PollTimeout::try_from(ms).unwrap_or(PollTimeout::MAX)
        });
        let mut fds = [PollFd::new(self.ears.as_fd(), PollFlags::POLLIN)];
        if poll(&mut fds, timeout).unwrap_or(0) == 0 {
            return;
        }
        while let Ok(Some(info)) = self.ears.read_signal() {
            let number = i32::try_from(info.ssi_signo).unwrap_or(0);
            if let Ok(signal) = Signal::try_from(number) {
                self.react(signal, info.ssi_pid);
            }
        }
    }

    fn react(&self, signal: Signal, from: u32) {
        self.report("signal", json!({"signal": signal.as_str(), "from": from}));
        let action = self
            .reactions
            .iter()
            .rev()
            .find(|(known, _)| *known == signal);
        match action.map_or(Action::Ignore, |(_, action)| *action) {
            Action::Ignore | Action::Default => {}
            Action::Die => die_of(signal),
            Action::Exit(code) => self.leave(code),
            Action::Slow(time) => {
                let ms = PollTimeout::try_from(time.as_millis()).unwrap_or(PollTimeout::MAX);
                poll(&mut [], ms).ok();
                self.leave(0)
            }
            Action::Fork => self.fork("fork", super::deeds::Child::Stubborn),
        }
    }

    /// Says so, and exits.
    pub(super) fn leave(&self, code: i32) -> ! {
        self.report("exit", json!({"code": code}));
        exit(code)
    }
}

/// Dies of a signal and of nothing else: not of the mask, and not of a handler.
fn die_of(signal: Signal) -> ! {
    SigSet::all().thread_unblock().ok();
    raise(signal).ok();
    kill(getpid(), Signal::SIGKILL).ok();
    exit(98)
}

fn reactions(orders: &Orders) -> Vec<(Signal, Action)> {
    HEARD.into_iter().chain(orders.on.iter().copied()).collect()
}

/// Blocks what is to be heard and opens the descriptor through which it comes.
fn listen(reactions: &[(Signal, Action)]) -> SignalFd {
    let mut heard = SigSet::empty();
    for &(signal, action) in reactions {
        match action {
            Action::Default => heard.remove(signal),
            Action::Ignore | Action::Die | Action::Exit(_) | Action::Slow(_) | Action::Fork => {
                heard.add(signal);
            }
        }
    }
    heard.thread_block().expect("a mask can be set");
    let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
    SignalFd::with_flags(&heard, flags).expect("a signalfd can be opened")
}

fn open(path: &std::path::Path) -> File {
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o666);
    let file = options.open(path);
    file.unwrap_or_else(|error| panic!("ledger {}: {error}", path.display()))
}

/// How many starts of the same name the ledger tells of.
fn runs_before(orders: &Orders, name: &str) -> usize {
    if orders.plan.len() < 2 {
        return 0;
    }
    let Some(Ok(file)) = orders.ledger.as_ref().map(File::open) else {
        return 0;
    };
    let lines = BufReader::new(file).lines().map_while(Result::ok);
    let starts = lines.filter_map(|line| serde_json::from_str::<Value>(&line).ok());
    starts
        .filter(|fact| fact["ev"] == "start" && fact["name"] == name)
        .count()
}
