//! The client that people use: its words, its exit codes, its shell.

use std::path::Path;
use std::process::{Command, Stdio};

use harness::fake::Fake;
use harness::{Ctl, Daemon, LATER, SOON, Sandbox, State, Term, Value, bins, json, proc};

const PROMPT: &str = "taskmaster> ";

fn daemon(sandbox: Sandbox) -> Daemon {
    let cmd = sandbox.puppet("p", &["--brief"]);
    let sleeper = json!({"cmd": cmd, "starttime": "50ms", "autostart": false});
    let programs = json!({"p": {"cmd": cmd, "starttime": "50ms"}, "off": sleeper});
    let daemon = Daemon::start(sandbox, programs);
    daemon.wait_state("p", State::Running);
    daemon
}

// Words and exit codes are supervisorctl's, so that what drives it drives this.
#[test]
fn the_client_speaks_as_supervisorctl_does() {
    let daemon = daemon(Sandbox::new());
    let ctl = daemon.ctl();
    let said = |words: &[&str]| {
        let said = ctl.run(words);
        (said.out, said.code)
    };
    let (out, code) = said(&["status"]);
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(code, Some(3), "one of them is STOPPED");
    assert!(
        lines[0].starts_with("off ") && lines[0].contains("STOPPED   Not started"),
        "{out}"
    );
    let pid = format!("RUNNING   pid {}, uptime 0:0", daemon.pid("p"));
    assert!(
        lines[1].starts_with("p ") && lines[1].contains(&pid),
        "{out}"
    );
    assert_eq!(lines[1].find("RUNNING"), Some(33));
    assert_eq!(said(&["status", "p"]).1, Some(0));
    assert_eq!(
        said(&["start", "p"]),
        ("p: ERROR (already started)\n".into(), Some(0))
    );
    assert_eq!(
        said(&["stop", "off"]),
        ("off: ERROR (not running)\n".into(), Some(0))
    );
    assert_eq!(
        said(&["start", "nosuch"]),
        ("nosuch: ERROR (no such process)\n".into(), Some(1))
    );
    assert_eq!(
        said(&["start", "nosuch:*"]),
        ("nosuch: ERROR (no such group)\n".into(), Some(2))
    );
    assert_eq!(
        said(&["restart", "p"]),
        ("p: stopped\np: started\n".into(), Some(0))
    );
    assert_eq!(said(&["stop", "p"]), ("p: stopped\n".into(), Some(0)));
    assert_eq!(
        said(&["signal", "HUP", "p"]),
        ("p: ERROR (not running)\n".into(), Some(7))
    );
    assert_eq!(said(&["start", "p:0"]), ("p: started\n".into(), Some(0)));
    assert_eq!(said(&["signal", "NOSUCH", "p"]).1, Some(1));
    assert_eq!(said(&["pid"]).0.trim(), daemon.daemon_pid().to_string());
    assert_eq!(said(&["start"]).1, Some(2));
    assert_eq!(said(&["reload"]), (String::new(), Some(0)));
}

// It looks down and is not: who sees it must not start it by hand, nor think that it is forgotten.
#[test]
fn a_process_that_waits_to_start_again_says_how_long() {
    let sandbox = Sandbox::new();
    let cmd = sandbox.puppet("p", &["--brief", "--plan", "exit:0"]);
    let keys = json!({"cmd": cmd, "starttime": 0, "autorestart": "always", "restart_delay": "90s"});
    let daemon = Daemon::start(sandbox, json!({"p": keys}));
    daemon.wait_state("p", State::Exited);
    let ctl = daemon.ctl();
    let shown = ctl.run(&["status"]).out;
    let (_, wait) = shown.split_once("M, starting again in ").expect(&shown);
    let seconds: u64 = wait
        .trim_end()
        .trim_end_matches(" s")
        .parse()
        .expect(&shown);
    assert!((1..=90).contains(&seconds), "{shown}");
    let json: Value =
        serde_json::from_str(&ctl.run(&["--json", "status"]).out).expect("it is JSON");
    let wait = json["processes"][0]["retry_in_ms"]
        .as_u64()
        .expect("a time");
    assert!(wait <= 90_000, "{json}");
    daemon.rpc().stop(&["p"]);
    let shown = ctl.run(&["status"]).out;
    assert!(
        shown.contains("STOPPED") && !shown.contains("again"),
        "{shown}"
    );
}

#[test]
fn json_is_json_on_every_command() {
    let daemon = daemon(Sandbox::new());
    for words in [
        &["status"][..],
        &["start", "off"],
        &["stop", "off"],
        &["pid"],
        &["version"],
        &["avail"],
        &["help"],
        &["help", "start"],
        &["help", "nosuch"],
        &["start", "--help"],
    ] {
        let said = daemon.ctl().run(&[&["--json"], words].concat());
        let value: Result<Value, _> = serde_json::from_str(said.out.trim());
        assert!(value.is_ok(), "{words:?}: {said:?}");
    }
}

#[test]
fn help_is_a_list_of_objects_for_programs() {
    let ctl = Ctl::new(Path::new("/nonexistent"));
    let help = |words: &[&str]| {
        let said = ctl.run(&[&["--json", "help"], words].concat());
        assert_eq!(said.code, Some(0), "{said:?}");
        serde_json::from_str::<Value>(&said.out).expect("JSON")
    };
    let all = help(&[]);
    let all = all.as_array().expect("a list");
    let update = help(&["update"]);
    assert!(all.len() > 10 && all.contains(&update), "{update}");
    assert_eq!(update["name"], "reload");
    assert_eq!(update["aliases"], json!(["update"]));
    let usage = json!({"line": "reload --dry-run", "meaning": "Only say what would change, as reread does"});
    let usages = update["usage"].as_array().expect("a list");
    assert!(usages.contains(&usage), "{update}");
    for verb in all {
        for key in ["name", "meaning"] {
            assert!(
                verb[key].as_str().is_some_and(|text| !text.is_empty()),
                "{verb}"
            );
        }
        assert!(
            verb["usage"]
                .as_array()
                .is_some_and(|lines| !lines.is_empty()),
            "{verb}"
        );
    }
}

// The answer has no names: whoever asks for two knows them by their place. A name given twice is answered twice.
#[test]
fn pids_come_in_the_order_of_the_names() {
    let sandbox = Sandbox::new();
    let program = json!({"cmd": sandbox.puppet("p", &["--brief"]), "starttime": "50ms"});
    let programs = json!({"one": program, "man": program, "few": program});
    let daemon = Daemon::start(sandbox, programs);
    let pid = |name: &str| daemon.wait_state(name, State::Running).pid.expect("a pid");
    let (one, man, few) = (pid("one"), pid("man"), pid("few"));
    let said = |words: &[&str]| daemon.ctl().run(words).out;
    assert_eq!(said(&["pid", "one", "man"]), format!("{one}\n{man}\n"));
    assert_eq!(
        said(&["pid", "man", "few", "o*", "man"]),
        format!("{man}\n{few}\n{one}\n{man}\n")
    );
    let status = said(&["status", "one", "few"]);
    assert!(status.starts_with("few "), "a table is sorted: {status}");
}

#[test]
fn without_a_daemon_the_client_says_so_with_the_path() {
    let sandbox = Sandbox::new();
    let socket = sandbox.path("nobody");
    let ctl = Ctl::new(&socket);
    for words in [&["status"][..], &["start", "p"], &["reload"]] {
        let said = ctl.run(words);
        assert_ne!(said.code, Some(0));
        let both = format!("{}{}", said.out, said.err);
        assert!(both.contains("nobody"), "{both}");
        // No daemon has said it, and it is no bug of one.
        let said = ctl.run(&[&["--json"], words].concat());
        let answer: Value = serde_json::from_str(&said.out).expect("JSON");
        assert_eq!(answer["error"]["code"], 10, "{answer}");
    }
    assert_eq!(ctl.run(&["status"]).code, Some(4));
}

// Commands through a pipe, binary among them, and output into a pipe that nobody reads.
#[test]
fn the_client_works_without_a_terminal() {
    let daemon = daemon(Sandbox::new());
    let said = daemon
        .ctl()
        .run_with(&[], b"status p\nnosuchcommand\n\xff\x00\nstop p\n");
    assert!(
        said.out.contains("RUNNING") && said.out.contains("p: stopped"),
        "{said:?}"
    );
    assert_eq!(daemon.status("p").state, State::Stopped);
    let mut child = daemon
        .ctl()
        .command()
        .arg("status")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("taskmasterctl starts");
    drop(child.stdout.take());
    child.wait().expect("it ends");
    let mut said = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().expect("a pipe"), &mut said).ok();
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn an_input_that_cannot_be_read_is_a_failure() {
    let sandbox = Sandbox::new();
    let mut command = Ctl::new(&sandbox.path("socket")).command();
    let directory = std::fs::File::open(sandbox.dir()).expect("a directory can be opened");
    let output = command.stdin(directory).output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(said, "taskmasterctl: standard input: is a directory\n");
}

/// The control shell at a terminal.
fn shell(daemon: &Daemon) -> Term {
    let mut command = daemon.ctl().command();
    command
        .env("HOME", daemon.sandbox().dir())
        .env("TERM", "xterm");
    Term::spawn(&command)
}

#[test]
fn the_shell_edits_completes_and_remembers() {
    let daemon = daemon(Sandbox::new());
    let mut term = shell(&daemon);
    term.wait_for("RUNNING");
    term.type_line(PROMPT, "stop p");
    term.wait_for("p: stopped");
    term.wait_prompt(PROMPT);
    term.send("sta\t");
    term.wait_typed("sta");
    term.send("\x15");
    term.wait_prompt(PROMPT);
    term.send("\x1b[A");
    term.wait_typed("stop p");
    term.send("\x15");
    term.type_line(PROMPT, "start p");
    term.wait_for("p: started");
    term.type_line(PROMPT, "nonsense");
    term.wait_for("nonsense");
    term.wait_prompt(PROMPT);
    term.resize(10, 40);
    // The prompt before is as empty as the prompt after; only what stands between them tells them apart.
    term.send("\x03");
    term.wait_for("^C");
    term.wait_prompt(PROMPT);
    term.send("\x04");
    assert!(term.wait_exit(SOON).success());
    assert_eq!(daemon.status("p").state, State::Running);
}

// A paste comes as one, whatever it holds; the terminal sends a newline as the key that ends a line.
#[test]
fn pasted_lines_are_commands_one_after_the_other() {
    let daemon = daemon(Sandbox::new());
    let mut term = shell(&daemon);
    term.wait_prompt(PROMPT);
    term.send("\x1b[200~stop p\rnonsense 'a\r\r  start p\x1b[201~");
    term.wait_typed("start p");
    term.send("\r");
    term.wait_for("p: stopped");
    term.wait_for("a quote is not closed: 'a");
    term.wait_for("p: started");
    term.wait_prompt(PROMPT);
    // A line that begins with a blank is not remembered.
    for line in ["nonsense 'a", "stop p"] {
        term.send("\x1b[A");
        term.wait_typed(&format!("{PROMPT}{line}"));
    }
    term.send("\x15");
    term.type_line(PROMPT, "quit");
    assert!(term.wait_exit(SOON).success());
}

#[test]
fn ctrl_c_drops_what_was_pasted_behind_its_command() {
    let sandbox = Sandbox::new();
    let fake = Fake::new(&sandbox);
    let mut command = Ctl::new(&sandbox.path("socket")).command();
    command.env("HOME", sandbox.dir()).env("TERM", "xterm");
    let mut term = Term::spawn(&command);
    fake.accept().refuse(1, "no status today");
    term.wait_prompt(PROMPT);
    term.send("\x1b[200~stop p\rstart p\x1b[201~");
    term.wait_typed("start p");
    term.send("\r");
    let visitor = fake.accept();
    assert_eq!(visitor.request["method"], "stop");
    term.send("\x03");
    term.wait_for("stop goes on in the daemon");
    term.type_line(PROMPT, "avail");
    assert_eq!(fake.accept().request["method"], "avail");
}

// Whoever is alarmed by what he pasted presses Ctrl-C, whatever is under way; a status that looks like it is none.
#[test]
fn ctrl_c_alone_drops_the_rest_of_a_paste() {
    let sandbox = Sandbox::new();
    let programs = json!({"p": {"cmd": sandbox.puppet("p", &["--brief"])},
        "ends": {"cmd": ["sh", "-c", "read x; exit 130"], "autorestart": "never", "starttime": 0}});
    let daemon = Daemon::start(sandbox, programs);
    daemon.wait_state("p", State::Running);
    let pid = daemon.pid("p");
    let mut term = shell(&daemon);
    for (line, sign) in [("tail -f p", "<=="), ("shutdown", "down y/N?")] {
        term.wait_prompt(PROMPT);
        term.send(&format!("\x1b[200~{line}\rstop p\x1b[201~"));
        term.wait_typed("stop p");
        term.send("\r");
        term.wait_for(sign);
        term.send("\x03");
        term.wait_prompt(PROMPT);
        assert_eq!(daemon.status("p").pid, Some(pid), "{line}");
    }
    term.send("\x1b[200~attach ends\rversion\x1b[201~");
    term.wait_typed("version");
    term.send("\r");
    daemon.wait_log(&["attached to ends"]);
    term.send("\r");
    term.wait_for("exited with status 130");
    term.wait_for(env!("CARGO_PKG_VERSION"));
}

// Whoever wants to read the answer as JSON means the same as without.
#[test]
fn the_shell_asks_before_a_shutdown_however_it_is_told_to_answer() {
    let daemon = daemon(Sandbox::new());
    let mut term = shell(&daemon);
    for line in [
        "shutdown",
        "shutdown --json",
        "--json shutdown",
        "shutdown --",
    ] {
        term.type_line(PROMPT, line);
        term.wait_typed("down y/N? ");
        term.send("n\r");
    }
    term.type_line(PROMPT, "shutdown --json now");
    term.wait_for("shutdown accepts no arguments");
    assert_eq!(daemon.status("p").state, State::Running);
    term.type_line(PROMPT, "--json quit");
    assert!(term.wait_exit(SOON).success());
}

// The subject's mandatory mode: the control shell in the daemon's own terminal, and its end is the daemon's.
#[test]
fn leaving_the_daemons_own_shell_stops_the_daemon() {
    let sandbox = Sandbox::new();
    let cmd = sandbox.puppet("p", &["--brief"]);
    let programs = json!({"p": {"cmd": cmd, "starttime": "50ms"}});
    let config = sandbox.write("tm.yaml", harness::daemon::config(&sandbox, &programs));
    let mut command = Command::new(bins::taskmasterd());
    command.arg("-c").arg(config).arg("--shell");
    command
        .env("HOME", sandbox.dir())
        .env("TERM", "xterm")
        .current_dir(sandbox.dir());
    let mut term = Term::spawn(&command);
    term.wait_prompt(PROMPT);
    let ledger = sandbox.ledger("p");
    ledger.wait("ready", 1, SOON);
    term.type_line(PROMPT, "status");
    term.wait_for("p  ");
    term.type_line(PROMPT, "exit");
    assert!(term.wait_exit(LATER).success());
    let pid = ledger.pids("start")[0];
    proc::wait_dead(pid);
}
