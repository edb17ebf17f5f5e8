//! Many requests in one breath, and a client that does not stay for the answers.

use std::io::Write;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

use harness::{Daemon, LATER, Sandbox, State, Value, check, eventually, json};

/// More than is read ahead of what is being done.
const REQUESTS: usize = 1500;

fn daemon() -> Daemon {
    let sandbox = Sandbox::new();
    let cmd = sandbox.puppet("p", &["--brief"]);
    let daemon = Daemon::start(sandbox, json!({"p": {"cmd": cmd, "starttime": "50ms"}}));
    daemon.wait_state("p", State::Running);
    daemon
}

/// So many requests, each of which leaves a line in the event log.
fn requests(ids: impl Iterator<Item = Value>) -> Vec<u8> {
    let mut text = Vec::new();
    for id in ids {
        let params = json!({"names": ["p"], "signal": "URG"});
        let mut request = json!({"jsonrpc": "2.0", "method": "signal", "params": params});
        if !id.is_null() {
            request["id"] = id;
        }
        writeln!(text, "{request}").expect("memory takes it");
    }
    assert!(text.len() > shared::rpc::REQUEST_LEN_MAX);
    text
}

fn send(daemon: &Daemon, text: &[u8]) -> UnixStream {
    let mut stream = UnixStream::connect(daemon.socket()).expect("the daemon listens");
    stream.write_all(text).expect("requests are read");
    stream
}

#[track_caller]
fn wait_carried_out(daemon: &Daemon, count: usize) {
    eventually("all requests", LATER, || {
        let log = daemon.log();
        let done = log.iter().filter(|line| line.contains("was sent SIGURG"));
        let done = done.count();
        check(done == count, || format!("{done} of {count}"))
    });
}

// With answers that it leaves unread, its end comes to the daemon as an error as well.
#[test]
fn what_a_client_asked_for_before_it_left_is_carried_out_to_the_last() {
    let daemon = daemon();
    let without = (0..REQUESTS).map(|_| Value::Null);
    drop(send(&daemon, &requests(without)));
    wait_carried_out(&daemon, REQUESTS);
    let with = (0..REQUESTS).map(|id| json!(id));
    drop(send(&daemon, &requests(with)));
    wait_carried_out(&daemon, 2 * REQUESTS);
    let before = daemon.fds().len();
    let half = send(&daemon, b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"sig");
    drop(half);
    eventually("the end of the connection", LATER, || {
        let now = daemon.fds().len();
        check(now <= before, || format!("{now} where there were {before}"))
    });
}

// Nobody reads what is answered, and the answers are more than a socket holds.
#[test]
fn a_client_that_reads_no_answers_and_leaves_loses_no_request() {
    let daemon = daemon();
    let stream = send(&daemon, &requests((0..REQUESTS).map(|id| json!(id))));
    stream.shutdown(Shutdown::Both).expect("it is open");
    wait_carried_out(&daemon, REQUESTS);
}

#[test]
fn a_client_that_says_no_more_is_told_all_it_asked() {
    let daemon = daemon();
    let mut rpc = daemon.rpc();
    let text = requests((0..REQUESTS).map(|id| json!(id)));
    let mut writer = rpc.stream().try_clone().expect("a second handle");
    let writing = std::thread::spawn(move || {
        writer.write_all(&text).expect("requests are read");
        writer.shutdown(Shutdown::Write).expect("it is open");
    });
    for id in 0..REQUESTS {
        let line = rpc.line(LATER).expect("a line").expect("an answer");
        let answer: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(answer["id"], id);
    }
    assert_eq!(rpc.line(LATER), Ok(None));
    writing.join().expect("it is written");
    wait_carried_out(&daemon, REQUESTS);
}

// As `printf` into a pipe leaves it. The end of what is sent ends the last request too, whatever that is; there is
// nobody to be answered where the connection is gone as a whole.
#[test]
fn a_last_request_without_a_newline_is_one_too() {
    let daemon = daemon();
    let version = json!({"jsonrpc": "2.0", "id": 1, "method": "version"}).to_string();
    let batch = format!("[{version},{version}]");
    let first = format!("{version}\n{version}");
    for (text, answers) in [
        (&version, vec!["/result/protocol"]),
        (&first, vec!["/result/protocol", "/result/protocol"]),
        (&batch, vec!["/1/result/protocol"]),
        (&version[..20].to_owned(), vec!["/error/code"]),
        (&" ".to_owned(), vec![]),
    ] {
        let mut rpc = daemon.rpc();
        rpc.send(text.as_bytes()).expect("it is read");
        let stream = rpc.stream();
        stream.shutdown(Shutdown::Write).expect("it is open");
        for pointer in answers {
            let line = rpc.line(LATER).expect("a line").expect("an answer");
            let answer: Value = serde_json::from_str(&line).expect("JSON");
            assert!(answer.pointer(pointer).is_some(), "{text}: {answer}");
        }
        assert_eq!(rpc.line(LATER), Ok(None), "{text}");
    }
    let text = requests((0..REQUESTS).map(|_| Value::Null));
    drop(send(&daemon, text.trim_ascii_end()));
    wait_carried_out(&daemon, REQUESTS);
}
