//! Questions that programs ask their terminal: answered once, and by the right one.

use harness::seat::wanting;
use harness::{Daemon, SOON, Sandbox, Seat, check, eventually, json};
use shared::api::AttachParams;

/// What is asked: what kind of terminal, whether all is well, where the cursor is.
const ASKED: &str = "\x1b[c\x1b[5n\x1b[6n";
/// What the daemon answers, as `cat -v` shows it.
const ANSWERED: &str = "^[[?62;22c^[[0n^[[1;1R";

/// A process that asks at its start and shows what is typed.
fn asker() -> Daemon {
    let sandbox = Sandbox::new();
    let script = r"stty raw -echo; printf '\033[c\033[5n\033[6n'; exec cat -v";
    let keys = json!({"cmd": ["sh", "-c", script], "stdout": sandbox.path("p.out"),
        "autostart": false, "starttime": 0, "stopsignal": "KILL"});
    Daemon::start(sandbox, json!({"p": keys}))
}

/// Starts it anew.
fn ask(daemon: &Daemon) {
    daemon.rpc().stop(&["p"]);
    std::fs::write(daemon.sandbox().path("p.out"), "").expect("a log can be emptied");
    daemon.rpc().start(&["p"]);
}

/// What it has been answered, once all is over: the last word, which somebody else types, is there.
#[track_caller]
fn answers(daemon: &Daemon) -> String {
    wait_log(daemon, ASKED);
    let sent = daemon.ctl().run(&["send", "p", "THE END"]);
    assert_eq!(sent.code, Some(0), "{sent:?}");
    let log = wait_log(daemon, "THE END");
    let rest = log.strip_prefix(ASKED).expect("the questions come first");
    rest.trim_end_matches("THE END").to_owned()
}

#[track_caller]
fn wait_log(daemon: &Daemon, words: &str) -> String {
    eventually(&format!("{words:?} in the log"), SOON, || {
        let log = String::from_utf8_lossy(&daemon.sandbox().read("p.out")).into_owned();
        check(log.contains(words), || format!("{log:?}")).map(|()| log)
    })
}

#[test]
fn the_daemon_answers_once_while_nobody_could() {
    let daemon = asker();
    ask(&daemon);
    assert_eq!(answers(&daemon), ANSWERED);
    let watching = AttachParams {
        read_only: true,
        ..wanting("p")
    };
    let watcher = Seat::take_as(&daemon, watching);
    ask(&daemon);
    assert_eq!(answers(&daemon), ANSWERED);
    watcher.leave();
    let typist = Seat::take(&daemon, "p");
    ask(&daemon);
    assert_eq!(answers(&daemon), "");
    typist.leave();
    ask(&daemon);
    assert_eq!(answers(&daemon), ANSWERED);
}

#[test]
fn of_two_terminals_the_leaders_answers() {
    let daemon = asker();
    let mut first = Seat::take(&daemon, "p");
    let mut second = Seat::take(&daemon, "p");
    assert!(second.attached.leader);
    ask(&daemon);
    for seat in [&mut first, &mut second] {
        seat.wait_output(ASKED);
    }
    first.type_in("\x1b[?1c\x1b[0n\x1b[7;7R");
    second.type_in("\x1b[?2c\x1b[3n\x1b[8;8R");
    wait_log(&daemon, "8;8R");
    // Whoever types leads, and speaks for all from then on.
    first.type_in("x");
    first.type_in("\x1b[9;9R");
    wait_log(&daemon, "9;9R");
    second.type_in("\x1b[?2c");
    assert_eq!(answers(&daemon), "^[[?2c^[[3n^[[8;8Rx^[[9;9R");
}

// What was asked before is not asked again by the picture of it.
#[test]
fn nothing_is_asked_again() {
    for tty in ["full", "none"] {
        let sandbox = Sandbox::new();
        let words = r"one\n\e[c\e[5n\e[6n\e]11;?\x07\e[31mtwo\e[m\n";
        let orders = ["--flood", "8192", "--write-out", words];
        let cmd = sandbox.puppet("p", &orders);
        let daemon = Daemon::start(sandbox, json!({"p": {"cmd": cmd, "tty": tty}}));
        daemon.sandbox().ledger("p").wait("wrote", 1, SOON);
        let shown = Seat::take(&daemon, "p").wait_snapshot();
        assert!(shown.contains("one"), "{shown:?}");
        assert!(shown.contains("\x1b[31mtwo"), "{shown:?}");
        assert!(tty == "full" || shown.starts_with("000"), "a whole line");
        for question in ["\x1b[c", "\x1b[5n", "\x1b[6n", "?\x07"] {
            assert!(!shown.contains(question), "{tty}: {shown:?}");
        }
    }
}
