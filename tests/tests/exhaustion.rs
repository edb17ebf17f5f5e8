//! When something runs out: processes, descriptors, time. A delay, not a death.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use harness::{
    Daemon, LATER, NOBODYS_UID, Rpc, SOON, Sandbox, Setup, State, check, eventually, json, pause,
    proc, skip_unless_root,
};
use nix::sys::signal::Signal;

fn prlimit(pid: i32, what: &str) {
    let status = Command::new("prlimit")
        .args(["--pid", &pid.to_string(), what])
        .status();
    assert!(status.expect("prlimit starts").success(), "{what}");
}

// With all descriptors used, clients wait and programs wait; nothing spins, nothing is given up.
#[test]
fn without_descriptors_everybody_waits_and_then_goes_on() {
    let sandbox = Sandbox::new();
    let mut programs = json!({});
    for index in 0..10 {
        let cmd = sandbox.puppet("all", &["--brief"]);
        programs[format!("p{index}")] =
            json!({"cmd": cmd, "starttime": "50ms", "startretries": 0, "autostart": false});
    }
    let daemon = Daemon::start(sandbox, programs);
    let mut early = daemon.rpc();
    early.status();
    let used: Vec<i32> = daemon.fds().iter().map(|&(number, _)| number).collect();
    // Two are free below it, however high the numbers are of what the daemon inherited.
    let limit = (0..).filter(|number| !used.contains(number)).nth(2);
    let limit = limit.expect("numbers do not end");
    prlimit(daemon.daemon_pid(), &format!("--nofile={limit}:20000"));
    let mut waiting: Vec<Rpc> = (0..20)
        .filter_map(|_| Rpc::connect(&daemon.socket()).ok())
        .collect();
    for rpc in &mut waiting {
        rpc.send(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"version\"}\n")
            .expect("it is queued");
    }
    let asked = early.ask(&shared::api::Call::Start(harness::rpc::names(&["all"])));
    let cpu = daemon.cpu_ms();
    pause(Duration::from_secs(2));
    let used = daemon.cpu_ms() - cpu;
    let told = |line: &&String| line.ends_with("cannot accept clients: too many open files");
    assert_eq!(daemon.log().iter().filter(told).count(), 1);
    assert!(used <= 400, "{used} ms of processor time in two seconds");
    prlimit(daemon.daemon_pid(), "--nofile=20000:20000");
    for rpc in &mut waiting {
        let line = rpc.line(SOON).expect("an answer");
        assert!(line.is_some_and(|line| line.contains("result")));
    }
    for index in 0..10 {
        let status = daemon.wait_state(&format!("p{index}"), State::Running);
        assert_eq!(status.failures, 0, "{status:?}");
    }
    early.answer(asked).ok();
}

/// A process that does nothing but be there; it goes with the test, however that ends.
struct Hog(Child);

impl Drop for Hog {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// One of that user's.
fn hog(uid: u32) -> Hog {
    let uid = uid.to_string();
    let hog = Command::new("setpriv")
        .args(["--reuid", &uid, "--clear-groups", "sleep", "1000"])
        .spawn()
        .expect("setpriv starts");
    let hog = Hog(hog);
    let pid = i32::try_from(hog.0.id()).expect("a pid is an i32");
    eventually("a process of that user", SOON, || {
        let uids = proc::status(pid, "Uid").unwrap_or_default();
        check(uids.starts_with(&uid), || uids)
    });
    hog
}

// The kernel lets root fork and refuses the exec of the user it became; that is a delay with a reason.
#[test]
fn a_user_without_processes_left_is_tried_again_without_spending_retries() {
    skip_unless_root!();
    // Nobody else may run as this user meanwhile, another run of this very test neither.
    let uid = NOBODYS_UID + std::process::id();
    // The kernel compares with the limit before it counts the newcomer, so that one process is not enough.
    let hogs = [hog(uid), hog(uid)];
    let sandbox = Sandbox::new();
    let cmd = sandbox.puppet("p", &["--brief"]);
    let keys = json!({"cmd": cmd, "user": uid, "group": uid, "limits": {"nproc": 1},
                      "startretries": 0, "starttime": "50ms"});
    let daemon = Daemon::start(sandbox, json!({"p": keys}));
    let status = daemon.wait_status("p", "waiting with a reason", |status| {
        status.state == State::Backoff && status.detail.is_some()
    });
    assert_eq!(status.failures, 0, "{status:?}");
    pause(Duration::from_millis(1500));
    assert_eq!(daemon.status("p").failures, 0);
    drop(hogs);
    daemon.wait_state("p", State::Running);
}

/// A cgroup of the test's own in which the number of processes is limited, removed at the end.
struct Cgroup(PathBuf);

impl Cgroup {
    /// `None` where there is no hierarchy with that controller that we may write to.
    fn new() -> Option<Self> {
        let root = Path::new("/sys/fs/cgroup");
        let unified = || {
            let on = fs::read_to_string(root.join("cgroup.subtree_control")).ok()?;
            on.contains("pids").then(|| root.to_owned())
        };
        let first = Some(root.join("pids")).filter(|path| path.is_dir());
        let dir = first
            .or_else(unified)?
            .join(format!("tm-{}", std::process::id()));
        fs::create_dir(&dir).ok()?;
        let cgroup = Self(dir);
        cgroup.0.join("pids.max").exists().then_some(cgroup)
    }

    fn write(&self, file: &str, value: &str) {
        fs::write(self.0.join(file), value).expect("a cgroup can be written");
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // Only an empty one can be removed; the daemon goes back to where it came from.
        let members = fs::read_to_string(self.0.join("cgroup.procs")).unwrap_or_default();
        let parent = self.0.parent().expect("a cgroup has a parent");
        for pid in members.lines() {
            fs::write(parent.join("cgroup.procs"), pid).ok();
        }
        fs::remove_dir(&self.0).ok();
    }
}

// Here it is fork that fails, for root too. What was up stays up, what waits says why, and all is well afterwards.
#[test]
fn without_processes_a_start_is_a_delay_and_not_a_death() {
    skip_unless_root!();
    let sandbox = Sandbox::new();
    let cmd = sandbox.puppet("all", &["--brief"]);
    let keys = json!({"cmd": cmd, "startretries": 0, "starttime": "50ms", "autostart": false,
                      "numprocs": 20, "tty": "none"});
    let up = json!({"cmd": cmd, "starttime": "50ms"});
    let daemon = Daemon::start(sandbox, json!({"many": keys, "up": up}));
    let Some(cgroup) = Cgroup::new() else {
        harness::skip!("there is no cgroup with the controller pids that we may write to");
    };
    let pid = daemon.wait_state("up", State::Running).pid;
    cgroup.write("cgroup.procs", &daemon.daemon_pid().to_string());
    cgroup.write("pids.max", "3");
    let mut asker = daemon.rpc();
    let asked = asker.ask(&shared::api::Call::Start(harness::rpc::names(&["many:*"])));
    let status = daemon.wait_status("many:19", "waiting with a reason", |status| {
        status.state == State::Backoff && status.detail.is_some()
    });
    assert!(
        status
            .detail
            .is_some_and(|detail| detail.contains("EAGAIN"))
    );
    pause(Duration::from_millis(1500));
    let waiting = daemon.rpc().status().processes;
    assert!(
        waiting.iter().all(|process| process.failures == 0),
        "{waiting:?}"
    );
    assert_eq!(daemon.status("up").pid, pid);
    cgroup.write("pids.max", "max");
    for index in 0..20 {
        let status = daemon.wait_state(&format!("many:{index}"), State::Running);
        assert_eq!(status.failures, 0, "{status:?}");
    }
    asker.answer(asked).ok();
    daemon.rpc().stop(&["many:*"]);
}

// Timers that came due meanwhile fire once each, and not once for each time they would have.
#[test]
fn a_daemon_that_was_stopped_catches_up_without_a_burst() {
    let sandbox = Sandbox::new();
    let mut programs = json!({});
    for index in 0..10 {
        let name = format!("p{index}");
        let cmd = sandbox.puppet(&name, &["--brief", "--plan", "exit:1"]);
        programs[&name] = json!({"cmd": cmd, "startretries": 10});
    }
    let daemon = Daemon::start(sandbox, programs);
    eventually("ten in BACKOFF", LATER, || {
        let processes = daemon.rpc().status().processes;
        let waiting = processes
            .iter()
            .filter(|process| process.state == State::Backoff)
            .count();
        check(waiting == 10, || format!("{waiting}"))
    });
    daemon.signal(Signal::SIGSTOP);
    let starts = || {
        (0..10)
            .map(|index| {
                daemon
                    .sandbox()
                    .ledger(&format!("p{index}"))
                    .all("start")
                    .len()
            })
            .collect::<Vec<_>>()
    };
    pause(Duration::from_secs(3));
    let before = starts();
    daemon.signal(Signal::SIGCONT);
    pause(Duration::from_millis(800));
    for (before, after) in before.iter().zip(starts()) {
        assert!(after - before <= 1, "{before} starts, then {after}");
    }
}

// A file may be no longer than the limits of the daemon let it be. That is trouble with a log, and not the daemon's
// end, as the kernel would have it; for its programs the signal means what it always does.
#[test]
fn a_log_at_the_limit_of_file_sizes_is_trouble_and_not_the_end() {
    let sandbox = Sandbox::new();
    let script = "head -c 100000 /dev/zero; sh -c 'head -c 100000 /dev/zero > big'; echo $? > died; exec sleep 1000";
    let cmd = json!(["sh", "-c", script]);
    let keys = json!({"cmd": cmd, "starttime": "50ms", "tty": "none", "workingdir": sandbox.dir(),
                      "stdout": sandbox.path("out")});
    let setup = Setup {
        before: vec!["prlimit".into(), "--fsize=32768".into()],
        ..Setup::default()
    };
    let daemon = Daemon::start_with(sandbox, json!({"p": keys}), setup);
    daemon.wait_log(&["output of p cannot be written", "file too large"]);
    eventually("the end of a program by that signal", SOON, || {
        let died = daemon.sandbox().read("died");
        // What a shell says of a program that SIGXFSZ ended.
        check(died == b"153\n", || format!("{died:?}"))
    });
    daemon.wait_state("p", State::Running);
    assert_eq!(daemon.sandbox().read("out").len(), 32768);
}
