//! What the README shows of attached terminals: sessions that happen here every time, on terminals of their own.
//!
//! With `PICTURE=man/attach.svg` in the environment its picture is drawn anew there, as seen from the top of the
//! workspace. With `--nocapture` its transcript is printed.

#[path = "picture/svg.rs"]
mod svg;

use std::ops::Range;
use std::path::Path;
use std::process::Command;

use avt::Terminal;
use harness::bins::{taskmasterctl, workspace};
use harness::{Daemon, SOON, Sandbox, Setup, State, Term, check, eventually, json};
use shared::api::ProcessStatus;

use svg::Drawing;

const ROWS: u16 = 14;
const COLS: u16 = 80;
const PROMPT: &str = "$ ";

/// The daemon, called what people call it, wherever it lies.
const CALLED: &str = r#"exec -a taskmasterd "$0" -c tm.yaml"#;

/// Shows the daemon and its children.
const FAMILY: &str = r#"all=$(cat /proc/$PPID/task/$PPID/children); exec htop -d 5 -p $PPID,$(echo $all | tr ' ' ,)"#;

const HTOPRC: &str = "\
htop_version=3.2.2
config_reader_min_version=3
hide_kernel_threads=1
hide_userland_threads=1
highlight_base_name=1
header_layout=two_50_50
column_meters_0=CPU Memory
column_meter_modes_0=1 1
column_meters_1=LoadAverage Uptime
column_meter_modes_1=2 2
screen:Main=PID PPID USER STATE PERCENT_CPU PERCENT_MEM TIME Command
.sort_key=PID
.sort_direction=1
";

/// Whether a program can be found.
fn is_here(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(program).exists())
}

/// A shell on a terminal, for which the client is in the path and the socket known.
fn shell(daemon: &Daemon, rows: u16) -> Term {
    let mut command = Command::new("bash");
    let path = std::env::var("PATH").unwrap_or_default();
    let programs = taskmasterctl()
        .parent()
        .expect("a program is in a directory");
    command
        .args(["--norc", "-i"])
        .current_dir(daemon.sandbox().dir());
    command.env("PATH", format!("{}:{path}", programs.display()));
    command
        .env("PS1", r"\[\e[1;32m\]$\[\e[m\] ")
        .env_remove("PROMPT_COMMAND");
    command
        .env("HOME", daemon.sandbox().dir())
        .env("LANG", "C.UTF-8");
    command
        .env("TERM", "xterm-256color")
        .env("TASKMASTER_SOCKET", daemon.socket());
    Term::spawn_sized(&command, rows, COLS)
}

/// What the terminal shows now.
fn seen(term: &mut Term) -> Terminal {
    let mut terminal = Terminal::new(COLS.into(), ROWS.into()).expect("a size");
    terminal.feed(&*String::from_utf8_lossy(term.raw()));
    terminal
}

fn lines(terminal: &Terminal) -> Vec<String> {
    let lines = terminal.screen().visible_lines();
    lines
        .map(|line| line.text().trim_end().to_owned())
        .collect()
}

/// Waits until the terminal shows this, and that last; gives what it shows.
#[track_caller]
fn wait_seen(term: &mut Term, text: &str, last: &str) -> Terminal {
    eventually(&format!("{text:?} and {last:?}"), SOON, || {
        let terminal = seen(term);
        let shown = lines(&terminal).join("\n");
        let all = shown.contains(text) && shown.trim_end().ends_with(last);
        check(all, || shown.clone()).map(|()| terminal)
    })
}

/// The rows from the first to the last that has something in it.
fn used(terminal: &Terminal) -> Range<usize> {
    let lines = lines(terminal);
    let first = lines.iter().position(|line| !line.is_empty());
    let last = lines.iter().rposition(|line| !line.is_empty());
    first.unwrap_or(0)..last.map_or(0, |last| last + 1)
}

/// A daemon with programs that are pleasant to look at.
fn daemon() -> Daemon {
    let sandbox = Sandbox::new();
    let htoprc = sandbox.write("htoprc", HTOPRC);
    let work = "while :; do date; sleep 1; done";
    let programs = json!({
        "worker": {"cmd": ["sh", "-c", work], "numprocs": 2},
        "shell": {"cmd": "bash --norc -i", "stopsignal": "HUP"},
        "htop": {"cmd": ["sh", "-c", FAMILY], "autostart": false, "env": {
            "HTOPRC": htoprc, "LANG": "C.UTF-8", "TERM": "xterm-256color"}},
    });
    let before = ["bash", "-c", CALLED].map(String::from).to_vec();
    let setup = Setup {
        before,
        ..Setup::default()
    };
    Daemon::start_with(sandbox, programs, setup)
}

// Whoever tries what the README shows sees it.
#[test]
fn the_session_of_the_readme_happens() {
    if !is_here("bash") {
        harness::skip!("bash is not installed");
    }
    let programs = json!({"sh": {"cmd": "bash --norc -i", "stopsignal": "HUP",
        "autorestart": "always", "env": {"PS1": "sh> "}}});
    let daemon = Daemon::start(Sandbox::new(), programs);
    daemon.wait_state("sh", State::Running);
    let mut term = shell(&daemon, 24);
    term.type_line(PROMPT, r"taskmasterctl send sh 'stty size\r'");
    eventually("the size on the screen", SOON, || {
        let shown = daemon.ctl().run(&["screen", "sh"]).out;
        check(shown.ends_with("\n24 80\nsh>\n"), || shown.clone())
    });
    term.type_line(PROMPT, "taskmasterctl screen sh");
    term.type_line(PROMPT, "taskmasterctl attach sh");
    term.type_line("sh> ", "exit");
    term.wait_for("runs again");
    term.wait_prompt("sh> ");
    term.send("\x1d");
    term.wait_prompt(PROMPT);
    let happened = term.text();
    let happened = happened.trim_end_matches(['$', '\n']);
    println!("{happened}");
    assert_eq!(without_pids(&shown_in_the_readme()), without_pids(happened));
}

/// The session in the section of the README.
fn shown_in_the_readme() -> String {
    let readme = std::fs::read_to_string(workspace().join("README.md")).expect("there is one");
    let section = readme.split("\n## At the terminal of a process\n").nth(1);
    let block = section.and_then(|section| section.split("```console\n").nth(1));
    let block = block.and_then(|block| block.split("\n```").next());
    block.expect("the section has a session").to_owned()
}

/// Every run has other pids.
fn without_pids(text: &str) -> String {
    let mut parts = text.split("pid ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        format!(
            "{text}pid N{}",
            part.trim_start_matches(|c: char| c.is_ascii_digit())
        )
    })
}

// What is shown is what is: a full-screen program in its colours, left and gone on, with the same pid.
#[test]
fn the_picture_of_the_readme_is_of_a_session_that_happened() {
    if !is_here("htop") || !is_here("bash") {
        harness::skip!("htop or bash is not installed");
    }
    let daemon = daemon();
    for name in ["worker:0", "worker:1", "shell"] {
        daemon.wait_state(name, State::Running);
    }
    daemon.rpc().start(&["htop"]);
    let pid = daemon.pid("htop");
    let mut term = shell(&daemon, ROWS);
    let mut drawing = Drawing::new(COLS.into());
    term.type_line(PROMPT, "taskmasterctl status");
    term.wait_prompt(PROMPT);
    term.send("taskmasterctl attach htop");
    term.wait_typed("attach htop");
    let terminal = seen(&mut term);
    let status = lines(&terminal).join("\n");
    assert!(status.contains(&format!("pid {pid}")), "{status}");
    drawing.window("taskmasterctl status", &terminal, used(&terminal));
    term.send("\r");
    let terminal = wait_seen(&mut term, "taskmasterd", "F10Quit");
    drawing.window("attached: htop, as it is", &terminal, 0..ROWS.into());
    term.send("\x1d");
    wait_seen(&mut term, "[detached from htop]", "\n$");
    let some_time = |status: &ProcessStatus| status.uptime_ms > Some(3000);
    daemon.wait_status("htop", "up for some time", some_time);
    term.send("taskmasterctl status htop\r");
    let terminal = wait_seen(&mut term, &format!("pid {pid}, uptime "), "\n$");
    let title = "detached with Ctrl-]: htop goes on";
    drawing.window(title, &terminal, used(&terminal));
    let drawing = drawing.finish();
    assert!(drawing.len() < 60_000, "{} bytes", drawing.len());
    if let Some(path) = std::env::var_os("PICTURE") {
        std::fs::write(workspace().join(Path::new(&path)), drawing)
            .expect("a picture can be written");
    }
}
