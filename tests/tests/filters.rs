//! Logs that are filtered, across starts: what one incarnation left open, an escape sequence or a line, is not the
//! next one's to end.

use std::fs;

use harness::{Daemon, SOON, Sandbox, State, Value, check, eventually, json};

/// A program of `/bin/sh` that starts again when it fails, its output filtered into the file `log`.
fn filtered(sandbox: &Sandbox, log: &str, script: &str, filters: &Value) -> Value {
    let mut stdout = filters.clone();
    stdout["path"] = json!(sandbox.path(log));
    json!({"cmd": ["/bin/sh", "-c", script], "tty": "none", "sweep": false, "starttime": 0,
           "workingdir": sandbox.dir(), "stdout": stdout})
}

/// The log of a program whose first three incarnations write `text` and fail; the fourth writes nothing.
fn log_of_three(text: &str, filters: &Value) -> String {
    let sandbox = Sandbox::new();
    let script =
        format!("echo >> starts; [ $(wc -l < starts) -gt 3 ] && exit; printf '{text}'; exit 1");
    let keys = filtered(&sandbox, "p.out", &script, filters);
    let daemon = Daemon::start(sandbox, json!({"p": keys}));
    daemon.wait_status("p", "over", |status| {
        status.state == State::Exited && daemon.sandbox().read("starts").len() == 4
    });
    text_of(&daemon)
}

fn text_of(daemon: &Daemon) -> String {
    String::from_utf8(daemon.sandbox().read("p.out")).expect("text")
}

/// A log of which each line has its time, without the times.
#[track_caller]
fn untimed(log: &str) -> String {
    const TIME: &str = "2026-01-01T00:00:00.000Z ";
    let lines = log.split_inclusive('\n').map(|line| {
        let (time, rest) = line.split_at_checked(TIME.len()).unwrap_or((line, ""));
        let is_time = time.starts_with("20") && time.ends_with("Z ");
        assert!(is_time && !rest.contains("Z "), "{log:?}");
        rest
    });
    lines.collect()
}

#[test]
fn an_escape_sequence_that_never_ended_swallows_nothing_of_the_next_start() {
    for unfinished in [r"\033]0;a title", r"\033[3", r"\033", r"\033P"] {
        let text = format!(r"hello\nworld\n{unfinished}");
        let log = log_of_three(&text, &json!({"strip_ansi": true}));
        assert_eq!(log, "hello\nworld\n".repeat(3), "{unfinished}");
    }
}

// Without times the log has the bytes of the program, and no others.
#[test]
fn a_line_that_never_ended_is_ended_where_lines_have_times() {
    let text = r"begin\nhalf";
    let log = log_of_three(text, &json!({"timestamps": true}));
    assert_eq!(untimed(&log), "begin\nhalf\n".repeat(3));
    let log = log_of_three(text, &json!({}));
    assert_eq!(log, "begin\nhalf".repeat(3));
}

/// The first incarnation leaves a child that ends its escape sequence, while the second writes.
const LATE_CHILD: &str = r"
    if [ ! -e go ]; then
        mkfifo go
        printf 'one\033[1;'
        (read _ < go; printf '31mlate\nhalf') &
        exit 1
    fi
    printf 'two\033[3'
    read _ < go2
    printf '2m end'
    exec sleep 600";

// Each stream has its own place in its own sequences; a line that another writer cuts is ended first.
#[test]
fn a_child_that_outlives_its_parent_does_not_mix_its_sequences_with_the_next_starts() {
    for (timestamps, wanted) in [
        (false, "onetwolate\nhalf end"),
        (true, "one\ntwo\nlate\nhalf\n end"),
    ] {
        let sandbox = Sandbox::new();
        let go2 = sandbox.path("go2");
        nix::unistd::mkfifo(&go2, nix::sys::stat::Mode::S_IRWXU).expect("a FIFO can be made");
        let filters = json!({"strip_ansi": true, "timestamps": timestamps});
        let keys = filtered(&sandbox, "p.out", LATE_CHILD, &filters);
        let daemon = Daemon::start(sandbox, json!({"p": keys}));
        let wait_end = |end: &str| {
            eventually(end, SOON, || {
                let log = text_of(&daemon);
                check(log.ends_with(end), || log)
            });
        };
        wait_end("two");
        fs::write(daemon.sandbox().path("go"), "\n").expect("it is read");
        wait_end(if timestamps { "half\n" } else { "half" });
        fs::write(go2, "\n").expect("it is read");
        wait_end(" end");
        let log = text_of(&daemon);
        let log = if timestamps { untimed(&log) } else { log };
        assert_eq!(log, wanted);
    }
}

// The beginning of the line is gone, and its time with it.
#[test]
fn what_comes_after_a_clearing_begins_with_its_time() {
    let sandbox = Sandbox::new();
    let go = sandbox.path("go");
    nix::unistd::mkfifo(&go, nix::sys::stat::Mode::S_IRWXU).expect("a FIFO can be made");
    let script = "printf begun; read _ < go; echo ended; exec sleep 600";
    let keys = filtered(&sandbox, "p.out", script, &json!({"timestamps": true}));
    let daemon = Daemon::start(sandbox, json!({"p": keys}));
    let wait_end = |end: &str| {
        eventually(end, SOON, || {
            let log = text_of(&daemon);
            check(log.ends_with(end), || log)
        });
    };
    wait_end("begun");
    assert_eq!(daemon.ctl().run(&["clear", "p"]).out, "p: cleared\n");
    fs::write(go, "\n").expect("it is read");
    wait_end("ended\n");
    assert_eq!(untimed(&text_of(&daemon)), "ended\n");
}
