//! The real program where things are not as they should be: no daemon, a wrong one, hostile text, closed pipes.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::process::{Child, Stdio};

use crate::fake::{Fake, Place, ctl, process, run};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

#[test]
fn without_a_daemon_every_command_says_where_none_is() {
    let place = Place::new();
    let gone = "unix://SOCK no such file\n";
    assert_eq!(run(&place, "status"), (gone.into(), 4));
    assert_eq!(run(&place, "start p"), (gone.into(), 7));
    let want = "ERROR: unix://SOCK no such file (already shut down?)\n";
    assert_eq!(run(&place, "shutdown"), (want.into(), 1));
    drop(UnixListener::bind(place.socket()).unwrap());
    let dead = "unix://SOCK refused connection\n";
    assert_eq!(run(&place, "status"), (dead.into(), 4));
    assert_eq!(run(&place, "pid"), (dead.into(), 7));
}

#[test]
fn a_socket_one_may_not_use_is_told() {
    if nix::unistd::geteuid().is_root() {
        eprintln!("skipped: root may use every socket");
        return;
    }
    let daemon = Fake::result(json!({}));
    let closed = std::fs::Permissions::from_mode(0o000);
    std::fs::set_permissions(daemon.place.socket(), closed).unwrap();
    let want = ("unix://SOCK permission denied\n".into(), 4);
    assert_eq!(daemon.run("start p"), want);
}

#[test]
fn what_is_no_taskmaster_is_not_taken_for_one() {
    for bytes in [
        &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
        b"{}\n",
        b"{\"jsonrpc\":\"2.0\",\"id\":99,\"result\":1}\n",
        b"{\"jsonrpc\":\"1.0\",\"id\":1,\"result\":1}\n",
        b"{\xff\x1b[2J\n",
        b"\0\0\0\0",
    ] {
        let stranger = Fake::saying(bytes);
        let want = ("unix://SOCK is not a taskmaster\n".into(), 4);
        assert_eq!(stranger.run("status"), want, "{bytes:?}");
    }
    let mute = Fake::saying(b"");
    let want = ("unix://SOCK closed the connection\n".into(), 7);
    assert_eq!(mute.run("stop p"), want);
    let other = Fake::result(json!({"unexpected": true}));
    let (text, code) = other.run("version");
    assert!(text.contains("does not understand"), "{text}");
    assert_eq!(code, 1);
}

#[test]
fn nothing_foreign_reaches_the_terminal_as_it_is() {
    let evil = "x\x1b[31m\r\x07\u{9b}2J\u{202e}";
    let mut shown = process(evil, "FATAL");
    shown["reason"] = json!(evil);
    let outcome = json!({"name": evil, "result": "failed", "detail": evil});
    let key = json!({"key": evil, "old": evil, "new": evil, "consequence": evil});
    let everything = Fake::result(json!({
        "processes": [shown], "errors": [outcome], "results": [outcome], "version": evil,
        "protocol": 9, "daemon": 1, "applied": false, "strays": [{"pid": 1, "process": evil, "command": evil}],
        "plan": {"programs": [{"program": evil, "change": "changed", "keys": [key]}], "settings": [key]},
    }));
    let error = Fake::answering(json!({"error": {"code": 3, "message": evil, "data": [evil]}}));
    let lines = [
        "status",
        "status --strays",
        "start p",
        "signal HUP p",
        "version",
        "reread",
        "pid p",
        "status --json",
        "shutdown",
        "avail",
        "tail p",
    ];
    for line in lines {
        for daemon in [&everything, &error] {
            let words = line.split_whitespace();
            check(ctl(&daemon.place).args(words).output().unwrap(), line);
            check(
                ctl(&daemon.place).args(["start", evil]).output().unwrap(),
                evil,
            );
        }
    }
    let place = Place::new();
    for words in [
        &[evil][..],
        &["help", evil],
        &["tail", "a", evil],
        &["-s", evil, "pid"],
        &["-x\x1b"],
    ] {
        check(ctl(&place).args(words).output().unwrap(), evil);
    }
}

fn check(output: std::process::Output, line: &str) {
    for text in [output.stdout, output.stderr] {
        let text = String::from_utf8(text).unwrap();
        let hostile = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!text.contains(hostile), "{line:?}: {text:?}");
    }
}

#[test]
fn a_closed_pipe_ends_it_in_silence() {
    let many: Vec<Value> = (0..5000).map(|_| process("p", "RUNNING")).collect();
    let daemon = Fake::result(json!({ "processes": many }));
    let mut child = ctl(&daemon.place)
        .arg("status")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut complaint = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut complaint)
        .unwrap();
    assert_eq!(complaint, "");
    assert_eq!(child.wait().unwrap().code(), Some(141));
}

/// Says one line, then keeps the connection open until the client closes it.
fn following() -> Fake {
    Fake::speaking(|_, stream| {
        let tail = json!({"jsonrpc": "2.0", "id": 1, "result": {
            "name": "p", "stream": "stdout", "data": "b25lCg==", "more": false}});
        let news = json!({"jsonrpc": "2.0", "method": "output", "params": {
            "name": "p", "stream": "stdout", "data": "dHdvCg==", "skipped": 5}});
        let _ = write!(stream, "{tail}\n{news}\n");
        let _ = stream.read(&mut [0]);
    })
}

fn tail_until_two(daemon: &Fake) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut child = ctl(&daemon.place)
        .args(["tail", "-f", "p"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut seen = String::new();
    while !seen.ends_with("two\n") {
        assert_ne!(output.read_line(&mut seen).unwrap(), 0, "{seen}");
    }
    assert_eq!(
        seen,
        "==> Press Ctrl-C to exit <==\none\n\n==> 5 bytes skipped <==\ntwo\n"
    );
    (child, output)
}

#[test]
fn tail_follows_until_ctrl_c() {
    let daemon = following();
    let (mut child, _output) = tail_until_two(&daemon);
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn tail_ends_when_nobody_reads_it_even_if_nothing_comes() {
    let daemon = following();
    let (mut child, output) = tail_until_two(&daemon);
    drop(output);
    assert_eq!(child.wait().unwrap().code(), Some(141));
}

/// Answers `tail` with this output, in base64, and hangs up; then `status` like that, or nothing any more.
fn following_until_the_end(status: Option<Value>, data: &'static str) -> Fake {
    Fake::speaking(move |request, stream| {
        let result = match (request["method"].as_str(), &status) {
            (Some("status"), Some(status)) => status.clone(),
            (Some("status"), None) => panic!("asked when it was gone"),
            _ => json!({"name": "a:1", "stream": "stdout", "data": data, "more": false}),
        };
        if status.is_none() {
            let address = stream.local_addr().unwrap();
            std::fs::remove_file(address.as_pathname().unwrap()).unwrap();
        }
        let answer = json!({"jsonrpc": "2.0", "id": request["id"], "result": result});
        let _ = writeln!(stream, "{answer}");
    })
}

// The connection is closed in each case, and that is not what anybody wants to know. It is said on a line of its own,
// also below a prompt.
#[test]
fn a_tail_that_is_over_says_why() {
    let head = "==> Press Ctrl-C to exit <==\n";
    let no_such = json!({"name": "a:1", "result": "no_such_process"});
    let no_such = json!({"processes": [], "errors": [no_such]});
    for (status, line, code) in [
        (Some(no_such), "a:1 is no longer in the configuration", 1),
        (None, "the daemon has stopped", 7),
        (
            Some(json!({"processes": [process("a:1", "RUNNING")]})),
            "unix://SOCK closed the connection",
            7,
        ),
    ] {
        for (data, shown) in [("", ""), ("b25lCg==", "one\n"), ("YmFzaCMg", "bash# \n")] {
            let daemon = following_until_the_end(status.clone(), data);
            let want = (format!("{head}{shown}{line}\n"), code);
            assert_eq!(daemon.run("tail -f a:1"), want);
        }
    }
}

#[test]
fn ctrl_c_leaves_a_stop_to_the_daemon_and_says_so() {
    let (heard, asked) = std::sync::mpsc::channel();
    let daemon = Fake::speaking(move |_, stream| {
        heard.send(()).unwrap();
        let _ = stream.read(&mut [0]);
    });
    let mut child = ctl(&daemon.place)
        .args(["stop", "p"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // SIGINT is held back from before the request is sent.
    asked.recv().unwrap();
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    let mut said = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert_eq!(said, "stop goes on in the daemon\n");
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

fn piped(daemon: &Fake, input: &[u8]) -> (String, String, i32) {
    let mut child = ctl(&daemon.place)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
        output.status.code().unwrap(),
    )
}

#[test]
fn commands_come_through_a_pipe_without_prompt_or_question() {
    let daemon = Fake::result(json!({"left": 0, "results": [], "version": "9", "protocol": 1}));
    let (text, _, code) = piped(&daemon, b"version\n\n  version  \nshutdown");
    assert_eq!((text.as_str(), code), ("9\n9\nShut down\n", 0));
    let (text, _, code) = piped(&daemon, b"start\nversion\nquit\nstart\n");
    assert!(text.ends_with("\n9\n"), "{text}");
    assert_eq!(code, 2);
    for quit in ["quit --json", "--json quit", "exit --json --"] {
        let (text, said, code) = piped(&daemon, format!("{quit}\nversion\n").as_bytes());
        assert_eq!((text.as_str(), said.as_str(), code), ("", "", 0), "{quit}");
    }
}

// What is typed into a process is not to be guessed: a blank or a quote more may be another command there.
#[test]
fn the_shell_parts_words_at_blanks_and_keeps_what_is_quoted() {
    let daemon = Fake::result(json!({"bytes": 1}));
    let lines = r#"send p 'echo x\r'
        send p "a  b\r"
        send   p  it's   so\r
        send "p" ' ' "'"
        send p 'echo x\r
        send p echo "x"\r
        send --json p "x
    "#;
    let (text, said, code) = piped(&daemon, lines.as_bytes());
    let asked = daemon.asked();
    let typed = asked.iter().map(|call| call["params"]["data"].as_str());
    let typed: Vec<_> = typed
        .map(|data| BASE64_STANDARD.decode(data.unwrap()).unwrap())
        .collect();
    let want: [&[u8]; 4] = [b"echo x\r", b"a  b\r", b"it's so\r", b"  '"];
    assert_eq!(typed, want);
    assert!(asked.iter().all(|call| call["params"]["name"] == "p"));
    let want = [
        r"Error: a quote is not closed: 'echo x\r",
        r#"Error: a quote is not closed: "x"\r"#,
        r#"{"error":{"code":-32602,"message":"a quote is not closed: \"x"}}"#,
    ];
    assert_eq!(text.lines().collect::<Vec<_>>(), want);
    assert_eq!((said.as_str(), code), ("", 1));
}

// quit with a word more was taken for quit, and a code behind exit was dropped in silence.
#[test]
fn quit_takes_no_arguments_in_the_shell_and_alone() {
    let daemon = Fake::result(json!({"version": "9", "protocol": 1}));
    let (text, said, code) = piped(&daemon, b"quit 3\nexit --help\nversion\nquit\nversion\n");
    let lines: Vec<_> = text.lines().map(|line| line.split("  ").next()).collect();
    let (misused, other) = (
        "Error: quit accepts no arguments",
        "exit is another word for quit.",
    );
    assert_eq!(
        lines,
        [misused, "quit", other, "exit", other, "9"].map(Some)
    );
    assert_eq!((said.as_str(), code), ("", 1));
    let (text, code) = daemon.run("exit a b");
    assert!(
        text.starts_with("Error: exit accepts no arguments\n"),
        "{text}"
    );
    assert_eq!(code, 1);
    for line in ["quit", "exit --json"] {
        assert_eq!(daemon.run(line), (String::new(), 0), "{line}");
    }
}

#[test]
fn a_pipe_may_hold_anything() {
    let daemon = Fake::result(json!({"version": "9", "protocol": 1}));
    let mut input = vec![b'x'; 1_000_000];
    input.extend_from_slice(b"\n\xff\x00\x1b[2J\nversion\n");
    let (text, said, code) = piped(&daemon, &input);
    assert_eq!(text, "*** Unknown syntax: \u{fffd}\\x00\\x1b[2J\n9\n");
    assert_eq!(said, "a line of more than 65536 bytes is not read\n");
    assert_eq!(code, 1);
}

#[test]
fn too_many_names_are_refused_before_they_are_sent() {
    let daemon = Fake::outcomes(&[]);
    let names = "web:1 ".repeat(9000);
    let (text, code) = daemon.run(&format!("start {names}"));
    assert_eq!(
        (text.as_str(), code),
        ("ERROR: too many names for one command\n", 1)
    );
}
