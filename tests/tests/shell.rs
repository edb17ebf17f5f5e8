//! The daemon ends while its control shell has the terminal: the shell goes with it, and who called the daemon
//! finds his terminal as he left it.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use harness::daemon::config;
use harness::{LATER, SOON, Sandbox, Term, bins, eventually, json, proc};
use nix::sys::signal::Signal;

const PROMPT: &str = "taskmaster> ";
const USERS_PROMPT: &str = "user> ";

/// A sandbox with a program in its configuration.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let cmd = sandbox.puppet("p", &["--brief", "--write-out", "hello\\n"]);
    let mouse = ["sh", "-c", r"printf '\033[?1000hhello'; exec sleep 1000"];
    let programs = json!({"p": {"cmd": cmd}, "mouse": {"cmd": mouse}});
    sandbox.write("tm.yaml", config(&sandbox, &programs));
    sandbox
}

/// A child of that name.
#[track_caller]
fn child_of(parent: i32, name: &str) -> i32 {
    eventually(&format!("a child named {name} of {parent}"), SOON, || {
        let children = proc::children(parent);
        let child = children.iter().find(|child| child.command == name);
        child
            .map(|child| child.pid)
            .ok_or_else(|| format!("{children:?}"))
    })
}

/// A user's bash, in which `"$@"` is this daemon with its control shell.
fn bash(sandbox: &Sandbox, daemon: &Path) -> Term {
    let mut command = Command::new("bash");
    command.args(["--norc", "--noprofile", "-i", "-s"]);
    command.arg(daemon);
    command.args(["-c", &sandbox.text("tm.yaml"), "--shell"]);
    command.env("HOME", sandbox.dir()).env("TERM", "xterm");
    command.env("PS1", USERS_PROMPT).env_remove("HISTFILE");
    command.current_dir(sandbox.dir());
    Term::spawn(&command)
}

/// A user who types in bash, and has started a daemon with its control shell.
struct User {
    sandbox: Sandbox,
    term: Term,
    daemon: i32,
    shell: i32,
}

impl User {
    /// Types this to start the daemon.
    #[track_caller]
    fn types(line: &str) -> Self {
        let sandbox = sandbox();
        let mut term = bash(&sandbox, bins::taskmasterd());
        term.type_line(USERS_PROMPT, "stty -a >before");
        term.type_line(USERS_PROMPT, line);
        term.wait_prompt(PROMPT);
        let daemon = child_of(term.pid(), "taskmasterd");
        let shell = child_of(daemon, "taskmasterctl");
        sandbox.ledger("p").wait("ready", 1, SOON);
        Self {
            sandbox,
            term,
            daemon,
            shell,
        }
    }

    fn at_a_shell() -> Self {
        Self::types("\"$@\"")
    }

    /// What `taskmasterctl shutdown` elsewhere comes to.
    fn shuts_down_elsewhere(&self) {
        let said = harness::Ctl::new(&self.sandbox.path("sock")).run(&["shutdown"]);
        assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:?}");
    }

    /// Finds his terminal as it was: his prompt on a line of its own, the modes of before, and keys that are read by
    /// nobody but bash. The daemon has ended with this code.
    #[track_caller]
    fn has_his_terminal_back(mut self, code: i32) {
        self.term.wait_prompt(USERS_PROMPT);
        assert!(!proc::alive(self.shell), "{:?}", proc::stat(self.shell));
        let told = format!("code {code} of bash");
        self.term.type_line(USERS_PROMPT, "echo code $? of bash");
        self.term.wait_for(&told);
        self.term.type_line(USERS_PROMPT, "stty -a >after");
        self.term.wait_prompt(USERS_PROMPT);
        let modes = |name: &str| String::from_utf8_lossy(&self.sandbox.read(name)).into_owned();
        assert_eq!(modes("after"), modes("before"));
        self.term.type_line(USERS_PROMPT, "exit 7");
        assert_eq!(self.term.wait_exit(SOON).code(), Some(7));
        proc::wait_dead(self.sandbox.ledger("p").pids("start")[0]);
    }
}

#[test]
fn a_shell_ends_with_a_daemon_that_is_told_to_end() {
    let user = User::at_a_shell();
    proc::signal(user.daemon, Signal::SIGTERM);
    user.has_his_terminal_back(0);
}

#[test]
fn a_shell_ends_with_a_daemon_that_is_shut_down_from_elsewhere() {
    let user = User::at_a_shell();
    user.shuts_down_elsewhere();
    user.has_his_terminal_back(0);
}

#[test]
fn a_shell_ends_with_a_daemon_that_it_has_shut_down_itself() {
    let mut user = User::at_a_shell();
    user.term.type_line(PROMPT, "shutdown");
    user.term.wait_typed("down y/N? ");
    user.term.send("y\r");
    user.has_his_terminal_back(0);
}

// The terminal of a process is in the shell's hands, in modes of its own.
#[test]
fn a_shell_that_is_attached_ends_with_its_daemon() {
    let mut user = User::at_a_shell();
    user.term.type_line(PROMPT, "fg p");
    user.term.wait_for("hello");
    proc::signal(user.daemon, Signal::SIGTERM);
    user.has_his_terminal_back(0);
}

// It hears nothing before it goes on, and nobody else would continue it.
#[test]
fn a_shell_that_is_stopped_ends_with_its_daemon() {
    let user = User::at_a_shell();
    proc::signal(user.shell, Signal::SIGSTOP);
    proc::wait_stopped(user.shell);
    proc::signal(user.daemon, Signal::SIGTERM);
    user.has_his_terminal_back(0);
}

// What the caller ignores, the shell ignores.
#[test]
fn a_shell_that_does_not_listen_is_killed() {
    let user = User::types("(trap '' TERM; exec \"$@\")");
    user.shuts_down_elsewhere();
    user.has_his_terminal_back(0);
}

// Nothing of the daemon is left to end it.
#[test]
fn a_shell_ends_with_a_daemon_that_is_killed() {
    let user = User::at_a_shell();
    proc::signal(user.daemon, Signal::SIGKILL);
    proc::wait_dead(user.shell);
    user.has_his_terminal_back(137);
}

// By the time the terminal answered what the client asks it on leaving, bash would read that.
#[test]
fn a_shell_that_is_attached_asks_nothing_as_its_daemon_is_killed() {
    let mut user = User::at_a_shell();
    user.term.type_line(PROMPT, "fg mouse");
    user.term.wait_for("hello");
    proc::signal(user.daemon, Signal::SIGKILL);
    proc::wait_dead(user.shell);
    let raw = String::from_utf8_lossy(user.term.raw()).into_owned();
    assert!(!raw.contains("\x1b[5n"), "{raw:?}");
    assert!(raw.contains("\x1b[?1000l"), "{raw:?}");
    // Bash may have its prompt painted before the client is off, and what that does last behind it.
    user.term.send("exit 7\r");
    assert_eq!(user.term.wait_exit(SOON).code(), Some(7));
}

// Whoever kills it leaves the terminal to the daemon in the modes of the line editor.
#[test]
fn a_shell_that_is_killed_leaves_a_terminal_in_order() {
    let user = User::at_a_shell();
    proc::signal(user.shell, Signal::SIGKILL);
    user.has_his_terminal_back(0);
}

// In the background the daemon is stopped as it hands over the terminal, before it listens to deaths.
#[test]
fn a_shell_that_is_dead_before_anybody_listens_has_been_left() {
    let sandbox = sandbox();
    let (daemon, shell) = (sandbox.path("taskmasterd"), sandbox.path("taskmasterctl"));
    // By another process: a file that is open for writing in a child of ours could not be executed.
    let script = "cp \"$0\" \"$1\" && printf '#!/bin/sh\\n' >\"$2\" && chmod +x \"$2\"";
    let mut copying = Command::new("sh");
    copying.args(["-c", script]).arg(bins::taskmasterd());
    let copied = copying.args([&daemon, &shell]).status();
    assert!(copied.expect("sh starts").success());
    let mut term = bash(&sandbox, &daemon);
    term.type_line(USERS_PROMPT, "\"$@\" &");
    let daemon = child_of(term.pid(), "taskmasterd");
    proc::wait_stopped(daemon);
    proc::wait_dead(child_of(daemon, "taskmasterctl"));
    term.send("fg\r");
    term.wait_for("stopping all programs");
    proc::wait_dead(daemon);
}

// Who calls the daemon need not edit lines: he would get the marks around what is pasted as text.
#[test]
fn a_shell_that_is_ended_leaves_no_marks_around_what_is_pasted() {
    let sandbox = sandbox();
    let mut command = Command::new(bins::taskmasterd());
    command.args(["-c", &sandbox.text("tm.yaml"), "--shell"]);
    command.env("HOME", sandbox.dir()).env("TERM", "xterm");
    command.current_dir(sandbox.dir());
    let mut term = Term::spawn(&command);
    term.wait_prompt(PROMPT);
    proc::signal(term.pid(), Signal::SIGTERM);
    assert!(term.wait_exit(LATER).success());
    let raw = String::from_utf8_lossy(term.raw()).into_owned();
    let last = raw.rsplit_once("\x1b[?2004").map(|(_, rest)| &rest[..1]);
    assert_eq!(last, Some("l"), "{raw:?}");
}

/// A daemon whose control shell reads a pipe that stays open.
struct Piped {
    sandbox: Sandbox,
    daemon: Child,
    pid: i32,
    shell: i32,
    pipe: ChildStdin,
}

fn on_a_pipe() -> Piped {
    let sandbox = sandbox();
    let mut command = Command::new(bins::taskmasterd());
    command.arg("-c").arg(sandbox.path("tm.yaml"));
    command.arg("--shell").current_dir(sandbox.dir());
    command.stdin(Stdio::piped());
    command.stdout(file(&sandbox.path("out")));
    command.stderr(file(&sandbox.path("err")));
    let mut daemon = command.spawn().expect("taskmasterd starts");
    let pid = i32::try_from(daemon.id()).expect("a pid is an i32");
    Piped {
        pipe: daemon.stdin.take().expect("a pipe"),
        shell: child_of(pid, "taskmasterctl"),
        sandbox,
        daemon,
        pid,
    }
}

fn file(path: &Path) -> fs::File {
    fs::File::create(path).expect("a file can be made")
}

impl Piped {
    /// Waits for the end of both, with the pipe still open.
    #[track_caller]
    fn wait_end(mut self) {
        let ended = eventually("the end of the daemon", LATER, || {
            let ended = self.daemon.try_wait().map_err(|error| error.to_string())?;
            ended.ok_or_else(|| "it runs".to_owned())
        });
        assert!(!proc::alive(self.shell), "{:?}", proc::stat(self.shell));
        let said = String::from_utf8_lossy(&self.sandbox.read("err")).into_owned();
        assert!(ended.success() && said.is_empty(), "{ended}: {said}");
    }
}

#[test]
fn a_shell_that_waits_for_a_pipe_ends_with_its_daemon() {
    let piped = on_a_pipe();
    piped.sandbox.ledger("p").wait("ready", 1, SOON);
    proc::signal(piped.pid, Signal::SIGTERM);
    piped.wait_end();
}

#[test]
fn a_shell_that_was_told_to_shut_down_by_a_pipe_ends_with_its_daemon() {
    let mut piped = on_a_pipe();
    let told = piped.pipe.write_all(b"shutdown\n");
    told.expect("a pipe takes a line");
    piped.wait_end();
}

// The daemon has its own blocked before it starts the shell.
#[test]
fn a_shell_has_no_signal_blocked() {
    let piped = on_a_pipe();
    let blocked = proc::status(piped.shell, "SigBlk");
    assert_eq!(blocked.as_deref(), Some("0000000000000000"));
    proc::signal(piped.pid, Signal::SIGTERM);
    piped.wait_end();
}
