//! The client attached: the user's terminal, taken over and given back.

use std::process::Command;
use std::time::Duration;

use harness::fake::{Fake, Visitor, running};
use harness::{Ctl, SOON, Sandbox, Sitting, Term, check, eventually, json, proc, throughout};
use nix::sys::signal::Signal;
use shared::frame::{Frame, Size};

/// Modes that a full-screen program switches on.
const MODES: [&str; 9] = [
    "1", "1000", "1002", "1003", "1006", "1004", "2004", "2026", "1049",
];

fn switch_on() -> Vec<u8> {
    let modes: String = MODES.iter().map(|mode| format!("\x1b[?{mode}h")).collect();
    let rest = "\x1b[?25l\x1b=\x1b[>1u\x1b[>4;2m\x1b[3 q\x1b[31m\x1b(0\x1b[4h\x1b[2;5r\x1b[?7l";
    format!("{modes}{rest}").into_bytes()
}

/// Checks that all of it is off again.
#[track_caller]
fn assert_switched_off(raw: &[u8]) {
    let text = String::from_utf8_lossy(raw).into_owned();
    let off: Vec<&str> = text
        .split("\x1b[?")
        .filter_map(|rest| rest.split_once('l'))
        .flat_map(|(modes, _)| modes.split(';'))
        .collect();
    for mode in MODES {
        assert!(off.contains(&mode), "{mode} is on: {text:?}");
    }
    for rest in [
        "\x1b[?25h",
        "\x1b[?7h",
        "\x1b>",
        "\x1b[4l",
        "\x1b(B",
        "\x1b[m",
        "\x1b[r",
        "\x1b[0 q",
        "\x1b[=0u",
        "\x1b[>4m",
    ] {
        assert!(text.contains(rest), "{rest:?} is missing: {text:?}");
    }
}

fn since(sitting: &mut Sitting, mark: usize) -> Vec<u8> {
    sitting.term.raw()[mark..].to_vec()
}

/// Switches everything on, and says how many bytes the terminal had got by then.
fn dirty(sitting: &mut Sitting, visitor: &mut Visitor) -> usize {
    visitor.send(&Frame::Output(switch_on()));
    visitor.send(&Frame::Output(b"DIRTY".to_vec()));
    sitting.term.wait_for("DIRTY");
    sitting.term.raw().len()
}

#[test]
fn a_detach_switches_off_what_the_process_switched_on() {
    let (mut sitting, mut visitor) = Sitting::attached(&[]);
    let mark = dirty(&mut sitting, &mut visitor);
    sitting.term.send("\x1d");
    sitting.wait_code(0);
    assert_switched_off(&since(&mut sitting, mark));
}

// Leaving an alternate screen that was never entered would throw the cursor about.
#[test]
fn the_alternate_screen_is_left_only_where_it_was_entered() {
    let (mut sitting, _visitor) = Sitting::attached(&[]);
    let mark = sitting.term.raw().len();
    sitting.term.send("\x1d");
    sitting.wait_code(0);
    let raw = since(&mut sitting, mark);
    assert!(!raw.windows(8).any(|part| part == b"\x1b[?1049l"));
}

#[test]
fn a_daemon_that_dies_leaves_the_terminal_in_order() {
    let (mut sitting, mut visitor) = Sitting::attached(&[]);
    let mark = dirty(&mut sitting, &mut visitor);
    drop(visitor);
    sitting.wait_code(7);
    sitting.term.wait_for("taskmasterd is gone");
    assert_switched_off(&since(&mut sitting, mark));
}

#[test]
fn signals_that_end_the_client_leave_the_terminal_in_order() {
    for (signal, code) in [
        (Signal::SIGTERM, 143),
        (Signal::SIGHUP, 129),
        (Signal::SIGINT, 130),
    ] {
        let (mut sitting, mut visitor) = Sitting::attached(&[]);
        let mark = dirty(&mut sitting, &mut visitor);
        sitting.signal(signal);
        visitor.wait_frame(&Frame::Detach);
        sitting.wait_code(code);
        assert_switched_off(&since(&mut sitting, mark));
    }
}

// Nothing can be done by a process that is killed; another one does it.
#[test]
fn a_killed_client_leaves_the_terminal_in_order() {
    let (mut sitting, mut visitor) = Sitting::attached(&[]);
    let mark = dirty(&mut sitting, &mut visitor);
    sitting.signal(Signal::SIGKILL);
    // On the alternate screen, if the shell is faster than the guardian.
    eventually("the end of the client", SOON, || {
        let raw = String::from_utf8_lossy(sitting.term.raw()).into_owned();
        check(raw.contains("code=137"), || raw.clone())
    });
    eventually("the terminal as it was", SOON, || {
        let now = sitting.term.modes();
        check(now == sitting.before, || now)
    });
    eventually("the leave sequence", SOON, || {
        let raw = since(&mut sitting, mark);
        check(raw.windows(8).any(|part| part == b"\x1b[?1049l"), || {
            "nothing".into()
        })
    });
    assert_switched_off(&since(&mut sitting, mark));
}

// The terminal is not read from: its picture stops, and nothing else.
#[test]
fn a_stalled_terminal_can_be_detached_from() {
    let (mut sitting, mut visitor) = Sitting::attached(&[]);
    let flood = Frame::Output(vec![b'x'; 16 * 1024]).to_bytes();
    eventually("a connection that is not read any more", SOON, || {
        let taken = visitor.offer(&flood);
        check(taken == 0, || format!("{taken} more bytes were taken"))
    });
    sitting.term.send("ls\x1d");
    visitor.wait_frame(&Frame::Detach);
    assert_eq!(visitor.input(), b"ls");
    visitor.wait_gone();
    sitting.wait_code(0);
}

// What a terminal answers to the process's last questions must not be typed into the shell.
#[test]
fn late_answers_of_the_terminal_reach_nobody() {
    let (mut sitting, mut visitor) = Sitting::attached(&[]);
    visitor.send(&Frame::Output(b"\x1b[c\x1b[6n".to_vec()));
    let mark = sitting.term.raw().len();
    sitting.term.send("\x1d");
    eventually("the last question", SOON, || {
        let raw = since(&mut sitting, mark);
        check(raw.windows(4).any(|part| part == b"\x1b[5n"), || {
            "nothing".into()
        })
    });
    sitting.term.send("\x1b[?62;c\x1b[3;4R\x1b[M !!\x1b[0n");
    sitting.wait_code(0);
    throughout("a quiet shell", Duration::from_millis(100), || {
        let text = sitting.term.text();
        check(text.ends_with("shell"), || text.clone())
    });
}

// An answer that comes later than it is waited for would be typed into the shell.
#[test]
fn a_terminal_that_was_asked_nothing_is_not_asked_at_the_end() {
    let (mut sitting, mut visitor) = Sitting::attached(&[]);
    visitor.send(&Frame::Output(b"\x1b[?2004h\x1b]0;title\x07text".to_vec()));
    sitting.term.wait_for("text");
    sitting.term.send("\x1d");
    sitting.wait_code(0);
    let raw = sitting.term.raw();
    assert!(!raw.windows(4).any(|part| part == b"\x1b[5n"));
}

// The user's own screen goes into the scrollback, and is not painted over.
#[test]
fn the_screen_before_is_kept() {
    let (mut sitting, _visitor) = Sitting::attached(&[]);
    let text = sitting.term.text();
    let (ready, hello) = (text.find("ready"), text.find("hello"));
    assert!(ready.is_some() && ready < hello, "{text}");
    sitting.term.send("\x1d");
    sitting.wait_code(0);
}

#[test]
fn the_daemon_is_told_the_size_and_its_changes() {
    let (mut sitting, mut visitor) = Sitting::attached(&[]);
    let params = &visitor.request["params"];
    assert_eq!(
        (params["rows"].as_u64(), params["cols"].as_u64()),
        (Some(24), Some(80))
    );
    assert_eq!(
        (params["term"].as_str(), params["version"].as_u64()),
        (Some("xterm"), Some(1))
    );
    sitting.term.resize(30, 100);
    let size = |rows, cols| {
        Frame::Resize(Size {
            rows,
            cols,
            ..Size::default()
        })
    };
    visitor.wait_frame(&size(30, 100));
    sitting.term.resize(0, 0);
    visitor.wait_frame(&size(24, 80));
    sitting.term.send("\x1d");
    visitor.wait_gone();
}

/// A shell with jobs, in which `$CTL` is the client.
fn shell() -> (Fake, Term, Sandbox) {
    let sandbox = Sandbox::new();
    let fake = Fake::new(&sandbox);
    let mut command = Command::new("sh");
    command.arg("-i").env("PS1", "shell> ").env_remove("ENV");
    command.env("TERM", "xterm").current_dir(sandbox.dir());
    // What is typed must fit into one row, wherever the binaries are.
    command.env("CTL", Ctl::new(&sandbox.path("socket")).words());
    let term = Term::spawn(&command);
    (fake, term, sandbox)
}

/// A client in the foreground that has shown its picture.
#[track_caller]
fn attach(fake: &Fake, term: &mut Term) -> Visitor {
    attach_by(fake, term, "$CTL attach w")
}

/// The same by another line of the shell.
#[track_caller]
fn attach_by(fake: &Fake, term: &mut Term, line: &str) -> Visitor {
    term.type_line("shell> ", line);
    let mut visitor = fake.accept();
    visitor.answer(&json!(running()));
    visitor.send(&Frame::Snapshot(b"hello".to_vec()));
    term.wait_for("hello");
    visitor
}

// Ctrl-Z typed is the process's; the signal is ours, and the shell gets its terminal back meanwhile.
#[test]
fn a_stopped_client_gives_the_terminal_back_and_returns_to_it() {
    let (fake, mut term, _sandbox) = shell();
    let mut visitor = attach(&fake, &mut term);
    visitor.send(&Frame::Output([&switch_on()[..], b"DIRTY"].concat()));
    term.wait_for("DIRTY");
    let raw_modes = term.modes();
    let mark = term.raw().len();
    proc::signal(visitor.pid, Signal::SIGTSTP);
    term.wait_prompt("shell> ");
    assert_switched_off(&term.raw()[mark..]);
    assert_ne!(term.modes(), raw_modes);
    visitor.forget();
    term.type_line("shell> ", "fg");
    visitor.wait_frame(&Frame::Redraw);
    visitor.send(&Frame::Snapshot(b"hello again".to_vec()));
    term.wait_for("hello again");
    assert_eq!(term.modes(), raw_modes);
    term.send("x\x1d");
    visitor.wait_input(b"x");
    visitor.wait_gone();
    term.wait_prompt("shell> ");
}

// Of SIGSTOP a client hears nothing, and what it was about to paint would come behind the prompt of the shell, which
// has the terminal by then. Where it is stopped is up to chance: it may be between its look and its write, so once in
// a long time something is painted after all.
#[test]
fn a_client_that_goes_on_in_the_background_paints_nothing() {
    let (fake, mut term, _sandbox) = shell();
    let mut visitor = attach(&fake, &mut term);
    let flood = Frame::Output(b"flood\r\n".repeat(2000)).to_bytes();
    let mut rest = &flood[..];
    let mut painted = Vec::new();
    for _ in 0..6 {
        let enough = term.raw().len() + 4 * flood.len();
        while term.raw().len() < enough {
            rest = &rest[visitor.offer(rest)..];
            if rest.is_empty() {
                rest = &flood;
            }
        }
        proc::signal(visitor.pid, Signal::SIGSTOP);
        eventually("the shell", SOON, || {
            check(term.raw().ends_with(b"shell> "), || "no prompt".into())
        });
        let mark = term.raw().len();
        proc::signal(visitor.pid, Signal::SIGCONT);
        proc::wait_stopped(visitor.pid);
        painted.push(term.raw().len() - mark);
        term.cook();
        term.send("\r");
        visitor.forget();
        term.type_line("shell> ", "fg");
        visitor.wait_frame(&Frame::Redraw);
    }
    let rounds = painted.iter().filter(|&&bytes| bytes > 0).count();
    assert!(rounds < 2, "bytes painted in each round: {painted:?}");
}

// The script that started it is dead, the shell has the terminal, and nobody would ever bring the client back.
#[test]
fn a_client_whose_script_was_killed_paints_nothing() {
    let (fake, mut term, _sandbox) = shell();
    let mut visitor = attach_by(&fake, &mut term, "sh -c '$CTL attach w; :'");
    let script = proc::stat(visitor.pid).expect("it lives").ppid;
    proc::signal(script, Signal::SIGTERM);
    term.wait_for("Terminated");
    visitor.send(&Frame::Output(b"ghost".to_vec()));
    visitor.wait_gone();
    proc::wait_dead(visitor.pid);
    assert!(!term.text().contains("ghost"), "{}", term.text());
}

// Whoever is stopped hears of the end he was asked for as soon as he goes on.
#[test]
fn a_signal_that_came_while_the_client_was_stopped_counts() {
    let (fake, mut term, _sandbox) = shell();
    let mut visitor = attach(&fake, &mut term);
    proc::signal(visitor.pid, Signal::SIGTSTP);
    term.wait_prompt("shell> ");
    proc::signal(visitor.pid, Signal::SIGTERM);
    proc::signal(visitor.pid, Signal::SIGCONT);
    visitor.wait_gone();
    // It puts the terminal in order before it ends, and nobody waits for a job that is stopped.
    proc::wait_dead(visitor.pid);
    term.type_line("shell> ", "wait");
    term.wait_for("Terminated");
}

// What waited to be painted would come behind the prompt of the shell; what was switched on is switched off.
#[test]
fn a_client_that_ends_in_the_background_paints_nothing() {
    let (fake, mut term, _sandbox) = shell();
    let mut visitor = attach(&fake, &mut term);
    visitor.send(&Frame::Output([&switch_on()[..], b"DIRTY"].concat()));
    term.wait_for("DIRTY");
    let flood = Frame::Output(b"flood\r\n".repeat(2000)).to_bytes();
    let mut rest = &flood[..];
    eventually("a connection that is not read any more", SOON, || {
        let taken = visitor.offer(rest);
        rest = if taken < rest.len() {
            &rest[taken..]
        } else {
            &flood
        };
        check(taken == 0, || format!("{taken} more bytes were taken"))
    });
    proc::signal(visitor.pid, Signal::SIGSTOP);
    eventually("the shell", SOON, || {
        check(term.raw().ends_with(b"shell> "), || "no prompt".into())
    });
    let mark = term.raw().len();
    proc::signal(visitor.pid, Signal::SIGTERM);
    proc::signal(visitor.pid, Signal::SIGCONT);
    visitor.wait_gone();
    proc::wait_dead(visitor.pid);
    let raw = &term.raw()[mark..];
    assert_switched_off(raw);
    let text = String::from_utf8_lossy(raw);
    assert!(!text.contains("flood"), "{text:?}");
}

// In the background there is no terminal to take over: the client stops before it asks for anything, and once more
// before it takes the terminal, and can be ended in either place.
#[test]
fn a_client_in_the_background_is_stopped_and_can_be_ended() {
    let (fake, mut term, _sandbox) = shell();
    term.type_line("shell> ", "$CTL attach w & echo pid=$!.");
    term.wait_for(".\n");
    let text = term.text();
    let pid = text
        .rsplit("pid=")
        .next()
        .and_then(|rest| rest.split('.').next());
    let pid: i32 = pid.and_then(|pid| pid.parse().ok()).expect("a pid");
    proc::wait_stopped(pid);
    proc::signal(pid, Signal::SIGCONT);
    let mut visitor = fake.accept();
    assert_eq!(visitor.pid, pid);
    visitor.answer(&json!(running()));
    proc::wait_stopped(pid);
    proc::signal(pid, Signal::SIGTERM);
    proc::signal(pid, Signal::SIGCONT);
    visitor.wait_gone();
    // It puts the terminal in order before it ends, and nobody waits for a job that is stopped.
    proc::wait_dead(visitor.pid);
    term.type_line("shell> ", "wait");
    term.wait_for("Terminated");
}
