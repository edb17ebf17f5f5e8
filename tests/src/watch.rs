//! Watching a daemon: its event log, the states it tells of, and what the kernel tells of it.

use std::fs;

use nix::sys::signal::Signal;
use serde_json::Value;
use shared::api::ProcessStatus;
use shared::state::State;

use crate::daemon::{Daemon, config};
use crate::proc::{self, Stat};
use crate::wait::{LATER, SOON, eventually};

impl Daemon {
    /// What it wrote to its standard error and its event log.
    pub fn said(&self) -> String {
        let text = |name: &str| String::from_utf8_lossy(&self.sandbox().read(name)).into_owned();
        format!(
            "{}{}{}",
            text("daemon.out"),
            text("daemon.err"),
            text("tm.log")
        )
    }

    /// The lines of its event log.
    pub fn log(&self) -> Vec<String> {
        let text = String::from_utf8_lossy(&self.sandbox().read("tm.log")).into_owned();
        text.lines().map(str::to_owned).collect()
    }

    /// Waits for a line of the event log that has all these words in it; gives it.
    #[track_caller]
    pub fn wait_log(&self, words: &[&str]) -> String {
        eventually(&format!("a log line with {words:?}"), SOON, || {
            let log = self.log();
            let line = log
                .iter()
                .find(|line| words.iter().all(|word| line.contains(word)));
            line.cloned().ok_or_else(|| log.join("\n"))
        })
    }

    /// Sends the daemon a signal.
    pub fn signal(&self, signal: Signal) {
        assert!(
            proc::signal(self.daemon_pid(), signal),
            "the daemon is gone: {}",
            self.said()
        );
    }

    /// Writes a new configuration, in one step.
    pub fn write_config(&self, programs: &Value) {
        self.write_text(config(self.sandbox(), programs));
    }

    /// Writes a new configuration file as it is, in one step.
    pub fn write_text(&self, text: impl AsRef<[u8]>) {
        let new = self.sandbox().write("tm.yaml.new", text);
        fs::rename(new, self.sandbox().path("tm.yaml")).expect("a file can be renamed");
    }

    /// Writes a new configuration and has it applied by command; gives when what it stopped is dead.
    #[track_caller]
    pub fn reload(&self, programs: &Value) -> shared::api::Reloaded {
        self.write_config(programs);
        let reloaded = self.rpc().reload();
        reloaded.unwrap_or_else(|error| panic!("reload: {} {:?}", error.message, error.data))
    }

    /// Sends SIGHUP and waits until it has been seen to.
    #[track_caller]
    pub fn hup(&self) -> String {
        let done = |line: &String| {
            line.contains("configuration reloaded") || line.contains("reload refused")
        };
        let count = || self.log().iter().filter(|line| done(line)).count();
        let before = count();
        self.signal(Signal::SIGHUP);
        eventually("the end of a reload", SOON, || {
            let lines: Vec<String> = self.log().into_iter().filter(done).collect();
            lines
                .get(before..)
                .and_then(<[String]>::last)
                .cloned()
                .ok_or("nothing of it in the log")
        })
    }

    /// The state of a process.
    #[track_caller]
    pub fn status(&self, name: &str) -> ProcessStatus {
        let found = self.rpc().process(name);
        found.unwrap_or_else(|| panic!("{name} is not there"))
    }

    /// The pid of a process that runs.
    #[track_caller]
    pub fn pid(&self, name: &str) -> i32 {
        let status = self.status(name);
        status
            .pid
            .unwrap_or_else(|| panic!("{name} has no pid: {status:?}"))
    }

    /// Waits until a process is in a state; gives its status.
    #[track_caller]
    pub fn wait_state(&self, name: &str, state: State) -> ProcessStatus {
        self.wait_status(name, &format!("{state}"), |status| status.state == state)
    }

    /// Waits until the status of a process is as wanted; gives it.
    #[track_caller]
    pub fn wait_status(
        &self,
        name: &str,
        what: &str,
        wanted: impl Fn(&ProcessStatus) -> bool,
    ) -> ProcessStatus {
        let mut rpc = self.rpc();
        eventually(&format!("{name} to be {what}"), LATER, || {
            match rpc.process(name) {
                Some(status) if wanted(&status) => Ok(status),
                Some(status) => Err(format!("{status:?}")),
                None => Err("no such process".to_owned()),
            }
        })
    }

    /// Its open descriptors.
    pub fn fds(&self) -> Vec<(i32, String)> {
        proc::fds(self.daemon_pid())
    }

    /// Its memory.
    pub fn rss_kib(&self) -> u64 {
        proc::rss_kib(self.daemon_pid())
    }

    /// Its processor time.
    pub fn cpu_ms(&self) -> u64 {
        proc::cpu_ms(self.daemon_pid())
    }

    /// How often it woke up.
    pub fn wakeups(&self) -> u64 {
        proc::wakeups(self.daemon_pid())
    }

    /// Its children, zombies among them.
    pub fn children(&self) -> Vec<Stat> {
        proc::children(self.daemon_pid())
    }

    /// Its dead children that it has not buried.
    pub fn zombies(&self) -> Vec<Stat> {
        let mut found = self.children();
        found.retain(|stat| stat.state == 'Z');
        found
    }

    /// Every living process that was started in this sandbox, the daemon apart.
    pub fn offspring(&self) -> Vec<i32> {
        // With what follows the name: the sandbox 1 is not the sandbox 10.
        let sandbox = self.sandbox().dir().display();
        let marks = [format!("{sandbox}/"), format!("{sandbox}\0")];
        let others = [self.daemon_pid(), std::process::id() as i32];
        let found = proc::all().into_iter().map(|stat| stat.pid);
        found
            .filter(|pid| !others.contains(pid) && proc::alive(*pid))
            .filter(|pid| marks.iter().any(|mark| proc::mentions(*pid, mark)))
            .collect()
    }
}

/// Milliseconds from one line of the event log to a later one , within a day, by the daemon's clock.
pub fn ms_between(earlier: &str, later: &str) -> i64 {
    const DAY_MS: i64 = 24 * 3600 * 1000;
    let ms_of_day = |line: &str| {
        let number = |from: usize, to: usize| -> i64 { line[from..to].parse().expect("digits") };
        let minutes = number(11, 13) * 60 + number(14, 16);
        (minutes * 60 + number(17, 19)) * 1000 + number(20, 23)
    };
    (ms_of_day(later) - ms_of_day(earlier)).rem_euclid(DAY_MS)
}
