//! Who is at the terminal of which process, where and how: what `status` tells of those who are attached.

use harness::seat::{size, wait_window, wanting, window_of};
use harness::{Daemon, SOON, Sandbox, Seat, State, Value, check, eventually, json};
use shared::api::{AttachParams, TERM_LEN_MAX, Viewer};
use shared::frame::Frame;
use shared::rpc::code;

fn daemon() -> Daemon {
    let cat = json!({"cmd": "cat", "numprocs": 2});
    let programs = json!({"a": cat, "p": cat, "z": cat});
    Daemon::start(Sandbox::new(), programs)
}

fn from(name: &str, term: &str, rows: u16, cols: u16) -> AttachParams {
    AttachParams {
        term: term.into(),
        rows,
        cols,
        ..wanting(name)
    }
}

fn only_looking(params: AttachParams) -> AttachParams {
    AttachParams {
        read_only: true,
        ..params
    }
}

/// Waits until those who are attached to `p:1` are as wanted.
#[track_caller]
fn wait_viewers(daemon: &Daemon, what: &str, wanted: impl Fn(&[Viewer]) -> bool) -> Vec<Viewer> {
    daemon
        .wait_status("p:1", what, |status| wanted(&status.attached))
        .attached
}

#[test]
fn status_tells_who_is_attached_where_and_how() {
    let daemon = daemon();
    let mut typist = Seat::take_as(&daemon, from("p:1", "xterm-kitty", 30, 100));
    let watcher = Seat::take_as(&daemon, only_looking(from("p:1", "vt220", 20, 60)));
    let seen = wait_viewers(&daemon, "attached twice", |seen| seen.len() == 2);
    let (uid, pid) = (nix::unistd::geteuid().as_raw(), std::process::id() as i32);
    let viewer = |index: usize, rows, cols, term: &str, read_only, leader| Viewer {
        uid,
        user: None,
        pid,
        rows,
        cols,
        term: term.into(),
        read_only,
        leader,
        since: seen[index].since,
    };
    let want = [
        viewer(0, 30, 100, "xterm-kitty", false, true),
        viewer(1, 20, 60, "vt220", true, false),
    ];
    assert_eq!(seen, want);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.expect("it is after 1970").as_millis() as u64;
    let ages = seen.iter().map(|viewer| now.abs_diff(viewer.since));
    assert!(ages.max() < Some(60_000), "{seen:?} at {now}");
    // All of them at once say the same, and nobody else has anybody.
    let everything = daemon.rpc().status().processes;
    for process in everything {
        let want = if process.name == "p:1" {
            &seen[..]
        } else {
            &[]
        };
        assert_eq!(process.attached, want, "{}", process.name);
    }
    typist.send(&Frame::Resize(size(31, 101)));
    let larger = |seen: &[Viewer]| (seen[0].rows, seen[0].cols) == (31, 101);
    wait_viewers(&daemon, "larger", larger);
    watcher.leave();
    wait_viewers(&daemon, "left by one", |seen| seen.len() == 1);
    typist.leave();
    wait_viewers(&daemon, "left by both", <[Viewer]>::is_empty);
}

#[test]
fn status_tells_who_leads() {
    let daemon = daemon();
    let mut first = Seat::take(&daemon, "p:1");
    let _second = Seat::take(&daemon, "p:1");
    let leaders = |seen: &[Viewer]| seen.iter().map(|one| one.leader).collect::<Vec<_>>();
    wait_viewers(&daemon, "led by the last", |seen| {
        leaders(seen) == [false, true]
    });
    first.type_in("x\n");
    wait_viewers(&daemon, "led by who typed", |seen| {
        leaders(seen) == [true, false]
    });
}

// The daemon knows numbers; a name is for people, and so is the line of `status`, which stays supervisor's.
#[test]
fn the_client_adds_the_name_of_the_user_to_the_json() {
    let daemon = daemon();
    daemon.wait_state("a:0", State::Running);
    let plain = daemon.ctl().run(&["status", "a:0"]).out;
    let seat = Seat::take(&daemon, "a:0");
    let said = daemon.ctl().run(&["status", "a:0", "--json"]);
    let status: Value = serde_json::from_str(&said.out).expect("JSON");
    let viewer = &status["processes"][0]["attached"][0];
    let uid = nix::unistd::geteuid();
    let user = nix::unistd::User::from_uid(uid).ok().flatten();
    let user = user.map(|user| user.name);
    assert_eq!(viewer["uid"], uid.as_raw(), "{viewer}");
    assert_eq!(viewer["user"].as_str(), user.as_deref(), "{viewer}");
    let columns = |text: &str| text.split_whitespace().count();
    let watched = daemon.ctl().run(&["status", "a:0"]).out;
    assert_eq!(columns(&watched), columns(&plain), "{watched}");
    drop(seat);
    eventually("nobody attached", SOON, || {
        let said = daemon.ctl().run(&["--json", "status"]).out;
        check(!said.contains("attached"), || said.clone())
    });
}

// Somebody who helps from a small terminal does not make everybody's small.
#[test]
fn who_leaves_the_size_alone_types_and_never_leads() {
    let daemon = daemon();
    let pid = daemon.pid("p:1");
    let guest = AttachParams {
        ignore_size: true,
        ..from("p:1", "xterm", 10, 40)
    };
    let mut guest = Seat::take_as(&daemon, guest);
    assert!(!guest.attached.leader);
    let mut host = Seat::take_as(&daemon, from("p:1", "xterm", 30, 100));
    wait_window(pid, 30, 100);
    guest.send(&Frame::Resize(size(11, 41)));
    guest.type_in("typed all the same\n");
    let seen = host.wait_output("typed all the same\r\ntyped all the same\r\n");
    assert!(!seen.contains(&Frame::Leader(false)), "{seen:?}");
    assert_eq!(window_of(pid).ok(), Some((30, 100)));
    let seen = wait_viewers(&daemon, "attached twice", |seen| seen.len() == 2);
    let told: Vec<_> = seen.iter().map(|one| (one.rows, one.leader)).collect();
    assert_eq!(told, [(11, false), (30, true)]);
}

// It is kept for as long as the client stays.
#[test]
fn a_kind_of_terminal_is_no_novel() {
    let daemon = daemon();
    let kind = |len| from("p:1", &"x".repeat(len), 24, 80);
    let refused = Seat::ask(&daemon, kind(TERM_LEN_MAX + 1)).err();
    assert_eq!(refused.map(|error| error.code), Some(code::INVALID_PARAMS));
    assert!(Seat::ask(&daemon, kind(TERM_LEN_MAX)).is_ok());
}

// Whoever asks the daemon itself learns what is wrong, as who asks taskmasterctl does.
#[test]
fn who_only_looks_detaches_nobody() {
    let daemon = daemon();
    let mut first = Seat::take(&daemon, "p:1");
    let thief = AttachParams {
        read_only: true,
        steal: true,
        ..from("p:1", "xterm", 24, 80)
    };
    let refused = Seat::ask(&daemon, thief).err().expect("a refusal");
    assert_eq!(refused.code, code::INVALID_PARAMS);
    assert!(refused.message.contains("read_only"), "{refused:?}");
    first.type_in("still here\n");
    first.wait_output("still here\r\nstill here\r\n");
}
