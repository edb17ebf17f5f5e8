//! Attachments by the hundred: killed, cut off, full of nonsense, of all sizes, idle.

use std::io::Write;
use std::net::Shutdown;
use std::process::{Child, Command, Stdio};

use harness::seat::{size, wait_window, wanting};
use harness::strace::Strace;
use harness::{
    Daemon, Dice, LATER, NOBODYS_UID, SOON, Sandbox, Seat, Setup, Term, check, eventually, json,
    laps, proc, skip_unless_root, skip_unless_strace,
};
use nix::sys::signal::Signal;
use nix::sys::termios::tcgetattr;
use shared::api::AttachParams;
use shared::frame::Frame;

/// How much the daemon may grow, in KiB.
const GROWTH_KIB: u64 = 4 * 1024;

/// Waits until the daemon has let go of all that a test has brought.
#[track_caller]
fn wait_fds(daemon: &Daemon, before: usize) {
    eventually("the descriptors of before", SOON, || {
        let now = daemon.fds().len();
        check(now == before, || format!("{now} where there were {before}"))
    });
}

/// The modes of the terminal of a process.
fn modes(pid: i32) -> String {
    let tty = std::fs::File::open(format!("/proc/{pid}/fd/0")).expect("it has a terminal");
    format!("{:?}", tcgetattr(&tty).expect("a terminal has modes"))
}

// The program is in the middle of a full screen, and never learns of it.
#[test]
fn two_hundred_killed_clients_change_nothing_for_the_process() {
    let sandbox = Sandbox::new();
    let picture = r"\e[?1049h\e[?1003h\e[?25l\e[2;2Hpicture";
    let cmd = sandbox.puppet("p", &["--raw", "--write-out", picture]);
    let daemon = Daemon::start(sandbox, json!({"p": {"cmd": cmd}}));
    let ledger = daemon.sandbox().ledger("p");
    ledger.wait("wrote", 1, SOON);
    let pid = daemon.pid("p");
    proc::wait_at_rest(daemon.daemon_pid());
    let (modes_before, fds) = (modes(pid), daemon.fds().len());
    for _ in 0..laps(200) {
        let mut command = daemon.ctl().command();
        command.args(["attach", "p"]).env("TERM", "xterm");
        let mut term = Term::spawn(&command);
        term.wait_for("picture");
        proc::signal(term.pid(), Signal::SIGKILL);
        term.wait_exit(SOON);
    }
    wait_fds(&daemon, fds);
    assert_eq!((daemon.pid("p"), modes(pid)), (pid, modes_before));
    let signals = ledger.all("signal");
    assert!(signals.is_empty(), "{signals:?}");
    assert!(Seat::take(&daemon, "p").wait_snapshot().contains("picture"));
}

/// A process that reads whatever is typed, and one to see that all is well.
fn sink() -> Daemon {
    let sink = json!(["sh", "-c", "stty raw -echo; exec cat >/dev/null"]);
    let programs = json!({"p": {"cmd": sink}, "q": {"cmd": "cat"}});
    let daemon = Daemon::start(Sandbox::new(), programs);
    proc::wait_at_rest(daemon.daemon_pid());
    daemon
}

#[test]
fn a_connection_that_ends_within_a_frame_is_let_go() {
    let daemon = sink();
    let fds = daemon.fds().len();
    let frame = Frame::Input(b"half of this".to_vec()).to_bytes();
    for cut in 1..frame.len() {
        let mut seat = Seat::take(&daemon, "p");
        seat.stream().write_all(&frame[..cut]).expect("it is taken");
        if cut % 2 == 0 {
            // Its other half still listens, and hears that it is over.
            let ended = seat.stream().shutdown(Shutdown::Write);
            ended.expect("half a connection can be closed");
            seat.wait_end();
        }
    }
    wait_fds(&daemon, fds);
}

#[test]
fn who_sends_what_is_not_for_clients_to_send_is_told_so() {
    let daemon = sink();
    let unknown = [&[99, 0, 0, 0, 1][..], b"x"].concat();
    for (bytes, said) in [
        (
            Frame::Leader(true).to_bytes(),
            "LEADER is not for a client to send",
        ),
        (unknown, "99"),
    ] {
        let mut seat = Seat::take(&daemon, "p");
        seat.stream().write_all(&bytes).expect("it is taken");
        let seen = seat.until("DETACHED", |frame| matches!(frame, Frame::Detached(_)));
        let [.., Frame::Error(error), Frame::Detached(reason)] = &seen[..] else {
            panic!("{seen:?}")
        };
        assert!(error.contains(said) && reason.contains(said), "{seen:?}");
    }
}

/// What clients send, and what they had better not.
fn frames(dice: &mut Dice) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..dice.below(100) {
        let number = dice.below(70_000) as u16;
        let frame = match dice.below(12) {
            0 => Frame::Redraw,
            1 | 2 => Frame::Resize(size(number, dice.below(300) as u16)),
            3 => Frame::Input(vec![b'x'; number.into()]),
            _ => Frame::Input(b"ls -l\r\x1b[A\x1b[24;80R\x1b[I".to_vec()),
        };
        let start = bytes.len();
        frame.encode(&mut bytes);
        if dice.below(60) == 0 {
            let at = start + dice.below((bytes.len() - start) as u64) as usize;
            bytes[at] = dice.below(256) as u8;
        }
    }
    bytes.truncate(bytes.len() - dice.below(1 + bytes.len() as u64 / 8) as usize);
    bytes
}

// TASKMASTER_LAPS=25000 for a million frames.
#[test]
fn whatever_clients_send_harms_nobody_else() {
    let mut dice = Dice::new();
    let daemon = sink();
    let fds = daemon.fds().len();
    let before = proc::peak_kib(daemon.daemon_pid());
    let mut witness = Seat::take(&daemon, "q");
    for lap in 0..laps(100) {
        let params = AttachParams {
            read_only: dice.below(5) == 0,
            ignore_size: dice.below(5) == 0,
            ..wanting("p")
        };
        let mut seat = Seat::take_as(&daemon, params);
        // The daemon may have had enough of it before its end.
        seat.stream().write_all(&frames(&mut dice)).ok();
        if lap % 10 == 0 {
            witness.type_in("well\n");
            witness.wait_output("well\r\nwell\r\n");
        }
    }
    let grown = proc::peak_kib(daemon.daemon_pid()) - before;
    assert!(grown < GROWTH_KIB, "grown by {grown} KiB");
    witness.leave();
    wait_fds(&daemon, fds);
}

// Five windows are dragged about; in the end the last one counts.
#[test]
fn in_a_storm_of_sizes_the_last_one_counts() {
    let mut dice = Dice::new();
    let sandbox = Sandbox::new();
    let cmd = sandbox.puppet("p", &["--brief", "--raw", "--write-out", r"\e[2;2Hpicture"]);
    let daemon = Daemon::start(sandbox, json!({"p": {"cmd": cmd}}));
    let pid = daemon.pid("p");
    let mut seats: Vec<Seat> = (0..5).map(|_| Seat::take(&daemon, "p")).collect();
    for _ in 0..200 {
        for seat in &mut seats {
            let (rows, cols) = (dice.below(200) as u16, dice.below(500) as u16);
            seat.send(&Frame::Resize(size(rows, cols)));
        }
    }
    let mut last = seats.swap_remove(2);
    // What they have sent has been heard when they are let go.
    for mut seat in seats {
        seat.type_in("x");
        seat.leave();
    }
    last.send(&Frame::Resize(size(33, 99)));
    wait_window(pid, 33, 99);
    let screen = daemon.ctl().run(&["--json", "screen", "p"]);
    assert!(screen.out.contains("\"rows\":33"), "{screen:?}");
    assert!(screen.out.contains("\"cols\":99"), "{screen:?}");
}

/// The real client, run by a stranger, with an input that does not end.
fn strangers_client(daemon: &Daemon) -> Child {
    let uid = NOBODYS_UID.to_string();
    let client = daemon.ctl().command();
    let mut command = Command::new("setpriv");
    command.args(["--reuid", &uid, "--regid", &uid, "--clear-groups"]);
    command.arg(client.get_program()).args(client.get_args());
    command.args(["attach", "p"]).stdin(Stdio::piped());
    command.stdout(Stdio::piped());
    command.spawn().expect("setpriv can be started")
}

// One user's idle attachments take the places of nobody else.
#[test]
fn a_stranger_has_sixteen_attachments_and_root_has_room() {
    skip_unless_root!();
    let sandbox = Sandbox::new();
    let socket = json!({"path": sandbox.path("sock"), "mode": "0666"});
    let config = json!({"socket": socket, "log": sandbox.path("tm.log"),
        "programs": {"p": {"cmd": "cat"}}});
    sandbox.write("tm.yaml", config.to_string());
    let mut daemon = Daemon::launch(sandbox, Setup::default());
    daemon.wait_up();
    proc::wait_at_rest(daemon.daemon_pid());
    let fds = daemon.fds().len();
    let mut clients: Vec<Child> = (0..16).map(|_| strangers_client(&daemon)).collect();
    eventually("sixteen attachments", LATER, || {
        let attached = daemon
            .log()
            .iter()
            .filter(|line| line.contains("attached to p"))
            .count();
        check(attached == 16, || format!("{attached}"))
    });
    for _ in 0..3 {
        let refused = strangers_client(&daemon)
            .wait_with_output()
            .expect("it ends");
        assert!(!refused.status.success());
        let said = String::from_utf8_lossy(&refused.stdout).into_owned();
        assert!(said.contains("too many connections"), "{said}");
    }
    let mut seat = Seat::take(&daemon, "p");
    seat.type_in("root\n");
    seat.wait_output("root\r\nroot\r\n");
    seat.leave();
    for client in &mut clients {
        client.kill().expect("it can be killed");
        client.wait().expect("it ends");
    }
    wait_fds(&daemon, fds);
    // One was told at once; the minute of the others is not over, but the daemon is.
    daemon.stop();
    let log = daemon.log();
    let refused = |line: &&String| line.contains("client refused");
    let refused: Vec<&String> = log.iter().filter(refused).collect();
    let [first, rest] = refused[..] else {
        panic!("{refused:?}");
    };
    assert!(first.contains("too many connections ["), "{first}");
    assert!(rest.contains("the last of 2 since this"), "{rest}");
    assert!(log.last().is_some_and(|line| line.contains("stopped")));
}

// Idle attachments cost little, and nothing at all while nothing happens; who finds no place any more is told.
#[test]
fn of_a_thousand_attachers_those_that_find_a_place_let_the_daemon_sleep() {
    const PLACES: usize = 7 * 32;
    let programs = json!({"p": {"cmd": "cat", "numprocs": 7}});
    let daemon = Daemon::start(Sandbox::new(), programs);
    proc::wait_at_rest(daemon.daemon_pid());
    let (fds, before) = (daemon.fds().len(), daemon.rss_kib());
    let names = (0..7).map(|number| format!("p:{number}"));
    let (mut seats, mut refused) = (Vec::new(), Vec::new());
    for name in names.cycle().take(1000) {
        match Seat::ask(&daemon, wanting(&name)) {
            Ok(seat) => seats.push(seat),
            Err(error) => refused.push(error.message),
        }
    }
    assert_eq!((seats.len(), refused.len()), (PLACES, 1000 - PLACES));
    let told = |message: &String| message.ends_with("32 clients are attached already");
    assert!(refused.iter().all(told), "{:?}", refused.last());
    let grown = daemon.rss_kib().saturating_sub(before);
    assert!(grown < 2 * GROWTH_KIB, "grown by {grown} KiB");
    proc::wait_at_rest(daemon.daemon_pid());
    seats[77].type_in("x\n");
    seats[77].wait_output("x\r\nx\r\n");
    drop(seats);
    wait_fds(&daemon, fds);
}

// Each may take ten milliseconds, and whoever is at another terminal types meanwhile.
#[test]
fn the_screens_of_many_are_painted_a_few_in_a_turn() {
    skip_unless_strace!();
    let daemon = Daemon::start(Sandbox::new(), json!({"p": {"cmd": "cat"}}));
    let mut seats: Vec<Seat> = (0..32).map(|_| Seat::take(&daemon, "p")).collect();
    for seat in &mut seats {
        seat.wait_snapshot();
    }
    let strace = Strace::record(&daemon, "?epoll_wait,?epoll_pwait,sendto");
    daemon.signal(Signal::SIGSTOP);
    strace.wait_stopped();
    for seat in &mut seats {
        seat.send(&Frame::Redraw);
    }
    daemon.signal(Signal::SIGCONT);
    for seat in &mut seats {
        seat.wait_snapshot();
    }
    let record = strace.end(&daemon);
    let turns = record.split("epoll_");
    let sent: Vec<usize> = turns.map(|turn| turn.matches("sendto(").count()).collect();
    assert!(sent.iter().sum::<usize>() >= seats.len(), "{record}");
    assert!(sent.iter().all(|&count| count <= 2), "{record}");
}
