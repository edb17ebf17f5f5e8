//! The puppet is what the other tests believe; here it is looked at itself, run directly.

use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Output, Stdio};

use harness::{LATER, Ledger, SOON, Sandbox, Term, bins, check, eventually, proc, time_ms};
use nix::sys::signal::Signal;

/// A puppet that reports to `sandbox`'s ledger "p".
fn puppet(sandbox: &Sandbox, orders: &[&str]) -> (Command, Ledger) {
    let ledger = sandbox.ledger("p");
    let mut command = Command::new(bins::puppet());
    command.arg("--ledger").arg(&ledger.path).args(orders);
    command.stdin(Stdio::null());
    (command, ledger)
}

fn run(sandbox: &Sandbox, orders: &[&str]) -> (Output, Ledger) {
    let (mut command, ledger) = puppet(sandbox, orders);
    (command.output().expect("the puppet starts"), ledger)
}

fn spawn(sandbox: &Sandbox, orders: &[&str]) -> (Child, Ledger) {
    let (mut command, ledger) = puppet(sandbox, orders);
    let child = command.stdout(Stdio::null()).spawn();
    let child = child.expect("the puppet starts");
    ledger.wait("ready", 1, SOON);
    (child, ledger)
}

// Plans are how a test says "fails twice, then stays": the run is counted from the ledger.
#[test]
fn each_run_takes_the_next_step_of_the_plan() {
    let sandbox = Sandbox::new();
    let plan = ["--plan", "exit:3,kill:SEGV,exit:7@50ms"];
    let ends: Vec<_> = (0..4).map(|_| run(&sandbox, &plan).0.status).collect();
    assert_eq!(ends[0].code(), Some(3));
    assert_eq!(ends[1].signal(), Some(libc_signal("SEGV")));
    assert_eq!((ends[2].code(), ends[3].code()), (Some(7), Some(7)));
    let ledger = sandbox.ledger("p");
    let runs: Vec<_> = ledger
        .all("start")
        .iter()
        .map(|fact| fact["run"].clone())
        .collect();
    assert_eq!(runs, [0, 1, 2, 3]);
    let (start, exit) = (&ledger.all("start")[3], &ledger.all("exit")[2]);
    let lived = time_ms(exit) - time_ms(start);
    assert!((50.0..500.0).contains(&lived), "{lived} ms");
}

fn libc_signal(name: &str) -> i32 {
    shared::signal::parse(name).expect("a signal")
}

// Rust's runtime ignores SIGPIPE and handles SIGSEGV; then a report about inherited signals is worthless.
#[test]
fn what_it_inherited_is_reported_and_not_what_a_runtime_made_of_it() {
    let sandbox = Sandbox::new();
    // The shell resets nothing: what it ignores, its child finds ignored.
    let shell = "trap '' USR1; exec \"$0\" \"$@\"";
    let ledger = sandbox.ledger("p");
    let mut command = Command::new("sh");
    command.args(["-c", shell]).arg(bins::puppet());
    command
        .arg("--ledger")
        .arg(&ledger.path)
        .args(["--plan", "exit:0"]);
    assert!(command.status().expect("sh starts").success());
    let status = &ledger.all("start")[0]["status"];
    let ignored = status["SigIgn"].as_str().expect("a mask");
    let ignored = u64::from_str_radix(ignored, 16).expect("hexadecimal");
    assert_eq!(
        ignored & 1 << (libc_signal("USR1") - 1),
        1 << (libc_signal("USR1") - 1)
    );
    assert_eq!(
        ignored & 1 << (libc_signal("PIPE") - 1),
        0,
        "SIGPIPE is ignored"
    );
    assert_eq!(status["SigCgt"], "0000000000000000");
    assert_eq!(status["SigBlk"], "0000000000000000");
}

#[test]
fn the_start_report_tells_what_the_kernel_tells() {
    let sandbox = Sandbox::new();
    let (mut command, ledger) = puppet(&sandbox, &["--plan", "exit:0"]);
    command.current_dir(sandbox.dir()).env("KEY", "a=b");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("the puppet starts");
    let pid = child.id();
    child.wait_with_output().expect("it ends");
    let start = &ledger.all("start")[0];
    assert_eq!(start["pid"], pid);
    assert_eq!(start["ppid"], std::process::id());
    assert_eq!(start["cwd"], sandbox.text("").trim_end_matches('/'));
    assert_eq!(start["env"]["KEY"], "a=b");
    assert_eq!(start["fds"]["0"]["kind"], "null");
    assert_eq!(start["fds"]["1"]["kind"], "pipe");
    assert_eq!(start["fds"]["1"]["nonblock"], false);
    assert_eq!(
        start["limits"].as_object().map(|limits| limits.len()),
        Some(16)
    );
    assert_eq!(start["tty"], serde_json::Value::Null);
    let uid = nix::unistd::getuid();
    assert_eq!(
        start["status"]["Uid"],
        [uid.to_string().as_str(); 4].join("\t")
    );
}

#[test]
fn a_signal_is_reported_and_then_obeyed_as_ordered() {
    let sandbox = Sandbox::new();
    let on = [
        "--on",
        "USR1=ignore",
        "--on",
        "TERM=slow:100ms",
        "--on",
        "INT=exit:5",
    ];
    let (mut child, ledger) = spawn(&sandbox, &on);
    let pid = child.id() as i32;
    for signal in [Signal::SIGUSR1, Signal::SIGUSR1, Signal::SIGCONT] {
        let before = ledger.all("signal").len();
        proc::signal(pid, signal);
        ledger.wait("signal", before + 1, SOON);
    }
    assert!(proc::alive(pid));
    proc::signal(pid, Signal::SIGTERM);
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    let heard = ledger.all("signal");
    assert_eq!(heard[3]["signal"], "SIGTERM");
    assert_eq!(heard[3]["from"], std::process::id());
    assert!(time_ms(&ledger.all("exit")[0]) - time_ms(&heard[3]) >= 99.0);
}

#[test]
fn without_an_order_it_dies_of_the_signal_itself() {
    let sandbox = Sandbox::new();
    let (mut child, ledger) = spawn(&sandbox, &[]);
    proc::signal(child.id() as i32, Signal::SIGTERM);
    let status = child.wait().expect("it ends");
    assert_eq!(status.signal(), Some(libc_signal("TERM")));
    assert_eq!(ledger.all("signal").len(), 1);
}

#[test]
fn what_it_writes_is_what_was_ordered() {
    let sandbox = Sandbox::new();
    let orders = [
        "--write-out",
        "a\\r\\n\\x00\\xffz",
        "--write-err",
        "oops\\n",
        "--plan",
        "exit:0",
    ];
    let (output, _) = run(&sandbox, &orders);
    assert_eq!(output.stdout, b"a\r\n\x00\xffz");
    assert_eq!(output.stderr, b"oops\n");
}

// Loss anywhere in a flood shows, because each line has its number.
#[test]
fn a_flood_is_numbered_lines_of_64_bytes() {
    let sandbox = Sandbox::new();
    let (output, ledger) = run(&sandbox, &["--flood", "1000000", "--plan", "exit:0"]);
    let lines = output.stdout.chunks(64).enumerate();
    for (number, line) in lines {
        let wanted = harness::puppet::deeds::flood_line(number as u64);
        assert_eq!(line, wanted.as_bytes());
    }
    assert_eq!(output.stdout.len(), 1_000_000usize.div_ceil(64) * 64);
    assert_eq!(ledger.all("flooded")[0]["bytes"], output.stdout.len());
}

#[test]
fn ticks_come_and_signals_are_heard_between_them() {
    let sandbox = Sandbox::new();
    let (output, _) = run(&sandbox, &["--tick", "20ms", "--plan", "exit:0@110ms"]);
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(
        text.starts_with("tick 1\ntick 2\ntick 3\ntick 4\n"),
        "{text}"
    );
}

// Grandchildren are what a supervisor loses sight of: in the group, out of it, and nobody's child.
#[test]
fn grandchildren_are_where_they_say() {
    let sandbox = Sandbox::new();
    let orders = [
        "--fork",
        "--fork-setsid",
        "--double-fork",
        "--fork-stubborn",
    ];
    let (mut child, ledger) = spawn(&sandbox, &orders);
    let leader = child.id() as i32;
    let found = ledger.wait("grandchild", 4, SOON);
    let pid = |kind: &str| {
        let of_kind = found.iter().find(|fact| fact["kind"] == kind);
        of_kind.expect("a grandchild")["pid"]
            .as_i64()
            .expect("a pid") as i32
    };
    let stat = |pid| proc::stat(pid).expect("a process");
    assert_eq!(stat(pid("fork")).pgid, stat(leader).pgid);
    assert_eq!(stat(pid("setsid")).sid, pid("setsid"));
    assert_ne!(stat(pid("double")).ppid, leader);
    // The meek one dies of what the stubborn one does not feel.
    let pids = ledger.pids("grandchild");
    let forks = found.iter().filter(|fact| fact["kind"] == "fork");
    assert_eq!(forks.count(), 2);
    for &pid in &pids {
        proc::signal(pid, Signal::SIGTERM);
    }
    let left = eventually("three deaths", SOON, || {
        let left: Vec<i32> = pids
            .iter()
            .copied()
            .filter(|pid| proc::alive(*pid))
            .collect();
        if left.len() == 1 {
            Ok(left)
        } else {
            Err(format!("{left:?}"))
        }
    });
    proc::signal(left[0], Signal::SIGKILL);
    child.kill().expect("it can be killed");
    child.wait().expect("it ends");
}

// The canary: two copies of an instance must never live at a time, and it is the canary that says so.
#[test]
fn the_second_holder_of_a_lock_leaves_with_99() {
    let sandbox = Sandbox::new();
    let lock = sandbox.text("lock");
    let (mut first, ledger) = spawn(&sandbox, &["--lock", &lock, "--name", "web:0"]);
    let (second, _) = run(
        &sandbox,
        &["--lock", &lock, "--name", "web:0", "--plan", "exit:0"],
    );
    assert_eq!(second.status.code(), Some(99));
    let (other, _) = run(
        &sandbox,
        &["--lock", &lock, "--name", "web:1", "--plan", "exit:0"],
    );
    assert_eq!(other.status.code(), Some(0));
    assert_eq!(ledger.all("locked_out").len(), 1);
    first.kill().expect("it can be killed");
    first.wait().expect("it ends");
    let (third, _) = run(
        &sandbox,
        &["--lock", &lock, "--name", "web:0", "--plan", "exit:0"],
    );
    assert_eq!(third.status.code(), Some(0));
}

// Through the harness's terminal: the size, the session, and a window that changes.
#[test]
fn on_a_terminal_it_tells_of_the_terminal() {
    let sandbox = Sandbox::new();
    let (command, ledger) = puppet(
        &sandbox,
        &["--on", "WINCH=ignore", "--write-out", "hello\\n"],
    );
    let mut term = Term::spawn_sized(&command, 30, 90);
    term.wait_for("hello");
    let start = &ledger.wait("start", 1, SOON)[0];
    assert_eq!(start["tty"]["window"], serde_json::json!([30, 90, 0, 0]));
    assert_eq!(start["sid"], start["pid"]);
    assert_eq!(start["tpgid"], start["pid"]);
    assert_eq!(start["fds"]["2"]["kind"], "tty");
    ledger.wait("ready", 1, SOON);
    term.resize(10, 20);
    assert_eq!(ledger.wait("signal", 1, SOON)[0]["signal"], "SIGWINCH");
    term.send("\x03");
    assert_eq!(term.wait_exit(LATER).signal(), Some(libc_signal("INT")));
}

#[test]
fn it_can_close_its_terminal_and_open_it_again() {
    let sandbox = Sandbox::new();
    let orders = [
        "--close-stdio-and-reopen-tty",
        "--write-out",
        "after\\n",
        "--plan",
        "exit:0@50ms",
    ];
    let (command, ledger) = puppet(&sandbox, &orders);
    let mut term = Term::spawn(&command);
    ledger.wait("reopened", 1, SOON);
    assert_eq!(ledger.all("reopened")[0]["ok"], true);
    term.wait_for("after");
    assert!(term.wait_exit(SOON).success());
}

// Many runs write to one ledger; none may break another's line.
#[test]
fn a_shared_ledger_has_whole_lines() {
    let sandbox = Sandbox::new();
    let children: Vec<_> = (0..20)
        .map(|_| {
            puppet(&sandbox, &["--plan", "exit:0"])
                .0
                .spawn()
                .expect("the puppet starts")
        })
        .collect();
    for mut child in children {
        assert!(child.wait().expect("it ends").success());
    }
    let ledger = sandbox.ledger("p");
    eventually("twenty exits", SOON, || {
        let count = ledger.all("exit").len();
        check(count == 20, || format!("{count}"))
    });
}
