//! The client attached: what becomes of it as the process, the daemon and the input end.

use harness::fake::{Fake, Visitor, running};
use harness::{Ctl, SOON, Sandbox, Sitting, Term, check, eventually, json, proc};
use nix::sys::signal::Signal;
use shared::api::{Attached, Exited, Restarted, Tty};
use shared::frame::Frame;
use shared::state::{Exit, State};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

fn exited(exit: Exit, state: State, retry_in_ms: Option<u64>) -> Frame {
    Frame::Exited(Exited {
        exit: Some(exit),
        state,
        retry_in_ms,
        gone: false,
        reason: None,
        starts: 1,
    })
}

// The one thing no other program of this kind does: the same attachment goes on with the next process.
#[test]
fn a_process_that_is_tried_again_is_waited_for() {
    let (mut sitting, mut visitor) = Sitting::attached(&[]);
    visitor.send(&exited(Exit::Code(1), State::Backoff, Some(2000)));
    sitting
        .term
        .wait_for("[w exited with status 1, next try in 2 s; Ctrl-] detaches]");
    visitor.send(&Frame::Restarted(Restarted {
        pid: 12,
        tty: Tty::Full,
    }));
    visitor.send(&Frame::Output(b"new life".to_vec()));
    sitting.term.wait_for("new life");
    sitting.term.send("hi");
    visitor.wait_input(b"hi");
    visitor.send(&exited(Exit::Code(3), State::Exited, None));
    sitting.term.wait_for("[w exited with status 3]");
    sitting.wait_code(3);
}

#[test]
fn the_exit_code_is_the_processs() {
    let killed = Exit::Signal {
        number: 15,
        core_dumped: false,
    };
    for (exit, state, code) in [
        (Exit::Code(0), State::Exited, 0),
        (Exit::Code(42), State::Fatal, 42),
        (killed, State::Stopped, 143),
    ] {
        let (mut sitting, mut visitor) = Sitting::attached(&[]);
        visitor.send(&exited(exit, state, None));
        sitting.wait_code(code);
    }
}

#[test]
fn once_means_until_the_end_of_the_process() {
    let (mut sitting, mut visitor) = Sitting::attached(&["--once"]);
    visitor.send(&exited(Exit::Code(5), State::Backoff, Some(1000)));
    sitting.wait_code(5);
}

#[test]
fn a_stopped_process_is_waited_for() {
    let (mut sitting, mut visitor) = Sitting::new(&[]);
    visitor.answer(&json!(Attached {
        pid: None,
        state: State::Stopped,
        ..running()
    }));
    visitor.send(&Frame::Snapshot(Vec::new()));
    let line = "[w is STOPPED; waiting for a start; Ctrl-] detaches]";
    sitting.term.wait_for(line);
    visitor.send(&Frame::Restarted(Restarted {
        pid: 5,
        tty: Tty::Full,
    }));
    visitor.send(&Frame::Output(b"here I am".to_vec()));
    sitting.term.wait_for("here I am");
    sitting.term.send("\x1d");
    sitting.wait_code(0);
}

// However the daemon tells it, before the picture, behind it or not at all: one line says how it stands, and it stays.
#[test]
fn of_a_process_that_is_down_one_line_is_seen() {
    let short = "[w is FATAL; waiting for a start; Ctrl-] detaches]";
    let long = "[w is FATAL: exited with status 1; waiting for a start; Ctrl-] detaches]";
    let how = exited(Exit::Code(1), State::Fatal, None);
    let picture = Frame::Snapshot(b"the last words\r\n".to_vec());
    let tellings: [(&[&Frame], _); 3] = [
        (&[&picture, &how], long),
        (&[&how, &picture], long),
        (&[&picture], short),
    ];
    for (frames, want) in tellings {
        for apart in [false, true] {
            let (mut sitting, mut visitor) = Sitting::new(&["--once"]);
            visitor.answer(&json!(Attached {
                pid: None,
                state: State::Fatal,
                ..running()
            }));
            for (at, frame) in frames.iter().enumerate() {
                visitor.send(frame);
                if apart && at == 0 && **frame == picture {
                    sitting.term.wait_for(short);
                }
            }
            sitting.term.wait_for(want);
            let (rows, _) = sitting.term.window();
            assert_eq!(rows[..3], ["the last words", want, ""], "{frames:?}");
            visitor.send(&Frame::Restarted(Restarted {
                pid: 5,
                tty: Tty::Full,
            }));
            visitor.send(&exited(Exit::Code(4), State::Backoff, Some(2000)));
            sitting.wait_code(4);
        }
    }
}

#[test]
fn who_is_detached_is_told_why() {
    let (mut sitting, mut visitor) = Sitting::attached(&[]);
    visitor.send(&Frame::Detached("stolen by uid 0\x1b[2J".into()));
    sitting
        .term
        .wait_for("[detached from w: stolen by uid 0\\x1b[2J]");
    sitting.wait_code(1);
}

#[test]
fn a_refusal_is_worded_as_that_of_any_command() {
    let (mut sitting, mut visitor) = Sitting::new(&[]);
    visitor.refuse(4, "no such process: \"w\"");
    sitting.term.wait_for("w: ERROR (no such process)");
    sitting.wait_code(1);
}

#[test]
fn garbage_ends_the_attachment_and_harms_nobody() {
    for garbage in [
        &b"\x12\xff\xff\xff\xff"[..],
        b"\x16\0\0\0\x01{",
        b"{\"jsonrpc\":\"2.0\"}\n",
    ] {
        let (mut sitting, mut visitor) = Sitting::attached(&[]);
        visitor.write(garbage);
        sitting.term.wait_for("[detached from w: taskmasterd sent ");
        sitting.wait_code(1);
    }
}

// A daemon of tomorrow may say more than this client knows.
#[test]
fn an_unknown_frame_is_passed_over() {
    let (mut sitting, mut visitor) = Sitting::attached(&[]);
    visitor.write(b"\x63\0\0\0\x03abc");
    visitor.send(&Frame::Output(b"still here".to_vec()));
    sitting.term.wait_for("still here");
    sitting.term.send("\x1d");
    sitting.wait_code(0);
}

// Output of a pipe has bare newlines, which a raw terminal would show as stairs.
#[test]
fn lines_of_a_pipe_begin_at_the_left() {
    let (mut sitting, mut visitor) = Sitting::new(&[]);
    visitor.answer(&json!(Attached {
        tty: Tty::None,
        ..running()
    }));
    visitor.send(&Frame::Output(b"one\ntwo\n".to_vec()));
    visitor.send(&Frame::Stderr(b"three\n".to_vec()));
    sitting.term.wait_for("one\ntwo\nthree");
    sitting.term.send("\x1d");
    sitting.wait_code(0);
}

/// Runs the client without a terminal.
fn piped(sandbox: &Sandbox, words: &[&str]) -> Command {
    let mut command = Ctl::new(&sandbox.path("socket")).command();
    command.args(words);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

fn wait_goodbye(visitor: &mut Visitor) {
    visitor.wait_frame(&Frame::Detach);
    let last = visitor.frames().last().cloned();
    assert_eq!(last, Some(Frame::Detach));
}

// printf 'x\n' | taskmasterctl attach w
#[test]
fn without_a_terminal_the_input_is_typed_and_its_end_detaches() {
    let sandbox = Sandbox::new();
    let fake = Fake::new(&sandbox);
    let mut child = piped(&sandbox, &["attach", "w"])
        .spawn()
        .expect("it starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    std::io::Write::write_all(&mut stdin, b"x\n\x1d\x1d\x1d").expect("it is taken");
    drop(stdin);
    let mut visitor = fake.accept();
    for asked in ["ignore_size", "no_replay", "plain"] {
        assert_eq!(visitor.request["params"][asked], true, "{asked}");
    }
    visitor.answer(&json!(running()));
    visitor.wait_input(b"x\n\x1d\x1d\x1d");
    wait_goodbye(&mut visitor);
    visitor.send(&Frame::Output(b"\x1b[31mlate\r\n".to_vec()));
    drop(visitor);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        output.stdout, b"\x1b[31mlate\r\n",
        "plain bytes and nothing else"
    );
}

#[test]
fn the_code_is_the_processs_without_a_terminal_too() {
    let sandbox = Sandbox::new();
    let fake = Fake::new(&sandbox);
    let mut child = piped(&sandbox, &["fg", "w"]).spawn().expect("it starts");
    let mut visitor = fake.accept();
    visitor.answer(&json!(running()));
    visitor.send(&Frame::Output(b"bye\n".to_vec()));
    visitor.send(&exited(Exit::Code(9), State::Exited, None));
    let status = eventually("the end", SOON, || match child.try_wait() {
        Ok(Some(status)) => Ok(status),
        other => Err(format!("{other:?}")),
    });
    assert_eq!(status.code(), Some(9));
}

// Whoever reads neither the output nor the errors stops them, and not the client.
#[test]
fn errors_that_nobody_reads_stop_nothing_else() {
    let sandbox = Sandbox::new();
    let fake = Fake::new(&sandbox);
    let mut command = piped(&sandbox, &["attach", "w"]);
    let mut child = command.stderr(Stdio::piped()).spawn().expect("it starts");
    let mut visitor = fake.accept();
    visitor.answer(&json!(Attached {
        tty: Tty::Split,
        ..running()
    }));
    let flood = Frame::Stderr(vec![b'x'; 16 * 1024]).to_bytes();
    eventually("a connection that is not read any more", SOON, || {
        let taken = visitor.offer(&flood);
        check(taken == 0, || format!("{taken} more bytes were taken"))
    });
    let stdin = child.stdin.as_mut().expect("a pipe");
    std::io::Write::write_all(stdin, b"x\n").expect("it is taken");
    visitor.wait_input(b"x\n");
    proc::signal(visitor.pid, Signal::SIGTERM);
    let status = eventually("the end", SOON, || match child.try_wait() {
        Ok(Some(status)) => Ok(status),
        other => Err(format!("{other:?}")),
    });
    assert_eq!(status.signal(), Some(15));
}

#[test]
fn attach_has_no_json() {
    let sandbox = Sandbox::new();
    let said = Ctl::new(&sandbox.path("socket")).run(&["--json", "attach", "w"]);
    assert_eq!(said.code, Some(1));
    assert!(said.out.contains("no JSON"), "{said:?}");
}

#[test]
fn send_and_screen_are_calls_like_others() {
    let sandbox = Sandbox::new();
    let fake = Fake::new(&sandbox);
    let child = piped(&sandbox, &["send", "w", r"ls\r"]).spawn();
    let mut visitor = fake.accept();
    assert_eq!(
        visitor.request["params"],
        json!({"name": "w", "data": "bHMN"})
    );
    visitor.answer(&json!({"bytes": 3}));
    let output = child
        .expect("it starts")
        .wait_with_output()
        .expect("it ends");
    assert_eq!(
        (output.status.code(), &output.stdout[..]),
        (Some(0), &b""[..])
    );

    let child = piped(&sandbox, &["screen", "w"]).spawn();
    let mut visitor = fake.accept();
    let screen = json!({
        "name": "w", "rows": 2, "cols": 80, "cursor_row": 1, "cursor_col": 0,
        "cursor_visible": true, "alternate": false, "text": ["one \u{1b}", ""],
    });
    visitor.answer(&screen);
    let output = child
        .expect("it starts")
        .wait_with_output()
        .expect("it ends");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    eventually("the screen as text", SOON, || {
        check(text == "one \\x1b\n", || text.clone())
    });
}

// Between two prompts, on the same terminal: line editing works before and after.
#[test]
fn the_shell_attaches_between_two_prompts() {
    const PROMPT: &str = "taskmaster> ";
    let sandbox = Sandbox::new();
    let fake = Fake::new(&sandbox);
    let mut command = Ctl::new(&sandbox.path("socket")).command();
    command.env("TERM", "xterm");
    command.env("HOME", sandbox.dir());
    let mut term = Term::spawn(&command);
    fake.accept().refuse(1, "no status today");
    term.wait_prompt(PROMPT);
    for lap in 1..=2 {
        term.type_line(PROMPT, "fg w");
        let mut visitor = fake.accept();
        visitor.answer(&json!(running()));
        let picture = format!("\x1b[?1049hfull screen {lap}");
        visitor.send(&Frame::Snapshot(picture.into_bytes()));
        term.wait_for(&format!("full screen {lap}"));
        term.send("\x03typed\x1d");
        visitor.wait_frame(&Frame::Detach);
        assert_eq!(visitor.input(), b"\x03typed");
        term.wait_prompt(PROMPT);
    }
    term.send("quot\x7f\x7fit\r");
    assert!(term.wait_exit(SOON).success());
}

#[test]
fn what_was_asked_for_reaches_the_daemon() {
    let usual = json!({
        "name": "w", "version": 1, "rows": 24, "cols": 80, "xpixel": 0, "ypixel": 0, "term": "xterm",
        "read_only": false, "steal": false, "no_replay": false, "ignore_size": false, "plain": false,
        "piped": false, "history": 0,
    });
    let cases: [(&[&str], _); 3] = [
        (&[], json!({})),
        (
            &["--steal", "--history=9"],
            json!({"steal": true, "history": 9}),
        ),
        (
            &["--no-replay", "--ignore-size", "--read-only"],
            json!({"no_replay": true, "ignore_size": true, "read_only": true}),
        ),
    ];
    for (words, asked) in cases {
        let (mut sitting, visitor) = Sitting::attached(words);
        let mut want = usual.clone();
        for (key, value) in asked.as_object().into_iter().flatten() {
            want[key] = value.clone();
        }
        assert_eq!(visitor.request["params"], want);
        sitting.term.send("\x1d");
        sitting.wait_code(0);
    }
}

// A picture of more than one frame is one picture, and the next is another.
#[test]
fn a_long_snapshot_is_painted_as_one() {
    let (mut sitting, mut visitor) = Sitting::attached(&[]);
    let wipe = |raw: &[u8]| {
        raw.windows(8)
            .filter(|part| part == b"\x1b[1H\x1b[2K")
            .count()
    };
    let picture = [&b"\x1b[m".repeat(50_000)[..], b"end"].concat();
    for count in 1..3 {
        visitor.send(&Frame::Snapshot(picture.clone()));
        eventually("the picture", SOON, || {
            let seen = wipe(sitting.term.raw());
            let ends = sitting.term.raw().ends_with(b"end");
            check(seen == count && ends, || format!("{seen} pictures"))
        });
    }
    sitting.term.send("\x1d");
    sitting.wait_code(0);
}
