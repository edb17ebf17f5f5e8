//! Clients at a terminal that mean harm: what they send has no answer without a limit, and others are served.

use std::io::Write;

use harness::seat::{size, wanting};
use harness::{Daemon, Sandbox, Seat, json};
use shared::api::AttachParams;
use shared::frame::Frame;

/// How much the daemon may grow for one client that does not read, in KiB.
const GROWTH_KIB: u64 = 4 * 1024;
/// Far more than all the queues on the way hold, in bytes.
const FLOOD_LEN: usize = 1024 * 1024;

/// A full screen, drawn by an engine, and whatever is typed.
fn daemon() -> Daemon {
    let draw = r"printf '\033[2J\033[H'; seq 1000 1200; printf '\033[5;5H'";
    let cmd = ["sh", "-c", &format!("{draw}; exec cat")];
    let daemon = Daemon::start(
        Sandbox::new(),
        json!({"p": {"cmd": cmd}, "q": {"cmd": "cat"}}),
    );
    Seat::take(&daemon, "p").leave();
    daemon
}

fn only_looking() -> AttachParams {
    AttachParams {
        read_only: true,
        ..wanting("p")
    }
}

/// Sends these frames again and again and reads nothing; then somebody else is served, by a daemon of its old size.
#[track_caller]
fn flood(daemon: &Daemon, params: AttachParams, frames: &[Frame]) {
    let mut hostile = Seat::take_as(daemon, params);
    let lap: Vec<u8> = frames.iter().flat_map(Frame::to_bytes).collect();
    let lap = lap.repeat(4096 / lap.len() + 1);
    let before = daemon.rss_kib();
    let mut sent = 0;
    while sent < FLOOD_LEN {
        hostile.stream().write_all(&lap).expect("frames are taken");
        sent += lap.len();
    }
    let mut witness = Seat::take(daemon, "q");
    witness.type_in("well\n");
    witness.wait_output("well\r\nwell\r\n");
    let grown = daemon.rss_kib().saturating_sub(before);
    assert!(grown < GROWTH_KIB, "grown by {grown} KiB for {frames:?}");
    // What is left unread does not keep it from leaving either.
    hostile.stream().write_all(&Frame::Detach.to_bytes()).ok();
    witness.leave();
}

#[test]
fn typing_that_is_refused_is_not_answered_each_time() {
    flood(&daemon(), only_looking(), &[Frame::Input(vec![])]);
}

#[test]
fn a_screen_that_is_asked_for_again_and_again_is_shown_once() {
    let daemon = daemon();
    flood(&daemon, only_looking(), &[Frame::Redraw]);
    flood(&daemon, wanting("p"), &[Frame::Redraw]);
}

#[test]
fn sizes_that_change_without_an_end_cost_nothing() {
    let sizes = [size(500, 1000), size(30, 100)].map(Frame::Resize);
    flood(&daemon(), wanting("p"), &sizes);
}

#[test]
fn typing_without_reading_the_echo_is_skipped_over() {
    flood(&daemon(), wanting("p"), &[Frame::Input(b"x\n".to_vec())]);
}
