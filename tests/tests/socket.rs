//! The control socket: it lives as long as the daemon, and nobody else's file is ever touched.

use std::fs;
use std::io::IoSlice;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixListener;
use std::time::Duration;

use harness::{Daemon, Rpc, SOON, Sandbox, State, eventually, json, throughout};
use nix::sys::signal::Signal;
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};

fn daemon(sandbox: Sandbox) -> Daemon {
    let cmd = sandbox.puppet("p", &["--brief"]);
    let daemon = Daemon::start(sandbox, json!({"p": {"cmd": cmd, "starttime": "50ms"}}));
    daemon.wait_state("p", State::Running);
    daemon
}

fn wait_answer(daemon: &Daemon) {
    eventually("an answer", SOON, || {
        let mut rpc = Rpc::connect(&daemon.socket()).map_err(|error| error.to_string())?;
        rpc.status();
        Ok::<_, String>(())
    });
}

// Something sweeps /tmp at night. Connections that are there go on, and USR2 brings the socket back.
#[test]
fn a_socket_that_was_removed_comes_back_on_sigusr2() {
    let daemon = daemon(Sandbox::new());
    let pid = daemon.pid("p");
    let mut early = daemon.rpc();
    for _ in 0..3 {
        fs::remove_file(daemon.socket()).expect("a socket can be removed");
        assert_eq!(early.status().processes.len(), 1);
        daemon.signal(Signal::SIGUSR2);
        wait_answer(&daemon);
    }
    assert_eq!(daemon.pid("p"), pid);
    daemon.wait_log(&["made", "sock", "again"]);
}

#[test]
fn what_somebody_else_put_in_its_place_is_left_alone() {
    let mut daemon = daemon(Sandbox::new());
    let mut early = daemon.rpc();
    fs::remove_file(daemon.socket()).expect("a socket can be removed");
    daemon.sandbox().write("sock", "precious");
    daemon.signal(Signal::SIGUSR2);
    daemon.wait_log(&["sock", "is no socket"]);
    assert_eq!(daemon.sandbox().read("sock"), b"precious");
    assert_eq!(early.status().processes.len(), 1, "who is in stays in");

    fs::remove_file(daemon.socket()).expect("a file can be removed");
    let foreign = UnixListener::bind(daemon.socket()).expect("a socket can be bound");
    daemon.signal(Signal::SIGUSR2);
    daemon.wait_log(&["sock", "another program listens"]);
    assert!(daemon.socket().exists());

    daemon.stop();
    assert!(daemon.socket().exists(), "a foreign socket was removed");
    drop(foreign);
}

// Descriptors that a client sends along are closed unseen: nobody fills our table with his files.
#[test]
fn descriptors_sent_along_are_not_kept() {
    let daemon = daemon(Sandbox::new());
    let mut rpc = daemon.rpc();
    rpc.status();
    let before = daemon.fds().len();
    let null = fs::File::open("/dev/null").expect("there is a null device");
    let many = [null.as_fd().as_raw_fd(); 253];
    let request = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"version\"}\n";
    let mut answered = 0;
    for _ in 0..20 {
        let stream = rpc.stream().as_raw_fd();
        let rights = [ControlMessage::ScmRights(&many)];
        let bytes = [IoSlice::new(request)];
        if sendmsg::<()>(stream, &bytes, &rights, MsgFlags::MSG_NOSIGNAL, None).is_err() {
            break;
        }
        match rpc.line(SOON) {
            Ok(Some(line)) => {
                assert!(line.contains("result"), "{line}");
                answered += 1;
            }
            Ok(None) => break,
            Err(error) => panic!("{error}"),
        }
    }
    eprintln!("{answered} of 20 requests with 253 descriptors each were answered");
    let kept = || {
        let now = daemon.fds().len();
        harness::check(now <= before, || format!("{now} where there were {before}"))
    };
    throughout("descriptors as before", Duration::from_millis(100), kept);
    assert_eq!(daemon.rpc().status().processes.len(), 1);
}
