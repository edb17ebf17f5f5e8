//! The real daemon in a sandbox.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Once;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::bins;
use crate::ctl::Ctl;
use crate::proc;
use crate::rpc::Rpc;
use crate::sandbox::Sandbox;
use crate::wait::{LATER, SOON, eventually};

/// How a daemon is to be started.
#[derive(Default)]
pub struct Setup {
    /// More words for its command line.
    pub args: Vec<String>,
    /// More variables for its environment.
    pub env: Vec<(String, String)>,
    /// What to run it with, before its own name: `prlimit --nofile=64`, `setpriv --reuid=1000`.
    pub before: Vec<String>,
}

/// A running daemon. At the end it is stopped, nothing it started is left, and there are no zombies.
pub struct Daemon {
    sandbox: Sandbox,
    child: Child,
}

impl Daemon {
    /// Starts the daemon with these programs and waits until it answers.
    #[track_caller]
    pub fn start(sandbox: Sandbox, programs: Value) -> Self {
        Self::start_with(sandbox, programs, Setup::default())
    }

    /// The same, in a way of its own.
    #[track_caller]
    pub fn start_with(sandbox: Sandbox, programs: Value, setup: Setup) -> Self {
        sandbox.write("tm.yaml", config(&sandbox, &programs));
        let daemon = Self::launch(sandbox, setup);
        daemon.wait_up();
        daemon
    }

    /// Starts the daemon with the configuration that lies in the sandbox, and does not wait.
    #[track_caller]
    pub fn launch(sandbox: Sandbox, setup: Setup) -> Self {
        // What a dead daemon leaves behind must become ours, so that it can be buried and counted.
        static SUBREAPER: Once = Once::new();
        SUBREAPER.call_once(|| {
            nix::sys::prctl::set_child_subreaper(true).expect("a subreaper is allowed");
        });
        let mut words = setup.before;
        words.push(bins::taskmasterd().display().to_string());
        words.extend(["-c".to_owned(), sandbox.text("tm.yaml")]);
        words.extend(setup.args);
        let file = |name: &str| File::create(sandbox.path(name)).expect("a file can be made");
        let child = Command::new(&words[0])
            .args(&words[1..])
            .env("TM_SANDBOX", sandbox.dir())
            .envs(setup.env)
            .current_dir(sandbox.dir())
            .stdin(Stdio::null())
            .stdout(file("daemon.out"))
            .stderr(file("daemon.err"))
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", words[0]));
        Self { sandbox, child }
    }

    /// The directory.
    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// The daemon's own pid.
    pub fn daemon_pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a pid is an i32")
    }

    /// The control socket.
    pub fn socket(&self) -> PathBuf {
        self.sandbox.path("sock")
    }

    /// A new connection.
    #[track_caller]
    pub fn rpc(&self) -> Rpc {
        Rpc::connect(&self.socket())
            .unwrap_or_else(|error| panic!("{}: {error}\n{}", self.socket().display(), self.said()))
    }

    /// The client for it.
    pub fn ctl(&self) -> Ctl {
        Ctl::new(&self.socket())
    }

    /// Waits until it answers.
    #[track_caller]
    pub fn wait_up(&self) {
        eventually("an answer of the daemon", SOON, || {
            if !proc::alive(self.daemon_pid()) {
                return Err(format!("the daemon is dead: {}", self.said()));
            }
            let mut rpc = Rpc::connect(&self.socket()).map_err(|error| error.to_string())?;
            rpc.status();
            Ok(())
        });
    }

    /// Waits for the daemon's end.
    #[track_caller]
    pub fn wait_exit(&mut self, deadline: Duration) -> ExitStatus {
        let child = &mut self.child;
        eventually("the end of the daemon", deadline, || {
            match child.try_wait() {
                Ok(Some(status)) => Ok(status),
                Ok(None) => Err("it runs".to_owned()),
                Err(error) => Err(error.to_string()),
            }
        })
    }

    /// Asks it to end with SIGTERM, and holds it to what that promises.
    #[track_caller]
    pub fn stop(&mut self) {
        self.signal(Signal::SIGTERM);
        let status = self.wait_exit(LATER);
        assert_eq!(status.code(), Some(0), "{status}: {}", self.said());
    }

    fn bury(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        eventually("the end of all processes of a test", SOON, || {
            let left = self.offspring();
            for &pid in &left {
                proc::signal(pid, Signal::SIGKILL);
                waitpid(Pid::from_raw(pid), Some(WaitPidFlag::WNOHANG)).ok();
            }
            if left.is_empty() {
                Ok(())
            } else {
                Err(format!("{left:?}"))
            }
        });
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "--- the daemon said ---\n{}-----------------------",
                self.said()
            );
        } else {
            // A child may have died this very moment; one that stays a zombie was forgotten.
            eventually("the burial of the dead", SOON, || {
                let zombies = self.zombies();
                if zombies.is_empty() {
                    Ok(())
                } else {
                    Err(format!("{zombies:?}"))
                }
            });
        }
        self.bury();
    }
}

/// A configuration with these programs, and with socket and event log in the sandbox.
pub fn config(sandbox: &Sandbox, programs: &Value) -> String {
    let whole = json!({
        "socket": sandbox.path("sock"),
        "log": sandbox.path("tm.log"),
        "programs": programs,
    });
    // JSON is YAML; one key a line, so that a position in a message means something.
    let text = serde_json::to_string_pretty(&whole).expect("JSON can be written");
    format!("{text}\n")
}

/// A configuration in the words of a user, with socket and event log before it.
pub fn config_text(dir: &Path, rest: &str) -> String {
    let dir = dir.display();
    format!("socket: {dir}/sock\nlog: {dir}/tm.log\n{rest}")
}
