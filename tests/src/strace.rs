//! System calls of the daemon and its children, seen by strace, and errors in them that the kernel never made.

use std::process::{Child, Command, Stdio};

use nix::sys::signal::Signal;

use crate::daemon::Daemon;
use crate::proc;
use crate::wait::{SOON, check, eventually};

/// How often one answer of the daemon wakes its tracer at the least: it stops at both ends of each of its calls.
const WAKEUPS_OF_AN_ANSWER: u64 = 6;
/// What it writes down, in the sandbox.
const RECORD: &str = "strace.out";

/// Whether strace is here and may do its work.
pub fn works() -> bool {
    let mut command = Command::new("strace");
    command.args(["-f", "-o", "/dev/null", "true"]);
    command.stdin(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Ends a test early, saying why, unless strace works.
#[macro_export]
macro_rules! skip_unless_strace {
    () => {
        if !$crate::strace::works() {
            eprintln!(
                "skipped: needs strace (the package of that name), and to be allowed to trace"
            );
            return;
        }
    };
}

/// A strace that is attached to a daemon and all it starts, until it is dropped.
pub struct Strace {
    child: Child,
    daemon: i32,
}

impl Strace {
    /// Attaches one with an `inject=` expression, limited to calls on a path if there is one.
    #[track_caller]
    pub fn inject(daemon: &Daemon, expression: &str, path: Option<&str>) -> Self {
        Self::attach(daemon, &format!("inject={expression}"), path)
    }

    /// Attaches one that writes down these calls.
    #[track_caller]
    pub fn record(daemon: &Daemon, calls: &str) -> Self {
        Self::attach(daemon, &format!("trace={calls}"), None)
    }

    #[track_caller]
    fn attach(daemon: &Daemon, expression: &str, path: Option<&str>) -> Self {
        let pid = daemon.daemon_pid();
        let mut command = Command::new("strace");
        command.arg("-f").arg("-o");
        command.arg(daemon.sandbox().path(RECORD));
        command.arg("-p").arg(pid.to_string());
        if let Some(path) = path {
            command.arg("-P").arg(path);
        }
        command.arg("-e").arg(expression);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(Stdio::null());
        let child = command.spawn().expect("strace starts");
        let strace = Self { child, daemon: pid };
        strace.wait_at_work(daemon);
        strace
    }

    /// Waits until a signal has stopped the daemon.
    #[track_caller]
    pub fn wait_stopped(&self) {
        eventually("a stop of the daemon", SOON, || {
            let state = proc::stat(self.daemon).map(|stat| stat.state);
            // Small where it is traced.
            check(matches!(state, Some('T' | 't')), || format!("{state:?}"))
        });
    }

    /// Ends it; gives what it has written down.
    pub fn end(self, daemon: &Daemon) -> String {
        drop(self);
        String::from_utf8_lossy(&daemon.sandbox().read(RECORD)).into_owned()
    }

    /// To be attached is not yet to trace: it is at work when the daemon's calls wake it.
    #[track_caller]
    fn wait_at_work(&self, daemon: &Daemon) {
        let own = self.child.id() as i32;
        eventually("strace at work", SOON, || {
            let tracer = proc::status(self.daemon, "TracerPid").unwrap_or_default();
            check(tracer == own.to_string(), || tracer)?;
            let before = proc::wakeups(own);
            daemon.rpc().status();
            let woken = proc::wakeups(own) - before;
            check(woken >= WAKEUPS_OF_AN_ANSWER, || {
                format!("woken {woken} times")
            })
        });
    }
}

impl Drop for Strace {
    fn drop(&mut self) {
        // It lets go of all it traces, and then ends.
        proc::signal(self.child.id() as i32, Signal::SIGTERM);
        self.child.wait().ok();
        let traced = proc::status(self.daemon, "TracerPid").is_some_and(|tracer| tracer != "0");
        if traced && !std::thread::panicking() {
            panic!("strace did not let go");
        }
    }
}
