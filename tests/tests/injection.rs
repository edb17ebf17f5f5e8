//! System calls that fail where they never fail by themselves: each has its own words, and nothing half-runs.

use std::time::Duration;

use harness::puppet::deeds::flood_line;
use harness::strace::Strace;
use harness::{
    Daemon, LATER, NOBODYS_UID, SOON, Sandbox, State, Value, Verdict, check, eventually, json,
    only, pause, proc, skip_unless_root, skip_unless_strace,
};
use nix::sys::signal::Signal;

/// A step of a child on its way to its program: what is made to fail, on which path, and what is said.
struct Step {
    inject: &'static str,
    path: Option<&'static str>,
    words: &'static [&'static str],
}

const fn step(inject: &'static str, words: &'static [&'static str]) -> Step {
    Step {
        inject,
        path: None,
        words,
    }
}

/// Calls that the daemon itself does not make while it runs.
const STEPS: [Step; 13] = [
    step("setsid:error=EPERM", &["begin a session", "(EPERM)"]),
    step(
        "dup2,dup3:error=EBADF",
        &["descriptors 0, 1 and 2", "(EBADF)"],
    ),
    Step {
        inject: "openat:error=EACCES",
        path: Some("/proc/self/oom_score_adj"),
        words: &["oom_score_adj to 500", "(EACCES)"],
    },
    step(
        "prlimit64,setrlimit:error=EPERM",
        &["set the limits", "(EPERM)"],
    ),
    step("setpriority:error=EACCES", &["set nice to 3", "(EACCES)"]),
    step("setgroups:error=EPERM", &["(EPERM)", "(setgroups)"]),
    step("setresgid:error=EPERM", &["(EPERM)", "(setgid)"]),
    step("setresuid:error=EPERM", &["(EPERM)", "(setuid)"]),
    step("getresuid:error=EFAULT", &["(verify)"]),
    step("prctl:error=EINVAL", &["no_new_privs", "(EINVAL)"]),
    step("chdir:error=EIO", &["chdir to /", "(EIO)"]),
    step(
        "close_range:error=EINVAL",
        &["not the program's", "(EINVAL)"],
    ),
    step("execve:error=EIO", &["exec ", "(EIO)"]),
];

/// One program that takes every step there is, and is not started by itself. Traced, on a busy machine, the steps
/// take their time; it must not be taken for one that runs meanwhile.
fn all_steps(sandbox: &Sandbox) -> Value {
    json!({"p": {
        "cmd": sandbox.puppet("p", &["--brief"]), "autostart": false, "startretries": 0,
        "starttime": "2s", "user": NOBODYS_UID, "group": NOBODYS_UID, "groups": [60_002],
        "limits": {"core": 0}, "nice": 3, "oom_score_adj": 500, "no_new_privs": true,
        "workingdir": "/", "umask": "027",
    }})
}

/// No more descriptors than before, once the connections of the test itself are closed.
#[track_caller]
fn no_more_than(daemon: &Daemon, fds: usize, after: &str) {
    eventually(&format!("the descriptors of before {after}"), SOON, || {
        let now = daemon.fds().len();
        check(now <= fds, || format!("{now} where there were {fds}"))
    });
}

// A user that could not be changed to is the worst of them: what cannot be done leaves no program behind.
#[test]
fn a_step_that_fails_is_named_and_nothing_is_executed() {
    skip_unless_root!();
    skip_unless_strace!();
    let sandbox = Sandbox::new();
    let programs = all_steps(&sandbox);
    let daemon = Daemon::start(sandbox, programs);
    let fds = daemon.fds().len();
    let mut wrong = Vec::new();
    for Step {
        inject,
        path,
        words,
    } in STEPS
    {
        let strace = Strace::inject(&daemon, inject, path);
        daemon.rpc().start(&["p"]);
        let status = daemon.wait_status("p", "FATAL or up", |status| {
            matches!(status.state, State::Fatal | State::Running)
        });
        drop(strace);
        let detail = status.detail.clone().unwrap_or_default();
        if status.state != State::Fatal || !words.iter().all(|word| detail.contains(word)) {
            wrong.push(format!("{inject}: {status:?}"));
        }
        if status.state == State::Running {
            daemon.rpc().stop(&["p"]);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(daemon.sandbox().ledger("p").facts().is_empty(), "it ran");
    no_more_than(&daemon, fds, "failed starts");
    assert!(daemon.children().is_empty());
    // And when nothing fails any more, it starts.
    daemon.rpc().start(&["p"]);
    assert_eq!(daemon.status("p").state, State::Running);
}

// The child's first call of this kind; the daemon makes some of its own when it opens the terminal, the first of
// which fails too and is another start's failure. All that are born under strace count for themselves.
#[test]
fn a_terminal_that_is_not_to_be_had_is_a_failed_start() {
    skip_unless_strace!();
    let sandbox = Sandbox::new();
    let keys = json!({"cmd": sandbox.puppet("p", &["--brief"]), "startretries": 0, "tty": "full",
                      "starttime": "50ms", "autostart": false});
    let daemon = Daemon::start(sandbox, json!({"p": keys}));
    let fds = daemon.fds().len();
    let strace = Strace::inject(&daemon, "ioctl:error=EPERM:when=1", None);
    for words in [
        &["terminal", "(EPERM)"][..],
        &["take control of the terminal", "(EPERM)"],
    ] {
        daemon.rpc().start(&["p"]);
        let status = daemon.wait_state("p", State::Fatal);
        let detail = status.detail.unwrap_or_default();
        assert!(words.iter().all(|word| detail.contains(word)), "{detail}");
    }
    drop(strace);
    assert!(daemon.sandbox().ledger("p").facts().is_empty(), "it ran");
    no_more_than(&daemon, fds, "failed starts");
    daemon.rpc().start(&["p"]);
    assert_eq!(daemon.status("p").state, State::Running);
}

// A log is no step of a start: the program runs without, what it wrote is counted, and the log comes back.
#[test]
fn a_log_that_cannot_be_opened_keeps_no_program_from_running() {
    skip_unless_strace!();
    for (error, words) in [("EIO", "i/o error"), ("EMFILE", "too many open files")] {
        let sandbox = Sandbox::new();
        let path = sandbox.text("p.out");
        let keys = json!({"cmd": sandbox.puppet("p", &["--tick", "20ms"]), "autostart": false,
                          "starttime": "50ms", "startretries": 0, "stdout": path});
        let daemon = Daemon::start(sandbox, json!({"p": keys}));
        let inject = format!("openat:error={error}");
        let strace = Strace::inject(&daemon, &inject, Some(&path));
        daemon.rpc().start(&["p"]);
        let status = daemon.status("p");
        assert_eq!(
            (status.state, status.failures),
            (State::Running, 0),
            "{error}"
        );
        daemon.wait_log(&["output of p", "cannot be written", &path, words]);
        assert!(daemon.sandbox().read("p.out").is_empty());
        drop(strace);
        daemon.wait_log(&["output of p", "again", "bytes were lost"]);
        eventually("a line in the log", SOON, || {
            let log = daemon.sandbox().read("p.out");
            check(log.contains(&b'\n'), || format!("{log:?}"))
        });
        let fds = daemon.fds().into_iter();
        let open = fds.filter(|(_, target)| target == &path).count();
        assert_eq!(open, 1, "{error}: {:?}", daemon.fds());
    }
}

/// Things that ran out: waited for, told, and not held against the program.
const WANTS: [Step; 5] = [
    Step {
        inject: "openat:error=ENOSPC",
        path: Some("/dev/ptmx"),
        words: &["open a terminal", "(ENOSPC)"],
    },
    Step {
        inject: "openat:error=EMFILE",
        path: Some("/dev/ptmx"),
        words: &["open a terminal", "(EMFILE)"],
    },
    step("pipe2:error=ENFILE", &["cannot ", "(ENFILE)"]),
    step(
        "clone,clone3,fork,vfork:error=EAGAIN",
        &["fork", "(EAGAIN)"],
    ),
    step("execve:error=ENOMEM", &["exec ", "(ENOMEM)"]),
];

// No terminal to be had, no process, no memory: with startretries 0 it is still only a wait.
#[test]
fn what_ran_out_is_waited_for_and_not_counted() {
    skip_unless_strace!();
    let sandbox = Sandbox::new();
    let keys = json!({"cmd": sandbox.puppet("p", &["--brief"]), "startretries": 0,
                      "starttime": "50ms", "autostart": false});
    let daemon = Daemon::start(sandbox, json!({"p": keys}));
    for Step {
        inject,
        path,
        words,
    } in WANTS
    {
        let fds = daemon.fds().len();
        let strace = Strace::inject(&daemon, inject, path);
        daemon.rpc().start(&["p"]);
        let status = daemon.wait_status("p", "waiting", |status| {
            status.state == State::Backoff && status.detail.is_some()
        });
        let detail = status.detail.unwrap_or_default();
        let told = words.iter().all(|word| detail.contains(word));
        assert!(told, "{inject}: {detail}");
        assert_eq!(status.failures, 0, "{inject}");
        no_more_than(&daemon, fds, inject);
        drop(strace);
        let status = daemon.wait_state("p", State::Running);
        assert_eq!(status.failures, 0, "{inject}");
        daemon.rpc().stop(&["p"]);
    }
}

// A read of a program's output that fails once is a hiccup. The program goes on writing, and all of it is kept.
#[test]
fn a_failed_read_of_a_terminal_stalls_nobody_and_loses_nothing() {
    skip_unless_strace!();
    for error in ["EIO", "ENOMEM", "EINTR"] {
        let sandbox = Sandbox::new();
        let bytes = 1024 * 1024;
        let orders = ["--flood", &bytes.to_string(), "--tick", "50ms"];
        let keys = json!({"cmd": sandbox.puppet("p", &orders), "autostart": false, "tty": "full",
                          "starttime": "50ms", "stdout": sandbox.path("p.out")});
        let daemon = Daemon::start(sandbox, json!({"p": keys}));
        let inject = format!("read:error={error}:when=3+40");
        let strace = Strace::inject(&daemon, &inject, Some("/dev/ptmx"));
        daemon.rpc().start(&["p"]);
        daemon.sandbox().ledger("p").wait("flooded", 1, LATER);
        let wanted: String = (0..bytes / 64).map(flood_line).collect();
        eventually("all of it in the log", LATER, || {
            let log = daemon.sandbox().read("p.out");
            let log = String::from_utf8_lossy(&log).into_owned();
            check(log.starts_with(&wanted) && log.contains("tick"), || {
                format!("{error}: {} bytes", log.len())
            })
        });
        let status = daemon.status("p");
        assert_eq!(
            (status.state, status.starts),
            (State::Running, 1),
            "{error}"
        );
        drop(strace);
        let tried = daemon.sandbox().read("strace.out");
        let tried = String::from_utf8_lossy(&tried).into_owned();
        assert!(tried.contains("(INJECTED)"), "{error} was never met");
    }
}

// The kernel may say that nobody has a terminal open any more although something was written to it just before.
#[test]
fn last_words_are_read_though_the_terminal_was_said_to_be_at_its_end() {
    skip_unless_strace!();
    let sandbox = Sandbox::new();
    let fifo = sandbox.path("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("a FIFO can be made");
    let child = "(read word < fifo; echo $word) & echo $! > pid";
    let keys = json!({"cmd": ["sh", "-c", format!("trap '' HUP; {child}")], "sweep": false,
                      "autorestart": "never", "starttime": 0, "workingdir": sandbox.dir(),
                      "stdout": sandbox.path("p.out")});
    let daemon = Daemon::start(sandbox, json!({"p": keys}));
    daemon.wait_state("p", State::Exited);
    let pid = daemon.sandbox().read("pid");
    let pid = String::from_utf8_lossy(&pid).trim().parse().expect("a pid");
    let strace = Strace::inject(&daemon, "read:error=EIO:when=1", Some("/dev/ptmx"));
    daemon.signal(Signal::SIGSTOP);
    strace.wait_stopped();
    std::fs::write(&fifo, "farewell\n").expect("it is read");
    proc::wait_dead(pid);
    daemon.signal(Signal::SIGCONT);
    eventually("the end of the terminal", SOON, || {
        let fds = daemon.fds();
        let open = fds.iter().any(|(_, target)| target.contains("ptmx"));
        check(!open, || format!("{fds:?}"))
    });
    assert!(strace.end(&daemon).contains("(INJECTED)"));
    let log = daemon.sandbox().read("p.out");
    assert_eq!(String::from_utf8_lossy(&log), "farewell\n");
}

// An error that lasts is no reason to try at once, and again at once. When it ends, nothing was lost.
#[test]
fn output_that_cannot_be_read_is_tried_now_and_then() {
    skip_unless_strace!();
    let sandbox = Sandbox::new();
    let keys = json!({"cmd": sandbox.puppet("p", &["--write-out", "hello\\n"]), "autostart": false,
                      "starttime": "50ms", "stdout": sandbox.path("p.out")});
    let daemon = Daemon::start(sandbox, json!({"p": keys}));
    let strace = Strace::inject(&daemon, "read:error=ENOMEM", Some("/dev/ptmx"));
    daemon.rpc().start(&["p"]);
    let failures = || {
        let tried = daemon.sandbox().read("strace.out");
        String::from_utf8_lossy(&tried)
            .matches("(INJECTED)")
            .count()
    };
    eventually("a second try", SOON, || {
        check(failures() > 1, || "none".into())
    });
    let before = failures();
    pause(Duration::from_secs(1));
    let tries = failures() - before;
    assert!(tries < 100, "{tries} tries in a second: it spins");
    drop(strace);
    eventually("what was written", SOON, || {
        let log = daemon.sandbox().read("p.out");
        check(log == b"hello\n", || format!("{log:?}"))
    });
}

/// A daemon whose program runs.
fn with_running() -> Daemon {
    let sandbox = Sandbox::new();
    let keys = json!({"cmd": sandbox.puppet("p", &["--brief"]), "starttime": "50ms"});
    let daemon = Daemon::start(sandbox, json!({"p": keys}));
    daemon.wait_state("p", State::Running);
    daemon
}

// A process that has become another user's, say.
#[test]
fn a_signal_that_is_refused_was_not_sent() {
    skip_unless_strace!();
    let daemon = with_running();
    let strace = Strace::inject(&daemon, "pidfd_send_signal:error=EPERM:when=1", None);
    let refused = daemon.rpc().signal("USR1", &["p"]);
    assert_eq!(only(&refused), Verdict::Failed);
    let detail = refused[0].detail.clone().unwrap_or_default();
    assert!(detail.contains("operation not permitted"), "{detail}");
    assert_eq!(
        only(&daemon.rpc().signal("USR1", &["p"])),
        Verdict::Signalled
    );
    assert!(strace.end(&daemon).contains("(INJECTED)"));
    let log = daemon.log();
    for words in ["cannot send SIGUSR1 to p (pid ", "was sent SIGUSR1"] {
        let lines = log.iter().filter(|line| line.contains(words));
        assert_eq!(lines.count(), 1, "{words}: {log:?}");
    }
}

// However slow the disk is: who has his answer looks into the log for what was done.
#[test]
fn what_was_done_is_in_the_log_before_it_is_answered() {
    skip_unless_strace!();
    let daemon = with_running();
    let log = daemon.sandbox().path("tm.log");
    let _strace = Strace::inject(&daemon, "write:delay_enter=300000", log.to_str());
    assert_eq!(
        only(&daemon.rpc().signal("USR1", &["p"])),
        Verdict::Signalled
    );
    let log = daemon.log().join("\n");
    assert!(log.contains("was sent SIGUSR1"), "{log}");
}
