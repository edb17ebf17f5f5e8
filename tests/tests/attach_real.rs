//! The real client on a terminal, at the real daemon: whatever happens, the terminal is as it was, and the process
//! goes on.

use std::process::Command;

use harness::seat::wait_window;
use harness::{
    Daemon, Referee, SOON, Sandbox, Sitting, Term, Value, check, eventually, json, proc,
};
use nix::sys::signal::Signal;

/// All that a program can switch on, and a word.
const DIRT: &str = r"\e[?1049h\e[?1h\e[?1000h\e[?1002h\e[?1003h\e[?1006h\e[?1004h\e[?2004h\e[?25l\e=\e[>1u\e[>4;2m\e[3 q\e[31;1m\e[4h\e[2;5r\e[?7l\e[HDIRTY";

/// A process that has switched everything on.
fn dirty(keys: Value) -> Daemon {
    let sandbox = Sandbox::new();
    let mut program = keys;
    program["cmd"] = sandbox.puppet("p", &["--raw", "--write-out", DIRT]);
    let daemon = Daemon::start(sandbox, json!({"p": program}));
    daemon.sandbox().ledger("p").wait("wrote", 1, SOON);
    daemon
}

fn fresh() -> String {
    Referee::new(24, 80).settings()
}

/// Attaches, and waits until the terminal is as the process wants it.
#[track_caller]
fn sit(daemon: &Daemon) -> Sitting {
    let mut sitting = Sitting::at(daemon, &["p"]);
    let shown = sitting.term.wait_shown("DIRTY");
    assert_ne!(shown.settings(), fresh());
    assert_ne!(sitting.term.modes(), sitting.before);
    sitting
}

/// Waits until this was painted, on whichever of its screens the terminal was then.
#[track_caller]
fn wait_painted(term: &mut Term, text: &str) {
    eventually(&format!("{text:?} among all that came"), SOON, || {
        let raw = String::from_utf8_lossy(term.raw()).into_owned();
        check(raw.contains(text), || raw.clone())
    });
}

/// The screen of the shell is back, and nothing is on that was switched on.
#[track_caller]
fn assert_clean(term: &mut Term) {
    let shown = term.shown();
    assert_eq!(shown.settings(), fresh());
    assert!(!shown.text().contains("DIRTY"), "{}", shown.text());
}

#[test]
fn whatever_ends_the_client_leaves_the_terminal_as_it_was() {
    let daemon = dirty(json!({}));
    let pid = daemon.pid("p");
    for (signal, code) in [
        (None, 0),
        (Some(Signal::SIGTERM), 143),
        (Some(Signal::SIGHUP), 129),
        (Some(Signal::SIGINT), 130),
        (Some(Signal::SIGQUIT), 131),
    ] {
        let mut sitting = sit(&daemon);
        match signal {
            Some(signal) => sitting.signal(signal),
            None => sitting.term.send("\x1d"),
        }
        sitting.wait_code(code);
        assert_clean(&mut sitting.term);
    }
    assert_eq!(daemon.pid("p"), pid);
}

// The guardian does it then, a moment later.
#[test]
fn a_killed_client_leaves_the_terminal_as_it_was() {
    let daemon = dirty(json!({}));
    let mut sitting = sit(&daemon);
    sitting.signal(Signal::SIGKILL);
    eventually("the terminal as it was", SOON, || {
        let (settings, modes) = (sitting.term.shown().settings(), sitting.term.modes());
        let same = settings == fresh() && modes == sitting.before;
        check(same, || format!("{settings}{modes}"))
    });
    // The shell may be faster than the guardian, and tell it where nothing stays.
    wait_painted(&mut sitting.term, "code=137");
    sitting.assert_blocking();
    assert_clean(&mut sitting.term);
    daemon.wait_log(&["detached from p"]);
}

// The window is closed, or the line is cut: client and guardian go, the process stays.
#[test]
fn a_terminal_that_goes_away_takes_nobody_but_the_client() {
    let daemon = dirty(json!({}));
    let pid = daemon.pid("p");
    let mut sitting = sit(&daemon);
    let client = sitting.client();
    let mut gone = vec![client];
    gone.extend(proc::children(client).iter().map(|guardian| guardian.pid));
    assert_eq!(gone.len(), 2, "one guardian");
    sitting.term.hang_up();
    eventually("the end of the client and its guardian", SOON, || {
        gone.retain(|&pid| proc::alive(pid));
        check(gone.is_empty(), || format!("{gone:?}"))
    });
    daemon.wait_log(&["detached from p"]);
    assert_eq!(daemon.pid("p"), pid);
    let hung_up = daemon.sandbox().ledger("p").all("signal");
    assert!(hung_up.is_empty(), "{hung_up:?}");
}

// Whoever had the terminal meanwhile has changed it, and painted over the picture.
#[test]
fn a_client_that_is_continued_takes_the_terminal_again() {
    let daemon = dirty(json!({}));
    let mut sitting = sit(&daemon);
    let raw = sitting.term.modes();
    let client = sitting.client();
    proc::signal(client, Signal::SIGSTOP);
    proc::wait_stopped(client);
    sitting.term.cook();
    assert_ne!(sitting.term.modes(), raw);
    let mark = sitting.term.raw().len();
    proc::signal(client, Signal::SIGCONT);
    eventually("the picture again", SOON, || {
        let text = String::from_utf8_lossy(&sitting.term.raw()[mark..]).into_owned();
        check(text.contains("DIRTY"), || text)
    });
    assert_eq!(sitting.term.modes(), raw);
    sitting.term.send("\x1d");
    sitting.wait_code(0);
    assert_clean(&mut sitting.term);
}

#[test]
fn a_client_that_is_stopped_lends_the_terminal_to_the_shell() {
    const PROMPT: &str = "shell> ";
    let daemon = dirty(json!({}));
    let mut command = Command::new("sh");
    command.arg("-i").env("PS1", PROMPT).env_remove("ENV");
    command
        .env("TERM", "xterm")
        .env("CTL", daemon.ctl().words());
    command.current_dir(daemon.sandbox().dir());
    let mut term = Term::spawn(&command);
    term.wait_prompt(PROMPT);
    let cooked = term.modes();
    term.send("$CTL attach p\r");
    for _ in 0..2 {
        term.wait_shown("DIRTY");
        let raw = term.modes();
        let client = proc::children(term.pid());
        let client = client.first().expect("a client").pid;
        proc::signal(client, Signal::SIGTSTP);
        term.wait_prompt(PROMPT);
        assert_clean(&mut term);
        assert_ne!(term.modes(), raw);
        term.send("fg\r");
    }
    term.wait_shown("DIRTY");
    term.send("\x1d");
    term.wait_prompt(PROMPT);
    assert_clean(&mut term);
    assert_eq!(term.modes(), cooked);
}

#[test]
fn the_shell_attaches_between_two_prompts() {
    const PROMPT: &str = "taskmaster> ";
    let daemon = dirty(json!({}));
    let mut command = daemon.ctl().command();
    command
        .env("TERM", "xterm")
        .env("HOME", daemon.sandbox().dir());
    let mut term = Term::spawn(&command);
    for _ in 0..2 {
        term.wait_prompt(PROMPT);
        term.send("fg p\r");
        term.wait_shown("DIRTY");
        term.send("\x1d");
    }
    term.wait_prompt(PROMPT);
    term.send("quot\x7f\x7fit\r");
    assert!(term.wait_exit(SOON).success());
    assert_clean(&mut term);
}

#[test]
fn a_daemon_that_ends_leaves_the_terminal_as_it_was() {
    let mut stopped = dirty(json!({}));
    let mut sitting = sit(&stopped);
    stopped.stop();
    sitting.wait_code(143);
    assert_clean(&mut sitting.term);

    let mut killed = dirty(json!({}));
    let mut sitting = sit(&killed);
    killed.signal(Signal::SIGKILL);
    killed.wait_exit(SOON);
    sitting.wait_code(7);
    assert_clean(&mut sitting.term);
    let text = sitting.term.text();
    assert!(
        text.contains("[detached from p: taskmasterd is gone]"),
        "{text}"
    );
}

#[test]
fn a_process_that_leaves_the_configuration_ends_the_client() {
    let daemon = dirty(json!({}));
    let mut sitting = sit(&daemon);
    daemon.reload(&json!({"q": {"cmd": "cat"}}));
    sitting.wait_code(143);
    let line = "[p was killed by SIGTERM and will not come back]";
    sitting.term.wait_for(line);
    assert_clean(&mut sitting.term);
}

#[test]
fn the_next_process_has_the_size_of_the_terminal_from_its_birth() {
    let daemon = dirty(json!({"autorestart": "always", "starttime": 0}));
    let ledger = daemon.sandbox().ledger("p");
    let mut sitting = sit(&daemon);
    sitting.term.resize(31, 91);
    wait_window(daemon.pid("p"), 31, 91);
    daemon.rpc().restart(&["p"]);
    let starts = ledger.wait("start", 2, SOON);
    assert_eq!(starts[1]["tty"]["window"], json!([31, 91, 0, 0]));
    wait_painted(&mut sitting.term, "[p runs again, pid");
    sitting.term.send("\x1d");
    sitting.wait_code(0);
}

#[test]
fn the_exit_code_is_the_processs() {
    for (plan, code, line) in [
        ("exit:3", 3, "[p exited with status 3]"),
        ("kill:TERM", 143, "[p was killed by SIGTERM]"),
    ] {
        let sandbox = Sandbox::new();
        let cmd = sandbox.puppet("p", &["--plan", plan]);
        let keys = json!({"cmd": cmd, "autostart": false, "autorestart": "never", "starttime": 0});
        let daemon = Daemon::start(sandbox, json!({"p": keys}));
        let mut sitting = Sitting::at(&daemon, &["p"]);
        sitting
            .term
            .wait_for("[p is STOPPED; waiting for a start; Ctrl-] detaches]");
        daemon.rpc().start(&["p"]);
        sitting.wait_code(code);
        sitting.term.wait_for(line);
    }
}

#[test]
fn who_is_robbed_of_the_terminal_is_told_and_left_clean() {
    let daemon = dirty(json!({}));
    let mut first = sit(&daemon);
    let mut thief = Sitting::at(&daemon, &["--steal", "p"]);
    first.wait_code(1);
    first.term.wait_for("took over]");
    assert_clean(&mut first.term);
    thief.term.wait_shown("DIRTY");
    thief.term.send("\x1d");
    thief.wait_code(0);
}
