//! A daemon in its world: the core, a kernel, and clients who want one thing after another.

use std::collections::{BTreeSet, VecDeque};

use shared::event::Cause;
use shared::name::Selector;
use taskmasterd::config::model::Config;
use taskmasterd::core::{Answer, Effect, Input, Mono, Supervisor, Ticket, Verb};

use crate::check::{self, Books};
use crate::config;
use crate::os::Os;
use crate::rest;
use crate::rng::Rng;

/// Facts told in one run, before everything calms down.
const STEPS: usize = 200;
/// How many steps a failure is printed with.
const STEPS_SHOWN: usize = 40;
/// After so many steps the core goes to text and back.
const STEPS_PER_COPY: usize = 50;
/// Timeouts at one instant, for each process, after which the core is taken to go round in a circle.
const TIMEOUTS_AT_ONCE: usize = 4;

type Check = Result<(), String>;

pub(crate) struct World {
    rng: Rng,
    now: Mono,
    core: Supervisor,
    /// What the core was read back from; it must do the same.
    twin: Supervisor,
    os: Os,
    books: Books,
    config: Config,
    /// Clients that wait for an answer.
    waiting: BTreeSet<Ticket>,
    tickets: u64,
    left: bool,
    told: usize,
    /// The latest facts and what came of them.
    pub(crate) history: VecDeque<(Mono, Input, Vec<Effect>)>,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let config = config::any(&mut rng);
        let core = Supervisor::new(config.clone(), Mono(0));
        Self {
            rng,
            now: Mono(0),
            twin: core.clone(),
            core,
            os: Os::default(),
            books: Books::default(),
            config,
            waiting: BTreeSet::new(),
            tickets: 0,
            left: false,
            told: 0,
            history: VecDeque::new(),
        }
    }

    /// Chaos, then calm: whatever happened, everything must come to an end.
    pub(crate) fn run(&mut self) -> Check {
        let shuts_down_in_chaos = self.rng.percent(40);
        for _ in 0..STEPS {
            self.step(shuts_down_in_chaos)?;
            if self.left {
                return self.after_leaving();
            }
        }
        self.os.calm = true;
        if !self.core.is_leaving() {
            self.let_settle()?;
            rest::settled(&self.core, &self.books)?;
            self.all_waiting_answered()?;
            self.command(Verb::Restart, vec!["all".parse()?])?;
            self.let_settle()?;
            rest::all_running(&self.core)?;
            self.all_waiting_answered()?;
            self.shutdown()?;
        }
        self.let_settle()?;
        if !self.left {
            return Err("L4: a shutdown did not come to its end".into());
        }
        self.after_leaving()
    }

    fn step(&mut self, may_shut_down: bool) -> Check {
        match self.rng.below(1000) {
            0..500 => self.go_to_next_news(),
            500..560 => self.now = self.now.after(self.rng_below(40)),
            560..600 => self.now = self.now.after(self.rng_below(6000)),
            600..780 => self.any_command()?,
            780..860 => {
                config::mutate(&mut self.config, &mut self.rng);
                self.reload()?;
            }
            860..890 => self.reload()?,
            890..920 => self.a_client_goes()?,
            920..950 => self.timeout_too_early()?,
            950..953 if may_shut_down => self.shutdown()?,
            953..955 if may_shut_down => self.tell(Input::ShutdownNow {
                cause: Cause::Signal("SIGINT".into()),
            })?,
            _ => {}
        }
        // Now and then the daemon is busy elsewhere, and the next order comes before the news.
        if self.rng.percent(85) {
            self.take_in()?;
        }
        Ok(())
    }

    fn rng_below(&mut self, bound: u64) -> u64 {
        self.rng.below(bound)
    }

    fn go_to_next_news(&mut self) {
        let next = self.core.deadline().into_iter().chain(self.os.next()).min();
        if let Some(next) = next {
            self.now = self.now.max(next);
        }
    }

    /// What a turn of the reactor takes in: how exec went, deaths, deadlines.
    fn take_in(&mut self) -> Check {
        self.os.advance(self.now, &mut self.rng);
        if self.rng.percent(50) {
            self.tell_exec_news()?;
        }
        if self.os.notice_at.is_some_and(|at| at <= self.now) {
            self.tell_exec_news()?;
            let mut dead = self.os.take_dead();
            while !dead.is_empty() {
                let next = self.rng.below(dead.len() as u64) as usize;
                let (pid, id, exit) = dead.swap_remove(next);
                let child = self.os.children.get_mut(&pid);
                child.ok_or("it is gone")?.death_told = true;
                self.tell(Input::Exited { id, pid, exit })?;
                self.os.children.remove(&pid);
                check::state(self.now, &self.core, &self.os)?;
            }
        }
        let most = TIMEOUTS_AT_ONCE * (self.core.processes().count() + 1);
        for _ in 0..most {
            if self.left || self.core.deadline().is_none_or(|at| at > self.now) {
                return Ok(());
            }
            self.tell(Input::Timeout)?;
            // A death at this very instant is another turn's news.
            self.os.advance(self.now, &mut self.rng);
        }
        Err(format!("S20: {most} timeouts, and still one is due"))
    }

    /// As the reactor reads it: the failure, where there is one, and the end.
    fn tell_exec_news(&mut self) -> Check {
        for (pid, id, failure) in self.os.take_exec_news(self.now, &mut self.rng) {
            if let Some(failure) = failure {
                self.tell(Input::ExecFailed { id, pid, failure })?;
            }
            self.tell(Input::Executed { id, pid })?;
        }
        Ok(())
    }

    fn timeout_too_early(&mut self) -> Check {
        if self.core.deadline().is_some_and(|at| at <= self.now) {
            return Ok(());
        }
        let before = self.core.clone();
        self.tell(Input::Timeout)?;
        let untouched = before == self.core;
        untouched
            .then_some(())
            .ok_or("S20: a timeout too early changed something".into())
    }

    fn new_ticket(&mut self) -> Ticket {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.waiting.insert(ticket);
        ticket
    }

    fn any_command(&mut self) -> Check {
        let verb = self.rng.pick(&[
            Verb::Start,
            Verb::Stop,
            Verb::Restart,
            Verb::Signal(1),
            Verb::Signal(9),
        ]);
        let mut names: Vec<Selector> = Vec::new();
        for _ in 0..=self.rng.below(2) {
            let name = self.rng.pick(&[
                "a", "b", "c", "d", "e:*", "f", "a:0", "b:1", "?", "all", "nobody",
            ]);
            names.push(name.parse()?);
        }
        self.command(verb, names)
    }

    fn command(&mut self, verb: Verb, names: Vec<Selector>) -> Check {
        let ticket = self.new_ticket();
        self.tell(Input::Command {
            ticket,
            cause: Cause::Peer { uid: 0, pid: 1 },
            verb,
            names,
        })
    }

    fn reload(&mut self) -> Check {
        let ticket = self.rng.percent(70).then(|| self.new_ticket());
        self.tell(Input::Reload {
            ticket,
            cause: Cause::Signal("SIGHUP".into()),
            config: self.config.clone(),
        })
    }

    fn shutdown(&mut self) -> Check {
        let ticket = self.rng.percent(70).then(|| self.new_ticket());
        self.tell(Input::Shutdown {
            ticket,
            cause: Cause::Signal("SIGTERM".into()),
        })
    }

    fn a_client_goes(&mut self) -> Check {
        let waiting: Vec<Ticket> = self.waiting.iter().copied().collect();
        if waiting.is_empty() {
            return Ok(());
        }
        let ticket = self.rng.pick(&waiting);
        self.waiting.remove(&ticket);
        self.tell(Input::ClientGone { ticket })
    }

    /// Tells one fact, does what comes of it, and tells what came of that before anything else.
    fn tell(&mut self, input: Input) -> Check {
        let mut facts = VecDeque::from([input]);
        while let Some(fact) = facts.pop_front() {
            let mut effects = Vec::new();
            let before = self.core.clone();
            self.remember(&fact, &[]);
            self.core.handle(self.now, fact.clone(), &mut effects);
            if let Some((_, _, shown)) = self.history.back_mut() {
                shown.clone_from(&effects);
            }
            let mut twins = Vec::new();
            self.twin.handle(self.now, fact.clone(), &mut twins);
            if twins != effects {
                return Err(format!("the copy does otherwise: {twins:?}"));
            }
            let change = check::Change {
                now: self.now,
                before: &before,
                input: &fact,
                effects: &effects,
                after: &self.core,
            };
            check::change(&change, &self.os, &mut self.books)?;
            let mut answers = Vec::new();
            for effect in effects {
                answers.extend(self.perform(effect)?);
            }
            answers
                .into_iter()
                .rev()
                .for_each(|answer| facts.push_front(answer));
        }
        self.told += 1;
        if self.told.is_multiple_of(STEPS_PER_COPY) {
            self.copy()?;
        }
        // A dead leader is reaped after this; then its state is looked at.
        match self.history.back() {
            Some((_, Input::Exited { .. }, _)) => Ok(()),
            Some(_) | None => check::state(self.now, &self.core, &self.os),
        }
    }

    fn perform(&mut self, effect: Effect) -> Result<Option<Input>, String> {
        match effect {
            Effect::Spawn { id } => {
                let spec = &self.core.process(id).ok_or("a spawn of nobody")?.spec;
                let born = self
                    .os
                    .spawn(self.now, id, spec.starttime_ms, &mut self.rng);
                return Ok(Some(match born {
                    Ok(pid) => Input::Spawned { id, pid },
                    Err(failure) => Input::SpawnFailed { id, failure },
                }));
            }
            Effect::Kill {
                id, pid, signal, ..
            } => self.os.kill(self.now, (id, pid), signal, &mut self.rng)?,
            Effect::Signal {
                id,
                pid,
                signal,
                cause,
            } => {
                let refused = self.rng.below(8) == 0;
                if !refused {
                    self.os.kill(self.now, (id, pid), signal, &mut self.rng)?;
                }
                return Ok(Some(Input::Signalled {
                    id,
                    pid,
                    signal,
                    cause,
                    refused: refused.then(|| "not permitted".into()),
                }));
            }
            Effect::Reply { ticket, answer } => {
                if !self.waiting.remove(&ticket) {
                    return Err(format!("S18: an answer to {ticket:?}, who does not wait"));
                }
                match answer {
                    Answer::Down(done) => rest::left(done.left, &self.os)?,
                    Answer::Outcomes(outcomes) => rest::started(&outcomes, &self.core, &self.os)?,
                    Answer::Reloaded(_) | Answer::ShuttingDown => {}
                }
            }
            Effect::Leave if self.left => return Err("S17: the daemon leaves twice".into()),
            Effect::Leave => {
                self.left = true;
                rest::leaving(&self.os)?;
            }
            Effect::Redirect { .. } | Effect::Forget { .. } | Effect::Event { .. } => {}
        }
        Ok(None)
    }

    fn remember(&mut self, input: &Input, effects: &[Effect]) {
        if self.history.len() == STEPS_SHOWN {
            self.history.pop_front();
        }
        self.history
            .push_back((self.now, input.clone(), effects.to_vec()));
    }

    /// The core goes to text and back, as at an upgrade, and the run goes on with what was read.
    fn copy(&mut self) -> Check {
        let text = serde_json::to_string(&self.core).map_err(|error| error.to_string())?;
        rest::size(text.len(), &self.core, self.waiting.len())?;
        let copy: Supervisor = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        if copy != self.core || self.twin != self.core {
            return Err("the copy is not equal".into());
        }
        self.twin = std::mem::replace(&mut self.core, copy);
        Ok(())
    }

    /// Time passes and nobody asks for anything, until nothing happens any more.
    fn let_settle(&mut self) -> Check {
        for _ in 0..20_000 {
            self.take_in()?;
            let news = self.core.deadline().is_some() || self.os.next().is_some();
            if self.left || !news {
                return Ok(());
            }
            self.go_to_next_news();
        }
        Err("L3: it does not come to rest".into())
    }

    fn all_waiting_answered(&self) -> Check {
        if self.waiting.is_empty() {
            return Ok(());
        }
        Err(format!("L5: {:?} were never answered", self.waiting))
    }

    /// Who still asks something when the daemon has left is answered too, and nothing starts any more.
    fn after_leaving(&mut self) -> Check {
        self.all_waiting_answered()?;
        self.any_command()?;
        self.reload()?;
        self.shutdown()?;
        self.all_waiting_answered()
    }
}
