//! The window of the client is closed under it: it ends without a word, for nobody is there to read one.

use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use harness::{Daemon, SOON, Sandbox, State, Term, check, eventually, json, proc};

/// What is typed, and a sign that the client is at work.
const CLIENTS: [(&[&str], &str); 5] = [
    (&[], "taskmaster>"),
    (&["attach", "p"], "tick"),
    (&["tail", "-f", "p"], "tick"),
    (&["attach", "silent"], "hello"),
    (&["tail", "-f", "silent"], "hello"),
];

fn daemon() -> Daemon {
    let sandbox = Sandbox::new();
    let program = |ledger: &str, orders: &[&str]| {
        let cmd = sandbox.puppet(ledger, orders);
        json!({"cmd": cmd, "starttime": "50ms"})
    };
    let programs = json!({
        "p": program("p", &["--tick", "5ms"]), "silent": program("s", &["--write-out", "hello\\n"]),
    });
    let daemon = Daemon::start(sandbox, programs);
    for name in ["p", "silent"] {
        daemon.wait_state(name, State::Running);
    }
    daemon
}

/// The client on a terminal, started by `script`, with its complaints in a file.
#[track_caller]
fn client(daemon: &Daemon, script: &str, words: &[&str], sign: &str) -> Term {
    let ctl = daemon.ctl().command();
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh"]).arg(ctl.get_program());
    command.args(ctl.get_args()).args(words);
    command.env("HOME", daemon.sandbox().dir());
    command
        .env("TERM", "xterm")
        .current_dir(daemon.sandbox().dir());
    let mut term = Term::spawn(&command);
    term.wait_for(sign);
    term
}

/// The code that the client's shell has noted, and what the client complained of.
#[track_caller]
fn wait_code(daemon: &Daemon, words: &[&str]) -> (i32, String) {
    let text = |name: &str| String::from_utf8_lossy(&daemon.sandbox().read(name)).into_owned();
    let code = eventually(&format!("the end of {words:?}"), SOON, || {
        let code = text("code");
        code.trim().parse().map_err(|_| code)
    });
    std::fs::remove_file(daemon.sandbox().path("code")).expect("it is there");
    (code, text("err"))
}

// Nobody tells it by a signal, as when it is not the terminal's own: it learns of it from an error.
#[test]
fn a_client_whose_terminal_is_gone_says_nothing() {
    let daemon = daemon();
    for (words, sign) in CLIENTS {
        let script = "trap '' HUP; \"$@\" 2>err; echo $? >code";
        let mut term = client(&daemon, script, words, sign);
        term.hang_up();
        assert_eq!(wait_code(&daemon, words), (129, String::new()), "{words:?}");
    }
}

// It had nothing to do with the terminal before it had something to print.
#[test]
fn an_answer_for_a_terminal_that_is_gone_is_dropped() {
    let daemon = daemon();
    let script = "trap '' HUP; echo ready; read line; \"$@\" 2>err; echo $? >code";
    let words = ["status"];
    let mut term = client(&daemon, script, &words, "ready");
    term.hang_up();
    assert_eq!(wait_code(&daemon, &words), (129, String::new()));
}

// The usual way: SIGHUP.
#[test]
fn a_client_that_is_told_of_a_hangup_ends_of_it_in_silence() {
    let daemon = daemon();
    for (words, sign) in CLIENTS {
        let mut term = client(&daemon, "exec \"$@\" 2>err", words, sign);
        term.hang_up();
        let status = term.wait_exit(SOON);
        let said = String::from_utf8_lossy(&daemon.sandbox().read("err")).into_owned();
        assert_eq!(
            (said.as_str(), status.signal()),
            ("", Some(1)),
            "{words:?}: {status}"
        );
    }
    eventually("the end of all clients", SOON, || {
        let left: Vec<i32> = daemon.offspring();
        let clients: Vec<_> = left
            .iter()
            .filter(|&&pid| proc::mentions(pid, "taskmasterctl"))
            .collect();
        check(clients.is_empty(), || format!("{clients:?}"))
    });
}
