//! A kernel in virtual time: processes that die when they like, pids that are used again as soon as they are
//! free, deaths that are noticed late and several at once.

use std::collections::BTreeMap;

use shared::state::Exit;
use taskmasterd::core::{Failure, Mono, Pid, ProcessId};

use crate::rng::Rng;

const SIGKILL: i32 = 9;
/// Signals that the programs here do not care about.
const HARMLESS: [i32; 2] = [1, 12];
const NEVER: Mono = Mono(u64::MAX);

/// A process, alive or not yet reaped.
#[derive(Clone, Debug)]
pub(crate) struct Child {
    pub(crate) owner: ProcessId,
    pub(crate) born: Mono,
    dies_at: Mono,
    exit: Exit,
    heeds_signals: bool,
    unkillable_until: Mono,
    /// How many SIGKILLs it was sent.
    pub(crate) sigkills: u32,
    pub(crate) dead: bool,
    /// Whether the daemon was told of its death; it is reaped right after.
    pub(crate) death_told: bool,
    /// When it becomes its program, or fails to.
    exec_at: Mono,
    /// Why it could not become its program.
    pub(crate) exec_failure: Option<Failure>,
    /// Whether the daemon has read how its exec went.
    pub(crate) exec_told: bool,
}

impl Child {
    /// Whether it is its program at `now`, as far as the daemon can know.
    pub(crate) fn is_its_program(&self, now: Mono) -> bool {
        self.exec_failure.is_none() && (self.exec_at <= now || self.dead)
    }
}

#[derive(Default)]
pub(crate) struct Os {
    pub(crate) children: BTreeMap<Pid, Child>,
    /// When the daemon next notices deaths.
    pub(crate) notice_at: Option<Mono>,
    /// Nothing goes wrong any more: what is started stays up and heeds signals.
    pub(crate) calm: bool,
}

impl Os {
    pub(crate) fn spawn(
        &mut self,
        now: Mono,
        owner: ProcessId,
        starttime_ms: u64,
        rng: &mut Rng,
    ) -> Result<Pid, Failure> {
        if !self.calm && rng.percent(8) {
            return Err(failure("fork", rng.pick(&[2, 11, 12, 24, 28, 13])));
        }
        let free = |pid: &i32| !self.children.contains_key(&Pid(*pid));
        let pid = Pid((2..).find(free).expect("there are few processes"));
        let mut child = Child {
            owner,
            born: now,
            dies_at: NEVER,
            exit: Exit::Code(0),
            heeds_signals: true,
            unkillable_until: Mono(0),
            sigkills: 0,
            dead: false,
            death_told: false,
            exec_at: now,
            exec_failure: None,
            exec_told: false,
        };
        if !self.calm {
            make_difficult(&mut child, now, starttime_ms, rng);
        }
        self.children.insert(pid, child);
        Ok(pid)
    }

    /// Sends a signal; an error is a signal to somebody else's process or to none.
    pub(crate) fn kill(
        &mut self,
        now: Mono,
        (owner, pid): (ProcessId, Pid),
        signal: i32,
        rng: &mut Rng,
    ) -> Result<(), String> {
        let child = self.children.get_mut(&pid);
        let child = child.ok_or(format!("S5: signal {signal} to {pid:?}, which is reaped"))?;
        if child.owner != owner {
            return Err(format!(
                "S5: {owner:?} signals {pid:?} of {:?}",
                child.owner
            ));
        }
        child.sigkills += u32::from(signal == SIGKILL);
        if child.dead {
            return Ok(());
        }
        if signal == SIGKILL {
            let at = child.unkillable_until.max(now);
            if at <= child.dies_at {
                child.dies_at = at;
                child.exit = by_signal(SIGKILL);
            }
        } else if child.heeds_signals && !HARMLESS.contains(&signal) {
            let at = now.after(rng.pick(&[0, 0, 5, 200]));
            if at <= child.dies_at {
                child.dies_at = at;
                child.exit = rng.pick(&[Exit::Code(0), Exit::Code(1), by_signal(signal)]);
            }
        }
        Ok(())
    }

    /// Lets those die whose time has come.
    pub(crate) fn advance(&mut self, now: Mono, rng: &mut Rng) {
        for child in self.children.values_mut() {
            if !child.dead && child.dies_at <= now {
                child.dead = true;
                let late = if self.calm {
                    1
                } else {
                    rng.pick(&[0, 0, 1, 30, 1500])
                };
                self.notice_at = self.notice_at.or(Some(now.after(late)));
            }
        }
    }

    /// When something next happens here.
    pub(crate) fn next(&self) -> Option<Mono> {
        let alive = self.children.values().filter(|child| !child.dead);
        let deaths = alive.map(|child| child.dies_at).filter(|&at| at != NEVER);
        let untold = self.children.values().filter(|child| !child.exec_told);
        let executed = untold.map(|child| child.exec_at.min(child.dies_at));
        deaths.chain(executed).chain(self.notice_at).min()
    }

    /// All that are dead and not reaped: one SIGCHLD for however many.
    pub(crate) fn take_dead(&mut self) -> Vec<(Pid, ProcessId, Exit)> {
        self.notice_at = None;
        let dead = self.children.iter().filter(|(_, child)| child.dead);
        dead.map(|(&pid, child)| (pid, child.owner, child.exit))
            .collect()
    }

    /// What the daemon can read now of how exec went. Of one that is dead it may never read that it went well.
    pub(crate) fn take_exec_news(
        &mut self,
        now: Mono,
        rng: &mut Rng,
    ) -> Vec<(Pid, ProcessId, Option<Failure>)> {
        let mut found = Vec::new();
        for (&pid, child) in &mut self.children {
            let lost = child.dead && child.exec_failure.is_none() && rng.percent(50);
            let over = child.exec_at <= now || child.dead;
            if !child.exec_told && over && !lost {
                child.exec_told = true;
                found.push((pid, child.owner, child.exec_failure.clone()));
            }
        }
        found
    }

    /// Those whom the daemon has not been told dead.
    pub(crate) fn left(&self) -> impl Iterator<Item = &Child> {
        self.children.values().filter(|child| !child.death_told)
    }

    /// The pids of `owner`'s processes that are not reaped.
    pub(crate) fn of(&self, owner: ProcessId) -> Vec<Pid> {
        let own = self
            .children
            .iter()
            .filter(|(_, child)| child.owner == owner);
        own.map(|(&pid, _)| pid).collect()
    }
}

fn make_difficult(child: &mut Child, now: Mono, starttime_ms: u64, rng: &mut Rng) {
    child.exit = rng.pick(&[
        Exit::Code(0),
        Exit::Code(0),
        Exit::Code(1),
        Exit::Code(2),
        by_signal(SIGKILL),
        by_signal(11),
    ]);
    let soon = rng.below(30);
    let later = rng.below(20_000);
    child.dies_at = match rng.below(10) {
        0..=2 => now.after(soon),
        3 => now.after(starttime_ms),
        4 => now.after((starttime_ms + soon).saturating_sub(15)),
        5..=7 => now.after(starttime_ms + later),
        _ => NEVER,
    };
    child.heeds_signals = rng.percent(75);
    if rng.percent(10) {
        child.unkillable_until = now.after(rng.pick(&[100, 5000, 60_000]));
    }
    // A slow disk.
    if rng.percent(10) {
        child.exec_at = now.after(rng.pick(&[1, 200, 7000]));
    }
    if rng.percent(10) {
        let stage = rng.pick(&["exec", "exec", "chdir", "setresuid"]);
        child.exec_failure = Some(failure(stage, rng.pick(&[2, 13, 20, 11, 12])));
        child.dies_at = child.exec_at.after(rng.pick(&[0, 1, 3000]));
        child.exit = Exit::Code(127);
    }
}

fn by_signal(number: i32) -> Exit {
    Exit::Signal {
        number,
        core_dumped: false,
    }
}

fn failure(stage: &str, errno: i32) -> Failure {
    Failure {
        stage: stage.into(),
        errno,
        reason: format!("{stage} failed"),
        detail: format!("{stage}: errno {errno}"),
    }
}
