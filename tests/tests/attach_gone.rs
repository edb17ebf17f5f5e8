//! The client attached while the daemon dies: it waits for what is left to be done, and for nothing else.

use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Stdio};
use std::thread;

use harness::fake::{Fake, running};
use harness::{Ctl, LATER, Sandbox, check, eventually, json, proc};
use nix::sys::signal::Signal;
use shared::frame::Frame;

/// More than all that is on the way can hold.
const FLOOD_LEN: usize = 16 * 1024 * 1024;

/// A client in a pipe, whose output nobody reads, of whose input nobody takes anything, and whose daemon has gone.
fn forsaken() -> Child {
    let sandbox = Sandbox::new();
    let fake = Fake::new(&sandbox);
    let mut command = Ctl::new(&sandbox.path("socket")).command();
    command.args(["attach", "w"]).stderr(Stdio::null());
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut client = command.spawn().expect("taskmasterctl can be started");
    let mut visitor = fake.accept();
    visitor.answer(&json!(running()));
    let mut input = client.stdin.take().expect("standard input is a pipe");
    // It ends with the client at the latest.
    thread::spawn(move || input.write_all(&vec![b'x'; FLOOD_LEN]));
    let output = Frame::Output(vec![b'y'; FLOOD_LEN]).to_bytes();
    let mut taken = 0;
    eventually("a client that takes no more", LATER, || {
        let more = visitor.offer(&output[taken..]);
        taken += more;
        proc::wait_at_rest(visitor.pid);
        check(more == 0, || format!("{more} bytes taken"))
    });
    client
}

#[test]
fn a_client_without_a_daemon_waits_at_rest_for_who_reads_its_output() {
    let mut client = forsaken();
    proc::wait_at_rest(client.id() as i32);
    let mut output = client.stdout.take().expect("standard output is a pipe");
    let mut printed = Vec::new();
    output.read_to_end(&mut printed).expect("output comes");
    assert!(printed.len() > 64 * 1024, "{} bytes", printed.len());
    assert_eq!(client.wait().expect("it ends").code(), Some(7));
}

#[test]
fn a_client_without_a_daemon_ends_when_nobody_will_read_its_output() {
    let mut client = forsaken();
    drop(client.stdout.take());
    assert_eq!(client.wait().expect("it ends").code(), Some(141));
    let mut client = forsaken();
    proc::signal(client.id() as i32, Signal::SIGTERM);
    let signal = client.wait().expect("it ends").signal();
    assert_eq!(signal, Some(Signal::SIGTERM as i32));
}
