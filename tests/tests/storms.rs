//! Many deaths at once, and commands in their midst: nothing is missed, doubled or left behind.

use std::collections::BTreeMap;
use std::time::Instant;

use harness::{
    Daemon, Dice, LATER, Ledger, SOON, Sandbox, State, Value, check, eventually, json, laps, pause,
    proc,
};
use nix::sys::signal::Signal;
use shared::state::Exit;

/// Five programs `p0` to `p4`, each holding a lock in its own name.
fn five(sandbox: &Sandbox, orders: &[&str], keys: &Value) -> Value {
    let lock = sandbox.text("lock");
    let mut programs = json!({});
    for index in 0..5 {
        let orders = [&["--brief", "--lock", &lock], orders].concat();
        let name = format!("p{index}");
        programs[&name] = keys.clone();
        programs[&name]["cmd"] = sandbox.puppet(&name, &orders);
    }
    programs
}

/// No copy of a program was ever started while another lived.
#[track_caller]
fn never_two(daemon: &Daemon) {
    for index in 0..5 {
        let ledger = daemon.sandbox().ledger(&format!("p{index}"));
        assert!(
            ledger.all("locked_out").is_empty(),
            "two copies of p{index} at a time"
        );
    }
}

fn running(daemon: &Daemon) -> BTreeMap<String, i32> {
    let processes = daemon.rpc().status().processes;
    let running = processes
        .into_iter()
        .filter(|process| process.state == State::Running);
    running
        .filter_map(|process| Some((process.name, process.pid?)))
        .collect()
}

// A thousand kills, at any moment of a short life: each is answered by one start, and nothing wears out.
#[test]
fn a_thousand_kills_are_a_thousand_restarts() {
    let mut dice = Dice::new();
    let sandbox = Sandbox::new();
    let keys = json!({"starttime": "20ms", "autorestart": "always"});
    let programs = five(&sandbox, &[], &keys);
    let daemon = Daemon::start(sandbox, programs);
    eventually("five that run", SOON, || {
        check(running(&daemon).len() == 5, || "fewer".into())
    });
    let (fds, rss) = (daemon.fds().len(), daemon.rss_kib());
    let laps = laps(200);
    let mut last = BTreeMap::new();
    for lap in 0..laps {
        let now = eventually("five new ones that run", LATER, || {
            let now = running(&daemon);
            let fresh = now.iter().all(|(name, pid)| last.get(name) != Some(pid));
            if now.len() == 5 && fresh {
                Ok(now)
            } else {
                Err(format!("lap {lap}: {now:?}"))
            }
        });
        pause(dice.time_below_ms(30));
        for &pid in now.values() {
            proc::signal(pid, Signal::SIGKILL);
        }
        last = now;
    }
    for index in 0..5 {
        let name = format!("p{index}");
        let status = daemon.wait_status(&name, "up again", |status| {
            status.state == State::Running && status.starts == laps as u64 + 1
        });
        assert_eq!(status.failures, 0, "{status:?}");
        // Who was killed before its first word left none.
        let spoke = daemon.sandbox().ledger(&name).all("start").len();
        assert!(
            (1..=laps + 1).contains(&spoke),
            "{name} spoke {spoke} times"
        );
    }
    never_two(&daemon);
    eventually("the descriptors of before", SOON, || {
        let now = daemon.fds().len();
        check(now <= fds, || format!("{now} where there were {fds}"))
    });
    let grown = daemon.rss_kib().saturating_sub(rss);
    assert!(grown <= 4096, "{grown} KiB more");
}

/// A program for each way to die, 25 processes of each; they wait for a USR1, or for the signal itself.
fn twenty_ways_to_die(sandbox: &Sandbox) -> Value {
    let mut programs = json!({});
    let codes: Vec<i32> = (1..=12).collect();
    let signals = ["HUP", "INT", "KILL", "USR1", "USR2", "TERM", "ALRM", "PIPE"];
    for code in &codes {
        let on = format!("USR1=exit:{code}");
        let cmd = sandbox.puppet("all", &["--brief", "--on", &on]);
        programs[format!("c{code}")] = json!({"cmd": cmd, "numprocs": 25});
    }
    for signal in signals {
        let on = format!("{signal}=default");
        let mut orders = vec!["--brief"];
        if signal != "KILL" {
            orders.extend(["--on", &on]);
        }
        programs[format!("s{signal}")] =
            json!({"cmd": sandbox.puppet("all", &orders), "numprocs": 25});
    }
    for (_, program) in programs.as_object_mut().expect("programs") {
        program["starttime"] = json!("50ms");
        program["autorestart"] = json!("never");
        program["tty"] = json!("none");
    }
    programs
}

// Five hundred deaths come as one SIGCHLD; each has its own status and each is told right.
#[test]
fn five_hundred_deaths_while_the_daemon_is_stopped_are_told_apart() {
    let sandbox = Sandbox::new();
    let programs = twenty_ways_to_die(&sandbox);
    let daemon = Daemon::start(sandbox, programs);
    daemon.sandbox().ledger("all").wait("ready", 500, LATER);
    eventually("500 that run", LATER, || {
        let count = running(&daemon).len();
        check(count == 500, || format!("{count}"))
    });
    let victims = running(&daemon);
    daemon.signal(Signal::SIGSTOP);
    for (name, &pid) in &victims {
        let signal = match name[1..].split(':').next() {
            Some(signal) if name.starts_with('s') => {
                shared::signal::parse(signal).expect("a signal")
            }
            _ => shared::signal::parse("USR1").expect("a signal"),
        };
        proc::signal(pid, Signal::try_from(signal).expect("a signal"));
    }
    eventually("500 dead", LATER, || {
        let living = victims.values().filter(|pid| proc::alive(**pid)).count();
        check(living == 0, || format!("{living} live"))
    });
    daemon.signal(Signal::SIGCONT);
    let start = Instant::now();
    let processes = eventually("500 ends", LATER, || {
        let processes = daemon.rpc().status().processes;
        let ended = processes
            .iter()
            .filter(|process| process.state == State::Exited)
            .count();
        if ended == 500 {
            Ok(processes)
        } else {
            Err(format!("{ended}"))
        }
    });
    eprintln!("500 ends told within {:?}", start.elapsed());
    for process in processes {
        let wanted = match process.program.split_at(1) {
            ("c", code) => Exit::Code(code.parse().expect("a code")),
            (_, signal) => Exit::Signal {
                number: shared::signal::parse(signal).expect("a signal"),
                core_dumped: false,
            },
        };
        assert_eq!(process.exit, Some(wanted), "{}", process.name);
    }
    eventually("no zombie", SOON, || {
        check(daemon.zombies().is_empty(), || "zombies".into())
    });
}

// The daemon is a subreaper: children come to it that it never made.
#[test]
fn strays_are_buried_and_harm_nobody() {
    let sandbox = Sandbox::new();
    let script =
        "i=0; while [ $i -lt 1000 ]; do (sleep 0.05 & ) ; i=$((i+1)); done; exec sleep 1000";
    let programs = json!({"strays": {"cmd": ["sh", "-c", script], "starttime": "50ms"}});
    let daemon = Daemon::start(sandbox, programs);
    let pid = daemon.wait_state("strays", State::Running).pid;
    eventually("the script to come to its end", LATER, || {
        let command = pid.and_then(proc::stat).map(|stat| stat.command);
        check(command.as_deref() == Some("sleep"), || {
            format!("{command:?}")
        })
    });
    eventually("the burial of a thousand", SOON, || {
        let children = daemon.children();
        check(children.len() == 1, || {
            format!("{} children", children.len())
        })
    });
    let status = daemon.status("strays");
    assert_eq!(
        (status.pid, status.starts, status.state),
        (pid, 1, State::Running)
    );
}

fn all_dead(pids: &[i32]) -> Result<(), String> {
    let living: Vec<&i32> = pids.iter().filter(|pid| proc::alive(**pid)).collect();
    check(living.is_empty(), || format!("{living:?} live"))
}

fn stop_tree(orders: &[&str], keys: Value) -> (Daemon, Ledger) {
    let sandbox = Sandbox::new();
    let mut program = keys;
    program["cmd"] = sandbox.puppet("p", orders);
    program["starttime"] = json!("50ms");
    program["stoptime"] = json!("500ms");
    let daemon = Daemon::start(sandbox, json!({"p": program}));
    let ledger = daemon.sandbox().ledger("p");
    ledger.wait("ready", 1, SOON);
    daemon.wait_state("p", State::Running);
    (daemon, ledger)
}

// A tree in one group: a shell's pipeline. The leader's death is not the pipeline's.
#[test]
fn a_stopped_pipeline_is_gone_as_a_whole() {
    let sandbox = Sandbox::new();
    let puppet = sandbox.puppet("p", &[]);
    let words: Vec<&str> = puppet
        .as_array()
        .expect("words")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let line = words.join(" ");
    let pipeline = format!("{line} | {line} | {line}; true");
    let programs =
        json!({"p": {"cmd": ["sh", "-c", pipeline], "starttime": "50ms", "stoptime": 2}});
    let daemon = Daemon::start(sandbox, programs);
    let ledger = daemon.sandbox().ledger("p");
    ledger.wait("ready", 3, SOON);
    daemon.rpc().stop(&["p"]);
    eventually("the end of the pipeline", SOON, || {
        all_dead(&ledger.pids("start"))
    });
}

#[test]
fn a_child_that_ignores_everything_is_swept_with_its_leader() {
    let (daemon, ledger) = stop_tree(&["--fork-stubborn"], json!({}));
    ledger.wait("grandchild", 1, SOON);
    daemon.rpc().stop(&["p"]);
    eventually("the end of the group", SOON, || {
        all_dead(&ledger.pids("grandchild"))
    });
}

#[test]
fn who_forks_at_each_sigterm_is_gone_after_stoptime() {
    let (daemon, ledger) = stop_tree(&["--on", "TERM=fork"], json!({"stopasgroup": true}));
    daemon.rpc().stop(&["p"]);
    eventually("the end of the group", SOON, || {
        all_dead(&ledger.pids("start"))?;
        all_dead(&ledger.pids("grandchild"))
    });
}

// What left the group cannot be swept without a cgroup; then at least it is named.
#[test]
fn what_left_the_group_is_listed_as_a_stray() {
    for order in ["--fork-setsid", "--double-fork"] {
        let (daemon, ledger) = stop_tree(&[order], json!({}));
        let pid = i32::try_from(
            ledger.wait("grandchild", 1, SOON)[0]["pid"]
                .as_i64()
                .expect("a pid"),
        );
        let pid = pid.expect("a pid is an i32");
        daemon.rpc().stop(&["p"]);
        if proc::alive(pid) {
            eventually("a stray in the list", SOON, || {
                let strays = daemon.rpc().status_with_strays().strays;
                let found = strays.iter().any(|stray| stray.pid == pid);
                check(found || !proc::alive(pid), || {
                    format!("{order}: {strays:?}")
                })
            });
            // To look for them costs, so nobody does who was not asked to.
            assert_eq!(daemon.rpc().status().strays, []);
        }
    }
}

// sweep: false is for those who want their workers to outlive the master.
#[test]
fn without_sweep_the_group_is_left_alone() {
    let (daemon, ledger) = stop_tree(&["--fork-stubborn"], json!({"sweep": false, "tty": "none"}));
    ledger.wait("grandchild", 1, SOON);
    daemon.rpc().stop(&["p"]);
    let pid = ledger.pids("grandchild")[0];
    assert!(proc::alive(pid));
    assert_eq!(
        proc::stat(pid).map(|stat| stat.ppid),
        Some(daemon.daemon_pid())
    );
}

// Commands at random moments against programs that die at random moments: what holds in the end is what
// was asked for last, and at no time were there two of a kind.
#[test]
fn commands_that_race_with_deaths_do_what_was_asked_last() {
    let mut dice = Dice::new();
    let sandbox = Sandbox::new();
    let plan = [
        "--plan",
        "exit:1@5ms,exit:0@12ms,exit:1@20ms,exit:0@30ms,exit:1@1ms,exit:0@25ms,stay",
    ];
    let keys = json!({"starttime": "15ms", "autorestart": "always", "startretries": 3, "stoptime": "200ms"});
    let programs = five(&sandbox, &plan, &keys);
    let mut daemon = Daemon::start(sandbox, programs.clone());
    let mut clients: Vec<_> = (0..8).map(|_| daemon.rpc()).collect();
    let mut asked = Vec::new();
    for _ in 0..laps(500) {
        let client = dice.below(8) as usize;
        if asked.len() == clients.len() {
            let (client, id): (usize, u64) = asked.remove(0);
            clients[client].answer(id).ok();
        }
        if asked.iter().any(|(busy, _)| *busy == client) {
            continue;
        }
        let name = format!("p{}", dice.below(5));
        let names = harness::rpc::names(&[&name]);
        let call = match dice.below(5) {
            0 | 1 => shared::api::Call::Start(names),
            2 => shared::api::Call::Stop(names),
            3 => shared::api::Call::Restart(names),
            _ => shared::api::Call::Reload(shared::api::ReloadParams::default()),
        };
        let id = clients[client].ask(&call);
        asked.push((client, id));
        pause(dice.time_below_ms(10));
    }
    for (client, id) in asked {
        clients[client].answer(id).ok();
    }
    daemon.rpc().stop(&["p0", "p1"]);
    daemon.rpc().start(&["p2", "p3", "p4"]);
    for name in ["p2", "p3", "p4"] {
        daemon.wait_status(name, "up or given up", |status| {
            matches!(status.state, State::Running | State::Fatal)
        });
    }
    for name in ["p0", "p1"] {
        assert_eq!(daemon.status(name).state, State::Stopped);
    }
    never_two(&daemon);
    daemon.stop();
    assert!(daemon.offspring().is_empty(), "{:?}", daemon.offspring());
}

// The kernel tells of it, and nobody has to ask: no command comes between the kill and the line.
#[test]
fn an_outside_kill_is_told_before_anybody_asks() {
    let sandbox = Sandbox::new();
    let programs = json!({"p": {"cmd": sandbox.puppet("p", &[]), "starttime": "50ms", "autorestart": "never"}});
    let daemon = Daemon::start(sandbox, programs);
    for _ in 0..10 {
        let pid = daemon.wait_state("p", State::Running).pid.expect("a pid");
        proc::signal(pid, Signal::SIGKILL);
        daemon.wait_log(&["p", &format!("(pid {pid})"), "SIGKILL"]);
        assert_eq!(daemon.status("p").state, State::Exited);
        daemon.rpc().start(&["p"]);
    }
}
