//! Somebody at a terminal who attaches.
//!
//! A [`Sitting`] is a shell script on a terminal of its own that runs `taskmasterctl attach`, tells its exit code,
//! and then repeats whatever is typed. The daemon is a real one, or one that the test plays through a [`Visitor`].

use std::fs;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::json;
use shared::api::{Attached, Tty};
use shared::frame::Frame;

use crate::fake::{Fake, Visitor, running};
use crate::wait::{SOON, eventually};
use crate::{Ctl, Daemon, Sandbox, Term, proc};

/// Somebody at a terminal.
pub struct Sitting {
    pub term: Term,
    /// The modes of the terminal before the client came.
    pub before: String,
    /// The daemon that the test plays.
    fake: Option<(Fake, Sandbox)>,
}

impl Sitting {
    /// Starts `taskmasterctl attach` with these words at a daemon that the test plays, and waits for its request.
    #[track_caller]
    pub fn new(words: &[&str]) -> (Self, Visitor) {
        Self::with(words, "")
    }

    /// The same with something behind the command in the script, as a redirection.
    #[track_caller]
    pub fn with(words: &[&str], behind: &str) -> (Self, Visitor) {
        let sandbox = Sandbox::new();
        let fake = Fake::new(&sandbox);
        let words = [&["w"], words].concat();
        let mut sitting = Self::sit(&sandbox, &sandbox.path("socket"), &words, behind);
        let visitor = fake.accept();
        sitting.fake = Some((fake, sandbox));
        (sitting, visitor)
    }

    /// The same, attached to a process that runs.
    #[track_caller]
    pub fn attached(words: &[&str]) -> (Self, Visitor) {
        Self::attached_with(words, Tty::Full)
    }

    /// The same, with this for a terminal.
    #[track_caller]
    pub fn attached_with(words: &[&str], tty: Tty) -> (Self, Visitor) {
        let (mut sitting, mut visitor) = Self::new(words);
        visitor.answer(&json!(Attached { tty, ..running() }));
        visitor.send(&Frame::Snapshot(b"hello".to_vec()));
        sitting.term.wait_for("hello");
        (sitting, visitor)
    }

    /// Starts `taskmasterctl attach` with these words at a real daemon.
    #[track_caller]
    pub fn at(daemon: &Daemon, words: &[&str]) -> Self {
        Self::sit(daemon.sandbox(), &daemon.socket(), words, "")
    }

    #[track_caller]
    fn sit(sandbox: &Sandbox, socket: &Path, words: &[&str], behind: &str) -> Self {
        let script = format!(
            "echo ready; read go; \"$@\" {behind}; echo \"code=$?\"; echo shell; exec cat -v"
        );
        let client = Ctl::new(socket).command();
        let mut command = Command::new("sh");
        command.args(["-c", &script, "sh"]);
        command.arg(client.get_program()).args(client.get_args());
        command.arg("attach").args(words);
        command.env("TERM", "xterm").current_dir(sandbox.dir());
        let mut term = Term::spawn(&command);
        term.wait_for("ready");
        let before = term.modes();
        term.send("\r");
        let fake = None;
        Self { term, before, fake }
    }

    /// Waits until the client has ended with this code and the terminal is as it was.
    #[track_caller]
    pub fn wait_code(&mut self, code: i32) {
        self.term.wait_for(&format!("code={code}\n"));
        self.term.wait_for("shell");
        assert_eq!(self.term.modes(), self.before, "modes of the terminal");
        self.assert_blocking();
    }

    /// Checks that the shell's own descriptors wait when they are read.
    #[track_caller]
    pub fn assert_blocking(&self) {
        let info = fs::read_to_string(format!("/proc/{}/fdinfo/0", self.term.pid()));
        let info = info.expect("the shell has an input");
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
        let flags = u32::from_str_radix(flags.unwrap_or("").trim(), 8).expect("flags are octal");
        assert_eq!(flags & libc::O_NONBLOCK.cast_unsigned(), 0, "{info}");
    }

    /// The client's pid.
    #[track_caller]
    pub fn client(&self) -> i32 {
        eventually("a client", SOON, || {
            let children = proc::children(self.term.pid());
            let client = children
                .iter()
                .find(|child| child.command == "taskmasterctl");
            client.map(|client| client.pid).ok_or("none")
        })
    }

    /// Sends the client a signal.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        assert!(proc::signal(self.client(), signal), "it is gone");
    }
}
