//! Questions that programs ask their terminal: answered once, by the right one, and no answer ends up in a shell.

use std::time::{Duration, Instant};

use harness::seat::wanting;
use harness::{Daemon, LATER, SOON, Sandbox, Seat, Sitting, check, eventually, json, laps};
use shared::api::AttachParams;
use shared::frame::Frame;

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
    first.type_in("\x1b[?1c\x1b[0n\x1b[7;7R\x1b[?1;0;256S\x1b[2;1;1;128;128;1;0x");
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
        // What is written is in the terminal, and not yet with the daemon.
        let shown = eventually("all output", SOON, || {
            let shown = Seat::take(&daemon, "p").wait_snapshot();
            check(shown.contains("31mtwo"), || format!("{shown:?}")).map(|()| shown)
        });
        assert!(shown.contains("one"), "{shown:?}");
        assert!(tty == "full" || shown.starts_with("000"), "a whole line");
        for question in ["\x1b[c", "\x1b[5n", "\x1b[6n", "?\x07"] {
            assert!(!shown.contains(question), "{tty}: {shown:?}");
        }
    }
}

/// Questions, and what a terminal answers. Some answers would do harm in a shell.
const QUESTIONS: [(&str, &str); 11] = [
    ("\x1b[c", "\x1b[?62;22c"),
    ("\x1b[>c", "\x1b[>41;380;0c"),
    ("\x1b[5n", "\x1b[0n"),
    ("\x1b[6n", "\x1b[12;40R"),
    ("\x1b[18t", "\x1b[8;24;80t"),
    ("\x1b[21t", "\x1b]lharm\r\x1b\\"),
    ("\x1b[?2026$p", "\x1b[?2026;2$y"),
    ("\x1bP$qm\x1b\\", "\x1bP1$r0m\x1b\\"),
    ("\x1b]10;?\x07", "\x1b]10;rgb:ffff/ffff/ffff\x07"),
    ("\x1b]11;?\x07", "\x1b]11;rgb:0000/0000/0000\x07"),
    ("\x1b]52;c;?\x07", "\x1b]52;c;aGFybQ0=\x07"),
];

/// The terminal of somebody far away: it answers, after a while.
struct Distant {
    delay: Duration,
    /// How many answers it gives in one breath.
    breath: usize,
    /// How much of what it was told it has looked at.
    looked: usize,
    answers: Vec<(Instant, &'static str)>,
}

impl Distant {
    /// Takes in questions and gives the answers that are due. Fails if the client has left before it was answered:
    /// nobody waits for ever.
    fn live(&mut self, sitting: &mut Sitting) -> Result<(), String> {
        let told = sitting.term.raw();
        while self.looked < told.len() {
            let rest = &told[self.looked..];
            let mut known = QUESTIONS.iter();
            if let Some((question, answer)) = known.find(|(it, _)| rest.starts_with(it.as_bytes()))
            {
                self.looked += question.len();
                self.answers.push((Instant::now() + self.delay, answer));
            } else if QUESTIONS
                .iter()
                .any(|(it, _)| it.as_bytes().starts_with(rest))
            {
                break;
            } else {
                self.looked += 1;
            }
        }
        let due = self.answers.iter().filter(|(at, _)| *at <= Instant::now());
        let due = due.take(self.breath).count();
        for (_, answer) in self.answers.drain(..due) {
            let here = sitting.term.modes() != sitting.before;
            check(here, || "the terminal was too late".into())?;
            sitting.term.send(answer);
        }
        Ok(())
    }
}

/// Lets a process ask everything and end at once; gives what the shell after it has read.
fn ask_and_end(daemon: &Daemon, delay: Duration, breath: usize) -> Result<String, String> {
    let mut sitting = Sitting::at(daemon, &["p"]);
    sitting.term.wait_for("[p is ");
    let mut distant = Distant {
        delay,
        breath,
        looked: 0,
        answers: Vec::new(),
    };
    daemon.rpc().start(&["p"]);
    eventually("the shell again, and all answered", SOON, || {
        if let Err(late) = distant.live(&mut sitting) {
            return Ok(Err(late));
        }
        let text = sitting.term.text();
        let over = text.contains("shell") && distant.answers.is_empty();
        check(over, || text).map(Ok)
    })?;
    sitting.wait_code(0);
    sitting.term.send("the end\r");
    let read = eventually("the last word, typed and read", SOON, || {
        let text = sitting.term.text();
        let read = text.split_once("shell").map_or("", |(_, read)| read);
        check(read.matches("the end").count() == 2, || text.clone()).map(|()| read.to_owned())
    });
    Ok(read)
}

// The terminal speaks to whoever reads it, and that must not be the shell.
#[test]
fn answers_to_a_process_that_has_ended_are_read_by_nobody() {
    let sandbox = Sandbox::new();
    let questions: String = QUESTIONS.iter().map(|(question, _)| *question).collect();
    let questions = questions.replace('\\', r"\\").replace('\x1b', r"\e");
    let orders = ["--brief", "--write-out", &questions, "--plan", "exit:0"];
    let keys = json!({"cmd": sandbox.puppet("p", &orders), "autostart": false,
        "autorestart": "never", "starttime": 0});
    let daemon = Daemon::start(sandbox, json!({"p": keys}));
    let slow = [0, 50, 100, 150].map(|delay| (delay, usize::MAX));
    let halting = [0, 30, 60, 90].map(|delay| (delay, 1));
    let terminals = slow.into_iter().chain(halting).cycle();
    for (delay, breath) in terminals.take(laps(8)) {
        eventually("a terminal that answers in time", LATER, || {
            let read = ask_and_end(&daemon, Duration::from_millis(delay), breath)?;
            assert_eq!(read, "\nthe end\nthe end", "after {delay} ms by {breath}");
            Ok::<(), String>(())
        });
    }
}

// Every terminal knows commands of its own; what may be answered is waited for.
#[test]
fn an_answer_that_comes_after_the_detach_is_read_by_nobody() {
    for (question, answer) in [
        ("\u{9a}", "\x1b[?62;22c"),
        ("\u{9b}5n", "\x1b[0n"),
        (
            "\x1b]21;foreground=?\x1b\\",
            "\x1b]21;foreground=rgb:1/2/3\x1b\\",
        ),
        (
            "\x1b]1337;ReportCellSize\x07",
            "\x1b]1337;ReportCellSize=1;2\x1b\\",
        ),
    ] {
        let (mut sitting, mut visitor) = Sitting::attached(&[]);
        visitor.send(&Frame::Output(format!("{question}asked").into()));
        sitting.term.wait_for("asked");
        sitting.term.send("\x1d");
        eventually("the question whether all is well", SOON, || {
            let told = String::from_utf8_lossy(sitting.term.raw()).into_owned();
            check(told.contains("\x1b[5n"), || format!("{told:?}"))
        });
        sitting.term.send(&format!("{answer}\x1b[0n"));
        sitting.wait_code(0);
        sitting.term.send("the end\r");
        sitting.term.wait_for("shell\nthe end\nthe end");
    }
}
