//! The terminal of a process, as the daemon shows it to those who attach: screen, size, ends and beginnings.

use harness::seat::{size, wait_window, wanting, window_of};
use harness::{Daemon, Exit, SOON, Sandbox, Seat, State, Value, eventually, json, proc};
use nix::sys::signal::Signal;
use shared::api::{AttachParams, Restarted, Tty};
use shared::frame::Frame;
use shared::rpc::code;

fn daemon(cmd: &str, more: &Value) -> Daemon {
    let mut program = json!({"cmd": ["sh", "-c", cmd]});
    for (key, value) in more.as_object().into_iter().flatten() {
        program[key] = value.clone();
    }
    Daemon::start(Sandbox::new(), json!({"p": program}))
}

fn only_looking(name: &str) -> AttachParams {
    AttachParams {
        read_only: true,
        ..wanting(name)
    }
}

fn sized(name: &str, rows: u16, cols: u16) -> AttachParams {
    AttachParams {
        rows,
        cols,
        ..wanting(name)
    }
}

// The screen is the past and comes as such: it must be there before anything that is news.
#[test]
fn a_process_outlives_who_attached_and_the_next_one_is_shown_its_screen() {
    let daemon = daemon("exec cat", &json!({}));
    let pid = daemon.pid("p");
    let mut first = Seat::take(&daemon, "p");
    assert_eq!(
        (first.attached.pid, first.attached.state),
        (Some(pid), daemon.status("p").state)
    );
    first.type_in("good morning\n");
    first.wait_output("good morning\r\ngood morning\r\n");
    first.leave();
    assert_eq!(daemon.pid("p"), pid);
    let mut second = Seat::take(&daemon, "p");
    let seen = second.until("the screen", |frame| matches!(frame, Frame::Snapshot(_)));
    let is_news = |frame: &Frame| matches!(frame, Frame::Output(_));
    assert!(!seen.iter().any(is_news), "{seen:?}");
    let Some(Frame::Snapshot(shown)) = seen.last() else {
        panic!("{seen:?}")
    };
    let shown = String::from_utf8_lossy(shown);
    assert_eq!(shown.matches("good morning").count(), 2, "{shown:?}");
    second.type_in("and now\n");
    second.wait_output("and now\r\nand now\r\n");
}

#[test]
fn who_wants_no_replay_gets_what_comes() {
    let daemon = daemon("exec cat", &json!({}));
    let mut first = Seat::take(&daemon, "p");
    first.type_in("old\n");
    first.wait_output("old\r\nold\r\n");
    let mut second = Seat::take_as(
        &daemon,
        AttachParams {
            no_replay: true,
            ..wanting("p")
        },
    );
    first.type_in("new\n");
    let seen = second.wait_output("new\r\nnew\r\n");
    let is_screen = |frame: &Frame| matches!(frame, Frame::Snapshot(_));
    assert!(!seen.iter().any(is_screen), "{seen:?}");
    second.send(&Frame::Redraw);
    assert!(second.wait_snapshot().contains("old"));
}

#[test]
fn a_full_screen_program_is_shown_on_the_alternate_screen_with_its_text_in_place() {
    let cmd = r"echo below; printf '\033[?1049h\033[2J\033[5;5Hhere'; exec sleep 1000";
    let daemon = daemon(cmd, &json!({}));
    eventually("the text on the screen", SOON, || {
        let screen = daemon.ctl().run(&["screen", "p"]);
        harness::check(screen.out.contains("here"), || format!("{screen:?}"))
    });
    let shown = Seat::take(&daemon, "p").wait_snapshot();
    assert!(shown.contains("\x1b[?1049h"), "{shown:?}");
    let mut screen = harness::screen::Screen::new(24, 80);
    screen.feed(shown.as_bytes());
    assert_eq!(
        (screen.row(), screen.before_cursor()),
        (4, "    here".into()),
        "{shown:?}"
    );
}

#[test]
fn who_wants_it_plain_is_shown_the_rows_of_a_full_screen_program() {
    let cmd =
        r"printf '\033[?1049h\033[2J\033[5;5Hhere\033[?2004h\033[2;1H\033[31mred'; exec sleep 1000";
    let daemon = daemon(cmd, &json!({}));
    eventually("the text on the screen", SOON, || {
        let screen = daemon.ctl().run(&["screen", "p"]);
        harness::check(screen.out.contains("red"), || format!("{screen:?}"))
    });
    let plain = AttachParams {
        plain: true,
        ..wanting("p")
    };
    let shown = Seat::take_as(&daemon, plain).wait_snapshot();
    let want = "\x1b[m\r\n\x1b[0;31mred\x1b[0m\r\n\r\n\r\n    here\x1b[0;31m";
    assert_eq!(shown, want);
}

// The size is there before the process is: no program ever draws for a terminal that is not there.
#[test]
fn a_process_is_born_with_the_size_of_who_leads() {
    let sandbox = Sandbox::new();
    let cmd = sandbox.puppet("p", &[]);
    let daemon = Daemon::start(sandbox, json!({"p": {"cmd": cmd, "autostart": false}}));
    let ledger = daemon.sandbox().ledger("p");
    let mut seat = Seat::take_as(&daemon, sized("p", 33, 101));
    assert!(seat.attached.leader);
    daemon.rpc().start(&["p"]);
    let first = ledger.wait("start", 1, SOON);
    assert_eq!(first[0]["tty"]["window"], json!([33, 101, 0, 0]));
    seat.send(&Frame::Resize(size(40, 90)));
    wait_window(daemon.pid("p"), 40, 90);
    daemon.rpc().restart(&["p"]);
    let second = ledger.wait("start", 2, SOON);
    assert_eq!(second[1]["tty"]["window"], json!([40, 90, 0, 0]));
}

#[test]
fn who_typed_or_resized_last_leads_and_who_only_looks_never_does() {
    let daemon = daemon("exec cat", &json!({}));
    let pid = daemon.pid("p");
    let mut first = Seat::take_as(&daemon, sized("p", 20, 70));
    wait_window(pid, 20, 70);
    let mut second = Seat::take_as(&daemon, sized("p", 30, 90));
    assert!(second.attached.leader && second.attached.others == 1);
    first.wait_frame(&Frame::Leader(false));
    wait_window(pid, 30, 90);
    first.type_in("x\n");
    first.wait_frame(&Frame::Leader(true));
    second.wait_frame(&Frame::Leader(false));
    wait_window(pid, 20, 70);
    second.send(&Frame::Resize(size(31, 91)));
    first.wait_frame(&Frame::Leader(false));
    wait_window(pid, 31, 91);
    let looking = AttachParams {
        read_only: true,
        ..sized("p", 10, 10)
    };
    let mut third = Seat::take_as(&daemon, looking);
    assert!(!third.attached.leader);
    third.send(&Frame::Resize(size(11, 11)));
    third.send(&Frame::Input(b"never\n".to_vec()));
    third.until("ERROR", |frame| matches!(frame, Frame::Error(_)));
    assert_eq!(window_of(pid).ok(), Some((31, 91)));
    second.leave();
    first.type_in("y\n");
    first.wait_frame(&Frame::Leader(true));
}

#[test]
fn who_led_before_leads_again_when_the_leader_leaves() {
    let daemon = daemon("exec cat", &json!({}));
    let pid = daemon.pid("p");
    let mut first = Seat::take_as(&daemon, sized("p", 20, 70));
    let mut second = Seat::take_as(&daemon, sized("p", 21, 71));
    let third = Seat::take_as(&daemon, sized("p", 22, 72));
    let looking = AttachParams {
        read_only: true,
        ..sized("p", 10, 10)
    };
    let _watcher = Seat::take_as(&daemon, looking);
    first.type_in("x\n");
    first.wait_frame(&Frame::Leader(true));
    wait_window(pid, 20, 70);
    third.leave();
    assert_eq!(window_of(pid).ok(), Some((20, 70)), "not the leader");
    first.leave();
    second.wait_frame(&Frame::Leader(true));
    wait_window(pid, 21, 71);
    second.leave();
    assert_eq!(window_of(pid).ok(), Some((21, 71)), "nobody else has a say");
}

// The terminal and the picture of it are of one size, or nothing is where it should be.
#[test]
fn a_size_beyond_reason_is_the_nearest_that_is_not() {
    let daemon = daemon("exec cat", &json!({}));
    let pid = daemon.pid("p");
    let mut seat = Seat::take_as(&daemon, sized("p", 60_000, 60_000));
    wait_window(pid, 500, 1000);
    seat.send(&Frame::Resize(size(1, 1)));
    wait_window(pid, 2, 2);
}

#[test]
fn who_only_looks_cannot_type() {
    let daemon = daemon("exec cat", &json!({}));
    let mut typist = Seat::take(&daemon, "p");
    let mut watcher = Seat::take_as(&daemon, only_looking("p"));
    watcher.type_in("forged\n");
    let seen = watcher.until("ERROR", |frame| matches!(frame, Frame::Error(_)));
    assert_eq!(
        seen.last(),
        Some(&Frame::Error("this attachment is read-only".into()))
    );
    typist.type_in("honest\n");
    let seen = typist.wait_output("honest\r\nhonest\r\n");
    assert!(!format!("{seen:?}").contains("forged"));
    // It was refused, not thrown out.
    watcher.wait_output("honest\r\nhonest\r\n");
}

#[test]
fn who_steals_detaches_the_others_and_tells_them() {
    let daemon = daemon("exec cat", &json!({}));
    let mut first = Seat::take(&daemon, "p");
    let mut second = Seat::take_as(&daemon, only_looking("p"));
    let thief = AttachParams {
        steal: true,
        ..wanting("p")
    };
    let mut thief = Seat::take_as(&daemon, thief);
    assert_eq!(thief.attached.others, 0);
    for seat in [&mut first, &mut second] {
        let reason = seat.wait_detached();
        assert!(reason.ends_with("took over"), "{reason:?}");
    }
    thief.type_in("mine\n");
    thief.wait_output("mine\r\nmine\r\n");
}

#[test]
fn more_than_32_are_refused_until_one_leaves() {
    let daemon = daemon("exec cat", &json!({}));
    let mut seats: Vec<Seat> = (0..32).map(|_| Seat::take(&daemon, "p")).collect();
    let refused = Seat::ask(&daemon, wanting("p")).err().expect("a refusal");
    assert_eq!(refused.code, code::BUSY, "{refused:?}");
    seats.pop().expect("one of 32").leave();
    Seat::take(&daemon, "p");
}

// The attachment is to the name, not to the pid.
#[test]
fn an_attachment_goes_on_with_the_next_process() {
    let cmd = "read line; exit 3";
    let keys = json!({"starttime": 0, "restart_delay": 1, "autorestart": "always"});
    let daemon = daemon(cmd, &keys);
    let mut seat = Seat::take(&daemon, "p");
    let old = seat.attached.pid.expect("it runs");
    seat.type_in("end\n");
    let exited = seat.wait_exited();
    assert_eq!(exited.exit, Some(Exit::Code(3)), "{exited:?}");
    assert!(
        !exited.gone && exited.retry_in_ms.is_some_and(|ms| ms <= 1000),
        "{exited:?}"
    );
    let new = seat.wait_restarted();
    assert_ne!(new, old);
    assert_eq!(daemon.pid("p"), new);
    proc::signal(new, Signal::SIGKILL);
    let killed = seat.wait_exited();
    let by_kill = |exit| matches!(exit, Some(Exit::Signal { number: 9, .. }));
    assert!(by_kill(killed.exit), "{killed:?}");
    seat.wait_restarted();
    seat.type_in("hello\n");
    seat.wait_output("hello");
}

#[test]
fn who_attaches_to_a_stopped_process_waits_for_it() {
    let daemon = daemon("echo here I am; exec cat", &json!({"autostart": false}));
    let mut seat = Seat::take(&daemon, "p");
    assert_eq!(
        (seat.attached.pid, seat.attached.state),
        (None, State::Stopped)
    );
    daemon.rpc().start(&["p"]);
    assert_eq!(seat.wait_restarted(), daemon.pid("p"));
    seat.wait_output("here I am");
    daemon.rpc().stop(&["p"]);
    let exited = seat.wait_exited();
    assert_eq!((exited.state, exited.retry_in_ms), (State::Stopped, None));
    daemon.rpc().start(&["p"]);
    seat.wait_restarted();
    seat.wait_output("here I am");
}

#[test]
fn who_attaches_to_a_fatal_process_waits_for_it() {
    let sandbox = Sandbox::new();
    let cmd = sandbox.puppet("p", &["--plan", "exit:1,stay"]);
    let daemon = Daemon::start(sandbox, json!({"p": {"cmd": cmd, "startretries": 0}}));
    daemon.wait_state("p", State::Fatal);
    let mut seat = Seat::take(&daemon, "p");
    let found = &seat.attached;
    assert_eq!((found.pid, found.state), (None, State::Fatal));
    assert_eq!((found.exit, found.retry_in_ms), (Some(Exit::Code(1)), None));
    daemon.rpc().start(&["p"]);
    // What the answer said is no news, nor is it for who has asked for the screen since.
    let is_news = |frame: &Frame| matches!(frame, Frame::Restarted(_));
    let seen = seat.until("RESTARTED", is_news);
    assert!(
        !seen.iter().any(|frame| matches!(frame, Frame::Exited(_))),
        "{seen:?}"
    );
    assert_eq!(
        seen.last(),
        Some(&Frame::Restarted(Restarted {
            pid: daemon.pid("p"),
            tty: Tty::Full,
        }))
    );
}

#[test]
fn what_scrolled_off_comes_with_the_first_screen_only() {
    let daemon = daemon("seq 1000 1100; echo end; exec cat", &json!({}));
    eventually("all lines", SOON, || {
        let screen = daemon.ctl().run(&["screen", "p"]);
        harness::check(screen.out.contains("end"), || format!("{screen:?}"))
    });
    let asking = AttachParams {
        history: 1000,
        ..wanting("p")
    };
    let mut seat = Seat::take_as(&daemon, asking);
    assert!(seat.wait_snapshot().contains("1050"));
    seat.send(&Frame::Redraw);
    let again = seat.wait_snapshot();
    assert!(
        again.contains("1100") && !again.contains("1050"),
        "{again:?}"
    );
}

#[test]
fn a_process_that_leaves_the_configuration_ends_its_attachments() {
    let daemon = daemon("exec cat", &json!({}));
    let mut seat = Seat::take(&daemon, "p");
    daemon.reload(&json!({"q": {"cmd": "sleep 1000"}}));
    let seen = seat.until(
        "the end for good",
        |frame| matches!(frame, Frame::Exited(it) if it.gone),
    );
    assert!(seen.len() < 10, "{seen:?}");
    let reason = seat.wait_detached();
    assert_eq!(reason, "it is not in the configuration any more");
    daemon.wait_log(&["detached from p"]);
}

// Who waits for the end of a process gets its exit code, however the end came.
#[test]
fn a_process_that_is_removed_still_ends_with_its_status() {
    let cmd = "trap 'exit 42' TERM; echo ready; while :; do sleep 0.01; done";
    let daemon = daemon(cmd, &json!({}));
    let mut seat = Seat::take(&daemon, "p");
    let is_ready = |frame: &Frame| match frame {
        Frame::Output(bytes) | Frame::Snapshot(bytes) => {
            bytes.windows(5).any(|text| text == b"ready")
        }
        _ => false,
    };
    seat.until("a trap", is_ready);
    daemon.reload(&json!({"q": {"cmd": "sleep 1000"}}));
    let exited = seat.wait_exited();
    assert!(exited.gone, "{exited:?}");
    assert_eq!(exited.exit, Some(Exit::Code(42)));
}

#[test]
fn the_end_of_the_daemon_ends_all_attachments() {
    let mut daemon = daemon("exec cat", &json!({}));
    let mut seats = [Seat::take(&daemon, "p"), Seat::take(&daemon, "p")];
    daemon.stop();
    for seat in &mut seats {
        let seen = seat.until(
            "the end for good",
            |frame| matches!(frame, Frame::Exited(it) if it.gone),
        );
        assert!(seen.len() < 10, "{seen:?}");
        seat.wait_detached();
    }
}
