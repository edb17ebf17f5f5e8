//! The ways to run the daemon besides the plain one: to try it, and in the background.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use harness::daemon::config;
use harness::{LATER, Rpc, SOON, Sandbox, State, Term, bins, check, eventually, json, proc};
use nix::sys::signal::Signal;

const PROMPT: &str = "taskmaster> ";

// What anybody types first. It needs no file, it leaves none.
#[test]
fn a_demonstration_runs_and_leaves_nothing() {
    let sandbox = Sandbox::new();
    let mut command = Command::new(bins::taskmasterd());
    command.arg("--demo").current_dir(sandbox.dir());
    command.env("HOME", sandbox.dir()).env("TERM", "xterm");
    command.env("TMPDIR", sandbox.dir());
    let mut term = Term::spawn(&command);
    let daemon = term.pid();
    term.wait_prompt(PROMPT);
    let dirs = fs::read_dir(sandbox.dir()).expect("it is there");
    let mut dirs = dirs.map(|entry| entry.expect("it is there").path());
    let is_demo = |path: &PathBuf| path.to_string_lossy().contains("/taskmaster-demo-");
    let dir = dirs.find(is_demo).expect("it has a directory");
    eventually("two workers that run", SOON, || {
        let mut rpc = Rpc::connect(&dir.join("control.sock")).map_err(|error| error.to_string())?;
        let processes = rpc.status().processes;
        let up = |name: &str| {
            let found = processes.iter().find(|process| process.name == name);
            found.is_some_and(|process| process.state == State::Running)
        };
        check(up("worker:0") && up("worker:1"), || {
            format!("{processes:?}")
        })
    });
    term.type_line(PROMPT, "status worker:*");
    term.wait_for("RUNNING   pid ");
    let children = proc::children(daemon);
    assert!(children.len() >= 4, "{children:?}");
    let events = File::open(dir.join("events.log")).expect("it has an event log");
    term.type_line(PROMPT, "exit");
    assert!(term.wait_exit(LATER).success());
    let events = std::io::read_to_string(events).expect("an open file stays");
    assert!(events.contains("taskmasterd stopped"), "{events}");
    // Everything in it heeds its stop signal.
    assert!(!events.contains("SIGKILL"), "{events}");
    assert!(!dir.exists(), "{} is left", dir.display());
    eventually("the end of all that was shown", SOON, || {
        let left: Vec<_> = children.iter().filter(|one| proc::alive(one.pid)).collect();
        check(left.is_empty(), || format!("{left:?}"))
    });
}

// The directory stands in the configuration, where such characters mean something.
#[test]
fn a_demonstration_runs_in_a_directory_of_any_name() {
    let sandbox = Sandbox::new();
    for name in [
        "a: #b'\"c",
        "\\x41\\",
        "%d {}\u{7f}\tsp\u{e9}\u{2028}",
        "@DIRECTORY@",
    ] {
        let dir = sandbox.path(name);
        fs::create_dir(&dir).expect("a directory can be made");
        let said = demonstrate(&sandbox, &dir);
        assert!(said.contains("\nworker:1 "), "{name:?}: {said}");
        let welcome = said.lines().next().unwrap_or_default();
        assert!(!welcome.contains(char::is_control), "{welcome:?}");
        let left = fs::read_dir(&dir).expect("it is there").count();
        assert_eq!(left, 0, "{name:?}");
    }
}

/// What a demonstration in `dir` says when its status is asked for.
fn demonstrate(sandbox: &Sandbox, dir: &Path) -> String {
    let mut command = Command::new(bins::taskmasterd());
    command.arg("--demo").env("TMPDIR", dir);
    let commands = File::open(sandbox.write("commands", "status\n"));
    command.stdin(commands.expect("a file can be read"));
    let output = command.output().expect("taskmasterd starts");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

// An empty variable is none: nothing is left in the current directory.
#[test]
fn a_demonstration_is_in_tmp_where_nobody_says() {
    let sandbox = Sandbox::new();
    let said = demonstrate(&sandbox, Path::new(""));
    let begins = "Five processes of /tmp/taskmaster-demo-";
    assert!(said.starts_with(begins), "{said}");
}

#[test]
fn a_demonstration_begins_as_the_readme_shows_it() {
    let readme = fs::read_to_string(bins::workspace().join("README.md")).expect("there is one");
    let sandbox = Sandbox::new();
    let said = demonstrate(&sandbox, sandbox.dir());
    // Between the name of the file, which is another every time, and the first process.
    let greeting = |text: &str| {
        let (_, rest) = text.split_once("/demo.yaml are").expect("a greeting");
        rest.split("\nflaky ").next().map(str::to_owned)
    };
    assert_eq!(greeting(&readme), greeting(&said));
}

#[test]
fn a_demonstration_that_has_no_place_names_it() {
    let sandbox = Sandbox::new();
    let missing = sandbox.path("missing");
    let mut command = Command::new(bins::taskmasterd());
    command.arg("--demo").env("TMPDIR", &missing);
    let output = command.stdin(Stdio::null()).output();
    let output = output.expect("taskmasterd starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let start = format!("taskmasterd: cannot make {}/", missing.display());
    let told = said.starts_with(&start) && said.ends_with(": no such file or directory\n");
    assert!(told && output.status.code() == Some(1), "{output:?}");
}

// `taskmasterd --check | head -1` is over when head is; a full disk is told, and is no success.
#[test]
fn an_answer_that_nobody_takes_ends_it_without_a_panic() {
    let sandbox = Sandbox::new();
    let program = json!({"cmd": "true"});
    let programs: serde_json::Map<_, _> = (0..200)
        .map(|n| (format!("p{n}"), program.clone()))
        .collect();
    let file = sandbox.write("tm.yaml", config(&sandbox, &json!(programs)));
    let wrong = sandbox.write("wrong.yaml", "programs: 1\n");
    let run = |words: &[&str], stdout: Stdio, stderr: Stdio| {
        let mut command = Command::new(bins::taskmasterd());
        command.args(words).stdin(Stdio::null());
        command.stdout(stdout).stderr(stderr);
        let child = command.spawn().expect("taskmasterd starts");
        let output = child.wait_with_output().expect("taskmasterd ends");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), said)
    };
    let closed = || {
        let (reader, writer) = std::io::pipe().expect("a pipe can be had");
        drop(reader);
        Stdio::from(writer)
    };
    let full = || Stdio::from(File::create("/dev/full").expect("a full device"));
    let check = ["--check", "-c", file.to_str().expect("UTF-8")];
    let refused = ["--check", "-c", wrong.to_str().expect("UTF-8")];
    for words in [&check[..], &["--help"]] {
        let (code, said) = run(words, closed(), Stdio::piped());
        assert_eq!((code, said.as_str()), (Some(141), ""), "{words:?}");
        let (code, said) = run(words, full(), Stdio::piped());
        let want = "taskmasterd: standard output: no space left on device\n";
        assert_eq!((code, said.as_str()), (Some(1), want), "{words:?}");
    }
    for stderr in [closed(), full()] {
        assert_eq!(run(&refused, Stdio::null(), stderr).0, Some(2));
    }
}

/// A daemon in the background, which no child of ours is; killed at the end if it still lives.
struct Background(i32);

impl Drop for Background {
    fn drop(&mut self) {
        if proc::alive(self.0) && proc::mentions(self.0, "taskmasterd") {
            proc::signal(self.0, Signal::SIGKILL);
        }
    }
}

fn pid_of_daemon(socket: &Path) -> i32 {
    let said = harness::Ctl::new(socket).run(&["pid"]);
    said.out
        .trim()
        .parse()
        .unwrap_or_else(|_| panic!("{said:?}"))
}

fn sandbox_with_program() -> (Sandbox, PathBuf) {
    let sandbox = Sandbox::new();
    let cmd = sandbox.puppet("p", &["--brief"]);
    let text = config(&sandbox, &json!({"p": {"cmd": cmd, "starttime": "50ms"}}));
    let file = sandbox.write("tm.yaml", text);
    (sandbox, file)
}

fn with_shell(sandbox: &Sandbox, file: &Path) -> Command {
    let mut command = Command::new(bins::taskmasterd());
    command.arg("-c").arg(file).arg("--shell");
    command.env("HOME", sandbox.dir()).env("TERM", "xterm");
    command.current_dir(sandbox.dir());
    command
}

// The caller's exit code is the news that it is up; the end of the caller's terminal is no news for the daemon.
#[test]
fn in_the_background_it_is_up_when_the_caller_returns_and_outlives_him() {
    let (sandbox, file) = sandbox_with_program();
    let mut command = Command::new("sh");
    command.args(["-c", "\"$0\" -c \"$1\" --daemonize; echo code $?"]);
    command.arg(bins::taskmasterd()).arg(&file);
    command.current_dir(sandbox.dir());
    let mut term = Term::spawn(&command);
    let session = term.pid();
    term.wait_for("code 0");
    let socket = sandbox.path("sock");
    let mut rpc = Rpc::connect(&socket).expect("it is up at once");
    let daemon = Background(pid_of_daemon(&socket));
    assert!(term.wait_exit(SOON).success());
    drop(term);
    sandbox.ledger("p").wait("ready", 1, SOON);
    assert!(proc::alive(daemon.0));
    let stat = proc::stat(daemon.0).expect("a daemon");
    assert!(stat.sid != session, "it is still in the caller's session");
    // ps and pgrep find it by the name that its caller used.
    let command_line = fs::read(format!("/proc/{}/cmdline", daemon.0)).expect("a command line");
    let own_name = bins::taskmasterd().display().to_string();
    assert_eq!(stat.command, "taskmasterd");
    assert!(command_line.starts_with(own_name.as_bytes()));
    let streams: Vec<_> = proc::fds(daemon.0).into_iter().take(3).collect();
    assert!(
        streams.iter().all(|(_, target)| target == "/dev/null"),
        "{streams:?}"
    );
    rpc.shutdown().ok();
    proc::wait_dead(daemon.0);
    assert!(!socket.exists());
}

// A lock of the caller's would be held as long as the daemon lives, and who reads a pipe of his would never see its end.
#[test]
fn in_the_background_nothing_of_the_callers_stays_open() {
    let (sandbox, file) = sandbox_with_program();
    let mut command = Command::new("sh");
    command.args(["-c", "exec 3>lock 9>&3; exec \"$0\" -c \"$1\" --daemonize"]);
    command.arg(bins::taskmasterd()).arg(&file);
    command.stdin(Stdio::null()).current_dir(sandbox.dir());
    let output = command.output().expect("taskmasterd starts");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let daemon = Background(pid_of_daemon(&sandbox.path("sock")));
    let lock = sandbox.text("lock");
    let fds = proc::fds(daemon.0);
    assert!(fds.iter().all(|(_, target)| *target != lock), "{fds:?}");
    proc::signal(daemon.0, Signal::SIGTERM);
    proc::wait_dead(daemon.0);
}

#[test]
fn in_the_background_a_bad_file_is_the_callers_error() {
    let sandbox = Sandbox::new();
    let file = sandbox.write("tm.yaml", "programs:\n  p:\n    cmd: a\n    umask: 9\n");
    let missing = sandbox.path("missing.yaml");
    for (file, end) in [(&file, None), (&missing, None), (&missing, Some("--"))] {
        let mut command = Command::new(bins::taskmasterd());
        command.arg("-c").arg(file).arg("--daemonize").args(end);
        command.stdin(Stdio::null());
        let output = command.output().expect("taskmasterd starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(&file.display().to_string()), "{said}");
    }
    assert!(fs::read_dir(sandbox.dir()).expect("a directory").count() == 1);
}

// The socket is taken: 1, and in words that say by whom.
#[test]
fn in_the_background_a_second_one_says_why_it_is_not_up() {
    let (sandbox, file) = sandbox_with_program();
    let daemonize = || {
        let mut command = Command::new(bins::taskmasterd());
        command.arg("-c").arg(&file).arg("--daemonize");
        command.stdin(Stdio::null()).current_dir(sandbox.dir());
        command.output().expect("taskmasterd starts")
    };
    assert_eq!(daemonize().status.code(), Some(0));
    let socket = sandbox.path("sock");
    let daemon = Background(pid_of_daemon(&socket));
    let second = daemonize();
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains("another taskmasterd"), "{said}");
    proc::signal(daemon.0, Signal::SIGTERM);
    proc::wait_dead(daemon.0);
}

// The window is closed: that is a way to leave the shell too, and nothing may be left behind.
#[test]
fn a_terminal_that_goes_away_takes_all_programs_with_it() {
    let (sandbox, file) = sandbox_with_program();
    let mut term = Term::spawn(&with_shell(&sandbox, &file));
    term.wait_prompt(PROMPT);
    sandbox.ledger("p").wait("ready", 1, SOON);
    let pid = sandbox.ledger("p").pids("start")[0];
    term.hang_up();
    proc::wait_dead(pid);
    proc::wait_dead(term.pid());
}

// The terminal belongs to the control shell, and the user's own shell does not know of it: were it stopped,
// nobody could continue it, and the terminal would be dead.
#[test]
fn the_control_shell_is_not_stopped_by_keys() {
    let (sandbox, file) = sandbox_with_program();
    let mut term = Term::spawn(&with_shell(&sandbox, &file));
    sandbox.ledger("p").wait("ready", 1, SOON);
    term.wait_prompt(PROMPT);
    term.send("\x1a");
    term.type_line(PROMPT, "version");
    term.wait_for(env!("CARGO_PKG_VERSION"));
    term.type_line(PROMPT, "tail -f p");
    term.wait_for("==> Press Ctrl-C to exit <==");
    term.send("\x1a");
    term.wait_for("^Z");
    term.send("\x03");
    term.type_line(PROMPT, "exit");
    assert!(term.wait_exit(LATER).success());
}

// A shell that came up first would be left alone at once, and complain too.
#[test]
fn a_log_that_cannot_be_opened_is_told_before_there_is_a_shell() {
    let sandbox = Sandbox::new();
    let text = json!({"socket": sandbox.path("sock"), "log": sandbox.dir(), "programs": {}});
    let file = sandbox.write("tm.yaml", text.to_string());
    let mut command = with_shell(&sandbox, &file);
    // An empty input would end the shell before it says anything.
    let commands = File::open(sandbox.write("commands", "version\n"));
    command.stdin(commands.expect("a file can be read"));
    let output = command.output().expect("taskmasterd starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
}

// `stdout: inherit` goes to the daemon's own terminal; who stops looking at that one stops nothing else.
#[test]
fn a_terminal_that_nobody_reads_stops_no_inherited_stream() {
    let sandbox = Sandbox::new();
    let cmd = sandbox.puppet("p", &["--brief", "--flood", "8000000"]);
    let programs = json!({"p": {"cmd": cmd, "tty": "none", "stdout": "inherit"}});
    let path = sandbox.write("tm.yaml", config(&sandbox, &programs));
    let mut command = Command::new(bins::taskmasterd());
    command.arg("-c").arg(path).current_dir(sandbox.dir());
    let mut term = Term::spawn(&command);
    // The terminal is full long before; the program goes on to its end, and the daemon answers.
    sandbox.ledger("p").wait("flooded", 1, LATER);
    let mut rpc = eventually("a daemon that answers", SOON, || {
        Rpc::connect(&sandbox.path("sock"))
    });
    assert_eq!(rpc.status().processes.len(), 1);
    // A daemon that is killed would leave its program behind.
    rpc.shutdown().ok();
    assert!(term.wait_exit(LATER).success());
}
