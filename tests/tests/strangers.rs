//! A signal never reaches a stranger: a pid that was a program's and is somebody else's now.
//!
//! Pids come round once in 32,768 processes, or whenever the test says so: in a pid namespace of its own it may
//! set the kernel's counter.

use std::env;
use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};

use harness::{Daemon, SOON, Sandbox, State, bins, json, laps, proc, skip_unless_root};
use nix::sys::signal::Signal;

/// Set for the test that runs inside of the namespace.
const INSIDE: &str = "TM_INSIDE_PID_NAMESPACE";
const COUNTER: &str = "/proc/sys/kernel/ns_last_pid";
const TEST: &str = "whoever_has_a_dead_programs_pid_is_left_alone";

/// A puppet that reports every signal, leader of its own group, with this very pid.
fn stranger(daemon: &Daemon, pid: i32) -> Child {
    let ledger = daemon.sandbox().ledger("stranger");
    for _ in 0..50 {
        if fs::write(COUNTER, (pid - 1).to_string()).is_err() {
            break;
        }
        let mut command = Command::new(bins::puppet());
        command.args(["--brief", "--name", "stranger", "--ledger"]);
        let mut child = command
            .arg(&ledger.path)
            .process_group(0)
            .spawn()
            .expect("the puppet starts");
        if child.id() == pid as u32 {
            return child;
        }
        child.kill().ok();
        child.wait().ok();
    }
    panic!("the pid {pid} cannot be had");
}

/// All that anybody may order about a program, while a stranger has its pid.
fn order_everything(daemon: &Daemon) {
    let mut rpc = daemon.rpc();
    rpc.signal("TERM", &["p"]);
    rpc.signal("KILL", &["p"]);
    rpc.stop(&["p"]);
    rpc.reload().expect("the file is good");
    rpc.signal("USR1", &["all"]);
    rpc.stop(&["all"]);
}

fn inside() {
    let sandbox = Sandbox::new();
    let keys = json!({"cmd": sandbox.puppet("p", &["--brief", "--plan", "exit:0@20ms"]),
                      "starttime": "1ms", "autorestart": "never", "stopasgroup": true, "tty": "none"});
    let backoff = json!({"cmd": sandbox.puppet("b", &["--brief", "--plan", "exit:1"]),
                         "starttime": "20s", "startretries": 9, "autostart": false, "tty": "none"});
    let daemon = Daemon::start(sandbox, json!({"p": keys, "b": backoff}));
    for lap in 0..laps(10) {
        daemon.sandbox().ledger("p").wait("ready", lap + 1, SOON);
        daemon.wait_state("p", State::Exited);
        let pid = daemon.sandbox().ledger("p").pids("start")[lap];
        let mut stranger = stranger(&daemon, pid);
        daemon
            .sandbox()
            .ledger("stranger")
            .wait("ready", lap + 1, SOON);
        order_everything(&daemon);
        assert!(proc::alive(pid), "the stranger was killed");
        let heard = daemon.sandbox().ledger("stranger").all("signal");
        assert!(heard.is_empty(), "the stranger heard {heard:?}");
        stranger.kill().expect("it is ours");
        stranger.wait().expect("it ends");
        daemon.rpc().start(&["p"]);
    }
    // In BACKOFF there is no process either, only the memory of one.
    daemon.rpc().start(&["b"]);
    daemon.wait_state("b", State::Backoff);
    let pid = daemon.sandbox().ledger("b").pids("start")[0];
    let mut stranger = stranger(&daemon, pid);
    daemon.rpc().signal("KILL", &["b"]);
    daemon.rpc().stop(&["b"]);
    assert!(proc::alive(pid), "the stranger was killed");
    daemon.signal(Signal::SIGTERM);
    stranger.kill().expect("it is ours");
    stranger.wait().expect("it ends");
}

#[test]
fn whoever_has_a_dead_programs_pid_is_left_alone() {
    skip_unless_root!();
    if env::var_os(INSIDE).is_some() {
        return inside();
    }
    let mut works = Command::new("unshare");
    works.args(["--pid", "--mount-proc", "--fork", "test", "-w", COUNTER]);
    if !works.status().is_ok_and(|status| status.success()) {
        harness::skip!("pid namespaces with {COUNTER} do not work here");
    }
    let mut command = Command::new("unshare");
    command.args(["--pid", "--mount-proc", "--fork", "--kill-child"]);
    command.arg(env::current_exe().expect("a test knows where it is"));
    command
        .args(["--exact", TEST, "--nocapture"])
        .env(INSIDE, "1");
    let output = command.output().expect("unshare starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
}
