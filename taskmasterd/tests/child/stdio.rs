//! What a process finds on its descriptors, and what else it inherits.

use std::fs::File;

use nix::unistd::getpid;
use shared::state::Exit;
use taskmasterd::child::pty::Window;
use taskmasterd::child::{Stderr, spawn};
use taskmasterd::config::model::{Limit, Resource, Tty};

use super::*;

const MODES: [Tty; 3] = [Tty::Full, Tty::Split, Tty::None];

/// A daemon blocks signals and may have been started with some ignored; both pass through exec unless reset.
#[test]
fn a_child_has_a_clean_signal_state() {
    let _turn = my_turn();
    let blocked = nix::sys::signal::SigSet::all();
    let before = blocked
        .thread_swap_mask(nix::sys::signal::SigmaskHow::SIG_SETMASK)
        .unwrap();
    for tty in MODES {
        // Rust's runtime has SIGPIPE ignored.
        let told = run(&launch(&["/bin/cat", "/proc/self/status"], tty));
        assert_eq!(told.exit, Exit::Code(0));
        assert_eq!(told.failed, None);
        for state in ["SigBlk", "SigIgn", "SigCgt"] {
            assert_eq!(field(&told.out, state), "0000000000000000", "{state}");
        }
    }
    before.thread_set_mask().unwrap();
}

/// A descriptor too many is a way into the daemon, or a terminal that never ends.
#[test]
fn a_child_has_descriptors_0_1_and_2() {
    let _turn = my_turn();
    let inheritable = |fd: &File| {
        let none = nix::fcntl::FdFlag::empty();
        nix::fcntl::fcntl(fd, nix::fcntl::FcntlArg::F_SETFD(none)).unwrap();
    };
    let many: Vec<File> = (0..300).map(|_| File::open("/dev/null").unwrap()).collect();
    many.iter().for_each(inheritable);
    for tty in MODES {
        let told = run(&launch(&["/bin/ls", "/proc/self/fd"], tty));
        // The fourth is the directory that ls reads.
        let fds: Vec<&str> = told.out.split_whitespace().collect();
        assert_eq!(fds, ["0", "1", "2", "3"], "{tty:?}");
    }
}

/// O_NONBLOCK belongs to the open file, so ours would be the program's; cat prints its own flags.
#[test]
fn a_childs_descriptors_block() {
    let _turn = my_turn();
    for tty in MODES {
        let files = [
            "/proc/self/fdinfo/0",
            "/proc/self/fdinfo/1",
            "/proc/self/fdinfo/2",
        ];
        let told = run(&launch(&["/bin/cat", files[0], files[1], files[2]], tty));
        let flags = told
            .out
            .lines()
            .filter_map(|line| line.strip_prefix("flags:"));
        let flags: Vec<_> = flags
            .map(|f| i32::from_str_radix(f.trim(), 8).unwrap())
            .collect();
        assert_eq!(flags.len(), 3);
        assert!(
            flags.iter().all(|flag| flag & libc::O_NONBLOCK == 0),
            "{flags:?}"
        );
    }
}

/// In each mode the streams arrive where the configuration will look for them.
#[test]
fn each_stream_has_its_place() {
    let _turn = my_turn();
    let script = "printf out; printf err >&2; test -t 0 && printf T; test -t 2 && printf t; true";
    let said = |tty, stderr| {
        let launch = launch(&["/bin/sh", "-c", script], tty);
        let told = finish(spawn(&order(&launch, stderr, Window::default())).unwrap());
        (told.out, told.err)
    };
    assert_eq!(
        said(Tty::Full, Stderr::Own),
        ("outerrTt".into(), String::new())
    );
    assert_eq!(said(Tty::Split, Stderr::Own), ("outT".into(), "err".into()));
    assert_eq!(said(Tty::None, Stderr::Own), ("out".into(), "err".into()));
    assert_eq!(
        said(Tty::Split, Stderr::WithStdout),
        ("outerrTt".into(), String::new())
    );
    assert_eq!(
        said(Tty::None, Stderr::WithStdout),
        ("outerr".into(), String::new())
    );
}

/// A size of nothing breaks every full-screen program; IXON would let ^S freeze a process for good.
#[test]
fn a_terminal_is_fit_for_use() {
    let _turn = my_turn();
    let stty = launch(&["stty", "-a"], Tty::Full);
    let shown = |window| finish(spawn(&order(&stty, Stderr::Own, window)).unwrap()).out;
    let wide = Window {
        rows: 50,
        cols: 132,
        xpixel: 1,
        ypixel: 2,
    };
    let out = shown(wide);
    assert!(out.contains("rows 50; columns 132;"), "{out}");
    assert!(out.contains(" -ixon ") && out.contains(" iutf8"), "{out}");
    assert!(
        out.contains(" onlcr") && out.contains(" echo ") && out.contains(" icanon"),
        "{out}"
    );
    let out = shown(Window {
        rows: 0,
        cols: 0,
        xpixel: 0,
        ypixel: 0,
    });
    assert!(out.contains("rows 24; columns 80;"), "{out}");
}

/// With a terminal it must be the controlling one, or ^C and job control do not work; without, a session all the same.
#[test]
fn a_child_leads_a_session_of_its_own() {
    let _turn = my_turn();
    for tty in MODES {
        let told = run(&launch(&["/bin/cat", "/proc/self/stat"], tty));
        let stat: Vec<&str> = told.out.split_whitespace().collect();
        assert_eq!(
            (stat[0], stat[0]),
            (stat[4], stat[5]),
            "pid, group and session"
        );
        assert_eq!(stat[6] == "0", tty == Tty::None, "terminal {}", stat[6]);
        assert_eq!(stat[3], getpid().to_string());
    }
}

/// The daemon raises its own limit of descriptors; programs that use select(2) would break with it.
#[test]
fn limits_are_those_the_daemon_was_started_with() {
    let _turn = my_turn();
    let original = heritage();
    let kind = nix::sys::resource::Resource::RLIMIT_NOFILE;
    let (soft, hard) = nix::sys::resource::getrlimit(kind).unwrap();
    let expected = std::fs::read_to_string("/proc/self/limits").unwrap();
    nix::sys::resource::setrlimit(kind, soft - 1, hard).unwrap();
    let mut cat = launch(&["/bin/cat", "/proc/self/limits"], Tty::None);
    let told = |launch: &Launch| {
        let order = Order::new(
            launch,
            &process(),
            Stderr::Own,
            Window::default(),
            &original,
        );
        finish(spawn(&Rc::new(order.unwrap())).unwrap()).out
    };
    assert_eq!(told(&cat), expected);
    let limit = Limit {
        soft: Some(64),
        hard: Some(128),
    };
    cat.limits.insert(Resource::Nofile, limit);
    let out = told(&cat);
    let line = out
        .lines()
        .find(|line| line.starts_with("Max open files"))
        .unwrap();
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(words[3..5], ["64", "128"]);
    nix::sys::resource::setrlimit(kind, soft, hard).unwrap();
}

/// What the configuration says of the process itself, as the process sees it.
#[test]
fn umask_nice_directory_and_the_rest_are_as_configured() {
    let _turn = my_turn();
    let script =
        "umask; nice; pwd; cat /proc/self/oom_score_adj; grep NoNewPrivs /proc/self/status";
    let mut sh = launch(&["/bin/sh", "-c", script], Tty::None);
    sh.umask = 0o027;
    sh.nice = Some(own_nice() + 1);
    sh.workingdir = Some("/usr".into());
    sh.oom_score_adj = Some(500);
    sh.no_new_privs = true;
    let nice = own_nice() + 1;
    let expected = format!("0027\n{nice}\n/usr\n500\nNoNewPrivs:\t1\n");
    assert_eq!(run(&sh).out, expected);
}

fn own_nice() -> i32 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, rest) = stat.rsplit_once(')').unwrap();
    rest.split_whitespace().nth(16).unwrap().parse().unwrap()
}
