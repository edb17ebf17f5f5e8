//! Reloads: a helper process reads the configuration, the core puts it into force.
//!
//! Reading means a disk, a user database, a file that may be hostile: nothing of it happens in the reactor. One
//! helper runs at a time; who asks meanwhile is served by the next one, all of them together, because the file
//! may have changed since the present one looked.

mod outcome;

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use mio::Token;
use shared::api::ReloadParams;
use shared::event::Cause;

use crate::child::helper::{self, Verdict};
use crate::config::model::Config;
use crate::core::{Mono, Ticket};
use crate::limits::{
    HELPER_ANSWER_LEN_MAX, HELPER_TIME_MS_MAX, HELPERS_HUNG_MAX, RELOAD_INTERVAL_MS,
};
use crate::sys;

use super::Reactor;
use super::sources::Source;

/// Who wants a reload, and what kind.
#[derive(Debug)]
pub(super) struct Asker {
    cause: Cause,
    ticket: Option<Ticket>,
    params: ReloadParams,
}

impl Asker {
    pub(super) fn signal(cause: Cause) -> Self {
        Self {
            cause,
            ticket: None,
            params: ReloadParams::default(),
        }
    }

    pub(super) fn client(cause: Cause, ticket: Ticket, params: ReloadParams) -> Self {
        Self {
            cause,
            ticket: Some(ticket),
            params,
        }
    }
}

/// The reload under way and those who wait for the next.
pub(super) struct Reloads {
    path: PathBuf,
    waiting: Vec<Asker>,
    running: Option<Running>,
    found: Option<Found>,
    /// Helpers that were killed and are not dead yet: something in the kernel holds them.
    hung: Vec<sys::Child>,
    /// Signals may come a thousand a second; reloads do not.
    not_before: Mono,
}

struct Running {
    child: sys::Child,
    output: Option<Token>,
    said: Vec<u8>,
    askers: Vec<Asker>,
    kill_at: Mono,
}

/// A configuration that was found good, and those who have not had their part of it yet.
struct Found {
    config: Config,
    askers: Vec<Asker>,
}

/// What a helper leaves that was given up.
struct GivenUp {
    output: Option<Token>,
    askers: Vec<Asker>,
}

impl Reloads {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            waiting: Vec::new(),
            running: None,
            found: None,
            hung: Vec::new(),
            not_before: Mono::default(),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Somebody wants a reload. A signal that finds another one waiting is one with it.
    pub(super) fn ask(&mut self, asker: Asker) {
        if asker.ticket.is_some() || self.waiting.iter().all(|other| other.ticket.is_some()) {
            self.waiting.push(asker);
        }
    }

    /// All who have no answer yet, those who asked first at the beginning.
    fn askers(&mut self) -> impl Iterator<Item = &mut Vec<Asker>> {
        let found = self.found.iter_mut().map(|found| &mut found.askers);
        let running = self.running.iter_mut().map(|running| &mut running.askers);
        found.chain(running).chain([&mut self.waiting])
    }

    /// Takes out those who want more than a look.
    fn take_doers(&mut self) -> Vec<Asker> {
        let mut doers = Vec::new();
        for askers in self.askers() {
            doers.extend(askers.extract_if(.., |asker| !asker.params.dry_run));
        }
        doers
    }

    /// Nobody waits for this answer any more; the reload is done all the same.
    pub(super) fn forget(&mut self, ticket: Ticket) {
        for asker in self.askers().flatten() {
            asker.ticket.take_if(|other| *other == ticket);
        }
    }

    pub(super) fn is_helper(&self, pid: i32) -> bool {
        let running = self.running.as_ref().map(|running| &running.child);
        let mut helpers = self.hung.iter().chain(running);
        helpers.any(|child| child.pid() == pid)
    }

    /// A helper that has had its time is killed, and nobody waits for it: one that hangs in the kernel does not
    /// die. Gives what it was doing.
    fn give_up(&mut self, now: Mono) -> Option<GivenUp> {
        let running = self.running.take_if(|running| running.kill_at <= now)?;
        let _ = running
            .child
            .signal(nix::sys::signal::Signal::SIGKILL as i32);
        self.hung.push(running.child);
        Some(GivenUp {
            output: running.output,
            askers: running.askers,
        })
    }

    /// Whether `pid` was a helper that was given up; then it is reaped here.
    fn bury_hung(&mut self, pid: i32) -> bool {
        let place = self.hung.iter().position(|child| child.pid() == pid);
        let child = place.map(|place| self.hung.swap_remove(place));
        child.map(sys::Child::reap).is_some()
    }

    /// Whether somebody can be served at once.
    pub(super) fn are_due(&self) -> bool {
        self.found.is_some()
    }

    pub(super) fn deadline(&self) -> Option<Mono> {
        match &self.running {
            Some(running) => Some(running.kill_at),
            None => (!self.waiting.is_empty()).then_some(self.not_before),
        }
    }
}

impl Reactor {
    /// Somebody wants a reload.
    pub(super) fn ask_for_reload(&mut self, asker: Asker) {
        self.reloads.ask(asker);
        self.refuse_while_leaving();
    }

    /// Reads what the helper says, and sends the next one on its way.
    pub(super) fn take_in_reload(&mut self) {
        self.refuse_while_leaving();
        if let Some(token) = self.debts.helper.take() {
            self.read_helper(token);
        }
        if let Some(GivenUp { output, askers }) = self.reloads.give_up(self.now) {
            output.map(|token| self.sources.remove(token));
            let problem = format!(
                "the helper that reads the configuration was not done in {} s; a disk or the user database does not \
                 answer",
                HELPER_TIME_MS_MAX / 1000
            );
            self.refuse_reload(askers, &[problem]);
        }
        self.put_into_force();
        if self.reloads.running.is_none()
            && self.reloads.found.is_none()
            && !self.reloads.waiting.is_empty()
            && self.reloads.not_before <= self.now
        {
            self.start_helper();
        }
    }

    fn start_helper(&mut self) {
        let askers = std::mem::take(&mut self.reloads.waiting);
        self.reloads.not_before = self.now.after(RELOAD_INTERVAL_MS);
        let hung = self.reloads.hung.len();
        if hung >= HELPERS_HUNG_MAX {
            let problem = format!(
                "{hung} helpers that were to read the configuration hang in the kernel; a disk or the user database \
                 does not answer"
            );
            return self.refuse_reload(askers, &[problem]);
        }
        // A changed one waits for the next start.
        let event_log = self.core.config().log.as_deref();
        let helper = helper::start(&self.reloads.path, event_log, &self.heritage);
        let started = helper.and_then(|(child, output)| {
            let source = |fd: OwnedFd| Source::Helper { fd };
            let token = self
                .sources
                .add_owned(output, source)
                .map_err(|error| error.to_string())?;
            Ok((child, token))
        });
        match started {
            Ok((child, token)) => {
                let kill_at = self.now.after(HELPER_TIME_MS_MAX);
                let running = Running {
                    child,
                    output: Some(token),
                    said: Vec::new(),
                    askers,
                    kill_at,
                };
                self.reloads.running = Some(running);
            }
            Err(error) => {
                let problem =
                    format!("cannot start the helper that reads the configuration: {error}");
                self.refuse_reload(askers, &[problem]);
            }
        }
    }

    /// Takes in what the helper has said so far. It is read to its end, and no further than its limit.
    fn read_helper(&mut self, token: Token) {
        let Some(running) = self
            .reloads
            .running
            .as_mut()
            .filter(|running| running.output == Some(token))
        else {
            return;
        };
        let Some(Source::Helper { fd }) = self.sources.get(token) else {
            return;
        };
        let mut buffer = [0; 16 * 1024];
        loop {
            match nix::unistd::read(fd.as_fd(), &mut buffer) {
                Ok(n) if n > 0 && running.said.len() + n <= HELPER_ANSWER_LEN_MAX => {
                    running.said.extend_from_slice(&buffer[..n]);
                }
                Err(nix::errno::Errno::EINTR) => {}
                Err(nix::errno::Errno::EAGAIN) => return,
                Ok(_) | Err(_) => break,
            }
        }
        running.output = None;
        self.sources.remove(token);
    }

    /// Whether `pid` was the helper; then it is reaped here, and what it said is acted upon.
    pub(super) fn helper_died(&mut self, pid: i32) -> bool {
        if self.reloads.bury_hung(pid) {
            return true;
        }
        if self
            .reloads
            .running
            .as_ref()
            .is_none_or(|running| running.child.pid() != pid)
        {
            return false;
        }
        if let Some(token) = self
            .reloads
            .running
            .as_ref()
            .and_then(|running| running.output)
        {
            self.read_helper(token);
            self.sources.remove(token);
        }
        // A shutdown that was asked for before is heard before.
        self.settle();
        self.refuse_while_leaving();
        if let Some(Running {
            child,
            said,
            askers,
            ..
        }) = self.reloads.running.take()
        {
            let exit = child.reap();
            match helper::read_verdict(&said) {
                Some(Verdict::Good(config)) => {
                    let config = *config;
                    self.reloads.found = Some(Found { config, askers });
                }
                Some(Verdict::Problems(problems)) => self.refuse_reload(askers, &problems),
                None => {
                    let how =
                        exit.map_or_else(|_| "no exit status".into(), |exit| exit.to_string());
                    let problem = format!(
                        "the helper that reads the configuration ended without a word: {how}"
                    );
                    self.refuse_reload(askers, &[problem]);
                }
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use nix::sys::wait::{Id, WaitPidFlag, waitid};
    use nix::unistd::Pid;

    use super::*;

    // A helper that hangs in the kernel survives even SIGKILL, for a while or for ever.
    #[test]
    fn a_helper_that_has_had_its_time_holds_nobody_up() {
        let child = Command::new("sleep").arg("1000").spawn();
        let pid = i32::try_from(child.expect("sleep starts").id()).unwrap();
        let mut reloads = Reloads::new("tm.yaml".into());
        let asker = || Asker::signal(Cause::Signal("SIGHUP".into()));
        reloads.running = Some(Running {
            child: sys::Child::adopt(pid).unwrap(),
            output: None,
            said: Vec::new(),
            askers: vec![asker()],
            kill_at: Mono(10),
        });
        assert!(reloads.give_up(Mono(9)).is_none());
        assert_eq!(reloads.deadline(), Some(Mono(10)));
        let given_up = reloads.give_up(Mono(10)).expect("it is time");
        assert_eq!(given_up.askers.len(), 1);
        // Dead or not, the next can run.
        assert_eq!(reloads.deadline(), None);
        reloads.ask(asker());
        assert_eq!(reloads.deadline(), Some(reloads.not_before));
        assert!(reloads.is_helper(pid) && !reloads.bury_hung(pid + 1));
        let dead = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
        waitid(Id::Pid(Pid::from_raw(pid)), dead).unwrap();
        assert!(reloads.bury_hung(pid) && !reloads.is_helper(pid));
    }

    // A shutdown, or a client that leaves, finds those too whom the last turn had no time for.
    #[test]
    fn who_has_no_answer_yet_is_found() {
        let client = |ticket, dry_run| {
            let params = ReloadParams {
                dry_run,
                ..ReloadParams::default()
            };
            Asker::client(Cause::Boot, Ticket(ticket), params)
        };
        let mut reloads = Reloads::new("tm.yaml".into());
        reloads.found = Some(Found {
            config: Config::default(),
            askers: vec![client(1, false), client(2, true)],
        });
        reloads.ask(client(3, false));
        reloads.forget(Ticket(3));
        let doers = reloads.take_doers();
        let tickets: Vec<_> = doers.iter().map(|asker| asker.ticket).collect();
        assert_eq!(tickets, [Some(Ticket(1)), None]);
        let left: Vec<_> = reloads.askers().flatten().collect();
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].ticket, Some(Ticket(2)));
        assert!(reloads.are_due());
    }
}
