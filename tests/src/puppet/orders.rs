//! The little language in which a puppet is told what to do.
//!
//! ```text
//! --ledger FILE            where it reports; without it, nowhere
//! --name NAME              what it calls itself; else TASKMASTER_PROCESS, else "puppet"
//! --brief                  report pid, run and time at the start, and nothing that costs time
//! --plan STEP,STEP,...     what this run comes to: the first step for the first run, the last for all later ones
//!                          stay | exit:CODE[@TIME] | kill:SIGNAL[@TIME]
//! --on SIGNAL=ACTION       die (report, then die of it: the default) | ignore (report) | default (no report)
//!                          | exit:CODE | slow:TIME (exit 0, but late) | fork (one more child, and stay)
//! ```
//! and deeds, which are done once, in the order they are written, before the step:
//! ```text
//! --write-out TEXT, --write-err TEXT    \n \r \t \e \0 \\ and \xNN are understood
//! --cat-out FILE                        a file's bytes
//! --flood BYTES, --flood-err BYTES      numbered lines of 64 bytes; 0 is for ever
//! --raw                                 switch off the terminal's output processing
//! --close-stdio-and-reopen-tty, --close-out
//! --fork, --fork-stubborn, --fork-setsid, --double-fork, --fork-hold-tty TIME
//! --read-stdin, --try-setuid-root
//! --lock FILE                           exit 99 if somebody holds it
//! --tick TIME                           a line to standard output every so often, for ever
//! ```
//! A time is `200ms`, `2s` or a number of seconds.

use std::path::PathBuf;
use std::time::Duration;

use nix::sys::signal::Signal;

/// All that a puppet was told.
#[derive(Clone, Debug, Default)]
pub struct Orders {
    pub ledger: Option<PathBuf>,
    pub name: Option<String>,
    pub brief: bool,
    pub plan: Vec<Step>,
    pub on: Vec<(Signal, Action)>,
    pub deeds: Vec<Deed>,
    pub tick: Option<Duration>,
}

/// What one run comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Stay,
    Exit { code: i32, after: Duration },
    Kill { signal: Signal, after: Duration },
}

/// What a signal does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is reported, then the puppet dies of it.
    Die,
    /// It is reported and changes nothing.
    Ignore,
    /// It is left alone.
    Default,
    Exit(i32),
    Slow(Duration),
    Fork,
}

/// Something to do once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    Write { fd: i32, bytes: Vec<u8> },
    Cat(PathBuf),
    Flood { fd: i32, bytes: u64 },
    Raw,
    ReopenTty,
    CloseOut,
    Fork,
    ForkStubborn,
    ForkSetsid,
    DoubleFork,
    ForkHoldTty(Duration),
    ReadStdin,
    TrySetuidRoot,
    Lock(PathBuf),
}

impl Orders {
    /// Reads a command line without its first word.
    pub fn parse(words: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut orders = Self::default();
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            if orders.flag(&word) {
                continue;
            }
            let value = words.next().ok_or(format!("{word}: a value is missing"))?;
            orders
                .option(&word, &value)
                .map_err(|problem| format!("{word} {value}: {problem}"))?;
        }
        Ok(orders)
    }

    fn flag(&mut self, word: &str) -> bool {
        let deed = match word {
            "--brief" => {
                self.brief = true;
                return true;
            }
            "--raw" => Deed::Raw,
            "--close-stdio-and-reopen-tty" => Deed::ReopenTty,
            "--close-out" => Deed::CloseOut,
            "--fork" => Deed::Fork,
            "--fork-stubborn" => Deed::ForkStubborn,
            "--fork-setsid" => Deed::ForkSetsid,
            "--double-fork" => Deed::DoubleFork,
            "--read-stdin" => Deed::ReadStdin,
            "--try-setuid-root" => Deed::TrySetuidRoot,
            _ => return false,
        };
        self.deeds.push(deed);
        true
    }

    fn option(&mut self, word: &str, value: &str) -> Result<(), String> {
        let flood = |fd| {
            let bytes = value.parse().map_err(|_| "not a number of bytes")?;
            Ok::<_, String>(Deed::Flood { fd, bytes })
        };
        let write = |fd| Deed::Write {
            fd,
            bytes: unescape(value),
        };
        match word {
            "--ledger" => self.ledger = Some(value.into()),
            "--name" => self.name = Some(value.into()),
            "--plan" => self.plan = value.split(',').map(step).collect::<Result<_, _>>()?,
            "--on" => self.on.push(reaction(value)?),
            "--tick" => self.tick = Some(time(value)?),
            "--write-out" => self.deeds.push(write(1)),
            "--write-err" => self.deeds.push(write(2)),
            "--cat-out" => self.deeds.push(Deed::Cat(value.into())),
            "--flood" => self.deeds.push(flood(1)?),
            "--flood-err" => self.deeds.push(flood(2)?),
            "--fork-hold-tty" => self.deeds.push(Deed::ForkHoldTty(time(value)?)),
            "--lock" => self.deeds.push(Deed::Lock(value.into())),
            _ => return Err("no such order".into()),
        }
        Ok(())
    }
}

fn step(text: &str) -> Result<Step, String> {
    let (what, after) = match text.split_once('@') {
        Some((what, after)) => (what, time(after)?),
        None => (text, Duration::ZERO),
    };
    match what.split_once(':') {
        None if what == "stay" => Ok(Step::Stay),
        Some(("exit", code)) => {
            let code = code.parse().map_err(|_| "not an exit code")?;
            Ok(Step::Exit { code, after })
        }
        Some(("kill", name)) => signal(name).map(|signal| Step::Kill { signal, after }),
        _ => Err(format!("no such step: {text}")),
    }
}

fn reaction(text: &str) -> Result<(Signal, Action), String> {
    let (name, action) = text.split_once('=').ok_or("SIGNAL=ACTION is wanted")?;
    let action = match action.split_once(':') {
        None if action == "die" => Action::Die,
        None if action == "ignore" => Action::Ignore,
        None if action == "default" => Action::Default,
        None if action == "fork" => Action::Fork,
        Some(("exit", code)) => Action::Exit(code.parse().map_err(|_| "not an exit code")?),
        Some(("slow", after)) => Action::Slow(time(after)?),
        _ => return Err(format!("no such action: {action}")),
    };
    Ok((signal(name)?, action))
}

fn signal(name: &str) -> Result<Signal, String> {
    shared::signal::parse(name)
        .and_then(|number| Signal::try_from(number).ok())
        .ok_or(format!("no such signal: {name}"))
}

fn time(text: &str) -> Result<Duration, String> {
    let (digits, unit) = match text.strip_suffix("ms") {
        Some(digits) => (digits, 0.001),
        None => (text.strip_suffix('s').unwrap_or(text), 1.0),
    };
    let number: f64 = digits.parse().map_err(|_| format!("no time: {text}"))?;
    Ok(Duration::from_secs_f64(number * unit))
}

/// The bytes that a text with backslashes means.
fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        match bytes.next() {
            Some(b'n') => out.push(b'\n'),
            Some(b'r') => out.push(b'\r'),
            Some(b't') => out.push(b'\t'),
            Some(b'e') => out.push(0x1b),
            Some(b'0') => out.push(0),
            Some(b'x') => {
                let digits: String = bytes.by_ref().take(2).map(char::from).collect();
                out.push(u8::from_str_radix(&digits, 16).unwrap_or(b'?'));
            }
            Some(other) => out.push(other),
            None => out.push(b'\\'),
        }
    }
    out
}
