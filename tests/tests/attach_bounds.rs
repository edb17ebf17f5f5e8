//! What the daemon does for clients at a terminal that cannot keep up, and with those that misbehave.

use harness::seat::wanting;
use harness::{Daemon, LATER, Sandbox, Seat, State, json};
use shared::api::{AttachParams, Call, Stream, TailParams};
use shared::frame::Frame;
use shared::rpc::code;

/// How much the daemon may grow for one client that does not read, in KiB.
const GROWTH_KIB: u64 = 4 * 1024;

fn cat(more: &str) -> Daemon {
    let program = json!({"cmd": ["sh", "-c", format!("{more}exec cat")]});
    Daemon::start(Sandbox::new(), json!({"p": program}))
}

// The process waits for nobody, and nobody costs more than a queue.
#[test]
fn a_client_that_does_not_read_holds_nothing_up_and_is_shown_the_end() {
    let sandbox = Sandbox::new();
    let orders = ["--flood", "33554432", "--write-out", "the end"];
    let cmd = sandbox.puppet("p", &orders);
    let daemon = Daemon::start(sandbox, json!({"p": {"cmd": cmd, "autostart": false}}));
    let mut seat = Seat::take(&daemon, "p");
    let before = daemon.rss_kib();
    daemon.rpc().start(&["p"]);
    let ledger = daemon.sandbox().ledger("p");
    ledger.wait("wrote", 1, LATER);
    let grown = daemon.rss_kib().saturating_sub(before);
    assert!(grown < GROWTH_KIB, "grown by {grown} KiB");
    let is_skipped = |frame: &Frame| matches!(frame, Frame::Skipped(_));
    seat.until("SKIPPED", is_skipped);
    // What was still in the terminal when the screen was painted comes behind it.
    let mut shown = Vec::new();
    seat.until("the end", |frame| {
        if let Frame::Snapshot(bytes) | Frame::Output(bytes) = frame {
            shown.extend_from_slice(bytes);
        }
        String::from_utf8_lossy(&shown).contains("the end")
    });
}

#[test]
fn what_a_client_is_shown_and_what_it_is_told_to_have_missed_is_all_there_was() {
    const LEN: u64 = 3_000_000;
    let orders = "stty raw -echo; printf ready; while read len; do yes | head -c $len; done";
    let program = json!({"cmd": ["sh", "-c", orders], "autostart": false});
    let daemon = Daemon::start(Sandbox::new(), json!({"p": program}));
    let (mut slow, mut quick) = (Seat::take(&daemon, "p"), Seat::take(&daemon, "p"));
    daemon.rpc().start(&["p"]);
    slow.wait_output("ready");
    quick.wait_output("ready");
    let mut skipped = 0;
    for _ in 0..4 {
        quick.type_in(&format!("{LEN}\n"));
        let mut read_all = |seat: &mut Seat| {
            let mut seen = 0;
            seat.until("all of the flood", |frame| {
                seen += match frame {
                    Frame::Output(bytes) => bytes.len() as u64,
                    Frame::Skipped(len) => {
                        skipped += len;
                        *len
                    }
                    _ => 0,
                };
                assert!(seen <= LEN, "{seen} bytes of {LEN}");
                seen == LEN
            });
        };
        read_all(&mut quick);
        read_all(&mut slow);
    }
    assert!(skipped > 0);
}

// The last word is the one that counts; it comes however much was dropped before it.
#[test]
fn a_client_that_does_not_keep_up_is_told_why_it_is_detached() {
    let daemon = cat("while :; do echo flood; done & ");
    let mut slow = Seat::take(&daemon, "p");
    let mut witness = Seat::take(&daemon, "p");
    let mut passed = 0;
    // More than all the queues on the way to the other one hold.
    witness.until("a flood", |frame| {
        if let Frame::Output(bytes) = frame {
            passed += bytes.len();
        }
        passed > 2 * 1024 * 1024
    });
    slow.type_in("typed ahead");
    let steal = AttachParams {
        steal: true,
        ..wanting("p")
    };
    let thief = Seat::take_as(&daemon, steal);
    assert_eq!(thief.attached.others, 0);
    let reason = slow.wait_detached();
    assert!(reason.ends_with("took over"), "{reason:?}");
}

#[test]
fn frames_that_are_wrong_end_their_own_connection_only() {
    let daemon = cat("");
    let mut witness = Seat::take(&daemon, "p");
    let wrong: [&[u8]; 4] = [
        b"\x01\xff\xff\xff\xff",
        b"\x63\0\0\0\0",
        b"\x12\0\0\0\x01x",
        b"\x02\0\0\0\x01x",
    ];
    for bytes in wrong {
        use std::io::Write;
        let mut seat = Seat::take(&daemon, "p");
        seat.stream().write_all(bytes).expect("bytes are taken");
        let reason = seat.wait_detached();
        assert!(!reason.is_empty(), "{bytes:?}");
    }
    witness.type_in("well\n");
    witness.wait_output("well\r\nwell\r\n");
}

#[test]
fn a_version_nobody_speaks_is_refused_and_the_connection_goes_on() {
    let daemon = cat("");
    let mut rpc = daemon.rpc();
    let params = AttachParams {
        version: 99,
        ..wanting("p")
    };
    let refused = rpc.call(&Call::Attach(params)).expect_err("a refusal");
    assert_eq!(refused.code, code::ATTACH_VERSION);
    assert_eq!(rpc.status().processes.len(), 1);
    let seat = Seat::on(rpc, wanting("p"));
    assert!(seat.is_ok(), "the right version is spoken");
}

// Lines of JSON would come between the frames.
#[test]
fn who_follows_a_stream_attaches_on_another_connection() {
    let daemon = cat("");
    let mut rpc = daemon.rpc();
    let params = TailParams {
        name: "p".parse().expect("a name"),
        stream: Stream::Stdout,
        bytes: 0,
        follow: true,
    };
    rpc.call(&Call::Tail(params)).expect("a stream to follow");
    let refused = Seat::on(rpc, wanting("p")).err().expect("a refusal");
    assert_eq!(refused.code, code::BUSY);
    assert!(refused.message.contains("on another"), "{refused:?}");
}

#[test]
fn comings_and_goings_are_in_the_log_with_who_it_was() {
    let daemon = cat("");
    let seat = Seat::take(&daemon, "p");
    let me = format!("pid {}", std::process::id());
    daemon.wait_log(&["attached to p", "uid", &me]);
    seat.leave();
    daemon.wait_log(&["detached from p [", "uid", &me]);
    let params = AttachParams {
        term: "vt220".into(),
        read_only: true,
        ..wanting("p")
    };
    let _seat = Seat::take_as(&daemon, params);
    daemon.wait_log(&["attached read-only to p, 24x80 vt220 [", &me]);
    let steal = AttachParams {
        steal: true,
        ..wanting("p")
    };
    let _thief = Seat::take_as(&daemon, steal);
    daemon.wait_log(&[&me, "detached from p, taken over [asked by uid", &me]);
}

// Of the answers only the leader's count; where nobody leads, ours does, or the program would wait for ever.
#[test]
fn the_daemon_answers_for_a_terminal_only_while_nobody_leads_there() {
    let ask = r"stty raw -echo; printf '\033[c'; dd bs=1 count=3 2>/dev/null | od -An -tx1; ";
    let program = json!({"cmd": ["sh", "-c", format!("{ask}echo asked; exec sleep 1000")],
                         "autostart": false});
    let daemon = Daemon::start(Sandbox::new(), json!({"p": program}));
    let watcher = AttachParams {
        read_only: true,
        ..wanting("p")
    };
    let mut watcher = Seat::take_as(&daemon, watcher);
    daemon.rpc().start(&["p"]);
    watcher.wait_output("1b 5b 3f");
    let pipe = AttachParams {
        rows: 0,
        cols: 0,
        ignore_size: true,
        ..wanting("p")
    };
    let pipe = Seat::take_as(&daemon, pipe);
    daemon.rpc().restart(&["p"]);
    watcher.wait_output("1b 5b 3f");
    pipe.leave();
    let plain = AttachParams {
        plain: true,
        ..wanting("p")
    };
    let plain = Seat::take_as(&daemon, plain);
    assert!(plain.attached.leader);
    daemon.rpc().restart(&["p"]);
    watcher.wait_output("1b 5b 3f");
    plain.leave();
    // Who leaves the size alone has a terminal that answers, and need not lead for that.
    let guest = AttachParams {
        ignore_size: true,
        ..wanting("p")
    };
    let mut guest = Seat::take_as(&daemon, guest);
    assert!(!guest.attached.leader);
    daemon.rpc().restart(&["p"]);
    guest.wait_output("\x1b[c");
    guest.type_in("\x1b[?1c");
    guest.wait_output("1b 5b 3f");
    guest.leave();
    let mut typist = Seat::take(&daemon, "p");
    daemon.rpc().restart(&["p"]);
    typist.wait_output("\x1b[c");
    typist.type_in("abc");
    typist.wait_output("61 62 63");
}

// What a terminal says comes in as many pieces as it likes; what somebody types does not wait for more.
#[test]
fn what_the_terminal_of_another_says_goes_nowhere_in_pieces_either() {
    let program = json!({"cmd": ["sh", "-c", "stty raw -echo; echo ready; exec cat -v"]});
    let daemon = Daemon::start(Sandbox::new(), json!({"p": program}));
    let mut other = Seat::take(&daemon, "p");
    let mut leader = Seat::take(&daemon, "p");
    other.wait_frame(&Frame::Leader(false));
    leader.until("a raw terminal", |frame| match frame {
        Frame::Output(bytes) | Frame::Snapshot(bytes) => {
            String::from_utf8_lossy(bytes).contains("ready")
        }
        _ => false,
    });
    let pieces = ["\x1b[", "24;8", "0R", "\x1b", "]11;rgb:0/0", "/0\x1b", "\\"];
    let frame = |piece: &str| Frame::Input(piece.into()).to_bytes();
    let frames: Vec<u8> = pieces.into_iter().flat_map(frame).collect();
    // In one go: a pause would be that of somebody who types.
    std::io::Write::write_all(other.stream(), &frames).expect("frames are taken");
    other.send(&Frame::Redraw);
    other.wait_snapshot();
    leader.type_in("(");
    let seen = leader.wait_output("(");
    assert_eq!(seen.last(), Some(&Frame::Output(b"(".to_vec())), "{seen:?}");
    other.type_in("\x1b");
    leader.wait_output("^[");
    other.wait_frame(&Frame::Leader(true));
}

#[test]
fn what_is_sent_is_on_the_screen() {
    let daemon = cat("");
    let sent = daemon.ctl().run(&["send", "p", r"echo hi\n"]);
    assert_eq!(sent.code, Some(0), "{sent:?}");
    harness::eventually("the text on the screen", LATER, || {
        let screen = daemon.ctl().run(&["screen", "p"]);
        let twice = screen.out.matches("echo hi").count() == 2;
        harness::check(twice, || format!("{screen:?}"))
    });
    let screen = daemon.ctl().run(&["--json", "screen", "p"]);
    assert!(screen.out.contains("echo hi"), "{screen:?}");
}

// Who has typed into a root shell is to be found out; what may have been a password is not.
#[test]
fn what_is_sent_is_told_without_its_text() {
    let daemon = cat("");
    let sent = daemon.ctl().run(&["send", "p", "secret"]);
    assert_eq!(sent.code, Some(0), "{sent:?}");
    let uid = nix::unistd::getuid();
    let log = daemon.log().join("\n");
    let told = format!("INFO 6 bytes typed at p [asked by uid {uid}, pid ");
    assert!(log.contains(&told), "{log}");
    assert!(!log.contains("secret"), "{log}");
}

#[test]
fn what_scrolled_off_the_screen_is_shown_when_asked_for() {
    let daemon = cat("seq 100; ");
    let seen = |words: &[&str]| daemon.ctl().run(&[&["screen", "p"], words].concat()).out;
    harness::eventually("all of it", LATER, || {
        let screen = seen(&[]);
        harness::check(screen.ends_with("\n100\n"), || screen.clone())
    });
    let numbers = |from: u32| (from..=100).map(|n| format!("{n}\n")).collect::<String>();
    assert_eq!(seen(&[]), numbers(78));
    assert_eq!(seen(&["--history", "5"]), numbers(73));
    assert_eq!(seen(&["--history", "1000"]), numbers(1));
}

#[test]
fn what_cannot_be_typed_at_is_named_with_the_reason() {
    let programs = json!({
        "off": {"cmd": "cat", "autostart": false},
        "pipe": {"cmd": "sleep 1000", "tty": "none"},
    });
    let daemon = Daemon::start(Sandbox::new(), programs);
    daemon.wait_state("pipe", State::Running);
    for (words, text, exit) in [
        (&["send", "off", "x"][..], "off: ERROR (not running)\n", 7),
        (&["send", "pipe", "x"], "pipe: ERROR (no terminal)\n", 1),
        (&["screen", "pipe"], "pipe: ERROR (no terminal)\n", 1),
        (&["send", "x", "x"], "x: ERROR (no such process)\n", 1),
        (&["screen", "x"], "x: ERROR (no such process)\n", 1),
    ] {
        let said = daemon.ctl().run(words);
        assert_eq!((said.out.as_str(), said.code), (text, Some(exit)));
    }
}

// What is pasted into a process that does not read waits, up to a limit; its sender may leave all the same.
#[test]
fn a_client_whose_typing_is_held_back_can_leave() {
    use std::io::Write;
    let program = json!({"cmd": ["sh", "-c", "stty raw -echo; echo ready; exec sleep 1000"]});
    let daemon = Daemon::start(Sandbox::new(), json!({"p": program}));
    let mut seat = Seat::take(&daemon, "p");
    seat.until("a raw terminal", |frame| match frame {
        Frame::Output(bytes) | Frame::Snapshot(bytes) => {
            String::from_utf8_lossy(bytes).contains("ready")
        }
        _ => false,
    });
    let before = daemon.rss_kib();
    let paste = Frame::Input(vec![b'x'; 32 * 1024]).to_bytes();
    let stream = seat.stream();
    let limit = Some(std::time::Duration::from_millis(500));
    stream.set_write_timeout(limit).expect("a limit can be set");
    // Far more than all the queues on the way; the connection takes no more at some point.
    let stuck = (0..256).any(|_| stream.write_all(&paste).is_err());
    assert!(stuck, "eight megabytes went somewhere");
    assert_eq!(daemon.rpc().status().processes.len(), 1);
    let grown = daemon.rss_kib().saturating_sub(before);
    assert!(grown < GROWTH_KIB, "grown by {grown} KiB");
    drop(seat);
    daemon.wait_log(&["detached from p"]);
}
