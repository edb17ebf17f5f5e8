//! Sessions that are nearly right: whatever is said on the control socket harms nobody else.

use std::io::{ErrorKind, Read};
use std::net::Shutdown;

use harness::{Daemon, Dice, LATER, Sandbox, check, eventually, json, laps, proc};
use shared::rpc::code;

/// How much the daemon may grow, in KiB: a few clients' queues.
const GROWTH_KIB: u64 = 4 * 1024;

/// What clients say.
const REQUESTS: [&str; 16] = [
    r#"{"jsonrpc":"2.0","id":1,"method":"status"}"#,
    r#"{"jsonrpc":"2.0","id":2,"method":"status","params":{"names":["p","q:*"],"strays":true}}"#,
    r#"{"jsonrpc":"2.0","id":"x","method":"start","params":{"names":["q"]}}"#,
    r#"{"jsonrpc":"2.0","id":3,"method":"stop","params":{"names":["q:0"]}}"#,
    r#"{"jsonrpc":"2.0","id":4,"method":"restart","params":{"names":["all"]}}"#,
    r#"{"jsonrpc":"2.0","id":5,"method":"signal","params":{"names":["q"],"signal":"HUP"}}"#,
    r#"{"jsonrpc":"2.0","id":6,"method":"reload","params":{"dry_run":true}}"#,
    r#"{"jsonrpc":"2.0","id":7,"method":"tail","params":{"name":"p","bytes":1600}}"#,
    r#"{"jsonrpc":"2.0","id":8,"method":"tail","params":{"name":"p","follow":true}}"#,
    r#"{"jsonrpc":"2.0","id":9,"method":"clear","params":{"names":["p"]}}"#,
    r#"{"jsonrpc":"2.0","id":10,"method":"pid"}"#,
    r#"{"jsonrpc":"2.0","id":11,"method":"version"}"#,
    r#"{"jsonrpc":"2.0","id":12,"method":"send","params":{"name":"p","data":"eA=="}}"#,
    r#"{"jsonrpc":"2.0","id":13,"method":"screen","params":{"name":"p"}}"#,
    r#"{"jsonrpc":"2.0","id":14,"method":"attach","params":{"name":"p","version":1,"rows":24,"cols":80}}"#,
    r#"[{"jsonrpc":"2.0","id":15,"method":"pid"},{"jsonrpc":"2.0","method":"version"}]"#,
];

/// What is put in the middle of it.
const WORDS: [&[u8]; 14] = [
    b"{",
    b"[[[[[[[[[[[[[[[[[[[[",
    b"\"",
    b"\\",
    b"\\ud800",
    b"null",
    b"-1",
    b"1e999",
    b"18446744073709551616",
    b"\xff\xfe",
    b"\0",
    b"*",
    b"\n",
    b"\n{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"status\"}\n",
];

/// A few requests, of which some are spoilt, or cut off.
fn session(dice: &mut Dice) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..=dice.below(6) {
        let mut line = dice.one_of(&REQUESTS).as_bytes().to_vec();
        for _ in 0..dice.below(3) {
            spoil(dice, &mut line);
        }
        bytes.extend(line);
        bytes.push(b'\n');
    }
    if dice.below(4) == 0 {
        bytes.truncate(dice.below(bytes.len() as u64) as usize);
    }
    bytes
}

fn spoil(dice: &mut Dice, line: &mut Vec<u8>) {
    let at = dice.below(line.len() as u64) as usize;
    let end = (at + dice.below(12) as usize).min(line.len());
    match dice.below(5) {
        0 => line[at] = dice.below(256) as u8,
        1 => drop(line.drain(at..end)),
        2 => drop(line.splice(at..at, dice.one_of(&WORDS).iter().copied())),
        3 => drop(line.splice(at..end, dice.one_of(&WORDS).iter().copied())),
        _ => {
            let part = line[at..end].to_vec();
            drop(line.splice(at..at, part));
        }
    }
    if line.is_empty() {
        line.push(b' ');
    }
}

// TASKMASTER_LAPS=1000000 for a long night.
#[test]
fn whatever_is_said_harms_nobody_else() {
    let mut dice = Dice::new();
    let programs = json!({"p": {"cmd": "cat", "starttime": 0},
        "q": {"cmd": "cat", "numprocs": 2, "starttime": 0}});
    let daemon = Daemon::start(Sandbox::new(), programs);
    proc::wait_at_rest(daemon.daemon_pid());
    let fds = daemon.fds().len();
    let before = proc::peak_kib(daemon.daemon_pid());
    for _ in 0..laps(1000) {
        let mut rpc = daemon.rpc();
        // The daemon may have had enough of it before its end.
        let said = session(&mut dice);
        rpc.send(&said).ok();
        // Who follows and has lost the number of that request is answered nothing, and stays.
        let follows = said.windows(6).any(|word| word == b"follow");
        if dice.below(2) == 0 && !follows {
            // Whoever ends his half is answered what he asked, or refused.
            rpc.stream().shutdown(Shutdown::Write).ok();
            let mut answer = [0; 1];
            if let Err(error) = rpc.stream().read_exact(&mut answer) {
                let over = [ErrorKind::ConnectionReset, ErrorKind::UnexpectedEof];
                assert!(over.contains(&error.kind()), "{error}");
            }
        }
    }
    let mut rpc = daemon.rpc();
    assert_eq!(rpc.status().processes.len(), 3);
    rpc.send(b"nonsense\n").expect("it is read");
    let line = rpc.line(LATER).expect("a line").expect("an answer");
    assert!(line.contains(&code::PARSE_ERROR.to_string()), "{line}");
    drop(rpc);
    let grown = proc::peak_kib(daemon.daemon_pid()) - before;
    assert!(grown < GROWTH_KIB, "grown by {grown} KiB");
    eventually("the descriptors of before", LATER, || {
        let running = daemon.rpc().start(&["all"]);
        let now = daemon.fds().len();
        check(now == fds, || {
            format!("{now} where there were {fds}; {running:?}")
        })
    });
}
