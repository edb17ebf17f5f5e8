//! What programs write: every byte of it, in the right place, whatever happens to the place.

use std::fs;
use std::time::Duration;

use harness::strace::Strace;
use harness::{
    Daemon, LATER, SOON, Sandbox, State, check, eventually, flood, json, logged, pause,
    skip_unless_strace, time_ms,
};
use nix::sys::signal::Signal;
use shared::api::{Call, Stream, TailParams};

const MIB: usize = 1024 * 1024;

#[track_caller]
fn wait_file(daemon: &Daemon, name: &str, wanted: &[u8]) {
    eventually(&format!("{} bytes in {name}", wanted.len()), LATER, || {
        let found = daemon.sandbox().read(name);
        check(found.len() >= wanted.len(), || {
            format!("{} bytes", found.len())
        })
    });
    let found = daemon.sandbox().read(name);
    let differs = found.iter().zip(wanted).position(|(a, b)| a != b);
    assert_eq!(
        (found.len(), differs),
        (wanted.len(), None),
        "{name} is not what was written"
    );
}

// What a log of a terminal has is what the program wrote, not what a terminal makes of it.
#[test]
fn a_log_has_the_bytes_of_the_program() {
    let texts = [
        ("plain\\n", &b"plain\n"[..]),
        ("crlf\\r\\nnext\\n", b"crlf\r\nnext\n"),
        ("50%\\r100%\\r\\n", b"50%\r100%\r\n"),
        ("nul\\0 and \\xff\\xfe\\n", b"nul\0 and \xff\xfe\n"),
        ("no newline", b"no newline"),
        (
            "a carriage return at the end\\r",
            b"a carriage return at the end\r",
        ),
        ("\\r\\r\\n\\n\\n\\r", b"\r\r\n\n\n\r"),
    ];
    for tty in ["full", "split", "none"] {
        for (text, wanted) in texts {
            let daemon = logged(
                &["--write-out", text, "--plan", "exit:0@100ms"],
                json!({"tty": tty}),
            );
            wait_file(&daemon, "p.out", wanted);
            daemon.wait_state("p", State::Exited);
            assert_eq!(daemon.sandbox().read("p.out"), wanted, "{tty} {text}");
        }
    }
}

// A terminal gives a line and its end one after the other, and whatever another process said came between them.
#[test]
fn lines_of_several_processes_in_one_file_are_whole() {
    for tty in ["full", "none"] {
        let sandbox = Sandbox::new();
        let script = "await() { until [ -e go.$1 ]; do sleep 0.01; done; }
            case $TASKMASTER_PROCESS in
                *:0) await 1; printf beg; await 3; echo un; printf end; await 4 ;;
                *:1) await 2; echo whole; printf more; await 4; echo ;;
            esac";
        let keys = json!({"cmd": ["sh", "-c", script], "workingdir": sandbox.dir(), "tty": tty,
            "numprocs": 2, "stdout": {"path": sandbox.path("p.out"), "timestamps": true},
            "starttime": 0, "autorestart": "never"});
        let daemon = Daemon::start(sandbox, json!({"p": keys}));
        let text = || {
            let bytes = daemon.sandbox().read("p.out");
            let text = String::from_utf8(bytes).expect("text");
            let lines = text.lines().map(|line| line.get(25..).unwrap_or(line));
            lines.map(|line| format!("{line}\n")).collect::<String>()
        };
        let wait = |wanted: &[&str]| {
            eventually("whole lines", SOON, || {
                let text = text();
                check(wanted.contains(&text.as_str()), || text)
            });
        };
        let go = |name: &str| daemon.sandbox().write(name, "");
        let mut rpc = daemon.rpc();
        let follow = TailParams {
            name: "p:0".parse().expect("a name"),
            stream: Stream::Stdout,
            bytes: 0,
            follow: true,
        };
        rpc.call(&Call::Tail(follow)).expect("it is followed");
        go("go.1");
        rpc.line(SOON).expect("output").expect("output");
        go("go.2");
        wait(&["whole\n"]);
        go("go.3");
        wait(&["whole\nbegun\n"]);
        go("go.4");
        let ends = ["end\nmore\n", "more\nend\n"].map(|end| format!("whole\nbegun\n{end}"));
        wait(&[&ends[0], &ends[1]]);
    }
}

#[test]
fn with_two_files_each_stream_has_its_own_and_both_are_exact() {
    let sandbox = Sandbox::new();
    let orders = ["--write-out", "to out\\n", "--write-err", "to err\\r\\n"];
    let cmd = sandbox.puppet("p", &orders);
    let keys =
        json!({"cmd": cmd, "stdout": sandbox.path("p.out"), "stderr": sandbox.path("p.err")});
    let daemon = Daemon::start(sandbox, json!({"p": keys}));
    wait_file(&daemon, "p.out", b"to out\n");
    wait_file(&daemon, "p.err", b"to err\r\n");
}

#[test]
fn without_a_file_the_last_output_is_kept_for_tail() {
    let sandbox = Sandbox::new();
    let cmd = sandbox.puppet("p", &["--flood", "200000", "--write-out", "the end\\n"]);
    let daemon = Daemon::start(sandbox, json!({"p": {"cmd": cmd, "starttime": "50ms"}}));
    daemon.sandbox().ledger("p").wait("ready", 1, LATER);
    let tail = eventually("the end in the tail", SOON, || {
        let tail = daemon.rpc().tail("p", Stream::Stdout, 1000);
        if tail.ends_with(b"the end\n") {
            Ok(tail)
        } else {
            Err(String::from_utf8_lossy(&tail).into_owned())
        }
    });
    assert_eq!(tail.len(), 1000);
}

// Sixty-four MiB through a terminal and through a pipe: nothing lost, nothing hoarded, nobody kept waiting.
#[test]
fn sixty_four_mib_arrive_whole_and_the_daemon_answers_meanwhile() {
    for tty in ["full", "none"] {
        let bytes = (64 * MIB).to_string();
        let daemon = logged(&["--flood", &bytes], json!({"tty": tty}));
        let rss = daemon.rss_kib();
        let ledger = daemon.sandbox().ledger("p");
        let mut answers = 0;
        eventually("the end of the flood", LATER, || {
            daemon.rpc().status();
            let is_over = !ledger.all("flooded").is_empty();
            answers += u32::from(!is_over);
            check(is_over, || "it flows".into())
        });
        assert!(answers > 0, "{tty}: no answer before the end");
        wait_file(&daemon, "p.out", &flood(64 * MIB));
        let grown = daemon.rss_kib().saturating_sub(rss);
        assert!(grown < 8 * 1024, "{tty}: {grown} KiB more");
    }
}

#[test]
fn every_byte_value_passes_unchanged() {
    let sandbox = Sandbox::new();
    let mut noise = Vec::with_capacity(8 * MIB);
    let mut state: u64 = 88_172_645_463_325_252;
    while noise.len() < 8 * MIB {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        noise.extend_from_slice(&state.to_le_bytes());
    }
    let path = sandbox.write("noise", &noise).display().to_string();
    let program = |tty: &str, out: &str| {
        let cmd = sandbox.puppet(out, &["--raw", "--cat-out", &path]);
        json!({"cmd": cmd, "tty": tty, "stdout": sandbox.path(out)})
    };
    let programs = json!({"raw": program("full", "raw.out"), "pipe": program("none", "pipe.out")});
    let daemon = Daemon::start(sandbox, programs);
    wait_file(&daemon, "pipe.out", &noise);
    wait_file(&daemon, "raw.out", &noise);
}

// What a program said last is what explains its death: it is in the log before the death is told.
#[test]
fn the_last_words_are_in_the_log_before_the_exit_is_told() {
    for (tty, bytes) in [
        ("full", 1),
        ("full", 12 * 1024),
        ("none", MIB),
        ("full", MIB),
        ("split", MIB),
    ] {
        let text = bytes.to_string();
        for _ in 0..5 {
            let daemon = logged(
                &["--flood", &text, "--plan", "exit:0"],
                json!({"tty": tty, "startretries": 0}),
            );
            daemon.wait_status("p", "over", |status| {
                matches!(status.state, State::Exited | State::Fatal)
            });
            let found = daemon.sandbox().read("p.out");
            assert_eq!(found.len(), bytes.div_ceil(64) * 64, "{tty}");
        }
    }
}

// A grandchild may hold the terminal or the pipe for ever; the death of the child is told at once all the same.
#[test]
fn a_grandchild_that_holds_the_output_delays_nothing() {
    for tty in ["full", "none"] {
        let orders = ["--fork-hold-tty", "1s", "--plan", "exit:0@200ms"];
        let daemon = logged(&orders, json!({"tty": tty, "sweep": false}));
        let ledger = daemon.sandbox().ledger("p");
        let exit = ledger.wait("exit", 1, SOON)[0].clone();
        daemon.wait_state("p", State::Exited);
        assert!(
            ledger.all("late").is_empty(),
            "{tty}: the exit was told only after the last word"
        );
        let late = &ledger.wait("late", 1, SOON)[0];
        assert!(time_ms(late) > time_ms(&exit));
        // A hung-up terminal takes no more; a pipe does.
        if late["ok"] == true {
            wait_file(&daemon, "p.out", b"late words\n");
        }
    }
}

#[test]
fn a_closed_output_costs_nothing_and_a_reopened_terminal_works() {
    let daemon = logged(&["--close-out"], json!({"tty": "none"}));
    daemon.sandbox().ledger("p").wait("closed", 1, SOON);
    let (cpu, wakeups) = (daemon.cpu_ms(), daemon.wakeups());
    pause(Duration::from_millis(500));
    assert!(daemon.cpu_ms() - cpu <= 50, "{} ms", daemon.cpu_ms() - cpu);
    assert!(
        daemon.wakeups() - wakeups <= 20,
        "{} wake-ups",
        daemon.wakeups() - wakeups
    );
    drop(daemon);
    let daemon = logged(
        &["--close-stdio-and-reopen-tty", "--write-out", "after\\n"],
        json!({"tty": "full"}),
    );
    wait_file(&daemon, "p.out", b"reopened\nafter\n");
}

#[test]
fn an_idle_daemon_does_not_wake_up() {
    let daemon = logged(&[], json!({}));
    daemon.wait_state("p", State::Running);
    pause(Duration::from_millis(300));
    let before = daemon.wakeups();
    pause(Duration::from_secs(2));
    assert!(
        daemon.wakeups() - before <= 2,
        "{} wake-ups",
        daemon.wakeups() - before
    );
}

// A little at a time is read of a screen, for the work that its bytes may cause; an error costs no more than a log.
#[test]
fn errors_are_read_as_fast_beside_a_screen_that_is_drawn() {
    const LEN: usize = 50_000;
    skip_unless_strace!();
    let sandbox = Sandbox::new();
    let go = sandbox.path("go");
    nix::unistd::mkfifo(&go, nix::sys::stat::Mode::S_IRWXU).expect("a FIFO can be made");
    let script = r"printf '\033[2J\033[Hdrawn'; cat go >&2; echo > gone; exec sleep 600";
    let keys = json!({"cmd": ["sh", "-c", script], "workingdir": sandbox.dir(), "tty": "split",
                      "stdout": sandbox.path("p.out"), "stderr": sandbox.path("p.err")});
    let daemon = Daemon::start(sandbox, json!({"p": keys}));
    wait_file(&daemon, "p.out", b"\x1b[2J\x1b[Hdrawn");
    let strace = Strace::record(&daemon, "read");
    daemon.signal(Signal::SIGSTOP);
    strace.wait_stopped();
    fs::write(go, flood(LEN)).expect("it is read");
    wait_file(&daemon, "gone", b"\n");
    daemon.signal(Signal::SIGCONT);
    wait_file(&daemon, "p.err", &flood(LEN));
    let record = strace.end(&daemon);
    let whole = format!(" = {}\n", flood(LEN).len());
    assert!(record.contains(&whole), "{record}");
}

// One that shouts, many that whisper: each whisper gets into its log.
#[test]
fn a_flood_does_not_starve_the_others() {
    let sandbox = Sandbox::new();
    let mut programs = json!({"loud": {"cmd": sandbox.puppet("loud", &["--brief", "--flood", "0"]), "stdout": "discard"}});
    for index in 0..20 {
        let out = format!("q{index}");
        let cmd = sandbox.puppet(&out, &["--brief", "--tick", "200ms"]);
        programs[&out] =
            json!({"cmd": cmd, "stdout": sandbox.path(&format!("{out}.out")), "tty": "none"});
    }
    let daemon = Daemon::start(sandbox, programs);
    for index in 0..20 {
        eventually("ten ticks", LATER, || {
            let text = daemon.sandbox().read(&format!("q{index}.out"));
            check(text.ends_with(b"\n") && text.len() > 60, || {
                format!("{} bytes", text.len())
            })
        });
    }
    for _ in 0..20 {
        assert_eq!(daemon.status("loud").state, State::Running);
    }
}
