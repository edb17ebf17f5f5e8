//! `attach --filter`: text and colours reach the user's terminal, and nothing that it would obey or answer.

use harness::{Daemon, SOON, Sandbox, Sitting, Term, check, eventually, json};
use shared::frame::Frame;

/// What speaks to the terminal and is nobody's text: the clipboard, questions, a title, device strings, modes, places.
const SPEECH: [&str; 12] = [
    "\x1b]52;c;aGk=\x07",
    "\x1b]0;title\x1b\\",
    "\x1b]11;?\x07",
    "\x1b[c",
    "\x1b[>c",
    "\x1b[6n",
    "\x1b[21t",
    "\x1bP$qm\x1b\\",
    "\x1b_Ga=q\x1b\\",
    "\x1b[?1049h",
    "\x1b[?1003h",
    "\x1b[5;5H",
];

/// All that was painted after `mark`, once it ends with this.
#[track_caller]
fn painted(term: &mut Term, mark: usize, end: &str) -> String {
    eventually(&format!("{end:?} at the end"), SOON, || {
        let raw = String::from_utf8_lossy(&term.raw()[mark..]).into_owned();
        check(raw.ends_with(end), || raw.clone()).map(|()| raw.clone())
    })
}

#[test]
fn text_and_colours_are_all_that_reaches_the_terminal() {
    let (mut sitting, mut visitor) = Sitting::attached(&["--filter"]);
    assert_eq!(visitor.request["params"]["plain"], true);
    let term = &mut sitting.term;
    for speech in SPEECH {
        let mark = term.raw().len();
        let text = format!("a{speech}\x1b[1;31mred\x1b[m ü{speech}\x1b[Kz");
        visitor.send(&Frame::Output(text.clone().into_bytes()));
        let want = "a\x1b[1;31mred\x1b[m ü\x1b[Kz";
        assert_eq!(painted(term, mark, "z"), want, "{speech:?}");
        // Each byte in a frame of its own: whatever can be cut is.
        for byte in text.bytes() {
            visitor.send(&Frame::Output(vec![byte]));
        }
        assert_eq!(
            painted(term, mark, &want.repeat(2)),
            want.repeat(2),
            "{speech:?}"
        );
    }
    sitting.term.send("\x1d");
    sitting.wait_code(0);
}

// A picture may come from a daemon that has not heard of filters, or means ill.
#[test]
fn pictures_and_errors_pass_the_filter_too() {
    let (mut sitting, mut visitor) = Sitting::attached(&["--filter"]);
    let all = SPEECH.concat();
    let mark = sitting.term.raw().len();
    visitor.send(&Frame::Stderr(
        format!("{all}error\x1b]2;half").into_bytes(),
    ));
    visitor.send(&Frame::Snapshot(
        format!("{all}picture\x1b]2;half").into_bytes(),
    ));
    visitor.send(&Frame::Stderr(b" of it\x07s\n".to_vec()));
    visitor.send(&Frame::Snapshot(b"again\x1b]2;half".to_vec()));
    visitor.send(&Frame::Output(b" of it\x07; and the end".to_vec()));
    let raw = painted(&mut sitting.term, mark, "again; and the end");
    assert!(raw.contains("error") && raw.contains("picture") && raw.contains("s\r\n"));
    for speech in SPEECH {
        assert!(!raw.contains(speech), "{speech:?} in {raw:?}");
    }
    assert!(!raw.contains("half") && !raw.contains("of it"), "{raw:?}");
    sitting.term.send("\x1d");
    sitting.wait_code(0);
}

// The process has somebody to answer it, for it would wait otherwise; that is not the user's terminal.
#[test]
fn a_process_behind_the_filter_gets_its_answer_from_the_daemon() {
    let script = r"stty raw -echo; printf '\033]52;c;aGk=\007\033[32mready\033[m'; dd bs=1 count=1 2>/dev/null;
        printf '\033]0;title\007\033[c'; dd bs=1 count=3 2>/dev/null | od -An -tx1; exec sleep 1000";
    let program = json!({"cmd": ["sh", "-c", script]});
    let daemon = Daemon::start(Sandbox::new(), json!({"p": program}));
    let mut command = daemon.ctl().command();
    command
        .args(["attach", "--filter", "p"])
        .env("TERM", "xterm");
    let mut term = Term::spawn(&command);
    term.wait_for("ready");
    term.send("x");
    term.wait_for("1b 5b 3f");
    let raw = String::from_utf8_lossy(term.raw()).into_owned();
    assert!(raw.contains("\x1b[32mready\x1b[m"), "{raw:?}");
    for speech in ["\x1b]52", "\x1b]0", "\x1b[c"] {
        assert!(!raw.contains(speech), "{speech:?} in {raw:?}");
    }
    term.send("\x1d");
    assert!(term.wait_exit(SOON).success());
}

/// A client at a terminal that takes what is to be typed from elsewhere.
fn piping(daemon: &Daemon) -> Term {
    let attach = daemon.ctl().command();
    let mut command = std::process::Command::new("sh");
    command.args(["-c", r#"mkfifo hold; exec "$@" <>hold"#, "sh"]);
    command.arg(attach.get_program()).args(attach.get_args());
    command.args(["attach", "p"]).env("TERM", "xterm");
    command.current_dir(daemon.sandbox().dir());
    Term::spawn(&command)
}

// sleep 1000 | taskmasterctl attach p
#[test]
fn a_terminal_without_a_keyboard_shows_the_screen_as_it_is() {
    let script = r"stty raw -echo; printf '\033[?1049h\033[H\033[2Jone\r\ntwo\r\nthree\r\nfour'
        printf '\033[2;3r\033[2;1H'; head -c1; printf '\r\nY\r\nZ'; exec sleep 1000";
    let program = json!({"cmd": ["sh", "-c", script]});
    let daemon = Daemon::start(Sandbox::new(), json!({"p": program}));
    let shows = |want: &str| {
        eventually("the screen", SOON, || {
            let screen = daemon.ctl().run(&["screen", "p"]).out;
            check(screen.trim_end() == want, || screen)
        });
    };
    shows("one\ntwo\nthree\nfour");
    let mut term = piping(&daemon);
    term.wait_shown("one\ntwo\nthree\nfour");
    assert!(term.shown().settings().contains("ALT_SCREEN"));
    assert_eq!(daemon.ctl().run(&["send", "p", "X"]).code, Some(0));
    shows("one\nYhree\nZ\nfour");
    term.wait_shown("one\nYhree\nZ\nfour");
    harness::proc::signal(term.pid(), nix::sys::signal::Signal::SIGTERM);
    term.wait_exit(SOON);
    assert!(!term.shown().settings().contains("ALT_SCREEN"));
}

// Nobody types on the terminal, so nobody would hear what it answers: it is not asked.
#[test]
fn a_terminal_without_a_keyboard_is_asked_nothing() {
    let script = r"stty raw -echo; printf ready; dd bs=1 count=1 2>/dev/null;
        printf '\033[?1003;2004h\033[c'; dd bs=1 count=3 2>/dev/null | od -An -tx1; exec sleep 1000";
    let program = json!({"cmd": ["sh", "-c", script]});
    let daemon = Daemon::start(Sandbox::new(), json!({"p": program}));
    let mut term = piping(&daemon);
    term.wait_for("ready");
    assert_eq!(daemon.ctl().run(&["send", "p", "x"]).code, Some(0));
    term.wait_for("1b 5b 3f");
    let raw = String::from_utf8_lossy(term.raw()).into_owned();
    assert!(raw.contains("\x1b[?2004h"), "{raw:?}");
    assert!(!raw.contains("\x1b[c") && !raw.contains("1003h"), "{raw:?}");
    harness::proc::signal(term.pid(), nix::sys::signal::Signal::SIGTERM);
    term.wait_exit(SOON);
}
