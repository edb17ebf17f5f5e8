//! Events and output that go to syslog: they arrive there, and a syslog that is deaf holds nobody up.
//!
//! `/dev/log` belongs to the machine. The daemon gets a `/dev` of its own, in a mount namespace of its own.

use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

use harness::{
    Daemon, LATER, SOON, Sandbox, Setup, State, Value, check, eventually, json, skip_unless_root,
};

/// Puts a directory with the few devices that matter in place of `/dev`, and becomes the rest of the line.
const OWN_DEV: &str = "set -e; dev=$TM_SANDBOX/dev; mkdir $dev; mount -t tmpfs none $dev
    cd /dev; cp -a null zero full random urandom tty $dev; mkdir $dev/pts; mount --rbind pts $dev/pts
    ln -s pts/ptmx $dev/ptmx; ln -s $TM_SANDBOX/log $dev/log; cd $TM_SANDBOX
    mount --rbind $dev /dev; exec \"$@\"";

fn before() -> Vec<String> {
    let words = ["unshare", "--mount", "sh", "-c", OWN_DEV, "sh"];
    words.map(str::to_owned).to_vec()
}

fn namespaces_work() -> bool {
    let mut command = Command::new("unshare");
    command.args(["--mount", "mount", "-t", "tmpfs", "none", "/mnt"]);
    command.status().is_ok_and(|status| status.success())
}

/// A daemon with this program, its events and where the program says so its output in syslog.
fn daemon(orders: &[&str], keys: Value) -> (Daemon, UnixDatagram) {
    let sandbox = Sandbox::new();
    let log = UnixDatagram::bind(sandbox.path("log")).expect("a socket can be bound");
    (daemon_in(sandbox, orders, keys), log)
}

/// The same, whether there is a syslog or not.
fn daemon_in(sandbox: Sandbox, orders: &[&str], keys: Value) -> Daemon {
    let mut program = keys;
    program["cmd"] = sandbox.puppet("p", orders);
    program["starttime"] = json!("50ms");
    let config = json!({
        "socket": sandbox.path("sock"), "log": sandbox.path("tm.log"),
        "syslog": {"facility": "local3", "tag": "tm"}, "programs": {"p": program},
    });
    sandbox.write("tm.yaml", config.to_string());
    let setup = Setup {
        before: before(),
        ..Setup::default()
    };
    let daemon = Daemon::launch(sandbox, setup);
    daemon.wait_up();
    daemon
}

/// Reads messages until one has all these words; gives it.
#[track_caller]
fn wait_message(log: &UnixDatagram, words: &[&str]) -> String {
    log.set_read_timeout(Some(Duration::from_millis(100)))
        .expect("a time can be set");
    let mut all = Vec::new();
    eventually(&format!("a message with {words:?}"), SOON, || {
        let mut message = [0; 4096];
        while let Ok(length) = log.recv(&mut message) {
            let text = String::from_utf8_lossy(&message[..length]).into_owned();
            if words.iter().all(|word| text.contains(word)) {
                return Ok(text);
            }
            all.push(text);
            all.drain(..all.len().saturating_sub(20));
        }
        Err(all.join("\n"))
    })
}

#[test]
fn events_and_output_reach_syslog_with_their_priority() {
    skip_unless_root!();
    if !namespaces_work() {
        harness::skip!("mount namespaces do not work here");
    }
    let keys =
        json!({"stdout": "syslog", "stderr": "syslog", "tty": "none", "autorestart": "never"});
    let orders = [
        "--write-out",
        "to out\\e[31m\\nhalf",
        "--write-err",
        "to err\\n",
        "--plan",
        "exit:3@100ms",
    ];
    let (daemon, log) = daemon(&orders, keys);
    // local3 is 19: 152, and 6 for info, 4 for a warning, 3 for an error.
    let message = wait_message(&log, &["started with pid", "taskmasterd"]);
    let tag = format!("<158>tm[{}]: taskmasterd ", daemon.daemon_pid());
    assert!(message.starts_with(&tag), "{message}");
    let pid = &daemon.sandbox().ledger("p").wait("start", 1, SOON)[0]["pid"];
    let message = wait_message(&log, &["to out"]);
    assert_eq!(message, format!("<158>p[{pid}]: to out\\x1b[31m"));
    let message = wait_message(&log, &["to err"]);
    assert!(
        message.ends_with(&format!(">p[{pid}]: to err")),
        "{message}"
    );
    wait_message(&log, &[": half"]);
    let message = wait_message(&log, &["p (pid", "exit status 3"]);
    assert!(message.starts_with("<156>tm["), "{message}");
    daemon.wait_state("p", State::Exited);
}

// What a process wrote comes before its death, at a terminal, too.
#[test]
fn a_last_line_without_an_end_comes_before_the_exit() {
    skip_unless_root!();
    if !namespaces_work() {
        harness::skip!("mount namespaces do not work here");
    }
    for tty in ["none", "full", "split"] {
        let keys = json!({"stdout": "syslog", "tty": tty, "autorestart": "never"});
        let orders = ["--write-out", "one\nhalf", "--plan", "exit:3@100ms"];
        let (_daemon, log) = daemon(&orders, keys);
        wait_message(&log, &[": half"]);
        wait_message(&log, &["p (pid", "exit status 3"]);
    }
}

// A syslogd that does not read: its queue is full at once, the program is not held up, the daemon answers, and
// when it reads again it is told how much it missed.
#[test]
fn a_deaf_syslog_holds_nobody_up_and_is_told_what_it_missed() {
    skip_unless_root!();
    if !namespaces_work() {
        harness::skip!("mount namespaces do not work here");
    }
    let keys = json!({"stdout": "syslog", "tty": "none"});
    let (daemon, log) = daemon(&["--flood", "1000000", "--tick", "100ms"], keys);
    daemon.sandbox().ledger("p").wait("flooded", 1, LATER);
    daemon.rpc().status();
    wait_message(&log, &["messages were dropped before this one"]);
    wait_message(&log, &["tick"]);
    daemon.wait_log(&["messages did not reach syslog"]);
    assert_eq!(daemon.status("p").state, State::Running);
}

// As in most containers. It is told once, and how much it was at the end; nothing else is said of it.
#[test]
fn a_syslog_that_is_not_there_is_told_once_and_counted_at_the_end() {
    skip_unless_root!();
    if !namespaces_work() {
        harness::skip!("mount namespaces do not work here");
    }
    let mut daemon = daemon_in(Sandbox::new(), &[], json!({}));
    let refused = "WARN messages do not reach syslog: /dev/log: no such file or directory";
    daemon.wait_log(&[refused]);
    for _ in 0..3 {
        daemon.wait_state("p", State::Running);
        daemon.rpc().restart(&["p"]);
    }
    daemon.stop();
    let log = daemon.log();
    let about: Vec<&String> = log.iter().filter(|line| line.contains("syslog")).collect();
    assert_eq!(about.len(), 2, "{log:?}");
    assert!(about[0].ends_with(refused), "{log:?}");
    // All lines but these two were for syslog too.
    let lost = format!("WARN {} messages did not reach syslog", log.len() - 2);
    assert!(about[1].ends_with(&lost), "{lost}: {log:?}");
    let last = log.last().expect("a line");
    assert!(last.ends_with("taskmasterd stopped"), "{last}");
}

// A syslogd that is gone, as during its update, and then comes back.
#[test]
fn a_syslog_that_went_is_found_again() {
    skip_unless_root!();
    if !namespaces_work() {
        harness::skip!("mount namespaces do not work here");
    }
    let (daemon, log) = daemon(
        &["--tick", "50ms"],
        json!({"stdout": "syslog", "tty": "none"}),
    );
    wait_message(&log, &["tick"]);
    drop(log);
    std::fs::remove_file(daemon.sandbox().path("log")).expect("a socket can be removed");
    let ticks = |count: usize| {
        let starts = daemon.log().len();
        check(starts >= count, || format!("{starts} lines"))
    };
    // Its own events go there too; none of this may be waited for.
    for _ in 0..3 {
        daemon.rpc().restart(&["p"]);
    }
    eventually("the log of three restarts", SOON, || ticks(9));
    let log = UnixDatagram::bind(daemon.sandbox().path("log")).expect("a socket can be bound");
    wait_message(&log, &["tick"]);
}
