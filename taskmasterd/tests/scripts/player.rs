//! An obedient reactor with a clock that only the script moves.
//!
//! | order | what it does |
//! |---|---|
//! | `program NAME KEY=VALUE ...`, `drop NAME` | write in the configuration that the next `boot` or `reload` takes |
//! | `boot` | the daemon starts |
//! | `reload`, `shutdown` | by a client of its own; `on=HUP`: by a signal |
//! | `shutdown-now` | the second SIGINT |
//! | `start NAME ...`, `stop`, `restart`, `signal USR1 NAME ...` | each by a client of its own, from 1 on, or by `client=2` |
//! | `gone client=2` | the client goes away |
//! | `exit NAME code=1`, `exit NAME signal=SEGV` | the process ends |
//! | `exec-slow NAME` | from now on what is spawned of it is not its program before one of the next two |
//! | `exec-fails NAME ENOENT` | it could not become its program; its end must be ordered too; `stage=chdir` |
//! | `exec-done NAME` | it has become its program |
//! | `spawn-fails NAME EAGAIN` | the next time it is spawned, that fails |
//! | `signal-fails NAME EPERM` | the next signal that somebody sends it by command is refused |
//! | `wait 2s`, `at 2s` | time passes; what is due on the way happens at its exact time |
//! | `oversleep 2s` | time passes, and the daemon does not notice until the next order is given |
//! | `status` | shows the states |
//!
//! Orders joined by `; ` reach the core before it looks at its deadlines; otherwise what is due at once happens
//! after each line. Pids count up from 101.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use shared::event::Cause;
use shared::name::Selector;
use taskmasterd::config::model::Config;
use taskmasterd::core::{
    Effect, Failure, Input, Mono, Pid, Process, ProcessId, Supervisor, Ticket, Verb,
};

use crate::words;

/// Timeouts at one instant after which the core is taken to go round in a circle.
const TIMEOUTS_AT_ONCE_MAX: usize = 1000;

pub(crate) struct Player {
    now: Mono,
    config: Config,
    core: Option<Supervisor>,
    pids: i32,
    clients: u64,
    /// Names by id, kept for effects that name a process which is already forgotten.
    names: BTreeMap<ProcessId, String>,
    /// Processes whose next spawn fails, by what they are called in the script.
    unlucky: BTreeMap<ProcessId, Failure>,
    /// Processes that may not be sent the next signal, and why.
    untouchable: BTreeMap<ProcessId, Failure>,
    /// Processes whose exec is over only when the script says so.
    slow: BTreeSet<ProcessId>,
    output: Vec<String>,
}

impl Player {
    pub(crate) fn new() -> Self {
        Self {
            now: Mono(0),
            config: Config::default(),
            core: None,
            pids: 100,
            clients: 0,
            names: BTreeMap::new(),
            unlucky: BTreeMap::new(),
            untouchable: BTreeMap::new(),
            slow: BTreeSet::new(),
            output: Vec::new(),
        }
    }

    /// What came out since this was last asked.
    pub(crate) fn take_output(&mut self) -> Vec<String> {
        std::mem::take(&mut self.output)
    }

    /// Carries out one line, and what is due at once after it.
    pub(crate) fn obey(&mut self, line: &str) -> Result<(), String> {
        for order in line.split("; ") {
            let words: Vec<&str> = order.split_whitespace().collect();
            let (verb, rest) = words.split_first().ok_or("an order is missing")?;
            self.order(verb, rest)?;
        }
        if self.core.is_some() {
            self.pass(self.now)?;
        }
        Ok(())
    }

    fn order(&mut self, verb: &str, words: &[&str]) -> Result<(), String> {
        match verb {
            "program" => {
                let program = words::program(words)?;
                self.config
                    .programs
                    .insert(program.name.clone(), Arc::new(program));
            }
            "drop" => {
                let name = words.first().ok_or("drop what?")?;
                let gone = self.config.programs.remove(*name);
                gone.ok_or(format!("there is no {name}"))?;
            }
            "boot" => {
                self.core = Some(Supervisor::new(self.config.clone(), self.now));
                self.learn_names();
            }
            "start" => self.command(Verb::Start, words)?,
            "stop" => self.command(Verb::Stop, words)?,
            "restart" => self.command(Verb::Restart, words)?,
            "signal" => {
                let (signal, names) = words.split_first().ok_or("which signal?")?;
                self.command(Verb::Signal(words::signal(signal)?), names)?;
            }
            "gone" => {
                let (ticket, _) = self.client(words)?;
                self.tell(Input::ClientGone { ticket })?;
            }
            "exit" => self.exit(words)?,
            "exec-slow" => {
                let (id, _) = self.process(words.first().ok_or("whose exec?")?)?;
                self.slow.insert(id);
            }
            "exec-fails" => self.exec_fails(words)?,
            "exec-done" => {
                let (id, process) = self.process(words.first().ok_or("whose exec?")?)?;
                let pid = process.pid().ok_or("it does not run")?;
                self.tell(Input::Executed { id, pid })?;
            }
            "spawn-fails" => {
                let [name, errno] = words else {
                    return Err("spawn-fails NAME ERRNO".into());
                };
                let failure = words::failure("fork", errno)?;
                self.unlucky.insert(self.process(name)?.0, failure);
            }
            "signal-fails" => {
                let [name, errno] = words else {
                    return Err("signal-fails NAME ERRNO".into());
                };
                let failure = words::failure("kill", errno)?;
                self.untouchable.insert(self.process(name)?.0, failure);
            }
            "wait" | "at" | "oversleep" => {
                let time = words::time(words.first().ok_or("how long?")?)?;
                match verb {
                    "wait" => self.pass(self.now.after(time))?,
                    "at" => self.pass(Mono(time))?,
                    _ => self.now = self.now.after(time),
                }
            }
            "reload" | "shutdown" => self.house(verb, words)?,
            "shutdown-now" => self.tell(Input::ShutdownNow {
                cause: Cause::Signal("SIGINT".into()),
            })?,
            "status" => self.status()?,
            _ => return Err("there is no such order".into()),
        }
        Ok(())
    }

    /// Takes the client out of the words; where none is named it is a new one.
    fn client<'a>(&mut self, words: &[&'a str]) -> Result<(Ticket, Vec<&'a str>), String> {
        let (mut ticket, mut rest) = (None, Vec::new());
        for word in words {
            match word.strip_prefix("client=") {
                Some(number) => ticket = Some(words::number(number)?),
                None => rest.push(*word),
            }
        }
        let ticket = ticket.unwrap_or(self.clients + 1);
        self.clients = self.clients.max(ticket);
        Ok((Ticket(ticket), rest))
    }

    fn command(&mut self, verb: Verb, words: &[&str]) -> Result<(), String> {
        let (ticket, names) = self.client(words)?;
        let names: Vec<Selector> = names
            .into_iter()
            .map(str::parse)
            .collect::<Result<_, _>>()?;
        self.tell(Input::Command {
            ticket,
            cause: peer(ticket),
            verb,
            names,
        })
    }

    /// Reload and shutdown, by a client or by a signal.
    fn house(&mut self, verb: &str, words: &[&str]) -> Result<(), String> {
        let (ticket, cause) = match words.first().and_then(|word| word.strip_prefix("on=")) {
            Some(signal) => (None, Cause::Signal(format!("SIG{signal}"))),
            None => {
                let (ticket, _) = self.client(words)?;
                (Some(ticket), peer(ticket))
            }
        };
        let config = self.config.clone();
        self.tell(match verb {
            "reload" => Input::Reload {
                ticket,
                cause,
                config,
            },
            _ => Input::Shutdown { ticket, cause },
        })
    }

    fn exit(&mut self, words: &[&str]) -> Result<(), String> {
        let [name, end] = words else {
            return Err("exit NAME code=1".into());
        };
        let (id, process) = self.process(name)?;
        let pid = process.pid().ok_or("it does not run")?;
        let exit = words::exit(end)?;
        self.tell(Input::Exited { id, pid, exit })
    }

    fn exec_fails(&mut self, words: &[&str]) -> Result<(), String> {
        let (name, errno) = match words {
            [name, errno, ..] => (name, errno),
            [..] => return Err("exec-fails NAME ERRNO".into()),
        };
        let stage = words.get(2).and_then(|word| word.strip_prefix("stage="));
        let failure = words::failure(stage.unwrap_or("exec"), errno)?;
        let (id, process) = self.process(name)?;
        let pid = process.pid().ok_or("it does not run")?;
        self.tell(Input::ExecFailed { id, pid, failure })
    }

    /// The process called `web:1`, or `web` where there is one.
    fn process(&self, name: &str) -> Result<(ProcessId, &Process), String> {
        let core = self.core.as_ref().ok_or("boot first")?;
        let ids = core.select(&name.parse()?);
        let [id] = ids[..] else {
            return Err(format!("{name} is not one process"));
        };
        Ok((id, core.process(id).ok_or("it is gone")?))
    }

    /// Lets time pass until `then`, carrying out each deadline at its time.
    fn pass(&mut self, then: Mono) -> Result<(), String> {
        let mut at_once = 0;
        while let Some(due) = self.core.as_ref().ok_or("boot first")?.deadline() {
            if due > then {
                break;
            }
            at_once = if due > self.now { 0 } else { at_once + 1 };
            if at_once > TIMEOUTS_AT_ONCE_MAX {
                return Err(format!("nothing happens at {:?}, for ever", self.now));
            }
            self.now = self.now.max(due);
            self.tell(Input::Timeout)?;
        }
        self.now = self.now.max(then);
        Ok(())
    }

    /// Tells the core one fact and does what it wishes; what came of it is told before anything else.
    fn tell(&mut self, input: Input) -> Result<(), String> {
        let mut facts = VecDeque::from([input]);
        while let Some(fact) = facts.pop_front() {
            let mut effects = Vec::new();
            let core = self.core.as_mut().ok_or("boot first")?;
            core.handle(self.now, fact, &mut effects);
            self.learn_names();
            let mut answers: Vec<Input> = effects.iter().filter_map(|e| self.perform(e)).collect();
            let executed: Vec<Input> = answers.iter().filter_map(|a| self.executed(a)).collect();
            answers.extend(executed);
            answers
                .into_iter()
                .rev()
                .for_each(|answer| facts.push_front(answer));
        }
        Ok(())
    }

    fn perform(&mut self, effect: &Effect) -> Option<Input> {
        let name = |id: &ProcessId| self.names.get(id).cloned().unwrap_or_default();
        let (line, answer) = match effect {
            Effect::Spawn { id } => match self.unlucky.remove(id) {
                Some(failure) => {
                    let line = format!("spawn {}: {}", name(id), failure.detail);
                    (line, Some(Input::SpawnFailed { id: *id, failure }))
                }
                None => {
                    self.pids += 1;
                    let line = format!("spawn {}: pid {}", name(id), self.pids);
                    let pid = Pid(self.pids);
                    (line, Some(Input::Spawned { id: *id, pid }))
                }
            },
            Effect::Kill {
                id,
                pid,
                signal,
                aim,
            } => {
                let (aim, signal) = (words::aim(*aim), words::signal_name(*signal));
                (format!("{aim} {} {} {signal}", name(id), pid.0), None)
            }
            Effect::Signal {
                id,
                pid,
                signal,
                cause,
            } => {
                let name = name(id);
                let line = format!("signal {name} {} {}", pid.0, words::signal_name(*signal));
                let refused = self.untouchable.remove(id).map(|failure| failure.detail);
                let answer = Input::Signalled {
                    id: *id,
                    pid: *pid,
                    signal: *signal,
                    cause: cause.clone(),
                    refused,
                };
                (line, Some(answer))
            }
            Effect::Redirect { id, stream } => {
                let stream = words::stream(*stream);
                (format!("redirect {stream} of {}", name(id)), None)
            }
            Effect::Forget { id, .. } => (format!("forget {}", name(id)), None),
            Effect::Event { kind, cause } => {
                (format!("event: {}", words::event(kind, cause)), None)
            }
            Effect::Reply { ticket, answer } => (
                format!("reply {}: {}", ticket.0, words::answer(answer)),
                None,
            ),
            Effect::Leave => ("leave".into(), None),
        };
        self.say(&line);
        answer
    }

    /// What is spawned has become its program right after, unless the script has a say in it.
    fn executed(&self, answer: &Input) -> Option<Input> {
        match *answer {
            Input::Spawned { id, pid } if !self.slow.contains(&id) => {
                Some(Input::Executed { id, pid })
            }
            _ => None,
        }
    }

    fn say(&mut self, line: &str) {
        let Mono(ms) = self.now;
        self.output
            .push(format!("{}.{:03} {line}", ms / 1000, ms % 1000));
    }

    fn learn_names(&mut self) {
        let processes = self.core.iter().flat_map(Supervisor::processes);
        self.names
            .extend(processes.map(|(id, process)| (id, process.shown())));
    }

    fn status(&mut self) -> Result<(), String> {
        let core = self.core.as_ref().ok_or("boot first")?;
        let mut lines: Vec<String> = Vec::new();
        for (_, process) in core.processes() {
            let mut line = format!("status: {} {}", process.shown(), process.shown_state());
            if let Some(pid) = process.pid() {
                line += &format!(", pid {}", pid.0);
            }
            if let Some(at) = process.next_start() {
                line += &format!(", starts at {}.{:03}", at.0 / 1000, at.0 % 1000);
            }
            if process.failures > 0 {
                line += &format!(", failed {}x", process.failures);
            }
            if let Some(failure) = &process.failure {
                line += &format!(", {}", failure.detail);
            }
            lines.push(line);
        }
        if lines.is_empty() {
            lines.push("status: no processes".into());
        }
        lines.iter().for_each(|line| self.say(line));
        Ok(())
    }
}

fn peer(ticket: Ticket) -> Cause {
    Cause::Peer {
        uid: 0,
        pid: ticket.0 as i32,
    }
}
