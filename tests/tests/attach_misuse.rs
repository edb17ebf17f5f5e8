//! What is said of a command line that `attach`, `send` and `screen` cannot do with, and the exit code.

use harness::{Ctl, Daemon, LATER, NOBODYS_UID, Sandbox, Term, json, skip_unless_root};
use std::process::Command;

// The usage of attach fills a screen; the reason must not scroll away above it.
#[test]
fn misuse_of_attach_is_told_in_a_line() {
    let ctl = Ctl::new(&Sandbox::new().path("socket"));
    let keys = "(^], ^\\, ^^, ^_, or ctrl-a to ctrl-z without i, j and m, or none)";
    for (line, said, code) in [
        ("attach", "attach requires one process name", 1),
        ("fg v w", "fg requires one process name", 1),
        ("attach w --history", "--history needs a value", 1),
        ("attach --frob w", "unknown option --frob", 2),
        ("fg --frob w", "unknown option --frob", 2),
        ("attach --once=1 w", "--once takes no value", 2),
        (
            "attach w --detach-key x",
            &format!("x is not a key that detaches {keys}"),
            1,
        ),
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let answer = ctl.run(&words);
        let want = format!("Error: {said}; see help {}\n", words[0]);
        assert_eq!((answer.out, answer.code), (want, Some(code)), "{line}");
    }
}

// As the manual has it: an option that there is not is one thing, and what the command makes of the rest another.
#[test]
fn misuse_of_send_and_screen_is_told_before_the_usage() {
    let ctl = Ctl::new(&Sandbox::new().path("socket"));
    for (line, said, code) in [
        ("send", "send requires a process name and a text", 1),
        ("send w", "send requires a process name and a text", 1),
        ("send --frob w x", "unknown option --frob", 2),
        ("screen", "screen requires one process name", 1),
        ("screen v w", "screen requires one process name", 1),
        ("screen w --history", "--history needs a value", 1),
        ("screen --frob w", "unknown option --frob", 2),
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let answer = ctl.run(&words);
        let want = format!("Error: {said}\n{} ", words[0]);
        assert!(answer.out.starts_with(&want), "{line}: {}", answer.out);
        assert_eq!(answer.code, Some(code), "{line}");
    }
}

// As after su, which gives no terminal of one's own.
#[test]
fn at_the_terminal_of_another_user_the_reason_is_told() {
    skip_unless_root!();
    let daemon = Daemon::start(Sandbox::new(), json!({"p": {"cmd": "cat"}}));
    let client = daemon.ctl().command();
    let uid = NOBODYS_UID.to_string();
    let mut command = Command::new("setsid");
    command.args(["--wait", "setpriv", "--reuid", &uid, "--regid", &uid]);
    command.arg("--clear-groups").arg(client.get_program());
    command.args(client.get_args()).args(["attach", "p"]);
    let mut term = Term::spawn(&command);
    term.wait_for("taskmasterctl: terminal: permission denied");
    assert_eq!(term.wait_exit(LATER).code(), Some(1));
}
