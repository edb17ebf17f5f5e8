//! Ten thousand deaths by force, at random: each is seen once, told right, and answered by one start.

use std::collections::{BTreeMap, BTreeSet};

use harness::{Daemon, Dice, LATER, SOON, Sandbox, State, check, eventually, json, laps, proc};
use nix::sys::signal::Signal;

const PROCESSES: usize = 20;

/// Signals that end a `sleep`, and how the log calls them.
const DEATHS: [(Signal, &str); 4] = [
    (Signal::SIGKILL, "SIGKILL"),
    (Signal::SIGKILL, "SIGKILL"),
    (Signal::SIGTERM, "SIGTERM"),
    (Signal::SIGUSR1, "SIGUSR1"),
];

/// What runs: the name, how often it was started by now, and the pid.
fn running(daemon: &Daemon) -> Vec<(String, u64, i32)> {
    let processes = daemon.rpc().status().processes;
    let running = processes
        .into_iter()
        .filter(|process| process.state == State::Running);
    running
        .filter_map(|process| Some((process.name, process.starts, process.pid?)))
        .collect()
}

/// The pid in `... (pid 123) exited: ...`.
fn pid_of(line: &str) -> Option<i32> {
    let (_, rest) = line.split_once("(pid ")?;
    rest.split_once(')')?.0.parse().ok()
}

// `TASKMASTER_LAPS=10000` for the whole storm. Pids come back in so long a storm: deaths are counted for each.
#[test]
fn every_one_of_ten_thousand_kills_is_told_once_and_answered_once() {
    let mut dice = Dice::new();
    let sandbox = Sandbox::new();
    let programs = json!({"p": {
        "cmd": ["sleep", "100000"], "numprocs": PROCESSES, "starttime": "1ms",
        "autorestart": "unexpected", "exitcodes": [0], "tty": "none",
    }});
    let daemon = Daemon::start(sandbox, programs);
    eventually("all to run", SOON, || {
        check(running(&daemon).len() == PROCESSES, || "fewer".into())
    });
    let fds = daemon.fds().len();
    let wanted = laps(1000);
    let mut killed: BTreeMap<(i32, &str), usize> = BTreeMap::new();
    let mut kills = 0;
    // On a busy machine the dying linger, and nobody dies twice.
    let mut victims = BTreeSet::new();
    while kills < wanted {
        for (process, starts, pid) in running(&daemon) {
            if dice.below(2) == 0 || kills == wanted || !victims.insert((process, starts)) {
                continue;
            }
            let (signal, name) = *dice.one_of(&DEATHS);
            assert!(proc::signal(pid, signal), "{pid} runs, says the daemon");
            *killed.entry((pid, name)).or_default() += 1;
            kills += 1;
        }
    }
    eventually("all to run again", LATER, || {
        let status = daemon.rpc().status().processes;
        let up = status.iter().all(|process| process.state == State::Running);
        let starts: u64 = status.iter().map(|process| process.starts).sum();
        check(up && starts == (kills + PROCESSES) as u64, || {
            format!("{starts} starts after {kills} kills")
        })
    });
    let mut told: BTreeMap<(i32, &str), usize> = BTreeMap::new();
    let log = daemon.log();
    let ends = log.iter().filter(|line| line.contains(" exited: "));
    for line in ends {
        let pid = pid_of(line).unwrap_or_else(|| panic!("{line}"));
        let name = DEATHS
            .iter()
            .find(|(_, name)| line.contains(&format!("terminated by {name} ")))
            .unwrap_or_else(|| panic!("{line}"))
            .1;
        *told.entry((pid, name)).or_default() += 1;
    }
    assert_eq!(told, killed);
    let starts = log
        .iter()
        .filter(|line| line.contains(" started with pid "));
    // The daemon's own line is one of them.
    assert_eq!(starts.count(), kills + PROCESSES + 1);
    eventually("the descriptors of before, and no zombie", SOON, || {
        let (now, zombies) = (daemon.fds().len(), daemon.zombies().len());
        check(now <= fds && zombies == 0, || {
            format!("{now} descriptors where there were {fds}, {zombies} zombies")
        })
    });
    assert_eq!(daemon.children().len(), PROCESSES);
}
