//! Attached where there is no terminal: at a process that has none or keeps its errors apart, and with a client
//! that is part of a pipe.

use std::fs::File;
use std::io::Write;
use std::process::{Child, ChildStdin, Command, Stdio};

use harness::{
    Daemon, Dice, LATER, SOON, Sandbox, Seat, Term, Value, check, eventually, flood, json, only,
    proc,
};
use shared::api::{Stream, Tty, Verdict};
use shared::frame::Frame;

/// A process that is a puppet and waits for the command to start.
fn puppet(orders: &[&str], keys: &Value) -> Daemon {
    let sandbox = Sandbox::new();
    let mut program = keys.clone();
    program["cmd"] = sandbox.puppet("p", orders);
    program["starttime"] = json!(0);
    program["autostart"] = json!(false);
    if program["autorestart"].is_null() {
        program["autorestart"] = json!("never");
    }
    Daemon::start(sandbox, json!({"p": program}))
}

/// All that is attached sees of one stream.
fn bytes_of(frames: &[Frame], stream: Stream) -> Vec<u8> {
    let bytes = frames.iter().filter_map(|frame| match (frame, stream) {
        (Frame::Output(bytes), Stream::Stdout) | (Frame::Stderr(bytes), Stream::Stderr) => {
            Some(&bytes[..])
        }
        _ => None,
    });
    bytes.collect::<Vec<_>>().concat()
}

fn until_exited(seat: &mut Seat) -> Vec<Frame> {
    let ended = |frame: &Frame| matches!(frame, Frame::Exited(it) if it.exit.is_some());
    seat.until("the end of the process", ended)
}

#[test]
fn of_a_process_without_a_terminal_both_streams_are_seen() {
    let orders = ["--write-out", "out\n", "--write-err", "err\n"];
    let daemon = puppet(&orders, &json!({"tty": "none"}));
    let mut seat = Seat::take(&daemon, "p");
    assert_eq!(seat.attached.tty, Tty::None);
    daemon.rpc().start(&["p"]);
    let mut seen = Vec::new();
    seat.until("both streams", |frame| {
        seen.push(frame.clone());
        !bytes_of(&seen, Stream::Stdout).is_empty() && !bytes_of(&seen, Stream::Stderr).is_empty()
    });
    assert_eq!(bytes_of(&seen, Stream::Stdout), b"out\n");
    assert_eq!(bytes_of(&seen, Stream::Stderr), b"err\n");
    // There is nobody to read it, and nobody minds.
    seat.type_in("typed\n");
    seat.send(&Frame::Redraw);
    let both = "err\n\x1b[mout\n";
    assert_eq!(seat.wait_snapshot(), both);
    assert_eq!(daemon.ctl().run(&["send", "p", "typed"]).code, Some(1));
    let mut second = Seat::take(&daemon, "p");
    assert_eq!(second.wait_snapshot(), both);
}

#[test]
fn of_a_split_process_the_errors_come_apart() {
    let cmd = [
        "sh",
        "-c",
        "echo here; read line; echo \"no $line\" >&2; exec cat",
    ];
    let keys = json!({"p": {"cmd": cmd, "tty": "split"}});
    let daemon = Daemon::start(Sandbox::new(), keys);
    let mut seat = Seat::take(&daemon, "p");
    assert_eq!(seat.attached.tty, Tty::Split);
    seat.type_in("idea\n");
    let mut seen = seat.until("STDERR", |frame| matches!(frame, Frame::Stderr(_)));
    seat.type_in("more\n");
    seen.extend(seat.wait_output("more\r\nmore\r\n"));
    assert_eq!(bytes_of(&seen, Stream::Stderr), b"no idea\n");
    let output = String::from_utf8_lossy(&bytes_of(&seen, Stream::Stdout)).into_owned();
    assert!(!output.contains("no idea"), "{output:?}");
}

/// All that one who reads without a rest sees of a process, from its beginning to its end. Where something was
/// skipped because the machine let nobody read, it was no rest of ours, and it is tried again.
#[track_caller]
fn all_of(daemon: &Daemon) -> Vec<Frame> {
    eventually("a chance to read", LATER, || {
        let mut seat = Seat::take(daemon, "p");
        daemon.rpc().start(&["p"]);
        let seen = until_exited(&mut seat);
        let skipped = seen.iter().find(|frame| matches!(frame, Frame::Skipped(_)));
        if skipped.is_some() && seat.was_starved() {
            return Err("starved");
        }
        assert_eq!(skipped, None);
        Ok(seen)
    })
}

// Between the streams no order is promised; within each it is the order of the process.
#[test]
fn who_reads_two_streams_gets_every_byte_of_each_in_order() {
    const LEN: usize = 8 * 1024 * 1024;
    let puppet = harness::bins::puppet();
    let one = |order: &str| format!("{} --raw {order} {LEN} --plan exit:0", puppet.display());
    let both = format!("{} & {} & wait", one("--flood"), one("--flood-err"));
    for tty in ["none", "split"] {
        let keys = json!({"cmd": ["sh", "-c", both], "tty": tty, "starttime": 0,
            "autostart": false, "autorestart": "never"});
        let daemon = Daemon::start(Sandbox::new(), json!({"p": keys}));
        let seen = all_of(&daemon);
        assert!(bytes_of(&seen, Stream::Stdout) == flood(LEN), "{tty}");
        assert!(bytes_of(&seen, Stream::Stderr) == flood(LEN), "{tty}");
    }
}

#[test]
fn who_reads_gets_every_byte() {
    const LEN: usize = 16 * 1024 * 1024;
    let daemon = puppet(
        &["--flood", &LEN.to_string(), "--plan", "exit:0"],
        &json!({}),
    );
    let seen = bytes_of(&all_of(&daemon), Stream::Stdout);
    let text = String::from_utf8(flood(LEN)).expect("a flood is text");
    assert!(seen == text.replace('\n', "\r\n").as_bytes(), "other bytes");
}

/// `taskmasterctl attach` with pipes where a terminal would be; what it prints goes to files.
struct Piped {
    child: Child,
    input: ChildStdin,
}

impl Piped {
    #[track_caller]
    fn attach(daemon: &Daemon, words: &[&str]) -> Self {
        let file = |name: &str| File::create(daemon.sandbox().path(name)).expect("a file");
        let mut command = daemon.ctl().command();
        command.arg("attach").args(words).stdin(Stdio::piped());
        command
            .stdout(file("client.out"))
            .stderr(file("client.err"));
        let mut child = command.spawn().expect("taskmasterctl can be started");
        let input = child.stdin.take().expect("standard input is a pipe");
        daemon.wait_log(&["attached to ", &format!("pid {}", child.id())]);
        Self { child, input }
    }

    #[track_caller]
    fn wait_code(mut self) -> Option<i32> {
        let ended = || match self.child.try_wait() {
            Ok(Some(status)) => Ok(status.code()),
            other => Err(format!("{other:?}")),
        };
        eventually("the end of the client", SOON, ended)
    }
}

fn wait_printed(daemon: &Daemon, file: &str, wanted: &str) {
    eventually(&format!("{wanted:?} in {file}"), SOON, || {
        let text = String::from_utf8_lossy(&daemon.sandbox().read(file)).into_owned();
        check(text.contains(wanted), || text)
    });
}

#[test]
fn errors_of_the_process_are_errors_of_the_client() {
    let orders = ["--write-out", "out\n", "--write-err", "err\n"];
    for (tty, out) in [("none", "out\n"), ("split", "out\r\n")] {
        let daemon = puppet(&orders, &json!({"tty": tty}));
        let piped = Piped::attach(&daemon, &["p"]);
        daemon.rpc().start(&["p"]);
        wait_printed(&daemon, "client.out", out);
        wait_printed(&daemon, "client.err", "\nerr\n");
        drop(piped.input);
        let out = String::from_utf8_lossy(&daemon.sandbox().read("client.out")).into_owned();
        assert!(!out.contains("err"), "{out:?}");
    }
}

// printf 'x\n' | taskmasterctl attach w:0
#[test]
fn what_is_piped_in_is_typed_and_its_end_detaches() {
    let sandbox = Sandbox::new();
    let log = sandbox.path("w.out");
    let programs = json!({"w": {"cmd": "cat", "numprocs": 2, "stdout": log}});
    let daemon = Daemon::start(sandbox, programs);
    let pid = daemon.pid("w:0");
    let said = daemon.ctl().run_with(&["attach", "w:0"], b"x\n");
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    wait_printed(&daemon, "w.out", "x\nx\n");
    assert_eq!(daemon.pid("w:0"), pid);
    daemon.wait_log(&["detached from w:0"]);
}

/// Random bytes, and among them all that a terminal says of itself.
fn anything() -> Vec<u8> {
    const REPORTS: [&[u8]; 6] = [
        b"\x1b]52;c;aGk=\x07",
        b"\x1bPq#0\x1b\\",
        b"\x1b[?62;22c",
        b"\x1b[12;40R",
        b"\x1b[I",
        b"\x1b]11;rgb:0/0/0\x1b\\",
    ];
    let mut dice = Dice::new();
    let mut bytes = Vec::new();
    for _ in 0..4096 {
        bytes.extend((0..64).map(|_| dice.below(256) as u8));
        bytes.extend(*dice.one_of(&REPORTS));
    }
    bytes.extend(b"\x1b]52;the beginning of one");
    bytes
}

// Where nothing is a terminal's word, all of it is somebody's. What is printed may go to one all the same.
#[test]
fn every_byte_that_is_piped_in_arrives() {
    let script = "stty raw -echo; echo ready; exec cat >typed";
    let bytes = anything();
    for to_a_terminal in [false, true] {
        let sandbox = Sandbox::new();
        let keys = json!({"cmd": ["sh", "-c", script], "workingdir": sandbox.dir(),
            "stdout": sandbox.path("p.out")});
        let daemon = Daemon::start(sandbox, json!({"p": keys}));
        wait_printed(&daemon, "p.out", "ready");
        if to_a_terminal {
            std::fs::write(daemon.sandbox().path("input"), &bytes).expect("a file");
            let line = format!("exec {} attach p <input", daemon.ctl().words());
            let mut shell = Command::new("sh");
            shell
                .args(["-c", &line])
                .current_dir(daemon.sandbox().dir());
            assert!(Term::spawn(&shell).wait_exit(LATER).success());
        } else {
            let said = daemon.ctl().run_with(&["attach", "p"], &bytes);
            assert_eq!(said.code, Some(0), "{said:?}");
        }
        eventually("all that was piped in", SOON, || {
            let typed = daemon.sandbox().read("typed");
            check(typed.len() >= bytes.len(), || typed.len().to_string())
        });
        assert!(daemon.sandbox().read("typed") == bytes, "other bytes");
    }
}

// Who types sees that nobody is there to read it; who pipes does not.
#[test]
fn what_is_piped_in_waits_for_a_process_that_does_not_run() {
    let sandbox = Sandbox::new();
    let keys = json!({"cmd": ["sh", "-c", "read line; echo got $line"], "autostart": false,
        "autorestart": "always", "starttime": 0, "restart_delay": "1h", "stdout": sandbox.path("p.out")});
    let daemon = Daemon::start(sandbox, json!({"p": keys}));
    let mut piped = Piped::attach(&daemon, &["p"]);
    for line in ["one", "two"] {
        writeln!(piped.input, "{line}").expect("the client reads");
        daemon.rpc().start(&["p"]);
        wait_printed(&daemon, "p.out", &format!("got {line}"));
        daemon.wait_status("p", "over", |status| status.pid.is_none());
    }
    let Piped { mut child, input } = piped;
    drop(input);
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    wait_printed(&daemon, "client.err", "waiting for a start");
    let script = format!("printf 'three\n' | {} attach p", daemon.ctl().words());
    let mut shell = Command::new("sh");
    let mut shell = shell.args(["-c", &script]).spawn().expect("there is one");
    eventually("attached", SOON, || {
        let attached = daemon.status("p").attached.len();
        check(attached == 1, || attached.to_string())
    });
    daemon.rpc().start(&["p"]);
    assert!(shell.wait().expect("it ends").success());
    wait_printed(&daemon, "p.out", "got three");
}

#[test]
fn an_open_pipe_waits_for_the_end_of_the_process() {
    for (plan, code) in [
        ("exit:0", 0),
        ("exit:7", 7),
        ("kill:TERM", 143),
        ("kill:KILL", 137),
    ] {
        let daemon = puppet(&["--plan", plan], &json!({}));
        let piped = Piped::attach(&daemon, &["p"]);
        daemon.rpc().start(&["p"]);
        assert_eq!(piped.wait_code(), Some(code), "{plan}");
    }
}

#[test]
fn a_process_that_comes_back_is_waited_for_unless_once_is_enough() {
    let keys = json!({"autorestart": "always"});
    let daemon = puppet(&["--plan", "exit:5,exit:6,stay"], &keys);
    let waits = Piped::attach(&daemon, &["p"]);
    let leaves = Piped::attach(&daemon, &["--once", "p"]);
    daemon.rpc().start(&["p"]);
    assert_eq!(leaves.wait_code(), Some(5));
    daemon.sandbox().ledger("p").wait("start", 3, LATER);
    assert_eq!(only(&daemon.rpc().stop(&["p"])), Verdict::Stopped);
    assert_eq!(waits.wait_code(), Some(143));
}

// A full disk is no reader that has gone, and a broken disk no end of the input.
#[test]
fn what_cannot_be_read_or_written_is_told() {
    let programs = json!({"p": {"cmd": "yes"}, "q": {"cmd": "cat"}});
    let daemon = Daemon::start(Sandbox::new(), programs);
    let directory = File::open(daemon.sandbox().dir()).expect("it can be opened");
    let full = File::options().write(true).open("/dev/full");
    let pipe = std::io::pipe().expect("a pipe");
    for (name, input, output, why) in [
        (
            "p",
            pipe.0.into(),
            full.expect("a device").into(),
            "standard output: no space left on device",
        ),
        (
            "q",
            Stdio::from(directory),
            Stdio::null(),
            "standard input: is a directory",
        ),
    ] {
        let mut command = daemon.ctl().command();
        command.args(["attach", name]).stdin(input).stdout(output);
        let said = command.stderr(Stdio::piped()).output();
        let said = said.expect("taskmasterctl can be started");
        assert_eq!(said.status.code(), Some(1), "{why}");
        let told = format!("[detached from {name}: {why}]\n");
        assert_eq!(String::from_utf8_lossy(&said.stderr), told);
    }
}

// A script reads what it wants of the output and goes.
#[test]
fn a_client_whose_reader_has_gone_ends() {
    let daemon = puppet(&["--flood", "0"], &json!({}));
    daemon.rpc().start(&["p"]);
    let mut command = daemon.ctl().command();
    command.args(["attach", "p"]).stdin(Stdio::piped());
    command.stdout(Stdio::piped());
    let mut child = command.spawn().expect("taskmasterctl can be started");
    let mut first = [0; 100];
    let mut output = child.stdout.take().expect("a pipe");
    std::io::Read::read_exact(&mut output, &mut first).expect("output comes");
    drop(output);
    eventually("the end of the client", SOON, || match child.try_wait() {
        Ok(Some(_)) => Ok(()),
        other => Err(format!("{other:?}")),
    });
    daemon.wait_log(&["detached from p"]);
    assert!(proc::alive(daemon.pid("p")));
    let mut input = child.stdin.take().expect("a pipe");
    assert!(input.write_all(b"x").is_err(), "nobody reads");
}
