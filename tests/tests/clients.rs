//! Clients that misbehave, clients that are many, and daemons that are too many.

use std::io::Write;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use harness::{
    Daemon, LATER, Rpc, SOON, Sandbox, Seat, Setup, State, Value, bins, check, eventually, json,
    pause, proc,
};
use nix::sys::signal::Signal;
use shared::rpc::code;

fn daemon(sandbox: Sandbox) -> Daemon {
    let cmd = sandbox.puppet("p", &["--brief"]);
    let sleeper = json!({"cmd": cmd, "starttime": "50ms", "autostart": false});
    let programs = json!({"p": {"cmd": cmd, "starttime": "50ms"}, "off": sleeper});
    let daemon = Daemon::start(sandbox, programs);
    daemon.wait_state("p", State::Running);
    daemon
}

fn answer(rpc: &mut Rpc) -> Value {
    let line = rpc.line(SOON).expect("a line").expect("an answer");
    serde_json::from_str(&line).expect("JSON")
}

// What is no request gets an error that says so, with the id where it can be read; three of them are enough.
#[test]
fn garbage_gets_an_error_and_then_the_door() {
    let daemon = daemon(Sandbox::new());
    let lines: [(&[u8], i64); 8] = [
        (b"{\n", code::PARSE_ERROR),
        (b"\xff\xfe\n", code::PARSE_ERROR),
        (b"[]\n", code::INVALID_REQUEST),
        (
            b"{\"jsonrpc\":\"2.0\",\"id\":1e999,\"method\":\"status\"}\n",
            code::PARSE_ERROR,
        ),
        (
            b"{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"status\"}\n",
            code::INVALID_REQUEST,
        ),
        (
            b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"__class__\"}\n",
            code::METHOD_NOT_FOUND,
        ),
        (
            b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"start\",\"params\":[\"p\"]}\n",
            code::INVALID_PARAMS,
        ),
        (
            b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"start\",\"params\":{\"nmaes\":[]}}\n",
            code::INVALID_PARAMS,
        ),
    ];
    for (line, wanted) in lines {
        let mut rpc = daemon.rpc();
        rpc.send(line).expect("it is read");
        assert_eq!(
            answer(&mut rpc)["error"]["code"],
            wanted,
            "{}",
            String::from_utf8_lossy(line)
        );
        assert_eq!(rpc.status().processes.len(), 2, "one error is forgiven");
    }
    let mut rpc = daemon.rpc();
    for _ in 0..10 {
        rpc.send(b"nonsense\n").ok();
    }
    let mut errors = 0;
    while let Ok(Some(_)) = rpc.line(SOON) {
        errors += 1;
    }
    assert!((3..10).contains(&errors), "{errors} errors before the door");
}

#[test]
fn a_line_that_is_too_long_is_refused_and_not_kept() {
    let daemon = daemon(Sandbox::new());
    let rss = daemon.rss_kib();
    let mut rpc = daemon.rpc();
    let chunk = vec![b'x'; 64 * 1024];
    for _ in 0..160 {
        if rpc.send(&chunk).is_err() {
            break;
        }
    }
    eventually("the end of the connection", SOON, || {
        match rpc.line(Duration::from_millis(50)) {
            Ok(None) => Ok(()),
            Ok(Some(line)) => Err(line),
            Err(error) if error.contains("no line") => Err(error),
            Err(_) => Ok(()),
        }
    });
    let grown = daemon.rss_kib().saturating_sub(rss);
    assert!(grown < 2048, "{grown} KiB more");
}

// Requests in one breath are answered in their order; half a request waits for its other half.
#[test]
fn pipelined_requests_are_answered_in_order_and_halves_wait() {
    let daemon = daemon(Sandbox::new());
    let mut rpc = daemon.rpc();
    let mut text = String::new();
    for id in 0..1000 {
        text.push_str(&format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"version\"}}\n"
        ));
    }
    let (head, tail) = text.split_at(text.len() - 7);
    let mut writer = rpc.stream().try_clone().expect("a second handle");
    writer
        .write_all(head.as_bytes())
        .expect("requests are read");
    for id in 0..999 {
        assert_eq!(answer(&mut rpc)["id"], id);
    }
    assert!(
        rpc.line(Duration::from_millis(100)).is_err(),
        "an answer to half a request"
    );
    writer
        .write_all(tail.as_bytes())
        .expect("requests are read");
    assert_eq!(answer(&mut rpc)["id"], 999);
}

#[test]
fn a_batch_is_answered_as_a_batch_and_a_notification_not_at_all() {
    let daemon = daemon(Sandbox::new());
    let mut rpc = daemon.rpc();
    rpc.send(b"{\"jsonrpc\":\"2.0\",\"method\":\"version\"}\n")
        .expect("it is read");
    rpc.send(b"[{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"version\"},{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"status\"},7]\n")
        .expect("it is read");
    let batch = answer(&mut rpc);
    let ids: Vec<&Value> = batch
        .as_array()
        .expect("an array")
        .iter()
        .map(|one| &one["id"])
        .collect();
    assert_eq!(ids.len(), 3, "{batch}");
    assert!(ids.contains(&&json!("a")) && ids.contains(&&json!(2)) && ids.contains(&&Value::Null));
}

// Whoever asks and never reads is cut off or waits; nobody else notices.
#[test]
fn a_client_that_never_reads_harms_nobody() {
    let daemon = daemon(Sandbox::new());
    let rss = daemon.rss_kib();
    let mut deaf = daemon.rpc();
    deaf.stream()
        .set_nonblocking(true)
        .expect("a flag can be set");
    let request = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\"}\n".repeat(1000);
    for _ in 0..50 {
        deaf.send(&request).ok();
        assert_eq!(daemon.rpc().status().processes.len(), 2);
    }
    let grown = daemon.rss_kib().saturating_sub(rss);
    assert!(grown < 8 * 1024, "{grown} KiB more");
    let cpu = daemon.cpu_ms();
    pause(Duration::from_millis(500));
    assert!(daemon.cpu_ms() - cpu < 250, "it spins");
}

// A thousand connections that say nothing: whoever has something to say is heard, and the slots come back.
#[test]
fn silent_connections_do_not_lock_anybody_out() {
    let daemon = daemon(Sandbox::new());
    let fds = daemon.fds().len();
    let mut silent = Vec::new();
    for _ in 0..300 {
        silent.extend(UnixStream::connect(daemon.socket()).ok());
    }
    drop(silent.split_off(200.min(silent.len())));
    let start = Instant::now();
    eventually("an answer", SOON, || {
        let mut rpc = Rpc::connect(&daemon.socket()).map_err(|error| error.to_string())?;
        rpc.send(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"version\"}\n")
            .map_err(|error| error.to_string())?;
        rpc.line(Duration::from_secs(1))?
            .ok_or_else(|| "hung up".to_owned())
    });
    eprintln!(
        "answered after {:?} among {} silent ones",
        start.elapsed(),
        silent.len()
    );
    drop(silent);
    eventually("the descriptors of before", SOON, || {
        let now = daemon.fds().len();
        check(now <= fds, || format!("{now} where there were {fds}"))
    });
}

// Who has asked once may sit there for ever. The one too many waited for a place without a word.
#[test]
fn one_connection_too_many_is_told_so_and_a_place_that_is_left_is_free() {
    let mut daemon = daemon(Sandbox::new());
    let ask = |_| {
        let mut rpc = daemon.rpc();
        rpc.status();
        rpc
    };
    for _ in 0..2 {
        let idle: Vec<Rpc> = (0..256).map(ask).collect();
        let mut extra = daemon.rpc();
        assert_eq!(answer(&mut extra)["error"]["code"], code::BUSY);
        let said = daemon.ctl().run(&["status"]);
        assert_eq!(said.out, "ERROR: too many connections\n", "{said:?}");
        drop(idle);
    }
    assert_eq!(daemon.rpc().status().processes.len(), 2);
    daemon.stop();
    let log = daemon.log();
    let refused = log.iter().filter(|line| line.contains("client refused"));
    assert_eq!(refused.count(), 2, "one at once, and the others at the end");
}

// Of fifty daemons started at once on one socket, one lives; the others say why and touch nothing.
#[test]
fn of_many_daemons_one_lives() {
    let daemon = daemon(Sandbox::new());
    let config = daemon.sandbox().path("tm.yaml");
    let start = || {
        let mut command = Command::new(bins::taskmasterd());
        command
            .arg("-c")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.spawn().expect("taskmasterd starts")
    };
    let mut others: Vec<_> = (0..20).map(|_| start()).collect();
    for other in &mut others {
        let code = eventually("the end of a second daemon", LATER, || {
            other.try_wait().ok().flatten().ok_or("it runs")
        });
        assert_eq!(code.code(), Some(1));
    }
    assert_eq!(daemon.rpc().status().processes.len(), 2);
    assert_eq!(daemon.sandbox().ledger("p").all("start").len(), 1);
}

#[test]
fn a_stale_socket_is_replaced_and_a_foreign_object_is_not() {
    let sandbox = Sandbox::new();
    drop(UnixListener::bind(sandbox.path("sock")).expect("a socket can be bound"));
    assert!(sandbox.path("sock").exists());
    let daemon = daemon(sandbox);
    drop(daemon);
    let sandbox = Sandbox::new();
    sandbox.write("sock", "precious");
    sandbox.write("tm.yaml", harness::daemon::config(&sandbox, &json!({})));
    let mut daemon = Daemon::launch(sandbox, Setup::default());
    assert_eq!(daemon.wait_exit(SOON).code(), Some(1));
    assert_eq!(daemon.sandbox().read("sock"), b"precious");
}

#[test]
fn a_daemon_killed_by_force_leaves_a_socket_that_the_next_one_takes_over() {
    let mut daemon = daemon(Sandbox::new());
    daemon.signal(Signal::SIGKILL);
    daemon.wait_exit(SOON);
    let said = daemon.ctl().run(&["status"]);
    assert_eq!(said.code, Some(4), "{said:?}");
    let mut second = Command::new(bins::taskmasterd())
        .arg("-c")
        .arg(daemon.sandbox().path("tm.yaml"))
        .env("TM_SANDBOX", daemon.sandbox().dir())
        .stdin(Stdio::null())
        .spawn()
        .expect("taskmasterd starts");
    eventually("an answer of the second", SOON, || {
        Rpc::connect(&daemon.socket()).map(|mut rpc| rpc.status())
    });
    proc::signal(second.id() as i32, Signal::SIGTERM);
    assert!(second.wait().expect("it ends").success());
}

/// The answer to one request with these names.
fn ask(rpc: &mut Rpc, method: &str, names: &[String]) -> Value {
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": {"names": names}})
        .to_string();
    assert!(request.len() < shared::rpc::REQUEST_LEN_MAX);
    rpc.send(format!("{request}\n").as_bytes())
        .expect("it is read");
    answer(rpc)
}

// A request is short and may still ask for a lot: names by the thousand, and patterns, each of which is held against
// every program there is and may mean them all.
#[test]
fn the_names_of_a_request_are_bounded_and_each_process_is_dealt_with_once() {
    let daemon = daemon(Sandbox::new());
    let mut rpc = daemon.rpc();
    let patterns = |count| -> Vec<String> { (1..=count).map(|n| "*".repeat(n)).collect() };
    let filled = |name: &str| [patterns(32), vec![name.to_owned(); 968]].concat();
    for names in [filled("off"), filled("off:*")] {
        let answer = ask(&mut rpc, "restart", &names);
        let results = answer["result"]["results"].as_array().expect("results");
        assert_eq!(results.len(), 2, "{answer}");
        let answer = ask(&mut rpc, "status", &names);
        let processes = answer["result"]["processes"].as_array().expect("processes");
        assert_eq!(processes.len(), 2, "{answer}");
    }
    for method in ["restart", "status", "clear", "pid"] {
        for (names, most) in [
            (vec!["off".to_owned(); 1001], "names: 1000 at most;"),
            (patterns(33), "names: 32 patterns at most,"),
            (vec!["all".to_owned(); 33], "names: 32 patterns at most,"),
        ] {
            let answer = ask(&mut rpc, method, &names);
            assert_eq!(answer["error"]["code"], code::INVALID_PARAMS, "{answer}");
            let said = answer["error"]["message"].as_str().expect("a message");
            assert!(said.starts_with(most), "{said}");
        }
    }
    let line = daemon.wait_log(&["command restart", "and 980 more"]);
    assert!(line.len() < 1000, "{line}");
}

// The answers of a batch are kept until the last is there, so a line of 16 KB could ask for a hundred megabytes.
#[test]
fn a_batch_that_asks_for_too_much_is_refused_the_rest_and_costs_little() {
    let many = json!({"cmd": "true", "numprocs": 1000, "autostart": false});
    let daemon = Daemon::start(Sandbox::new(), json!({"many": many}));
    let mut rpc = daemon.rpc();
    rpc.status();
    let before = daemon.rss_kib();
    let one = |id: usize| json!({"jsonrpc": "2.0", "id": id, "method": "status"});
    let batch: Value = (0..256).map(one).collect();
    for _ in 0..3 {
        rpc.send(format!("{batch}\n").as_bytes())
            .expect("it is read");
        let answers = answer(&mut rpc);
        let answers = answers.as_array().expect("an array");
        assert_eq!(answers.len(), 256);
        let done = answers.iter().take_while(|one| one["result"].is_object());
        let done = done.count();
        assert!(done > 2, "{done}");
        for (id, answer) in answers.iter().enumerate() {
            assert_eq!(answer["id"], id);
            assert!(id < done || answer["error"]["code"] == code::BUSY, "{id}");
        }
        assert_eq!(rpc.status().processes.len(), 1000, "the next is a new one");
    }
    let grown = daemon.rss_kib().saturating_sub(before);
    assert!(grown < 32 * 1024, "{grown} KiB more");
}

// What the daemon is about to leave behind is not changed any more; a process may ask something before it ends.
#[test]
fn during_a_shutdown_questions_are_answered_and_nothing_is_changed() {
    let script = "trap '' TERM; stty raw -echo; echo ready; exec cat";
    let sandbox = Sandbox::new();
    let keys = json!({"cmd": ["sh", "-c", script], "stoptime": 600,
        "stdout": sandbox.path("p.out")});
    let mut daemon = Daemon::start(sandbox, json!({"p": keys}));
    let kept = || daemon.ctl().run(&["tail", "p"]).out;
    eventually("a raw terminal", SOON, || {
        check(kept().contains("ready"), kept)
    });
    let mut seat = Seat::take(&daemon, "p");
    daemon.signal(Signal::SIGTERM);
    daemon.wait_log(&["p (pid ", "stopping with SIGTERM"]);
    for words in [
        &["start", "p"][..],
        &["stop", "p"],
        &["signal", "TERM", "p"],
        &["send", "p", "sent"],
        &["clear", "p"],
    ] {
        let said = daemon.ctl().run(words);
        let want = "ERROR: the daemon is shutting down\n";
        assert_eq!((said.out.as_str(), said.code), (want, Some(1)), "{words:?}");
    }
    seat.type_in("typed");
    seat.wait_output("typed");
    let mut late = Seat::take(&daemon, "p");
    late.type_in("late");
    late.wait_output("late");
    let kept = kept();
    assert!(kept.contains("ready") && !kept.contains("sent"), "{kept:?}");
    seat.leave();
    late.leave();
    daemon.signal(Signal::SIGINT);
    assert_eq!(daemon.wait_exit(SOON).code(), Some(0));
}
